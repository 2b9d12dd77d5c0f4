"""Estimates with intervals for every model, task, part, split and layer, beside majority, text and control task."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from tqdm import tqdm

from linear_probing import tables
from linear_probing.estimation.scores import Scores
from linear_probing.estimation.scoring import Sample, cluster_weights, evaluate
from linear_probing.probes import TYPES, labels_of
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


@dataclass(frozen=True)
class Estimate:
    """A metric and its percentile bootstrap interval."""

    estimate: float
    lower: float
    upper: float


@dataclass(frozen=True)
class View:
    """One task under one split, on one part: which targets, their sample, and that of the control task."""

    task: Task
    split: str
    part: str
    rows: np.ndarray
    sample: Sample
    control: Sample | None

    @property
    def keys(self) -> dict[str, Any]:
        """The columns that name this view in a table."""
        return {"task": self.task.name, "part": self.part, "split": self.split, "metric": self.task.metric}

    @property
    def counts(self) -> dict[str, int]:
        """Targets and clusters."""
        return {"n": len(self.rows), "n_groups": self.sample.weights.shape[1]}


@dataclass(frozen=True)
class EstimateTables:
    """The tables of the same names."""

    layers: pd.DataFrame
    best_layer: pd.DataFrame
    selectivity: pd.DataFrame
    baselines: pd.DataFrame


def views(study: Study, scores: Scores, task: Task) -> Iterator[View]:
    """Yield a task's views: every split, and of each all targets, then its parts; only targets that some fold tests."""
    targets = scores.targets[task.dataset]
    labels = labels_of(task, targets)
    control = next((a[f"control|{task.name}"] for a in scores.arrays.values() if f"control|{task.name}" in a), None)
    for split in task.splits:
        masks = tables.fold_masks(targets[tables.fold_column(split)])
        folds = np.full(len(targets), -1)
        for fold, (_, tested) in enumerate(masks):
            folds[tested] = fold
        clusters = targets[tables.cluster_column(targets, split)].to_numpy(str)
        for part in ("all", *sorted(set(targets["part"]) - {""})):
            rows = np.flatnonzero((folds >= 0) & ((part == "all") | (targets["part"] == part).to_numpy()))
            if not len(rows):
                continue
            inside = np.unique(clusters[rows], return_inverse=True)[1]
            random = np.random.default_rng([study.seed, *f"{task.name}|{split}|{part}".encode()])
            weights = cluster_weights(int(inside.max()) + 1, study.bootstrap.n_resamples, random)
            sample = Sample(labels[rows], folds[rows], inside, weights)
            relabelled = None
            if split == TYPES and control is not None:
                drawn = control if task.kind == "position" else control[:, 0].astype(int)
                relabelled = Sample(drawn[rows], folds[rows], inside, weights)
            yield View(task, split, part, rows, sample, relabelled)


def interval(values: Float[np.ndarray, " resample"], confidence: float) -> Estimate:
    """Return the first value with the percentiles of the others; NaN where a third of them is undefined.

    Examples
    --------
    >>> interval(np.array([0.5, *np.linspace(0, 1, 101)]), 0.9)
    Estimate(estimate=0.5, lower=0.05, upper=0.95)
    """
    resampled = values[1:]
    lower = upper = np.nan
    if np.isfinite(resampled).mean() > 2 / 3:
        lower, upper = np.nanquantile(resampled, [(1 - confidence) / 2, (1 + confidence) / 2]).round(12)
    return Estimate(float(values[0]), float(lower), float(upper))


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


def best_layers(metric: str, by_layer: Mapping[int, np.ndarray], sample: Sample) -> dict[int, int]:
    """Return, for each fold, the layer that is best on the OTHER folds; the lowest of equals.

    So the choice never sees the targets that it is then scored on.
    """
    chosen = {}
    for fold in np.unique(sample.folds):
        others = sample.folds != fold
        rest = sample.where(others)
        found = {layer: evaluate(metric, values[others], rest)[0] for layer, values in by_layer.items()}
        chosen[int(fold)] = max(found, key=lambda layer: (np.nan_to_num(found[layer], nan=-np.inf), -layer))
    return chosen


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
        estimate = interval(evaluate(task.metric, values, view.sample), study.bootstrap.confidence)
        rows.append({"baseline": name, **view.keys, **vars(estimate), **view.counts})
    return rows


