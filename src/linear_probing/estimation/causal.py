"""Causal: what edits did to a model's answers, against the counterfactual and against random directions.

The normalised indirect effect (Marks & Tegmark 2023) is the mean change of the preference, over the difference between
the counterfactuals' preference and the targets' own: 0 where an edit does nothing, 1 where the model then answers as it
does to the counterfactual, one half where it prefers neither.

A direction is compared with each random one at its greatest over layers, so that having looked at all layers is
accounted for (Westfall & Young 1993). Effects grow from layer to layer by orders of magnitude, whatever the direction:
each is first divided by the root mean square of all effects of its layer, the direction's own among them, or the last
layers alone would decide. This is done for the indirect effect, and for log odds, which go on growing where
probabilities have come to their end: there, all directions that turn an answer round look alike.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from linear_probing import store
from linear_probing.behaviour import UNIT
from linear_probing.estimation.intervals import Estimate, interval
from linear_probing.estimation.scores import StatisticsError
from linear_probing.estimation.scoring import draw
from linear_probing.estimation.significance import holm, p_value
from linear_probing.settings import Study
from linear_probing.steering.layout import (
    ANSWERED,
    CLEAN,
    CONTROLS,
    COUNTERFACTUAL,
    EFFECTS,
    ELSEWHERE,
    LEAST_CONTROLS,
    LEVEL,
    LOG_ODDS,
    PAIRS,
    PREFERENCE,
)
from linear_probing.steering.runs import is_tested
from linear_probing.store import layer_name

CAUSAL = [
    *("model", "task", "operation", "direction", "of_task", "of_layer", "layer", "strength"),
    *("estimate", "lower", "upper", "n", "n_groups", "change", "log_odds", "answered", "loss"),
    *("control_95", "control_greatest", "control_loss", "p_value", "p_log_odds", "n_controls"),
]
TESTS = [
    *("model", "task", "operation", "direction", "layer", "estimate", "control_95", "p_value", "p_holm"),
    *("p_log_odds", "p_log_odds_holm", "n_tasks", "acts_from", "acts_to", "n_layers", "n_controls"),
]
Row = dict[str, Any]


@dataclass(frozen=True)
class Intervened:
    """What the interventions stage wrote of one model and data set."""

    model: str
    pairs: pd.DataFrame
    effects: Mapping[str, np.ndarray]
    controls: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Drawn:
    """One task's pairs with their resamples.

    Parameters
    ----------
    clusters : np.ndarray
        Shape (n_pairs,).
    weights : np.ndarray
        Shape (n_resamples + 1, n_clusters).
    gap : np.ndarray
        Shape (n_pairs,): the counterfactual's preference less the target's own.
    """

    clusters: np.ndarray
    weights: np.ndarray
    gap: Float[np.ndarray, " pair"]
    n_groups: int
    n_folds: int
    confidence: float

    def mean(self, values: Float[np.ndarray, " pair"]) -> Float[np.ndarray, " resample"]:
        """Return the sums of values in each resample."""
        sums = np.bincount(self.clusters, values, self.weights.shape[1])
        return np.asarray(self.weights @ sums)

    def prefers(self) -> bool:
        """Return whether the model answers targets and counterfactuals differently: else no effect has a scale."""
        found = interval(self.mean(self.gap), self.confidence, self.n_groups, self.n_folds)
        return bool(found.lower > 0 or (found.estimate > 0 and np.isnan(found.lower)))

    def indirect_effect(self, change: Float[np.ndarray, " pair"]) -> Estimate:
        """Return the normalised indirect effect with its interval; NaN where the model prefers nothing."""
        if not self.prefers():
            return Estimate(float("nan"), float("nan"), float("nan"))
        with np.errstate(divide="ignore", invalid="ignore"):
            values = self.mean(change) / self.mean(self.gap)
        return interval(values, self.confidence, self.n_groups, self.n_folds)


def read_intervened(folders: Sequence[Path]) -> list[Intervened]:
    """Read folders of the interventions stage, which stand in one of their model.

    Raises
    ------
    StatisticsError, StoreError
        If a file is missing or cut.
    """
    found = []
    for folder in folders:
        try:
            names = dict.fromkeys(("group", "counterfactual_group"), str)
            pairs = pd.read_csv(folder / PAIRS, dtype=names, keep_default_na=False, na_values=[""])
        except (OSError, ValueError) as error:
            raise StatisticsError(
                f"{PAIRS} cannot be read: {error}", file=folder / PAIRS, do="delete the folder and run snakemake again"
            ) from error
        arrays = (store.read_tensors(folder / name) for name in (EFFECTS, CONTROLS))
        found.append(Intervened(folder.parent.name, pairs, *arrays))
    return found


def causal_tables(study: Study, found: Sequence[Intervened]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return causal.csv, a row per edit, and causal_tests.csv, a row per task, operation and kind of direction.

    Parameters
    ----------
    study : Study
    found : Sequence[Intervened]
        Of all its models and data sets.
    """
    rows, tests = list[Row](), list[Row]()
    for name in study.interventions.tasks if study.interventions else ():
        for one in found:
            if name in set(one.pairs["task"]):
                of_task = list(_rows(study, one, name))
                rows += of_task
                tests += _tests(one, name, of_task)
    place = {model.name: number for number, model in enumerate(study.models)}
    rows.sort(key=lambda row: place[row["model"]])
    tests.sort(key=lambda row: place[row["model"]])
    _correct(tests)
    return pd.DataFrame.from_records(rows, columns=CAUSAL), pd.DataFrame.from_records(tests, columns=TESTS)


