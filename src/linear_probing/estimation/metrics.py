"""Every metric by its name."""

import numpy as np
from jaxtyping import Float

from linear_probing.estimation.probabilities import balanced_accuracy, brier, calibration_error, log_loss
from linear_probing.estimation.ranks import median_km, spearman
from linear_probing.estimation.scoring import Sample, auroc, macro_f1, r2

METRICS = {
    "auroc": auroc,
    "r2": r2,
    "macro_f1": macro_f1,
    "balanced_accuracy": balanced_accuracy,
    "log_loss": log_loss,
    "brier": brier,
    "calibration_error": calibration_error,
    "spearman": spearman,
    "median_km": median_km,
}


def evaluate(metric: str, scores: Float[np.ndarray, "target output"], sample: Sample) -> Float[np.ndarray, " resample"]:
    """Return a metric of the sample and of each resample.

    Parameters
    ----------
    metric : str
        One of `METRICS`.
    scores : np.ndarray
        Shape (n_targets, n_outputs), finite: decision values, predictions, or one value per class. Metrics of
        probabilities take log odds or logits.
    sample : Sample
        Its targets in the same order.

    Returns
    -------
    np.ndarray
        Shape (n_resamples,); NaN where the metric is undefined, as where one class was drawn.
    """
    return METRICS[metric](scores, sample)
