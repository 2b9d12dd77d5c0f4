"""`place`: cities in a few contexts, with position, country and continent."""

import numpy as np
import pandas as pd

from linear_probing.atlas.geography import City, cities, unit_vectors
from linear_probing.atlas.sentences import CITY_CONTEXTS
from linear_probing.builders.draft import (
    GEONAMES,
    GEONAMES_LICENCE,
    Draft,
    deal,
    divide_types,
    generator,
    numbered,
)


def sample_cities(n_cities: int, seed: int) -> tuple[City, ...]:
    """Draw cities without regard to size; the same ones for every data set of a study, in a fixed order."""
    drawn = generator(seed, "cities").permutation(len(cities()))[:n_cities]
    return tuple(cities()[index] for index in sorted(drawn))


def build(*, n_cities: int, n_contexts: int, n_folds: int, seed: int) -> Draft:
    """Return every drawn city in `n_contexts` contexts; the target is the city's name."""
    drawn = sample_cities(n_cities, seed)
    contexts = CITY_CONTEXTS[:n_contexts]
    rows = [(city, context) for city in drawn for context in contexts]
    by_city = deal([c.name for c in drawn], [c.part for c in drawn], n_folds, generator(seed, "city folds"))
    countries = [city.country for city in drawn]
    by_country = deal(countries, [city.continent for city in drawn], n_folds, generator(seed, "country folds"))
    names = [city.name for city, _ in rows]
    starts = np.array([context.index("{}") for _, context in rows])
    position = np.repeat(unit_vectors(drawn), len(contexts), axis=0)
    ids = numbered("place", len(rows))
    texts = pd.DataFrame({"text_id": ids, "text": [context.format(city.name) for city, context in rows]})
    targets = pd.DataFrame(
        {
            "target_id": ids,
            "text_id": ids,
            "span_start": starts,
            "span_end": starts + np.array([len(name) for name in names]),
            "group": names,
            "group_country": [city.country for city, _ in rows],
            "type": names,
            "part": [city.part for city, _ in rows],
            "fold": [by_city[name] for name in names],
            "fold_country": [by_country[city.country] for city, _ in rows],
            "fold_types": divide_types(names, n_folds, generator(seed, "place types")),
            "position_x": position[:, 0],
            "position_y": position[:, 1],
            "position_z": position[:, 2],
            "country": [city.country for city, _ in rows],
            "continent": [city.continent for city, _ in rows],
            "context": [context.format("X") for _, context in rows],
        }
    )
    return Draft(
        texts,
        targets,
        description="Names of cities of 60 countries, each in the same few contexts.",
        source=GEONAMES,
        licence=GEONAMES_LICENCE,
        labels={
            "position": "place on the unit sphere: x = cos lat cos lon, y = cos lat sin lon, z = sin lat",
            "country": "English name of the country",
            "continent": "one of six continents",
        },
        splits={
            "group": "cities held out",
            "country": "whole countries held out, so that no neighbour within the country is trained on",
            "types": "contexts of a city divided between folds: every test city is trained on; for selectivity",
        },
        group_meaning="the city",
        type_meaning="the city",
    )
