"""Pruning: folders that no study asks for are removed, so that what DVC keeps depends on the studies, not on history.

    python -m linear_probing.pruning [--config FILE | --all]

A folder stays if today's code and configuration ask for it, or if the manifest of any study names it. One is removed
only if its record says that this project made it, and all it holds is as it was written. A file that no record lists
stops the pruning before anything is removed: DVC would version it, or it would be lost.
"""

import argparse
import logging
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from tqdm import tqdm

from linear_probing import records, settings
from linear_probing.artefacts import DEFAULT, MANIFEST, RESULTS, STAGES, Artefacts, manifests
from linear_probing.replacing import remove_dead
from linear_probing.settings import Study
from linear_probing.stage import StudyError, run
from linear_probing.verification import (
    DAMAGED,
    FOREIGN,
    LEFT,
    MISSING,
    OF_A_STUDY,
    Finding,
    check_folder,
    folders,
    unlisted_files,
)

LOG = logging.getLogger("pruning")
LOCKS = Path(".snakemake/locks")


class PruningError(StudyError):
    """Results that cannot be pruned without losing something."""


def kept(study: Study) -> set[str]:
    """Return the folders that this study asks for today and those that any study's manifest names."""
    claimed = manifests()
    for folder in Path(RESULTS, "studies").glob("*/*"):
        if folder.parent.name not in {*claimed, study.name} and records.find(folder):
            raise PruningError(
                f"{folder.parent} has no {MANIFEST}, so nobody knows what it needs",
                file=folder.parent,
                likely="it was deleted",
                do="run snakemake on that study's configuration, which writes it, or delete the folder",
            )
    named = {place for content in claimed.values() for stage in STAGES for place in content[stage]}
    return named | set(Artefacts(study).made)


def check_lock() -> None:
    """Check that no run of the workflow holds the folder: it would read what is removed.

    Raises
    ------
    PruningError
        If Snakemake's lock is there.
    """
    held = sorted(LOCKS.iterdir()) if LOCKS.is_dir() else []
    if held:
        raise PruningError(
            "a run of snakemake holds these results",
            file=held[0],
            likely="it is still running, or was killed",
            do="wait for it; if none runs, `snakemake --unlock`, and prune again",
        )


def remove_leftovers() -> None:
    """Remove what killed jobs of this host left half written.

    Raises
    ------
    PruningError
        If something is being written, or its process is of another host: DVC would version it.
    """
    written = remove_dead(records.tops())
    if written:
        one = written[0]
        raise PruningError(
            f"{one.final} is being written by {one.writer}, or was when that was killed",
            file=one.folder,
            likely=f"a job runs on {one.host}, or ran there: from another host nobody can tell",
            do="wait for it; if no job of this study runs there, delete that folder, and prune again",
        )


def check_own(superseded: list[Path]) -> None:
    """Check that nothing stands among the results of the stages that would be lost or versioned without a record.

    Raises
    ------
    PruningError
        With the first such file.
    """
    found: list[Finding] = [one for one in unlisted_files(set(folders())) if Path(one.path).parts[1] in STAGES]
    progress: tqdm[Any]
    with tqdm(disable=True) as progress:
        for folder, in_name in folders().items():
            if folder in superseded:  # all of it is read: it is about to be removed
                wrong = check_folder(folder, in_name, False, progress)
                found += [one for one in wrong if one.kind not in (MISSING, LEFT)]
            elif in_name:
                kinds = {path: LEFT if records.lacks_record(path) else FOREIGN for path in records.unlisted(folder)}
                found += [Finding(kind, path.as_posix(), "") for path, kind in kinds.items()]
    if found:
        one = next((one for one in found if one.kind != LEFT), found[0])
        if one.kind == LEFT:
            raise PruningError(
                f"{one.path} has no record yet",
                file=one.path,
                likely="its job was killed before it wrote the record",
                do="run snakemake on the study that asks for it, which writes the record or the file anew, and prune"
                " again; nothing was removed",
            )
        raise PruningError(
            f"{one.path} {'was changed' if one.kind == DAMAGED else 'was not written by this project'}",
            file=one.path,
            likely="it was put there by hand, edited, or left by a job that was killed",
            do="move it out of results, or delete it, and run again; nothing was removed",
        )


def prune(stay: set[str]) -> list[Path]:
    """Remove the folders of artefacts that are not to stay, with the records of their runs; return them.

    Raises
    ------
    PruningError
        Before any artefact is removed, as `check_lock`, `remove_leftovers` and `check_own` do.
    """
    check_lock()
    remove_leftovers()
    superseded = [folder for folder, in_name in folders().items() if in_name or not stay]
    superseded = [folder for folder in superseded if folder.as_posix() not in stay and any(folder.iterdir())]
    check_own(superseded)
    for folder in superseded:
        shutil.rmtree(folder)
        record = records.run_of(folder)
        for path in (record, *record.with_suffix("").glob("shard-*.json")):
            path.unlink(missing_ok=True)
        with suppress(OSError):  # not empty, or not there
            record.with_suffix("").rmdir()
    return superseded


def remove_summaries() -> None:
    """Remove what the project wrote about studies and runs whose folders are gone, and folders that are empty now."""
    for folder in [path.parent for path in Path(RESULTS, "studies").glob(f"*/{MANIFEST}")]:
        for name in OF_A_STUDY:
            (folder / name).unlink(missing_ok=True)
    for path in sorted(Path(RESULTS).rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink() and not any(path.iterdir()):
            path.rmdir()


def main() -> None:
    """Remove the folders that no study asks for."""
    parser = argparse.ArgumentParser(description="Remove results that no study asks for.")
    parser.add_argument("--config", type=Path, default=DEFAULT, help="a study to keep, besides those with a manifest")
    parser.add_argument(
        "--all", action="store_true", help="remove what studies ask for too: all that the project wrote"
    )
    arguments = parser.parse_args()
    removed = prune(set() if arguments.all else kept(settings.load(arguments.config)))
    if arguments.all:
        remove_summaries()
    for folder in removed:
        sys.stdout.write(f"removed {folder}\n")
    sys.stdout.write(f"{len(removed)} folders removed from {RESULTS}\n")


if __name__ == "__main__":
    run(main)
