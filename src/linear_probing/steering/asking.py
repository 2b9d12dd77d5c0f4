"""Asking: questions through a model by nnsight, each with many edits, the probabilities of answers out.

An edit changes one token's state, so what stands before it need not be computed again: a row of a batch holds a text
once and behind it as many copies of its last part as there is room for, each with an edit of its own and none seeing
another (a 4-D mask; extraction.trees). A thousand controls cost a thousand tokens, not a thousand texts. Models that
take no such mask get a row per edit and answer. Nor need the blocks below the edited layer run again for every edit:
what the last of them returns is read once and put in its place (nnsight's skip). An edit is added in float32, to the
model's own tensor or to what was read of it: an edit of zeros changes no bit. All this is compared with a plain hook of
torch on every text alone before it is used (steering.choice).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from linear_probing.extraction.batches import Batch, Places, on_device
from linear_probing.extraction.reading import ActivationError, Reader, is_out_of_memory, make_room, residual
from linear_probing.steering.questions import Question

CAPACITY = 256
"""Tokens in a row, as in extraction.trees."""
Edits = Callable[[int], Float[np.ndarray, "edit d"]]
"""By a question's place, the edits it is asked under."""


@dataclass(frozen=True)
class Way:
    """How questions go through a model: whether edits share a prefix, lower blocks run once, rows go alone."""

    trees: bool
    skips: bool
    alone: bool = False


WAYS = (Way(trees=True, skips=True), Way(trees=True, skips=False), Way(trees=False, skips=False))
"""The fastest first."""


@dataclass(frozen=True)
class Row:
    """One row of a batch: a question, and which of its edits it is asked under."""

    place: int
    question: Question
    edits: Float[np.ndarray, "edit d"]
    first: int
    n_edits: int

    @property
    def length(self) -> int:
        """Tokens in the row."""
        return len(self.question.prefix) + len(self.edits) * self.question.width