def _drawn(study: Study, one: Intervened, task: str) -> Drawn:
    pairs = one.pairs[one.pairs["task"] == task]
    random = np.random.default_rng([study.seed, *f"causal|{task}".encode()])
    # A pair of two groups depends on both, as a pair of numbers on both numbers.
    both = pairs["group"].astype(str) + "|" + pairs["counterfactual_group"].astype(str)
    cells = pairs["group"].astype(str).where(pairs["group"] == pairs["counterfactual_group"], both)
    clusters, weights, n_groups = draw(cells.to_numpy(str), study.bootstrap.n_resamples, random)
    gap = one.effects[f"{task}|{COUNTERFACTUAL}"][:, PREFERENCE].astype(float) - _clean(one, task)[:, PREFERENCE]
    return Drawn(clusters, weights, gap, n_groups, pairs["fold"].nunique(), study.bootstrap.confidence)


def _clean(one: Intervened, task: str) -> Float[np.ndarray, "pair measure"]:
    layer = min(key.split("|")[1] for key in one.effects if key.startswith(f"{task}|layer_"))
    return one.effects[f"{task}|{layer}|{CLEAN}"].astype(float)


def _rows(study: Study, one: Intervened, task: str) -> Iterator[Row]:
    """Yield the rows of causal.csv of one model and task, layers ascending."""
    drawn, known = _drawn(study, one, task), next(other for other in study.tasks if other.name == task)
    keys = [key for key in one.effects if key.startswith(f"{task}|layer_") and f"|{ELSEWHERE}|" not in key]
    for key in sorted(keys, key=lambda key: (key.split("|")[1], key)):
        _, layer, *names = key.split("|")
        if names == [CLEAN]:
            continue
        operation, direction, of_task, of_layer, strength = names
        change = one.effects[key].astype(float) - one.effects[f"{task}|{layer}|{CLEAN}"]
        same = of_task == task and of_layer == layer and float(strength) == UNIT
        own = same and is_tested(known, operation, direction)
        controls = one.controls.get(f"{task}|{layer}|{operation}") if own else None
        elsewhere = one.effects.get(f"{task}|{layer}|{ELSEWHERE}|{'|'.join(names)}")
        loss = one.controls.get(f"{task}|{layer}|{ELSEWHERE}|{operation}") if own else None
        mean, gap = float(change[:, PREFERENCE].mean()), float(drawn.gap.mean())
        row: Row = {
            "model": one.model,
            "task": task,
            "operation": operation,
            "direction": direction,
            "of_task": of_task,
        }
        row |= {"of_layer": int(of_layer.removeprefix("layer_")), "layer": int(layer.removeprefix("layer_"))}
        row |= {"strength": float(strength), **vars(drawn.indirect_effect(change[:, PREFERENCE]))}
        row |= {"n": len(change), "n_groups": drawn.n_groups, "change": mean}
        row |= {"log_odds": float(change[:, LOG_ODDS].mean()), "answered": float(change[:, ANSWERED].mean())}
        row |= {"loss": float(elsewhere.mean()) if elsewhere is not None else np.nan}
        random = controls[:, PREFERENCE].astype(float) / gap if controls is not None and drawn.prefers() else None
        row |= {"control_95": float(np.quantile(random, 0.95)) if random is not None else np.nan}
        row |= {"control_greatest": float(random.max()) if random is not None else np.nan}
        row |= {"control_loss": float(loss.mean()) if loss is not None else np.nan}
        yield row | {"n_controls": len(controls) if controls is not None else 0}


