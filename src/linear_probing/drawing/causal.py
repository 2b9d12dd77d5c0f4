"""Decodable beside used: what a probe reads of each layer, above what edits of that layer make of the model's answers.

A panel a task, of two tiers with the layers in common: the probe's score on held-out groups, and the normalised
indirect effect of edits along its direction. A layer where the first is high and the second is not holds what it does
not use, or what others have read before.
"""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from linear_probing.behaviour import UNIT
from linear_probing.drawing import captions, panels, style
from linear_probing.drawing.curves import METRICS, headline_rows, title
from linear_probing.settings import Study
from linear_probing.steering.layout import LEVEL, MEAN_DIFFERENCE, REMOVE, SHIFT, SWAP, WHOLE

TIERS = (0.95, 1.45)
SUFFICIENT = (SHIFT, SWAP)
SCORE: dict[str, Any] = {"color": style.BLACK, "linestyle": "-", "marker": "o", "linewidth": 1.4, "zorder": 6}
TWIN: dict[str, Any] = {"color": style.GREY, "linestyle": (0, (4, 1.5)), "marker": "s", "zorder": 5}
LOOKS: dict[str, dict[str, Any]] = {
    MEAN_DIFFERENCE: {"color": style.VERMILLION, "linestyle": "-", "marker": "D", "zorder": 7},
    "logistic": {"color": style.BLUE, "linestyle": "-", "marker": "o", "zorder": 6},
    "ridge": {"color": style.BLUE, "linestyle": "-", "marker": "o", "zorder": 6},
    "ridge_classifier": {"color": style.BLUE, "linestyle": "-", "marker": "o", "zorder": 6},
    "lda": {"color": style.GREEN, "linestyle": (0, (5, 1, 1, 1)), "marker": "^", "zorder": 5},
    WHOLE: {"color": style.BLACK, "linestyle": (0, (1, 1.5)), "linewidth": 0.9, "zorder": 3},
    REMOVE: {"color": style.PURPLE, "linestyle": (0, (2, 1)), "marker": "x", "markersize": 3.6, "zorder": 4},
}
BAND: dict[str, Any] = {"color": style.GREY, "alpha": 0.25, "linewidth": 0, "zorder": 1}


def draw(causal: pd.DataFrame, layers: pd.DataFrame, model: str, twin: str | None) -> Figure:
    """Draw, for each task that was intervened on, its score by layer above the effects of edits.

    Parameters
    ----------
    causal, layers : pd.DataFrame
        causal.csv and layers.csv.
    model : str
        The model in front.
    twin : str or None
        Its first twin with random weights, of which the score is drawn.

    Returns
    -------
    Figure
        Two axes a task; a figure with one sentence if nothing was intervened on.
    """
    own = own_edits(causal, model)
    tasks = list(dict.fromkeys(own["task"]))
    if not tasks:
        return style.message(_nothing(model))
    grid = panels.grid(len(tasks), TIERS)
    scores = headline_rows(layers, model)
    random = headline_rows(layers, twin) if twin else scores.iloc[:0]
    for (above, below), task in zip(grid.panels, tasks, strict=True):
        _scores(above, scores[scores["task"] == task], random[random["task"] == task])
        _effects(below, own[own["task"] == task])
        above.set_title(title(task))
        below.set_xlim(*above.get_xlim())
    grid.label_below(panels.LAYER)
    panels.legend(grid, _handles(own, twin if len(random) else None))
    return grid.whole


def own_edits(causal: pd.DataFrame, model: str) -> pd.DataFrame:
    """Return the edits of a model along directions of the same task and layer, as strong as the controls."""
    same = (causal["of_task"] == causal["task"]) & (causal["of_layer"] == causal["layer"])
    return causal[(causal["model"] == model) & same & (causal["strength"] == UNIT)]