def rows_of(questions: Sequence[Question], edits: Edits, trees: bool) -> Iterator[Row]:
    """Yield the rows in which all questions are asked under all their edits."""
    for place, question in enumerate(questions):
        given = edits(place)
        room = max(1, (CAPACITY - len(question.prefix)) // question.width) if trees else 1
        parts = [question] if trees else question.paths()
        for part in parts:
            for first in range(0, len(given), room):
                yield Row(place, part, given[first : first + room], first, len(given))


def batch_of(rows: Sequence[Row], trees: bool) -> tuple[Batch, list[np.ndarray], torch.Tensor]:
    """Return rows as a batch, whose places are where edits go; for each row the columns of its branches; the edits."""
    shape = (len(rows), max(row.length for row in rows))
    ids, positions = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    ends = np.broadcast_to(np.arange(1, shape[1] + 1), shape).copy()
    starts = []
    for place, row in enumerate(rows):
        prefix, branch, n = row.question.prefix, row.question.branch, len(row.edits)
        before, length = len(prefix), row.length
        ids[place, :before], ids[place, before:length] = prefix, np.tile(branch.ids, n)
        positions[place, :before] = np.arange(before)
        positions[place, before:length] = np.tile(before + branch.positions, n)
        first = before + row.question.width * np.arange(n)
        ends[place, :before] = length
        ends[place, before:length] = (first[:, None] + branch.ends).ravel()
        starts.append(first)
    owners = np.repeat(np.arange(len(rows)), [len(one) for one in starts])
    columns = torch.from_numpy(np.concatenate(starts))
    places = Places(torch.from_numpy(owners), columns, np.arange(len(owners)), None)
    lengths = torch.tensor([row.length for row in rows])
    of_rows = torch.from_numpy(ends) if trees else None
    batch = Batch(torch.from_numpy(ids), torch.from_numpy(positions), lengths, of_rows, places, int(lengths.sum()))
    with np.errstate(over="ignore"):  # what overflows is infinite, and refused
        edits = np.concatenate([row.edits for row in rows]).astype(np.float32)
    return batch, starts, torch.from_numpy(edits)


def pass_batch(
    reader: Reader, batch: Batch, layer: int, edits: torch.Tensor, reads: tuple[torch.Tensor, ...], below: Any = None
) -> Float[torch.Tensor, " read"]:
    """Run one batch with its edits and return log probabilities.

    Parameters
    ----------
    reader : Reader
        Of a model with its head.
    batch : Batch
        Whose places are edited.
    layer : int
        0 edits what enters the first block, k what leaves block k.
    edits : torch.Tensor
        Shape (n_places, d_model), float32.
    reads : tuple[torch.Tensor, ...]
        Rows, columns and tokens, each of shape (n_reads,): the probability of which token is read behind which place.
    below : torch.Tensor or tuple, optional
        What block `layer` returns for this batch, where it is known: the blocks up to it are not run then.
    """
    inputs, blocks = batch.inputs(reader.model), reader.blocks
    shape = (*batch.ids.shape, reader.model.config.get_text_config().hidden_size)
    ids = inputs.pop("input_ids")
    found: list[Any] = []
    if below is not None:
        change(residual(below, shape), batch.places, edits)
        with torch.no_grad(), reader.traced.trace(ids, **inputs, use_cache=False):
            for place in range(layer):
                blocks[place].skip(below)
            found.append(log_probabilities(reader.traced.output.logits, reads).save())  # type: ignore[attr-defined]
        return found[0]
    with torch.no_grad(), reader.traced.trace(ids, **inputs, use_cache=False):
        states = residual(blocks[0].input if layer == 0 else blocks[layer - 1].output, shape)
        change(states, batch.places, edits)
        found.append(log_probabilities(reader.traced.output.logits, reads).save())  # type: ignore[attr-defined]
    return found[0]


def read_whole(reader: Reader, question: Question, layer: int, trees: bool) -> Any:
    """Return what block `layer` returns for a question asked once: states (1, n_tokens, d_model), or a tuple."""
    batch, _, _ = batch_of([Row(0, question, np.zeros((1, 1)), 0, 1)], trees)
    inputs, found = batch.inputs(reader.model), list[Any]()
    ids = inputs.pop("input_ids")
    with torch.no_grad(), reader.traced.trace(ids, **inputs, use_cache=False) as tracer:
        found.append(reader.blocks[layer - 1].output.save())
        tracer.stop()
    return found[0]


def assembled(known: Sequence[Any], rows: Sequence[Row]) -> Any:
    """Return what a block returns for rows, from what it returns for each row's question asked once."""
    first = known[0]
    states = [one[0] if isinstance(one, tuple | list) else one for one in known]
    whole = states[0].new_zeros(len(rows), max(row.length for row in rows), states[0].shape[2])
    for place, (row, own) in enumerate(zip(rows, states, strict=True)):
        before = len(row.question.prefix)
        whole[place, :before] = own[0, :before]
        whole[place, before : row.length] = own[0, before:].repeat(len(row.edits), 1)
    return (whole, *(None for _ in first[1:])) if isinstance(first, tuple | list) else whole


def change(states: torch.Tensor, places: Places, edits: torch.Tensor) -> None:
    """Add an edit to the state at each place, in float32, in place."""
    there = places.on(states.device)
    old = states[there.rows, there.columns]
    states[there.rows, there.columns] = (old.float() + on_device(edits, states.device)).to(states.dtype)


def log_probabilities(logits: torch.Tensor, reads: tuple[torch.Tensor, ...]) -> Float[torch.Tensor, " read"]:
    """Return the log probability of each read's token."""
    rows, columns, tokens = (on_device(one, logits.device) for one in reads)
    chosen, owners = torch.unique(rows * logits.shape[1] + columns, return_inverse=True)
    values = logits.reshape(-1, logits.shape[2])[chosen].float()
    return values[owners, tokens] - values.logsumexp(dim=1)[owners]


def ask_all(
    reader: Reader, questions: Sequence[Question], layer: int, edits: Edits, budget: int, way: Way = WAYS[0]
) -> list[Float[np.ndarray, "edit answer"]]:
    """Return the log probability of every answer of every question under each of its edits.

    Parameters
    ----------
    reader : Reader
        Of a model with its head, in evaluation mode.
    questions : Sequence[Question]
    layer : int
        Whose states are edited.
    edits : callable
        By a question's place, an array (n_edits, d_model); called once for each, in order.
    budget : int
        Tokens in a batch, padding included; halved when memory runs out.
    way : Way

    Raises
    ------
    ActivationError
        If an edit overflows the model's dtype, memory runs out with one row alone, or a probability is no number.
    """
    found: list[np.ndarray] = []
    batch = _Batches(reader, layer, way, 1 if way.alone else budget, found)
    for row in rows_of(questions, edits, way.trees):
        if row.place == len(found):
            found.append(np.zeros((row.n_edits, row.question.n_answers)))
        batch.add(row)
    batch.flush()
    return found


class _Batches:
    """Collects rows until they fill the budget, runs them, and adds what is read to `found`."""

    def __init__(self, reader: Reader, layer: int, way: Way, budget: int, found: Sequence[np.ndarray]) -> None:
        self.reader, self.layer, self.way, self.budget, self.found = reader, layer, way, budget, found
        self.waiting: list[Row] = []
        self.known: tuple[Question | None, Any] = (None, None)

    def add(self, row: Row) -> None:
        """Take a row; run those that wait where it has no room beside them."""
        longest = max([row.length, *(one.length for one in self.waiting)])
        if self.waiting and longest * (len(self.waiting) + 1) > self.budget:
            self.flush()
        self.waiting.append(row)

    def flush(self) -> None:
        """Run the rows that wait, in halves where memory runs out."""
        while self.waiting:
            count = len(self.waiting)
            values = self._attempt(self.waiting)
            while values is None:
                make_room(count, sum(row.length for row in self.waiting[:count]))
                count, self.budget = count // 2, self.budget // 2
                values = self._attempt(self.waiting[:count])
            self._enter(self.waiting[:count], values)
            self.waiting = self.waiting[count:]

    def _below(self, rows: Sequence[Row]) -> Any:
        """Return what the edited layer's block returns for rows, or None where it is to run; read once a question."""
        if not self.way.skips or self.layer == 0:
            return None
        known = []
        for row in rows:
            if self.known[0] is not row.question:
                self.known = (row.question, read_whole(self.reader, row.question, self.layer, self.way.trees))
            known.append(self.known[1])
        return assembled(known, rows)

    def _attempt(self, rows: Sequence[Row]) -> np.ndarray | None:
        """Return what all rows' reads give, or None when memory ran out."""
        batch, starts, edits = batch_of(rows, self.way.trees)
        check_range(self.reader, edits, self.layer)
        columns = [(first[:, None] + row.question.nodes).ravel() for row, first in zip(rows, starts, strict=True)]
        places = [np.full(len(column), place) for place, column in enumerate(columns)]
        tokens = [np.tile(row.question.tokens, len(row.edits)) for row in rows]
        reads = tuple(torch.from_numpy(np.concatenate(part)) for part in (places, columns, tokens))
        try:
            below = self._below(rows)
            return pass_batch(self.reader, batch, self.layer, edits, reads, below).cpu().numpy().astype(np.float64)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return None

    def _enter(self, rows: Sequence[Row], values: Float[np.ndarray, " read"]) -> None:
        if not np.isfinite(values).all():
            raise ActivationError(
                f"a probability behind an edit at layer {self.layer} is no finite number",
                likely="the edited states overflow the model's dtype",
                do="use smaller strengths, or float32",
            )
        start = 0
        for row in rows:
            reads, n = row.question.answers, len(row.edits)
            of_row = values[start : start + n * len(reads)].reshape(n, len(reads))
            start += n * len(reads)
            for answer in np.unique(reads):
                self.found[row.place][row.first : row.first + n, answer] += of_row[:, reads == answer].sum(axis=1)


def check_range(reader: Reader, edits: torch.Tensor, layer: int) -> None:
    """Check that edits are numbers of the model's dtype, before anything runs.

    Raises
    ------
    ActivationError
        If one is not finite in that dtype.
    """
    greatest = float(edits.abs().max()) if len(edits) else 0.0
    if not greatest <= torch.finfo(reader.model.dtype).max:
        raise ActivationError(
            f"layer {layer}: an edit of {greatest:.1e} is beyond {str(reader.model.dtype).removeprefix('torch.')}",
            likely="a strength is too great, or a state is not finite",
            do="use smaller strengths, or float32",
        )
