"""What the page says of scores: the curves of each task, model and probe, one row per task, and all estimates.

The curves are those of the layers figure, chosen by `drawing.curves` and drawn in its looks: a page and a figure of one
study differ in nothing but what a reader can do with them.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from linear_probing.drawing import captions, curves, layers
from linear_probing.drawing.curves import Series, headline_part, panel_series
from linear_probing.reporting.numbers import columns, number, numbers
from linear_probing.reporting.tables import ESTIMATE, LEVELS, ROW, Tables
from linear_probing.settings import Study

VIEW = ["model", "task", "part", "split", "metric", "layer"]
# Markers of matplotlib in the words of plotly.
SYMBOLS = {
    "o": "circle",
    "s": "square",
    "D": "diamond",
    "^": "triangle-up",
    "v": "triangle-down",
    "P": "cross",
    "x": "x",
}
HEADLINE = "headline"
TABLE = [*ROW, "estimate", "lower", "upper", "control", "text_baseline", "n", "n_groups"]


def looks() -> dict[str, dict[str, Any]]:
    """Return each curve's look in the words of plotly: colour, dash, symbol and width in pixels."""
    return {name: _look(look) for name, look in layers.LOOKS.items()}


def _look(look: dict[str, Any]) -> dict[str, Any]:
    width = 1.6 * look.get("linewidth", 1.2)
    style = look["linestyle"]
    dash = "solid" if style == "-" else ",".join(f"{length * width:.3g}px" for length in style[1])
    symbol = SYMBOLS.get(str(look.get("marker")))
    return {
        "color": look["color"],
        "dash": dash,
        "symbol": symbol and symbol + ("-open" if look.get("markerfacecolor") == "white" else ""),
        "width": round(width, 2),
    }


def all_rows(tables: Tables) -> pd.DataFrame:
    """Return the estimates of the tasks' own probes and of those beside them, with what needs no probe beside each."""
    levels = tables.layers[[*VIEW, *LEVELS]].drop_duplicates(VIEW)
    beside = tables.probes.merge(levels, on=VIEW, how="left")
    return pd.concat([tables.layers, beside], ignore_index=True)[[*ROW, *ESTIMATE, *LEVELS]]


def twins_of(study: Study, model: str) -> list[str]:
    """Return the random twins that a model is drawn beside; none for a twin, and for a model without one."""
    known = {one.name: one for one in study.models}
    if model not in known or known[model].seed is not None:
        return []
    return [twin.name for twin in study.twins_of(known[model])]


def panels(study: Study, tables: Tables) -> dict[str, Any]:
    """Return the curves by task, model and probe, with what a reader must know of each; the task's own probe first."""
    found: dict[str, Any] = {}
    best = {(row["model"], row["task"]): row for row in _headlines(tables.best_layer)}
    for keys, rows in all_rows(tables).groupby(["task", "probe"], sort=False):
        task, probe = map(str, keys)
        for model in dict.fromkeys(rows["model"]):
            twins = twins_of(study, model)
            pair = rows[rows["model"].isin([model, *twins])]
            series = panel_series(pair, tables.baselines, task, model, twins)
            if series:
                chosen = best.get((model, task), {})
                panel = _panel(pair[pair["model"] == model], series)
                panel["best"] = _estimate(chosen) if chosen.get("probe") == probe else None
                found.setdefault(task, {}).setdefault(model, {})[probe] = panel
    return found


def _panel(own: pd.DataFrame, series: list[Series]) -> dict[str, Any]:
    split = "group" if "group" in set(own["split"]) else own["split"].iloc[0]
    main = own[own["split"] == split]
    part = headline_part(main)
    first = main[main["part"] == part].iloc[0]
    return {
        "metric": first["metric"],
        "part": part,
        "split": split,
        "n": number(first["n"]),
        "groups": number(first["n_groups"]),
        "caution": curves.caution(series),
        "limits": numbers(layers.limits(first["metric"], series)),
        "series": [_series(one) for one in series],
    }


def _series(one: Series) -> dict[str, Any]:
    # A legend names the first twin only; a reader of numbers needs a name for each curve.
    label = one.label or "further random weights"
    found: dict[str, Any] = {"label": label, "look": one.look, "level": one.level}
    found |= {"layer": np.asarray(one.layer).tolist(), "estimate": numbers(one.estimate)}
    if one.lower is not None and one.upper is not None:
        found |= {"lower": numbers(one.lower), "upper": numbers(one.upper)}
    return found


def _headlines(best: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield the row that sums up each model's task: groups held out, unseen where there is such a part."""
    for _, rows in best.groupby(["model", "task"], sort=False):
        by_group = rows[rows["split"] == "group"] if "group" in set(rows["split"]) else rows
        yield from by_group[by_group["part"] == headline_part(by_group)].head(1).to_dict("records")  # type: ignore[misc]


def _estimate(row: dict[str, Any]) -> dict[str, Any]:
    return {"layer": int(row["layer"]), **{key: number(row[key]) for key in ("estimate", "lower", "upper")}}


def summary(study: Study, tables: Tables) -> list[dict[str, Any]]:
    """Return a row per task of each model that is no twin: the score at the best layer, beside its controls."""
    best = {(row["model"], row["task"]): row for row in _headlines(tables.best_layer)}
    tested = _tests(tables.best_layer_significance)
    rows = []
    for (model, task), row in best.items():
        if any(one.name == model and one.seed is not None for one in study.models):
            continue
        twin = best.get((next(iter(twins_of(study, model)), ""), task), {})
        rows.append(
            {
                "model": model,
                "task": curves.title(task),
                "metric": curves.METRICS.get(row["metric"], row["metric"]),
                **_estimate(row),
                "random": number(twin.get("estimate", float("nan"))),
                "text": number(row["text_baseline"]),
                "control": number(row["control"]),
                "p": tested.get(model, {}).get(task, {}).get("holm"),
                "n": number(row["n"]),
                "groups": number(row["n_groups"]),
            }
        )
    return rows


def _tests(significance: pd.DataFrame) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for row in significance[significance["family"] == HEADLINE].to_dict("records"):
        numbers_of = {"p": "p_value", "holm": "p_holm", "tasks": "n_tasks", "permutations": "n_permutations"}
        found.setdefault(row["model"], {})[row["task"]] = {key: number(row[name]) for key, name in numbers_of.items()}
    return found


def content(study: Study, tables: Tables) -> dict[str, Any]:
    """Return what the page needs of scores, as JSON can hold it."""
    rows = all_rows(tables)
    tasks = dict.fromkeys(rows["task"])
    models = {model: next(iter(twins_of(study, model)), None) for model in dict.fromkeys(rows["model"])}
    return {
        "probes": {probe: captions.probe_name(probe) for probe in dict.fromkeys(rows["probe"])},
        "tasks": {task: curves.title(task) for task in tasks},
        "metrics": curves.METRICS,
        "models": models,
        "looks": looks(),
        "curves": panels(study, tables),
        "tests": _tests(tables.best_layer_significance),
        "estimates": columns(rows[TABLE]),
    }
