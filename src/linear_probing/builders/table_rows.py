"""The rows of a data set's files as one table that still knows each row's file and line; and draws of them.

An error of a cell names where it stands; all of one file's are collected, so that a person corrects them at once.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int

from linear_probing.builders.draft import generator
from linear_probing.formats import files
from linear_probing.formats.rows import FormatError, Problem, Rows
from linear_probing.tables import DatasetError

PARTS = ("train", "dev", "test")
"""Of a data set with a split of its own; dev may be absent."""
FEATURE = "feat_"
LONGEST_SHOWN = 80
"""Characters of a cell that a message shows."""


@dataclass(frozen=True)
class Table:
    """Rows of files, end to end.

    Parameters
    ----------
    cells : pd.DataFrame
        All columns as text; "" where a row's file lacks a column.
    files : tuple[Rows, ...]
        As they were read.
    parts : tuple[str, ...]
        Of each file: 'train', 'dev' or 'test', or "" where the data set has no split of its own.
    file, line : np.ndarray
        Shape (n_rows,): which of the files, and where the row begins in it.
    """

    cells: pd.DataFrame
    files: tuple[Rows, ...]
    parts: tuple[str, ...]
    file: Int[np.ndarray, " row"]
    line: Int[np.ndarray, " row"]

    @property
    def is_treebank(self) -> bool:
        """Whether several rows stand in one text."""
        return all(files.is_treebank(rows.path) for rows in self.files)

    @property
    def own_split(self) -> bool:
        """Whether the data set's files say which rows train and which are tested."""
        return any(self.parts)

    @property
    def part(self) -> list[str]:
        """The part of each row."""
        return [self.parts[one] for one in self.file]

    def select(self, rows: Sequence[int] | Int[np.ndarray, " chosen"]) -> "Table":
        """Return these rows, in this order; a row may come again."""
        chosen = np.asarray(rows, dtype=np.int64)
        cells = self.cells.iloc[chosen].reset_index(drop=True)
        return Table(cells, self.files, self.parts, self.file[chosen], self.line[chosen])

    def column(self, name: str, key: str) -> list[str]:
        """Return a column's cells without blanks around them.

        Parameters
        ----------
        name : str
            Of the column.
        key : str
            What the configuration names it for.

        Raises
        ------
        FormatError
            If a file does not have it. The features of a treebank's words may be absent from one of several files.
        """
        for rows in self.files:
            if name not in rows.cells and not (name.startswith(FEATURE) and name in self.cells):
                raise FormatError(rows.path, [unknown_column(name, key, [str(one) for one in rows.cells])])
        return [cell.strip() for cell in self.cells[name]]

    def where(self, row: int) -> str:
        """Return a row's file and line, for messages."""
        rows = self.files[self.file[row]]
        return f"{rows.path.name}, {rows.unit} {self.line[row]}"

    def refuse(self, wrong: Mapping[int, str], likely: str | None = None, do: str = "correct the file") -> None:
        """Raise the error of these rows, if there are any; of the first file that has some.

        Raises
        ------
        FormatError
            With every row of that file that is at fault.
        """
        if wrong:
            file = min(int(self.file[row]) for row in wrong)
            found = [
                Problem(int(self.line[row]), what, likely, do) for row, what in wrong.items() if self.file[row] == file
            ]
            raise FormatError(
                self.files[file].path, sorted(found, key=lambda one: one.line or 0), self.files[file].unit
            )


def unknown_column(name: str, key: str, known: Sequence[str]) -> Problem:
    """Return what to say of a column that is not there, with the nearest name."""
    near = difflib.get_close_matches(name, known, n=1)
    what = f"{key}: there is no column {name!r}; columns are: {', '.join(known)}"
    return Problem(None, what, "a misspelt name", f"name {near[0] if near else 'one of them'}")


def read(named: Sequence[Path] | Mapping[str, Sequence[Path]]) -> Table:
    """Read files: a list, or those of a data set's own `train`, `dev` and `test`.

    Raises
    ------
    DatasetError
        If there is no file, or the parts are others.
    FormatError
        If a file cannot be read.
    """
    parts = dict(named) if isinstance(named, Mapping) else {"": named}
    if "" not in parts and not {"train", "test"} <= set(parts) <= set(PARTS):
        raise DatasetError(
            f"files: the parts are {', '.join(parts)}, expected train and test, and dev if there is one",
            do="name the parts so, or give a list of files, whose rows are then dealt to folds",
        )
    found = [(part, files.read(path)) for part in parts for path in parts[part]]
    if not found or not all(parts.values()):
        raise DatasetError("files: a list of files is empty", do="name a file of data")
    rows = tuple(one for _, one in found)
    if len({files.is_treebank(one.path) for one in rows}) > 1:
        raise DatasetError("files: treebanks beside other files", do="make two data sets of them")
    cells = rows[0].cells if len(rows) == 1 else pd.concat([one.cells for one in rows], ignore_index=True).fillna("")
    sizes = [len(one.lines) for one in rows]
    return Table(
        cells,
        rows,
        tuple(part for part, _ in found),
        np.repeat(np.arange(len(rows)), sizes),
        np.concatenate([one.lines for one in rows]).astype(np.int64),
    )


