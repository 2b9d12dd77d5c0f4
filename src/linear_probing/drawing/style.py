"""One look for all figures: sizes of journal columns, one palette, and files whose bytes depend on the tables alone.

Colours are those of Okabe and Ito (2008), told apart by readers with any of the common colour deficiencies; nothing is
told by colour alone, so that a grey print still reads. Dates are kept out of the files.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

mpl.use("Agg")

DOUBLE_COLUMN = 7.2
"""Width of a journal's two columns, in inches (183 mm)."""

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILLION, PURPLE, GREY = "#0072B2", "#D55E00", "#B0588A", "#767676"

PNG_DPI = 300
FONT = 7.0
RC: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": FONT,
    "axes.titlesize": FONT,
    "axes.labelsize": FONT,
    "xtick.labelsize": FONT - 0.5,
    "ytick.labelsize": FONT - 0.5,
    "legend.fontsize": FONT - 0.5,
    "legend.title_fontsize": FONT - 0.5,
    "axes.titlelocation": "left",
    "axes.titlepad": 4.0,
    "axes.labelpad": 2.0,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.major.pad": 2.0,
    "ytick.major.pad": 2.0,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.0,
    "figure.dpi": PNG_DPI,
    "savefig.dpi": PNG_DPI,
    "pdf.fonttype": 42,
    "svg.hashsalt": "linear_probing",
}
# None leaves the entry out: creation dates and, in PNG, the library's version.
METADATA: dict[str, dict[str, str | None]] = {
    "pdf": {"CreationDate": None, "ModDate": None, "Creator": "linear_probing", "Producer": None},
    "png": {"Software": None},
}


@contextmanager
def theme() -> Iterator[None]:
    """Apply the look to all figures made and saved inside the block, and restore what was set before."""
    with mpl.rc_context({**sns.plotting_context("paper"), **sns.axes_style("ticks"), **RC}):  # type: ignore[dict-item]
        yield


def new_figure(height: float) -> Figure:
    """Return an empty figure of two journal columns' width.

    Parameters
    ----------
    height : float
        In inches, positive.
    """
    figure = Figure(figsize=(DOUBLE_COLUMN, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, folder: Path, name: str) -> tuple[Path, ...]:
    """Write `name`.pdf and `name`.png into a folder; equal figures give equal bytes.

    Parameters
    ----------
    figure : Figure
        Made inside `theme`.
    folder : Path
        Exists already.
    name : str
        File name without its ending.

    Returns
    -------
    tuple[Path, ...]
        The files written.
    """
    paths = []
    for ending, metadata in METADATA.items():
        path = folder / f"{name}.{ending}"
        figure.savefig(path, metadata=metadata)
        paths.append(path)
    return tuple(paths)


def spread(layers: list[int], n_shown: int) -> list[int]:
    """Choose layers evenly, the first and the last always among them.

    Examples
    --------
    >>> spread([0, 1, 2, 3, 4, 5, 6], 4)
    [0, 2, 4, 6]
    >>> spread([5], 4)
    [5]
    """
    if len(layers) <= n_shown:
        return list(layers)
    return [layers[round(place)] for place in np.linspace(0, len(layers) - 1, n_shown)]


def bare(axes: Axes) -> None:
    """Take ticks and frame from axes whose numbers mean nothing to a reader."""
    axes.set(xticks=[], yticks=[])
    sns.despine(ax=axes, left=True, bottom=True)


def message(text: str) -> Figure:
    """Return a figure that holds one sentence, for a study that has nothing to show here."""
    figure = new_figure(1.2)
    figure.text(0.5, 0.5, text, ha="center", va="center", color=GREY, fontsize=FONT + 1)
    return figure
