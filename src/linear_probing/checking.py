"""A file of data in, a report out: what it holds, what may leak, and every line that is wrong, before a study is run.

    python -m linear_probing.datasets check FILE [--text COLUMN] [--label NAME[=COLUMN]] [--group COLUMN] ...

A study can use the file if the builder `table` takes it with the same names: the builder is asked, so that no rule of
its stands here a second time. What may leak is for a person to judge.
"""

import argparse
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import Any

from linear_probing import models
from linear_probing.builders import table as builder
from linear_probing.builders import table_cells, table_rows
from linear_probing.builders.table_rows import Table
from linear_probing.formats.rows import FormatError, Problem, located
from linear_probing.settings import ROOT, Model
from linear_probing.tables import DatasetError

SHOWN = 20
"""Findings of one kind that are shown; of those beyond, the number."""
MANY_CLASSES = 30
EMBEDDED = ROOT / "data" / "models" / "atlas"
PLACES = tuple(places for n in (1, 2, 3) for places in combinations(range(3), n))
NEGATION = re.compile(r"n't\b|\bnot\b")
TOO_LONG = "leave the text out or shorten it: texts are never cut in silence"
Label = str | Mapping[str, str]


@dataclass(frozen=True)
class Asked:
    """What the columns mean: the builder's parameters of these names."""

    text: str | None = None
    span: str | tuple[str, ...] | None = None
    labels: Mapping[str, Label] = field(default_factory=dict)
    group: tuple[str, ...] = ()
    type: str | None = None
    derive: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def of(self, table: Table) -> "Asked":
        """Return the same with the columns text, label and group where they are there and nothing else is asked."""
        return replace(
            self,
            text=self.text or ("text" if "text" in table.cells else None),
            span=self.span or (builder.TREEBANK_SPAN if table.is_treebank else None),
            labels=self.labels or ({"label": "label"} if "label" in table.cells else {}),
            group=self.group or (("group",) if "group" in table.cells else ()),
        )


@dataclass(frozen=True)
class Report:
    """Lines to read, and whether a study can use the file."""

    lines: tuple[str, ...]
    usable: bool


@dataclass(frozen=True)
class Reader:
    """How a model reads texts: what counts their tokens, and the most that it takes (None for no bound)."""

    count: Callable[[list[str]], list[int]]
    context: int | None


def check(path: Path, asked: Asked, reader: Reader, n_folds: int = 5) -> Report:
    """Return what a file holds and whether a study can use it.

    Parameters
    ----------
    path : Path
        The file.
    asked : Asked
        What its columns mean.
    reader : Reader
        Of the model to be probed.
    n_folds : int
        Of the study, at least 3.
    """
    lines: list[str] = []
    errors: list[DatasetError] = []

    def attempt(work: Callable[[], Any]) -> Any:
        try:
            return work()
        except DatasetError as error:
            errors.append(error)
            return None

    table: Table | None = attempt(lambda: table_rows.read([path]))
    if table is not None:
        lines.append(f"{path.name}: {len(table.cells):,} rows; columns: {', '.join(map(str, table.cells))}")
        table = attempt(partial(table_rows.derived, table, asked.derive))
    if table is not None:
        asked = asked.of(table)
        read = attempt(partial(_texts, table, asked))
        if read is not None:
            lines.append(_lengths(read[0], reader, attempt, table))
        labels = {name: attempt(partial(_label, table, name, of)) for name, of in asked.labels.items()}
        lines += [_counted(name, cells, asked.labels[name]) for name, cells in labels.items() if cells]
        named: dict[str, list[str] | None] = {}
        for key, columns in (("group", asked.group), ("type", (asked.type,) if asked.type else ())):
            named[key] = attempt(partial(table_cells.filled, table, columns, key)) if columns else None
            lines += _sizes(key, columns, named[key] or [])
        if not asked.group:
            lines.append("group: none is named, each row stands for itself")
        if read is not None:
            lines += _leaks(table, read[1], labels, named["group"])
            if not table.is_treebank:
                classes = {
                    name: cells for name, cells in labels.items() if cells and isinstance(asked.labels[name], str)
                }
                lines += _twins(table, read[0], classes, named["group"])
        if not errors:
            attempt(partial(builder.build, files=[path], n_folds=n_folds, seed=0, **vars(asked)))
    wrong = [line for error in errors for line in _wrong(error)]
    verdict = f"{path.name}: a study {'cannot use it as it is' if wrong else 'can use it'}"
    return Report((*lines, *wrong, verdict), not wrong)


