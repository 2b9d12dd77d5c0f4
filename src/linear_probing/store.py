"""Arrays on disk: safetensors files, written whole or not at all, read one tensor at a time.

Activations of a model on a data set are one folder of shards; a shard holds one tensor per layer, rows in target
order, and the shards end to end are all targets. Reading a layer reads its bytes alone. bfloat16 is a dtype of numpy
here as ml_dtypes registers it.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import ml_dtypes  # noqa: F401  makes bfloat16 known to numpy, and so to safetensors
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from linear_probing.stage import StudyError, replace_file

SHARD = re.compile(r"shard-(\d+)-of-(\d+)\.safetensors")
DO = "delete the folder and run snakemake again"


class StoreError(StudyError):
    """A file of arrays that is missing, cut or lacks what is asked for."""


def write_tensors(path: Path, tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    """Write arrays by name with a header of at most one string; the file appears whole or not at all.

    Several would stand in the header in an order that changes from run to run, and with it the file's bytes.

    Raises
    ------
    ValueError
        If there are several.
    """
    if len(metadata) > 1:
        raise ValueError(f"expected at most one string for the header, found {', '.join(metadata)}")
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
        raise unreadable(path, error) from error


def read_metadata(path: Path) -> dict[str, str]:
    """Read a file's header of strings.

    Raises
    ------
    StoreError
        If the file is missing or cut.
    """
    try:
        with safe_open(path, "numpy") as file:
            return dict(file.metadata() or {})
    except (OSError, SafetensorError) as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: Exception) -> StoreError:
    """Return the error of a file that is not what was written."""
    likely = "the file is missing, was cut short, or was written by another version"
    return StoreError(f"{path.name} cannot be read: {error}", file=path, likely=likely, do=DO)


def layer_name(layer: int) -> str:
    """Return the name of a layer's array.

    Examples
    --------
    >>> layer_name(6)
    'layer_06'
    """
    return f"layer_{layer:02d}"


def shards(folder: Path) -> list[Path]:
    """Return the shards of a folder of activations in order.

    Raises
    ------
    StoreError
        If one is missing, or shards of several divisions stand side by side.
    """
    found = {match[0]: (int(match[1]), int(match[2])) for match in map(SHARD.fullmatch, _names(folder)) if match}
    counts = {n_shards for _, n_shards in found.values()}
    if len(counts) != 1 or sorted(shard for shard, _ in found.values()) != list(range(max(counts))):
        raise StoreError(
            f"{folder.name} holds {len(found)} shards, expected all of one division",
            file=folder,
            likely="a job was stopped, or a file was deleted or copied here",
            do=DO,
        )
    return [folder / name for name in sorted(found, key=lambda name: found[name])]


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()] if folder.is_dir() else []


def layers(folder: Path) -> tuple[int, ...]:
    """Return the layers stored in a folder of activations, ascending.

    Raises
    ------
    StoreError
        If a shard is missing or cut, or holds something else than layers.
    """
    first = shards(folder)[0]
    try:
        with safe_open(first, "numpy") as file:
            return tuple(sorted(int(name.removeprefix("layer_")) for name in file.keys()))  # noqa: SIM118
    except (OSError, SafetensorError, ValueError) as error:
        raise unreadable(first, error) from error


def read_layer(folder: Path, layer: int, n_targets: int) -> np.ndarray:
    """Read the states of one layer as float32 of shape (n_targets, d_model).

    Raises
    ------
    StoreError
        If the shards hold another number of rows than the target table, or a number that is not finite.
    """
    name, paths = layer_name(layer), shards(folder)
    parts = [read_tensors(path, [name])[name].astype(np.float32, copy=False) for path in paths]
    shapes = {part.shape[1:] for part in parts}
    if len(shapes) > 1 or any(part.ndim != 2 for part in parts):
        found = " and ".join(str(part.shape) for part in parts)
        raise unreadable(paths[-1], ValueError(f"layer {layer:02d} has the shape {found}, expected rows of one width"))
    n_rows = sum(len(part) for part in parts)
    if n_rows != n_targets:
        raise StoreError(
            f"layer {layer:02d} holds {n_rows:,} rows, but its target table has {n_targets:,}",
            file=paths[-1],
            likely="the file was cut short or edited after it was written",
            do=DO,
        )
    for path, part in zip(paths, parts, strict=True):
        if not np.isfinite(part).all():
            raise StoreError(f"layer {layer:02d} holds numbers that are not finite", file=path, do=DO)
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
