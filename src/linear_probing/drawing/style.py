"""One look for all figures: sizes of journal columns, one palette, and files whose bytes depend on the tables alone.

Colours are those of Okabe and Ito (2008), told apart by readers with any of the common colour deficiencies; nothing is
told by colour alone, so that a grey print still reads. Dates are kept out of the files. PDF is for papers, PNG for what
shows no vectors, SVG for pages and for an editor in which labels are still text.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

mpl.use("Agg")

DOUBLE_COLUMN = 7.2
"""Width of a journal's two columns, in inches (183 mm)."""

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILLION, PURPLE, GREY = "#0072B2", "#D55E00", "#B0588A", "#767676"

PNG_DPI = 300
PLACES = 7
"""Digits of the place of axes, as a share of the figure: a ten thousandth of a printed dot."""

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
    # Text stays text, to be found and edited; a reader without the font sees another of its family.
    "svg.fonttype": "none",
    # Names of clips and markers are hashes, which without a fixed salt are drawn anew in every run.
    "svg.hashsalt": "linear_probing",
}
# None leaves the entry out: creation dates, and versions of the library where it can be left out.
METADATA: dict[str, dict[str, str | None]] = {
    "pdf": {"CreationDate": None, "ModDate": None, "Creator": "linear_probing", "Producer": None},
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": "linear_probing"},
}


@contextmanager
def theme() -> Iterator[None]:
    """Apply the look to all figures made and saved inside the block, and restore what was set before."""
    with mpl.rc_context():
        mpl.rcdefaults()  # what a matplotlibrc says, here or at home, is in no digest
        mpl.rcParams.update({**sns.plotting_context("paper"), **sns.axes_style("ticks"), **RC})  # type: ignore[dict-item]
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
    """Write `name` as PDF, PNG and SVG into a folder; equal figures give equal bytes.

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
    settle(figure)
    paths = []
    for ending, metadata in METADATA.items():
        path = folder / f"{name}.{ending}"
        figure.savefig(path, metadata=metadata)
        paths.append(path)
    return tuple(paths)


def settle(figure: Figure) -> None:
    """Fix where all axes stand, once for all formats.

    The layout's solver leaves places that differ in their last bits from one drawing to the next. Nobody sees that, but
    an SVG's clips are named after them: rounded, equal figures have equal bytes.
    """
    figure.draw_without_rendering()
    # Not "none", a placeholder for which every `savefig` draws the figure once more, for its layout.
    figure.set_layout_engine(None)
    for axes in figure.axes:
        left, bottom, width, height = (round(number, PLACES) for number in axes.get_position(original=True).bounds)
        axes.set_position((left, bottom, width, height), which="original")


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


def score(value: float) -> str:
    """Return a score in two digits, or three where two would read 1.00 for less: only 1 is called 1.

    Examples
    --------
    >>> score(0.5), score(0.9967), score(0.99996), score(1.0)
    ('0.50', '0.997', '>0.999', '1.00')
    """
    if value < 1 and f"{value:.3f}" == "1.000":
        return ">0.999"
    return f"{value:.3f}" if value < 1 and f"{value:.2f}" == "1.00" else f"{value:.2f}"


def scatter(axes: Axes, x: np.ndarray, y: np.ndarray, kinds: np.ndarray, looks: Mapping[str, tuple[str, str]]) -> None:
    """Draw filled marks whose colour and shape say of which kind each is.

    Parameters
    ----------
    x, y, kinds : np.ndarray
        Shape (n_marks,); kinds are keys of `looks`.
    looks : Mapping[str, tuple[str, str]]
        Colour and marker of each kind.
    """
    colors = {kind: color for kind, (color, _) in looks.items()}
    markers = {kind: marker for kind, (_, marker) in looks.items()}
    kind = {"hue": kinds, "hue_order": list(looks), "style": kinds, "style_order": list(looks)}
    sns.scatterplot(
        x=x, y=y, **kind, palette=colors, markers=markers, s=7, linewidth=0, alpha=0.85, legend=False, zorder=4, ax=axes
    )
    axes.set(xlabel="", ylabel="")


def entry(label: str, look: tuple[str, str]) -> Line2D:
    """Return the legend's entry for a kind of mark that `scatter` drew."""
    color, marker = look
    return Line2D([], [], label=label, color=color, marker=marker, linestyle="none", markersize=3.5, markeredgewidth=0)


def bare(axes: Axes) -> None:
    """Take ticks and frame from axes whose numbers mean nothing to a reader."""
    axes.set(xticks=[], yticks=[])
    sns.despine(ax=axes, left=True, bottom=True)


def message(text: str) -> Figure:
    """Return a figure that holds one sentence, for a study that has nothing to show here."""
    figure = new_figure(1.2)
    figure.text(0.5, 0.5, text, ha="center", va="center", color=GREY, fontsize=FONT + 1)
    return figure