def _texts(table: Table, asked: Asked) -> tuple[list[str], list[tuple[str, int, int]]]:
    """Return the texts, and the texts with their spans."""
    if asked.text is None:
        columns = ", ".join(map(str, table.cells))
        raise DatasetError(f"no column is named text; columns are: {columns}", do="name it: --text COLUMN")
    table.column(asked.text, "text")
    texts = list(table.cells[asked.text])
    return texts, list(zip(texts, *table_cells.spans(table, texts, asked.span), strict=True))


def _label(table: Table, name: str, of: Label) -> list[str]:
    if isinstance(of, str):
        return table_cells.classes(table, of, name)
    table_cells.unit_vectors(table, of, name)
    return [", ".join(place) for place in zip(*(table.column(of[key], "label") for key in of), strict=True)]


def _lengths(texts: list[str], reader: Reader, attempt: Callable[..., Any], table: Table) -> str:
    """Return how long texts are; those that are too long are an error."""
    distinct = list(dict.fromkeys(texts))
    counted = dict(zip(distinct, reader.count(distinct), strict=True))
    tokens = [counted[text] for text in texts]
    than = "the model's context has no bound"
    if (bound := reader.context) is not None:
        first = {text: row for row, text in reversed(list(enumerate(texts))) if counted[text] > bound}
        beyond = {row: f"{counted[text]:,} tokens, the model's context is {bound:,}" for text, row in first.items()}
        than = f"{sum(n > bound for n in tokens):,} longer than the model's context of {bound:,}"
        attempt(partial(table.refuse, beyond, do=TOO_LONG))
    return f"text: {_range([len(text) for text in texts])} characters, {_range(tokens)} tokens; {than}"


def _range(numbers: Sequence[int]) -> str:
    if min(numbers) == max(numbers):
        return f"{min(numbers):,}"
    return f"{min(numbers):,} to {max(numbers):,} (median {median(numbers):,.0f})"


def _counted(name: str, cells: Sequence[str], of: Label) -> str:
    found = Counter(cells).most_common()
    if not isinstance(of, str):
        return f"label {name}: {len(found):,} positions"
    shown = ", ".join(f"{cell} ({n:,})" for cell, n in found[:MANY_CLASSES])
    more = f" and {len(found) - MANY_CLASSES:,} more" if len(found) > MANY_CLASSES else ""
    return f"label {name}: {len(found):,} classes, with their rows: {shown}{more}"


def _sizes(key: str, columns: Sequence[str], names: Sequence[str]) -> list[str]:
    if not names:
        return []
    sizes = list(Counter(names).values())
    single = sum(size == 1 for size in sizes)
    lines = [f"{key} {' and '.join(columns)}: {len(sizes):,} {key}s of {_range(sizes)} rows"]
    if key == "group" and single == len(sizes):
        lines.append("look at: every group has one row, so a split by group is one by row")
    elif single:
        lines.append(f"look at: {single:,} of {len(sizes):,} {key}s with one row only")
    return lines


