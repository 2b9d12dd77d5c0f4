"""A task under a split on a part: its sample; and what a model's probes score there, with all resamples, once."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from linear_probing import tables
from linear_probing.estimation.intervals import Estimate, interval_of
from linear_probing.estimation.metrics import evaluate
from linear_probing.estimation.scores import DO, Scores, StatisticsError
from linear_probing.estimation.scoring import Sample, draw
from linear_probing.probing.runs import TYPES, labels_of
from linear_probing.settings import Study, Task
from linear_probing.splits import masks_for
from linear_probing.store import layer_name

ALL = "all"


@dataclass(frozen=True)
class View:
    """One task under one split, on one part.

    Parameters
    ----------
    task, split, part
        Which; the part `all` is all targets.
    rows : np.ndarray
        The targets that some fold tests.
    sample : Sample
        Of these targets.
    control : Sample, optional
        The same targets with the labels of the control task.
    n_groups : int
        How many units the resamples draw from: the clusters, or the blocks that they are made of.
    """

    task: Task
    split: str
    part: str
    rows: Int[np.ndarray, " tested"]
    sample: Sample
    control: Sample | None
    n_groups: int

    @property
    def n_folds(self) -> int:
        """Folds whose probes scored these targets."""
        return len(np.unique(self.sample.folds))

    @property
    def keys(self) -> dict[str, Any]:
        """The columns that name this view in a table."""
        return {"task": self.task.name, "part": self.part, "split": self.split, "metric": self.task.metric}

    @property
    def counts(self) -> dict[str, int]:
        """Targets and units."""
        return {"n": len(self.rows), "n_groups": self.n_groups}

    def under(self, split: str, folds: Int[np.ndarray, " target"], resampled: bool = True) -> "View":
        """Return the same targets and draws in the folds of another split, so that what is compared is paired."""
        sample = self.sample if resampled else self.sample.where(np.ones(len(self.rows), bool))
        return replace(self, split=split, sample=replace(sample, folds=folds[self.rows]), control=None)


def folds_of(study: Study, task: Task, targets: pd.DataFrame, split: str) -> Int[np.ndarray, " target"]:
    """Return the fold that tests each target, -1 where none does."""
    folds = np.full(len(targets), -1)
    for fold, (_, tested) in enumerate(masks_for(study, task, targets, split)):
        folds[tested] = fold
    return folds


def views(study: Study, scores: Scores, task: Task) -> Iterator[View]:
    """Yield a task's views: every split, and of each all targets, then its parts; only targets that some fold tests."""
    targets = scores.targets[task.dataset]
    labels = labels_of(task, targets)
    control = next((a[f"control|{task.name}"] for a in scores.arrays.values() if f"control|{task.name}" in a), None)
    for split in task.splits:
        folds = folds_of(study, task, targets, split)
        cells = targets[tables.cluster_column(targets, split)].to_numpy(str)
        fixed = tables.fixed_test(targets[tables.fold_column(split)])
        for part in (ALL, *sorted(set(targets["part"]) - {""})):
            tested = (folds >= 0) & ((part == ALL) | (targets["part"] == part).to_numpy())
            rows = np.flatnonzero(tested if fixed is None else tested & fixed)
            if not len(rows):
                continue
            random = np.random.default_rng([study.seed, *f"{task.name}|{split}|{part}".encode()])
            clusters, weights, n_groups = draw(cells[rows], study.bootstrap.n_resamples, random)
            sample = Sample(labels[rows], folds[rows], clusters, weights)
            relabelled = None
            if split == TYPES and control is not None:
                drawn = control if task.kind == "position" else control[:, 0].astype(int)
                relabelled = Sample(drawn[rows], folds[rows], clusters, weights)
            yield View(task, split, part, rows, sample, relabelled, n_groups)


