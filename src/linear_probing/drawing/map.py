"""Predicted against true places on a map of the world, for a few layers of one model.

A ring stands where a city is, a filled mark where the probe puts it, a line between them. The mark's colour and shape
say on which continent the city truly is. So a layer that knows nothing heaps all shapes in one place, and a layer that
knows the map puts each shape on its own continent with short lines. More lines than N_CITIES would hide each other:
the same cities are drawn at every layer, and the titles' errors, over all targets, come from map_summary.csv. Below
the maps stand the errors at all layers, beside those of the twin with random weights.
"""

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from linear_probing.drawing import captions, globe, style
from linear_probing.drawing.tables import sample

N_LAYERS = 4
N_CITIES = 240
ERROR, RING = "#9A9A9A", "#4D4D4D"
OWN: dict[str, Any] = {"color": style.BLUE, "marker": "o"}
TWIN: dict[str, Any] = {"color": style.VERMILLION, "marker": "s", "linestyle": (0, (4, 1.5))}
CONTINENTS = {
    "AF": ("Africa", (style.ORANGE, "o")),
    "AS": ("Asia", (style.VERMILLION, "^")),
    "EU": ("Europe", (style.BLUE, "s")),
    "NA": ("North America", (style.SKY, "D")),
    "SA": ("South America", (style.GREEN, "v")),
    "OC": ("Oceania", (style.BLACK, "P")),
}


def draw(places: pd.DataFrame, summary: pd.DataFrame, model: str, twin: str | None) -> Figure:
    """Draw where cities are and where the probe puts them, at up to four layers chosen evenly.

    Parameters
    ----------
    places : pd.DataFrame
        map.csv; of `N_CITIES` groups one target each is drawn, chosen by checksum.
    summary : pd.DataFrame
        map_summary.csv, from which all errors and their number of targets are taken.
    model : str
        The model in front.
    twin : str or None
        Its twin with random weights.

    Returns
    -------
    Figure
        One axes per layer, of the first task with places, and one of the errors at all layers where there are several;
        a figure with one sentence if the model has no places.
    """
    own = _own(places, model)
    if own.empty:
        return style.message(_nothing(model))
    errors = summary[summary["task"] == own["task"].iloc[0]]
    shown = _shown(own)
    cities = drawn_cities(own[own["layer"] == shown[0]])
    columns = min(2, len(shown))
    rows = -(-len(shown) // columns)
    several = len(shown) > 1
    figure = style.new_figure(rows * 1.95 + 1.55 if several else 4.4)
    grid = figure.add_gridspec(rows + several, columns, height_ratios=[1.9] * rows + [0.8] * several)
    for number, layer in enumerate(shown):
        here = own[own["layer"] == layer].set_index("target_id")
        axes = figure.add_subplot(grid[number // columns, number % columns])
        _panel(axes, cities.join(here[["pred_lon", "pred_lat"]], on="target_id", how="inner"))
        axes.set_title(_title(errors[errors["model"] == model], layer, last=several and layer == shown[-1]))
    if several:
        _errors(figure.add_subplot(grid[rows, :]), errors, model, twin)
    _legend(figure, list(dict.fromkeys(cities["continent"])), note(own, errors[errors["model"] == model], len(cities)))
    return figure


def _own(places: pd.DataFrame, model: str) -> pd.DataFrame:
    """Return the predicted places of a model, of its first task with any."""
    own = places[(places["model"] == model) & places["pred_lon"].notna() & places["pred_lat"].notna()]
    return own[own["task"] == own["task"].iloc[0]] if not own.empty else own


def _shown(own: pd.DataFrame) -> list[int]:
    return style.spread(sorted(int(layer) for layer in own["layer"].unique()), N_LAYERS)


def _nothing(model: str) -> str:
    return f"No map: the study has no task place.position for {model}."


def caption(places: pd.DataFrame, summary: pd.DataFrame, layers: pd.DataFrame, model: str, twin: str | None) -> str:
    """Return what the map shows, of how many cities and mentions, by which probe, and its errors in km.

    Parameters
    ----------
    places, summary, model, twin
        As drawn.
    layers : pd.DataFrame
        layers.csv, which names the probe.
    """
    own = _own(places, model)
    if own.empty:
        return _nothing(model)
    task, shown = own["task"].iloc[0], _shown(own)
    errors = summary[summary["task"] == task]
    n_drawn = min(N_CITIES, own["group"].nunique())
    probe = layers[layers["task"] == task].drop_duplicates("task")
    told = [f"{name} {_km(errors, name, shown[-1])}" for name in (model, twin) if name and _km(errors, name, shown[-1])]
    return captions.paragraph(
        [
            f"True and predicted places, read from {model} at "
            f"{'layers' if len(shown) > 1 else 'layer'} {captions.listed([str(layer) for layer in shown])}, "
            "each by a probe that no mention of that place had trained.",
            note(own, errors[errors["model"] == model], n_drawn),
            f"Median error at layer {shown[-1]}: {captions.listed(told)}, without an interval." if told else "",
            f"{twin}: the same architecture with random weights." if twin in set(errors["model"]) else "",
            captions.probes(probe),
        ]
    )


def _km(errors: pd.DataFrame, model: str, layer: int) -> str:
    found = errors[(errors["model"] == model) & (errors["layer"] == layer)]["median_error_km"]
    return f"{found.iloc[0]:,.0f} km" if len(found) and np.isfinite(found.iloc[0]) else ""


def _errors(axes: Axes, errors: pd.DataFrame, model: str, twin: str | None) -> None:
    for name, look in ((model, OWN), (twin, TWIN)):
        rows = errors[errors["model"] == name].sort_values("layer")
        if not rows.empty:
            label = model if name == model else f"{name} (random weights)"
            axes.plot(rows["layer"], rows["median_error_km"], label=label, **look)
    axes.margins(y=0.12)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=16, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set(xlabel="layer (0: embedding)", ylabel="km", title="Median error")
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0, ncols=2, frameon=False, handlelength=3)
    sns.despine(ax=axes)


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


def note(own: pd.DataFrame, summary: pd.DataFrame, n_drawn: int) -> str:
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
    drawn = f"{n_drawn:,} of {own['group'].nunique():,} places, one mention of each, the same at every layer"
    over = f"over all {counts} mentions" + (f" of {' and '.join(parts)} places" if parts else "")
    return f"Drawn: {drawn}." + (f" Median error: {over}." if counts else "")


def _title(errors: pd.DataFrame, layer: int, last: bool) -> str:
    name = f"Layer {layer}" + (", the embedding" if layer == 0 else ", the last" if last else "")
    found = errors[errors["layer"] == layer]["median_error_km"]
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


def _legend(figure: Figure, present: list[str], drawn: str) -> None:
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
        title=f"Filled marks: where the probe puts a place; shape and colour: its true continent.\n{drawn}",
    )
