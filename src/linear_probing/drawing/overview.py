"""All tasks and layers of a model at a glance: its headline scores as a heat map, and its random twin's beside it.

Colour runs from what the majority baseline scores to 1, so that AUROC, R² and macro F1 can be compared; the number in a
cell is the score itself. Few layers stand side by side with the twin's, many above them, with numbers that are turned.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from linear_probing.drawing import captions, panels, style
from linear_probing.drawing.curves import METRICS, headline_rows, title
from linear_probing.drawing.tables import MAKE, FigureError
from linear_probing.settings import Bootstrap

COLOURS = LinearSegmentedColormap.from_list("linear_probing", ["#FFFFFF", style.BLUE])
FAMILY = "headline"
MAX_BESIDE = 9
"""Layers that leave room for the twin's beside them."""
MAX_UPRIGHT = 20
"""Layers whose numbers fit in a line; those of more are turned."""
MAX_LAYERS = 40
"""Layers of which a number can be read; of more, these many are shown, evenly, and those that have a frame."""
MAX_TICKS = 20
BESIDE = 1.02
"""Where p-values stand, in widths of the heat map."""
CELL = 0.2
TURNED = 0.26
AROUND, BAR = 0.75, 1.6
"""Inches: of a row of cells, of one whose numbers are turned, around a heat map, and of the colour bar at most."""


@dataclass(frozen=True)
class Sheet:
    """One heat map: frames of a row a task and a column a layer, and a row of `tests` for each task that was tested."""

    model: str
    scores: pd.DataFrame
    colours: pd.DataFrame
    tests: pd.DataFrame


def draw(
    layers: pd.DataFrame, significance: pd.DataFrame, model: str, twin: str | None, bootstrap: Bootstrap
) -> Figure:
    """Draw the headline scores of a model and of its twin.

    Parameters
    ----------
    layers, significance : pd.DataFrame
        layers.csv and best_layer_significance.csv.
    model : str
        The model in front.
    twin : str or None
        Its first twin with random weights.
    bootstrap : Bootstrap
        The study's: a p-value below one minus its confidence is marked.

    Returns
    -------
    Figure
        One axes a model, with the same tasks and layers, and one for the colours.

    Raises
    ------
    FigureError
        If layers.csv has no row of the model.
    """
    sheets = _sheets(layers, significance, model, twin)
    names = _names(layers, model)
    n_tasks, n_layers = sheets[0].scores.shape
    beside = n_layers <= MAX_BESIDE
    cell = CELL if n_layers <= MAX_UPRIGHT else TURNED
    n_rows = 1 if beside else len(sheets)
    figure = style.new_figure(n_rows * (n_tasks * cell + AROUND) + 0.15)
    grid = figure.subplots(n_rows, len(sheets) if beside else 1, squeeze=False)
    for number, (axes, sheet) in enumerate(zip(grid.ravel(), sheets, strict=True)):
        _sheet(axes, sheet, captions.level(bootstrap))
        axes.set_title(sheet.model if not number else f"{sheet.model} (random weights)")
        axes.set_yticks(np.arange(n_tasks) + 0.5, names if not (beside and number) else [], rotation=0)
        axes.set_xlabel(panels.LAYER if beside or axes is grid[-1, 0] else "")
    share = min(1.0, BAR / (n_rows * n_tasks * cell))
    bar = figure.colorbar(ScalarMappable(Normalize(0, 1), COLOURS), ax=grid, shrink=share, aspect=14, pad=0.01)
    bar.set_ticks([0, 1], labels=["majority", "1"])
    bar.outline.set_linewidth(0.4)
    return figure


def _names(layers: pd.DataFrame, model: str) -> list[str]:
    rows = headline_rows(layers, model)
    metrics: dict[str, str] = dict(zip(rows["task"], rows["metric"], strict=True))
    return [f"{title(task)} ({METRICS.get(metric, metric)})" for task, metric in metrics.items()]


def _sheets(layers: pd.DataFrame, significance: pd.DataFrame, model: str, twin: str | None) -> list[Sheet]:
    own = headline_rows(layers, model)
    if own.empty:
        known = ", ".join(dict.fromkeys(layers["model"]))
        raise FigureError(f"layers.csv has no row of {model}; it has {known}", do=MAKE)
    tasks = list(dict.fromkeys(own["task"]))
    tests = significance[(significance["family"] == FAMILY) & significance["p_holm"].notna()]
    framed = set(tests.loc[tests["model"].isin([model, twin]), "layer"])
    every = sorted(set(own["layer"]))
    shown = sorted({*style.spread(every, MAX_LAYERS), *framed.intersection(every)})
    found = []
    for name in (model, twin):
        rows = headline_rows(layers, name) if name else own.iloc[:0]
        if not name or rows.empty:
            continue
        # The greatest possible score is 1 in every metric. What is no better than the majority is not told apart.
        rows = rows.assign(colour=((rows["estimate"] - rows["majority"]) / (1 - rows["majority"])).clip(lower=0.0))
        scores, colours = (
            rows.pivot_table(column, "task", "layer", "first", dropna=False).reindex(index=tasks, columns=shown)
            for column in ("estimate", "colour")
        )
        found.append(Sheet(name, scores, colours, tests[tests["model"] == name].drop_duplicates("task")))
    return found


