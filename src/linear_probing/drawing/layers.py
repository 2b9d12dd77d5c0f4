"""Layer curves: one panel a task, the metric by layer, the model's curve never without its controls.

Panels of one metric share their limits. Numbers below the axis are not dropped: a triangle at the lower edge stands
for them. Where all curves lie on each other, an inset shows the same curves magnified.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from linear_probing.drawing import captions, panels, style
from linear_probing.drawing.curves import METRICS, Series, caution, crowd, headline_rows, panel_series, title
from linear_probing.drawing.tables import MAKE, FigureError
from linear_probing.settings import Bootstrap

INSET = (0.4, 0.27, 0.59, 0.37)
INSET_SURROUND = (0.25, 0.17, 0.76, 0.55)
WORDS_SHARE = 0.25
"""Of a panel's height, what words in it need."""
# Axis limits per metric: least and greatest value always shown, and the value below which triangles stand for points.
RANGES = {"auroc": (0.45, 1.0, 0.0), "r2": (0.0, 1.0, -0.5), "macro_f1": (0.0, 1.0, 0.0)}

LOOKS: dict[str, dict[str, Any]] = {
    "headline": {"color": style.BLUE, "linestyle": "-", "marker": "o", "linewidth": 1.6, "zorder": 6},
    "seen": {"color": style.BLUE, "linestyle": (0, (1, 1)), "marker": "o", "markerfacecolor": "white", "zorder": 5},
    "twin": {"color": style.VERMILLION, "linestyle": (0, (4, 1.5)), "marker": "s", "zorder": 5},
    "further_twin": {"color": style.VERMILLION, "linestyle": "-", "linewidth": 0.6, "alpha": 0.8, "zorder": 4},
    "country": {"color": style.GREEN, "linestyle": (0, (5, 1, 1, 1)), "marker": "^", "markersize": 3.6, "zorder": 4},
    "numbers": {"color": style.SKY, "linestyle": (0, (3, 1, 1, 1, 1, 1)), "marker": "D", "zorder": 4},
    "held_out": {"color": style.GREEN, "linestyle": (0, (5, 1, 1, 1)), "marker": "v", "markersize": 3.6, "zorder": 4},
    "types": {"color": style.PURPLE, "linestyle": "-", "marker": None, "linewidth": 0.8, "zorder": 3},
    "control": {"color": style.PURPLE, "linestyle": (0, (2, 1)), "marker": "x", "markersize": 3.6, "zorder": 4},
    "text": {"color": style.BLACK, "linestyle": (0, (6, 2)), "linewidth": 0.9, "zorder": 2},
    "column": {"color": style.ORANGE, "linestyle": (0, (8, 1.5, 1, 1.5)), "linewidth": 1.3, "zorder": 2},
    "majority": {"color": style.GREY, "linestyle": (0, (1, 1.5)), "linewidth": 0.9, "zorder": 1},
}


def limits(metric: str, series: Iterable[Series]) -> tuple[float, float]:
    """Return the y limits that all panels of one metric share.

    Parameters
    ----------
    metric : str
        As in layers.csv; one that is not known gets the range of its numbers.
    series : Iterable[Series]
        Every curve drawn with this metric.

    Returns
    -------
    tuple[float, float]
        Lower and upper limit, a margin included.
    """
    drawn = [
        values
        for one in series
        for values in (one.estimate, one.lower, one.upper)
        if values is not None and len(values)
    ]
    finite = np.concatenate([*drawn, np.empty(0)])
    finite = finite[np.isfinite(finite)] if np.isfinite(finite).any() else np.array([0.0, 1.0])
    least, greatest, floor = RANGES.get(metric, (math.inf, -math.inf, -math.inf))
    low = max(min(least, float(finite.min())), floor)
    high = max(greatest, float(finite.max()))
    margin = 0.04 * (high - low) or 0.5
    return low - margin, high + margin


def draw(layers: pd.DataFrame, baselines: pd.DataFrame, model: str, twins: Sequence[str]) -> Figure:
    """Draw the layer curves of one model beside its controls.

    Parameters
    ----------
    layers, baselines : pd.DataFrame
        layers.csv and baselines.csv.
    model : str
        The model in front.
    twins : Sequence[str]
        Its twins with random weights; none for no such curve.

    Returns
    -------
    Figure
        One axes per task, in the table's order; the legend stands in an empty cell or below.

    Raises
    ------
    FigureError
        If the table has no row of the model.
    """
    own = layers[layers["model"] == model]
    if own.empty:
        known = ", ".join(dict.fromkeys(layers["model"]))
        raise FigureError(f"layers.csv has no row of {model}; it has {known}", do=MAKE)
    tasks = list(dict.fromkeys(own["task"]))
    series = {task: panel_series(layers, baselines, task, model, twins) for task in tasks}
    metrics = {task: str(own.loc[own["task"] == task, "metric"].iloc[0]) for task in tasks}
    grid = panels.grid(len(tasks))
    for (axes,), task in zip(grid.panels, tasks, strict=True):
        same = [one for other in tasks if metrics[other] == metrics[task] for one in series[other]]
        span = limits(metrics[task], same)
        _panel(axes, series[task], span)
        axes.set_title(title(task))
        _words(axes, caution(series[task]), at_top=is_low(series[task], span))
        axes.set_ylabel(METRICS.get(metrics[task], metrics[task]))
    grid.label_below(panels.LAYER)
    _legend(grid, [one for task in tasks for one in series[task]])
    return grid.whole


