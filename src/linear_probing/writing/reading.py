"""The tables that the main table and the paper are made of, read with the kinds that estimation/columns.py says."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from linear_probing.drawing.tables import NUMBER, TEXT, WHOLE, read_table
from linear_probing.estimation.columns import NEVER, TRUTH, Column, described
from linear_probing.stage import StudyError

MAKE = "run snakemake --cores 2, or python -m linear_probing.statistics by hand"


class PaperError(StudyError):
    """A table or a paper cannot be made from what was given."""


def table(folder: Path, name: str) -> pd.DataFrame:
    """Read a table of the statistics stage.

    Parameters
    ----------
    folder : Path
        Output folder of the statistics stage.
    name : str
        One of estimation/columns.py.

    Returns
    -------
    pd.DataFrame
        All described columns; text is never NaN, a number that may be empty is a float, True and False are text. No
        row where a study did not ask for the table.

    Raises
    ------
    PaperError
        If the table is not there.
    FigureError
        If it is no table, lacks a column or holds text where a number is expected.
    """
    path = folder / name
    if not path.is_file():
        raise PaperError(
            f"{name} is not there, but the main table and the paper are made of it",
            file=path,
            likely="the statistics stage has not run, or it wrote into another folder",
            do=MAKE,
        )
    columns = described(name)
    if _is_empty(path):
        return pd.DataFrame(columns=list(columns))
    return read_table(path, {name: _kind(column) for name, column in columns.items()})


def _kind(column: Column) -> str:
    if column.kind == TRUTH:
        return TEXT
    return NUMBER if column.kind == WHOLE and column.empty != NEVER else column.kind


def check_once(found: pd.DataFrame, keys: Sequence[str], path: Path) -> None:
    """Check that no two rows of a table have the same keys: else a cell of the main table would be either's.

    Parameters
    ----------
    found : pd.DataFrame
        The rows that are read.
    keys : Sequence[str]
        Columns that tell them apart.
    path : Path
        The table's file, for the error.

    Raises
    ------
    PaperError
        With the first row that is there again.
    """
    again = found[found.duplicated(list(keys))]
    if not again.empty:
        row = ", ".join(f"{key} {again.iloc[0][key]}" for key in keys)
        raise PaperError(
            f"{path.name} has {len(again):,} of its rows again, expected each once; the first: {row}",
            file=path,
            likely="tables of two runs were joined, or the file was edited",
            do=MAKE,
        )


def _is_empty(path: Path) -> bool:
    # What a study did not ask for is a table without rows, whose header may be short.
    with path.open(encoding="utf-8") as file:
        return bool(file.readline().strip()) and not file.readline().strip()
