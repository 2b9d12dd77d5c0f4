"""Arrays on disk: safetensors files, written whole or not at all, read one tensor at a time."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from linear_probing.stage import StudyError, replace_file

SHARD = "shard-0-of-1.safetensors"
DO = "delete the folder and run snakemake again"


class StoreError(StudyError):
    """A file of arrays that is missing, cut or lacks what is asked for."""


def write_tensors(path: Path, tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    """Write arrays by name with a header of strings; the file appears whole or not at all."""
    with replace_file(path) as temporary:
        save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, temporary, dict(metadata))
        temporary.chmod(0o644)  # safetensors writes files that their owner alone can read


def read_tensors(path: Path, names: Iterable[str] | None = None) -> dict[str, np.ndarray]:
    """Read the named arrays, or all; only their bytes are read.

    Raises
    ------
    StoreError
        If the file is missing, cut or has no array of that name.
    """
    try:
        with safe_open(path, "numpy") as file:
            return {name: file.get_tensor(name) for name in (file.keys() if names is None else names)}
    except (OSError, SafetensorError) as error:
        raise StoreError(
            f"{path.name} cannot be read: {error}",
            file=path,
            likely="the file is missing, was cut short, or was written by another version",
            do=DO,
        ) from error


def read_metadata(path: Path) -> dict[str, str]:
    """Read a file's header of strings."""
    try:
        with safe_open(path, "numpy") as file:
            return dict(file.metadata() or {})
    except (OSError, SafetensorError) as error:
        raise StoreError(f"{path.name} cannot be read: {error}", file=path, do=DO) from error


def layer_name(layer: int) -> str:
    """Return the name of a layer's array.

    Examples
    --------
    >>> layer_name(6)
    'layer_06'
    """
    return f"layer_{layer:02d}"


def layers(folder: Path) -> tuple[int, ...]:
    """Return the layers stored in a folder of activations, ascending."""
    try:
        with safe_open(folder / SHARD, "numpy") as file:
            return tuple(sorted(int(name.removeprefix("layer_")) for name in file.keys()))  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise StoreError(f"activations cannot be read: {error}", file=folder / SHARD, do=DO) from error


def read_layer(folder: Path, layer: int, n_targets: int) -> np.ndarray:
    """Read the states of one layer as float32 of shape (n_targets, d_model).

    Raises
    ------
    StoreError
        If the file holds another number of rows than the target table, or a number that is not finite.
    """
    states = read_tensors(folder / SHARD, [layer_name(layer)])[layer_name(layer)]
    if len(states) != n_targets:
        raise StoreError(
            f"layer {layer:02d} holds {len(states):,} rows, but its target table has {n_targets:,}",
            file=folder / SHARD,
            likely="the file was cut short or edited after it was written",
            do=DO,
        )
    states = states.astype(np.float32)
    if not np.isfinite(states).all():
        raise StoreError(f"layer {layer:02d} holds numbers that are not finite", file=folder / SHARD, do=DO)
    return states
