"""Batches: which texts go through the model together, and where each target's states are then found.

A plan cuts a shard's texts into units (a text, or a pack of prefix trees), longest first: so running out of memory
shows in the first batch, and units of one batch are of like length. A batch is as many units as the token budget
takes, padding included.
"""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Int

from linear_probing import architecture
from linear_probing.tokens import Tokens


@dataclass(frozen=True)
class Places:
    """Where the states of some targets stand in a batch.

    Parameters
    ----------
    rows, columns : torch.Tensor
        Shape (n_places,): row and position of every token that is read.
    targets : np.ndarray
        Shape (n_targets,): which targets they are of, as rows of the shard's tokens.
    owners : torch.Tensor or None
        Shape (n_places,): of which of `targets` each place is; None where every target has one place, in order.
    """

    rows: Int[torch.Tensor, " place"]
    columns: Int[torch.Tensor, " place"]
    targets: Int[np.ndarray, " target"]
    owners: Int[torch.Tensor, " place"] | None

    def on(self, device: torch.device) -> "Places":
        """Return the same places with their tensors on a device."""
        owners = None if self.owners is None else on_device(self.owners, device)
        return Places(on_device(self.rows, device), on_device(self.columns, device), self.targets, owners)


def on_device(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return a tensor of the host on a device, without waiting for the work that a GPU still has.

    From memory that is not pinned, torch waits until everything that was started before is done: the GPU would then
    stand idle while the next batch is prepared.
    """
    if device.type != "cuda" or tensor.device.type != "cpu":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


@dataclass(frozen=True)
class Batch:
    """What goes through the model at once.

    Parameters
    ----------
    ids, positions : torch.Tensor
        Shape (n_rows, n_columns): token ids, padded right with 0, and the position of each in its text.
    lengths : torch.Tensor
        Shape (n_rows,): columns that are no padding.
    ends : torch.Tensor or None
        Shape (n_rows, n_columns), for prefix trees: column i is seen by columns i to ends[i] - 1, its descendants.
        None for plain texts.
    places : Places
    n_tokens : int
        Tokens of the texts it serves, for the progress.
    """

    ids: Int[torch.Tensor, "row column"]
    positions: Int[torch.Tensor, "row column"]
    lengths: Int[torch.Tensor, " row"]
    ends: Int[torch.Tensor, "row column"] | None
    places: Places
    n_tokens: int

    def inputs(self, model: Any) -> dict[str, torch.Tensor]:
        """Return the arguments of a model's forward pass, on its device.

        The mask of plain texts hides the padding; that of trees lets a token see its ancestors and itself, as numbers
        that are added to the attention scores, which every attention implementation understands. An encoder counts
        positions itself: some count from behind the padding's, and padding on the right shifts none.
        """
        device = model.device
        columns = torch.arange(self.ids.shape[1], device=device)
        if self.ends is None:
            mask = (columns < on_device(self.lengths, device)[:, None]).long()
        else:
            ends = on_device(self.ends, device)
            seen = (columns[None, :] <= columns[:, None]) & (columns[:, None] < ends[:, None, :])
            mask = torch.zeros(seen.shape, dtype=model.dtype, device=device)
            mask = mask.masked_fill_(~seen, torch.finfo(model.dtype).min)[:, None]
        ids, positions = on_device(self.ids, device), on_device(self.positions, device)
        inputs = {"input_ids": ids, "attention_mask": mask, "position_ids": positions}
        if architecture.declares_causal(model) is False:
            del inputs["position_ids"]
        taken = inspect.signature(model.forward).parameters
        return {name: value for name, value in inputs.items() if name in taken}


class Plan(Protocol):
    """Units in the order in which they run.

    `lengths` are the columns each takes, never growing; the first `n_alone` of them run alone whatever the budget.
    """

    lengths: list[int]
    n_alone: int
    name: str

    def batch(self, first: int, last: int) -> Batch:
        """Return the units `first` to `last - 1` as a batch."""
        ...


def n_units(lengths: Sequence[int], first: int, budget: int) -> int:
    """Return how many units from `first` on fit in a budget of tokens; at least one.

    Examples
    --------
    >>> n_units([9, 5, 5, 2], 1, 12), n_units([9, 5, 5, 2], 0, 4)
    (2, 1)
    """
    return min(max(1, budget // lengths[first]), len(lengths) - first)


def n_computed(lengths: Sequence[int], budget: int) -> int:
    """Return how many tokens the model computes for units of these lengths, padding included."""
    first = total = 0
    while first < len(lengths):
        count = n_units(lengths, first, budget)
        total += count * lengths[first]
        first += count
    return total


def places(data: Tokens, targets: Int[np.ndarray, " target"], rows: Any, columns: Sequence[np.ndarray]) -> Places:
    """Return the places of targets whose text stands in a row of a batch.

    Parameters
    ----------
    data : Tokens
        The shard.
    targets : np.ndarray
        Shape (n_targets,), rows of `data`.
    rows : np.ndarray
        Shape (n_targets,): the row of the batch that holds each target's text.
    columns : sequence of np.ndarray
        Per target, the column of every token of its text, or of those up to its last.
    """
    first, last = data.target_first[targets], data.target_last[targets]
    counts = last - first + 1
    if (counts == 1).all():
        taken = np.array([path[end] for path, end in zip(columns, last, strict=True)], dtype=np.int64)
        return Places(torch.from_numpy(np.asarray(rows, dtype=np.int64)), torch.from_numpy(taken), targets, None)
    owners = np.repeat(np.arange(len(targets)), counts)
    taken = np.concatenate([path[a : b + 1] for path, a, b in zip(columns, first, last, strict=True)])
    of_places = np.asarray(rows, dtype=np.int64)[owners]
    return Places(torch.from_numpy(of_places), torch.from_numpy(taken), targets, torch.from_numpy(owners))


def targets_by_text(data: Tokens) -> list[np.ndarray]:
    """Return, for every text, the rows of its targets."""
    order = np.argsort(data.target_text, kind="stable")
    return np.split(order, np.searchsorted(data.target_text[order], np.arange(1, len(data.lengths))))


class PaddedTexts:
    """Every text is a unit: sorted by length, padded right, with an explicit mask and explicit positions.

    Texts longer than `alone_above` run alone; see `architecture.length_of_change`.
    """

    name = "padded"

    def __init__(self, data: Tokens, alone_above: int | None = None) -> None:
        self.data = data
        self.order = np.argsort(-data.lengths, kind="stable")
        self.lengths = data.lengths[self.order].tolist()
        self.n_alone = 0 if alone_above is None else int((data.lengths > alone_above).sum())
        self.targets = targets_by_text(data)

    def batch(self, first: int, last: int) -> Batch:
        """Return some texts as a batch."""
        texts = self.order[first:last]
        lengths = self.data.lengths[texts]
        ids = np.zeros((len(texts), int(lengths.max())), dtype=np.int64)
        for row, text in enumerate(texts):
            ids[row, : lengths[row]] = self.data.text(text)
        targets = np.concatenate([self.targets[text] for text in texts])
        rows = np.repeat(np.arange(len(texts)), [len(self.targets[text]) for text in texts])
        columns = np.arange(ids.shape[1])
        positions = torch.arange(ids.shape[1]).expand(ids.shape).contiguous()
        return Batch(
            ids=torch.from_numpy(ids),
            positions=positions,
            lengths=torch.from_numpy(lengths),
            ends=None,
            places=places(self.data, targets, rows, [columns] * len(targets)),
            n_tokens=int(lengths.sum()),
        )
