"""Splits: which targets train and which are tested in every fold, for stored splits and for those that are drawn.

A stored split is a column of the target table (`fold`, or `fold_SPLIT`). Drawn ones depend on the study's seed, the
target table and nothing else, so that every model, layer and probe, and the statistics, have the same:

- `group~seedK`: the groups dealt to folds anew; K = 1, 2, ...
- `row`: rows dealt to folds without regard to their groups. Leaky on purpose: it shows how far off such a split is.
- `group~trainP`: the folds of `group`, trained on P percent of the training groups.
"""

import re
from collections import Counter
from math import ceil

import numpy as np
import pandas as pd
from jaxtyping import Bool

from linear_probing.builders.draft import deal, generator
from linear_probing.settings import Study, Task
from linear_probing.tables import fold_column, fold_masks

GROUP, ROW = "group", "row"
SEED = re.compile(r"group~seed(\d+)")
TRAIN = re.compile(r"group~train(\d+)")

Masks = list[tuple[Bool[np.ndarray, " target"], Bool[np.ndarray, " target"]]]


def seed_split(number: int) -> str:
    """Return the name of the split whose groups are dealt anew by a seed; 0 is the stored one.

    Examples
    --------
    >>> [seed_split(0), seed_split(2)]
    ['group', 'group~seed2']
    """
    return f"{GROUP}~seed{number}" if number else GROUP


def train_split(share: float) -> str:
    """Return the name of the split that trains on a share of the training groups, in (0, 1].

    Examples
    --------
    >>> [train_split(0.1), train_split(1.0)]
    ['group~train10', 'group']
    """
    return GROUP if share == 1 else f"{GROUP}~train{round(100 * share)}"


def share_of(split: str) -> float | None:
    """Return the share of the training groups that a split trains on; None for a split that is of another kind.

    Examples
    --------
    >>> [share_of("group~train10"), share_of("group"), share_of("row")]
    [0.1, 1.0, None]
    """
    match = TRAIN.fullmatch(split)
    return int(match[1]) / 100 if match else 1.0 if split == GROUP else None


def base_of(split: str) -> str:
    """Return the stored split whose groups a split keeps, or breaks on purpose.

    Examples
    --------
    >>> [base_of(split) for split in ("country", "group~seed1", "row")]
    ['country', 'group', 'group']
    """
    return GROUP if split == ROW else split.partition("~")[0]


def masks_of(targets: pd.DataFrame, split: str, seed: int, n_folds: int, label: str | None = None) -> Masks:
    """Return (trains, is tested) of every fold of a split.

    Parameters
    ----------
    targets : pd.DataFrame
        A target table.
    split : str
        `group`, another stored split, `group~seedK`, `row` or `group~trainP`.
    seed : int
        Of the study.
    n_folds : int
        Into which `group~seedK` and `row` deal; stored splits have their own.
    label : str, optional
        Column of classes whose shares the drawn folds and training groups keep, as well as groups allow. It changes
        the draw, so that all who ask for a task's masks must name the same: `masks_for`.

    Returns
    -------
    list of (np.ndarray, np.ndarray)
        Of shape (n_targets,). In `group~trainP` a mask of training is what is left of it: the inner folds, made of the
        other outer folds, are to test within it.
    """
    if split == ROW:
        cells = pd.Series([str(place % n_folds) for place in generator(seed, split).permutation(len(targets))])
        return list(fold_masks(cells))
    if match := SEED.fullmatch(split):
        named = targets[GROUP].astype(str)
        strata = _strata(targets, label)
        dealt = deal(list(named), list(named.map(strata)), n_folds, generator(seed, f"{GROUP}~seed{int(match[1])}"))
        return list(fold_masks(named.map(dealt)))
    if match := TRAIN.fullmatch(split):
        return _reduced(targets, int(match[1]) / 100, seed, label)
    return list(fold_masks(targets[fold_column(split)]))


def masks_for(study: Study, task: Task, targets: pd.DataFrame, split: str) -> Masks:
    """Return the masks of a task's split: those of `masks_of`, its classes kept in proportion."""
    return masks_of(targets, split, study.seed, study.n_folds, None if task.kind == "position" else task.label)


def _strata(targets: pd.DataFrame, label: str | None) -> dict[str, str]:
    """Return the stratum of each group: its part, and the class that most of its targets have."""
    cells = targets["part"].astype(str)
    if label:
        cells = cells + "|" + targets[label].astype(str)
    counted = cells.groupby([targets[GROUP].astype(str), cells]).size().rename("n").rename_axis(["group", "cell"])
    # Of equally frequent ones the first by name: the order of rows must not matter.
    ordered = counted.reset_index().sort_values(["group", "n", "cell"], ascending=[True, False, True])
    first = ordered.drop_duplicates("group")
    return dict(zip(first["group"], first["cell"], strict=True))


def _places(targets: pd.DataFrame, seed: int, label: str | None) -> dict[str, float]:
    """Return each group's place in (0, 1): those of every stratum spread over it evenly, from one fold after the other.

    So that the first ones, whatever their share, hold about that share of every stratum, and of no fold alone.
    """
    strata = _strata(targets, label)
    folds = dict(zip(targets[GROUP].astype(str), targets[fold_column(GROUP)], strict=True))
    random = generator(seed, "training groups")
    places: dict[str, float] = {}
    for stratum in sorted(set(strata.values())):
        members = sorted(group for group in strata if strata[group] == stratum)
        shuffled = [members[place] for place in random.permutation(len(members))]
        turn: Counter[str] = Counter()
        turns = []
        for group in shuffled:
            turns.append(turn[folds[group]])
            turn[folds[group]] += 1
        ordered = [shuffled[place] for place in np.argsort(turns, kind="stable")]
        spread = (np.arange(len(members)) + random.random(len(members))) / len(members)
        places.update(zip(ordered, spread.tolist(), strict=True))
    return places


def _reduced(targets: pd.DataFrame, share: float, seed: int, label: str | None) -> Masks:
    """Return the masks of `group` with the first groups of each fold in training, in an order that all shares have.

    So that 10 percent are within 30, and every inner fold keeps groups. At least n_folds groups train.
    """
    named, cells = targets[GROUP].astype(str), targets[fold_column(GROUP)]
    places = _places(targets, seed, label)
    masks = fold_masks(cells)
    least = ceil(len(masks) / max(1, len(masks) - 1))
    kept: set[str] = set()
    for _, members in named.groupby(cells):
        ordered = sorted(set(members), key=lambda group: (places[group], group))
        kept.update(ordered[: max(least, round(share * len(ordered)))])
    inside = named.isin(kept).to_numpy()
    return [(train & inside, tested) for train, tested in masks]
