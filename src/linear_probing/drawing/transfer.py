"""Transfer: which task's direction tells which other task's labels, as matrices of AUROC, layer beside layer.

A row is what a direction was trained on, a column what it is tested on. The framed diagonal is a task on its own groups
that were held out. The twin with random weights stands last, at the last layer drawn: what it reaches, text and
architecture alone give. A number below .5 is no failure to read: the direction points the other way.
"""

import math

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from linear_probing.drawing import captions, cells, style
from linear_probing.drawing.captions import count, listed
from linear_probing.drawing.names import glossary, short
from linear_probing.settings import Bootstrap

CHANCE = 0.5
LARGEST, LEAST = 0.5, 0.25
"""Sides of a cell, in inches."""

LABELS = 0.95
"""Inches for the names of the rows."""

LETTER = 0.041
"""Inches of height of a letter of a name below, which stands aslant."""

NO_SCORE = "no\nscore"


def draw(transfer: pd.DataFrame, layers: pd.DataFrame, model: str, twin: str | None) -> Figure:
    """Draw the matrices of a model at some layers, and that of its twin.

    Parameters
    ----------
    transfer, layers : pd.DataFrame
        transfer.csv, and layers.csv, which says what probe each task has of its own.
    model : str
        The model in front.
    twin : str or None
        Its twin with random weights.

    Returns
    -------
    Figure
        One axes per matrix and a bar of colours; a figure with one sentence if the model has fewer than two binary
        tasks.
    """
    rows = own_probes(transfer, layers)
    own = rows[rows["model"] == model]
    tasks = tasks_of(own)
    if len(tasks) < 2:
        return style.message(_nothing(tasks, model))
    panels = _panels(rows, model, twin, _n_layers(len(tasks)))
    room = style.DOUBLE_COLUMN - LABELS
    n_columns = min(len(panels), max(1, int(room / (len(tasks) * LEAST + 0.1))))
    size = min(LARGEST, (room / n_columns - 0.1) / len(tasks))
    n_rows = math.ceil(len(panels) / n_columns)
    names = list(short(tasks).values())
    below = 0.33 + LETTER * max(map(len, names))
    figure = style.new_figure(n_rows * (len(tasks) * size + below) + 0.75)
    grid = figure.subplots(n_rows, n_columns, squeeze=False)
    scale = cells.colours(0.0, CHANCE, 1.0)
    for number, axes in enumerate(grid.ravel()):
        if number >= len(panels):
            axes.set_axis_off()
            continue
        heading, panel = panels[number]
        bold = (matrix(panel, tasks, "lower") > CHANCE) | (matrix(panel, tasks, "upper") < CHANCE)
        cells.draw(axes, matrix(panel, tasks), scale, size, none=NO_SCORE, bold=bold)
        cells.label(axes, names if number % n_columns == 0 else [], names, rotation=40)
        axes.set_title(heading)
        if number % n_columns == 0:
            axes.set_ylabel("direction trained on")
        axes.set_xlabel("tested on")
        for place in range(len(tasks)):
            cells.frame(axes, place, place)
    bar = figure.colorbar(scale, ax=grid, location="bottom", shrink=0.32, aspect=32, ticks=[0, 0.25, 0.5, 0.75, 1])
    bar.set_label("AUROC (0.5: nothing found; below: the wrong way round)")
    bar.outline.set_visible(False)
    gaps = any(not np.isfinite(matrix(panel, tasks)).all() for _, panel in panels)
    figure.legend(handles=_handles(gaps), loc="outside lower center", ncols=3, frameon=False, handlelength=1.6)
    return figure


def own_probes(transfer: pd.DataFrame, layers: pd.DataFrame) -> pd.DataFrame:
    """Return the rows whose direction is of the training task's own probe, or of its first where that has none.

    Parameters
    ----------
    transfer, layers : pd.DataFrame
        transfer.csv and layers.csv.
    """
    own = layers.drop_duplicates("task").set_index("task")["probe"].to_dict()
    chosen = {}
    for task, of_task in transfer.groupby("train_task", sort=False):
        there = list(dict.fromkeys(of_task["probe"]))
        chosen[task] = own[task] if own.get(task) in there else there[0]
    return transfer[transfer["probe"] == transfer["train_task"].map(chosen)]


def tasks_of(rows: pd.DataFrame) -> list[str]:
    """Return the tasks of a model's rows, those trained on first, in the table's order."""
    return list(dict.fromkeys([*rows["train_task"], *rows["test_task"]]))


