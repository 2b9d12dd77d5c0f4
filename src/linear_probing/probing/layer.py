"""All that is fitted to one layer for one task: its own probe, the others, permuted labels, the online code.

In: features and the task's plan, which is the same for every layer. Out: arrays, rows and directions, entered into
`Probed`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from linear_probing import tables
from linear_probing.directions import Direction, from_pipeline, is_linear
from linear_probing.probing import code_length, estimators, permutations
from linear_probing.probing.fitting import Known, fit_folds, fit_once
from linear_probing.probing.runs import TYPES, names_of, runs_of
from linear_probing.probing.sweep import Linear, Run, sweep, trained_by_any
from linear_probing.settings import ProbeSpec, Study, Task
from linear_probing.solving import logistic
from linear_probing.solving.parts import scored_folds
from linear_probing.splits import GROUP
from linear_probing.store import layer_name
from linear_probing.tables import Tables


@dataclass(frozen=True)
class Probed:
    """Arrays by key, rows of fits.csv, checks.csv and code.csv, permuted scores, and directions; see probes.py."""

    scores: dict[str, np.ndarray] = field(default_factory=dict)
    fits: list[dict[str, Any]] = field(default_factory=list)
    checks: list[dict[str, Any]] = field(default_factory=list)
    code: list[dict[str, Any]] = field(default_factory=list)
    permuted: dict[str, np.ndarray] = field(default_factory=dict)
    directions: list[Direction] = field(default_factory=list)

    def enter(self, task: Task, run: Run, probe: str, features: str, scores: np.ndarray, fits: Any) -> None:
        """Enter the scores and fits of a run: of the targets that are scored, which are told where they are not all."""
        rows = np.flatnonzero(np.logical_or.reduce([run.masks[fold][1] for fold in scored_folds(run.masks)]))
        if len(rows) < len(scores):
            self.scores[f"rows|{task.name}|{run.split}"] = rows.astype(np.int32)
            scores = scores[rows]
        self.scores["|".join((task.name, run.split, run.labeling, probe, features))] = scores
        row = {"task": task.name, "split": run.split, "labeling": run.labeling, "probe": probe, "features": features}
        for fit in fits:
            words = {**row, "penalty": np.nan, **vars(fit)}
            self.fits.append({**words, "note": "; ".join(note for note in (run.note, fit.note) if note)})
        if run.labeling == "control":
            self.scores[f"control|{task.name}"] = run.labels.reshape(len(run.labels), -1).astype(np.float32)


@dataclass(frozen=True)
class Plan:
    """What is fitted for one task at every layer.

    Parameters
    ----------
    study, task, data
        What is probed.
    runs : tuple[Run, ...]
        Of the task's own probe; the first is of the split by group.
    others : tuple[tuple[ProbeSpec, Any], ...]
        The other probes that suit the task, with their estimators.
    shuffled : np.ndarray, optional
        Of each permutation the targets whose labels stand at each place, (n_permutations, n_targets); None for no test.
    full : bool
        False for the twins that repeat the main probe with other random weights.
    """

    study: Study
    task: Task
    data: Tables
    runs: tuple[Run, ...]
    others: tuple[tuple[ProbeSpec, Any], ...]
    shuffled: np.ndarray | None
    full: bool

    @property
    def n_classes(self) -> int:
        """Classes of the task; 0 for numbers."""
        return 0 if self.task.kind == "position" else int(self.runs[0].labels.max()) + 1


def plan_of(study: Study, task: Task, data: Tables, full: bool) -> Plan:
    """Return what to fit; parameters as of `Plan`."""
    runs = tuple(runs_of(study, task, data, drawn=full))
    specs = [spec for spec in study.probes if full and estimators.suits(spec, task.kind)]
    made = [estimators.make(spec.name, spec.path, spec.parameters, task.kind, study.seed) for spec in specs]
    shuffled = None
    if full and study.n_permutations:
        random = np.random.default_rng([study.seed, *task.name.encode()])
        groups, folds = (data.targets[name].to_numpy(str) for name in ("group", tables.fold_column(GROUP)))
        shuffled = permutations.permutations(runs[0].labels, groups, study.n_permutations, random, folds)
    return Plan(study, task, data, runs, tuple(zip(specs, made, strict=True)), shuffled, full)


def probe_layer(probed: Probed, states: Float[np.ndarray, "target d"], layer: int, plan: Plan) -> None:
    """Fit all that is planned to one layer's states."""
    study, task, features = plan.study, plan.task, layer_name(layer)
    penalties = study.penalties["logistic" if task.probe == "logistic" else "ridge"]
    swept = sweep(states, plan.runs, task.probe, penalties, plan.n_classes)
    for run, outcome in zip(plan.runs, swept.outcomes, strict=True):
        probed.enter(task, run, task.probe, features, outcome.scores, outcome.fits)
    if not plan.full:
        return
    probed.directions.extend(_direction(plan, layer, linear) for linear in swept.probes)
    for spec, estimator in plan.others:
        _probe_otherwise(probed, states, layer, plan, spec.name, estimator)
    if plan.shuffled is not None:
        _permute(probed, states, features, plan)
    if study.code_length and task.probe == "logistic":
        _code(probed, states, features, plan)