def _test(one: Intervened, rows: Sequence[Row]) -> None:
    """Add p-values to the rows of one kind of direction, a row a layer; none where there are too few random ones."""
    keys = [f"{row['task']}|{layer_name(row['layer'])}|{row['operation']}" for row in rows]
    for name, measure, column in (("p_value", PREFERENCE, "change"), ("p_log_odds", LOG_ODDS, "log_odds")):
        drawn = np.stack([one.controls[key][:, measure].astype(float) for key in keys])
        scaled = standardised(np.concatenate([[[row[column]] for row in rows], drawn], axis=1))
        greatest = scaled.max(axis=0)
        for row, observed in zip(rows, scaled[:, 0], strict=True):
            enough = drawn.shape[1] >= LEAST_CONTROLS and not np.isnan(row["estimate"])
            row[name] = p_value(np.array([observed, *greatest[1:]])) if enough else np.nan


def standardised(effects: Float[np.ndarray, "layer effect"]) -> Float[np.ndarray, "layer effect"]:
    """Return effects over the root mean square of those of their layer; zeros where none does anything.

    Examples
    --------
    >>> standardised(np.array([[3.0, 3.0, -3.0, 3.0], [0.0, 0.0, 0.0, 0.0]])).tolist()
    [[1.0, 1.0, -1.0, 1.0], [0.0, 0.0, 0.0, 0.0]]
    """
    size = np.sqrt(np.mean(effects**2, axis=1, keepdims=True))
    return np.divide(effects, size, out=np.zeros_like(effects), where=size > 0)


def _tests(one: Intervened, task: str, rows: Sequence[Row]) -> list[Row]:
    """Return the rows of causal_tests.csv of one model and task: each kind of direction at its best layer."""
    kinds: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        row |= {"p_value": np.nan, "p_log_odds": np.nan}
        if row["n_controls"]:
            kinds.setdefault((row["operation"], row["direction"]), []).append(row)
    found = []
    for (operation, direction), group in kinds.items():
        _test(one, group)
        # Where there are p-values, of the layer that they are least at.
        best = min(group, key=lambda row: (np.nan_to_num(row["p_value"], nan=1.0), -row["change"]))
        acting = [row["layer"] for row in group if row["p_value"] < LEVEL]
        row = {"model": one.model, "task": task, "operation": operation, "direction": direction}
        row |= {name: best[name] for name in ("layer", "estimate", "control_95", "n_controls")}
        row |= {name: min(other[name] for other in group) for name in ("p_value", "p_log_odds")}
        row |= {"n_layers": len(acting), "acts_from": min(acting, default=""), "acts_to": max(acting, default="")}
        found.append(row)
    return found


def _correct(tests: Sequence[Row]) -> None:
    """Add p-values that are corrected over the tasks of a model, operation and kind of direction (Holm 1979)."""
    families: dict[tuple[str, ...], list[Row]] = {}
    for row in tests:
        families.setdefault((row["model"], row["operation"], row["direction"]), []).append(row)
    for members in families.values():
        for name, corrected in (("p_value", "p_holm"), ("p_log_odds", "p_log_odds_holm")):
            p_values = np.array([row[name] for row in members], dtype=float)
            for row, value in zip(members, holm(p_values), strict=True):
                row |= {corrected: float(value), "n_tasks": int((~np.isnan(p_values)).sum())}