def matrix(rows: pd.DataFrame, tasks: list[str], column: str = "estimate") -> np.ndarray:
    """Return one column of one layer's rows, shape (n_train_tasks, n_test_tasks); NaN where there is no row."""
    return cells.table(rows, ("train_task", "test_task"), column, (tasks, tasks))


def caption(transfer: pd.DataFrame, layers: pd.DataFrame, model: str, twin: str | None, bootstrap: Bootstrap) -> str:
    """Return what the figure shows, of how many targets and groups, by which probe and with which intervals.

    Parameters
    ----------
    transfer, layers, model, twin
        As drawn.
    bootstrap : Bootstrap
        The study's.
    """
    rows = own_probes(transfer, layers)
    own = rows[rows["model"] == model]
    tasks = tasks_of(own)
    if len(tasks) < 2:
        return _nothing(tasks, model)
    panels = _panels(rows, model, twin, _n_layers(len(tasks)))
    drawn = pd.concat([panel for _, panel in panels])
    undefined = sum(int(np.isnan(matrix(panel, tasks)).sum()) for _, panel in panels)
    shown = [str(layer) for layer in dict.fromkeys(drawn.loc[drawn["model"] == model, "layer"])]
    words = glossary(tasks)
    return captions.paragraph(
        [
            f"Transfer between the {len(tasks)} binary tasks of {model} at layer{'s' if len(shown) > 1 else ''} "
            f"{listed(shown)}: AUROC of directions trained on one task (row) on the targets of another (column), "
            "averaged over the directions of the training task's folds.",
            "Framed: a task on its own held-out groups.",
            f"The last matrix is of {twin}, the same architecture with random weights."
            if twin in set(drawn["model"])
            else "",
            f"n = {'; '.join(_counts(own, tasks))}.",
            _probes(drawn),
            captions.intervals(bootstrap, drawn),
            "Bold: the interval lies above or below 0.5, each cell for itself, with no correction for their number.",
            f"Hatched: {count(undefined, 'cell')} without a defined score." if undefined else "",
            f"Names: {words}." if words else "",
        ]
    )


def _nothing(tasks: list[str], model: str) -> str:
    if not tasks:
        return f"No transfer: the study has no binary task for {model}."
    return f"No transfer for {model}: the study has one binary task, {tasks[0]}, and no other to test its direction on."


def _n_layers(n_tasks: int) -> int:
    return 4 if n_tasks <= 6 else 2 if n_tasks <= 10 else 1


def _panels(rows: pd.DataFrame, model: str, twin: str | None, n_layers: int) -> list[tuple[str, pd.DataFrame]]:
    """Choose what is drawn: headings, and rows of one model at one layer."""
    own, other = rows[rows["model"] == model], rows[rows["model"] == twin]
    shown = style.spread(sorted(int(layer) for layer in own["layer"].unique()), n_layers)
    if n_layers == 1:
        shown = [int(own["layer"].max())]
    panels = [(f"{model}, layer {layer}", own[own["layer"] == layer]) for layer in shown]
    at_last = other[other["layer"] == shown[-1]]
    return panels if at_last.empty else [*panels, (f"{twin}, layer {shown[-1]}", at_last)]


def _handles(gaps: bool) -> list[Artist]:
    mark = Line2D([], [], color=style.BLACK, marker="$\\mathbf{.9}$", linestyle="none", markersize=7, markeredgewidth=0)
    mark.set_label("bold: the interval excludes 0.5")
    handles: list[Artist] = [
        Patch(fill=False, edgecolor=style.BLACK, linewidth=1.0, label="the same task, on held-out groups"),
        mark,
    ]
    if gaps:
        handles.append(Patch(**cells.HATCH, label="no score: not defined"))
    return handles


def _counts(rows: pd.DataFrame, tasks: list[str]) -> list[str]:
    """Return how many targets and groups of each task are tested; a range where that differs by training task."""
    named, found = short(tasks), []
    for task in tasks:
        of_task = rows[rows["test_task"] == task]
        n, groups = (" to ".join(f"{number:,}" for number in _ends(of_task[name])) for name in ("n", "n_groups"))
        found.append(f"{n} targets in {groups} groups of {named[task]}")
    return found


def _ends(numbers: pd.Series) -> list[int]:
    return sorted({int(numbers.min()), int(numbers.max())})


def _probes(rows: pd.DataFrame) -> str:
    probe = rows.drop_duplicates("train_task").set_index("train_task")["probe"]
    named = {name: [task for task in probe.index if probe[task] == name] for name in dict.fromkeys(probe)}
    if len(named) == 1:
        return f"Probe: {captions.probe_name(next(iter(named)))}."
    return f"Probes: {'; '.join(f'{captions.probe_name(name)} ({listed(of)})' for name, of in named.items())}."
