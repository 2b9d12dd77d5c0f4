"""Sources: the public data files that configurations name, from data/sources.csv; each by URL at a commit and SHA-256.

A source is named by its content, so that every digest is known before it is fetched. Standard library only.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path, PurePosixPath

from linear_probing.language_model import DOWNLOADS
from linear_probing.provenance import ROOT, Made
from linear_probing.stage import StudyError

TABLE = ROOT / "data" / "sources.csv"
DO = "correct data/sources.csv; data/README.md says what its columns mean"


class SourceError(StudyError):
    """A source that is not named as it should be."""


@dataclass(frozen=True)
class Source:
    """A row of data/sources.csv.

    Parameters
    ----------
    name : str
        By which configurations name it.
    url : str
        Of one file, at a commit.
    sha256 : str
        Of its bytes.
    licence : str
        As its authors state it.
    notice : str
        What a user should know of the licence before the file is fetched; mostly empty.
    group : str
        The column by which rows must be held out together, for whoever writes a configuration.
    n_rows, n_characters, n_bytes : int
        Rows (words of a treebank), characters of all texts, and bytes of the file, for plans before it is there.
    """

    name: str
    url: str
    sha256: str
    licence: str
    notice: str
    group: str
    n_rows: int
    n_characters: int
    n_bytes: int

    @property
    def file(self) -> str:
        """Name of the file."""
        return PurePosixPath(self.url).name

    @property
    def download(self) -> Made:
        """What its folder is made of: nothing but what names its content."""
        return Made("downloads", {"file": self.file, "sha256": self.sha256}, {}, {})

    @property
    def folder(self) -> Path:
        """Where the downloads stage puts the file, relative to the working directory as all results are."""
        return Path(DOWNLOADS, f"{self.name}-{self.download.digest}")


@cache
def known(table: Path = TABLE) -> Mapping[str, Source]:
    """Return all sources by name.

    Raises
    ------
    SourceError
        If the table cannot be read, or a row is not whole.
    """
    names = [field.name for field in fields(Source)]
    found: dict[str, Source] = {}
    try:
        with table.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file, strict=True)
            for row in rows:
                if list(row) != names or None in row.values():
                    raise ValueError(f"line {rows.line_num}: expected the columns {', '.join(names)}")
                numbers = {key: int(row[key]) for key in ("n_rows", "n_characters", "n_bytes")}
                source = Source(**{**row, **numbers})  # type: ignore[arg-type]
                if source.name in found:
                    raise ValueError(f"line {rows.line_num}: {source.name} stands twice")
                found[source.name] = source
    except (OSError, ValueError, csv.Error) as error:
        raise SourceError(f"the list of public data cannot be read: {error}", file=table, do=DO) from error
    return found
