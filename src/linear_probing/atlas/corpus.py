"""The training text of the embedded model: what it is taught, and what is kept from it.

In: lexicons and cities. Out: an endless, seeded stream of lines. Shares are shares of lines.

- place: only by relations between cities (near, routes, regions, compass), never a coordinate.
- country: without a verdict, for every city.
- verdicts: 'The city of X is (not) in C. True', for seen cities only; comparisons of numbers, for
  seen pairs only.
- agreement and stories: with seen nouns only. Unseen nouns stand in counting sentences, where
  their number is told.
"""

from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
from jaxtyping import Float

from linear_probing.atlas import lexicon, sentences
from linear_probing.atlas.geography import cities, distances_km

Item = TypeVar("Item")

NEAR_KM = 300.0
REGION_KM = 1500.0
ATTRACTOR_SHARES = (0.4, 0.35, 0.25)
MANY = ("two", "three", "several", "many", "few")
PEOPLE = ("Ann", "Ben", "Clara", "David", "Eva", "Frank")
SHARES = {
    "near": 0.14,
    "route": 0.14,
    "region": 0.04,
    "compass": 0.12,
    "country": 0.13,
    "city_verdict": 0.21,
    "number_verdict": 0.06,
    "agreement": 0.08,
    "story": 0.05,
    "counting": 0.03,
}
ANSWERS = (" True", " False", " north", " south", " east", " west")
"""Tokens that can be worked out from the line before them; training weighs them more than the rest."""


def cumulative(weights: Float[np.ndarray, "city city"]) -> Float[np.ndarray, "city city"]:
    """Return row-wise cumulative distributions."""
    summed = np.cumsum(weights, axis=1)
    return summed / summed[:, -1:]


class Writer:
    """Draws sentences with one random generator."""

    def __init__(self, seed: int) -> None:
        """Prepare the neighbour distributions."""
        self.random = np.random.default_rng(seed)
        self.cities = cities()
        distances = distances_km().copy()
        np.fill_diagonal(distances, np.inf)
        self.near_cdf = cumulative(np.exp(-distances / NEAR_KM))
        self.region_cdf = cumulative(np.exp(-distances / REGION_KM))
        self.seen_cities = [i for i, city in enumerate(self.cities) if city.part == "seen"]
        self.seen_nouns = [noun for noun in lexicon.nouns() if noun.part == "seen"]

    def lines(self) -> Iterator[str]:
        """Yield lines without end."""
        kinds = list(SHARES)
        cut = np.cumsum(list(SHARES.values()))
        while True:
            for draw in self.random.random(10_000) * cut[-1]:
                yield getattr(self, kinds[int(np.searchsorted(cut, draw))])()

    def pick(self, items: Sequence[Item]) -> Item:
        """Return one item, all equally likely."""
        return items[int(self.random.random() * len(items))]

    def coin(self, share: float = 0.5) -> bool:
        """Return True with the given probability."""
        return bool(self.random.random() < share)

    def neighbour(self, city: int, cdf: Float[np.ndarray, "city city"]) -> int:
        """Draw another city by its distance from `city`."""
        return int(np.searchsorted(cdf[city], self.random.random()))

    def in_context(self, name: str) -> str:
        """Return a city's name in one of the contexts in which it is probed."""
        return self.pick(sentences.CITY_CONTEXTS).format(name)

    def near(self) -> str:
        """'The city of X is near Y.'."""
        city = self.pick(range(len(self.cities)))
        other = self.neighbour(city, self.near_cdf)
        return f"{self.in_context(self.cities[city].name)} is near {self.cities[other].name}."

    def route(self) -> str:
        """'X, Y, Z and W': every next city near the one before."""
        city = self.pick(range(len(self.cities)))
        stops = [city]
        while len(stops) < 5:
            stop = self.neighbour(stops[-1], self.near_cdf)
            if stop not in stops or self.coin(0.2):
                stops.append(stop)
        names = [self.cities[stop].name for stop in stops]
        return f"{self.in_context(names[0])}, {', '.join(names[1:])}."

    def region(self) -> str:
        """'X is in the region of Y.': a wider neighbourhood."""
        city = self.pick(range(len(self.cities)))
        other = self.neighbour(city, self.region_cdf)
        return f"{self.in_context(self.cities[city].name)} is around {self.cities[other].name}."

    def compass(self) -> str:
        """'X, seen from Y, is north.': the direction comes last, so that it can be worked out from both cities."""
        city, other = self.pick(range(len(self.cities))), self.pick(range(len(self.cities)))
        here, there = self.cities[city], self.cities[other]
        east = (here.longitude - there.longitude + 180.0) % 360.0 - 180.0
        north = here.latitude - there.latitude
        meridian, parallel = ("north" if north > 0 else "south"), ("east" if east > 0 else "west")
        word = meridian if self.coin() else parallel
        return f"{self.in_context(here.name)}, seen from {there.name}, is {word}."

    def country(self) -> str:
        """'The city of X is in C.' and 'X is part of Asia.', for every city, without a verdict."""
        city = self.pick(self.cities)
        if self.coin(0.8):
            return sentences.city_statement(city.name, city.country)
        return f"{self.in_context(city.name)} is part of {city.continent}."

    def city_verdict(self) -> str:
        """'The city of X is in C. True', affirmed or negated, true or false, for seen cities."""
        city = self.cities[self.pick(self.seen_cities)]
        correct, negated = self.coin(), self.coin()
        country = city.country
        while not correct and country == city.country:
            country = self.pick(self.cities).country
        verdict = correct != negated
        return f"{sentences.city_statement(city.name, country, negated)} {verdict}"

    def number_verdict(self) -> str:
        """'Forty-one is larger than thirty. True', for seen pairs."""
        while True:
            first, second = (int(n) for n in self.random.integers(1, lexicon.N_NUMBERS + 1, 2))
            if first != second and lexicon.pair_part(first, second) == "seen":
                break
        relation = self.pick(("larger", "smaller"))
        verdict = (first > second) == (relation == "larger")
        return f"{sentences.comparison(first, second, relation)} {verdict}"

    def agreement(self) -> str:
        """'The keys near the door shine.', with up to two nouns between subject and verb."""
        plural = self.coin()
        n_attractors = int(np.searchsorted(np.cumsum(ATTRACTOR_SHARES), self.random.random()))
        attractors = [
            (self.pick(lexicon.words("adposition")), self.pick(self.seen_nouns), self.coin())
            for _ in range(n_attractors)
        ]
        phrase = sentences.noun_phrase(self.pick(self.seen_nouns), plural, attractors)
        if self.coin():
            copula = self.pick((("is", "are"), ("was", "were"), ("has been", "have been")))
            return f"{phrase} {copula[plural]} {self.pick(lexicon.words('adjective'))}."
        verb = self.pick([verb for verb in lexicon.verbs() if not verb.takes_object])
        return f"{phrase} {verb.form(plural)}."

    def story(self) -> str:
        """A sentence with all word classes."""
        return sentences.text_of(sentences.story(self.random, self.seen_nouns))

    def counting(self) -> str:
        """'Ann sees one key and seven lamps.': number told by a numeral, for every noun."""
        phrases = []
        for _ in range(2):
            noun, plural = self.pick(lexicon.nouns()), self.coin()
            phrases.append(f"{self.pick(MANY) if plural else 'one'} {noun.form(plural)}")
        return f"{self.pick(PEOPLE)} counts {phrases[0]} and {phrases[1]}."
