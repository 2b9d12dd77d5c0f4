"""What a model weighs: parameters, memory, bytes of states and of downloads, from its configuration or its folder.

The shape stands in the configuration, or in the folder's config.json and the headers of its weights; none is loaded.
"""

import json
import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from linear_probing.language_model import CONTEXT, DEPTH, WIDTH, Model
from linear_probing.models import NEVER_RUN
from linear_probing.stage import StudyError
from linear_probing.store import layer_name

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
SHORT = {"float32": "F32", "bfloat16": "BF16", "float16": "F16"}
INTERMEDIATE = ("intermediate_size", "n_inner", "ffn_dim", "d_ff")
GROWTH = 4
"""The MLP's width over d_model, where no config.json names it."""
ROW = 256
"""Tokens of a row of prefix trees, which the attention's mask has in both directions."""
MOST_HEADER = 100_000_000
"""Bytes of a safetensors header, by its specification; what claims more is another file."""


@dataclass(frozen=True)
class ModelSize:
    """What a model weighs.

    Parameters
    ----------
    n_layers, d_model, n_parameters, intermediate : int
        Blocks, width of the residual stream, parameters without the output head, width of the MLP.
    layers : tuple[int, ...]
        That are stored.
    causal : bool, optional
        Whether its config.json says that attention is causal; None if there is none, or it says nothing.
    estimated : bool
        Whether parameters were guessed from the shape.
    """

    n_layers: int
    d_model: int
    n_parameters: int
    intermediate: int
    layers: tuple[int, ...]
    causal: bool | None
    estimated: bool

    @property
    def n_in_blocks(self) -> int:
        """Parameters that every token is multiplied with: 12 d_model² a block, which is right within a tenth.

        4 d² of attention, and 8 d² of an MLP; embeddings are looked up. A mixture of experts uses fewer.
        """
        return min(self.n_parameters, 12 * self.n_layers * self.d_model**2)


def model_size(model: Model, layers: tuple[int, ...]) -> ModelSize:
    """Return what a model weighs.

    Raises
    ------
    StudyError
        If neither the configuration nor the folder says its shape.
    """
    content = _config(model)
    width = model.width()
    if width is None:
        raise StudyError(
            f"model {model.name}: nothing says how wide its residual stream is",
            file=model.folder / "config.json",
            likely=f"its config.json has none of {', '.join(WIDTH)}",
            do=f"give the model a `shape` of n_layers, d_model, context and n_parameters; as {DEPTH[0]}, {WIDTH[0]}"
            f" and {CONTEXT[0]} they stand in config.json",
        )
    n_layers = model.n_layers()
    counted = model.shape.n_parameters if model.shape else _n_parameters(model.folder)
    guessed = 12 * n_layers * width**2 + int(content.get("vocab_size") or 0) * width
    return ModelSize(
        n_layers=n_layers,
        d_model=width,
        n_parameters=counted or guessed,
        intermediate=next((int(content[key]) for key in INTERMEDIATE if content.get(key)), GROWTH * width),
        layers=layers,
        causal=_causal(content),
        estimated=not counted,
    )


def _config(model: Model) -> dict[str, Any]:
    try:
        content = dict(json.loads((model.folder / "config.json").read_text(encoding="utf-8")))
        return {**content, **content.get("text_config", {})}
    except (OSError, ValueError, TypeError):  # with a shape it is not needed; without, `width` has its own error
        return {}


def _causal(content: dict[str, Any]) -> bool | None:
    named = [str(name) for name in content.get("architectures") or ()]
    return any(name.endswith(("CausalLM", "LMHeadModel")) for name in named) if named else None


def _n_parameters(folder: Path) -> int:
    """Return the numbers of all tensors but those behind the last block, from the headers of safetensors files."""
    total = 0
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with path.open("rb") as file:
                (length,) = struct.unpack("<Q", file.read(8))
                if length > MOST_HEADER:
                    raise ValueError(f"{length:,} bytes of header")
                header = json.loads(file.read(length))
            named = {name: entry for name, entry in header.items() if name != "__metadata__"}
            total += sum(prod(e["shape"]) for name, e in named.items() if not set(name.split(".")) & set(NEVER_RUN))
        except (OSError, ValueError, KeyError, TypeError, struct.error) as error:
            raise StudyError(
                f"{path.name} has no header of safetensors: {error!r}",
                file=path,
                likely="the file was cut short, or stands for one that was not fetched",
                do="fetch the model again",
            ) from error
    return total


def stored_bytes(model: Model, size: ModelSize, n_targets: int) -> int:
    """Return the bytes of a model's states of a data set, all shards with their headers.

    Examples
    --------
    Two targets of width 4 in one layer: 32 bytes behind a header of 104, whose length takes 8.

    >>> from pathlib import Path
    >>> size = ModelSize(1, 4, 100, 16, (1,), None, False)
    >>> stored_bytes(Model("m", Path(), "float32"), size, 2)
    144
    """
    return sum(
        _file_bytes(model, size, n_targets * (k + 1) // model.shards - n_targets * k // model.shards)
        for k in range(model.shards)
    )


def layer_bytes(model: Model, size: ModelSize, n_targets: int) -> int:
    """Return the bytes of one layer's states."""
    return n_targets * size.d_model * BYTES[model.stored_dtype or model.dtype]


def _file_bytes(model: Model, size: ModelSize, n_targets: int) -> int:
    each = layer_bytes(model, size, n_targets)
    header: dict[str, Any] = {"__metadata__": {"position": "last"}}
    for place, layer in enumerate(size.layers):
        shape, offsets = [n_targets, size.d_model], [place * each, (place + 1) * each]
        kind = SHORT[model.stored_dtype or model.dtype]
        header[layer_name(layer)] = {"dtype": kind, "shape": shape, "data_offsets": offsets}
    length = len(json.dumps(header, separators=(",", ":")))
    return 8 + -(-length // 8) * 8 + each * len(size.layers)


@dataclass(frozen=True)
class Memory:
    """Bytes that an extraction needs: on the device the weights and a batch, on the host the states of a shard.

    Parameters
    ----------
    weights : int
        Of all parameters in the model's dtype.
    batch : int
        Of one batch of tokens: eight times its hidden states (stream, norms, queries, keys, values and their product),
        three times the MLP's width, the attention's mask, and the states that are read of every layer.
    shard : int
        Of the states of the largest shard of a data set, which wait to be written.
    """

    weights: int
    batch: int
    shard: int

    @property
    def device(self) -> int:
        """Bytes where the model runs."""
        return self.weights + self.batch


def memory(model: Model, size: ModelSize, n_targets: int) -> Memory:
    """Return what an extraction needs; attention is taken for one that keeps no table of scores.

    Parameters
    ----------
    model, size
        The model.
    n_targets : int
        Of the largest shard of a data set.
    """
    each, tokens = BYTES[model.dtype], model.budget
    hidden = 8 * size.d_model + 3 * size.intermediate + ROW
    batch = tokens * each * hidden + layer_bytes(model, size, min(tokens, n_targets)) * len(size.layers)
    return Memory(size.n_parameters * each, batch, layer_bytes(model, size, n_targets) * len(size.layers))
