"""Models beside each other: the headline curve of each, a panel a task.

Where models differ in depth, a layer's place is its share of the model's layers, so that the middle of one stands over
the middle of the other. A figure tells a few models apart; where a study has more, the others lie behind in grey.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from linear_probing.drawing import captions, panels, style
from linear_probing.drawing.curves import METRICS, headline_rows, title
from linear_probing.drawing.tables import MAKE, FigureError
from linear_probing.settings import Study

MAX_BANDS = 3
"""Models whose intervals do not yet hide each other."""
DEPTH = "layer / number of layers (0: embedding)"
LOOKS: tuple[dict[str, Any], ...] = (
    {"color": style.BLUE, "linestyle": "-", "marker": "o", "zorder": 9},
    {"color": style.VERMILLION, "linestyle": (0, (4, 1.5)), "marker": "s", "zorder": 8},
    {"color": style.GREEN, "linestyle": (0, (5, 1, 1, 1)), "marker": "^", "zorder": 7},
    {"color": style.PURPLE, "linestyle": (0, (1, 1)), "marker": "D", "zorder": 6},
    {"color": style.BLACK, "linestyle": (0, (6, 2)), "marker": "x", "zorder": 5},
    {"color": style.ORANGE, "linestyle": (0, (8, 1.5, 1, 1.5)), "marker": "v", "zorder": 4},
    {"color": style.SKY, "linestyle": (0, (3, 1, 1, 1, 1, 1)), "marker": "P", "zorder": 3},
)
BEHIND: dict[str, Any] = {"color": "#C4C4C4", "linestyle": "-", "linewidth": 0.5, "zorder": 1}


def draw(layers: pd.DataFrame, front: Sequence[str], depths: Mapping[str, int]) -> Figure:
    """Draw the headline curves of some models, those of all others behind them.

    Parameters
    ----------
    layers : pd.DataFrame
        layers.csv.
    front : Sequence[str]
        At most as many models as there are looks.
    depths : Mapping[str, int]
        The number of layers of every model that is drawn, without the embedding.

    Returns
    -------
    Figure
        One axes for each task that a model in front has, with shared limits for a metric.

    Raises
    ------
    FigureError
        If layers.csv has no row of a model in front.
    """
    rows = _rows(layers, front, depths)
    tasks = list(dict.fromkeys(rows.loc[rows["model"].isin(front), "task"]))
    metrics: dict[str, str] = dict(zip(rows["task"], rows["metric"], strict=True))
    grid = panels.grid(len(tasks))
    names = ("estimate", "lower", "upper") if len(front) <= MAX_BANDS else ("estimate",)
    for (axes,), task in zip(grid.panels, tasks, strict=True):
        same = rows[rows["task"].map(metrics) == metrics[task]]
        defined = _panel(axes, rows[rows["task"] == task], front)
        panels.finish(axes, defined, panels.span([same[name].to_numpy() for name in names]))
        axes.set_title(title(task))
        axes.set_ylabel(METRICS.get(metrics[task], metrics[task]))
    grid.label_below(DEPTH if differ(depths) else panels.LAYER)
    panels.legend(grid, _entries(front, len(depths) > len(front)))
    return grid.whole


def differ(depths: Mapping[str, int]) -> bool:
    """Return whether the models differ in their number of layers, so that depth is drawn as a share of it."""
    return len(set(depths.values())) > 1


def _rows(layers: pd.DataFrame, front: Sequence[str], depths: Mapping[str, int]) -> pd.DataFrame:
    """Return the headline rows of all models with a column `place`: where on the x axis each stands."""
    known = dict.fromkeys(layers["model"])
    absent = [model for model in front if model not in known]
    if absent:
        raise FigureError(f"layers.csv has no row of {', '.join(absent)}; it has {', '.join(known)}", do=MAKE)
    rows = pd.concat([headline_rows(layers, model) for model in depths])
    scale = rows["model"].map(depths) if differ(depths) else 1
    return rows.assign(place=rows["layer"] / scale)


def _panel(axes: Axes, rows: pd.DataFrame, front: Sequence[str]) -> list[float]:
    """Draw one task's curves, and return the places at which one of them is defined."""
    looks = dict(zip(front, LOOKS, strict=False))
    for number, (model, of_model) in enumerate(rows.groupby("model", sort=False)):
        ordered = of_model.sort_values("layer", kind="stable")
        shown = looks.get(str(model), BEHIND)
        banded = model in looks and len(front) <= MAX_BANDS
        place: np.ndarray = ordered["place"].to_numpy()
        interval = (ordered["lower"].to_numpy(), ordered["upper"].to_numpy()) if banded else None
        alone = len(place) == 1
        look = {**shown, "marker": "."} if alone and model not in looks else shown
        place = panels.aside(place, number, rows["model"].nunique())
        panels.curve(axes, place, ordered["estimate"].to_numpy(), interval, look, bars=alone)
    return rows.loc[rows["estimate"].notna(), "place"].tolist()


def _entries(front: Sequence[str], others: bool) -> list[Artist]:
    lines: list[Artist] = [Line2D([], [], label=model, **look) for model, look in zip(front, LOOKS, strict=False)]
    if others:
        lines.append(Line2D([], [], label="the study’s other models", **BEHIND))
    if len(front) <= MAX_BANDS:
        lines.append(panels.band_entry("band: bootstrap interval"))
    return lines


def caption(layers: pd.DataFrame, front: Sequence[str], depths: Mapping[str, int], study: Study) -> str:
    """Return what the figure shows, of how many targets, by which probe and with which intervals.

    Parameters
    ----------
    layers, front, depths
        As drawn.
    study : Study
        Whose intervals they are.
    """
    rows = _rows(layers, front, depths)
    rows = rows[rows["model"].isin(front)]
    tasks = dict.fromkeys(rows["task"])
    held = {model: set(rows.loc[rows["model"] == model, "task"]) for model in front}
    lacking = [f"{model} has no {title(task)}" for model in front for task in tasks if task not in held[model]]
    numbers = ", ".join(f"{model} {depths[model]}" for model in front)
    others = len(depths) - len(front)
    behind = f", before {captions.count(others, 'other model')} of the study in grey" if others else ""
    by = "relative depth" if differ(depths) else "layer"
    bands = f"Bands: {captions.intervals(study.bootstrap, rows)}"
    return captions.paragraph(
        [
            f"Scores of {captions.listed(list(front))} by {by}, groups held out{behind}.",
            f"Numbers of layers: {numbers}." if differ(depths) else "",
            f"{'; '.join(lacking)}." if lacking else "",
            captions.parts(rows),
            bands if len(front) <= MAX_BANDS else "Intervals are in each model’s layer curves.",
            captions.sizes(rows),
            captions.probes(rows),
        ]
    )
