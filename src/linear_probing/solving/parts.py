"""What ridge computes of features before any label is seen: rows by block, centred, and their moments.

Rows that train and are tested in the same folds form a block; every training part is a sum of blocks. Equal rows of
features are told apart from unequal ones here, so that they get equal scores to the last bit: ties count half in AUROC,
and products of matrices do not keep them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int, Shaped

from linear_probing.stage import StudyError

Masks = Sequence[tuple[Bool[np.ndarray, " target"], Bool[np.ndarray, " target"]]]
Precision = type[np.float32] | type[np.float64]
CONSTANT = 1e-12
"""Variance of a feature in a part, as a share of its mean square there, that counts as none: float64 cannot tell."""
WIDENED = 2**15
"""Rows whose copy in float64 is small."""
KEPT = 513
"""Width up to which a part's solutions are kept for the next labelings, as they are many and small."""


class RidgeError(StudyError):
    """A ridge problem that has no solution."""


@dataclass(frozen=True)
class Blocks:
    """Rows of each block, and which blocks train and are tested in every fold."""

    rows: tuple[Int[np.ndarray, " row"], ...]
    trains: Bool[np.ndarray, "fold block"]
    tests: Bool[np.ndarray, "fold block"]


@dataclass(frozen=True)
class Classes:
    """Labelings by class index, shape (n_labelings, n_targets), each coded as `n_classes` columns of 0 and 1.

    Codes of 0 and 1 choose the same penalties as codes of -1 and 1, and their scores are half as large, plus a half.
    """

    labels: Int[np.ndarray, "labeling target"]
    n_classes: int

    def codes(self, dtype: Precision) -> Float[np.ndarray, "column target"]:
        """Return the columns written out."""
        wanted = np.arange(self.n_classes)[None, :, None]
        return (self.labels[:, None, :] == wanted).astype(dtype).reshape(-1, self.labels.shape[1])


Targets = Float[np.ndarray, "column target"] | Classes


def scored_folds(masks: Masks) -> list[int]:
    """Return the folds whose scores count: of a data set with a test part of its own, the one that tests this.

    That is a fold whose targets train nowhere; the others then do no more than choose its penalty. Where there is none,
    they are all that test something.

    Examples
    --------
    >>> one, two, three = np.eye(3, dtype=bool)
    >>> scored_folds([(one | two, three), (one, two)]), scored_folds([(one, two), (two, one)])
    ([0], [0, 1])
    """
    testing = [fold for fold, (_, tested) in enumerate(masks) if tested.any()]
    trains = np.logical_or.reduce([train for train, _ in masks])
    own = [fold for fold in testing if not (trains & masks[fold][1]).any()]
    return own or testing


def blocks_of(masks: Masks) -> Blocks:
    """Return the coarsest division of the rows of which all parts are sums.

    Examples
    --------
    >>> one, two = np.array([True, True, False]), np.array([False, False, True])
    >>> [rows.tolist() for rows in blocks_of([(one, two), (two, one)]).rows]
    [[2], [0, 1]]
    """
    table = np.stack([mask for pair in masks for mask in pair])
    signs, block = np.unique(table, axis=1, return_inverse=True)
    rows = tuple(np.flatnonzero(block.ravel() == one) for one in range(signs.shape[1]))
    return Blocks(rows, signs[0::2], signs[1::2])


def centred(features: Shaped[np.ndarray, "target feature"]) -> Float[np.ndarray, "target feature"]:
    """Return features less their mean over all rows, in float32; equal rows stay equal, a constant becomes 0."""
    mean = features.mean(axis=0, dtype=np.float64)
    values = np.empty(features.shape, np.float32)
    for start in range(0, len(features), 1024):
        values[start : start + 1024] = features[start : start + 1024].astype(np.float64) - mean
    return values + np.float32(0.0)


@dataclass(frozen=True)
class Moments:
    """Products, least and greatest values of some rows of features, the last of which is always 1."""

    gram: Float64[np.ndarray, "d d"]
    least: Float64[np.ndarray, " d"]
    greatest: Float64[np.ndarray, " d"]


