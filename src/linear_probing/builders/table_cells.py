"""What stands in a table's cells: texts, spans and labels, each checked with the row in which it is wrong."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from linear_probing.builders.table_rows import Table
from linear_probing.tables import DatasetError

Span = str | Sequence[str] | None
NO_LABEL = ("", "nan", "none")
"""What the study takes for an absent label, in small letters."""
LONGEST_PLACE = 18
"""Digits."""
BOUNDS = {"latitude": 90.0, "longitude": 180.0}


def spans(table: Table, texts: Sequence[str], span: Span) -> tuple[list[int], list[int]]:
    """Return where each target starts and ends, in characters.

    Parameters
    ----------
    table : Table
        The rows.
    texts : Sequence[str]
        Of each row.
    span : str, sequence of two str, or None
        None for the last character that is not blank, and so the model's last token; a column whose cell stands in
        the text (where it stands last); or the columns of start and end.

    Raises
    ------
    FormatError
        With every row whose text is blank, or whose span is not in its text.
    """
    table.refuse({row: "the text is empty" for row, text in enumerate(texts) if not text.strip()})
    if span is None:
        ends = [len(text.rstrip()) for text in texts]
        return [end - 1 for end in ends], ends
    if isinstance(span, str):
        cells = table.column(span, "span")
        starts = [text.rfind(cell) if cell else -1 for text, cell in zip(texts, cells, strict=True)]
        table.refuse(
            {row: f"the span {cells[row]!r} does not stand in the text" for row, at in enumerate(starts) if at < 0},
            likely="written otherwise in the text, or the cell is empty",
        )
        return starts, [start + len(cell) for start, cell in zip(starts, cells, strict=True)]
    first, last = (table.column(name, "span") for name in span)
    wrong = {
        row: f"the span {start!r} to {end!r} is not within the text's {len(text):,} characters, or is blank"
        for row, (text, start, end) in enumerate(zip(texts, first, last, strict=True))
        if not (_is_place(start) and _is_place(end) and int(end) <= len(text) and text[int(start) : int(end)].strip())
    }
    table.refuse(wrong, "counted from 1, in bytes, or with the last character's own place as the end")
    return [int(cell) for cell in first], [int(cell) for cell in last]


def classes(table: Table, column: str, name: str) -> list[str]:
    """Return a label's cells.

    Raises
    ------
    FormatError
        With every row that has none.
    DatasetError
        If all are the same.
    """
    cells = table.column(column, f"labels: {name}")
    empty = {
        row: f"the label {column!r} is {cell or 'empty'}" for row, cell in enumerate(cells) if cell.lower() in NO_LABEL
    }
    table.refuse(empty, do="label every row, or take the row out (where: names the cells that are kept)")
    if len(set(cells)) == 1:
        raise DatasetError(
            f"the label {column!r} is {cells[0]!r} in all {len(cells):,} rows",
            file=table.files[0].path,
            likely="the other classes are in another file, or `where` takes them out",
            do="probe a label that varies",
        )
    return cells


def unit_vectors(table: Table, columns: Mapping[str, str], name: str) -> Float[np.ndarray, "row 3"]:
    """Return places on the unit sphere: x = cos lat cos lon, y = cos lat sin lon, z = sin lat.

    Parameters
    ----------
    table : Table
        The rows.
    columns : Mapping[str, str]
        `latitude` and `longitude` to the columns that hold them, in degrees.
    name : str
        Of the label, for messages.

    Raises
    ------
    FormatError
        With every row in which one is no number, below -90 or -180, or above 90 or 180.
    """
    radians = {}
    for key, bound in BOUNDS.items():
        cells = table.column(columns[key], f"labels: {name}: {key}")
        numbers = np.array([_number(cell) for cell in cells])
        outside = np.flatnonzero(~(np.abs(numbers) <= bound))  # NaN is outside too
        table.refuse(
            {int(row): f"the {key} is {cells[row]!r}, expected -{bound:g} to {bound:g} degrees" for row in outside},
            likely="latitude and longitude were taken one for the other, or a decimal comma",
        )
        radians[key] = np.radians(numbers)
    latitude, longitude = radians["latitude"], radians["longitude"]
    flat = np.cos(latitude)
    return np.stack([flat * np.cos(longitude), flat * np.sin(longitude), np.sin(latitude)], axis=1)


def _is_place(cell: str) -> bool:
    """Return whether a cell is a whole number that may be a place in a text; Python reads no number of any length."""
    return cell.isdecimal() and len(cell) <= LONGEST_PLACE


def _number(cell: str) -> float:
    """Return a cell's number, NaN if it is none; Python would read 1_0 as 10."""
    try:
        return float("nan" if "_" in cell else cell)
    except ValueError:
        return float("nan")


def filled(table: Table, columns: Sequence[str], key: str) -> list[str]:
    """Return a name for each row: its cells, sorted and joined by blanks, so that "51, 52" and "52, 51" are one pair.

    Raises
    ------
    FormatError
        With every row in which a cell is empty.
    """
    found = [table.column(name, key) for name in columns]
    for name, cells in zip(columns, found, strict=True):
        table.refuse({row: f"{key}: the cell {name!r} is empty" for row, cell in enumerate(cells) if not cell})
    return [" ".join(sorted(row)) for row in zip(*found, strict=True)]
