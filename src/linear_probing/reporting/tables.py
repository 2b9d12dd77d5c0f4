"""The tables that the page shows, read and checked as the figures' are: with complaints that name table and command."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from linear_probing.drawing import tables as figures
from linear_probing.drawing.tables import MAKE, NUMBER, TEXT, WHOLE, FigureError, read_table

ROW = {"model": TEXT, "task": TEXT, "part": TEXT, "split": TEXT, "probe": TEXT, "metric": TEXT, "layer": WHOLE}
ESTIMATE = {"estimate": NUMBER, "lower": NUMBER, "upper": NUMBER, "n": NUMBER, "n_groups": NUMBER, "control": NUMBER}
LEVELS = {"majority": NUMBER, "text_baseline": NUMBER}

COLUMNS: dict[str, dict[str, str]] = {
    "layers.csv": {**ROW, **ESTIMATE, **LEVELS},
    "best_layer.csv": {**ROW, **ESTIMATE, **LEVELS},
    "probes.csv": {**ROW, **ESTIMATE},
    "baselines.csv": {"baseline": TEXT, "task": TEXT, "part": TEXT, "split": TEXT, "estimate": NUMBER},
    "best_layer_significance.csv": {
        "model": TEXT,
        "task": TEXT,
        "family": TEXT,
        "p_value": NUMBER,
        "p_holm": NUMBER,
        "n_tasks": NUMBER,
        "n_permutations": NUMBER,
    },
    "causal_tests.csv": {
        **figures.COLUMNS["causal_tests.csv"],
        "layer": WHOLE,
        "control_95": NUMBER,
        "p_holm": NUMBER,
        "p_log_odds_holm": NUMBER,
        "n_controls": WHOLE,
    },
    "map.csv": {**figures.COLUMNS["map.csv"], "error_km": NUMBER},
    "map_summary.csv": figures.COLUMNS["map_summary.csv"],
    "plane.csv": figures.COLUMNS["plane.csv"],
    "fits.csv": {"model": TEXT, "task": TEXT, "n_fits": WHOLE},
    "notes.csv": {
        "model": TEXT,
        "task": TEXT,
        "split": TEXT,
        "labeling": TEXT,
        "probe": TEXT,
        "features": TEXT,
        "fold": TEXT,
        "note": TEXT,
    },
}


@dataclass(frozen=True)
class Tables:
    """What the page is made from, one field per file of the statistics folder; all but `layers` may hold no row."""

    layers: pd.DataFrame
    best_layer: pd.DataFrame
    probes: pd.DataFrame
    baselines: pd.DataFrame
    best_layer_significance: pd.DataFrame
    causal_tests: pd.DataFrame
    map: pd.DataFrame
    map_summary: pd.DataFrame
    plane: pd.DataFrame
    fits: pd.DataFrame
    notes: pd.DataFrame


def read(folder: Path) -> Tables:
    """Read all tables of a statistics folder.

    Raises
    ------
    FigureError
        If a table is missing or damaged, or if layers.csv has no row.
    """
    frames = {name.removesuffix(".csv"): read_table(folder / name, columns) for name, columns in COLUMNS.items()}
    if frames["layers"].empty:
        raise FigureError(
            "layers.csv has a header and no row, but the page needs at least one task at one layer",
            file=folder / "layers.csv",
            likely="the configuration names no task, or the file was cut short",
            do=MAKE,
        )
    return Tables(**frames)
