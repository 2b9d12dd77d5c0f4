"""Authored word lists and number names, and which of their entries the embedded model never sees in probed sentences.

An entry is held out when the SHA-256 of its name is 0 modulo 4: a quarter, independent of order, seed and machine.
"""

import csv
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from linear_probing.stage import StudyError

LEXICONS = Path(__file__).parents[3] / "data" / "lexicons"
COLUMNS = {
    "nouns.csv": ("singular", "plural"),
    "verbs.csv": ("singular", "plural", "takes_object"),
    "words.csv": ("word", "class"),
}
HELD_OUT_SHARE = 4
N_NUMBERS = 99
FRAME_NOUNS = {"city"}
UNITS = [
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


class LexiconError(StudyError):
    """A word list that cannot be read."""


@dataclass(frozen=True)
class Noun:
    """A noun; `part` is 'unseen' when no sentence of a probed kind held it in training."""

    singular: str
    plural: str
    part: str

    def form(self, plural: bool) -> str:
        """Return the plural or the singular form."""
        return self.plural if plural else self.singular


@dataclass(frozen=True)
class Verb:
    """A verb in the present tense, third person."""

    singular: str
    plural: str
    takes_object: bool

    def form(self, plural: bool) -> str:
        """Return the form that agrees with a plural or a singular subject."""
        return self.plural if plural else self.singular


def part_of(name: str) -> str:
    """Return 'unseen' for a fixed quarter of all names, 'seen' for the rest.

    Examples
    --------
    >>> {part_of(name) for name in ("key", "lamp", "box", "table", "chair", "door", "hat")}
    ... # doctest: +SKIP
    {'seen', 'unseen'}
    """
    digest = hashlib.sha256(f"kept out:{name}".encode()).digest()
    return "unseen" if digest[0] % HELD_OUT_SHARE == 0 else "seen"


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read a word list and check it: the columns of `COLUMNS`, no empty cell, whole to its last line.

    Raises
    ------
    LexiconError
        If the file is missing, is not UTF-8, lacks a column or a cell, holds no row, or does not end with a line's end.
    """

    def fail(subject: str, likely: str) -> LexiconError:
        return LexiconError(
            subject, file=path, likely=likely, do=f"restore it: git checkout -- data/lexicons/{path.name}"
        )

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise fail(f"{path.name} cannot be read: {error}", "the file is missing or is not UTF-8") from error
    reader, expected = csv.DictReader(text.splitlines()), COLUMNS[path.name]
    rows = list(reader)
    if not rows or tuple(reader.fieldnames or ()) != expected:
        found = text.split("\n", maxsplit=1)[0][:60]
        raise fail(f"{path.name}: expected the columns {', '.join(expected)} and rows, found {found!r}", "it was cut")
    for number, row in enumerate(rows, start=2):
        if None in row or not all(row.values()):
            raise fail(
                f"{path.name}, line {number}: expected {len(expected)} cells, none empty", "it was edited or cut"
            )
    if not text.endswith("\n"):
        raise fail(f"{path.name}: the last line has no end", "the file was cut short")
    return rows


def _rows(name: str) -> list[dict[str, str]]:
    return read_rows(LEXICONS / name)


@cache
def nouns() -> tuple[Noun, ...]:
    """Return all nouns, in the file's order."""
    return tuple(Noun(row["singular"], row["plural"], part_of(row["singular"])) for row in _rows("nouns.csv"))


@cache
def probed_nouns() -> tuple[Noun, ...]:
    """Return the nouns that data sets probe: all but those that the fixed words of other sentences hold.

    "The city of X is in C." tells the number of `city`, although the noun itself is held out.
    """
    return tuple(noun for noun in nouns() if noun.singular not in FRAME_NOUNS)


@cache
def verbs() -> tuple[Verb, ...]:
    """Return all verbs, in the file's order."""
    return tuple(Verb(row["singular"], row["plural"], row["takes_object"] == "yes") for row in _rows("verbs.csv"))


@cache
def words(word_class: str) -> tuple[str, ...]:
    """Return the words of one class: adjective, adverb, adposition, determiner or pronoun."""
    return tuple(row["word"] for row in _rows("words.csv") if row["class"] == word_class)


def number_name(number: int) -> str:
    """Return the English name of a number from 1 to 99.

    Examples
    --------
    >>> number_name(7), number_name(40), number_name(41)
    ('seven', 'forty', 'forty-one')
    """
    if number < 20:
        return UNITS[number - 1]
    tens, unit = divmod(number, 10)
    return TENS[tens - 2] + (f"-{UNITS[unit - 1]}" if unit else "")


def pair_part(first: int, second: int) -> str:
    """Return the part of an unordered pair of numbers."""
    low, high = sorted((first, second))
    return part_of(f"{low}-{high}")
