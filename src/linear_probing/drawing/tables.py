"""The statistics stage's tables, read and checked before anything is drawn.

Text stays text (a city may be called "NA"), an empty cell of a number is NaN, and every complaint names the table, the
column and the command that makes the table anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
import pandas as pd

from linear_probing.stage import StudyError

TEXT, WHOLE, NUMBER = "text", "whole number", "number"
MISSING_NUMBERS = ("", "nan", "NaN")
MAKE = "run snakemake --cores 2, or python -m linear_probing.statistics by hand, and draw again"

# What names a curve in most tables.
KEYS = {"model": TEXT, "task": TEXT, "part": TEXT, "probe": TEXT, "metric": TEXT, "layer": WHOLE}
# An estimate with its interval, the targets that it is of and the groups that were resampled.
ESTIMATE = {"estimate": NUMBER, "lower": NUMBER, "upper": NUMBER}
SIZES = {"n": WHOLE, "n_groups": WHOLE}
COLUMNS: dict[str, dict[str, str]] = {
    "layers.csv": {
        "model": TEXT,
        "task": TEXT,
        "part": TEXT,
        "split": TEXT,
        "probe": TEXT,
        "metric": TEXT,
        "layer": WHOLE,
        **ESTIMATE,
        **SIZES,
        "majority": NUMBER,
        "text_baseline": NUMBER,
        "control": NUMBER,
    },
    "baselines.csv": {
        "baseline": TEXT,
        "task": TEXT,
        "part": TEXT,
        "split": TEXT,
        "estimate": NUMBER,
    },
    "selectivity.csv": {**KEYS, "selectivity": NUMBER, "lower": NUMBER, "upper": NUMBER, **SIZES},
    "probes.csv": {**KEYS, "split": TEXT, **ESTIMATE, "control": NUMBER, "selectivity": NUMBER, **SIZES},
    "leakage.csv": {
        **KEYS,
        "row_score": NUMBER,
        "group_score": NUMBER,
        "difference": NUMBER,
        "lower": NUMBER,
        "upper": NUMBER,
        **SIZES,
    },
    "learning.csv": {**KEYS, "share": NUMBER, "n_training_groups": NUMBER, **ESTIMATE, **SIZES},
    # The layer is empty where the features are none of a model's.
    "code_length.csv": {
        "model": TEXT,
        "task": TEXT,
        "features": TEXT,
        "layer": NUMBER,
        "n_classes": WHOLE,
        "n_portions": WHOLE,
        "n_coded": WHOLE,
        "compression": NUMBER,
    },
    # The layer is empty where the score is undefined at every one.
    "best_layer_significance.csv": {
        "model": TEXT,
        "task": TEXT,
        "family": TEXT,
        "part": TEXT,
        "layer": NUMBER,
        "p_holm": NUMBER,
        "n_tasks": WHOLE,
        "n_permutations": WHOLE,
    },
    "transfer.csv": {
        "model": TEXT,
        "train_task": TEXT,
        "test_task": TEXT,
        "probe": TEXT,
        "layer": WHOLE,
        "metric": TEXT,
        **ESTIMATE,
        **SIZES,
    },
    "cosines.csv": {
        "model": TEXT,
        "layer": WHOLE,
        "task": TEXT,
        "probe": TEXT,
        "other_layer": WHOLE,
        "other_task": TEXT,
        "other_probe": TEXT,
        "cosine": NUMBER,
    },
    "causal.csv": {
        "model": TEXT,
        "task": TEXT,
        "operation": TEXT,
        "direction": TEXT,
        "of_task": TEXT,
        "of_layer": WHOLE,
        "layer": WHOLE,
        "strength": NUMBER,
        **ESTIMATE,
        **SIZES,
        "control_95": NUMBER,
        "p_value": NUMBER,
        "n_controls": WHOLE,
    },
    # The layers are empty where no layer acts.
    "causal_tests.csv": {
        "model": TEXT,
        "task": TEXT,
        "operation": TEXT,
        "direction": TEXT,
        "estimate": NUMBER,
        "acts_from": NUMBER,
        "acts_to": NUMBER,
        "n_layers": WHOLE,
    },
    "map.csv": {
        "model": TEXT,
        "task": TEXT,
        "layer": WHOLE,
        "target_id": TEXT,
        "group": TEXT,
        "part": TEXT,
        "lon": NUMBER,
        "lat": NUMBER,
        "pred_lon": NUMBER,
        "pred_lat": NUMBER,
    },
    "map_summary.csv": {
        "model": TEXT,
        "task": TEXT,
        "layer": WHOLE,
        "n": WHOLE,
        "median_error_km": NUMBER,
    },
    "plane.csv": {
        "model": TEXT,
        "task": TEXT,
        "layer": WHOLE,
        "target_id": TEXT,
        "label": TEXT,
        "part": TEXT,
        "x": NUMBER,
        "y": NUMBER,
    },
}


class FigureError(StudyError):
    """A figure cannot be drawn from the tables that were given."""


@dataclass(frozen=True)
class Tables:
    """What the figures are drawn from, one field per file of the statistics folder, with the columns of `COLUMNS`."""

    layers: pd.DataFrame
    baselines: pd.DataFrame
    selectivity: pd.DataFrame
    probes: pd.DataFrame
    leakage: pd.DataFrame
    learning: pd.DataFrame
    code_length: pd.DataFrame
    best_layer_significance: pd.DataFrame
    transfer: pd.DataFrame
    cosines: pd.DataFrame
    causal: pd.DataFrame
    causal_tests: pd.DataFrame
    map: pd.DataFrame
    map_summary: pd.DataFrame
    plane: pd.DataFrame


def read(folder: Path) -> Tables:
    """Read all tables of a statistics folder.

    Parameters
    ----------
    folder : Path
        Output folder of the statistics stage.

    Returns
    -------
    Tables
        `layers` holds at least one row; the others may hold none.

    Raises
    ------
    FigureError
        If a table is missing, cannot be parsed, lacks a column, holds text where a number is expected, or if
        layers.csv has no row.
    """
    frames = {name: read_table(folder / name, columns) for name, columns in COLUMNS.items()}
    if frames["layers.csv"].empty:
        raise FigureError(
            "layers.csv has a header and no row, but a figure needs at least one task at one layer",
            file=folder / "layers.csv",
            likely="the configuration names no task, or the file was cut short",
            do=MAKE,
        )
    return Tables(**{name.removesuffix(".csv"): frame for name, frame in frames.items()})


def read_table(path: Path, columns: Mapping[str, str]) -> pd.DataFrame:
    """Read one CSV and return its needed columns with their types.

    Parameters
    ----------
    path : Path
        The file.
    columns : Mapping[str, str]
        Kind of each needed column: text, whole number (never empty) or number (empty is NaN). Others are dropped.

    Returns
    -------
    pd.DataFrame
        Columns in the order of `columns`: str, int64 and float64.

    Raises
    ------
    FigureError
        If the file is missing or not a table, a column is absent, or a cell is not of its column's kind.
    """
    if not path.is_file():
        raise FigureError(
            f"{path.name} is not there, but the figures are drawn from it",
            file=path,
            likely="the statistics stage has not run, or it wrote into another folder",
            do=MAKE,
        )
    try:
        raw = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise FigureError(
            f"{path.name} is not a table with one header line: {error}",
            file=path,
            likely="the file was cut short or edited after it was written",
            do=MAKE,
        ) from error
    absent = [name for name in columns if name not in raw.columns]
    # What a study did not ask for is a table without rows, of which no column is asked.
    if absent and not raw.empty:
        raise FigureError(
            f"{path.name} lacks {_named(absent)}; it has {', '.join(map(str, raw.columns))}",
            file=path,
            likely="the table was written by another version of the statistics stage",
            do=MAKE,
        )
    raw = raw.reindex(columns=list(columns)) if absent else raw
    return pd.DataFrame({name: _typed(raw[name], kind, path) for name, kind in columns.items()})


def sample(rows: pd.DataFrame, n_rows: int) -> pd.DataFrame:
    """Choose rows by a checksum of their target_id, so that every layer shows the same targets in the same order.

    Parameters
    ----------
    rows : pd.DataFrame
        With a column target_id.
    n_rows : int
        At most this many are kept.

    Returns
    -------
    pd.DataFrame
        The kept rows in the order of the checksum, so that no label lies over another by the order of the table.
    """
    order = np.argsort([crc32(target.encode()) for target in rows["target_id"]], kind="stable")
    return rows.iloc[order[:n_rows]]


def _named(absent: list[str]) -> str:
    return f"the column{'s' if len(absent) > 1 else ''} {', '.join(absent)}"


def _typed(column: pd.Series, kind: str, path: Path) -> pd.Series:
    if kind == TEXT:
        return column.fillna("").astype(str)
    filled = column.fillna("")
    numbers = pd.to_numeric(filled.where(~filled.isin(MISSING_NUMBERS)), errors="coerce").astype(float)
    wrong = numbers.isna() & ~filled.isin(MISSING_NUMBERS)
    if kind == WHOLE:
        wrong = numbers.isna() | (numbers % 1 != 0)
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        raise FigureError(
            f"{path.name}, line {row + 2}: column {column.name} holds {filled.iloc[row]!r}, but a {kind} was expected",
            file=path,
            likely="the file was cut short or edited after it was written",
            do=MAKE,
        )
    return numbers.astype("int64") if kind == WHOLE else numbers
