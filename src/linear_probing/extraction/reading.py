"""Reading: batches through a model by nnsight, the states at the targets' places out.

Layer 0 is what enters block 0, layer k what leaves block k, before the final norm. The model runs without its head,
without gradients, and no further than the last layer that is wanted. States are gathered on the model's device, so
that only the targets' rows leave it; on a GPU they are copied while the next batch runs. Blocks return a tensor or a
tuple, by architecture and version: both are read, and the shape is checked each time. nnsight is imported here alone.
"""

import gc
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from operator import attrgetter
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from nnsight import NNsight
from tqdm import tqdm

from linear_probing import architecture
from linear_probing.extraction.batches import Batch, Places, Plan, n_units
from linear_probing.stage import StudyError
from linear_probing.tokens import Tokens


class ActivationError(StudyError):
    """States that cannot be extracted, or that must not be stored."""


@dataclass(frozen=True)
class Reader:
    """A model wrapped for reading: `traced` and `blocks` are nnsight's views of `model` and of its blocks."""

    model: Any
    traced: Any
    blocks: Any
    path: str


@dataclass
class Transfer:
    """States on their way to the host: `arrays` per layer are whole once `wait` has returned."""

    places: Places
    arrays: list[torch.Tensor]
    finite: list[torch.Tensor]
    events: list[Any] = field(default_factory=list)

    def wait(self) -> None:
        """Return when all copies have arrived."""
        for event in self.events:
            event.synchronize()


def wrap(model: Any, blocks: str | None = None) -> Reader:
    """Return a reader of a model, whose blocks are found by structure or have the dotted name `blocks`."""
    path = architecture.blocks_path(model, blocks)
    with warnings.catch_warnings():
        # BERT has modules named `output`; nnsight says that `.output` stays a module's output, which is what is read.
        warnings.filterwarnings("ignore", message=".*which nnsight already serves on every module")
        traced = NNsight(model)
    return Reader(model, traced, attrgetter(path)(traced), path)


def residual(value: Any, shape: tuple[int, int, int]) -> torch.Tensor:
    """Return the hidden states that a block was given or returned.

    Parameters
    ----------
    value : torch.Tensor or tuple
        The first entry of a tuple (or a list, in the first GPT) holds the states.
    shape : tuple[int, int, int]
        The expected (n_rows, n_columns, d_model).

    Raises
    ------
    ActivationError
        If the states have another shape.
    """
    states: torch.Tensor = value[0] if isinstance(value, tuple | list) else value
    if tuple(states.shape) != shape:
        raise ActivationError(
            f"a block's states have the shape {tuple(states.shape)}, expected {shape} (texts, positions, d_model)",
            likely="the architecture returns something else than hidden states first",
            do="open an issue with the model's name",
        )
    return states


def gather(states: torch.Tensor, places: Places, dtype: torch.dtype) -> Float[torch.Tensor, "target d_model"]:
    """Return one row per target: its place's states, or the mean over its places, summed in float32.

    The places are on the states' device; nothing here makes a GPU's host wait.
    """
    rows = states[places.rows, places.columns]
    if places.owners is None:
        return rows.to(dtype)
    sums = torch.zeros((len(places.targets), rows.shape[1]), dtype=torch.float32, device=rows.device)
    sums.index_add_(0, places.owners, rows.float())
    counts = sums.new_zeros(len(places.targets)).index_add_(0, places.owners, sums.new_ones(len(places.owners)))
    return (sums / counts[:, None]).to(dtype)


def read_batch(reader: Reader, batch: Batch, layers: Sequence[int], dtype: torch.dtype) -> list[torch.Tensor]:
    """Run one batch and return, for every layer, the states of its targets, where the model computes them.

    Parameters
    ----------
    reader : Reader
    batch : Batch
    layers : Sequence[int]
        Ascending; 0 is what enters the first block.
    dtype : torch.dtype
        Of the returned states.

    Returns
    -------
    list[torch.Tensor]
        One of shape (n_targets, d_model) per layer.
    """
    inputs, blocks = batch.inputs(reader.model), reader.blocks
    # A model that is spread over devices has its states on several; each gets the places once.
    places_on = cache(batch.places.on)
    shape = (*batch.ids.shape, reader.model.config.get_text_config().hidden_size)
    ids = inputs.pop("input_ids")  # by position: nnsight 0.5 takes no trace with keywords alone
    # Filled inside the trace: a name that is bound there does not exist outside.
    states: list[Any] = []
    with torch.no_grad(), reader.traced.trace(ids, **inputs, use_cache=False) as tracer:
        for layer in layers:
            value = blocks[0].input if layer == 0 else blocks[layer - 1].output
            found = residual(value, shape)
            states.append(gather(found, places_on(found.device), dtype).save())  # type: ignore[attr-defined]
        tracer.stop()
    return states


def to_host(places: Places, states: list[torch.Tensor]) -> Transfer:
    """Start copying states to the host; on a GPU on a stream of its own, into pinned memory."""
    finite = [torch.isfinite(layer).all() for layer in states]
    if all(layer.device.type != "cuda" for layer in states):
        return Transfer(places, states, finite)
    arrays: list[torch.Tensor] = []
    flags: list[torch.Tensor] = []
    devices = list(dict.fromkeys(layer.device for layer in states))
    for device in devices:
        _copy_stream(device).wait_stream(torch.cuda.current_stream(device))
    for layer, flag in zip(states, finite, strict=True):
        with torch.cuda.stream(_copy_stream(layer.device)):
            for tensor, copies in ((layer, arrays), (flag, flags)):
                tensor.record_stream(torch.cuda.current_stream(layer.device))
                copies.append(torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True))
                copies[-1].copy_(tensor, non_blocking=True)
    return Transfer(places, arrays, flags, [_copy_stream(device).record_event() for device in devices])