def caption(layers: pd.DataFrame, model: str, twins: Sequence[str], bootstrap: Bootstrap) -> str:
    """Return what the layer curves of a model show, of how many targets, by which probe and with which intervals.

    Parameters
    ----------
    layers : pd.DataFrame
        layers.csv.
    model, twins
        As drawn.
    bootstrap : Bootstrap
        The study's.
    """
    own = headline_rows(layers, model)
    present = [twin for twin in twins if twin in set(layers["model"])]
    drawn = pd.concat([headline_rows(layers, name) for name in (model, *present[:1])])
    more = f"; thin lines: further seeds, {captions.listed(present[1:])}" if len(present) > 1 else ""
    beside = f"the same architecture with random weights ({present[0]}{more}) and the other " if present else "its "
    return captions.paragraph(
        [
            f"Scores of linear probes on {model} by layer, groups held out, beside {beside}controls.",
            captions.parts(own),
            "Bands: " + captions.intervals(bootstrap, drawn),
            captions.sizes(own),
            captions.probes(own),
        ]
    )


def is_low(series: Sequence[Series], span: tuple[float, float]) -> bool:
    """Return whether more points of the curves lie in the lowest part of a panel than in the highest, as wide each."""
    shares = (np.concatenate([*(one.estimate for one in series), np.empty(0)]) - span[0]) / (span[1] - span[0])
    return int((shares < WORDS_SHARE).sum()) > int((shares > 1 - WORDS_SHARE).sum())


def _words(axes: Axes, words: str, at_top: bool) -> None:
    height, side = (0.98, "top") if at_top else (0.06, "baseline")
    axes.text(0.98, height, words, transform=axes.transAxes, ha="right", va=side, color=LOOKS["twin"]["color"])


def _panel(axes: Axes, series: list[Series], span: tuple[float, float]) -> None:
    layers = sorted({int(layer) for one in series for layer in one.layer})
    _curves(axes, series, span[0])
    for one in series:
        if one.level:
            axes.axhline(max(one.estimate[0], span[0]), label=one.label, **LOOKS[one.look])
    panels.finish(axes, layers, span)
    found = crowd(series)
    if found is not None:
        _inset(axes, series, *found)


def _curves(axes: Axes, series: list[Series], floor: float) -> None:
    curves = [one for one in series if not one.level]
    for number, one in enumerate(curves):
        look = {"label": one.label, **LOOKS[one.look]}
        place = panels.aside(one.layer, number, len(curves))
        interval = None if one.lower is None or one.upper is None else (one.lower, one.upper)
        panels.curve(axes, place, one.estimate, interval, look, bars=len(place) == 1)
        low = one.estimate < floor
        if low.any():
            edge = np.full(low.sum(), floor)
            axes.plot(place[low], edge, "v", color=look["color"], markersize=4, clip_on=False, zorder=9)


def _inset(axes: Axes, series: list[Series], layers: list[int], low: float, high: float) -> None:
    x, y, width, height = INSET_SURROUND
    axes.add_patch(Rectangle((x, y), width, height, transform=axes.transAxes, color="white", zorder=7))
    inset = axes.inset_axes(INSET, zorder=8)
    inset.set_title("the same, magnified", fontsize=style.FONT - 1.5, pad=1.5, color=style.GREY)
    _curves(inset, [one.at(layers) for one in series], -math.inf)
    margin = 0.12 * (high - low) or 0.01
    inset.set(xlim=(layers[0] - 0.35, layers[-1] + 0.35), ylim=(low - margin, high + margin))
    inset.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    inset.yaxis.set_major_locator(MaxNLocator(nbins=3, steps=[1, 2, 5, 10]))
    inset.tick_params(labelsize=style.FONT - 1.5, length=1.5, pad=1, color=style.GREY)
    for spine in inset.spines.values():
        spine.set(color=style.GREY, linewidth=0.5)


def _legend(grid: panels.Grid, series: list[Series]) -> None:
    handles: dict[str, Artist] = {}
    for one in series:
        look = {key: value for key, value in LOOKS[one.look].items() if key != "zorder"}
        if one.label:
            handles.setdefault(one.label, Line2D([], [], label=one.label, **look))
    order = list(LOOKS)
    by_label = {one.label: order.index(one.look) for one in reversed(series)}
    shown = [handles[label] for label in sorted(handles, key=lambda label: by_label[label])]
    if any(one.lower is not None for one in series):
        shown.append(panels.band_entry("band: bootstrap interval"))
    note = "all but “seen”: on unseen groups" if any(one.look == "seen" for one in series) else None
    panels.legend(grid, shown, note)
