"""Metrics of decisions and probabilities, under cluster weights.

Scores of one column are log odds of class 1, those of several columns logits whose softmax is the probabilities. A
probe's probabilities mean the same in every fold, so that these metrics pool the folds, unlike AUROC.
"""

import numpy as np
from jaxtyping import Float, Int
from scipy.special import expit, log_expit, log_softmax

from linear_probing.estimation.scoring import Sample, per_cluster

N_BINS = 10


def decided(scores: Float[np.ndarray, "target output"]) -> Int[np.ndarray, " target"]:
    """Return the class decided for: 1 where the only column is above 0, else the column of the greatest value."""
    return (scores[:, 0] > 0).astype(int) if scores.shape[1] == 1 else scores.argmax(axis=1)


def log_probabilities(scores: Float[np.ndarray, "target output"]) -> Float[np.ndarray, "target class"]:
    """Return the natural logarithm of every class's probability.

    Examples
    --------
    >>> np.exp(log_probabilities(np.array([[0.0], [np.log(3.0)]]))).round(2).tolist()
    [[0.5, 0.5], [0.25, 0.75]]
    """
    if scores.shape[1] > 1:
        return log_softmax(scores.astype(float), axis=1)
    return np.stack([log_expit(-scores[:, 0].astype(float)), log_expit(scores[:, 0].astype(float))], axis=1)


def balanced_accuracy(scores: Float[np.ndarray, "target output"], sample: Sample) -> Float[np.ndarray, " resample"]:
    """Return the mean recall of the classes that occur among the drawn targets."""
    true = sample.labels[:, None] == np.arange(max(2, scores.shape[1]))
    hits = true & (decided(scores) == sample.labels)[:, None]
    n_true, n_hits = np.split(per_cluster(np.concatenate([true, hits], axis=1), sample), 2, axis=1)
    occurs = n_true > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(occurs, n_hits / n_true, 0.0).sum(axis=1) / occurs.sum(axis=1)


def _mean(values: Float[np.ndarray, " target"], sample: Sample) -> Float[np.ndarray, " resample"]:
    total, n = per_cluster(np.stack([values, np.ones(len(values))], axis=1), sample).T
    with np.errstate(invalid="ignore", divide="ignore"):
        return total / n


def log_loss(scores: Float[np.ndarray, "target output"], sample: Sample) -> Float[np.ndarray, " resample"]:
    """Return the mean negative logarithm of the true class's probability, in nats."""
    return _mean(-np.take_along_axis(log_probabilities(scores), sample.labels[:, None], axis=1)[:, 0], sample)


def brier(scores: Float[np.ndarray, "target output"], sample: Sample) -> Float[np.ndarray, " resample"]:
    """Return the Brier score: for two classes in one column the mean squared error of class 1's probability.

    For several columns the squared errors are summed over the classes (Brier 1950), so that it reaches 2 there, and 1
    with one column.
    """
    if scores.shape[1] == 1:
        return _mean((expit(scores[:, 0].astype(float)) - (sample.labels == 1)) ** 2, sample)
    true = sample.labels[:, None] == np.arange(scores.shape[1])
    return _mean(((np.exp(log_probabilities(scores)) - true) ** 2).sum(axis=1), sample)


def calibration_error(scores: Float[np.ndarray, "target output"], sample: Sample) -> Float[np.ndarray, " resample"]:
    """Return the expected calibration error in ten bins of equal width (Naeini et al. 2015, Guo et al. 2017).

    With one column, of class 1's probability and how often the class is 1; with several, of the greatest probability
    and how often its class is right. The mean over bins, weighed by their targets, of the absolute difference between
    mean probability and frequency. An absolute value of something noisy is too great on average, and greater still in a
    resample: see `intervals.BIASED`.
    """
    if scores.shape[1] == 1:
        probability, right = expit(scores[:, 0].astype(float)), sample.labels == 1
    else:
        probability, right = np.exp(log_probabilities(scores).max(axis=1)), decided(scores) == sample.labels
    inside = np.minimum((probability * N_BINS).astype(int), N_BINS - 1)[:, None] == np.arange(N_BINS)
    sums = per_cluster(np.concatenate([inside * (probability - right)[:, None], np.ones((len(right), 1))], 1), sample)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.abs(sums[:, :-1]).sum(axis=1) / sums[:, -1]
