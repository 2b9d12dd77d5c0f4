"""Data sets: parameters and a seed in; texts, targets with labels and folds, and a card out.

In: a configuration and the name of one of its data sets. Out: a folder with texts.csv, targets.csv and card.json.
The tables are checked as every later stage will read them, so a broken builder stops here.

    python -m linear_probing.datasets check FILE    # what a file of your own holds, and what is wrong with it
"""

import argparse
import csv
import hashlib
import importlib
import json
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from linear_probing import records, settings, sources, tables
from linear_probing.builders.draft import Draft
from linear_probing.provenance import ROOT
from linear_probing.settings import Dataset, Study
from linear_probing.stage import StudyError, run

LOG = logging.getLogger("datasets")
OPENED: list[set[str]] = []


@contextmanager
def opened_files() -> Iterator[set[str]]:
    """Give a set that collects the names of all files that are opened inside the block."""
    _watch()
    opened: set[str] = set()
    OPENED.append(opened)
    try:
        yield opened
    finally:
        OPENED.pop()


@cache
def _watch() -> None:
    """Add the hook, once: Python keeps it for good. Outside such blocks it does nothing."""

    def note(event: str, names: tuple[Any, ...]) -> None:
        if event == "open" and OPENED:
            OPENED[-1].add(str(names[0]))

    sys.addaudithook(note)


def build(study: Study, dataset: Dataset) -> Draft:
    """Return a data set's draft, as its builder makes it from the configuration's parameters, folds and seed.

    The builder is imported by name: a new one changes no other data set's digest. What it reads of the repository's
    data is in the digest because its `SOURCES` name it, which is watched here.

    Raises
    ------
    StudyError
        If it reads a file of data/ that its SOURCES do not name.
    """
    # Before the watch: what is read to find files is the stage's doing, not the builder's.
    parameters = {**dataset.parameters, **located(dataset)}
    with opened_files() as opened:
        builder = importlib.import_module(f"linear_probing.builders.{dataset.builder}")
        draft: Draft = builder.build(**parameters, n_folds=study.n_folds, seed=study.seed)
    named = {(ROOT / file).resolve() for file in dataset.files}
    paths = {Path(name).resolve() for name in opened} - named
    inside = {path.relative_to(ROOT).as_posix() for path in paths if path.is_relative_to(ROOT / "data")}
    unnamed = sorted(inside - set(getattr(builder, "SOURCES", ())))
    if unnamed:
        raise StudyError(
            f"{dataset.builder} reads {unnamed[0]}, which its SOURCES do not name",
            file=builder.__file__,
            likely="a new source, whose changes would go unnoticed",
            do=f'add "{unnamed[0]}" to SOURCES',
        )
    return draft


def located(dataset: Dataset) -> dict[str, Any]:
    """Return where the files of a data set lie, in the form in which the configuration names them, and whose they are.

    Raises
    ------
    StudyError
        If a file is not there.
    """
    if not dataset.files:
        return {}
    public = [sources.known()[name] for name in dataset.files if name in sources.known()]
    place = {source.name: source.folder / source.file for source in public}
    paths = {name: place.get(name, ROOT / name) for name in dataset.files}
    for name, path in paths.items():
        if not path.is_file():
            do = "run snakemake, which fetches it" if name in place else "correct `files`, relative to the repository"
            raise StudyError(f"{dataset.name}: {name} is not there", file=path, do=do)
    asked = dataset.parameters["files"]
    if isinstance(asked, list):
        files: Any = [paths[name] for name in asked]
    else:
        files = {part: [paths[name] for name in names] for part, names in asked.items()}
    licences = dict.fromkeys(source.licence for source in public)
    urls = [source.url for source in public] + [name for name in dataset.files if name not in place]
    return {"files": files, "source": ", ".join(urls), "licence": "; ".join(licences) or "the user's own"}


