"""The same targets under folds that were drawn anew: the spread over seeds, and the curve over training groups."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from linear_probing.estimation.views import Curves
from linear_probing.splits import share_of

SEEDS = ["model", "task", "part", "probe", "metric", "layer", "n_seeds", "mean", "sd", "least", "greatest"]
LEARNING = [
    "model",
    "task",
    "part",
    "probe",
    "metric",
    "layer",
    "share",
    "n_training_groups",
    "estimate",
    "lower",
    "upper",
    "n",
    "n_groups",
]


def seed_rows(by_seed: Sequence[Curves]) -> list[dict[str, Any]]:
    """Return the rows of seeds.csv: how the estimate differs between dealings of the groups to folds.

    Parameters
    ----------
    by_seed : sequence of Curves
        The stored split by group first, then the others. No rows where none of the others has scores.

    Returns
    -------
    list of dict
        `sd` with n - 1. It tells what the folds do; what other groups would do, the intervals tell.
    """
    rows = []
    for layer in by_seed[0].layers if by_seed else ():
        found = [curves.values(curves.task.probe, layer) for curves in by_seed]
        estimates = [float(values[0]) for values in found if values is not None]
        if len(estimates) < 2:
            continue
        spread = {
            "n_seeds": len(estimates),
            "mean": float(np.mean(estimates)),
            "sd": float(np.std(estimates, ddof=1)),
            "least": min(estimates),
            "greatest": max(estimates),
        }
        rows.append({**by_seed[0].keys, "probe": by_seed[0].task.probe, "layer": layer, **spread})
    return rows


def learning_rows(by_share: Sequence[Curves]) -> list[dict[str, Any]]:
    """Return the rows of learning.csv: the task's own probe after a share of the training groups, ascending.

    Parameters
    ----------
    by_share : sequence of Curves
        Views of the split by group and of the splits that train on less. No rows where there is no score of less.
    """
    ordered = sorted(by_share, key=lambda curves: share_of(curves.view.split) or 0.0)
    rows = []
    for curves in ordered:
        for layer in curves.layers:
            found = curves.values(curves.task.probe, layer)
            if found is not None:
                row = {**curves.keys, "probe": curves.task.probe, "layer": layer, **curves.view.counts}
                share = {"share": share_of(curves.view.split), "n_training_groups": curves.n_training_groups}
                rows.append({**row, **share, **vars(curves.estimate(found))})
    return rows if any(row["share"] < 1 for row in rows) else []
