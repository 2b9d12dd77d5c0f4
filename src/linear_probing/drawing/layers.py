"""Layer curves: one panel a task, the metric by layer, the model's curve never without its controls.

A curve is what the tables hold: estimate, lower and upper of layers.csv, unchanged. The headline is the part
`unseen` where a data set has one, else `all`, under the split by group. Numbers below the axis are not dropped: a
triangle at the lower edge stands for them.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from linear_probing.drawing import style
from linear_probing.drawing.tables import MAKE, FigureError

PANEL_HEIGHT = 1.55
MAX_COLUMNS = 3
CLOSE = 0.05
HELD_OUT = {"country": "countries held out", "numbers": "numbers held out"}
METRICS = {"auroc": "AUROC", "r2": "R²", "macro_f1": "macro F1"}
# Axis limits per metric: least and greatest value always shown, and the value below which triangles stand for points.
RANGES = {"auroc": (0.45, 1.0, 0.0), "r2": (0.0, 1.0, -0.5), "macro_f1": (0.0, 1.0, 0.0)}
TITLES = {
    "place.position": "Place of a city",
    "place.country": "Country of a city",
    "place.continent": "Continent of a city",
    "cities.truth": "Truth of “X is in C”",
    "neg_cities.truth": "Truth of “X is not in C”",
    "larger_than.truth": "Truth of “A is larger than B”",
    "agreement.number": "Number of the subject",
    "word_class.word_class": "Word class",
    "word_class.class": "Word class",
}

LOOKS: dict[str, dict[str, Any]] = {
    "headline": {"color": style.BLUE, "linestyle": "-", "marker": "o", "linewidth": 1.6, "zorder": 6},
    "seen": {
        "color": style.BLUE,
        "linestyle": (0, (1, 1)),
        "marker": "o",
        "markerfacecolor": "white",
        "zorder": 5,
    },
    "twin": {"color": style.VERMILLION, "linestyle": (0, (4, 1.5)), "marker": "s", "zorder": 5},
    "held_out": {
        "color": style.GREEN,
        "linestyle": (0, (5, 1, 1, 1)),
        "marker": "^",
        "markersize": 3.6,
        "zorder": 4,
    },
    "types": {"color": style.PURPLE, "linestyle": "-", "marker": None, "linewidth": 0.8, "zorder": 3},
    "control": {
        "color": style.PURPLE,
        "linestyle": (0, (2, 1)),
        "marker": "x",
        "markersize": 3.6,
        "zorder": 4,
    },
    "text": {"color": style.BLACK, "linestyle": (0, (6, 2)), "linewidth": 0.9, "zorder": 2},
    "column": {"color": style.ORANGE, "linestyle": (0, (8, 1.5, 1, 1.5)), "linewidth": 1.3, "zorder": 2},
    "majority": {"color": style.GREY, "linestyle": (0, (1, 1.5)), "linewidth": 0.9, "zorder": 1},
}


@dataclass(frozen=True)
class Series:
    """One curve of a panel.

    Parameters
    ----------
    label : str
        Its entry in the legend.
    look : str
        Key of `LOOKS`.
    layer, estimate : np.ndarray
        Shape (n_layers,); NaN where the score is undefined.
    lower, upper : np.ndarray or None
        Shape (n_layers,); None for a curve that is drawn without its interval.
    level : bool
        One number for all layers, drawn across the panel.
    """

    label: str
    look: str
    layer: np.ndarray
    estimate: np.ndarray
    lower: np.ndarray | None = None
    upper: np.ndarray | None = None
    level: bool = False


def title(task: str) -> str:
    """Return what a task asks in plain words, or its name where there are none."""
    return TITLES.get(task, task)


def headline_part(rows: pd.DataFrame) -> str:
    """Return `unseen` where the rows have it, else `all`, else the first part there is."""
    parts = list(dict.fromkeys(rows["part"]))
    return next((part for part in ("unseen", "all") if part in parts), parts[0])


def panel_series(
    layers: pd.DataFrame, baselines: pd.DataFrame, task: str, model: str, twin: str | None
) -> list[Series]:
    """Choose the curves of one panel, in the order in which the legend names them.

    Parameters
    ----------
    layers, baselines : pd.DataFrame
        layers.csv and baselines.csv.
    task : str
        As in layers.csv; its first probe is drawn.
    model : str
        The model in front.
    twin : str or None
        The same architecture with random weights; None if the study has none.

    Returns
    -------
    list[Series]
        Only curves that have a defined number at one layer at least.
    """
    rows = layers[layers["task"] == task]
    rows = rows[rows["probe"] == rows["probe"].iloc[0]]
    own = rows[rows["model"] == model]
    if own.empty:
        return []
    split = "group" if "group" in set(own["split"]) else own["split"].iloc[0]
    main = own[own["split"] == split]
    part = headline_part(main)
    chosen = main[main["part"] == part]
    series = [_curve(chosen, model if part != "unseen" else f"{model}, unseen", "headline", band=True)]
    series.append(_curve(main[(main["part"] == "seen") & (part == "unseen")], f"{model}, seen", "seen"))
    other = rows[(rows["model"] == twin) & (rows["split"] == split) & (rows["part"] == part)]
    series.append(_curve(other, f"{twin} (random weights)", "twin", band=True))
    for name in dict.fromkeys(own["split"]):
        strict = own[own["split"] == name]
        if name in (split, "types"):
            continue
        strict = strict[strict["part"] == headline_part(strict)]
        series.append(_curve(strict, HELD_OUT.get(name, f"{name} held out"), "held_out"))
    by_type = own[own["split"] == "types"]
    if not by_type.empty:
        by_type = by_type[by_type["part"] == headline_part(by_type)]
        series.append(_curve(by_type, "types in training: task", "types"))
        series.append(_curve(by_type, "types in training: control task", "control", column="control"))
    else:
        series.append(_curve(chosen, "control task", "control", column="control"))
    series.append(_curve(chosen, "text baseline", "text", column="text_baseline", level=True))
    series.extend(_column_baselines(baselines, task, part, split, chosen["layer"].to_numpy()))
    series.append(_curve(chosen, "majority", "majority", column="majority", level=True))
    return [one for one in series if np.isfinite(one.estimate).any()]


def _curve(
    rows: pd.DataFrame,
    label: str,
    look: str,
    column: str = "estimate",
    band: bool = False,
    level: bool = False,
) -> Series:
    rows = rows.sort_values("layer", kind="stable")
    values = rows[column].to_numpy()
    return Series(
        label=label,
        look=look,
        layer=rows["layer"].to_numpy(),
        estimate=values,
        lower=rows["lower"].to_numpy() if band else None,
        upper=rows["upper"].to_numpy() if band else None,
        # A baseline that differed between layers would be drawn layer by layer, as the table has it.
        level=level and len(np.unique(values)) == 1,
    )


def _column_baselines(baselines: pd.DataFrame, task: str, part: str, split: str, layer: np.ndarray) -> list[Series]:
    found = baselines[
        (baselines["task"] == task)
        & (baselines["part"] == part)
        & (baselines["split"] == split)
        & baselines["baseline"].str.startswith("column:")
    ]
    return [
        Series(
            label=f"{str(row.baseline).removeprefix('column:').replace('_', ' ')} alone",
            look="column",
            layer=layer,
            estimate=np.full(len(layer), row.estimate),
            level=True,
        )
        for row in found.itertuples()
    ]


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
    finite = np.concatenate(drawn) if drawn else np.array([0.0, 1.0])
    finite = finite[np.isfinite(finite)]
    least, greatest, floor = RANGES.get(metric, (math.inf, -math.inf, -math.inf))
    low = max(min(least, float(finite.min())), floor)
    high = max(greatest, float(finite.max()))
    margin = 0.04 * (high - low) or 0.5
    return low - margin, high + margin


def caution(series: list[Series]) -> str:
    """Return what a panel must say where random weights do about as well as the model, else an empty string.

    Then the curve tells of the text and the architecture, not of what was learnt.
    """
    best = {one.look: float(np.nanmax(one.estimate)) for one in reversed(series) if np.isfinite(one.estimate).any()}
    if {"headline", "twin"} <= best.keys() and best["twin"] > max(0.6, best["headline"] - CLOSE):
        return f"caution: random weights reach {best['twin']:.2f}"
    return ""


def draw(layers: pd.DataFrame, baselines: pd.DataFrame, model: str, twin: str | None) -> Figure:
    """Draw the layer curves of one model beside its controls.

    Parameters
    ----------
    layers, baselines : pd.DataFrame
        layers.csv and baselines.csv.
    model : str
        The model in front.
    twin : str or None
        Its twin with random weights.

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
    panels = {task: panel_series(layers, baselines, task, model, twin) for task in tasks}
    metrics = {task: str(own.loc[own["task"] == task, "metric"].iloc[0]) for task in tasks}
    columns = _columns(len(tasks))
    rows = math.ceil(len(tasks) / columns)
    figure = style.new_figure(rows * PANEL_HEIGHT + (0.9 if rows * columns == len(tasks) else 0.1))
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, task in zip(grid, tasks, strict=False):
        same = [one for other in tasks if metrics[other] == metrics[task] for one in panels[other]]
        _panel(axes, panels[task], limits(metrics[task], same))
        axes.set_title(title(task))
        axes.text(0.98, 0.06, caution(panels[task]), transform=axes.transAxes, ha="right", color=LOOKS["twin"]["color"])
        rows_of_task = own[(own["task"] == task) & (own["split"] == "group")]
        unseen = not rows_of_task.empty and headline_part(rows_of_task) == "unseen"
        axes.set_ylabel(METRICS.get(metrics[task], metrics[task]) + (", unseen" if unseen else ""))
    for axes in grid[max(0, len(tasks) - columns) : len(tasks)]:
        axes.set_xlabel("layer (0: embedding)")
    _legend(figure, list(grid[len(tasks) :]), [one for task in tasks for one in panels[task]])
    return figure


