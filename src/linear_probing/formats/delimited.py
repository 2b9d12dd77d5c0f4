"""CSV and TSV, by the standard library's csv: it counts lines exactly where cells hold line ends, and can be strict.

Cells are quoted by double quotes, a quote within is doubled; the first line names the columns.
"""

import csv
import re
from pathlib import Path

from linear_probing.formats.rows import FormatError, Problem, Rows, check_names, lines_of, made, text_of

SEPARATORS = {",": "a comma", "\t": "a tab", ";": "a semicolon", "|": "a bar"}


def read(path: Path, separator: str) -> Rows:
    """Return the rows of a file whose cells a separator divides; empty lines are passed over.

    Raises
    ------
    FormatError
        With every row that has too many or too few cells; with the line in which a quote opens that is not closed.
    """
    text = text_of(path)
    header: list[str] | None = None
    table, lines, problems = [], [], []
    # The limit is the module's own and of all readers; each cell's length is checked when its line is known.
    before = csv.field_size_limit(len(text) + 1)
    reader = csv.reader(lines_of(text), delimiter=separator, strict=True)
    begun = 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row) or len(row) > 1:
                if header is None:
                    header = _header(row, path, begun, separator)
                elif len(row) == len(header):
                    table.append(row)
                    lines.append(begun)
                else:
                    problems.append(_uneven(begun, len(row), header, separator))
            begun = reader.line_num + 1
    except csv.Error as error:
        raise FormatError(path, [*problems, _quoted(text, begun, separator, str(error))]) from error
    finally:
        csv.field_size_limit(before)
    if problems:
        raise FormatError(path, problems)
    return made(path, header or [], table, lines, "line")


def _header(row: list[str], path: Path, line: int, separator: str) -> list[str]:
    names = [name.strip() for name in row]
    other = next((name for mark, name in SEPARATORS.items() if mark != separator and mark in names[0]), None)
    if len(names) == 1 and other:
        what, do = f"one column, {names[0]!r}", f"save it with {SEPARATORS[separator]} between cells"
        raise FormatError(path, [Problem(line, what, f"{other} divides the cells", do)])
    check_names(names, path, line)
    return names


def _uneven(line: int, found: int, header: list[str], separator: str) -> Problem:
    if found > len(header):
        likely = f"{SEPARATORS[separator]} within a cell that is not in quotes"
    else:
        likely = "the line was cut, or a separator left out"
    cells = f"{found} cell{'s' * (found != 1)}"
    return Problem(line, f"{cells}, expected {len(header)} ({', '.join(header)})", likely)


def _quoted(text: str, begun: int, separator: str, error: str) -> Problem:
    """Return which quote the row at fault opens and does not close before a separator or a line's end."""
    lines = lines_of(text)
    row = "".join(lines[begun - 1 :])
    do = "close it, or double each quote within the cell"
    for match in re.finditer(rf'(?:\A|(?<=[{separator}\r\n]))"(?:[^"]|"")*+("?)', row):
        opened = begun + len(lines_of(row[: match.start()] + '"')) - 1
        if not match[1]:
            return Problem(opened, "the quote that opens here is never closed", do=do)
        if match.end() < len(row) and row[match.end()] not in f"{separator}\r\n":
            closed = begun + len(lines_of(row[: match.end()])) - 1
            what = f"the quote that opens here is closed in line {closed}, and more text follows in that cell"
            return Problem(opened, what, "an earlier closing quote is missing, or a quote within is not doubled", do)
    return Problem(begun, f"the row cannot be read: {error}")