def layer_rows(
    study: Study, scores: Scores, view: View, model: str, level: Mapping[str, float]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the rows of layers.csv and of selectivity.csv for one view and model; `level` holds the flat controls."""
    task, confidence = view.task, study.bootstrap.confidence
    rows, selective = [], []
    for layer in scores.layers(model, task):
        values = scores.get(model, task, view.split, "true", layer_name(layer))[view.rows]
        resampled = evaluate(task.metric, values, view.sample)
        row = {"model": model, **view.keys, "layer": layer, "probe": task.probe, **level, **view.counts}
        rows.append({**row, **vars(interval(resampled, confidence)), "control": np.nan})
        if view.control is None:
            continue
        drawn = scores.get(model, task, view.split, "control", layer_name(layer))[view.rows]
        controlled = evaluate(task.metric, drawn, view.control)
        rows[-1]["control"] = float(controlled[0])
        difference = interval(resampled - controlled, confidence)
        both = {"task_score": float(resampled[0]), "control_score": float(controlled[0])}
        selective.append({**row, **both, **vars(difference), "selectivity": difference.estimate})
    return rows, selective


def best_layer_row(study: Study, scores: Scores, view: View, model: str, level: Mapping[str, float]) -> dict[str, Any]:
    """Return the row of best_layer.csv for one view and model."""
    task = view.task
    by_layer = {
        layer: scores.get(model, task, view.split, "true", layer_name(layer))[view.rows]
        for layer in scores.layers(model, task)
    }
    chosen = best_layers(task.metric, by_layer, view.sample)
    found = interval(
        evaluate(task.metric, assemble(by_layer, chosen, view.sample), view.sample), study.bootstrap.confidence
    )
    row = {"model": model, **view.keys, "layer": most_frequent(list(chosen.values())), "probe": task.probe}
    return {**row, **level, **view.counts, **vars(found), "control": np.nan}


def fill_controls(rows: list[dict[str, Any]], layers: list[dict[str, Any]]) -> None:
    """Write into `rows` the control task's score at the same model, task, part and layer, from the rows of `types`."""
    keys = ("model", "task", "part", "layer")
    found = {tuple(row[key] for key in keys): row["control"] for row in layers if row["split"] == TYPES}
    for row in rows:
        row["control"] = found.get(tuple(row[key] for key in keys), np.nan)


def estimate_tables(study: Study, scores: Scores) -> EstimateTables:
    """Return the tables of estimates of a study, sorted by model, then as the configuration has tasks and splits."""
    layers, best, selectivity, baselines = [], [], [], []
    for task in tqdm(study.tasks, unit="task", disable=None):
        for view in views(study, scores, task):
            flat = baseline_rows(study, scores, view)
            baselines += flat
            level = {"majority": flat[0]["estimate"], "text_baseline": flat[1]["estimate"]}
            for model in study.models:
                rows, selective = layer_rows(study, scores, view, model.name, level)
                layers += rows
                selectivity += selective
                best.append(best_layer_row(study, scores, view, model.name, level))
    fill_controls(layers, layers)
    fill_controls(best, layers)
    place = {model.name: number for number, model in enumerate(study.models)}

    def table(rows: list[dict[str, Any]], columns: list[str]) -> pd.DataFrame:
        # A stable sort: within a model the order is that of the loops above.
        ordered = sorted(rows, key=lambda row: place.get(row.get("model", ""), 0))
        return pd.DataFrame.from_records(ordered, columns=columns)

    return EstimateTables(
        table(layers, LAYERS), table(best, LAYERS), table(selectivity, SELECTIVITY), table(baselines, BASELINES)
    )
