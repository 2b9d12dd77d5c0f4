"""Cosines between directions: of other layers, other tasks and other probes.

Does a task keep its direction from layer to layer, and do two tasks share one? A column is a task: on top its own
directions layer by layer, the model below the diagonal and its twin above; in the middle against directions of other
tasks, at the bottom against those of other probes, of the same layer. The twin stands beside each: directions in random
weights agree from layer to layer as well, since every block adds to what it is given.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from linear_probing.drawing import captions, cells, style
from linear_probing.drawing.captions import listed, probe_name
from linear_probing.drawing.names import glossary, short

N_TASKS = 4
MARGIN = 1.55
"""Inches beside the panels: names at the left, legends at the right."""

LINES_HEIGHT = 0.66
LAYERS, TASKS, PROBES = "layers", "tasks", "probes"
LOOKS = ((style.BLUE, "o"), (style.ORANGE, "s"), (style.GREEN, "^"), (style.PURPLE, "D"), (style.BLACK, "v"))
PROBE_LOOKS = ((style.SKY, "P"), (style.VERMILLION, "X"), (style.GREY, "d"), (style.BLACK, "*"))
TWIN = (0, (2, 1.2))

Looks = Mapping[str, tuple[str, str]]


def draw(cosines: pd.DataFrame, layers: pd.DataFrame, model: str, twin: str | None) -> Figure:
    """Draw the cosines of a model's directions beside those of its twin.

    Parameters
    ----------
    cosines, layers : pd.DataFrame
        cosines.csv, and layers.csv, which says what probe each task has of its own.
    model : str
        The model in front.
    twin : str or None
        Its twin with random weights.

    Returns
    -------
    Figure
        A row of axes for each comparison that the study has, a column for each of the first `N_TASKS` tasks; a figure
        with one sentence if the model has no two directions to compare.
    """
    pairs = mirrored(cosines)
    own, other = pairs[pairs["model"] == model], pairs[pairs["model"] == twin]
    probes = own_probes(own, layers)
    tasks = list(probes)[:N_TASKS]
    compared = comparisons(own, probes)
    if not compared:
        return style.message(_nothing(model))
    side = min(1.7, (style.DOUBLE_COLUMN - MARGIN) / len(tasks))
    heights = [1.0 if kind == LAYERS else LINES_HEIGHT for kind in compared]
    figure = style.new_figure(side * sum(heights) + 0.25 * len(compared) + 0.55)
    grid = figure.subplots(len(compared), len(tasks), squeeze=False, height_ratios=heights, sharey="row")
    for kind, row in zip(compared, grid, strict=True):
        looks = _looks(own, probes, tasks, kind)
        for axes, task in zip(row, tasks, strict=True):
            shown = [selected(rows, probes, task, kind) for rows in (own, other)]
            if kind == LAYERS:
                scale = _matrix(axes, shown[0], shown[1], side)
            else:
                _lines(axes, shown[0], shown[1], looks)
        if kind == LAYERS:
            _bar(row[-1], scale)
        else:
            _legend(row, looks, kind, short(probes))
            _span(row[0], pd.concat([selected(rows, probes, task, kind) for rows in (own, other) for task in tasks]))
    for axes, task in zip(grid[0], tasks, strict=True):
        axes.set_title(short(probes)[task])
    for axes in grid[-1]:
        axes.set_xlabel("layer")
    handles = _handles(compared, model, twin if not other.empty else None, gaps=bool(own["cosine"].isna().any()))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles) or 1, frameon=False, handlelength=2.4)
    return figure


def mirrored(cosines: pd.DataFrame) -> pd.DataFrame:
    """Return every pair from both its sides, as cosines.csv has each pair once."""
    sides = ("layer", "task", "probe")
    turned = {one: other for name in sides for one, other in ((name, f"other_{name}"), (f"other_{name}", name))}
    return pd.concat([cosines, cosines.rename(columns=turned)], ignore_index=True)


def own_probes(pairs: pd.DataFrame, layers: pd.DataFrame) -> dict[str, str]:
    """Return the probe of each task in layers.csv, or the first that has directions where that has none."""
    own = layers.drop_duplicates("task").set_index("task")["probe"].to_dict()
    known = {str(task): list(dict.fromkeys(rows["probe"])) for task, rows in pairs.groupby("task", sort=False)}
    return {task: own[task] if own.get(task) in there else there[0] for task, there in known.items()}


def selected(pairs: pd.DataFrame, probes: Mapping[str, str], task: str, kind: str) -> pd.DataFrame:
    """Return the pairs of a task's own direction that one comparison is about.

    Parameters
    ----------
    pairs : pd.DataFrame
        Of one model, from `mirrored`.
    probes : Mapping[str, str]
        Of every task.
    task : str
        The panel's.
    kind : str
        `layers`, `tasks` or `probes`: what the other direction is another of.
    """
    mine = pairs[(pairs["task"] == task) & (pairs["probe"] == probes[task])]
    here, same = mine["layer"] == mine["other_layer"], mine["other_task"] == task
    if kind == LAYERS:
        return mine[~here]
    if kind == TASKS:
        return mine[here & ~same & (mine["other_probe"] == mine["other_task"].map(probes))]
    return mine[here & same]


def comparisons(pairs: pd.DataFrame, probes: Mapping[str, str]) -> list[str]:
    """Return which comparisons a study has: not `layers` if it has one, and so on."""
    tasks = list(probes)[:N_TASKS]
    kinds = (LAYERS, TASKS, PROBES)
    return [kind for kind in kinds if any(not selected(pairs, probes, task, kind).empty for task in tasks)]


def matrix(own: pd.DataFrame, other: pd.DataFrame) -> tuple[list[int], np.ndarray]:
    """Return the layers and, shape (n_layers, n_layers), the model below the diagonal and its twin above.

    Parameters
    ----------
    own, other : pd.DataFrame
        From `selected`; where the twin has no rows the model stands on both sides.
    """
    shown = sorted({int(layer) for layer in own["layer"]})
    below, above = (
        cells.table(rows, ("layer", "other_layer"), "cosine", (shown, shown))
        for rows in (own, own if other.empty else other)
    )
    lower = np.tri(len(shown), k=-1, dtype=bool)
    return shown, np.where(lower, below, above)


def _matrix(axes: Axes, own: pd.DataFrame, other: pd.DataFrame, side: float) -> ScalarMappable:
    scale = cells.colours(-1.0, 0.0, 1.0)
    shown, values = matrix(own, other)
    cells.draw(axes, values, scale, 0.9 * side / max(1, len(shown)), words=cosine, diagonal=False)
    ticks = [place for place in range(len(shown)) if place % max(1, -(-len(shown) // 8)) == 0]
    axes.set_xticks(ticks, [str(shown[place]) for place in ticks])
    axes.set_yticks(ticks, [str(shown[place]) for place in ticks])
    axes.set_ylabel("layer" if axes.get_subplotspec().is_first_col() else "")  # type: ignore[union-attr]
    return scale


def cosine(value: float) -> str:
    """Return a cosine in two digits, without the zero that all of them have.

    Examples
    --------
    >>> cosine(0.5), cosine(-0.034), cosine(1.0)
    ('.50', '-.03', '1.00')
    """
    return f"{value:.2f}".replace("0.", ".", 1)


def _lines(axes: Axes, own: pd.DataFrame, other: pd.DataFrame, looks: Looks) -> None:
    column = "other_task" if set(own["other_probe"]) <= set(own["probe"]) else "other_probe"
    shown = sorted({int(layer) for layer in own["layer"]})
    axes.axhline(0, color=style.GREY, linewidth=0.5, zorder=1)
    for number, (name, (colour, marker)) in enumerate(looks.items()):
        for rows, line, face in ((other, TWIN, "white"), (own, "-", colour)):
            curve = rows[rows[column] == name].sort_values("layer")
            # With one layer all would stand on one point: they are set side by side.
            place = curve["layer"] + (0.0 if len(shown) > 1 else 0.15 * (number - (len(looks) - 1) / 2))
            axes.plot(
                place,
                curve["cosine"],
                color=colour,
                marker=marker,
                markerfacecolor=face,
                markeredgewidth=0.6,
                linestyle=line,
                linewidth=1.0 if line == "-" else 0.6,
                zorder=3 if line == "-" else 2,
            )
    if not own.empty and own["cosine"].isna().all():
        axes.text(0.5, 0.5, "undefined", transform=axes.transAxes, ha="center", va="bottom", color=style.GREY)
    pad = 0.25 if len(shown) > 1 else 0.75
    if shown:
        axes.set_xlim(shown[0] - pad, shown[-1] + pad)
    if len(shown) > 1:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    else:
        axes.set_xticks(shown)
    sns.despine(ax=axes)


def _span(axes: Axes, drawn: pd.DataFrame) -> None:
    """Set the limits that the panels of a row share: all cosines there can be, or all above 0 where none is below."""
    low = -1.0 if (drawn["cosine"] < 0).any() else 0.0
    axes.set(ylim=(low - 0.08, 1.08), yticks=[tick for tick in (-1, -0.5, 0, 0.5, 1) if tick >= low])


def _looks(pairs: pd.DataFrame, probes: Mapping[str, str], tasks: Sequence[str], kind: str) -> Looks:
    if kind == TASKS:
        return dict(zip(tasks, LOOKS, strict=False))
    others = [selected(pairs, probes, task, PROBES)["other_probe"] for task in tasks]
    return dict(zip(dict.fromkeys(pd.concat(others)), PROBE_LOOKS, strict=False))


def _bar(axes: Axes, scale: ScalarMappable) -> None:
    """Draw the bar of colours where the other rows have their legends."""
    place = axes.inset_axes((1.1, 0.08, 0.07, 0.84))
    bar = axes.figure.colorbar(scale, cax=place, ticks=[-1, -0.5, 0, 0.5, 1])
    bar.set_label("cosine between layers")
    bar.outline.set_visible(False)


def _legend(row: np.ndarray, looks: Looks, kind: str, names: Mapping[str, str]) -> None:
    entries = [style.entry(names.get(name, name.replace("_", " ")), look) for name, look in looks.items()]
    row[0].set_ylabel("cosine with\nother " + kind)
    row[-1].legend(handles=entries, loc="center left", bbox_to_anchor=(1.03, 0.5), frameon=False, handlelength=1.0)


def _handles(compared: Sequence[str], model: str, twin: str | None, gaps: bool) -> list[Artist]:
    handles: list[Artist] = []
    look: dict[str, Any] = {"color": style.GREY, "marker": "o", "markeredgewidth": 0.6}
    if twin is not None:
        sides = LAYERS in compared
        handles = [
            Line2D([], [], **look, linewidth=1.0, label=model + (", and below the diagonal" if sides else "")),
            Line2D(
                [],
                [],
                **look,
                markerfacecolor="white",
                linewidth=0.6,
                linestyle=TWIN,
                label=f"{twin} (random weights)" + (", and above it" if sides else ""),
            ),
        ]
    if gaps and LAYERS in compared:
        handles.append(Patch(**cells.HATCH, label="undefined: a direction of length 0"))
    return handles


def caption(cosines: pd.DataFrame, layers: pd.DataFrame, model: str, twin: str | None) -> str:
    """Return what the figure shows, of directions trained on how many targets and groups, by which probe.

    Parameters
    ----------
    cosines, layers, model, twin
        As drawn.
    """
    pairs = mirrored(cosines)
    own = pairs[pairs["model"] == model]
    probes = own_probes(own, layers)
    tasks, compared = list(probes)[:N_TASKS], comparisons(own, probes)
    if not compared:
        return _nothing(model)
    others = sorted(set(own["other_probe"]) - {probes[task] for task in tasks})
    trained = layers[(layers["model"] == model) & layers["task"].isin(tasks)]
    trained = trained[(trained["part"] == "all") & (trained["split"] == "group")]
    told = {
        LAYERS: "of other layers",
        TASKS: "of other tasks at the same layer",
        PROBES: "of other probes at the same layer",
    }
    words = glossary(tasks)
    return captions.paragraph(
        [
            f"Cosines between the direction of each binary task of {model} and those "
            f"{listed([told[kind] for kind in compared])}, in the space of the states as they are.",
            f"Drawn: {len(tasks)} of {len(probes)} tasks." if len(probes) > len(tasks) else "",
            f"Beside the model: {twin}, the same architecture with random weights."
            if twin in set(pairs["model"])
            else "",
            "Each direction is one fit on all targets, so that a cosine has no interval.",
            captions.sizes(trained.drop_duplicates("task")),
            captions.probes(pd.DataFrame({"task": list(probes), "probe": list(probes.values())})),
            f"Other probes: {listed([probe_name(name) for name in others])}." if others and PROBES in compared else "",
            f"Names: {words}." if words else "",
        ]
    )


def _nothing(model: str) -> str:
    return f"No cosines: the study has no two directions of binary tasks for {model}."
