"""How much it takes to read a label: code lengths by layer, and learning curves over training groups.

A label that is easy to read costs few bits (Voita & Titov 2020) and is read well after few groups, where a flexible
probe may reach the same score at last in any layer. One panel holds the code lengths of all tasks, since all are
compressions against uniform bits; each task has a panel with its learning curves at some layers.
"""

from itertools import cycle
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from linear_probing.drawing import captions, panels, style
from linear_probing.drawing.curves import METRICS, headline, title
from linear_probing.settings import Study

NONE = "No code lengths and no learning curves: the study asked for none of {model}."
N_LAYERS = 4
CODE_HEIGHT = 1.8
ASIDE = 1.04
# From the first layer to the last: light to dark, so that a grey print keeps their order.
LAYERS: tuple[dict[str, Any], ...] = (
    {"color": style.ORANGE, "linestyle": (0, (1, 1)), "marker": "v", "zorder": 3},
    {"color": style.SKY, "linestyle": (0, (5, 1, 1, 1)), "marker": "^", "zorder": 4},
    {"color": style.BLUE, "linestyle": (0, (4, 1.5)), "marker": "s", "zorder": 5},
    {"color": style.BLACK, "linestyle": "-", "marker": "o", "zorder": 6},
)
TASKS: tuple[tuple[str, str], ...] = (
    (style.BLUE, "o"),
    (style.VERMILLION, "s"),
    (style.GREEN, "^"),
    (style.PURPLE, "D"),
    (style.ORANGE, "v"),
    (style.BLACK, "X"),
    (style.SKY, "P"),
    (style.GREY, "*"),
)
TWIN: dict[str, Any] = {"linestyle": (0, (2, 1.5)), "linewidth": 0.7, "markersize": 2.0, "zorder": 3}
GREY_TWIN: dict[str, Any] = {"color": style.GREY, "marker": "o", **TWIN}


def draw(code: pd.DataFrame, learning: pd.DataFrame, model: str, twin: str | None) -> Figure:
    """Draw code lengths of all tasks in one panel, and below it learning curves, a panel a task.

    Parameters
    ----------
    code, learning : pd.DataFrame
        code_length.csv and learning.csv.
    model : str
        The model in front.
    twin : str or None
        Its first twin with random weights, of which the code lengths are drawn.

    Returns
    -------
    Figure
        Of what the study has of both; a figure with one sentence if it has neither.
    """
    coded, curves = _coded(code, model), headline(learning[learning["model"] == model])
    tasks = list(dict.fromkeys(curves["task"]))
    if coded.empty and not tasks:
        return style.message(NONE.format(model=model))
    heights = [CODE_HEIGHT] * bool(len(coded)) + [panels.height(len(tasks))] * bool(tasks)
    figure = style.new_figure(sum(heights))
    parts = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    if len(coded):
        _code(parts[0], coded, _coded(code, twin), model, twin)
    if tasks:
        _learning(panels.grid(len(tasks), within=parts[-1]), curves, tasks)
    return figure


def _coded(code: pd.DataFrame, model: str | None) -> pd.DataFrame:
    """Return a model's code lengths by layer, those of features that are no layer left out."""
    return code[(code["model"] == model) & code["layer"].notna()].sort_values("layer", kind="stable")


def _code(part: SubFigure, coded: pd.DataFrame, random: pd.DataFrame, model: str, twin: str | None) -> None:
    axes, aside = part.subplots(1, 2, width_ratios=(2, 1))
    axes.axhline(1.0, color=style.GREY, linewidth=0.6, zorder=0)
    entries: list[Artist] = []
    tasks = list(dict.fromkeys(coded["task"]))
    for number, (task, (color, marker)) in enumerate(zip(tasks, cycle(TASKS))):
        look: dict[str, Any] = {"color": color, "marker": marker, "zorder": 5}
        for rows, more in ((coded, {}), (random, TWIN)):
            of_task = rows[rows["task"] == task]
            place = panels.aside(of_task["layer"].to_numpy(), number, len(tasks))
            panels.curve(axes, place, of_task["compression"].to_numpy(), None, look | more)
        entries.append(Line2D([], [], label=title(task), **look))
    if len(random):
        entries.append(Line2D([], [], label=f"thin: {twin} (random weights)", **GREY_TWIN))
    # Bits are compared by their ratio: twice as short is as far everywhere.
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    panels.finish(axes, coded.loc[coded["compression"].notna(), "layer"].astype(int), None)
    axes.set(title=f"Labels given the states of {model}", xlabel=panels.LAYER, ylabel="compression")
    aside.set_axis_off()
    aside.legend(handles=entries, loc="center left", frameon=False, handlelength=3.2, borderaxespad=0.0)