def moments_of(rows: Float[np.ndarray, "row d"]) -> Moments:
    """Return the moments of rows, which are widened `WIDENED` at a time."""
    few = rows[:WIDENED].astype(np.float64)
    gram = few.T @ few
    for start in range(WIDENED, len(rows), WIDENED):
        few = rows[start : start + WIDENED].astype(np.float64)
        gram += few.T @ few
    return Moments(gram, rows.min(axis=0).astype(np.float64), rows.max(axis=0).astype(np.float64))


def joined(moments: Sequence[Moments], width: int) -> Moments:
    """Return the moments of several blocks together."""
    if not moments:
        return Moments(np.zeros((width, width)), np.zeros(width), np.zeros(width))
    if len(moments) == 1:
        return moments[0]
    gram = moments[0].gram + moments[1].gram
    for one in moments[2:]:
        gram += one.gram
    return Moments(
        gram, np.min([one.least for one in moments], axis=0), np.max([one.greatest for one in moments], axis=0)
    )


class Features:
    """One feature matrix under masks: what does not depend on labels, computed once.

    Parameters
    ----------
    features : np.ndarray
        Shape (n_targets, n_features), finite.
    masks : sequence of (np.ndarray, np.ndarray)
        Which rows train and are tested in every fold; a row may do neither.
    precision : type
        np.float64 or np.float32: in which labels are multiplied.

    Raises
    ------
    RidgeError
        If a feature is NaN or infinite.
    """

    def __init__(self, features: Shaped[np.ndarray, "target feature"], masks: Masks, precision: Precision) -> None:
        if not np.isfinite(features).all():
            raise RidgeError(
                "features of a ridge probe hold NaN or infinite numbers",
                likely="the model overflowed in its dtype",
                do="extract the states in a wider dtype",
            )
        self.values = centred(features)
        self.blocks = blocks_of(masks)
        self.precision = precision
        whole = np.ascontiguousarray(self.values)
        rows = whole.view(np.dtype((np.void, whole.shape[1] * whole.itemsize))).ravel()
        _, self.first, self.kind = np.unique(rows, return_index=True, return_inverse=True)
        self.dual = self.values.shape[1] > len(self.values)
        self.keeps = not self.dual and self.values.shape[1] < KEPT
        self.moments: list[Moments] = []
        # Solutions by training part (a mask of blocks, as bytes) and penalty.
        self.known: dict[tuple[bytes, float], Float[np.ndarray, "d d"]] = {}
        self.distinct: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}
        if not self.dual:
            self.values = np.column_stack([self.values, np.ones(len(self.values), np.float32)])
            self.moments = [moments_of(self.values[rows]) for rows in self.blocks.rows]

    def by_kind(self, rows: Int[np.ndarray, " row"]) -> tuple[Shaped[np.ndarray, "kind d"], Int[np.ndarray, " row"]]:
        """Return the distinct rows of features, and which of them each row is: equal rows get equal scores, exactly."""
        place = rows.tobytes()
        if place in self.distinct:
            return self.distinct[place]
        kinds, inverse = np.unique(self.kind[rows], return_inverse=True)
        alike = len(kinds) < len(rows)
        found = (self.values[self.first[kinds]], inverse) if alike else (self.values[rows], np.arange(len(rows)))
        if self.keeps:
            self.distinct[place] = found
        return found


def inverse_scale(
    n: float, square: Float64[np.ndarray, " d"], mean: Float64[np.ndarray, " d"], constant: Bool[np.ndarray, " d"]
) -> Float64[np.ndarray, " d"]:
    """Return 1 / standard deviation; 0 for a feature that is constant in the part, which then has no coefficient."""
    variance = square / n - mean**2
    scale = np.zeros(len(mean))
    used = ~constant & (variance > CONSTANT * square / n)
    scale[used] = variance[used] ** -0.5
    return scale


def check_filled(n_rows: int) -> None:
    """Refuse a training part without rows.

    Raises
    ------
    RidgeError
        If there is none.
    """
    if n_rows == 0:
        raise RidgeError(
            "a training part of a ridge probe holds no rows",
            likely="there are fewer than three folds, and none is left for an inner one",
            do="use at least 3 folds, or one penalty",
        )


def singular(alpha: float) -> RidgeError:
    """Return the error of a penalty that is too small for the features' own matrix."""
    return RidgeError(
        f"a ridge problem has no solution to float64's accuracy at alpha {alpha:g}",
        likely="features repeat each other, and the penalty is below their rounding",
        do="use penalties of at least 1e-6",
    )
