"""`cities` and `neg_cities`: true and false statements on the country of a city, or their negations.

Country names tell nothing: every round of false statements is a derangement of the true countries, so each country
stands in true and in false statements in a fixed proportion.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from linear_probing.atlas.sentences import city_statement
from linear_probing.builders.draft import (
    GEONAMES,
    GEONAMES_LICENCE,
    Draft,
    deal,
    divide_types,
    generator,
    numbered,
)
from linear_probing.builders.place import sample_cities


def derange(values: Sequence[str], barred: Sequence[set[str]], random: np.random.Generator) -> list[str]:
    """Shuffle values so that no place gets one that is barred there, by random swaps of those that are.

    Parameters
    ----------
    values : Sequence[str]
        What is dealt out again.
    barred : Sequence[set[str]]
        For every place the values it must not get.
    random : np.random.Generator
        Advanced by the draw.

    Returns
    -------
    list[str]
        A permutation of `values`.

    Raises
    ------
    ValueError
        If no swap that helps is found, as when one value makes up half of all.
    """
    dealt = [values[place] for place in random.permutation(len(values))]
    for place in range(len(dealt)):
        if dealt[place] not in barred[place]:
            continue
        for other in random.permutation(len(dealt)):
            if dealt[other] not in barred[place] and dealt[place] not in barred[other]:
                dealt[place], dealt[other] = dealt[other], dealt[place]
                break
        else:
            raise ValueError(f"no swap gives place {place} a value that is not barred: {dealt[place]}")
    return dealt


def build(*, n_cities: int, n_false: int, negated: bool, n_folds: int, seed: int) -> Draft:
    """Return each city with its true country and `n_false` false ones; a negation of a false one is true."""
    drawn = sample_cities(n_cities, seed)
    random = generator(seed, "false countries")
    own = [city.country for city in drawn]
    stated = [[country] for country in own]
    for _ in range(n_false):
        for countries, false in zip(stated, derange(own, [set(s) for s in stated], random), strict=True):
            countries.append(false)
    rows = [(city, country) for city, countries in zip(drawn, stated, strict=True) for country in countries]
    names = [city.name for city, _ in rows]
    by_city = deal([c.name for c in drawn], [c.part for c in drawn], n_folds, generator(seed, "city folds"))
    text = [city_statement(city.name, country, negated) for city, country in rows]
    ids = numbered("neg_cities" if negated else "cities", len(rows))
    targets = pd.DataFrame(
        {
            "target_id": ids,
            "text_id": ids,
            "span_start": [len(statement) - 1 for statement in text],
            "span_end": [len(statement) for statement in text],
            "group": names,
            "type": names,
            "part": [city.part for city, _ in rows],
            "fold": [by_city[name] for name in names],
            "fold_types": divide_types(names, n_folds, generator(seed, "city types")),
            "truth": [int((country == city.country) != negated) for city, country in rows],
            "stated_country": [country for _, country in rows],
        }
    )
    return Draft(
        pd.DataFrame({"text_id": ids, "text": text}),
        targets,
        description="Statements that a city is" + (" not" if negated else "") + " in a country, right and wrong.",
        source=GEONAMES,
        licence=GEONAMES_LICENCE,
        labels={"truth": "1 if the statement is true"},
        splits={
            "group": "cities held out, with all their statements",
            "types": "statements of a city divided between folds: every test city is trained on; for selectivity",
        },
        group_meaning="the city",
        type_meaning="the city",
    )
