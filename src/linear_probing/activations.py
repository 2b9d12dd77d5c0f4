"""Activations: tokens and a model in; the residual stream at every target and layer out.

Layer 0 is what enters block 0, layer k what leaves block k, before the final norm. Texts run in batches of similar
length, padded right, with an explicit mask and positions; only the targets' positions are kept, inside the trace, so
that memory stays at one batch. Blocks return a tensor or a tuple, by architecture: both are read, and the shape is
checked each time. A model is loaded once for all its data sets; a folder that is there already is left as it is,
since its name says what made it. Cost: loading, and about one forward pass of the model without its head.
"""

import argparse
import json
import logging
import time
from collections.abc import Iterator, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from nnsight import NNsight
from tqdm import tqdm

from linear_probing import models, settings, tokens
from linear_probing.stage import StudyError, replace_file, replace_folder, run
from linear_probing.store import SHARD, layer_name, write_tensors
from linear_probing.tokens import Tokens

LOG = logging.getLogger("activations")
TOKENS_PER_BATCH = 4096


class ActivationError(StudyError):
    """States that cannot be extracted, or that must not be stored."""


def batches(lengths: Sequence[int], n_tokens: int) -> Iterator[list[int]]:
    """Yield rows of texts, shortest first, so that a padded batch holds at most `n_tokens` tokens, or one text.

    Examples
    --------
    >>> list(batches([5, 2, 2, 9], 6))
    [[1, 2], [0], [3]]
    """
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lambda row: (lengths[row], row)):
        if batch and lengths[row] * (len(batch) + 1) > n_tokens:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def pad(sequences: Sequence[np.ndarray]) -> dict[str, torch.Tensor]:
    """Return ids padded right with 0, mask and position_ids, each of shape (n_texts, longest).

    The mask hides the padding, so its id does not matter.
    """
    longest = max(len(ids) for ids in sequences)
    padded = torch.zeros((len(sequences), longest), dtype=torch.long)
    mask = torch.zeros_like(padded)
    for row, ids in enumerate(sequences):
        padded[row, : len(ids)] = torch.from_numpy(ids)
        mask[row, : len(ids)] = 1
    positions = torch.arange(longest).expand(len(sequences), longest).contiguous()
    return {"input_ids": padded, "attention_mask": mask, "position_ids": positions}


def residual(value: Any, shape: tuple[int, int, int]) -> torch.Tensor:
    """Return the hidden states that a block was given or returned.

    Parameters
    ----------
    value : torch.Tensor or tuple
        A tuple's first entry holds the states.
    shape : tuple[int, int, int]
        The expected (n_texts, n_positions, d_model).

    Raises
    ------
    ActivationError
        If the states have another shape.
    """
    states: torch.Tensor = value[0] if isinstance(value, tuple) else value
    if tuple(states.shape) != shape:
        raise ActivationError(
            f"a block's states have the shape {tuple(states.shape)}, expected {shape} (texts, positions, d_model)",
            likely="the architecture returns something else than hidden states first",
            do="open an issue with the model's name",
        )
    return states


def read_batch(
    traced: Any,
    blocks: Any,
    inputs: dict[str, torch.Tensor],
    where: tuple[torch.Tensor, torch.Tensor],
    layers: Sequence[int],
) -> list[torch.Tensor]:
    """Run one batch and return, for every layer, the states at the places `where`, float32 on the CPU.

    Parameters
    ----------
    traced : NNsight
        The model.
    blocks : Envoy
        Its blocks.
    inputs : dict[str, torch.Tensor]
        As `pad` returns them.
    where : tuple[torch.Tensor, torch.Tensor]
        Rows of the batch and positions, each of shape (n_places,).
    layers : Sequence[int]
        Ascending; 0 is what enters the first block.

    Returns
    -------
    list[torch.Tensor]
        One of shape (n_places, d_model) per layer.
    """
    n_texts, longest = inputs["input_ids"].shape
    shape = (n_texts, longest, traced.config.hidden_size)
    # Filled inside the trace: a name that is bound there does not exist outside.
    states: list[Any] = []
    with torch.no_grad(), traced.trace(**inputs, use_cache=False) as tracer:
        for layer in layers:
            value = blocks[0].input if layer == 0 else blocks[layer - 1].output
            states.append(residual(value, shape)[where].float().cpu().save())  # type: ignore[attr-defined]
        tracer.stop()
    return states