def _columns(n_panels: int) -> int:
    return {1: 1, 2: 2, 4: 2}.get(n_panels, MAX_COLUMNS)


def _panel(axes: Axes, series: list[Series], span: tuple[float, float]) -> None:
    layers = sorted({int(layer) for one in series for layer in one.layer})
    curves = [one for one in series if not one.level]
    for number, one in enumerate(curves):
        look = LOOKS[one.look]
        # With one layer all curves would stand on one point: they are set side by side, intervals as bars.
        shift = 0.0 if len(layers) > 1 else 0.12 * (number - (len(curves) - 1) / 2)
        place = one.layer + shift
        axes.plot(place, one.estimate, label=one.label, **look)
        if one.lower is not None and one.upper is not None:
            if len(layers) > 1:
                axes.fill_between(place, one.lower, one.upper, color=look["color"], alpha=0.2, linewidth=0, zorder=1)
            else:
                axes.vlines(place, one.lower, one.upper, color=look["color"], linewidth=1.0, zorder=look["zorder"])
        low = one.estimate < span[0]
        if low.any():
            axes.plot(
                place[low],
                np.full(low.sum(), span[0]),
                "v",
                color=look["color"],
                markersize=4,
                clip_on=False,
                zorder=9,
            )
    for one in series:
        if one.level:
            axes.axhline(max(one.estimate[0], span[0]), label=one.label, **LOOKS[one.look])
    axes.set_ylim(*span)
    if layers:
        pad = 0.25 if len(layers) > 1 else 0.75
        axes.set_xlim(layers[0] - pad, layers[-1] + pad)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    sns.despine(ax=axes)


