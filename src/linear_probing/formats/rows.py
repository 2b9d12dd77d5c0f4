"""What every reader returns, and how a file that cannot be read is refused: by all its lines that are at fault.

Cells are text as it stands in the file, so that 0.10 stays 0.10; what is missing is empty.
"""

import codecs
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pandas as pd

from linear_probing.tables import DatasetError

LONGEST_CELL = 1_000_000
"""Characters. A model's context is far below it: a longer cell is a quote that was not closed, or a file in a cell."""
NUL, SURROGATE = "\0", re.compile("[\ud800-\udfff]")
LINE_END = re.compile(rb"\r\n|\r|\n")
ENCODING = 'save it as UTF-8 (in a spreadsheet: "CSV UTF-8")'
NUL_BYTE = "is it a binary file, or UTF-16 without its mark?"


@dataclass(frozen=True)
class Rows:
    """A file's rows as text.

    Parameters
    ----------
    path : Path
        The file.
    cells : pd.DataFrame
        One column per column of the file, text alone, "" where a cell is missing.
    lines : tuple[int, ...]
        Length n_rows: the line, from 1, in which each row begins; for Parquet, which has no lines, the row's number.
    unit : str
        What `lines` counts: 'line' or 'row'.
    """

    path: Path
    cells: pd.DataFrame
    lines: tuple[int, ...]
    unit: str = "line"


@dataclass(frozen=True)
class Problem:
    """What is wrong with one row, or with the whole file (`line` is None), with its likely cause and what to do."""

    line: int | None
    what: str
    likely: str | None = None
    do: str = "correct the file"


class FormatError(DatasetError):
    """A file whose rows cannot be used; `problems` has all that were found.

    Parameters
    ----------
    path : Path
        The file.
    problems : Sequence[Problem]
        At least one. The first is the message.
    unit : str
        What lines are called.
    """

    def __init__(self, path: Path, problems: Sequence[Problem], unit: str = "line") -> None:
        first, more = problems[0], len(problems) - 1
        self.path, self.problems, self.unit = path, tuple(problems), unit
        others = f" (and {more:,} more like it)" if more else ""
        super().__init__(located(first, unit) + others, file=path, likely=first.likely, do=first.do)


def located(problem: Problem, unit: str = "line") -> str:
    """Return a problem's words behind its line.

    Examples
    --------
    >>> located(Problem(3, "2 cells, expected 3"))
    'line 3: 2 cells, expected 3'
    """
    return problem.what if problem.line is None else f"{unit} {problem.line}: {problem.what}"


def text_of(path: Path) -> str:
    """Return a text file's content, without the mark that says it is UTF-8.

    Raises
    ------
    FormatError
        If it cannot be opened, is empty, is not UTF-8 (with line and byte), or holds NUL bytes.
    """
    data = bytes_of(path)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise FormatError(path, [Problem(1, "the file is UTF-16, expected UTF-8", "it was exported so", ENCODING)])
    problems = [
        Problem(number, f"NUL byte at byte {at + 1} of the line", NUL_BYTE)
        for number, line in (_numbered(data) if 0 in data else ())
        if (at := line.find(0)) >= 0
    ]
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        problems = problems or list(_undecodable(data))
    if problems:
        raise FormatError(path, problems)
    if not text.strip():
        raise FormatError(path, [Problem(None, "the file is empty", do="put a header and rows into it")])
    return text


def bytes_of(path: Path) -> bytes:
    """Return a file's bytes; that it cannot be opened is an error of ours."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise FormatError(path, [Problem(None, f"cannot be opened: {error.strerror}", do="check its name")]) from error


def _numbered(data: bytes) -> Iterator[tuple[int, bytes]]:
    return enumerate(LINE_END.split(data), start=1)


def _undecodable(data: bytes) -> Iterator[Problem]:
    for number, line in _numbered(data.removeprefix(codecs.BOM_UTF8)):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError as error:
            what = f"byte {error.start + 1} of the line (0x{line[error.start]:02x}) is not UTF-8"
            yield Problem(number, what, "the file is Latin-1 or Windows-1252", ENCODING)


def lines_of(text: str) -> list[str]:
    r"""Return the lines with their ends, whichever of \n, \r\n and \r each has; no other character ends one."""
    return list(StringIO(text, newline=""))


def check_names(names: Sequence[str], path: Path, line: int | None = 1) -> None:
    """Check that every column has a name of its own.

    Raises
    ------
    FormatError
        With the first column that has none, or another's.
    """
    for place, name in enumerate(names, start=1):
        if not name:
            likely = "an index that pandas wrote, or a comma too many"
            what, do = f"column {place} has no name", "name it (pandas: to_csv(index=False))"
            raise FormatError(path, [Problem(line, what, likely, do)])
        if name in names[: place - 1]:
            what = f"the column {name!r} stands twice: {', '.join(names)}"
            raise FormatError(path, [Problem(line, what, do="rename one of them")])


def wrong_cell(cell: str, column: str, line: int) -> Problem | None:
    """Return what makes a cell unusable in every format; None if nothing does."""
    if len(cell) > LONGEST_CELL:
        what = f"the cell {column!r} has {len(cell):,} characters, the limit is {LONGEST_CELL:,}"
        return Problem(line, what, "a quote that is not closed, or a whole document in a cell", "shorten or split it")
    if NUL in cell:
        return Problem(line, f"the cell {column!r} holds a NUL character")
    if SURROGATE.search(cell):
        return Problem(line, f"the cell {column!r} holds half of a surrogate pair, which is no character")
    return None


def made(path: Path, names: Sequence[str], table: Sequence[Sequence[str]], lines: Sequence[int], unit: str) -> Rows:
    """Return rows of cells as `Rows`, after a look at every cell.

    Raises
    ------
    FormatError
        If there is no row, or with every cell that cannot be used.
    """
    if not table:
        what = "a header and no rows" if unit == "line" else "no rows"
        raise FormatError(path, [Problem(None, what, "the file was cut short", "put rows into it")])
    problems = []
    for place, name in enumerate(names):
        # Distinct cells first: a treebank has millions of cells and thousands of distinct ones.
        if any(wrong_cell(cell, name, 0) for cell in {row[place] for row in table}):
            found = (wrong_cell(row[place], name, line) for line, row in zip(lines, table, strict=True))
            problems += [problem for problem in found if problem]
    if problems:
        raise FormatError(path, problems, unit)
    return Rows(path, pd.DataFrame(table, columns=list(names), dtype=str), tuple(lines), unit)