_STREAMS: dict[torch.device, Any] = {}


def _copy_stream(device: torch.device) -> Any:
    if device not in _STREAMS:
        _STREAMS[device] = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    return _STREAMS[device]


def transfers(
    reader: Reader, plan: Plan, layers: Sequence[int], dtype: torch.dtype, budget: int, progress: Any
) -> Iterator[Transfer]:
    """Yield the states of all batches of a plan, each when the next one has been started.

    Raises
    ------
    ActivationError
        If one unit alone does not fit in memory.
    """
    first, waiting = 0, None
    while first < len(plan.lengths):
        count = 1 if first < plan.n_alone else n_units(plan.lengths, first, budget)
        batch = plan.batch(first, first + count)
        states = _attempt(reader, batch, layers, dtype)
        if states is None:
            n_tokens = count * int(plan.lengths[first])
            make_room(count, n_tokens)
            budget = n_tokens // 2
            continue
        started = to_host(batch.places, states)
        if waiting is not None:
            waiting.wait()
            yield waiting
        waiting, first = started, first + count
        progress.update(batch.n_tokens)
    if waiting is not None:
        waiting.wait()
        yield waiting


def _attempt(reader: Reader, batch: Batch, layers: Sequence[int], dtype: torch.dtype) -> list[torch.Tensor] | None:
    """Return the states, or None when memory ran out; outside `except`, so that nothing of the failed pass is kept."""
    try:
        return read_batch(reader, batch, layers, dtype)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        return None


def is_out_of_memory(error: Exception) -> bool:
    """Return whether an error says that memory ran out; on a CPU torch has no class of its own for it."""
    return isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator: " in str(error)


def make_room(n_rows: int, n_tokens: int) -> None:
    """Free what a batch left that did not fit, and say that half of it is tried.

    Raises
    ------
    ActivationError
        If it was one row, which has no half.
    """
    if n_rows == 1:
        raise ActivationError(
            f"memory runs out with a batch of one row of {n_tokens:,} tokens",
            likely="the model leaves too little memory, or other programs use it",
            do="use device auto to spread the model, a smaller dtype, or shorter texts",
        )
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    tqdm.write(f"memory ran out with {n_tokens:,} tokens; going on with half of them", file=sys.stderr)


def check_texts(reader: Reader, data: Tokens) -> None:
    """Check, before anything runs, that the model takes all texts.

    Raises
    ------
    ActivationError
        If a text is longer than the model's context, or has a token that its vocabulary lacks.
    """
    context, longest = architecture.context(reader.model), int(data.lengths.max())
    if context is not None and longest > context:
        raise ActivationError(
            f"text {data.text_id[data.lengths.argmax()]} has {longest:,} tokens, the model's context is {context:,}",
            do="leave the text out or shorten it; texts are never cut in silence",
        )
    rows = reader.model.get_input_embeddings().weight.shape[0]
    if data.ids.max() >= rows:
        raise ActivationError(
            f"a text holds the token {data.ids.max()}, the model's vocabulary has {rows:,}",
            likely="the tokenizer is of another model",
            do="put the model's own tokenizer into its folder",
        )


def extract(
    reader: Reader, data: Tokens, plan: Plan, layers: Sequence[int], dtype: torch.dtype, budget: int = 4096
) -> dict[int, Float[torch.Tensor, "target d_model"]]:
    """Return the states of all targets at the given layers.

    Parameters
    ----------
    reader : Reader
        Of a model without head, in evaluation mode.
    data : Tokens
        Texts and targets of one shard.
    plan : Plan
        Of the same shard.
    layers : Sequence[int]
        0 to the number of blocks, ascending.
    dtype : torch.dtype
        Of the result; the mean over a span is taken in float32 before.
    budget : int
        Tokens in a batch, padding included; halved when memory runs out.

    Returns
    -------
    dict[int, torch.Tensor]
        Per layer, shape (n_targets, d_model) on the CPU, rows in the order of the targets.

    Raises
    ------
    ActivationError
        If a text is longer than the model's context, a block's states have an unexpected shape or are not finite, or
        one unit does not fit in memory.
    """
    check_texts(reader, data)
    width = reader.model.config.get_text_config().hidden_size
    found = {layer: torch.empty((len(data.target_text), width), dtype=dtype) for layer in layers}
    with tqdm(total=int(data.lengths.sum()), unit="token", unit_scale=True, disable=None) as progress:
        for transfer in transfers(reader, plan, layers, dtype, budget, progress):
            rows = torch.from_numpy(transfer.places.targets)
            for layer, states, finite in zip(layers, transfer.arrays, transfer.finite, strict=True):
                if not finite:
                    raise _not_finite(data, transfer.places.targets, states, layer)
                found[layer][rows] = states
    return found


def _not_finite(data: Tokens, targets: np.ndarray, states: torch.Tensor, layer: int) -> ActivationError:
    row = int((~torch.isfinite(states)).any(dim=1).nonzero()[0])
    dtype = str(states.dtype).removeprefix("torch.")
    target = data.target_id[targets[row]]
    return ActivationError(
        f"layer {layer}: the state of target {target} holds numbers that are not finite as {dtype}",
        likely="the numbers overflow this dtype" if dtype == "float16" else "the weights or the text are unusual",
        do="use float32 or bfloat16 for this model and for what is stored",
    )