def _sheet(axes: Axes, sheet: Sheet, level: float) -> None:
    n_tasks, n_layers = sheet.scores.shape
    axes.add_patch(Rectangle((0, 0), n_layers, n_tasks, facecolor="#F2F2F2", edgecolor="#A0A0A0", hatch="/////", lw=0))
    turned = n_layers > MAX_UPRIGHT
    words = {"fontsize": style.FONT - (2.0 if turned else 1.0), "rotation": 90 if turned else 0}
    numbers = sheet.scores.map(lambda value: short(value) if np.isfinite(value) else "")
    sns.heatmap(
        sheet.colours.astype(float),
        annot=numbers,
        fmt="",
        annot_kws=words,
        cmap=COLOURS,
        vmin=0,
        vmax=1,
        cbar=False,
        linewidths=0.4,
        linecolor="#D6D6D6",
        ax=axes,
        xticklabels=False,
        yticklabels=False,
    )
    columns = list(sheet.scores.columns)
    ticks = range(0, n_layers, -(-n_layers // MAX_TICKS))
    axes.set_xticks([place + 0.5 for place in ticks], [str(columns[place]) for place in ticks], rotation=0)
    axes.set(xlabel="", ylabel="")
    axes.tick_params(length=0)
    rows = {task: row for row, task in enumerate(sheet.scores.index)}
    for task, layer, p in zip(sheet.tests["task"], sheet.tests["layer"], sheet.tests["p_holm"], strict=True):
        if task in rows:
            axes.text(n_layers * BESIDE, rows[task] + 0.5, f"{p:.2g}", va="center", fontsize=style.FONT - 1.0)
            if layer in columns:
                _frame(axes, rows[task], columns.index(layer), p < level)
    if len(sheet.tests):
        axes.text(n_layers * BESIDE, -0.15, "p", fontsize=style.FONT - 0.5, style="italic")


def _frame(axes: Axes, row: int, column: int, significant: bool) -> None:
    frame = Rectangle(
        (column + 0.04, row + 0.06), 0.92, 0.88, fill=False, edgecolor=style.BLACK, linewidth=1.1, zorder=5
    )
    frame.set_linestyle("-" if significant else (0, (1, 1)))
    axes.add_patch(frame)


def short(value: float) -> str:
    """Return a score without the zero before the point, which a small cell has no room for.

    Examples
    --------
    >>> short(0.84), short(-0.016), short(1.0), short(0.99996)
    ('.84', '-.02', '1.00', '>.999')
    """
    return style.score(value).replace("0.", ".", 1)


def caption(
    layers: pd.DataFrame, significance: pd.DataFrame, model: str, twin: str | None, bootstrap: Bootstrap
) -> str:
    """Return what the overview shows, how its colours are scaled and what its frames mean.

    Parameters
    ----------
    layers, significance, model, twin, bootstrap
        As drawn.
    """
    own, *others = _sheets(layers, significance, model, twin)
    rows = headline_rows(layers, model)
    n_layers = rows["layer"].nunique()
    beside = f" and of {others[0].model} (random weights)" if others else ""
    n_shown = own.scores.shape[1]
    few = f"; {n_shown} of {n_layers} layers, chosen evenly, and those with a frame" if n_shown < n_layers else ""
    hatched = any(sheet.colours.isna().to_numpy().any() for sheet in (own, *others))
    tests = pd.concat([sheet.tests for sheet in (own, *others)])
    level = f"{captions.level(bootstrap):g}"
    return captions.paragraph(
        [
            f"Scores of {model}{beside} by task and layer, groups held out{few}.",
            captions.parts(rows),
            "Numbers are the scores in each task’s metric. Colour makes metrics comparable: (score - majority) / "
            "(1 - majority), white where a score is no better than the majority baseline, darkest at 1.",
            "Hatched: no score is defined." if hatched else "",
            captions.correction(tests) or "No p-values: the study asked for no permutation test.",
            f"Frames: the layer of that score, solid where p < {level}, else dotted." if len(tests) else "",
            captions.sizes(rows),
            captions.probes(rows),
        ]
    )
