"""True and false statements in the plane of two components, layer by layer.

The plane shows the two directions in which the states vary most, found without labels: where truth is what varies
most, the two kinds of statement part. Marks are a sample of the rows, the same statements at every layer; the score
below each panel is the probe's, on all dimensions, from layers.csv.
"""

import math
from zlib import crc32

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from linear_probing.drawing import style
from linear_probing.drawing.layers import METRICS, headline_part, title

TASKS = ("cities.truth", "neg_cities.truth")
N_LAYERS = 9
N_MARKS = 160
TRUE = {"1", "1.0", "true", "True"}
FALSE = {"0", "0.0", "false", "False"}
LOOKS = ((style.BLUE, "o"), (style.ORANGE, "^"))


def label_names(labels: pd.Series) -> pd.Series:
    """Return labels in words: true and false for 1 and 0, other labels unchanged."""
    return labels.map(lambda label: "true" if label in TRUE else "false" if label in FALSE else label)


def sample(rows: pd.DataFrame, n_rows: int) -> pd.DataFrame:
    """Choose rows by a checksum of their target_id, so that every layer shows the same targets in the same order.

    Parameters
    ----------
    rows : pd.DataFrame
        With a column target_id.
    n_rows : int
        At most this many are kept.

    Returns
    -------
    pd.DataFrame
        The kept rows in the order of the checksum, so that no label lies over another by the order of the table.
    """
    order = np.argsort([crc32(target.encode()) for target in rows["target_id"]], kind="stable")
    return rows.iloc[order[:n_rows]]


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
    own = plane[(plane["model"] == model) & plane["x"].notna() & plane["y"].notna()]
    present = list(dict.fromkeys(own["task"]))
    tasks = [task for task in TASKS if task in present] or present[:2]
    own = own[own["task"].isin(tasks)].assign(label=lambda rows: label_names(rows["label"]))
    if own.empty:
        return style.message(f"No plane: the study has no true and false statements for {model}.")
    shown = style.spread(sorted(int(layer) for layer in own["layer"].unique()), N_LAYERS)
    side = min(1.6, (style.DOUBLE_COLUMN - 0.2) / len(shown))
    figure = style.new_figure(len(tasks) * (side + 0.42) + 0.45)
    grid = figure.subplots(len(tasks), len(shown), squeeze=False)
    for row, task in zip(grid, tasks, strict=True):
        for axes, layer in zip(row, shown, strict=True):
            statements = own[(own["task"] == task) & (own["layer"] == layer)]
            _panel(axes, statements, sorted(own.loc[own["task"] == task, "label"].unique(), reverse=True))
            axes.set_xlabel(_score(layers, model, task, layer))
            axes.set_title(f"layer {layer}" if task == tasks[0] else "", loc="center")
        row[0].set_ylabel(title(task))
    _legend(figure, own, _metric(layers, tasks))
    return figure


def _panel(axes: Axes, rows: pd.DataFrame, labels: list[str]) -> None:
    drawn = sample(rows, N_MARKS)
    colors = {label: color for label, (color, _) in zip(labels, LOOKS, strict=False)}
    markers = {label: marker for label, (_, marker) in zip(labels, LOOKS, strict=False)}
    sns.scatterplot(
        data=drawn,
        x="x",
        y="y",
        hue="label",
        style="label",
        hue_order=list(colors),
        style_order=list(markers),
        palette=colors,
        markers=markers,
        s=6,
        linewidth=0,
        alpha=0.7,
        legend=False,
        ax=axes,
    )
    style.bare(axes)
    axes.set(xlabel="", ylabel="")
    axes.set_box_aspect(1)
    axes.margins(0.06)


def _score(layers: pd.DataFrame, model: str, task: str, layer: int) -> str:
    rows = layers[(layers["model"] == model) & (layers["task"] == task) & (layers["layer"] == layer)]
    rows = rows[rows["split"] == "group"] if "group" in set(rows["split"]) else rows
    if rows.empty:
        return ""
    estimate = rows.loc[rows["part"] == headline_part(rows), "estimate"].iloc[0]
    return f"{estimate:.2f}" if math.isfinite(estimate) else ""


def _metric(layers: pd.DataFrame, tasks: list[str]) -> str:
    rows = layers[layers["task"].isin(tasks)]
    if rows.empty:
        return ""
    part = headline_part(rows)
    named = METRICS.get(rows["metric"].iloc[0], rows["metric"].iloc[0])
    return f"below: the probe's {named}" + (f" on {part} groups" if part in ("seen", "unseen") else "")


def _legend(figure: Figure, rows: pd.DataFrame, metric: str) -> None:
    labels = sorted(rows["label"].unique(), reverse=True)
    handles = [
        Line2D(
            [],
            [],
            label=label,
            color=color,
            marker=marker,
            linestyle="none",
            markersize=3.5,
            markeredgewidth=0,
        )
        for label, (color, marker) in zip(labels, LOOKS, strict=False)
    ]
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=len(handles),
        frameon=False,
        handletextpad=0.1,
        title=f"first two principal components; {metric}",
    )