def _direction(plan: Plan, layer: int, linear: Linear) -> Direction:
    task = plan.task
    return Direction(
        task.name,
        task.probe,
        layer,
        "all" if linear.fold is None else str(linear.fold),
        names_of(task, plan.data.targets),
        task.metric,
        linear.penalty,
        linear.mean,
        linear.scale,
        linear.coefficients,
        linear.intercept,
        split=plan.runs[0].split,
    )


def _probe_otherwise(
    probed: Probed, states: Float[np.ndarray, "target d"], layer: int, plan: Plan, name: str, estimator: Any
) -> None:
    names, task = names_of(plan.task, plan.data.targets), plan.task
    known: Known = {}
    for run in (run for run in plan.runs if run.split in (GROUP, TYPES)):
        found = fit_folds(estimator, states, run.labels, run.masks, known)
        probed.enter(task, run, name, layer_name(layer), found.scores, found.fits)
        if run is not plan.runs[0] or not is_linear(found.pipelines[0], states):
            continue
        of_all, _ = fit_once(estimator, states, run.labels, trained_by_any(run.masks), known)
        folds = [*(str(fit.fold) for fit in found.fits), "all"]
        for fold, fitted in zip(folds, (*found.pipelines, of_all), strict=True):
            direction = from_pipeline(
                fitted, task=task.name, probe=name, layer=layer, names=names, metric=task.metric, fold=fold
            )
            probed.directions.append(replace(direction, split=run.split))


def parts_of(targets: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the targets over which scores are taken, all and each part; of a data set's own test part alone."""
    parts = {str(part): (targets["part"] == part).to_numpy() for part in sorted(set(targets["part"]) - {""})}
    fixed = tables.fixed_test(targets[tables.fold_column(GROUP)])
    scored = np.ones(len(targets), dtype=bool) if fixed is None else fixed
    return {"all": scored, **{name: part & scored for name, part in parts.items() if (part & scored).any()}}


def _permute(probed: Probed, states: Float[np.ndarray, "target d"], features: str, plan: Plan) -> None:
    assert plan.shuffled is not None
    run = plan.runs[0]
    alphas, metric = plan.study.penalties["ridge"], plan.task.metric
    parts = parts_of(plan.data.targets)
    found = permutations.null_scores(states, run.labels, run.masks, metric, alphas, plan.shuffled, parts)
    probed.permuted.update({f"{plan.task.name}|{part}|{features}": scores for part, scores in found.items()})


def _code(probed: Probed, states: Float[np.ndarray, "target d"], features: str, plan: Plan) -> None:
    random = np.random.default_rng([plan.study.seed, *plan.task.name.encode()])
    groups, penalties = plan.data.targets["group"].to_numpy(str), plan.study.penalties["logistic"]
    codes = code_length.code_length(states, plan.runs[0].labels, groups, penalties, random, fit_portions)
    probed.code.extend({"task": plan.task.name, "features": features, **vars(code)} for code in codes)


def fit_portions(
    features: Float[np.ndarray, "target d"],
    labels: np.ndarray,
    trained: Sequence[np.ndarray],
    coded: Sequence[np.ndarray],
    penalties: Sequence[float],
    n_classes: int,
) -> list[np.ndarray]:
    """Return per portion the probabilities (n_penalties, n_coded, n_classes): all fits at once; a `code_length.Fit`."""
    if not trained:
        return []
    rows = np.zeros((len(features), len(trained)), dtype=bool)
    for part, members in enumerate(trained):
        rows[members, part] = True
    problems = [(part, 0, penalty) for part in range(len(trained)) for penalty in penalties]
    scaled = logistic.scale_parts(features, rows)
    found = logistic.fit(scaled, labels[:, None], problems, n_classes)
    probabilities = logistic.probabilities(found.values)
    by_portion = probabilities.reshape(len(features), len(trained), len(penalties), n_classes)
    return [by_portion[members, part].transpose(1, 0, 2) for part, members in enumerate(coded)]
