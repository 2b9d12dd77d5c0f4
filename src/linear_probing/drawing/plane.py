"""True and false statements in the plane of two components, layer by layer.

The plane shows the two directions in which the states vary most, found without labels: where truth is what varies
most, the two kinds of statement part. Marks are a sample, equally many of each kind though one is rarer, the same
statements at every layer; the score below each panel is the probe's, on all dimensions, from layers.csv.
"""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from linear_probing.drawing import captions, style
from linear_probing.drawing.curves import METRICS, headline, headline_part, title
from linear_probing.drawing.names import glossary, short
from linear_probing.drawing.tables import sample

TASKS = ("cities.truth", "neg_cities.truth")
N_LAYERS = 9
N_MARKS = 100
TRUE = {"1", "1.0", "true", "True"}
FALSE = {"0", "0.0", "false", "False"}
FRAME = "#A0A0A0"
LOOKS = ((style.BLUE, "o"), (style.ORANGE, "^"))


def label_names(labels: pd.Series) -> pd.Series:
    """Return labels in words: true and false for 1 and 0, other labels unchanged."""
    return labels.map(lambda label: "true" if label in TRUE else "false" if label in FALSE else label)


def draw(plane: pd.DataFrame, layers: pd.DataFrame, model: str) -> Figure:
    """Draw a grid of panels: a row per task, a column per layer.

    Parameters
    ----------
    plane, layers : pd.DataFrame
        plane.csv and layers.csv; the latter gives the score under each panel.
    model : str
        The model in front.

    Returns
    -------
    Figure
        A figure with one sentence if the model has no statements.
    """
    tasks, own = _own(plane, model)
    if own.empty:
        return style.message(_nothing(model))
    shown = _shown(own)
    side = min(1.6, (style.DOUBLE_COLUMN - 0.3) / len(shown))
    figure = style.new_figure(len(tasks) * (side + 0.25) + 0.66)
    grid = figure.subplots(len(tasks), len(shown), squeeze=False)
    for row, task in zip(grid, tasks, strict=True):
        of_task = own[own["task"] == task]
        for axes, layer in zip(row, shown, strict=True):
            statements = of_task[of_task["layer"] == layer]
            _panel(axes, statements, sorted(of_task["label"].unique(), reverse=True))
            axes.set_xlabel(_score(layers, model, task, layer))
            axes.set_title(f"layer {layer}" if task == tasks[0] else "", loc="center")
        row[0].set_ylabel(f"{title(task)}\n{counts(of_task[of_task['layer'] == shown[0]])}")
    scores = _below(layers[layers["model"] == model], tasks)
    _legend(
        figure,
        own,
        "First two principal components of the states, found without labels, each panel on its own scale.\n"
        f"{_marks(own)} {scores}",
    )
    return figure


def _own(plane: pd.DataFrame, model: str) -> tuple[list[str], pd.DataFrame]:
    """Return the tasks drawn and their rows, labels in words."""
    own = plane[(plane["model"] == model) & plane["x"].notna() & plane["y"].notna()]
    present = list(dict.fromkeys(own["task"]))
    tasks = [task for task in TASKS if task in present] or present[:2]
    return tasks, own[own["task"].isin(tasks)].assign(label=lambda rows: label_names(rows["label"]))


def _shown(own: pd.DataFrame) -> list[int]:
    return style.spread(sorted(int(layer) for layer in own["layer"].unique()), N_LAYERS)


def _nothing(model: str) -> str:
    return f"No plane: the study has no true and false statements for {model}."


