"""Prefix trees: texts that begin alike are computed together up to where they part.

Under causal attention a state depends on its prefix only. Texts in sorted order are the leaves of a tree, walked depth
first; a stretch of that walk is packed into one row, in which a token sees its ancestors and itself and keeps the
position that it has in its text. A row that begins within a tree repeats the path to where it begins. What stands
behind a text's last target is left out. Statements made from templates need a quarter to three quarters of their
tokens so. It holds for causal models that take positions and a four-dimensional mask; `parity` tells for which.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int

from linear_probing.extraction.batches import Batch, places, targets_by_text
from linear_probing.tokens import Tokens

CAPACITY = 256
"""Tokens in a row: large enough to lose little at its ends, small enough that attention stays cheap."""


@dataclass(frozen=True)
class Pack:
    """One row: the nodes of one or more prefix trees, parents before their children.

    Parameters
    ----------
    ids, positions, ends : np.ndarray
        Shape (n_nodes,): token, depth, and the node behind the last descendant.
    texts : list[int]
        The texts whose tokens stand in it, each wholly.
    columns : list[np.ndarray]
        For each of them, the node of every token.
    """

    ids: Int[np.ndarray, " node"]
    positions: Int[np.ndarray, " node"]
    ends: Int[np.ndarray, " node"]
    texts: list[int]
    columns: list[np.ndarray]


def n_shared(one: Int[np.ndarray, " first"], other: Int[np.ndarray, " second"]) -> int:
    """Return how many tokens two texts have in common at their beginnings.

    Examples
    --------
    >>> n_shared(np.array([5, 6, 7]), np.array([5, 6, 8, 9])), n_shared(np.array([5]), np.array([5, 6]))
    (2, 1)
    """
    shorter = min(len(one), len(other))
    differ = np.flatnonzero(one[:shorter] != other[:shorter])
    return int(differ[0]) if len(differ) else shorter


def pack(sequences: Sequence[Int[np.ndarray, " token"]], capacity: int = CAPACITY) -> Iterator[Pack]:
    """Yield rows that hold all sequences; a sequence longer than the capacity gets a row of its own length.

    Parameters
    ----------
    sequences : sequence of np.ndarray
        Token ids of the texts, each of at least one token.
    capacity : int
        The greatest number of nodes in a row.
    """
    members: list[int] = []
    size, columns = 0, list[np.ndarray]()
    ids, positions = (np.zeros(0, dtype=np.int64) for _ in range(2))
    ends = path = ids
    for text in sorted(range(len(sequences)), key=lambda row: sequences[row].tolist()):
        sequence = sequences[text]
        shared = n_shared(sequences[members[-1]], sequence) if members else 0
        if members and size + len(sequence) - shared > capacity:
            ends[path] = size
            yield Pack(ids[:size], positions[:size], ends[:size], members, columns)
            members, columns, size, shared, path = [], [], 0, 0, path[:0]
        if not members:
            ids, positions, ends = (np.zeros(max(capacity, len(sequence)), dtype=np.int64) for _ in range(3))
        grown = size + len(sequence) - shared
        ids[size:grown] = sequence[shared:]
        positions[size:grown] = np.arange(shared, len(sequence))
        ends[path[shared:]] = size
        path = np.concatenate([path[:shared], np.arange(size, grown)])
        members.append(text)
        columns.append(path)
        size = grown
    if members:
        ends[path] = size
        yield Pack(ids[:size], positions[:size], ends[:size], members, columns)


class PrefixTrees:
    """Every pack is a unit; its texts end with their last target.

    A row has room for `capacity` tokens behind the longest text, where that text would fill the better part of a row:
    or no other text could share its beginning.
    """

    name = "tree"
    n_alone = 0

    def __init__(self, data: Tokens, capacity: int = CAPACITY) -> None:
        self.data = data
        self.targets = targets_by_text(data)
        needed = [int(data.target_last[rows].max()) + 1 if len(rows) else 0 for rows in self.targets]
        capacity += max(needed) if max(needed) > capacity / 2 else 0
        texts = [text for text, length in enumerate(needed) if length]
        found = [
            Pack(p.ids, p.positions, p.ends, [texts[place] for place in p.texts], p.columns)
            for p in pack([data.text(text)[: needed[text]] for text in texts], capacity)
        ]
        self.deepest = max(needed)
        self.packs = sorted(found, key=lambda one: -len(one.ids))
        self.lengths = [len(one.ids) for one in self.packs]

    def batch(self, first: int, last: int) -> Batch:
        """Return some packs as a batch; a padding column sees itself alone."""
        packs = self.packs[first:last]
        shape = (len(packs), len(packs[0].ids))
        ids, positions = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        ends = np.broadcast_to(np.arange(1, shape[1] + 1), shape).copy()
        for row, one in enumerate(packs):
            for whole, part in ((ids, one.ids), (positions, one.positions), (ends, one.ends)):
                whole[row, : len(part)] = part
        members = [
            (row, text, path) for row, p in enumerate(packs) for text, path in zip(p.texts, p.columns, strict=True)
        ]
        counts = [len(self.targets[text]) for _, text, _ in members]
        targets = np.concatenate([self.targets[text] for _, text, _ in members])
        rows = np.repeat([row for row, _, _ in members], counts)
        columns = [path for (_, _, path), count in zip(members, counts, strict=True) for _ in range(count)]
        return Batch(
            ids=torch.from_numpy(ids),
            positions=torch.from_numpy(positions),
            lengths=torch.tensor([len(one.ids) for one in packs]),
            ends=torch.from_numpy(ends),
            places=places(self.data, targets, rows, columns),
            n_tokens=int(sum(self.data.lengths[text] for _, text, _ in members)),
        )