def fetched_folders(dataset: Dataset) -> list[Path]:
    """Return the folders of the downloads stage that a data set is read from."""
    return [sources.known()[name].folder for name in dict.fromkeys(dataset.files) if name in sources.known()]


def card(dataset: Dataset, draft: Draft, digests: dict[str, str]) -> dict[str, Any]:
    """Return the fixed fields of a data card; `digests` are the SHA-256 of the tables by file name."""
    parts = draft.targets["part"].value_counts().sort_index()
    return {
        "name": dataset.name,
        "description": draft.description,
        "source": draft.source,
        "licence": draft.licence,
        "n_texts": len(draft.texts),
        "n_targets": len(draft.targets),
        "n_groups": int(draft.targets["group"].nunique()),
        "labels": dict(draft.labels),
        "parts": {name: int(count) for name, count in parts.items() if name},
        "group_meaning": draft.group_meaning,
        "type_meaning": draft.type_meaning,
        "splits": dict(draft.splits),
        "created_by": {"builder": dataset.builder, **dataset.parameters},
        "sha256": digests,
    }


def write(folder: Path, dataset: Dataset, draft: Draft) -> None:
    r"""Write tables and card; floats in full and all text in quotes, so that reading gives back what was written.

    pandas of itself quotes no \r, which ends a row for whoever reads it.
    """
    for name, frame in zip(tables.FILES, (draft.texts, draft.targets), strict=True):
        frame.to_csv(folder / name, index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in tables.FILES}
    text = json.dumps(card(dataset, draft, digests), indent=2, ensure_ascii=False)
    (folder / tables.CARD).write_text(text + "\n", encoding="utf-8")


def read_back(folder: Path, draft: Draft) -> tables.Tables:
    """Return the tables as every later stage reads them, compared with what was to be written.

    Raises
    ------
    DatasetError
        If they cannot be read, or with the first column and row that differ. Columns of floats are not compared.
    """
    written = tables.read(folder)
    pairs = ((draft.texts, written.texts), (draft.targets, written.targets))
    for name, (meant, found) in zip(tables.FILES, pairs, strict=True):
        if list(meant) != list(found) or len(meant) != len(found):
            _differs(folder / name, f"{len(found):,} rows of {', '.join(map(str, found))}")
        for column in (one for one in meant if not pd.api.types.is_float_dtype(meant[one])):
            pair = zip(meant[column].astype(str), found[column].astype(str), strict=True)
            for row, (cell, other) in enumerate(pair):
                if cell != other:
                    _differs(folder / name, f"{column} of row {row} is {other!r}, not {cell!r}")
    return written


def _differs(path: Path, what: str) -> None:
    raise tables.DatasetError(
        f"{path.name} does not give back what was written: {what}",
        file=path,
        likely="a character that no CSV file keeps",
        do="take it out of the data",
    )


def main() -> None:
    """Build one data set; or, where the first word is `check`, report whether a file can be one."""
    if sys.argv[1:2] == ["check"]:
        # By name: a report makes no data set, and so is in the digest of none.
        importlib.import_module("linear_probing.checking").main(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description="Build one data set of a study.")
    parser.add_argument("--config", type=Path, required=True, help="the study's configuration")
    parser.add_argument("--dataset", required=True, help="its name in the configuration")
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    arguments = parser.parse_args()
    study = settings.load(arguments.config)
    dataset = study.dataset(arguments.dataset)
    start = time.monotonic()
    LOG.info("%s: building with %s", dataset.name, dataset.builder)
    with records.making(study, "datasets", arguments.output, fetched_folders(dataset)) as folder:
        draft = build(study, dataset)
        write(folder, dataset, draft)
        written = read_back(folder, draft)
        tables.check_labels(written, study.tasks_of(dataset.name), arguments.output)
    LOG.info(
        "%s: %d texts, %d targets, %.1f s",
        dataset.name,
        len(draft.texts),
        len(draft.targets),
        time.monotonic() - start,
    )


if __name__ == "__main__":
    run(main)
