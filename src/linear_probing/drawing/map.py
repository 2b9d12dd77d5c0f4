"""Predicted against true places on a map of the world, for a few layers of one model.

A ring stands where a city is, a filled mark where the probe puts it, a line between them. The mark's colour and shape
say on which continent the city truly is. So a layer that knows nothing heaps all shapes in one place, and a layer that
knows the map puts each shape on its own continent with short lines. More lines than N_CITIES would hide each other:
the same cities are drawn at every layer, and the titles' errors, over all targets, come from map_summary.csv.
"""

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from linear_probing.drawing import globe, style
from linear_probing.drawing.tables import sample

N_LAYERS = 4
N_CITIES = 240
ERROR, RING = "#9A9A9A", "#4D4D4D"
CONTINENTS = {
    "AF": ("Africa", (style.ORANGE, "o")),
    "AS": ("Asia", (style.VERMILLION, "^")),
    "EU": ("Europe", (style.BLUE, "s")),
    "NA": ("North America", (style.SKY, "D")),
    "SA": ("South America", (style.GREEN, "v")),
    "OC": ("Oceania", (style.BLACK, "P")),
}


def draw(places: pd.DataFrame, summary: pd.DataFrame, model: str) -> Figure:
    """Draw where cities are and where the probe puts them, at up to four layers chosen evenly.

    Parameters
    ----------
    places : pd.DataFrame
        map.csv; of `N_CITIES` groups one target each is drawn, chosen by checksum.
    summary : pd.DataFrame
        map_summary.csv, from which the error in each title and its number of targets are taken.
    model : str
        The model in front.

    Returns
    -------
    Figure
        One axes per layer; a figure with one sentence if the model has no places.
    """
    own = places[(places["model"] == model) & places["pred_lon"].notna() & places["pred_lat"].notna()]
    if own.empty:
        return style.message(f"No map: the study has no task place.position for {model}.")
    shown = style.spread(sorted(int(layer) for layer in own["layer"].unique()), N_LAYERS)
    cities = drawn_cities(own[own["layer"] == shown[0]])
    summary = summary[summary["model"] == model]
    columns = min(2, len(shown))
    rows = -(-len(shown) // columns)
    figure = style.new_figure(rows * 1.9 + 0.55 if columns > 1 else 4.4)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[len(shown) :]:
        axes.set_axis_off()
    for axes, layer in zip(grid, shown, strict=False):
        here = own[own["layer"] == layer].set_index("target_id")
        _panel(axes, cities.join(here[["pred_lon", "pred_lat"]], on="target_id", how="inner"))
        axes.set_title(_title(summary, layer, last=len(shown) > 1 and layer == shown[-1]))
    _legend(figure, list(dict.fromkeys(cities["continent"])), caption(own, summary, len(cities)))
    return figure


def drawn_cities(targets: pd.DataFrame) -> pd.DataFrame:
    """Choose the cities to draw, one target of each: not always its first, for contexts differ in difficulty.

    Parameters
    ----------
    targets : pd.DataFrame
        Rows of map.csv of one layer.

    Returns
    -------
    pd.DataFrame
        At most `N_CITIES` rows of distinct groups, with target_id, lon, lat and continent.
    """
    chosen = sample(sample(targets, len(targets)).drop_duplicates("group"), N_CITIES)
    codes = globe.continents(chosen["lon"].to_numpy(), chosen["lat"].to_numpy())
    return chosen[["target_id", "lon", "lat"]].assign(continent=codes)


def caption(own: pd.DataFrame, summary: pd.DataFrame, n_drawn: int) -> str:
    """Return what is drawn and, of which targets, the titles' errors are the median.

    Parameters
    ----------
    own, summary : pd.DataFrame
        Rows of map.csv and map_summary.csv of one model.
    n_drawn : int
        Number of cities drawn.
    """
    parts = [part for part in ("seen", "unseen") if part in set(own["part"])]
    counts = " or ".join(f"{n:,}" for n in sorted(set(summary["n"])))
    drawn = f"{n_drawn:,} of {own['group'].nunique():,} cities, one mention of each, the same at every layer"
    over = f"over all {counts} mentions" + (f" of {' and '.join(parts)} cities" if parts else "")
    return f"Drawn: {drawn}." + (f" Median error: {over}." if counts else "")


def _title(summary: pd.DataFrame, layer: int, last: bool) -> str:
    name = f"Layer {layer}" + (", the embedding" if layer == 0 else ", the last" if last else "")
    found = summary[summary["layer"] == layer]["median_error_km"]
    if found.empty or not np.isfinite(found.iloc[0]):
        return name
    return f"{name}: median error {found.iloc[0]:,.0f} km"


def error_lines(rows: pd.DataFrame) -> list[np.ndarray]:
    """Return the lines from true to predicted places, the short way round the globe.

    Parameters
    ----------
    rows : pd.DataFrame
        With lon, lat, pred_lon and pred_lat in degrees.

    Returns
    -------
    list[np.ndarray]
        Shape (2, 2) each: ends by x and y. A line over the date line is there twice, once from either end, and leaves
        the globe's outline, to which it is to be clipped.
    """
    lon, lat, to_lon, to_lat = (rows[name].to_numpy() for name in ("lon", "lat", "pred_lon", "pred_lat"))
    turn = 360 * np.round((to_lon - lon) / 360)
    starts, ends = [(lon, lat)], [(to_lon - turn, to_lat)]
    over = turn != 0
    starts.append(((lon + turn)[over], lat[over]))
    ends.append((to_lon[over], to_lat[over]))
    pairs = zip(starts, ends, strict=True)
    return [
        line
        for start, end in pairs
        for line in np.stack([np.column_stack(globe.project(*start)), np.column_stack(globe.project(*end))], axis=1)
    ]


def _panel(axes: Axes, rows: pd.DataFrame) -> None:
    outline = globe.background(axes)
    lines = LineCollection(error_lines(rows), colors=ERROR, linewidths=0.35, zorder=2)
    axes.add_collection(lines)
    lines.set_clip_path(outline)
    x, y = globe.project(rows["lon"].to_numpy(), rows["lat"].to_numpy())
    axes.plot(x, y, "o", markersize=1.8, markerfacecolor="white", markeredgecolor=RING, markeredgewidth=0.4, zorder=3)
    x, y = globe.project(rows["pred_lon"].to_numpy(), rows["pred_lat"].to_numpy())
    style.scatter(axes, x, y, rows["continent"].to_numpy(), {key: look for key, (_, look) in CONTINENTS.items()})


def _legend(figure: Figure, present: list[str], caption: str) -> None:
    ring = Line2D([], [], label="true place, error", color=ERROR, linewidth=0.6, marker="o", markersize=2.6)
    ring.set(markerfacecolor="white", markeredgecolor=RING, markeredgewidth=0.5)
    kinds = [style.entry(name, look) for key, (name, look) in CONTINENTS.items() if key in present]
    handles: list[Artist] = [ring, *kinds]
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=len(handles),
        frameon=False,
        handletextpad=0.3,
        columnspacing=1.2,
        title=f"Filled marks: where the probe puts a city; shape and colour: its true continent.\n{caption}",
    )
