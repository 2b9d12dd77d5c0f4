"""Metrics of order for predicted places, under cluster weights: rank correlation and the median error in km."""

import numpy as np
from jaxtyping import Float

from linear_probing.estimation.places import distance_km
from linear_probing.estimation.scoring import Sample, running_sums

BLOCK = 128
"""Resamples at once: few enough that their sums stay in the processor's cache."""


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


def _ranks(
    values: Float[np.ndarray, " target"], weights: Float[np.ndarray, "target resample"]
) -> Float[np.ndarray, "target resample"]:
    """Return weighted mid-ranks: the weight below a value, and half of that at it."""
    order = np.argsort(values, kind="stable")
    below = running_sums(weights, order)
    ranked = values[order]
    return (below[np.searchsorted(ranked, values, "left")] + below[np.searchsorted(ranked, values, "right")]) / 2.0


def spearman(scores: Float[np.ndarray, "target output"], sample: Sample) -> Float[np.ndarray, " resample"]:
    """Return Spearman's rank correlation of truth and prediction, pooled over folds, averaged over outputs.

    The correlation of mid-ranks, each resample ranked anew; NaN where all drawn labels or predictions are equal.
    """
    columns, found = sample.columns, []
    for start in range(0, columns.shape[1], BLOCK):
        weights = np.ascontiguousarray(columns[:, start : start + BLOCK])[sample.clusters]
        half = weights.sum(axis=0) / 2.0
        correlations = []
        for output in range(scores.shape[1]):
            # Mid-ranks have the mean of half the weight, whatever the ties.
            one, other = (_ranks(values[:, output], weights) - half for values in (sample.labels, scores))
            products = [np.einsum("tr,tr,tr->r", weights, *pair) for pair in ((one, other), (one, one), (other, other))]
            with np.errstate(invalid="ignore", divide="ignore"):
                correlations.append(products[0] / np.sqrt(products[1] * products[2]))
        found.append(np.mean(correlations, axis=0))
    return np.concatenate(found)
