"""Intervals from the resamples of a metric."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float
from scipy.stats import norm, t

BIASED = ("calibration_error",)
"""Metrics whose resamples lie above the estimate, as the estimate lies above the truth."""
MIN_DEFINED = 2 / 3


@dataclass(frozen=True)
class Estimate:
    """A metric and its bootstrap interval."""

    estimate: float
    lower: float
    upper: float


@cache
def tail(n_groups: int, confidence: float, n_folds: int = 1) -> float:
    """Return the share of resamples that an interval leaves out at each end: the expanded percentile interval.

    Resamples of n groups vary by sqrt((n - 1) / n) too little, and their quantiles are a normal distribution's where
    Student's t with n - 1 degrees of freedom is due. Both are made good by taking quantiles further out (Hesterberg
    2015, What teachers should know about the bootstrap, The American Statistician 69, 371-386). Each of K folds has a
    probe, and so a mean, of its own, which leaves n - K degrees of freedom.

    Parameters
    ----------
    n_groups : int
        How many units were drawn from; more than `n_folds`.
    confidence : float
        In (0, 1).
    n_folds : int
        Folds whose probes scored them, at least 1.

    Examples
    --------
    Of 50 groups, t is 2.0096: times sqrt(50 / 49) that is 2.0300, beyond which a normal distribution has 2.12 %.

    >>> round(tail(50, 0.95), 4), round(tail(50, 0.95, 5), 4)
    (0.0212, 0.0169)
    """
    freedom = n_groups - n_folds
    quantile = t.ppf((1 + confidence) / 2, freedom) * np.sqrt(n_groups / freedom)
    return float(norm.sf(quantile))


def interval(values: Float[np.ndarray, " resample"], confidence: float, n_groups: int, n_folds: int = 1) -> Estimate:
    """Return the first value with the expanded percentile interval of the others.

    NaN for both ends with no more groups than folds, or where a third of the resamples is undefined.

    Parameters
    ----------
    values : np.ndarray
        Shape (n_resamples + 1,): the estimate, then the metric of each resample.
    confidence : float
        In (0, 1).
    n_groups : int
        How many units were drawn from.
    n_folds : int
        Folds whose probes scored them; see `tail`.

    Examples
    --------
    Of resamples spread evenly over 0 to 1, the quantiles are the shares themselves: see `tail`.

    >>> found = interval(np.array([0.5, *np.linspace(0, 1, 1001)]), 0.95, 50)
    >>> [found.estimate, round(found.lower, 4), round(found.upper, 4)]
    [0.5, 0.0212, 0.9788]
    """
    resampled = values[1:]
    lower = upper = np.nan
    if n_groups > n_folds and np.isfinite(resampled).mean() > MIN_DEFINED:
        left_out = tail(n_groups, confidence, n_folds)
        lower, upper = np.nanquantile(resampled, [left_out, 1 - left_out]).round(12)
    return Estimate(float(values[0]), float(lower), float(upper))


def interval_of(
    metric: str, values: Float[np.ndarray, " resample"], confidence: float, n_groups: int, n_folds: int = 1
) -> Estimate:
    """Return `interval`, for a biased metric of its resamples mirrored at the estimate.

    The bias of a resample against the estimate stands for that of the estimate against the truth (the basic bootstrap
    interval, Davison & Hinkley 1997, section 5.2), so that an interval of calibration errors holds its own estimate.
    """
    if metric in BIASED:
        values = np.concatenate([values[:1], np.maximum(2.0 * values[0] - values[1:], 0.0)])
    return interval(values, confidence, n_groups, n_folds)
