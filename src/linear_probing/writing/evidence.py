"""What the paper's findings are taken from: one model's main rows and the study's tables, asked by column."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from linear_probing.drawing.curves import title
from linear_probing.settings import Study
from linear_probing.writing.main_table import GROUP, Row
from linear_probing.writing.reading import MAKE, PaperError, table

TABLES = (
    "layers.csv",
    "best_layer.csv",
    "baselines.csv",
    "best_layer_significance.csv",
    "embedding_gain.csv",
    "leakage.csv",
    "transfer.csv",
    "causal_tests.csv",
    "seeds.csv",
    "probes.csv",
    "learning.csv",
    "code_length.csv",
    "map_summary.csv",
    "fits.csv",
    "notes.csv",
)


@dataclass(frozen=True)
class Evidence:
    """One model of a study.

    Parameters
    ----------
    study : Study
        Its configuration.
    model : str
        The model in front.
    rows : Sequence[Row]
        Its main table.
    tables : Mapping[str, pd.DataFrame]
        Those of `TABLES`.
    """

    study: Study
    model: str
    rows: Sequence[Row]
    tables: Mapping[str, pd.DataFrame]

    @property
    def twins(self) -> list[str]:
        """The model's twins with random weights, the first one with all controls."""
        return [twin.name for twin in self.study.twins_of(self.study.model(self.model))]

    def row(self, task: str) -> Row | None:
        """Return a task's row of the main table; None where the study lacks it."""
        return next((row for row in self.rows if row.task == task), None)

    def find(self, name: str, **wanted: object) -> pd.DataFrame:
        """Return the rows of a table whose columns are as wanted; of the model in front, unless another is named."""
        found = self.tables[name]
        if "model" in found and "model" not in wanted:
            wanted = {"model": self.model, **wanted}
        for column, value in wanted.items():
            found = found[found[column] == value]
        return found

    def at_best(self, name: str, row: Row, **wanted: object) -> pd.Series | None:
        """Return the row of a table that stands beside a row of the main table: same task, part and layer."""
        split = {"split": GROUP} if "split" in self.tables[name] else {}
        part = {"part": row.part} if "part" in self.tables[name] else {}
        found = self.find(name, task=row.task, layer=row.layer, **split, **part, **wanted)
        return None if found.empty else found.iloc[0]


def read(study: Study, folder: Path, rows: Sequence[Row], names: Sequence[str] = TABLES) -> Evidence:
    """Read tables of a study, those of `names`.

    Raises
    ------
    PaperError
        If layers.csv has no row of the model.
    PaperError, FigureError
        As `reading.table` does.
    """
    evidence = Evidence(study, rows[0].model, rows, {name: table(folder, name) for name in names})
    if evidence.find("layers.csv").empty:
        raise PaperError(
            f"layers.csv has no row of {evidence.model}, but best_layer.csv has",
            file=folder / "layers.csv",
            likely="the file was cut short, or the two are of different runs",
            do=MAKE,
        )
    return evidence


def phrase(task: str) -> str:
    """Return what a task asks for, as a sentence has it.

    Examples
    --------
    >>> phrase("cities.truth"), phrase("mine.label")
    ('the truth of “X is in C”', 'mine.label')
    """
    name = title(task)
    return name if name == task else f"the {name[0].lower()}{name[1:]}"
