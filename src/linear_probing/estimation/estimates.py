"""Estimates with intervals for every model, task, part, split and layer, beside majority, text and control task."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from linear_probing import tables
from linear_probing.estimation.intervals import interval
from linear_probing.estimation.metrics import evaluate
from linear_probing.estimation.scores import Scores
from linear_probing.estimation.scoring import Sample
from linear_probing.estimation.views import Curves, View
from linear_probing.probing.runs import TYPES, labels_of
from linear_probing.settings import TEXT_MODEL, Study, Task
from linear_probing.store import layer_name

LAYERS = [
    "model",
    "task",
    "part",
    "split",
    "probe",
    "metric",
    "layer",
    "estimate",
    "lower",
    "upper",
    "n",
    "n_groups",
    "majority",
    "text_baseline",
    "control",
]
SELECTIVITY = [
    "model",
    "task",
    "part",
    "probe",
    "metric",
    "layer",
    "task_score",
    "control_score",
    "selectivity",
    "lower",
    "upper",
    "n",
    "n_groups",
]
BASELINES = ["baseline", "task", "part", "split", "metric", "estimate", "lower", "upper", "n", "n_groups"]


def majority_scores(task: Task, view: View, targets: pd.DataFrame) -> Float[np.ndarray, "target output"]:
    """Return what a probe without features would say: the training part's mean or its most frequent class."""
    labels = labels_of(task, targets)
    n_outputs = 3 if task.kind == "position" else 1 if task.kind == "binary" else int(labels.max()) + 1
    found = np.zeros((len(targets), n_outputs))
    if task.kind != "binary":
        for train, tested in tables.fold_masks(targets[tables.fold_column(view.split)]):
            known = labels[train]
            found[tested] = known.mean(axis=0) if task.kind == "position" else np.bincount(known, minlength=n_outputs)
    return found[view.rows]


def best_layers(inner_losses: Mapping[int, Mapping[int, float]]) -> dict[int, int]:
    """Return, for each fold, the layer of the least loss over its inner folds; the lowest of equals.

    No fit behind these losses has seen the fold that the layer is then scored on. The scores of the other folds would
    not do: their probes were trained on this fold's labels, and the estimate comes out too high (docs/validation.md).

    Parameters
    ----------
    inner_losses : Mapping[int, Mapping[int, float]]
        By layer and fold.

    Examples
    --------
    >>> best_layers({1: {0: 0.6, 1: 0.4}, 2: {0: 0.5, 1: 0.4}})
    {0: 2, 1: 1}
    """
    folds = sorted(set().union(*inner_losses.values()))
    return {fold: min(inner_losses, key=lambda layer: (inner_losses[layer][fold], layer)) for fold in folds}


def assemble(by_layer: Mapping[int, np.ndarray], chosen: Mapping[int, int], sample: Sample) -> np.ndarray:
    """Return the scores of each fold from the layer chosen for it."""
    found = np.empty_like(next(iter(by_layer.values())))
    for fold, layer in chosen.items():
        rows = sample.folds == fold
        found[rows] = by_layer[layer][rows]
    return found


def most_frequent(chosen: Sequence[int]) -> int:
    """Return the layer chosen most often; the lowest of equals."""
    counted = Counter(chosen)
    return min(counted, key=lambda layer: (-counted[layer], layer))


def baseline_rows(study: Study, scores: Scores, view: View) -> list[dict[str, Any]]:
    """Return the rows of baselines.csv for a view."""
    task = view.task
    found = {"majority": majority_scores(task, view, scores.targets[task.dataset])}
    for name in ("text", *(f"column:{column}" for column in task.baselines)):
        found[name] = scores.get(TEXT_MODEL, task, view.split, "true", name)[view.rows]
    rows = []
    for name, values in found.items():
        values_of_all = evaluate(task.metric, values, view.sample)
        estimate = interval(values_of_all, study.bootstrap.confidence, view.n_groups, view.n_folds)
        rows.append({"baseline": name, **view.keys, **vars(estimate), **view.counts})
    return rows


def layer_rows(curves: Curves, level: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return the rows of layers.csv for one view and model; `level` holds the flat controls."""
    rows = []
    for layer in curves.layers:
        controlled = curves.own(layer, "control")[0] if curves.view.control else np.nan
        row = {**curves.keys, "layer": layer, "probe": curves.task.probe, **level, **curves.view.counts}
        rows.append({**row, **vars(curves.estimate(curves.own(layer))), "control": float(controlled)})
    return rows


def selectivity_rows(curves: Curves) -> list[dict[str, Any]]:
    """Return the rows of selectivity.csv for one view and model: none where the control task has no scores."""
    if not curves.view.control:
        return []
    rows = []
    for layer in curves.layers:
        resampled, controlled = curves.own(layer), curves.own(layer, "control")
        difference = curves.estimate(resampled - controlled)
        both = {"task_score": float(resampled[0]), "control_score": float(controlled[0])}
        row = {**curves.keys, "layer": layer, "probe": curves.task.probe, **curves.view.counts, **both}
        rows.append({**row, **vars(difference), "selectivity": difference.estimate})
    return rows


def best_layer_row(curves: Curves, level: Mapping[str, float]) -> dict[str, Any]:
    """Return the row of best_layer.csv for one view and model."""
    view, task = curves.view, curves.task
    by_layer = {
        layer: curves.scores.get(curves.model, task, view.split, "true", layer_name(layer))[view.rows]
        for layer in curves.layers
    }
    folds = set(view.sample.folds.tolist())
    chosen = {fold: layer for fold, layer in best_layers(curves.inner_losses()).items() if fold in folds}
    found = curves.estimate(evaluate(task.metric, assemble(by_layer, chosen, view.sample), view.sample))
    row = {**curves.keys, "probe": task.probe, "layer": most_frequent(list(chosen.values()))}
    return {**row, **level, **view.counts, **vars(found), "control": np.nan}


def fill_controls(rows: list[dict[str, Any]], layers: list[dict[str, Any]]) -> None:
    """Write into `rows` the control task's score at the same model, task, part and layer, from the rows of `types`."""
    keys = ("model", "task", "part", "layer")
    found = {tuple(row[key] for key in keys): row["control"] for row in layers if row["split"] == TYPES}
    for row in rows:
        row["control"] = found.get(tuple(row[key] for key in keys), np.nan)