def _legend(figure: Figure, empty: list[Axes], series: list[Series]) -> None:
    handles: dict[str, Artist] = {}
    for one in series:
        look = {key: value for key, value in LOOKS[one.look].items() if key != "zorder"}
        handles.setdefault(one.label, Line2D([], [], label=one.label, **look))
    order = list(LOOKS)
    by_label = {one.label: order.index(one.look) for one in reversed(series)}
    labels = sorted(handles, key=lambda label: by_label[label])
    shown = [handles[label] for label in labels]
    if any(one.lower is not None for one in series):
        shown.append(Patch(color=style.GREY, alpha=0.3, linewidth=0, label="band: bootstrap interval"))
        labels.append("band: bootstrap interval")
    for axes in empty:
        axes.set_axis_off()
    widest = max((len(label) for label in labels), default=1) * style.FONT * 0.56 + 34
    settings: dict[str, Any] = {"frameon": False, "handlelength": 3.2, "borderaxespad": 0.0}
    if empty and widest < 72 * style.DOUBLE_COLUMN / MAX_COLUMNS and len(labels) <= 12:
        empty[0].legend(handles=shown, loc="center left", labelspacing=0.35, **settings)
    else:
        columns = max(1, min(4, int(72 * style.DOUBLE_COLUMN // widest)))
        figure.legend(handles=shown, loc="outside lower center", ncols=columns, **settings)