def derived(table: Table, columns: Mapping[str, Mapping[str, str]]) -> Table:
    """Return the table with further columns, each made of another by the first group of a regular expression.

    Parameters
    ----------
    table : Table
        The rows.
    columns : Mapping
        The new column to `from`, a column of the files or one that was derived before it, and `match`. The first
        place in a cell that matches counts.

    Raises
    ------
    DatasetError
        If there is a column of that name, or `match` is no regular expression with a group.
    FormatError
        If there is no column `from`; with every row that does not match.
    """
    for name, how in columns.items():
        key = f"derive: {name}"
        if name in table.cells:
            subject = f"{key}: there is a column of that name"
            raise DatasetError(subject, file=table.files[0].path, do="give it another name")
        pattern = _compiled(how["match"], key, table)
        cells = table.column(how["from"], key)
        found = [match[1] if (match := pattern.search(cell)) else None for cell in cells]
        table.refuse(
            {
                row: f"{key}: the cell {cells[row][:LONGEST_SHOWN]!r} of {how['from']} does not match {pattern.pattern}"
                for row, cell in enumerate(found)
                if not (cell and cell.strip())
            },
            likely="worded otherwise than the rest, or the group matches nothing",
            do="correct match, or take the row out (where: names the cells that are kept)",
        )
        # Every file has the column from here on; its cells are in the table's own frame.
        files = tuple(replace(rows, cells=rows.cells.assign(**{name: ""})) for rows in table.files)
        table = replace(table, cells=table.cells.assign(**{name: pd.Series(found, dtype=str)}), files=files)
    return table


def _compiled(match: str, key: str, table: Table) -> re.Pattern[str]:
    try:
        pattern = re.compile(match)
    except (re.error, OverflowError, RecursionError) as error:  # a{99999999999}; thousands of brackets
        subject = f"{key}: {match} is no regular expression: {error}"
        raise DatasetError(subject, file=table.files[0].path, do="correct match") from error
    if not pattern.groups:
        raise DatasetError(
            f"{key}: {match} has no group",
            file=table.files[0].path,
            do="put round brackets around what the column is to hold, as in ^(.+?) has the symbol",
        )
    return pattern


def admitted(table: Table, conditions: Mapping[str, Sequence[Any]]) -> Table:
    """Return the rows whose cells are among those that each column admits.

    Raises
    ------
    DatasetError
        If an admitted cell never stands in its column (a misspelling), or nothing is left.
    """
    keep = np.ones(len(table.cells), dtype=bool)
    for name, values in conditions.items():
        cells = table.column(name, "where")
        for value in values:
            if not _written(value) & set(cells):
                known = sorted(set(cells))
                near = difflib.get_close_matches(str(value), known, n=1) or known[:5]
                subject = f"where: no cell of the column {name!r} is {str(value)!r}"
                raise DatasetError(subject, file=table.files[0].path, do=f"did you mean {', '.join(near)}?")
        asked = set().union(*map(_written, values))
        keep &= np.array([cell in asked for cell in cells])
    if not keep.any():
        subject = f"where: none of {len(keep):,} rows is left"
        raise DatasetError(subject, file=table.files[0].path, do="admit more cells")
    return table.select(np.flatnonzero(keep))


def _written(value: Any) -> set[str]:
    """Return how a value of the configuration may stand in a file: true as true, True or TRUE."""
    text = str(value)
    return {text, text.lower(), text.upper()} if isinstance(value, bool) else {text}


def draw(table: Table, groups: Sequence[str], n_groups: int | None, n_rows: int | None, seed: int) -> Table:
    """Return some of the groups, whole, then some of the rows, in the order that they had.

    Both draws go by content: another order of the rows gives the same ones, as far as no two rows are equal.

    Raises
    ------
    DatasetError
        If there are fewer than asked for.
    """
    kept = np.arange(len(table.cells))
    if n_groups is not None:
        names = sorted(set(groups))
        _enough("n_groups", n_groups, len(names), table)
        chosen = {names[place] for place in generator(seed, "table groups").permutation(len(names))[:n_groups]}
        kept = np.flatnonzero([name in chosen for name in groups])
    if n_rows is not None:
        _enough("n_rows", n_rows, len(kept), table)
        # By content: sorted by every cell, in the order of the columns' names.
        cells = table.cells.iloc[kept]
        rows = list(zip(*(cells[name] for name in sorted(map(str, cells))), strict=True))
        ordered = kept[sorted(range(len(rows)), key=rows.__getitem__)]
        kept = np.sort(ordered[generator(seed, "table rows").permutation(len(ordered))[:n_rows]])
    return table.select(kept)


def _enough(key: str, asked: int, found: int, table: Table) -> None:
    if asked > found:
        subject = f"{key}: {asked:,} are asked for, there are {found:,}"
        raise DatasetError(subject, file=table.files[0].path, do=f"ask for fewer, or leave {key} out")