def _leaks(
    table: Table,
    spans: Sequence[tuple[str, int, int]],
    labels: Mapping[str, list[str] | None],
    groups: Sequence[str] | None,
) -> list[str]:
    """Return what could make a score higher, or lower, than what the model knows; rows of one text and span."""
    same: dict[tuple[str, int, int], list[int]] = {}
    for row, target in enumerate(spans):
        same.setdefault(target, []).append(row)
    twice = [rows for rows in same.values() if len(rows) > 1]
    lines = _listed("the same text twice", twice, table)
    for name, cells in labels.items():
        if cells:
            other = [rows for rows in twice if len({cells[row] for row in rows}) > 1]
            lines += _listed(f"the same text with different labels {name}", other, table)
            if groups and all(len(held) == 1 for held in _held(groups, cells).values()):
                lines.append(
                    f"look at: the group tells the label {name}: whoever knows a group knows it for all its rows"
                )
    if groups:
        apart = [rows for rows in twice if len({groups[row] for row in rows}) > 1]
        lines += _listed("the same text in different groups, which may train and be tested", apart, table)
    return lines


def _twins(
    table: Table, texts: Sequence[str], labels: Mapping[str, list[str]], groups: Sequence[str] | None
) -> list[str]:
    """Return which texts nearly equal another that has another label and stands in another group."""
    held = groups or [str(row) for row in range(len(texts))]
    words = [text.split() for text in texts]
    found = []
    for what, stems in (
        ("their last word", [" ".join(one[:-1]) for one in words]),
        ("a not", [" ".join(NEGATION.sub(" ", text).split()) for text in texts]),
    ):
        alike: dict[str, list[int]] = {}
        for row, stem in enumerate(stems):
            if stem:
                alike.setdefault(stem, []).append(row)
        for name, cells in labels.items():
            rows = [(" ".join(words[row]), cells[row], held[row]) for row in range(len(texts))]
            pairs = [twin for of in alike.values() if len(of) > 1 for twin in _opposed(of, rows)]
            found += _near(f"in {what} alone and have another label {name}, in another group", pairs, table)
    return found


def _opposed(of: Sequence[int], rows: Sequence[tuple[str, str, str]]) -> list[tuple[int, int]]:
    """Return the first pair of rows that differ in all three cells, once for each row that differs so from another.

    Such rows are found by counting, not pair by pair: a list of one pattern may be long.
    """
    counts = [Counter(tuple(rows[row][place] for place in places) for row in of) for places in PLACES]
    pairs = []
    first: tuple[int, int] | None = None
    for row in of:
        # Rows that share no cell: all, less those that share one, and so on.
        n_other = len(of) - sum(
            (-1) ** (len(places) + 1) * count[tuple(rows[row][place] for place in places)]
            for places, count in zip(PLACES, counts, strict=True)
        )
        if n_other:
            if first is None:
                other = next(one for one in of if all(a != b for a, b in zip(rows[row], rows[one], strict=True)))
                first = (row, other)
            pairs.append(first)
    return pairs


def _near(what: str, pairs: Sequence[tuple[int, int]], table: Table) -> list[str]:
    """Return one line: how many texts, and of each stem the first two."""
    if not pairs:
        return []
    shown = list(dict.fromkeys(pairs))
    listed = "; ".join(f"{table.line[one]} and {table.line[other]}" for one, other in shown[:SHOWN])
    more = f"; and {len(shown) - SHOWN:,} more" if len(shown) > SHOWN else ""
    return [
        f"look at: {len(pairs):,} texts differ from another {what} ({table.files[0].unit}s {listed}{more}): "
        "if they belong together, name a group that both share (derive makes one of the text)"
    ]


