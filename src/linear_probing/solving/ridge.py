"""Ridge in closed form for many labelings at once, under the protocol of every probe (protocol.py).

In: features, labelings and fold masks. Out: out-of-fold scores, the penalty re-chosen for every labeling and fold.

Rows that train and are tested in the same folds form a block; every training part is a sum of blocks. With X_b the rows
of a block, X_b'X_b is computed once for all labelings and X_b'Y_b once for all parts; scaling within a part is a
diagonal and a rank-one change of these, and the squared error on held-out rows is a quadratic form in them, so no inner
fold is ever predicted. With more features than rows the same is done by n x n Gram matrices of each part.

Accuracy: features are stored in float32, after the mean over all rows is taken off in float64, so that a feature of
mean 1,000 and deviation 1 is known to 6e-5 of its deviation (what float32 input holds) and an outlying row costs the
others nothing. Gram matrices and their Cholesky factors are float64. Products with labels are of the `precision` asked
for. Measured against scikit-learn in float64 with all these kinds of feature at once, at penalties from .001 to 3,000:
scores of unit scale differ by 1e-5 in float64 and by 6e-5 in float32.
Cost: n d^2 + p d^3 (p: parts times penalties) once, then n d + p d^2 per column of labels. Memory: a float64 d x d
matrix per block, and a block x column x d array of products.
Source: the normal equations, summed over the blocks that a part leaves in.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float, Float64, Int, Shaped

from linear_probing.solving.dual import Dual
from linear_probing.solving.parts import (
    Blocks,
    Classes,
    Features,
    Masks,
    Precision,
    RidgeError,
    Targets,
    scored_folds,
)
from linear_probing.solving.primal import Primal


@dataclass(frozen=True)
class RidgeOutcome:
    """Out-of-fold scores (n_targets, n_columns), NaN where untested; per fold and labeling alpha and its inner loss.

    The loss is the squared error, summed over the labeling's columns and the targets of the inner folds.
    """

    scores: Float[np.ndarray, "target column"]
    chosen: Float64[np.ndarray, "fold labeling"]
    inner_losses: Float64[np.ndarray, "fold labeling"]


@dataclass(frozen=True)
class Tested:
    """Scores (n_columns, n_tested) of the rows that one fold tests."""

    fold: int
    rows: Int[np.ndarray, " tested"]
    scores: Float[np.ndarray, "column tested"]


class Solver(Protocol):
    """Errors and predictions of ridge probes of loaded labels; parts are masks of blocks."""

    def errors(
        self, train: Bool[np.ndarray, " block"], held: Sequence[Bool[np.ndarray, " block"]], alphas: Sequence[float]
    ) -> Float64[np.ndarray, "part alpha column"]:
        """Return summed squared errors on each held-out part."""
        ...

    def coefficients(
        self, train: Bool[np.ndarray, " block"], alphas: Sequence[float], chosen: Int[np.ndarray, " column"]
    ) -> Float[np.ndarray, "column d"]:
        """Return coefficients of the centred features, then the intercept, each column by its own penalty."""
        ...

    def predict(
        self,
        train: Bool[np.ndarray, " block"],
        rows: Int[np.ndarray, " tested"],
        alphas: Sequence[float],
        chosen: Int[np.ndarray, " column"],
    ) -> Float[np.ndarray, "column tested"]:
        """Return predictions, each column by the penalty at its place in `alphas`."""
        ...


def load(features: Features, targets: Targets) -> Solver:
    """Return the solver of some labelings: by the smaller of the two Gram matrices."""
    return Dual(features, targets) if features.dual else Primal(features, targets)


def inner_losses(
    solver: Solver, blocks: Blocks, alphas: Sequence[float], columns_per_labeling: int, n_columns: int
) -> Float64[np.ndarray, "fold alpha labeling"]:
    """Return the squared error over inner folds, by which penalties are chosen.

    The inner folds of an outer fold are the other outer folds; the fit without two folds serves as inner fit of both.
    """
    n_folds, n_labelings = len(blocks.trains), n_columns // columns_per_labeling
    losses = np.zeros((n_folds, len(alphas), n_labelings))
    for one, other in combinations(range(n_folds), 2):
        train = blocks.trains[one] & blocks.trains[other]
        # A fold may train on fewer rows than all that it does not test: its inner folds test within these.
        held = (blocks.tests[other] & blocks.trains[one], blocks.tests[one] & blocks.trains[other])
        errors = solver.errors(train, held, alphas)
        by_labeling = errors.reshape(2, len(alphas), n_labelings, columns_per_labeling).sum(axis=-1)
        losses[one] += by_labeling[0]
        losses[other] += by_labeling[1]
    return losses


def strongest_first(alphas: Sequence[float]) -> list[float]:
    """Return penalties in descending order, so that the first of equally good ones is the strongest.

    Raises
    ------
    RidgeError
        If there is none, or one is not above 0.
    """
    if not alphas or min(alphas) <= 0:
        raise RidgeError(f"penalties {list(alphas)}, expected at least one, each above 0", do="correct the penalties")
    return sorted(map(float, alphas), reverse=True)


def solve(
    features: Features,
    targets: Targets,
    alphas: Sequence[float],
    columns_per_labeling: int,
    inner: bool = False,
) -> tuple[Float64[np.ndarray, "fold alpha labeling"], Iterator[Tested]]:
    """Choose penalties, the strongest of equals, and return their inner losses, with scores fold by fold.

    Parameters
    ----------
    features : Features
        The rows, under masks.
    targets : np.ndarray or Classes
        Columns of labels, shape (n_columns, n_targets), those of one labeling side by side; or class indices.
    alphas : Sequence[float]
        Penalties, each above 0, of the scaled features (scikit-learn's Ridge after StandardScaler).
    columns_per_labeling : int
        How many columns share a penalty; `n_classes` of Classes.
    inner : bool
        Fit inner folds for one penalty too, which needs none to be chosen.

    Returns
    -------
    (np.ndarray, Iterator[Tested])
        Losses in the order of `strongest_first(alphas)`; zero without inner fits. The scores are of `scored_folds`.
    """
    ordered = strongest_first(alphas)
    solver, blocks = load(features, targets), features.blocks
    n_columns = len(targets.labels) * targets.n_classes if isinstance(targets, Classes) else len(targets)
    if len(ordered) > 1 or inner:
        losses = inner_losses(solver, blocks, ordered, columns_per_labeling, n_columns)
    else:
        losses = np.zeros((len(blocks.trains), 1, n_columns // columns_per_labeling))
    chosen = losses.argmin(axis=1)

    def tested() -> Iterator[Tested]:
        for fold in scored_folds(list(zip(blocks.trains, blocks.tests, strict=True))):
            members = blocks.tests[fold]
            rows = np.sort(np.concatenate([blocks.rows[block] for block in np.flatnonzero(members)]))
            places = np.repeat(chosen[fold], columns_per_labeling)
            yield Tested(fold, rows, solver.predict(blocks.trains[fold], rows, ordered, places))

    return losses, tested()


def ridge_out_of_fold(
    features: Shaped[np.ndarray, "target feature"],
    targets: Shaped[np.ndarray, "target column"],
    masks: Masks,
    alphas: Sequence[float],
    columns_per_labeling: int,
    precision: Precision = np.float64,
) -> RidgeOutcome:
    """Score every row by ridge probes that were trained without its fold, for many labelings at once.

    Equal to scikit-learn's ``Pipeline(StandardScaler(), Ridge(alpha))`` on every training part, to the accuracy stated
    above. A feature that is constant in a training part is left out there.

    Parameters
    ----------
    features : np.ndarray
        Shape (n_targets, n_features), finite.
    targets : np.ndarray
        Shape (n_targets, n_columns): numbers, or -1/1 codes of classes; the columns of one labeling side by side.
    masks : sequence of (np.ndarray, np.ndarray)
        Per outer fold, which targets train and which are tested; see `tables.fold_masks`.
    alphas : Sequence[float]
        Penalties, each above 0.
    columns_per_labeling : int
        How many columns share a penalty: the one of the least squared error summed over them and the inner folds, the
        strongest of equals.
    precision : type
        np.float64, or np.float32 which takes half the time.

    Returns
    -------
    RidgeOutcome

    Raises
    ------
    RidgeError
        If a feature is not finite, a penalty is not above 0, or a training part is empty.
    """
    values = np.asarray(targets, np.float64)
    # Taken off before rounding to the precision, and added to the scores: labels too may have a large mean.
    level = values.mean(axis=0)
    columns = np.ascontiguousarray((values - level).T, dtype=precision)
    losses, folds = solve(Features(features, masks, precision), columns, alphas, columns_per_labeling, inner=True)
    scores = np.full(values.shape, np.nan, np.float32)
    for tested in folds:
        scores[tested.rows] = tested.scores.T + level
    return RidgeOutcome(scores, np.array(strongest_first(alphas))[losses.argmin(axis=1)], losses.min(axis=1))


def fit_ridge(
    features: Shaped[np.ndarray, "target feature"], targets: Shaped[np.ndarray, "target column"], alpha: float
) -> tuple[Float64[np.ndarray, "feature column"], Float64[np.ndarray, " column"]]:
    """Return coefficients and intercepts of one ridge fit on scaled features, in the features' own units.

    Predictions are ``features @ coefficients + intercept``.

    Parameters
    ----------
    features : np.ndarray
        Shape (n_targets, n_features), finite.
    targets : np.ndarray
        Shape (n_targets, n_columns).
    alpha : float
        Penalty of the scaled features, above 0.

    Raises
    ------
    RidgeError
        If a feature is not finite, or the penalty is not above 0.
    """
    alphas = strongest_first([alpha])
    everything = np.ones(len(features), bool)
    prepared = Features(features, [(everything, ~everything)], np.float64)
    values = np.asarray(targets, np.float64)
    level, mean = values.mean(axis=0), features.mean(axis=0, dtype=np.float64)
    columns = np.ascontiguousarray((values - level).T)
    chosen, train = np.zeros(len(columns), np.int64), prepared.blocks.trains[0]
    solver = load(prepared, columns)
    found = solver.coefficients(train, alphas, chosen)
    return found[:, :-1].T, level + found[:, -1] - mean @ found[:, :-1].T
