"""Significance: permutation p-values per layer, for the best of all layers, and corrected over tasks.

The null: labels say nothing about states, given the groups. The score is the ridge probe's, in the task's metric, of
which the greater is the better. A permutation is the same at every layer, so that the greatest score over layers has a
null of its own, which accounts for having looked at all of them (Westfall & Young 1993).
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from linear_probing.estimation.scores import Scores
from linear_probing.settings import Study

SIGNIFICANCE = ["model", "task", "part", "metric", "layer", "score", "null_mean", "p_value", "n_permutations"]
BEST_LAYER_SIGNIFICANCE = [
    "model",
    "task",
    "family",
    "part",
    "metric",
    "layer",
    "score",
    "null_mean",
    "p_value",
    "p_holm",
    "p_bh",
    "n_tasks",
    "n_permutations",
]
HEADLINE, UNSEEN, ALL = "headline", "unseen", "all"
ROUNDING = 1e-9


def p_value(scores: Float[np.ndarray, " permutation"]) -> float:
    """Return the share of scores that reach the first, which counts itself (Phipson & Smyth 2010).

    Parameters
    ----------
    scores : np.ndarray
        Shape (n_permutations + 1,): observed, then permuted. A permuted score that is NaN counts as reaching it, so
        that what is undefined never makes a p-value smaller; equal ones may differ by rounding.

    Returns
    -------
    float
        In (0, 1]; NaN where the observed score is.

    Examples
    --------
    >>> p_value(np.array([0.9, 0.5, 0.9, 0.6]))
    0.5
    """
    if np.isnan(scores[0]):
        return float("nan")
    return float((1 + (~(scores[1:] < scores[0] - ROUNDING)).sum()) / len(scores))


def holm(p_values: Float[np.ndarray, " task"]) -> Float[np.ndarray, " task"]:
    """Return p-values that bound the chance of any false finding among the tasks (Holm 1979); NaN stays, uncounted.

    Examples
    --------
    >>> holm(np.array([0.01, 0.04, 0.03])).round(4).tolist()
    [0.03, 0.06, 0.06]
    """

    def adjust(ordered: Float[np.ndarray, " task"]) -> Float[np.ndarray, " task"]:
        return np.maximum.accumulate(ordered * np.arange(len(ordered), 0, -1))

    return _adjusted(p_values, adjust)


def benjamini_hochberg(p_values: Float[np.ndarray, " task"]) -> Float[np.ndarray, " task"]:
    """Return p-values that bound the share of false findings (Benjamini & Hochberg 1995); NaN stays, uncounted.

    Examples
    --------
    >>> benjamini_hochberg(np.array([0.01, 0.04, 0.03])).round(4).tolist()
    [0.03, 0.04, 0.04]
    """

    def adjust(ordered: Float[np.ndarray, " task"]) -> Float[np.ndarray, " task"]:
        scaled = ordered * len(ordered) / np.arange(1, len(ordered) + 1)
        return np.minimum.accumulate(scaled[::-1])[::-1]

    return _adjusted(p_values, adjust)


def _adjusted(
    p_values: Float[np.ndarray, " task"],
    adjust: Callable[[Float[np.ndarray, " task"]], Float[np.ndarray, " task"]],
) -> Float[np.ndarray, " task"]:
    found = np.full(len(p_values), np.nan)
    defined = np.flatnonzero(~np.isnan(p_values))
    order = defined[np.argsort(p_values[defined], kind="stable")]
    found[order] = np.minimum(adjust(p_values[order]), 1.0)
    return found


def permuted(study: Study, scores: Scores) -> dict[tuple[str, str, str], dict[int, Float[np.ndarray, " permutation"]]]:
    """Return, by model, task and part, the scores of each layer; in the configuration's order, layers ascending."""
    found: dict[tuple[str, str, str], dict[int, np.ndarray]] = {}
    for model in study.models:
        by_key = {tuple(key.split("|")): values for key, values in scores.permutations.get(model.name, {}).items()}
        for task in study.tasks:
            for name, part, layer in sorted(key for key in by_key if key[0] == task.name):
                of_layer = found.setdefault((model.name, name, part), {})
                of_layer[int(layer.removeprefix("layer_"))] = by_key[name, part, layer]
    return found


def greatest(by_layer: Mapping[int, Float[np.ndarray, " permutation"]]) -> Float[np.ndarray, " permutation"]:
    """Return the greatest score over layers, observed and under each permutation; NaN where one is, but the observed.

    A layer whose observed score is undefined is left out.
    """
    defined = [values for values in by_layer.values() if not np.isnan(values[0])]
    if not defined:
        return np.full(len(next(iter(by_layer.values()))), np.nan)
    return np.max(defined, axis=0)


def families(keys: Sequence[tuple[str, str, str]]) -> dict[tuple[str, str], list[tuple[str, str, str]]]:
    """Return, by model and family, which (model, task, part) are corrected together.

    A part is a family, over the tasks that have it. The headline family has each task once: its `unseen` part, or all
    targets where it has none.
    """
    found: dict[tuple[str, str], list[tuple[str, str, str]]] = {}
    with_unseen = {key[:2] for key in keys if key[2] == UNSEEN}
    for key in keys:
        model, _, part = key
        found.setdefault((model, part), []).append(key)
        if part == (UNSEEN if key[:2] in with_unseen else ALL):
            found.setdefault((model, HEADLINE), []).append(key)
    return found


def significance_tables(study: Study, scores: Scores) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return significance.csv, a row per layer, and best_layer_significance.csv, a row per task and family."""
    found = permuted(study, scores)
    metrics = {task.name: task.metric for task in study.tasks}
    rows = []
    best = {}
    for (model, task, part), by_layer in found.items():
        row = {"model": model, "task": task, "part": part, "metric": metrics[task]}
        for layer, values in by_layer.items():
            rows.append({**row, "layer": layer, **_summary(values)})
        observed = {layer: values[0] for layer, values in by_layer.items() if not np.isnan(values[0])}
        chosen = max(observed, key=lambda layer: (observed[layer], -layer)) if observed else np.nan
        best[model, task, part] = {**row, "layer": chosen, **_summary(greatest(by_layer))}
    corrected = []
    for (_, family), keys in families(list(best)).items():
        p_values = np.array([best[key]["p_value"] for key in keys], dtype=float)
        n_tasks = int((~np.isnan(p_values)).sum())
        for key, p_holm, p_bh in zip(keys, holm(p_values), benjamini_hochberg(p_values), strict=True):
            corrected.append({**best[key], "family": family, "p_holm": p_holm, "p_bh": p_bh, "n_tasks": n_tasks})
    places = {model.name: number for number, model in enumerate(study.models)}
    corrected.sort(key=lambda row: (places[row["model"]], row["family"] != HEADLINE))
    return (
        pd.DataFrame.from_records(rows, columns=SIGNIFICANCE),
        pd.DataFrame.from_records(corrected, columns=BEST_LAYER_SIGNIFICANCE),
    )


def _summary(values: Float[np.ndarray, " permutation"]) -> dict[str, float]:
    null = values[1:]
    mean = float(np.nanmean(null)) if np.isfinite(null).any() else float("nan")
    return {
        "score": float(values[0]),
        "null_mean": mean,
        "p_value": p_value(values) if len(null) else float("nan"),
        "n_permutations": len(null),
    }
