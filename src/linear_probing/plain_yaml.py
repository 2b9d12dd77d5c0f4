"""YAML in, plain content out: text, numbers, truth values, null, lists, and mappings of text, whose keys stand once.

What a configuration cannot mean is refused before anything reads it: other kinds (dates), characters that no file
holds, and what a few lines of aliases blow up to more than memory holds. Cost: milliseconds.
"""

import math
import re
from pathlib import Path
from typing import Any

import yaml

from linear_probing.language_model import DO, SettingsError

LONGEST = 1_000_000
"""Characters of a file. The project's own have a few thousand."""
MOST, DEEPEST = 100_000, 30
"""Values, and levels of them, an alias counted wherever it stands."""
GREATEST = 10**18
MERGE = "tag:yaml.org,2002:merge"
NO_CHARACTER = re.compile("[\0\ud800-\udfff]")
QUOTES = f"put it in quotes if it is text; {DO}"
GIVEN = "parameters"
"""What an estimator is given stays as it is written: 1.0 may mean all features, and 1 a single one."""


class _Once(yaml.SafeLoader):
    """YAML in which a key stands once: the plain loader takes the last one without a word.

    A mapping is merged into another once and by itself: lists of merged mappings double from line to line.
    """

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        keys = [(key.tag, str(key.value)) for key, _ in node.value]
        double = [value for tag, value in keys if keys.count((tag, value)) > 1]
        if double:
            raise yaml.YAMLError(f"the key {double[0]} stands twice,{node.start_mark}")
        if any(key.tag == MERGE and not isinstance(value, yaml.MappingNode) for key, value in node.value):
            raise yaml.YAMLError(f"<<: takes one mapping,{node.start_mark}")
        return node


def read(path: Path) -> Any:
    """Return the content of a file, as it is written.

    Raises
    ------
    SettingsError
        If the file is missing, too long or is not YAML.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"no configuration: {error.strerror}", file=path, do="name a file in config/") from error
    except ValueError as error:  # not UTF-8; a NUL in the path
        raise SettingsError(f"not YAML: {error}", file=path, do=DO) from error
    if len(text) > LONGEST:
        what = f"{len(text):,} characters, expected at most {LONGEST:,}"
        raise SettingsError(what, file=path, likely="a file of data was named", do="name a file in config/")
    try:
        return yaml.load(text, Loader=_Once)
    except RecursionError as error:
        raise SettingsError(f"values stand more than {DEEPEST} deep", file=path, do=DO) from error
    except yaml.YAMLError as error:
        raise SettingsError(f"not YAML: {error}", file=path, do=DO) from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:  # PyYAML's readers of single values
        what = f"not YAML: a value is not of the kind that it is written as: {error}"
        raise SettingsError(what, file=path, likely="a day as 2001-99-99, or a tag as !!int", do=QUOTES) from error


def check(content: Any, path: Path) -> None:
    """Check that a content is plain.

    Raises
    ------
    SettingsError
        With the first value, or key, that is not; or if there are more values, or deeper ones, than can be meant.
    """
    left: list[tuple[Any, tuple[Any, ...]]] = [(content, ())]
    n_seen = 0
    while left:
        value, place = left.pop()
        n_seen += 1
        if n_seen > MOST or len(place) > DEEPEST:
            what = f"more than {MOST:,} values" if n_seen > MOST else f"values stand more than {DEEPEST} deep"
            raise SettingsError(
                what, file=path, likely="an alias stands within what it names, or names too much", do=DO
            )
        _check_one(value, place, path)
        if isinstance(value, dict):
            left += [(one, (*place, key)) for key, one in value.items()]
        elif isinstance(value, list):
            left += [(one, (*place, number)) for number, one in enumerate(value)]


def _check_one(value: Any, place: tuple[Any, ...], path: Path) -> None:
    what = None
    if isinstance(value, dict):
        # Of an estimator's parameters a key may be a number, if all are: json sorts them.
        kinds = {int if GIVEN in place and type(key) is int else type(key) for key in value}
        odd = next((key for key in value if type(key) is not str), None)
        if odd is not None and not (GIVEN in place and kinds == {int}):
            what = f"the key {odd!r} is no text"
    elif not isinstance(value, str | int | float | list | None):
        what = f"{value} is a {type(value).__name__}, expected text, a number, true, false, null, a list or a mapping"
    elif type(value) is int and abs(value) > GREATEST:
        what = "a whole number of more than 18 digits"
    words = [*value] if isinstance(value, dict) else [value]
    if what is None and any(isinstance(word, str) and NO_CHARACTER.search(word) for word in words):
        what = "a NUL, or half of a surrogate pair, which is no character"
    if what is not None:
        raise SettingsError(f"{_named(place)}: {what}", file=path, do=QUOTES)


def _named(place: tuple[Any, ...]) -> str:
    return ".".join(map(str, place)) or "top level"


def whole_numbers(content: Any, path: Path) -> Any:
    """Return the content with whole numbers as integers (a schema takes 3.0 for one), and refuse .inf and .nan."""
    if isinstance(content, dict):
        return {key: value if key == GIVEN else whole_numbers(value, path) for key, value in content.items()}
    if isinstance(content, list):
        return [whole_numbers(value, path) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        raise SettingsError(f"{content} is not a number that a study can use", file=path, do=DO)
    return int(content) if isinstance(content, float) and content.is_integer() else content
