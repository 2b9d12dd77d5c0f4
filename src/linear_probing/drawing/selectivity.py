"""Selectivity by layer: how much better a probe does on the task than on its control task (Hewitt & Liang 2019).

Probes that remember types score high on both, and their selectivity is near zero. The task's own probe is drawn with
its interval; the further probes, of which probes.csv has none for this difference, as lines.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from linear_probing.drawing import captions, panels, style
from linear_probing.drawing.captions import probe_name
from linear_probing.drawing.curves import METRICS, headline, title
from linear_probing.settings import Study

NONE = "No selectivity: no task of {model} has a control task."
SPLIT = "types"
BOUNDS = ("lower", "upper")
OWN: dict[str, Any] = {"color": style.BLUE, "linestyle": "-", "marker": "o", "linewidth": 1.6, "zorder": 6}
TWIN: dict[str, Any] = {"color": style.VERMILLION, "linestyle": (0, (4, 1.5)), "marker": "s", "zorder": 5}
PROBES: dict[str, dict[str, Any]] = {
    "mean_difference": {"color": style.GREEN, "linestyle": (0, (5, 1, 1, 1)), "marker": "^", "zorder": 4},
    "lda": {"color": style.PURPLE, "linestyle": (0, (1, 1)), "marker": "D", "zorder": 4},
    "mlp": {"color": style.BLACK, "linestyle": (0, (6, 2)), "marker": "x", "linewidth": 0.9, "zorder": 4},
}
# For probes of a configuration's own, in its order.
FURTHER: tuple[dict[str, Any], ...] = (
    {"color": style.ORANGE, "linestyle": "-", "marker": "v", "linewidth": 0.9, "zorder": 3},
    {"color": style.SKY, "linestyle": (0, (3, 1, 1, 1, 1, 1)), "marker": "P", "zorder": 3},
    {"color": style.GREY, "linestyle": (0, (8, 1.5, 1, 1.5)), "marker": "*", "zorder": 3},
)


@dataclass(frozen=True)
class Curve:
    """One probe's selectivity: rows with task, layer and selectivity; with lower and upper where it is `banded`."""

    label: str
    look: dict[str, Any]
    rows: pd.DataFrame
    banded: bool


def curves(selectivity: pd.DataFrame, probes: pd.DataFrame, model: str, twin: str | None) -> list[Curve]:
    """Return the curves of all panels: the task's own probe, the same on random weights, the further probes.

    Parameters
    ----------
    selectivity, probes, model, twin
        As `draw` has them.

    Returns
    -------
    list[Curve]
        The first is the model's own, and may have no rows.
    """
    own = headline(selectivity[selectivity["model"] == model])
    random = headline(selectivity[selectivity["model"] == twin])
    rows = probes[(probes["model"] == model) & (probes["split"] == SPLIT) & probes["selectivity"].notna()]
    further = headline(rows)
    names = list(dict.fromkeys(further["probe"]))
    foreign = [name for name in names if name not in PROBES]
    looks = PROBES | {name: FURTHER[number % len(FURTHER)] for number, name in enumerate(foreign)}
    found = [Curve(f"{model}, the task’s own probe", OWN, own, banded=True)]
    if len(random):
        found.append(Curve(f"{twin} (random weights)", TWIN, random, banded=True))
    for name in (name for name in looks if name in names):
        found.append(Curve(probe_name(name), looks[name], further[further["probe"] == name], banded=False))
    return found


def draw(selectivity: pd.DataFrame, probes: pd.DataFrame, model: str, twin: str | None) -> Figure:
    """Draw selectivity by layer, a panel for each task that has a control task.

    Parameters
    ----------
    selectivity, probes : pd.DataFrame
        selectivity.csv and probes.csv.
    model : str
        The model in front.
    twin : str or None
        Its first twin with random weights.

    Returns
    -------
    Figure
        A figure with one sentence if no task of the model has a control task.
    """
    drawn = curves(selectivity, probes, model, twin)
    metrics: dict[str, str] = dict(zip(drawn[0].rows["task"], drawn[0].rows["metric"], strict=True))
    if not metrics:
        return style.message(NONE.format(model=model))
    grid = panels.grid(len(metrics))
    for (axes,), (task, metric) in zip(grid.panels, metrics.items(), strict=True):
        same = [other for other in metrics if metrics[other] == metric]
        values = [
            one.rows.loc[one.rows["task"].isin(same), name].to_numpy()
            for one in drawn
            for name in ("selectivity", *(BOUNDS if one.banded else ()))
        ]
        panels.finish(axes, _panel(axes, drawn, task), panels.span(values, [0.0]))
        axes.set_title(title(task))
        axes.set_ylabel(f"difference of {METRICS.get(metric, metric)}")
    grid.label_below(panels.LAYER)
    entries: list[Artist] = [Line2D([], [], label=one.label, **one.look) for one in drawn]
    panels.legend(grid, [*entries, panels.band_entry("band: bootstrap interval")], "Task score minus control score")
    return grid.whole


def _panel(axes: Axes, drawn: list[Curve], task: str) -> set[int]:
    """Draw one task's curves, and return the layers at which one of them is defined."""
    axes.axhline(0.0, color=style.GREY, linewidth=0.6, zorder=0)
    layers: set[int] = set()
    for number, one in enumerate(drawn):
        rows = one.rows[one.rows["task"] == task].sort_values("layer", kind="stable")
        layer, values = rows["layer"].to_numpy(), rows["selectivity"].to_numpy()
        interval = (rows["lower"].to_numpy(), rows["upper"].to_numpy()) if one.banded else None
        panels.curve(axes, panels.aside(layer, number, len(drawn)), values, interval, one.look, bars=len(layer) == 1)
        layers |= set(layer[np.isfinite(values)].tolist())
    return layers


def caption(
    selectivity: pd.DataFrame, probes: pd.DataFrame, layers: pd.DataFrame, model: str, twin: str | None, study: Study
) -> str:
    """Return what the figure shows, and which tasks of the model have no control task.

    Parameters
    ----------
    selectivity, probes, model, twin
        As drawn.
    layers : pd.DataFrame
        layers.csv, which has all tasks of the model.
    study : Study
        Whose intervals they are.
    """
    own, *others = curves(selectivity, probes, model, twin)
    if own.rows.empty:
        return NONE.format(model=model)
    tasks = dict.fromkeys(layers.loc[layers["model"] == model, "task"])
    absent = [title(task) for task in tasks if task not in set(own.rows["task"])]
    banded = [one for one in others if one.banded]
    further = [one.label for one in others if not one.banded]
    beside = f", beside that of {captions.listed([one.label for one in banded])}" if banded else ""
    intervals = captions.intervals(study.bootstrap, pd.concat([one.rows for one in (own, *banded)]))
    return captions.paragraph(
        [
            f"Selectivity of {model} by layer{beside}: the score on the task minus that on its control task, which "
            "gives each type one random label; both under a split whose test types occur in training as well.",
            f"Not drawn, for want of a control task: {captions.listed(absent)}." if absent else "",
            captions.parts(own.rows),
            f"Bands: {intervals}",
            f"Further probes, without intervals: {captions.listed(further)}." if further else "",
            captions.sizes(own.rows),
            captions.probes(own.rows),
        ]
    )
