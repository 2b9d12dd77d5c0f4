"""Panels, a task each: their grid, curves with intervals, shared limits, and a legend that lies over none of them.

Cells of the grid that hold no panel hold the legend; where there is none, it stands below.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from linear_probing.drawing import style

PANEL_HEIGHT = 1.55
MAX_COLUMNS = 3
MAX_ENTRIES = 12
"""More than these do not fit into a cell of the grid."""
MAX_MARKS = 12
"""More marks on a curve would hide its dashes."""
LAYER = "layer (0: embedding)"


@dataclass(frozen=True)
class Grid:
    """A figure and its axes: `panels` by panel and tier, from the top; `empty` the cells that hold none."""

    figure: Figure | SubFigure
    panels: list[list[Axes]]
    empty: list[Axes]
    n_columns: int

    @property
    def whole(self) -> Figure:
        """The figure that the panels are in, whether they are all of it or a part."""
        return self.figure.get_figure(root=True)

    def label_below(self, text: str) -> None:
        """Name the x axis of each column's lowest panel."""
        for tiers in self.panels[max(0, len(self.panels) - self.n_columns) :]:
            tiers[-1].set_xlabel(text)


def height(n_panels: int, tiers: Sequence[float] = (PANEL_HEIGHT,)) -> float:
    """Return the height in inches of a grid of so many panels, its legend included."""
    n_columns = _columns(n_panels)
    rows = math.ceil(n_panels / n_columns)
    return rows * sum(tiers) + (0.9 if rows * n_columns == n_panels else 0.1)


def grid(n_panels: int, tiers: Sequence[float] = (PANEL_HEIGHT,), within: SubFigure | None = None) -> Grid:
    """Return so many panels in up to three columns.

    Parameters
    ----------
    n_panels : int
        At least 1.
    tiers : Sequence[float]
        Heights, in inches, of the axes that a panel is made of, from the top.
    within : SubFigure, optional
        A part of a figure to hold them; a new figure of their own where there is none.
    """
    n_columns, n = _columns(n_panels), len(tiers)
    rows = math.ceil(n_panels / n_columns)
    figure = style.new_figure(height(n_panels, tiers)) if within is None else within
    cells = figure.subplots(rows * n, n_columns, squeeze=False, height_ratios=list(tiers) * rows)
    places = [(row * n, column) for row in range(rows) for column in range(n_columns)]
    stacks = [[cells[row + tier, column] for tier in range(n)] for row, column in places]
    for axes in (axes for stack in stacks[n_panels:] for axes in stack):
        axes.set_axis_off()
    return Grid(figure, stacks[:n_panels], [stack[0] for stack in stacks[n_panels:]], n_columns)


def _columns(n_panels: int) -> int:
    return {1: 1, 2: 2, 4: 2}.get(n_panels, MAX_COLUMNS)


def curve(
    axes: Axes,
    x: np.ndarray,
    estimate: np.ndarray,
    interval: tuple[np.ndarray, np.ndarray] | None,
    look: dict[str, Any],
    bars: bool = False,
) -> None:
    """Draw one curve, and its interval as a band or, where `bars`, as a bar at each point.

    Parameters
    ----------
    x, estimate : np.ndarray
        Shape (n_points,); what is NaN is a gap.
    interval : tuple of np.ndarray, optional
        Lower and upper bounds, of the same shape.
    look : dict
        Settings of the line.
    """
    # A line through one point is nothing: it takes a mark.
    mark = {} if len(x) > 1 or look.get("marker") else {"marker": "_", "markersize": 6}
    axes.plot(x, estimate, markevery=max(1, len(x) // MAX_MARKS), **look | mark)
    if interval is None:
        return
    if bars:
        axes.vlines(x, *interval, color=look["color"], linewidth=1.0, zorder=look["zorder"])
    else:
        axes.fill_between(x, *interval, color=look["color"], alpha=0.2, linewidth=0, zorder=1)


def aside(layers: np.ndarray, number: int, n_curves: int) -> np.ndarray:
    """Return where a curve's points stand: aside from the others' where a study has one layer, which all stand on."""
    return layers + (0.12 * (number - (n_curves - 1) / 2) if len(layers) == 1 else 0.0)


def finish(axes: Axes, places: Iterable[float], span: tuple[float, float] | None) -> None:
    """Set the limits of a panel, whole layers as ticks, and say so where nothing is defined.

    Parameters
    ----------
    places : Iterable[float]
        Layers at which some curve is defined, or shares of the number of layers; none where nothing is drawn.
    span : tuple[float, float], optional
        Limits of the y axis.
    """
    known = sorted(set(places))
    width = known[-1] - known[0] if known else 0.0
    if known:
        pad = max(0.25 / (len(known) - 1), 0.03) * width if width else 0.75
        axes.set_xlim(known[0] - pad, known[-1] + pad)
    else:
        blank(axes)
    if span is not None:
        axes.set_ylim(*span)
    if len(known) == 1:
        axes.set_xticks(known)
    elif all(float(place).is_integer() for place in known):
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    sns.despine(ax=axes)


def blank(axes: Axes) -> None:
    """Say in a panel that there is nothing to draw."""
    axes.text(0.5, 0.5, "no score is defined", transform=axes.transAxes, ha="center", va="center", color=style.GREY)


def span(values: Iterable[np.ndarray | None], shown: Sequence[float] = ()) -> tuple[float, float]:
    """Return limits that hold all finite values and those always shown, with a margin.

    Examples
    --------
    >>> span([np.array([0.5, np.nan, 1.0])], [0.0])
    (-0.04, 1.04)
    """
    drawn = [np.asarray(one, dtype=float) for one in values if one is not None]
    finite = np.concatenate([*drawn, np.asarray(shown, dtype=float)])
    finite = finite[np.isfinite(finite)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    margin = 0.04 * (high - low) or 0.5
    return low - margin, high + margin


def band_entry(text: str) -> Patch:
    """Return the legend's entry that says what the bands are."""
    return Patch(color=style.GREY, alpha=0.3, linewidth=0, label=text)


def legend(grid: Grid, handles: Sequence[Artist], note: str | None = None) -> None:
    """Place the legend in the first empty cell, or below all panels where none is empty or the labels are too long.

    Parameters
    ----------
    handles : Sequence[Artist]
        Entries in their order, with labels.
    note : str, optional
        A line over them.
    """
    widest = max((len(str(handle.get_label())) for handle in handles), default=1) * style.FONT * 0.56 + 34
    settings: dict[str, Any] = {
        "handles": handles,
        "frameon": False,
        "handlelength": 3.2,
        "borderaxespad": 0.0,
        "title": note,
        "alignment": "left",
    }
    if grid.empty and widest < 72 * style.DOUBLE_COLUMN / MAX_COLUMNS and len(handles) <= MAX_ENTRIES:
        grid.empty[0].legend(loc="center left", labelspacing=0.35, **settings)
    else:
        columns = max(1, min(4, int(72 * style.DOUBLE_COLUMN // widest)))
        grid.figure.legend(loc="outside lower center", ncols=columns, **settings)
