"""Metrics under cluster weights: one call scores the sample and all its bootstrap resamples.

A resample draws whole clusters (cities, lemmas, countries) with replacement, which is a weight per cluster; each
metric is written in weighted sums, so that a thousand resamples are one matrix product. Pure functions, no I/O.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped


@dataclass(frozen=True)
class Sample:
    """The targets that an estimate is about.

    Parameters
    ----------
    labels : np.ndarray
        Class indices (n_targets,), or numbers (n_targets, n_outputs).
    folds : np.ndarray
        Shape (n_targets,): the fold in which each target was tested.
    clusters : np.ndarray
        Shape (n_targets,): 0 to n_clusters - 1.
    weights : np.ndarray
        Shape (n_resamples, n_clusters); how often each cluster was drawn. The first row is the sample itself, all ones.
    """

    labels: Shaped[np.ndarray, "target *output"]
    folds: Int[np.ndarray, " target"]
    clusters: Int[np.ndarray, " target"]
    weights: Float[np.ndarray, "resample cluster"]

    def where(self, kept: Bool[np.ndarray, " target"]) -> "Sample":
        """Return the sample of some of its targets, without resamples."""
        return replace(
            self,
            labels=self.labels[kept],
            folds=self.folds[kept],
            clusters=self.clusters[kept],
            weights=self.weights[:1],
        )


def cluster_weights(
    n_clusters: int, n_resamples: int, random: np.random.Generator
) -> Float[np.ndarray, "resample cluster"]:
    """Return a row of ones, then `n_resamples` rows of how often each cluster is drawn with replacement."""
    drawn = random.multinomial(n_clusters, np.full(n_clusters, 1.0 / n_clusters), size=n_resamples)
    return np.concatenate([np.ones((1, n_clusters)), drawn.astype(np.float64)])


def evaluate(metric: str, scores: Float[np.ndarray, "target output"], sample: Sample) -> Float[np.ndarray, " resample"]:
    """Return a metric of the sample and of each resample.

    Parameters
    ----------
    metric : str
        'auroc', 'r2' or 'macro_f1'.
    scores : np.ndarray
        Shape (n_targets, n_outputs), finite: decision values, predictions, or one value per class.
    sample : Sample
        Its targets in the same order.

    Returns
    -------
    np.ndarray
        Shape (n_resamples,); NaN where the metric is undefined, as where one class was drawn.
    """
    return {"auroc": auroc, "r2": r2, "macro_f1": macro_f1}[metric](scores, sample)


def _per_cluster(values: Float[np.ndarray, "target *column"], sample: Sample) -> Float[np.ndarray, "resample *column"]:
    sums = np.zeros((sample.weights.shape[1], values.shape[1]))
    np.add.at(sums, sample.clusters, values)
    return sample.weights @ sums


def r2(scores: Float[np.ndarray, "target output"], sample: Sample) -> Float[np.ndarray, " resample"]:
    """Return the coefficient of determination, pooled over folds, averaged over outputs."""
    labels = sample.labels.astype(float)
    n = _per_cluster(np.ones((len(labels), 1)), sample)
    total = _per_cluster(labels, sample)
    squares = _per_cluster(labels**2, sample)
    residual = _per_cluster((labels - scores) ** 2, sample)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (1.0 - residual / (squares - total**2 / n)).mean(axis=1)


def macro_f1(scores: Float[np.ndarray, "target output"], sample: Sample) -> Float[np.ndarray, " resample"]:
    """Return the mean F1 score of the classes that occur among the drawn targets; predictions pooled over folds."""
    classes = np.arange(scores.shape[1])
    true = sample.labels[:, None] == classes
    predicted = scores.argmax(axis=1)[:, None] == classes
    hits = _per_cluster((true & predicted).astype(float), sample)
    both = _per_cluster(true.astype(float) + predicted, sample)
    occurs = _per_cluster(true.astype(float), sample) > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        f1 = np.where(occurs, 2.0 * hits / both, 0.0)
        return f1.sum(axis=1) / occurs.sum(axis=1)


def auroc(scores: Float[np.ndarray, "target output"], sample: Sample) -> Float[np.ndarray, " resample"]:
    """Return the area under the ROC curve within each fold, averaged over the folds in which both classes were drawn.

    Scores of different folds come from different probes and are not comparable, so they are never pooled.
    """
    folds = np.unique(sample.folds)
    areas = np.stack([_auroc_of_fold(scores[rows, 0], rows, sample) for rows in (sample.folds == f for f in folds)])
    defined = np.isfinite(areas)
    with np.errstate(invalid="ignore"):
        return np.where(defined, areas, 0.0).sum(axis=0) / np.where(defined.any(axis=0), defined.sum(axis=0), np.nan)


def _auroc_of_fold(
    scores: Float[np.ndarray, " tested"], rows: Bool[np.ndarray, " target"], sample: Sample
) -> Float[np.ndarray, " resample"]:
    order = np.argsort(scores, kind="stable")
    ranked = scores[order]
    positive = sample.labels[rows][order] == 1
    weights = sample.weights[:, sample.clusters[rows][order]]
    below = np.cumsum(np.pad(weights * ~positive, ((0, 0), (1, 0))), axis=1)
    # A positive beats the negatives below it, and half of those that tie with it.
    least, greatest = (
        np.searchsorted(ranked, ranked[positive], "left"),
        np.searchsorted(ranked, ranked[positive], "right"),
    )
    won = (weights[:, positive] * (below[:, least] + below[:, greatest]) / 2.0).sum(axis=1)
    pairs = weights[:, positive].sum(axis=1) * below[:, -1]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(pairs > 0, won / pairs, np.nan)
