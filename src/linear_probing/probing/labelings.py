"""Metrics of many labelings at once, each with its own scores; the same numbers as `estimation.scoring.evaluate`.

That module weighs one labeling in many ways (resamples); this one scores many labelings in one way (permutations).
Cost: two sorts of the scores for AUROC, one pass for the others.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float, Float64, Int


def auroc(
    scores: Float[np.ndarray, "labeling target"], labels: Bool[np.ndarray, "labeling target"]
) -> Float64[np.ndarray, " labeling"]:
    """Return the area under the ROC curve of each labeling; NaN where it has one class only.

    Scores and labels are sorted as one integer, the label in the last bit, so that among equal scores one class stands
    first: once the negatives, which counts ties as won, once the positives, which counts them as lost. The mean counts
    each as half, exactly.

    Parameters
    ----------
    scores : np.ndarray
        Shape (n_labelings, n_targets), float32 and finite; one fold's scores.
    labels : np.ndarray
        Same shape: whether the target is of class 1.

    Examples
    --------
    >>> auroc(np.float32([[0.8, 0.4, 0.6, 0.4]]), np.array([[True, True, False, False]]))
    array([0.625])
    """
    bits = (scores.astype(np.float32) + np.float32(0.0)).view(np.int32)  # -0 + 0 is +0, which has other bits
    keys = (bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF))).astype(np.int64) << 1
    n_positive = labels.sum(axis=1)
    n_pairs = n_positive * (labels.shape[1] - n_positive)
    won = _won(keys | labels, 1)
    tied = _won(keys | ~labels, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(n_pairs > 0, (won + tied) / 2.0 / n_pairs, np.nan)


def _won(keys: Int[np.ndarray, "labeling target"], positive: int) -> Int[np.ndarray, " labeling"]:
    """Return how many pairs the positives win if keys have no ties; sorts `keys`."""
    keys.sort(axis=1)
    is_positive = (keys & 1) == positive
    n_positive = is_positive.sum(axis=1)
    ranks = np.arange(keys.shape[1], dtype=np.float64)
    return (is_positive @ ranks).astype(np.int64) - n_positive * (n_positive - 1) // 2


def squared_errors(
    scores: Float[np.ndarray, "labeling output target"],
    labels: Float[np.ndarray, "labeling output target"],
    parts: Sequence[Bool[np.ndarray, " target"]],
) -> Float64[np.ndarray, "part labeling output"]:
    """Return sums of squared errors over the targets of each part."""
    inside = np.stack(parts, axis=1).astype(np.float64)
    sums = np.empty((*labels.shape[:2], len(parts)))
    for few in _few(len(labels)):
        errors = np.subtract(scores[few], labels[few], dtype=np.float64)
        errors *= errors
        sums[few] = errors @ inside
    return np.moveaxis(sums, -1, 0)


def variations(
    labels: Float[np.ndarray, "labeling output target"], parts: Sequence[Bool[np.ndarray, " target"]]
) -> Float64[np.ndarray, "part labeling output"]:
    """Return sums of squared deviations from the mean over the targets of each part; labels of a mean near 0."""
    inside = np.stack(parts, axis=1).astype(np.float64)
    sums = np.empty((*labels.shape[:2], len(parts)))
    n = inside.sum(axis=0)
    for few in _few(len(labels)):
        values = labels[few].astype(np.float64)
        total = values @ inside
        values *= values
        with np.errstate(invalid="ignore", divide="ignore"):
            sums[few] = values @ inside - total**2 / n
    return np.moveaxis(sums, -1, 0)


def _few(n: int) -> Iterator[slice]:
    """Yield slices of a few labelings, whose float64 copies stay in the processor's cache."""
    return (slice(start, start + 8) for start in range(0, n, 8))


def r2(
    errors: Float64[np.ndarray, "labeling output"], variation: Float64[np.ndarray, "labeling output"]
) -> Float64[np.ndarray, " labeling"]:
    """Return the coefficient of determination, averaged over outputs, from pooled sums.

    Examples
    --------
    >>> r2(np.array([[1.0, 2.0]]), np.array([[4.0, 4.0]]))
    array([0.625])
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return (1.0 - errors / variation).mean(axis=1)


def macro_f1(
    predicted: Int[np.ndarray, "labeling target"], labels: Int[np.ndarray, "labeling target"], n_classes: int
) -> Float64[np.ndarray, " labeling"]:
    """Return the mean F1 score of the classes that occur, of each labeling; NaN without targets.

    Examples
    --------
    >>> macro_f1(np.array([[0, 0, 1]]), np.array([[0, 1, 1]]), 3)
    array([0.66666667])
    """
    true = _counts(labels, n_classes)
    both = true + _counts(predicted, n_classes)
    hits = _counts(np.where(predicted == labels, labels, n_classes), n_classes + 1)[:, :n_classes]
    occurs = true > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        f1 = np.where(occurs, 2.0 * hits / both, 0.0)
        return f1.sum(axis=1) / occurs.sum(axis=1)


def _counts(classes: Int[np.ndarray, "labeling target"], n_classes: int) -> Int[np.ndarray, "labeling class"]:
    n_labelings = len(classes)
    cells = classes + n_classes * np.arange(n_labelings, dtype=np.int64)[:, None]
    return np.bincount(cells.ravel(), minlength=n_labelings * n_classes).reshape(n_labelings, n_classes)
