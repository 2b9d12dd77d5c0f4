"""Secondary metrics of every probe, under the split by group: decisions, probabilities, ranks and kilometres."""

from typing import Any

from linear_probing.estimation.views import Curves

METRICS_TABLE = [
    "model",
    "task",
    "part",
    "split",
    "probe",
    "layer",
    "metric",
    "estimate",
    "lower",
    "upper",
    "n",
    "n_groups",
]
PROBABILISTIC = ("logistic", "lda", "mlp")
"""Probes whose scores are log odds or logits; the scores of others have no probability."""
OF_DECISIONS = ("balanced_accuracy",)
OF_PROBABILITIES = ("log_loss", "brier", "calibration_error")
OF_PLACES = ("spearman", "median_km")


def secondary_metrics(kind: str, probe: str) -> tuple[str, ...]:
    """Return the metrics that a probe's scores of a kind of task have beside the task's own.

    Examples
    --------
    >>> secondary_metrics("binary", "mean_difference")
    ('balanced_accuracy',)
    """
    if kind == "position":
        return OF_PLACES
    return OF_DECISIONS + (OF_PROBABILITIES if probe in PROBABILISTIC else ())


def metric_rows(curves: Curves) -> list[dict[str, Any]]:
    """Return the rows of metrics.csv for one view and model."""
    rows = []
    for probe in (curves.task.probe, *curves.scores.other_probes(curves.model, curves.task)):
        for layer in curves.scores.layers(curves.model, curves.task, curves.view.split, probe):
            row = {**curves.keys, "probe": probe, "layer": layer, **curves.view.counts}
            for metric in secondary_metrics(curves.task.kind, probe):
                found = curves.values(probe, layer, metric=metric)
                if found is not None:
                    rows.append({**row, "metric": metric, **vars(curves.estimate(found, metric))})
    return rows
