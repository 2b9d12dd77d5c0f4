"""Matrices of numbers: colour for the eye, the number itself for a print in grey, hatching where there is none.

Colours part at a middle that means nothing found (an AUROC of .5, a cosine of 0): blue above, orange below, and the
blue is the darker one, so that a grey print tells the ends apart even where cells are too small for numbers.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, TwoSlopeNorm
from matplotlib.patches import Rectangle

from linear_probing.drawing import style

POINTS = 72.0
LEAST_FONT = 3.6
"""Points; smaller numbers are left out, since nobody could read them."""

DIGIT = 0.7
NARROW = {".": 0.39, "-": 0.42, " ": 0.35}
"""Widths of bold letters in ems: of the narrow ones, and of a digit, which stands for all others."""

MAP = LinearSegmentedColormap.from_list("parted", [style.ORANGE, "#FFFFFF", style.BLUE])
HATCH: dict[str, Any] = {"facecolor": "#F2F2F2", "edgecolor": "#A0A0A0", "hatch": "/////", "linewidth": 0.0}
EDGE = "#D6D6D6"
DARK = 0.5
"""Luminance below which a number is white."""


def table(
    rows: pd.DataFrame, names: tuple[str, str], value: str, of: tuple[Sequence[Any], Sequence[Any]]
) -> np.ndarray:
    """Return a column of a long table as a matrix, shape (n_rows, n_columns); NaN where there is no row.

    Parameters
    ----------
    rows : pd.DataFrame
        One row a cell.
    names : tuple[str, str]
        The columns that say in which row and which column of the matrix a number stands.
    value : str
        The column of the numbers.
    of : tuple[Sequence, Sequence]
        What the rows and the columns of the matrix are of, in order.
    """
    held = dict(zip(zip(rows[names[0]], rows[names[1]], strict=True), rows[value], strict=True))
    return np.array([[held.get((row, column), np.nan) for column in of[1]] for row in of[0]], dtype=float)


def colours(low: float, middle: float, high: float) -> ScalarMappable:
    """Return the scale of a matrix, for `draw` and for its bar."""
    return ScalarMappable(TwoSlopeNorm(middle, low, high), MAP)


def draw(
    axes: Axes,
    values: np.ndarray,
    scale: ScalarMappable,
    size: float,
    *,
    words: Callable[[float], str] = style.score,
    none: str = "",
    bold: np.ndarray | None = None,
    diagonal: bool = True,
) -> None:
    """Draw a matrix, first row on top, with square cells.

    Parameters
    ----------
    values : np.ndarray
        Shape (n_rows, n_columns); NaN is hatched.
    scale : ScalarMappable
        From `colours`.
    size : float
        Side of a cell in inches, from which the size of the numbers follows.
    words : callable
        Number to text.
    none : str
        What a hatched cell says.
    bold : np.ndarray, optional
        Shape (n_rows, n_columns); which numbers are bold.
    diagonal : bool
        Whether there is one; where a thing meets itself its cells are left empty.
    """
    n_rows, n_columns = values.shape
    tints = scale.to_rgba(values)
    for row, column in np.ndindex(n_rows, n_columns):
        value, place = values[row, column], (column - 0.5, row - 0.5)
        if row == column and not diagonal:
            continue
        if not np.isfinite(value):
            axes.add_patch(Rectangle(place, 1, 1, **HATCH, zorder=1))
            _text(axes, column, row, none, size, style.BLACK)
            continue
        colour = tints[row, column]
        axes.add_patch(Rectangle(place, 1, 1, facecolor=colour, edgecolor=EDGE, linewidth=0.4, zorder=1))
        dark = float(np.dot(colour[:3], (0.299, 0.587, 0.114))) < DARK
        thick = bold is not None and bool(bold[row, column])
        _text(axes, column, row, words(float(value)), size, "#FFFFFF" if dark else style.BLACK, thick)
    axes.set(xlim=(-0.5, n_columns - 0.5), ylim=(n_rows - 0.5, -0.5), aspect="equal")
    axes.tick_params(length=0, pad=2)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _text(axes: Axes, x: int, y: int, text: str, size: float, colour: str, bold: bool = False) -> None:
    width = max(sum(NARROW.get(letter, DIGIT) for letter in line) for line in text.split("\n"))
    font = min(style.FONT - 0.5, 0.87 * size * POINTS / max(width, 1.0))
    if text and font >= LEAST_FONT:
        weight = "bold" if bold else "normal"
        axes.text(
            x, y, text, ha="center", va="center", fontsize=font, color=colour, weight=weight, linespacing=0.95, zorder=3
        )


def label(axes: Axes, rows: Sequence[str], columns: Sequence[str], rotation: float = 0.0) -> None:
    """Name rows at the left and columns below; empty sequences leave an axis without names."""
    axes.set_yticks(range(len(rows)), rows)
    axes.set_xticks(range(len(columns)), columns)
    if rotation:
        for text in axes.get_xticklabels():
            text.set(rotation=rotation, ha="right", va="top", rotation_mode="anchor")


def frame(axes: Axes, row: int, column: int) -> None:
    """Draw a frame around a cell."""
    axes.add_patch(
        Rectangle((column - 0.47, row - 0.47), 0.94, 0.94, fill=False, edgecolor=style.BLACK, linewidth=1.0, zorder=4)
    )
