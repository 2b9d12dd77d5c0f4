"""Row split against group split: what a probe gains, or loses, where targets of a group stand on both sides.

Above, the two scores by layer; below, their paired difference with its interval. A row split helps a probe that
remembers groups, and misleads it where the targets of a group have opposite labels.
"""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from linear_probing.drawing import captions, panels, style
from linear_probing.drawing.curves import METRICS, headline, title
from linear_probing.settings import Study

NONE = "No comparison of splits: {model} was not probed under a split by row."
TIERS = (1.25, 0.85)
GROUP: dict[str, Any] = {"color": style.BLUE, "linestyle": "-", "marker": "o", "linewidth": 1.6, "zorder": 6}
ROW: dict[str, Any] = {"color": style.ORANGE, "linestyle": (0, (4, 1.5)), "marker": "^", "zorder": 5}
DIFFERENCE: dict[str, Any] = {"color": style.BLACK, "linestyle": "-", "marker": "D", "markersize": 2.4, "zorder": 5}
LOOKS = {"group_score": ("group split", GROUP), "row_score": ("row split", ROW)}


def draw(leakage: pd.DataFrame, model: str) -> Figure:
    """Draw both scores and their difference by layer, a panel of two tiers for each task.

    Parameters
    ----------
    leakage : pd.DataFrame
        leakage.csv.
    model : str
        The model in front.

    Returns
    -------
    Figure
        A figure with one sentence if the model was not probed under a split by row.
    """
    own = headline(leakage[leakage["model"] == model])
    metrics: dict[str, str] = dict(zip(own["task"], own["metric"], strict=True))
    if not metrics:
        return style.message(NONE.format(model=model))
    grid = panels.grid(len(metrics), TIERS)
    below = panels.span([own[name].to_numpy() for name in ("difference", "lower", "upper")], [0.0])
    for (scores, differences), (task, metric) in zip(grid.panels, metrics.items(), strict=True):
        rows = own[own["task"] == task].sort_values("layer", kind="stable")
        same = own[own["task"].isin([other for other in metrics if metrics[other] == metric])]
        _scores(scores, rows)
        panels.finish(scores, _defined(rows), panels.span([same[name].to_numpy() for name in LOOKS]))
        scores.set_title(title(task))
        scores.set_ylabel(METRICS.get(metric, metric))
        scores.tick_params(labelbottom=False)
        _differences(differences, rows)
        panels.finish(differences, _defined(rows), below)
        differences.set_ylabel("difference")
    grid.label_below(panels.LAYER)
    panels.legend(grid, _entries(model), None)
    return grid.whole


def _defined(rows: pd.DataFrame) -> set[int]:
    return set(rows.loc[rows["difference"].notna(), "layer"].tolist())


def _scores(axes: Axes, rows: pd.DataFrame) -> None:
    layer = rows["layer"].to_numpy()
    for number, (name, (_, look)) in enumerate(LOOKS.items()):
        panels.curve(axes, panels.aside(layer, number, len(LOOKS)), rows[name].to_numpy(), None, look)


def _differences(axes: Axes, rows: pd.DataFrame) -> None:
    axes.axhline(0.0, color=style.GREY, linewidth=0.6, zorder=0)
    interval = (rows["lower"].to_numpy(), rows["upper"].to_numpy())
    layer: np.ndarray = rows["layer"].to_numpy()
    panels.curve(axes, layer, rows["difference"].to_numpy(), interval, DIFFERENCE, bars=len(layer) == 1)


def _entries(model: str) -> list[Artist]:
    lines: list[Artist] = [Line2D([], [], label=f"{model}, {name}", **look) for name, look in LOOKS.values()]
    lines.append(Line2D([], [], label="row split minus group split", **DIFFERENCE))
    return [*lines, panels.band_entry("band: bootstrap interval")]


def caption(leakage: pd.DataFrame, model: str, study: Study) -> str:
    """Return what the figure shows, of how many targets, by which probe and with which intervals.

    Parameters
    ----------
    leakage, model
        As drawn.
    study : Study
        Whose intervals they are.
    """
    own = headline(leakage[leakage["model"] == model])
    if own.empty:
        return NONE.format(model=model)
    return captions.paragraph(
        [
            f"Scores of {model} by layer under a split by row, which lets targets of one group train and test, and "
            "under the split by group; below them the difference, row split minus group split.",
            captions.parts(own),
            f"Bands, of the paired difference: {captions.intervals(study.bootstrap, own)}",
            captions.sizes(own),
            captions.probes(own),
        ]
    )