def curves(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the curves of one task by look: each kind of direction by what suffices, one removal, the whole state."""
    main = next((name for name in SUFFICIENT if name in set(rows["operation"])), SUFFICIENT[-1])
    found = {
        kind: rows[(rows["operation"] == main) & (rows["direction"] == kind)]
        for kind in dict.fromkeys(rows.loc[rows["operation"] == main, "direction"])
        if kind != WHOLE
    }
    kind = MEAN_DIFFERENCE if MEAN_DIFFERENCE in found else next(iter(found), "")
    found[REMOVE] = rows[(rows["operation"] == REMOVE) & (rows["direction"] == kind)]
    found[WHOLE] = rows[rows["direction"] == WHOLE]
    return {name: part.sort_values("layer") for name, part in found.items() if len(part)}


def _scores(axes: Axes, own: pd.DataFrame, random: pd.DataFrame) -> None:
    for rows, look in ((random, TWIN), (own, SCORE)):
        bounds = (rows["lower"].to_numpy(), rows["upper"].to_numpy())
        panels.curve(axes, rows["layer"].to_numpy(), rows["estimate"].to_numpy(), bounds, look)
    values = [part[name].to_numpy() for part in (own, random) for name in ("estimate", "lower", "upper")]
    chance = 0.5 if (own["metric"] == "auroc").any() else 0.0
    panels.finish(axes, own["layer"].astype(int), panels.span(values, (chance, 1.0)))
    axes.set_ylabel(METRICS.get(str(own["metric"].iloc[0]), "") if len(own) else "")
    axes.tick_params(labelbottom=False)


def _effects(axes: Axes, rows: pd.DataFrame) -> None:
    axes.axhline(0.0, color=style.GREY, linewidth=0.6, zorder=0)
    drawn = curves(rows)
    for name, part in drawn.items():
        look = LOOKS.get(name, LOOKS["logistic"])
        place, estimate = part["layer"].to_numpy(), part["estimate"].to_numpy()
        bounds = None if name == WHOLE else (part["lower"].to_numpy(), part["upper"].to_numpy())
        panels.curve(axes, place, estimate, bounds, look | {"markerfacecolor": "white"})
        acts = (part["p_value"] < LEVEL).to_numpy()
        axes.plot(place[acts], estimate[acts], **{**look, "linestyle": "none"})
    first = next(iter(drawn.values()))
    axes.fill_between(first["layer"], 0.0, first["control_95"].astype(float), **BAND)
    values = [part[name].to_numpy() for part in drawn.values() for name in ("estimate", "lower", "upper")]
    defined = rows.loc[rows["estimate"].notna(), "layer"].astype(int)
    panels.finish(axes, defined, panels.span([np.clip(one, -0.5, 1.5) for one in values], (0.0, 1.0)))
    axes.set_ylabel("indirect effect")


def _handles(rows: pd.DataFrame, twin: str | None) -> list[Artist]:
    handles: list[Artist] = [Line2D([], [], label="score of the probe", **SCORE)]
    if twin:
        handles.append(Line2D([], [], label=f"{twin} (random weights)", **TWIN))
    names: dict[str, dict[str, Any]] = {}
    for _, of_task in rows.groupby("task", sort=False):
        for name in curves(of_task):
            names.setdefault(_label(name), LOOKS.get(name, LOOKS["logistic"]))
    handles += [Line2D([], [], label=label, **look) for label, look in names.items()]
    if rows["control_95"].notna().any():
        handles.append(Patch(label="95 % of random directions", **BAND))
    if (rows["p_value"] < LEVEL).any():
        look: dict[str, Any] = {"color": style.BLACK, "marker": "o", "linestyle": "none"}
        handles.append(Line2D([], [], label=f"filled: p < {LEVEL:g}", **look))
    return handles


def _label(name: str) -> str:
    words = {WHOLE: "whole state swapped", REMOVE: "direction removed"}
    return words.get(name) or f"along {captions.probe_name(name)}"


def caption(causal: pd.DataFrame, tests: pd.DataFrame, model: str, study: Study) -> str:
    """Return what the figure shows, of how many pairs, beside how many random directions, and which layers act.

    Parameters
    ----------
    causal, tests : pd.DataFrame
        causal.csv and causal_tests.csv.
    model : str
        As drawn.
    study : Study
        Its intervals.
    """
    own = own_edits(causal, model)
    if own.empty:
        return _nothing(model)
    counts = own.drop_duplicates("task")
    sizes = [f"{row.n} pairs in {row.n_groups} groups of {title(str(row.task))}" for row in counts.itertuples()]
    n_controls = int(own["n_controls"].max())
    tested = own["p_value"].notna().any()
    return captions.paragraph(
        [
            f"Decodable and used in {model}: above, the score of each task’s own probe on held-out groups; below, the "
            "normalised indirect effect of edits of the same layer on the model’s answers: 0 changes nothing, 1 makes "
            "it answer as to the counterfactual example, one half leaves no preference.",
            "Edits are shifts as long as the difference of the class means, towards the other class, or, for positions "
            "and several classes, swaps of the component in the probe’s subspace; and the direction’s removal.",
            f"n = {'; '.join(sizes)}.",
            captions.intervals(study.bootstrap, own),
            f"Grey: up to the 95th percentile of {n_controls:,} random directions, as long and of the same rank, half "
            "of them isotropic, half drawn from the states’ covariance."
            if n_controls
            else "",
            f"Filled: p < {LEVEL:g} against the greatest effect of each random direction over layers. "
            f"{_acting(tests, model)}"
            if tested
            else "No p-values: fewer than 1,000 random directions.",
        ]
    )


def _acting(tests: pd.DataFrame, model: str) -> str:
    """Return, task by task, the layers at which its first kind of direction acts beyond all random ones."""
    own = tests[(tests["model"] == model) & tests["operation"].isin(SUFFICIENT)]
    found = []
    for task, rows in own.groupby("task", sort=False):
        one = principal(rows)
        if one["n_layers"]:
            first, last = int(one["acts_from"]), int(one["acts_to"])
            where = f"at layer {first}" if first == last else f"at layers {first} to {last}"
            found.append(f"{title(str(task))}: along {captions.probe_name(str(one['direction']))} {where}")
        else:
            found.append(f"{title(str(task))}: at no layer")
    return f"{'; '.join(found)}."


def principal(rows: pd.DataFrame) -> pd.Series:
    """Return the row of the kind of direction that a task is reported by: the difference of means, else its probe's.

    Fixed beforehand: the best of several kinds would need a correction for having been chosen.
    """
    named = rows[rows["direction"] == MEAN_DIFFERENCE]
    return (named if len(named) else rows).iloc[0]


def _nothing(model: str) -> str:
    return f"No interventions: the study asked for none on {model}."