def _learning(grid: panels.Grid, curves: pd.DataFrame, tasks: list[str]) -> None:
    looks = layer_looks(curves)
    metrics: dict[str, str] = dict(zip(curves["task"], curves["metric"], strict=True))
    shown = curves[curves["layer"].isin(list(looks))]
    shares = sorted(set(shown["share"]))
    for (axes,), task in zip(grid.panels, tasks, strict=True):
        same = shown[shown["task"].map(metrics) == metrics[task]]
        _panel(axes, shown[shown["task"] == task], looks)
        axes.set_ylim(*panels.span([same[name].to_numpy() for name in ("estimate", "lower", "upper")]))
        axes.set_xscale("log")
        axes.set_xticks(shares, [f"{100 * share:g} %" for share in shares])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_title(title(task))
        axes.set_ylabel(METRICS.get(metrics[task], metrics[task]))
        sns.despine(ax=axes)
    grid.label_below("share of the training groups")
    entries: list[Artist] = [Line2D([], [], label=f"layer {layer}", **look) for layer, look in looks.items()]
    panels.legend(grid, entries, "bars: bootstrap intervals")


def layer_looks(curves: pd.DataFrame) -> dict[int, dict[str, Any]]:
    """Return the layers whose learning curves are drawn, chosen evenly, and how each looks; the last is the darkest."""
    layers = style.spread(sorted(int(layer) for layer in curves["layer"].unique()), N_LAYERS)
    return dict(zip(layers, LAYERS[-len(layers) :], strict=True))


def _panel(axes: Axes, rows: pd.DataFrame, looks: dict[int, dict[str, Any]]) -> None:
    if not rows["estimate"].notna().any():
        panels.blank(axes)
    for number, (layer, look) in enumerate(looks.items()):
        ordered = rows[rows["layer"] == layer].sort_values("share", kind="stable")
        # Aside from each other, so that no bar hides another.
        place = ordered["share"].to_numpy() * ASIDE ** (number - (len(looks) - 1) / 2)
        interval = (ordered["lower"].to_numpy(), ordered["upper"].to_numpy())
        panels.curve(axes, place, ordered["estimate"].to_numpy(), interval, look, bars=True)


def caption(code: pd.DataFrame, learning: pd.DataFrame, model: str, twin: str | None, study: Study) -> str:
    """Return what the figure shows, of how many targets, by which probe and with which intervals.

    Parameters
    ----------
    code, learning, model, twin
        As drawn.
    study : Study
        Whose intervals they are.
    """
    coded, curves = _coded(code, model), headline(learning[learning["model"] == model])
    told = []
    if len(coded):
        beside = f" (thin lines: of {twin}, random weights)" if len(_coded(code, twin)) else ""
        labels = {task: captions.count(n, "label") for task, n in zip(coded["task"], coded["n_coded"], strict=True)}
        told += [
            f"Compression of the labels by the states of {model}{beside}: bits of a uniform code over bits of the "
            f"online code of a probe that learns in {captions.either(coded['n_portions'])} portions; at 1 it is no "
            "better than uniform, which unbalanced labels exceed without any feature.",
            captions.by_task("Coded:", labels),
        ]
    if len(curves):
        layers = captions.listed([str(layer) for layer in layer_looks(curves)])
        shown = curves[curves["layer"].isin(list(layer_looks(curves)))]
        shares = captions.listed([f"{100 * share:g} %" for share in sorted(set(shown["share"]))])
        told += [
            f"Learning curves: the score after {shares} of the training groups, at layer {layers}.",
            captions.parts(shown),
            f"Bars: {captions.intervals(study.bootstrap, shown)}",
            captions.sizes(shown),
            captions.probes(shown),
        ]
    return captions.paragraph(told) or NONE.format(model=model)
