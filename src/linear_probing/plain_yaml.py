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
NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
LONGEST_NUMBER = 100
"""Characters. PyYAML reads 1:00:00... digit by digit, and what it comes to may be more than a float holds."""
NO_CHARACTER = re.compile("[\0\ud800-\udfff]")
QUOTES = f"put it in quotes if it is text; {DO}"
PROBES, GIVEN = "probes", "parameters"
"""What an estimator is given stays as it is written: 1.0 may mean all features, and 1 a single one."""


class _Once(yaml.SafeLoader):
    """YAML in which a key stands once: the plain loader takes the last one without a word.

    A mapping is merged into another by itself: lists of merged mappings double from line to line. What all merges of a
    file copy is counted before it is copied, since each may merge what the one before it merged.
    """

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.sizes: dict[yaml.MappingNode, int] = {}
        self.n_merged = 0

    def compose_scalar_node(self, anchor: Any) -> yaml.ScalarNode:
        node = super().compose_scalar_node(anchor)
        if node.tag in NUMBERS and len(node.value) > LONGEST_NUMBER:
            raise ValueError(f"a number of {len(node.value):,} characters, expected at most {LONGEST_NUMBER}")
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: set[tuple[str, str]] = set()
        n_merged = 0
        for key, value in node.value:
            # Not written out before it is refused: a list of aliases as a key blows up too.
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.YAMLError(f"a key is a list or a mapping,{key.start_mark}")
            if (key.tag, key.value) in seen:
                raise yaml.YAMLError(f"the key {key.value} stands twice,{node.start_mark}")
            seen.add((key.tag, key.value))
            if key.tag == MERGE:
                n_merged += self._merged(node, value)
        self.sizes[node] = len(node.value) + n_merged
        return node

    def _merged(self, node: yaml.MappingNode, merged: yaml.Node) -> int:
        if not isinstance(merged, yaml.MappingNode):
            raise yaml.YAMLError(f"<<: takes one mapping,{node.start_mark}")
        if merged not in self.sizes:
            raise yaml.YAMLError(f"<<: takes a mapping that it stands in,{node.start_mark}")
        self.n_merged += self.sizes[merged]
        if self.n_merged > MOST:
            raise yaml.YAMLError(f"<<: copies more than {MOST:,} values in all,{node.start_mark}")
        return self.sizes[merged]


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
    # What PyYAML's readers of single values raise.
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
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
        odd = next((key for key in value if type(key) is not str), None)
        if odd is not None and not (_is_given(place) and {type(key) for key in value} == {int}):
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


def _is_given(place: tuple[Any, ...]) -> bool:
    """Return whether this is what a probe's estimator is given: models, data sets and probes may have its name."""
    return place[:1] == (PROBES,) and place[2:3] == (GIVEN,)


def whole_numbers(content: Any, path: Path, place: tuple[Any, ...] = ()) -> Any:
    """Return the content with whole numbers as integers (a schema takes 3.0 for one), and refuse .inf and .nan.

    Parameters
    ----------
    content : Any
        A configuration that `check` has passed, or what stands at a place of it.
    path : Path
        Its file, for errors.
    place : tuple
        The keys and numbers that lead to it.

    Raises
    ------
    SettingsError
        If a number is not finite, but for what estimators are given.
    """
    if _is_given(place):
        return content
    if isinstance(content, dict):
        return {key: whole_numbers(value, path, (*place, key)) for key, value in content.items()}
    if isinstance(content, list):
        return [whole_numbers(value, path, (*place, number)) for number, value in enumerate(content)]
    if isinstance(content, float) and not math.isfinite(content):
        raise SettingsError(f"{_named(place)}: {content} is not a number that a study can use", file=path, do=DO)
    return int(content) if isinstance(content, float) and content.is_integer() else content
