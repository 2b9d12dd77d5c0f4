"""Data of correlated groups whose truth is known, the folds, and simulations side by side in processes.

A target's features are the sum of what its group shares and of its own, each normal; so is the noise of its label. The
shares of the groups in both variances are the design's. Labels follow from features by one direction per output.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped
from tqdm import tqdm

from linear_probing import processes
from linear_probing.probing import protocol

N_FOLDS = 5
CHUNK = 10
"""Simulations that a process is given at a time."""


@dataclass(frozen=True)
class Design:
    """How data are drawn.

    Parameters
    ----------
    n_groups, n_rows : int
        Groups, and targets in each.
    n_features : int
        At least `n_informative`.
    of_features, of_labels : float
        Share of the groups in the variance of the features and in that of the labels' noise, in [0, 1].
    signal : float
        Weight of each of the first `n_informative` features in a label, whose noise has a variance of 1.
    """

    n_groups: int = 100
    n_rows: int = 4
    n_features: int = 8
    of_features: float = 0.3
    of_labels: float = 0.2
    signal: float = 0.5
    n_informative: int = 3


@dataclass(frozen=True)
class Data:
    """Features (n_targets, n_features), labels (n_targets,) or (n_targets, n_outputs), and groups (n_targets,)."""

    features: Float[np.ndarray, "target feature"]
    labels: Shaped[np.ndarray, "target *output"]
    groups: Int[np.ndarray, " target"]


def correlated(
    groups: Int[np.ndarray, " target"], n_columns: int, share: float, random: np.random.Generator
) -> Float[np.ndarray, "target column"]:
    """Return standard normal columns, of whose variance the groups have a share."""
    shared = random.normal(size=(int(groups.max()) + 1, n_columns))[groups]
    return np.sqrt(share) * shared + np.sqrt(1.0 - share) * random.normal(size=(len(groups), n_columns))


def draw(design: Design, metric: str, n_groups: int, random: np.random.Generator) -> Data:
    """Return data for a metric: two classes ('auroc'), three ('macro_f1') or one number ('r2') per target."""
    groups = np.repeat(np.arange(n_groups), design.n_rows)
    features = correlated(groups, design.n_features, design.of_features, random)
    n_outputs = 3 if metric == "macro_f1" else 1
    # Each output reads features of its own, so that three classes are equally frequent.
    weights = np.zeros((design.n_features, n_outputs))
    for output in range(n_outputs):
        weights[output * design.n_informative : (output + 1) * design.n_informative, output] = design.signal
    numbers = features @ weights + correlated(groups, n_outputs, design.of_labels, random)
    if metric == "auroc":
        return Data(features, (numbers[:, 0] > 0).astype(int), groups)
    return Data(features, numbers.argmax(axis=1) if metric == "macro_f1" else numbers, groups)


def deal_folds(groups: Int[np.ndarray, " target"], random: np.random.Generator) -> Int[np.ndarray, " target"]:
    """Return the fold of each target, 0 to `N_FOLDS` - 1: groups dealt at random, folds of equal size."""
    n_groups = int(groups.max()) + 1
    return random.permutation(np.arange(n_groups) % N_FOLDS)[groups]


def masks_of(folds: Int[np.ndarray, " target"]) -> protocol.Masks:
    """Return which targets train and which are tested in each fold."""
    return [(folds != fold, folds == fold) for fold in range(N_FOLDS)]


class _Seeded:
    """One simulation by its number, on random numbers of its own: results do not depend on the number of processes."""

    def __init__(self, one: Callable[[np.random.Generator], Any], name: str) -> None:
        self.one, self.name = one, name

    def __call__(self, number: int) -> Any:
        return self.one(np.random.default_rng([number, *self.name.encode()]))


def repeat(one: Callable[[np.random.Generator], Any], name: str, n: int, n_jobs: int) -> np.ndarray:
    """Return the results of `n` simulations as one array, simulations first.

    Parameters
    ----------
    one : callable
        A module's function, or a `functools.partial` of one, from a generator to numbers.
    name : str
        Of the check: seeds the simulations, and stands at the progress bar.
    n, n_jobs : int
        Simulations, and processes; 1 runs them in this one.
    """
    seeded = _Seeded(one, name)
    bar = tqdm(total=n, desc=name, unit="simulation", disable=None)
    if n_jobs == 1:
        found = []
        for number in range(n):
            found.append(seeded(number))
            bar.update()
    else:
        with processes.fresh(n_jobs) as pool:
            found = []
            for result in pool.map(seeded, range(n), chunksize=CHUNK):
                found.append(result)
                bar.update()
    bar.close()
    return np.array(found, dtype=np.float64)
