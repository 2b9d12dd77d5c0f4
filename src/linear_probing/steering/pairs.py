"""Pairs: which targets are changed, and which example of another label each is changed towards.

A target is scored by the direction of the one fold whose training left its group out. Its counterfactual is of the same
group where that has another label (the same city with another country, the same noun in the other number), else of
another group of the same fold; so neither trained the direction.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Int, Shaped

from linear_probing import tables
from linear_probing.directions import SPLIT
from linear_probing.probing.runs import labels_of
from linear_probing.settings import Task
from linear_probing.stage import StudyError


class PairError(StudyError):
    """Targets among which none can be changed towards another."""


@dataclass(frozen=True)
class Pairs:
    """Targets and their counterfactuals, as rows of the target table.

    Parameters
    ----------
    rows, others : np.ndarray
        Shape (n_pairs,).
    folds : np.ndarray
        Shape (n_pairs,): place of the fold in `tables.fold_masks`.
    groups : np.ndarray
        Shape (n_pairs,): the target's group.
    signs : np.ndarray
        Shape (n_pairs,): 1 towards the second class of two, -1 towards the first; 1 of other kinds of label.
    """

    rows: Int[np.ndarray, " pair"]
    others: Int[np.ndarray, " pair"]
    folds: Int[np.ndarray, " pair"]
    groups: Shaped[np.ndarray, " pair"]
    signs: Float[np.ndarray, " pair"]

    def __len__(self) -> int:
        return len(self.rows)

    def select(self, chosen: Int[np.ndarray, " chosen"]) -> "Pairs":
        """Return some of the pairs."""
        return Pairs(*(getattr(self, name)[chosen] for name in ("rows", "others", "folds", "groups", "signs")))


def draw(task: Task, targets: pd.DataFrame, folds: Sequence[int], n_pairs: int, random: np.random.Generator) -> Pairs:
    """Draw pairs evenly from the folds and, within a fold, from the classes; a group stands once as long as there are.

    Parameters
    ----------
    task : Task
    targets : pd.DataFrame
        The data set's target table.
    folds : Sequence[int]
        Those that have directions.
    n_pairs : int
        At most so many.
    random : np.random.Generator
        Advanced by the draw.

    Raises
    ------
    PairError
        If no fold has targets of two labels.
    """
    labels, groups = labels_of(task, targets), targets["group"].to_numpy(str)
    classes = np.zeros(len(targets), dtype=int) if task.kind == "position" else labels
    masks = tables.fold_masks(targets[tables.fold_column(SPLIT)])
    found: list[tuple[int, int, int]] = []
    for place, fold in enumerate(folds):
        rows = np.flatnonzero(masks[fold][1])
        wanted = n_pairs * (place + 1) // len(folds) - n_pairs * place // len(folds)
        if task.kind == "position" or len(set(classes[rows])) > 1:
            for row in _spread(rows, classes, groups, wanted, random):
                other = _other(row, rows, labels, groups, random)
                if other is not None:
                    found.append((row, other, fold))
    if not found:
        raise PairError(f"task {task.name}: no fold has targets of two labels", do="leave it out of the interventions")
    rows, others, of_folds = (np.array(column, dtype=np.int64) for column in zip(*found, strict=True))
    signs = np.where(labels[others] > labels[rows], 1.0, -1.0) if task.kind == "binary" else np.ones(len(rows))
    return Pairs(rows, others, of_folds, groups[rows], signs)


def _spread(
    rows: np.ndarray, classes: np.ndarray, groups: np.ndarray, n_rows: int, random: np.random.Generator
) -> list[int]:
    """Return rows of one fold: classes in turn, each time of a group that was taken least often."""
    order = random.permutation(rows)
    names = list(dict.fromkeys(classes[order].tolist()))
    left = {name: [row for row in order.tolist() if classes[row] == name] for name in names}
    taken: dict[str, int] = {}
    chosen: list[int] = []
    while len(chosen) < n_rows and any(left.values()):
        for name in names:
            if left[name] and len(chosen) < n_rows:
                row = min(left[name], key=lambda one: taken.get(str(groups[one]), 0))
                left[name].remove(row)
                taken[str(groups[row])] = taken.get(str(groups[row]), 0) + 1
                chosen.append(row)
    return chosen


def _other(
    row: int, rows: np.ndarray, labels: np.ndarray, groups: np.ndarray, random: np.random.Generator
) -> int | None:
    differs = (labels[rows] != labels[row]) if labels.ndim == 1 else (labels[rows] != labels[row]).any(axis=1)
    near = rows[differs & (groups[rows] == groups[row])]
    far = rows[differs & (groups[rows] != groups[row])]
    candidates = near if len(near) else far
    return int(random.choice(candidates)) if len(candidates) else None