def _held(groups: Sequence[str], cells: Sequence[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for group, cell in zip(groups, cells, strict=True):
        found.setdefault(group, set()).add(cell)
    return found


def _listed(what: str, found: Sequence[Sequence[int]], table: Table) -> list[str]:
    if not found:
        return []
    unit = table.files[0].unit
    named = [f"{unit}s {_and(str(table.line[row]) for row in rows)}" for rows in found[:SHOWN]]
    more = f"; and {len(found) - SHOWN:,} more" if len(found) > SHOWN else ""
    return [f"look at: {what}: {'; '.join(named)}{more}"]


def _and(words: Iterable[str]) -> str:
    *before, last = words
    return f"{', '.join(before)} and {last}" if before else last


def _wrong(error: DatasetError) -> list[str]:
    """Return an error's problems, a line each, and what to do of the first."""
    if not isinstance(error, FormatError):
        return [f"wrong: {error}"]
    shown: Sequence[Problem] = error.problems[:SHOWN]
    lines = [f"wrong: {located(problem, error.unit)}" for problem in shown]
    if len(error.problems) > SHOWN:
        lines.append(f"wrong: and {len(error.problems) - SHOWN:,} {error.unit}s more like it")
    first = shown[0]
    return [*lines, *([f"  likely: {first.likely}"] if first.likely else []), f"  do:     {first.do}"]


def label(text: str) -> tuple[str, Label]:
    """Return a label's name and column, as the option writes them.

    Examples
    --------
    >>> [label(text) for text in ("truth", "truth=label", "place=lat,lon")]
    [('truth', 'truth'), ('truth', 'label'), ('place', {'latitude': 'lat', 'longitude': 'lon'})]
    """
    name, _, column = text.partition("=")
    latitude, comma, longitude = column.partition(",")
    return name, {"latitude": latitude, "longitude": longitude} if comma else column or name


def derivation(text: str) -> tuple[str, dict[str, str]]:
    """Return a derived column's name and how it is made, as the option writes them.

    Examples
    --------
    >>> derivation("subject=statement:^(.+?) has")
    ('subject', {'from': 'statement', 'match': '^(.+?) has'})
    """
    name, _, made = text.partition("=")
    column, _, match = made.partition(":")
    if not (name and column and match):
        raise ValueError(f"expected NAME=COLUMN:REGEX, found {text!r}")
    return name, {"from": column, "match": match}


def main(words: Sequence[str]) -> None:
    """Report on a file; the exit status is 1 if a study cannot use it."""
    parser = argparse.ArgumentParser(
        prog="python -m linear_probing.datasets check", description="Check a file of data."
    )
    parser.add_argument("file", type=Path, help="CSV, TSV, JSON lines, Parquet or CoNLL-U")
    parser.add_argument("--text", metavar="COLUMN", help="of texts (text)")
    parser.add_argument("--span", metavar="COLUMN", nargs="+", help="of what stands in the text, or of start and end")
    parser.add_argument(
        "--label", metavar="NAME[=COLUMN]", type=label, action="append", default=[], help="or NAME=LATITUDE,LONGITUDE"
    )
    parser.add_argument("--group", metavar="COLUMN", nargs="+", default=[], help="of what is held out together (group)")
    parser.add_argument("--type", metavar="COLUMN", help="of what control tasks draw labels for")
    parser.add_argument(
        "--derive",
        metavar="NAME=COLUMN:REGEX",
        type=derivation,
        action="append",
        default=[],
        help="a further column: the first group of a regular expression in another",
    )
    parser.add_argument("--folds", type=int, default=5, help="n_folds of the study (%(default)s)")
    parser.add_argument("--tokenizer", metavar="FOLDER", type=Path, default=EMBEDDED, help="of the model to be probed")
    given = parser.parse_args(words)
    if given.folds < 3 or len(given.span or ()) > 2:
        parser.error("--folds takes 3 or more, --span one column or two")
    span = given.span and (given.span[0] if len(given.span) == 1 else tuple(given.span))
    asked = Asked(given.text, span, dict(given.label), tuple(given.group), given.type, dict(given.derive))
    tokenizer = models.load_tokenizer(given.tokenizer)
    context = Model(given.tokenizer.name, given.tokenizer, "float32").context()
    report = check(given.file, asked, Reader(partial(_n_tokens, tokenizer), context), given.folds)
    sys.stdout.write("\n".join(report.lines) + "\n")
    sys.exit(0 if report.usable else 1)


def _n_tokens(tokenizer: Any, texts: list[str]) -> list[int]:
    return [len(ids) for ids in tokenizer(texts, verbose=False)["input_ids"]]
