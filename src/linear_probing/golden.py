"""Golden tables: a study's statistics in; whether they are the committed ones, within stated tolerances, out.

    python -m linear_probing.golden --config FILE [--write]

tests/golden/{study} holds tables as they once were, and the digest of the configuration that they are of. Another
configuration has other numbers: it is not compared, which a line says. tests/golden/tolerances.yaml names, for each
table, the columns that are compared with how far each may be off, and says how that was measured; all other columns
tell which row is which. `--write` takes today's tables as golden, after a change that was meant to change numbers.
Cost: seconds.
"""

import argparse
import csv
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from linear_probing import records, settings
from linear_probing.provenance import ROOT, digest
from linear_probing.settings import Study
from linear_probing.stage import StudyError, replace_folder, run

GOLDEN = ROOT / "tests" / "golden"
TOLERANCES = "tolerances.yaml"
CONFIGURATION = "configuration.digest"
N_SHOWN = 10

Table = Sequence[Mapping[str, str]]
Allowed = Mapping[str, float | Mapping[str, float]]


class GoldenError(StudyError):
    """Tables that are not the golden ones, or cannot be compared."""


@dataclass(frozen=True)
class Difference:
    """A number that is off, or, without a column, a row or a table that is missing or too many."""

    table: str
    row: str
    found: str
    expected: str
    column: str = ""
    tolerance: float = 0.0

    def __str__(self) -> str:
        """Return the difference as a line."""
        where = ", ".join(part for part in (self.table, self.row, self.column) if part)
        within = f" within {self.tolerance:g}" if self.column else ""
        return f"{where}: found {self.found}, expected {self.expected}{within}"


def configuration_digest(path: Path) -> str:
    """Return the digest of all that a configuration says but the study's name; comments and order do not count."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return digest({key: value for key, value in content.items() if key != "name"})


def read_table(path: Path, do: str) -> Table:
    """Return the rows of a table, all cells as text.

    Raises
    ------
    GoldenError
        If there is no table.
    """
    try:
        return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines(), restval=""))
    except (OSError, ValueError, csv.Error) as error:
        raise GoldenError(f"{path.name} cannot be read: {error}", file=path, do=do) from error


def compare(name: str, found: Table, expected: Table, allowed: Allowed) -> list[Difference]:
    """Return how a table differs from the golden one.

    Parameters
    ----------
    name : str
        The table's file name.
    found, expected : Table
        In any order of rows.
    allowed : Allowed
        The compared columns, with the greatest absolute difference of each, or of each by the row's metric: zero for a
        metric that is not named. An empty cell equals an empty cell only.

    Returns
    -------
    list[Difference]
        Rows that are missing or too many, then numbers row by row; only the columns, where these are others.
    """
    columns = list((expected or found or [{}])[0])
    if found and list(found[0]) != columns:
        return [Difference(name, "columns", ", ".join(map(str, found[0])), ", ".join(columns))]
    keys = [column for column in columns if column not in allowed]
    ours, golden = _by_key(found, keys), _by_key(expected, keys)
    differences = [Difference(name, row, "no such row", "one") for row in golden if row not in ours]
    differences += [Difference(name, row, "a row", "none") for row in ours if row not in golden]
    for row, numbers in golden.items():
        for column, limit in allowed.items():
            cell = ours.get(row, numbers)[column]
            tolerance = limit.get(numbers["metric"], 0.0) if isinstance(limit, Mapping) else limit
            if not _near(cell, numbers[column], tolerance):
                differences.append(Difference(name, row, _shown(cell), _shown(numbers[column]), column, tolerance))
    return differences


def _by_key(table: Table, keys: Sequence[str]) -> dict[str, Mapping[str, str]]:
    found: dict[str, Mapping[str, str]] = {}
    for row in table:
        key = " ".join(f"{name} {row[name]}" for name in keys)
        while key in found:
            key += " (again)"
        found[key] = row
    return found


def _near(found: str, expected: str, tolerance: float) -> bool:
    try:
        # In doubles 0.3 and 0.2 are further apart than 0.1: a difference of just the tolerance is within it.
        return found == expected or abs(float(found) - float(expected)) <= tolerance + 1e-12
    except ValueError:
        return False


def _shown(cell: str) -> str:
    return cell or "an empty cell"


def check(study: Study, folder: Path, golden: Path, tolerances: Mapping[str, Allowed]) -> int:
    """Check a study's tables against the golden ones and return how many rows were compared.

    Raises
    ------
    GoldenError
        If a table is missing or differs.
    """
    write = f"python -m linear_probing.golden --config {study.file} --write"
    differences, n_rows = [], 0
    for name, allowed in tolerances.items():
        expected = read_table(golden / name, do=f"take it from the repository's history, or write it: {write}")
        found = read_table(folder / name, do="run snakemake again")
        differences += compare(name, found, expected, allowed)
        n_rows += len(expected)
    if differences:
        more = [f"and {len(differences) - N_SHOWN:,} more"] if len(differences) > N_SHOWN else []
        lines = "\n    ".join([str(one) for one in differences[:N_SHOWN]] + more)
        raise GoldenError(
            f"{study.name} differs from its golden tables (differences: {len(differences):,})\n    {lines}",
            file=folder,
            likely="a change of code, data or packages has changed numbers",
            do=f"find the change; if it was meant to change them, {write}",
        )
    return n_rows


def write(folder: Path, golden: Path, tolerances: Mapping[str, Allowed], made_of: str) -> None:
    """Take a study's tables, and the digest of its configuration, as the golden ones.

    Raises
    ------
    RecordError
        If a table is missing or was edited.
    """
    records.check(folder)
    texts = {name: (folder / name).read_bytes() for name in tolerances}
    with replace_folder(golden) as new:
        for name, text in texts.items():
            (new / name).write_bytes(text)
        (new / CONFIGURATION).write_text(made_of + "\n", encoding="utf-8")


def not_compared(study: Study, golden: Path, found: str) -> str | None:
    """Return why a study is not compared, None where it is."""
    path = golden / CONFIGURATION
    if not path.is_file():
        return f"there are no golden tables of {study.name}"
    expected = path.read_text(encoding="utf-8").strip()
    told = f"{study.file} (digest {found}) is not the configuration of the golden tables ({expected})"
    return None if found == expected else told


def main() -> None:
    """Compare a study's tables with the golden ones, or take them as golden."""
    parser = argparse.ArgumentParser(description="Compare a study's statistics with the committed tables.")
    parser.add_argument("--config", type=Path, required=True, help="the study's configuration")
    parser.add_argument("--write", action="store_true", help="take today's tables as golden")
    arguments = parser.parse_args()
    study = settings.load(arguments.config)
    golden, made_of = GOLDEN / study.name, configuration_digest(arguments.config)
    tolerances = yaml.safe_load((GOLDEN / TOLERANCES).read_text(encoding="utf-8"))
    reason = None if arguments.write else not_compared(study, golden, made_of)
    if reason:
        sys.stdout.write(f"{study.name}: not compared, since {reason}\n")
        return
    folder = records.current(study, "statistics")
    if arguments.write:
        write(folder, golden, tolerances, made_of)
    n_rows = check(study, folder, golden, tolerances)
    sys.stdout.write(f"{study.name}: {n_rows:,} rows of {', '.join(tolerances)} are the golden ones\n")


if __name__ == "__main__":
    run(main)