@dataclass(frozen=True)
class Curves:
    """What one model's probes score in a view, layer by layer, with all resamples; computed when first asked for."""

    study: Study
    scores: Scores
    model: str
    view: View
    known: dict[tuple[str, int, str, str], Float[np.ndarray, " resample"]] = field(default_factory=dict)

    @property
    def task(self) -> Task:
        """The view's task."""
        return self.view.task

    @property
    def keys(self) -> dict[str, Any]:
        """The columns that name a row, but for probe and layer."""
        return {"model": self.model, **self.view.keys}

    @property
    def layers(self) -> list[int]:
        """The layers of the task's own probe."""
        return self.scores.layers(self.model, self.task)

    @cached_property
    def n_training_groups(self) -> float:
        """Groups that a fold trains on, the mean over folds; at least two a fold stay, so shares are of no less."""
        targets = self.scores.targets[self.task.dataset]
        masks = masks_for(self.study, self.task, targets, self.view.split)
        return float(np.mean([targets["group"][train].nunique() for train, _ in masks]))

    def own(self, layer: int, labeling: str = "true") -> Float[np.ndarray, " resample"]:
        """Return the task's metric by the task's own probe, of the sample and each resample.

        Raises
        ------
        StatisticsError
            If its scores are missing, or those of a target that a fold tests.
        """
        found = self.scores.get(self.model, self.task, self.view.split, labeling, layer_name(layer))
        return self._resampled((self.task.probe, layer, labeling, self.task.metric), found)

    def values(
        self, probe: str, layer: int, labeling: str = "true", metric: str | None = None
    ) -> Float[np.ndarray, " resample"] | None:
        """Return a metric, the task's by default, by any probe; None where there are no such scores.

        Raises
        ------
        StatisticsError
            If a target that a fold tests has no score.
        """
        found = self.scores.find(self.model, self.task, self.view.split, labeling, probe, layer_name(layer))
        if found is None or (labeling == "control" and self.view.control is None):
            return None
        return self._resampled((probe, layer, labeling, metric or self.task.metric), found)

    def inner_losses(self) -> dict[int, dict[int, float]]:
        """Return by layer and fold the inner loss of the task's own probe; of all targets, whatever the view's part.

        Raises
        ------
        StatisticsError
            If fits.csv does not say it for a layer.
        """
        fits = self.scores.fits
        keys = {
            "model": self.model,
            "task": self.task.name,
            "split": self.view.split,
            "labeling": "true",
            "probe": self.task.probe,
        }
        own = fits[np.logical_and.reduce([fits[column] == value for column, value in keys.items()])]
        found = {}
        for layer in self.layers:
            rows = own[own["features"] == layer_name(layer)]
            found[layer] = {} if "inner_loss" not in rows else dict(zip(rows["fold"], rows["inner_loss"], strict=True))
            known = set(self.view.sample.folds.tolist()) <= set(found[layer])
            if not known or not np.isfinite(list(found[layer].values())).all():
                raise StatisticsError(
                    f"fits of {self.model} for {self.task.name}, {self.view.split}, {layer_name(layer)}: a fold has no "
                    "inner loss",
                    likely="the probes were fitted by an earlier version",
                    do=DO,
                )
        return found

    def _resampled(
        self, key: tuple[str, int, str, str], found: Float[np.ndarray, "target output"]
    ) -> Float[np.ndarray, " resample"]:
        if key not in self.known:
            probe, layer, labeling, metric = key
            tested = found[self.view.rows].astype(float)
            absent = ~np.isfinite(tested).all(axis=1)
            if absent.any():
                of = f"{self.model} for {self.task.name}, {self.view.split}, {labeling}, {probe}, {layer_name(layer)}"
                raise StatisticsError(
                    f"scores of {of}: {absent.sum():,} of {len(tested):,} tested targets have none",
                    likely="they were made with other folds",
                    do=DO,
                )
            sample = self.view.control if labeling == "control" and self.view.control else self.view.sample
            self.known[key] = evaluate(metric, tested, sample)
        return self.known[key]

    def estimate(self, values: Float[np.ndarray, " resample"], metric: str = "") -> Estimate:
        """Return the first value with the interval of the others; `metric` names one whose resamples are biased."""
        return interval_of(metric, values, self.study.bootstrap.confidence, self.view.n_groups, self.view.n_folds)
