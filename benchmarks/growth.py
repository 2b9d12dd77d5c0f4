"""How the time of the nested protocol grows with rows, features, layers and labelings, as a table and a figure."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.ticker import FuncFormatter, LogLocator
from threadpoolctl import threadpool_limits

from linear_probing.drawing.style import BLUE, METADATA, ORANGE, new_figure, theme
from nested import Data, draw, grid_search, nested_folds, ours

ROWS, FEATURES = 500, 1024
GROWTH = {
    "rows": (250, 500, 1000, 2000, 4000),
    "features": (256, 512, 1024, 2048, 4096),
    "layers": (1, 2, 4, 8, 16),
    "labelings": (1, 2, 4, 8, 16),
}
MEASURED_UP_TO = {"rows": 2000, "features": 4096, "layers": 4, "labelings": 4}
"""Sizes that scikit-learn's way is run for, a run for every layer and labeling; beyond, it takes minutes."""
WAYS = {"ours": BLUE, "scikit-learn, GridSearchCV": ORANGE}


def _labelings(data: Data, n_labelings: int) -> np.ndarray:
    """Return the true labels first, then permutations of them."""
    random = np.random.default_rng(1)
    return np.stack([data.labels, *(random.permutation(data.labels) for _ in range(n_labelings - 1))], axis=1)


def _cases(what: str, size: int, n_threads: int, device: str) -> Iterator[tuple[str, Callable[[], Any]]]:
    data = draw(size if what == "rows" else ROWS, size if what == "features" else FEATURES)
    folds = nested_folds(data.groups)
    n_layers, labels = size if what == "layers" else 1, _labelings(data, size if what == "labelings" else 1)
    yield "ours", lambda: [ours(data, folds, device=device, labelings=labels) for _ in range(n_layers)]
    if size <= MEASURED_UP_TO[what]:
        each = [replace(data, labels=column) for _ in range(n_layers) for column in labels.T]
        yield "scikit-learn, GridSearchCV", lambda: [grid_search(one, folds, n_jobs=n_threads) for one in each]


def measure(n_rounds: int, n_threads: int, device: str, names: tuple[str, ...] = tuple(GROWTH)) -> pd.DataFrame:
    """Return seconds by what grows, its size, the way and the round; ways take turns within a round."""
    rows = []
    for _, work in _cases("rows", min(GROWTH["rows"]), n_threads, device):
        work()  # warms up
    for what in names:
        for size in GROWTH[what]:
            cases = list(_cases(what, size, n_threads, device))
            for number in range(n_rounds):
                for way, work in cases:
                    start = time.perf_counter()
                    with threadpool_limits(limits=n_threads):
                        work()
                    rows.append((what, size, way, number, time.perf_counter() - start))
    return pd.DataFrame(rows, columns=["what", "size", "way", "round", "seconds"])


def medians(table: pd.DataFrame) -> list[list[str]]:
    """Return the Markdown table's rows: what grows, its size, median seconds of each way, their ratio."""
    found = []
    for (what, size), rows in table.groupby(["what", "size"], sort=False):
        own, other = (float(rows.loc[rows["way"] == way, "seconds"].median()) for way in WAYS)
        words = ["-", "-"] if np.isnan(other) else [f"{other:.2f}", f"{other / own:.1f}"]
        found.append([f"{size:,} {what}", f"{own:.2f}", *words])
    return found


def plot(table: pd.DataFrame, folder: Path, name: str) -> None:
    """Draw the times, one panel for each thing that grows, and write a PNG."""
    with theme():
        figure = new_figure(2.1)
        panels = figure.subplots(1, len(GROWTH), sharey=True)
        for panel, what in zip(panels, GROWTH, strict=True):
            mine = table[table["what"] == what]
            sns.lineplot(
                mine, x="size", y="seconds", hue="way", hue_order=list(WAYS), style="way", style_order=list(WAYS),
                palette=WAYS, markers=["o", "s"], dashes=False, estimator="median", errorbar=("pi", 100),
                err_style="bars", legend=panel is panels[1], ax=panel,
            )  # fmt: skip
            panel.set(xscale="log", yscale="log", xlabel=f"number of {what}", ylabel="seconds")
            sizes = GROWTH[what][:: 2 if what in ("rows", "features") else 1]
            panel.set_xticks(sizes, [f"{size:,}" for size in sizes])
            panel.yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
            panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            panel.minorticks_off()
        sns.move_legend(panels[1], "upper left", title=None, frameon=False)
        sns.despine(figure)
        figure.savefig(folder / f"{name}.png", metadata=METADATA["png"])