def caption(plane: pd.DataFrame, layers: pd.DataFrame, model: str) -> str:
    """Return what the plane shows, of how many statements, and whose score stands below each panel.

    Parameters
    ----------
    plane, layers, model
        As drawn.
    """
    tasks, own = _own(plane, model)
    if own.empty:
        return _nothing(model)
    shown = [str(layer) for layer in _shown(own)]
    first = own[own["layer"] == own["layer"].min()]
    held = [f"{counts(first[first['task'] == task])} of {short(tasks)[task]}" for task in tasks]
    rows = layers[(layers["model"] == model) & layers["task"].isin(tasks)]
    rows = headline(rows[rows["split"] == "group"]).drop_duplicates("task")
    return captions.paragraph(
        [
            f"Statements by the first two principal components of the states of {model} at "
            f"{'layers' if len(shown) > 1 else 'layer'} {captions.listed(shown)}, found without labels, each panel on "
            "its own scale.",
            _marks(own),
            f"In all: {captions.listed(held)}.",
            _below(layers[layers["model"] == model], tasks),
            captions.sizes(rows),
            captions.probes(rows) if not rows.empty else "",
            f"Names: {glossary(tasks)}." if glossary(tasks) else "",
        ]
    )


def counts(statements: pd.DataFrame) -> str:
    """Return how many statements of each label the table holds, such as "700 true, 2,100 false"."""
    held = statements["label"].value_counts()
    return ", ".join(f"{held[label]:,} {label}" for label in sorted(held.index, reverse=True))


def balanced(statements: pd.DataFrame) -> pd.DataFrame:
    """Choose up to `N_MARKS` statements of each label, equally many, in an order that puts no label on top.

    Parameters
    ----------
    statements : pd.DataFrame
        Rows of plane.csv of one task and layer, their labels in words.
    """
    fewest = min(N_MARKS, int(statements["label"].value_counts().min()))
    chosen = [sample(rows, fewest) for _, rows in statements.groupby("label")]
    return sample(pd.concat(chosen), fewest * len(chosen))


def _panel(axes: Axes, rows: pd.DataFrame, labels: list[str]) -> None:
    if not rows.empty and np.allclose(rows[["x", "y"]], rows[["x", "y"]].iloc[0]):
        # At the embedding a target that is the same token in every text has one state.
        axes.plot(0, 0, "o", color=style.BLACK)
        axes.annotate(
            "all statements\nhave one state", (0, 0), (0, -7), textcoords="offset points", ha="center", va="top"
        )
    elif not rows.empty:
        drawn = balanced(rows)
        x, y, kinds = (drawn[name].to_numpy() for name in ("x", "y", "label"))
        style.scatter(axes, x, y, kinds, dict(zip(labels, LOOKS, strict=False)))
    # Ticks go last: seaborn hides the labels of an axis that has none.
    axes.set(xticks=[], yticks=[])
    axes.set_box_aspect(1)
    axes.margins(0.07)
    for spine in axes.spines.values():
        spine.set(visible=True, color=FRAME)


def _score(layers: pd.DataFrame, model: str, task: str, layer: int) -> str:
    rows = layers[(layers["model"] == model) & (layers["task"] == task) & (layers["layer"] == layer)]
    rows = rows[rows["split"] == "group"] if "group" in set(rows["split"]) else rows
    if rows.empty:
        return ""
    row = rows[rows["part"] == headline_part(rows)].iloc[0]
    metric = METRICS.get(row["metric"], row["metric"])
    return f"{metric} {style.score(row['estimate'])}" if math.isfinite(row["estimate"]) else ""


def _marks(own: pd.DataFrame) -> str:
    drawn = " and ".join(part for part in ("seen", "unseen") if part in set(own["part"]))
    return f"Marks: a sample, equally many of each kind, {drawn + ', ' if drawn else ''}the same at every layer."


def _below(layers: pd.DataFrame, tasks: list[str]) -> str:
    rows = layers[layers["task"].isin(tasks)]
    part = "all" if rows.empty else headline_part(rows)
    return f"Below: the score of a probe on all dimensions, on {part} groups."


def _legend(figure: Figure, rows: pd.DataFrame, note: str) -> None:
    labels = sorted(rows["label"].unique(), reverse=True)
    handles = [style.entry(label, look) for label, look in zip(labels, LOOKS, strict=False)]
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=len(handles),
        frameon=False,
        handletextpad=0.1,
        title=note,
    )
