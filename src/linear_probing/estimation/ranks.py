"""Metrics of order for predicted places, under cluster weights: rank correlation and the median error in km."""

from itertools import pairwise

import numpy as np
from jaxtyping import Float

from linear_probing.estimation.places import distance_km
from linear_probing.estimation.scoring import Ranks, Sample, running_sums


def median_km(scores: Float[np.ndarray, "target 3"], sample: Sample) -> Float[np.ndarray, " resample"]:
    """Return the weighted median of the great-circle distance between true and predicted place, in km.

    Where half of the weight lies below one value and half above the next, the mean of the two, as without weights.
    """
    errors = distance_km(sample.labels, scores.astype(float))
    order = np.argsort(errors, kind="stable")
    sums = running_sums(sample.columns[sample.clusters], order)[1:]
    half = sums[-1] / 2.0
    middle = [np.argmax(reached, axis=0) for reached in (sums >= half, sums > half)]
    found = (errors[order][middle[0]] + errors[order][middle[1]]) / 2.0
    return np.where(half > 0, found, np.nan)


def spearman(scores: Float[np.ndarray, "target output"], sample: Sample) -> Float[np.ndarray, " resample"]:
    """Return Spearman's rank correlation of truth and prediction, pooled over folds, averaged over outputs.

    The correlation of mid-ranks, each resample ranked anew; NaN where all drawn labels or predictions are equal.
    """
    found = [
        _rank_correlation(values, ranks, sample) for values, ranks in zip(scores.T, sample.label_ranks, strict=True)
    ]
    return np.mean(found, axis=0)


def _rank_correlation(
    values: Float[np.ndarray, " target"], truth: Ranks, sample: Sample
) -> Float[np.ndarray, " resample"]:
    # One walk up the values, equal ones in one step, keeps the weight below and above each, twice whose mean is the
    # rank; the true ranks are centred, so that these need not be. The squares of n ranks around their mean sum to
    # (n^3 - sum of t^3) / 12, t being the weights of equal values.
    columns = sample.columns.astype(np.float32)
    order = np.argsort(values, kind="stable")
    bounds = np.flatnonzero(np.diff(values[order], prepend=np.nan, append=np.nan))
    below, above, term = (np.zeros(columns.shape[1], np.float32) for _ in range(3))
    product, cubes = np.zeros(columns.shape[1]), np.zeros(columns.shape[1])
    for start, end in pairwise(bounds):
        rows = order[start:end]
        if end - start == 1:
            weight, weighted = columns[sample.clusters[rows[0]]], truth.weighted[rows[0]]
        else:
            weight, weighted = columns[sample.clusters[rows]].sum(axis=0), truth.weighted[rows].sum(axis=0)
            cubes += weight.astype(float) ** 3
        np.add(below, weight, out=above)
        np.add(below, above, out=term)
        np.multiply(term, weighted, out=term)
        product += term
        below, above = above, below
    alone = order[bounds[:-1][np.diff(bounds) == 1]]
    cubes += np.bincount(sample.clusters[alone], minlength=len(columns)) @ sample.columns**3
    squares = (below.astype(float) ** 3 - cubes) / 12.0
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(squares > 0, product / 2.0 / np.sqrt(squares * truth.squares), np.nan)