def extract(
    model: Any, data: Tokens, layers: Sequence[int], n_tokens: int = TOKENS_PER_BATCH
) -> dict[int, Float[np.ndarray, "target d_model"]]:
    """Return the states of all targets at the given layers.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        Without head, in evaluation mode.
    data : Tokens
        Texts and targets.
    layers : Sequence[int]
        0 to the number of blocks.
    n_tokens : int
        Tokens in a batch, padding included.

    Returns
    -------
    dict[int, np.ndarray]
        Per layer, shape (n_targets, d_model), float32, rows in the order of the target table.

    Raises
    ------
    ActivationError
        If a block's states have an unexpected shape, or are not finite.
    """
    traced = NNsight(model)
    blocks = attrgetter(models.blocks_path(model))(traced)
    found = {layer: np.empty((len(data.target_text), model.config.hidden_size), np.float32) for layer in layers}
    by_text = np.argsort(data.target_text, kind="stable")
    bounds = np.searchsorted(data.target_text[by_text], np.arange(len(data.starts)))
    lengths = np.diff(data.starts).tolist()
    with tqdm(total=sum(lengths), unit="token", disable=None) as progress:
        for batch in batches(lengths, n_tokens):
            inputs = pad([data.ids[data.starts[text] : data.starts[text + 1]] for text in batch])
            targets = [by_text[bounds[text] : bounds[text + 1]] for text in batch]
            rows = torch.from_numpy(np.repeat(np.arange(len(batch)), [len(t) for t in targets]))
            targets_of_batch = np.concatenate(targets)
            where = (rows, torch.from_numpy(data.target_position[targets_of_batch]))
            for layer, read in zip(layers, read_batch(traced, blocks, inputs, where, layers), strict=True):
                found[layer][targets_of_batch] = read.numpy()
            progress.update(sum(lengths[text] for text in batch))
    for layer, states in found.items():
        if not np.isfinite(states).all():
            subject = f"layer {layer} holds numbers that are not finite"
            raise ActivationError(subject, likely="the dtype overflows", do="use float32 or bfloat16 for this model")
    return found


def main() -> None:
    """Extract the states of all data sets that are not there yet from one model, and list the folders."""
    parser = argparse.ArgumentParser(description="Extract the residual stream at every target.")
    parser.add_argument("--config", type=Path, required=True, help="the study's configuration")
    parser.add_argument("--model", required=True, help="its name in the configuration")
    parser.add_argument("--tokens", type=Path, nargs="+", required=True, help="folders of the tokens stage")
    parser.add_argument("--output", type=Path, nargs="+", required=True, help="folders to write, in the same order")
    parser.add_argument("--listing", type=Path, required=True, help="JSON file to write: the folders that are there")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    study = settings.load(arguments.config)
    model = study.model(arguments.model)
    pairs = list(zip(arguments.tokens, arguments.output, strict=True))
    absent = [(source, folder) for source, folder in pairs if not (folder / SHARD).is_file()]
    start = time.monotonic()
    LOG.info("%s: %d of %d data sets to extract", model.name, len(absent), len(pairs))
    loaded = models.load(model) if absent else None
    for source, folder in absent:
        write(folder, extract(loaded, tokens.read(source), study.layers_of(model)))
    with replace_file(arguments.listing) as temporary:
        temporary.write_text(json.dumps([str(folder) for _, folder in pairs], indent=2) + "\n", encoding="utf-8")
    LOG.info("%s: %.1f s", model.name, time.monotonic() - start)


def write(final: Path, states: dict[int, np.ndarray]) -> None:
    """Write one data set's states."""
    with replace_folder(final) as folder:
        write_tensors(folder / SHARD, {layer_name(k): v for k, v in states.items()}, {"position": "last"})
    LOG.info("%s: %d targets, %d layers", final, len(next(iter(states.values()))), len(states))


if __name__ == "__main__":
    run(main)
