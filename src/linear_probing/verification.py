"""Verification: all that stands under results in; what is stale, damaged, missing or foreign there, out.

    python -m linear_probing.verification

Every digest is computed again from today's code and configurations (of each study that has a manifest, and of the
default one where it was built), every record from its own content, and every file is read and compared with its
record. Nothing is changed. The records of runs, which no digest holds, are not compared with anything.
"""

import argparse
import json
import logging
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from linear_probing import records, settings
from linear_probing.artefacts import (
    DEFAULT,
    FLAT,
    LAST_STAGES,
    MANIFEST,
    ON_DEMAND,
    RESULTS,
    STAGES,
    Artefacts,
    manifests,
)
from linear_probing.provenance import digest_of_record
from linear_probing.replacing import Leftover, leftover, leftovers
from linear_probing.stage import StudyError, run, sha256

LOG = logging.getLogger("verification")
STALE, DAMAGED, MISSING, FOREIGN, LEFT = "stale", "damaged", "missing", "foreign", "left"
DO = {
    STALE: "`python -m linear_probing.provenance explain FOLDER` says why; run snakemake, then `make prune`",
    DAMAGED: "delete the folder and run snakemake, or `dvc checkout FOLDER`",
    MISSING: "delete the folder, if its record is there, and run snakemake; ask for what nothing needs by its"
    " record: snakemake --cores 2 FOLDER/record.json",
    FOREIGN: "move it out of results, or delete it",
    LEFT: "wait for the job that writes it; if none does, run snakemake and `make prune`, which remove what this host's"
    " jobs left, or delete it",
}
OWN = ("README.md",)
OF_A_STUDY = (MANIFEST, "provenance.json", "snakemake.html")


class VerificationError(StudyError):
    """Results that are not what code and configurations make, or not as they were written."""


@dataclass(frozen=True)
class Finding:
    """One of five kinds of trouble, with the path and why."""

    kind: str
    path: str
    why: str


def current() -> tuple[dict[str, Artefacts], list[Finding]]:
    """Return what today's code asks for, by study, and the studies of which that cannot be said.

    The default study counts when it stands in the results or nothing else does.
    """
    found, problems = {}, []
    files = {name: Path(content["configuration"]) for name, content in manifests().items()}
    default = settings.load(DEFAULT)
    if not files or Path(RESULTS, "studies", default.name).is_dir():
        files.setdefault(default.name, DEFAULT)
    for name, file in files.items():
        place = f"{RESULTS}/studies/{name}"
        try:
            study = settings.load(file)
            if study.name != name:
                raise StudyError(f"the configuration {file} is now of the study {study.name}")
            found[name] = Artefacts(study)
        except StudyError as error:
            problems.append(
                Finding(
                    STALE, place, f"{error.subject}; restore {file}, run snakemake on its new name, or delete {place}"
                )
            )
    return found, problems


def folders() -> dict[Path, bool]:
    """Return every folder that can be an artefact, and whether its name carries its digest."""
    found: dict[Path, bool] = {}
    for stage in STAGES:
        depth = "*" if stage in FLAT else "*/*"
        found |= dict.fromkeys((path for path in sorted(Path(RESULTS, stage).glob(depth)) if _is_folder(path)), True)
    for stage in LAST_STAGES:
        places = sorted(Path(RESULTS, "studies").glob(f"*/{stage}"))
        found |= dict.fromkeys((path for path in places if _is_folder(path)), False)
    return found


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and leftover(path) is None


def unfinished() -> list[Leftover]:
    """Return what is being written among the results, or was when its process was killed."""
    return [one for top in records.tops() for one in leftovers(top)]


def check_folder(folder: Path, in_name: bool, asked: bool, progress: "tqdm[Any]") -> Iterator[Finding]:
    """Yield what is wrong with one folder itself: its records, and its files against them.

    A shard without its record is what a killed job left where the folder is `asked` for: the next run goes on with it.
    """
    own: dict[str, str] = {}
    for path in records.find(folder):
        try:
            record = records.read(path)
        except records.RecordError as error:
            yield Finding(DAMAGED, path.as_posix(), error.subject)
            continue
        claimed = folder.name if in_name else path.stem
        if not claimed.endswith(f"-{record['digest']}") or digest_of_record(record) != record["digest"]:
            yield Finding(DAMAGED, path.as_posix(), "it was edited, or belongs to another folder")
        own |= {name: entry["sha256"] for name, entry in record["files"].items()}
    for name, expected in sorted(own.items()):
        path = folder / name
        if not path.is_file():
            yield Finding(MISSING, path.as_posix(), "its record is there")
        elif sha256(path) != expected:
            yield Finding(DAMAGED, path.as_posix(), "its bytes are not those that were written")
        progress.update()
    for path in records.unlisted(folder):
        if records.is_written(path) or (asked and records.lacks_record(path)):
            yield Finding(LEFT, path.as_posix(), "its job ended before it wrote its record")
        else:
            yield Finding(FOREIGN, path.as_posix(), "no record lists it")


def unlisted_files(known: set[Path]) -> Iterator[Finding]:
    """Yield the files under results that stand in no artefact's folder and are none of the project's own."""
    stages = [path for path in Path(RESULTS).glob("*") if records.is_top(path)]
    paths = [path for path in records.entries(Path(RESULTS)) if path not in stages]  # which may be links to other disks
    for path in sorted({*paths, *(path for top in stages for path in records.entries(top))}):
        place = path.relative_to(RESULTS).parts
        own = place in [(name,) for name in OWN]
        own |= (
            len(place) == 3 and place[0] == "studies" and place[2] in OF_A_STUDY and path.with_name(MANIFEST).is_file()
        )
        own |= place[0] == records.RUNS and records.is_run(path)
        if not own and known.isdisjoint(path.parents):
            yield Finding(FOREIGN, path.as_posix(), "it stands in no artefact's folder")


def check_current(study: Artefacts, held: dict[str, set[str]]) -> Iterator[Finding]:
    """Yield what a study asks for and has not: `held` are the digests of each folder's records."""
    for place, made in study.made.items():
        if not held.get(place):
            if made.stage in (*ON_DEMAND, "downloads"):  # what was made from a download need not have it beside it
                continue
            yield Finding(MISSING, place, f"{study.study.file} asks for it")
        elif made.digest not in held[place]:
            yield Finding(STALE, place, f"it is of {', '.join(held[place])}, {study.study.file} asks for {made.digest}")
    for model in study.study.models:
        for name in study.study.probed:
            paths = [Path(study.shard_record(model, name, shard)) for shard in range(model.shards)]
            absent = [path for path in paths if not path.is_file()]
            if held.get(study.activations[model.name, name]):
                yield from (Finding(MISSING, path.as_posix(), "a shard's record") for path in absent)


def check_history(study: Artefacts) -> Iterator[Finding]:
    """Yield that a study's provenance.json is missing, or is of other figures than those that are asked for."""
    path = Path(study.figures).with_name(MANIFEST)
    if path.is_file() and json.loads(path.read_text(encoding="utf-8")) != study.manifest:
        yield Finding(STALE, path.as_posix(), "it is not of today's code and configuration; snakemake writes it")
    path = path.with_name("provenance.json")
    if Path(study.record(study.figures)).is_file():
        if not path.is_file():
            yield Finding(MISSING, path.as_posix(), "python -m linear_probing.crate writes it")
        elif f'"{study.made[study.figures].digest}"' not in path.read_text(encoding="utf-8", errors="replace"):
            yield Finding(STALE, path.as_posix(), "of other figures; python -m linear_probing.crate writes it")


def verify() -> tuple[list[Finding], int]:
    """Return all findings, and the number of folders that were checked."""
    studies, found = current()
    places = folders()
    asked = {place for study in studies.values() for place in study.made}
    held: dict[str, set[str]] = {}
    progress: tqdm[Any]
    with tqdm(unit="file", disable=None) as progress:
        for folder, in_name in places.items():
            found += check_folder(folder, in_name, folder.as_posix() in asked, progress)
            held[folder.as_posix()] = {
                record["digest"] for path in records.find(folder) if (record := records.read_whole(path)) is not None
            }
    for study in studies.values():
        found += [*check_current(study, held), *check_history(study)]
    for place, digests in held.items():
        if digests and place not in asked:
            found.append(Finding(STALE, place, "no study asks for it today"))
    left = [Finding(LEFT, one.folder.as_posix(), f"{one.writer} writes it, or was killed") for one in unfinished()]
    return [*found, *left, *unlisted_files(set(places))], len(places)


def main() -> None:
    """Verify all results; list what is wrong and fail if anything is."""
    argparse.ArgumentParser(description="Check everything under results against its records.").parse_args()
    found, n_folders = verify()
    for one in found:
        sys.stdout.write(f"{one.kind:8} {one.path}: {one.why}\n")
    kinds = Counter(one.kind for one in found)
    counted = ", ".join(f"{kinds[kind]} {kind}" for kind in DO)
    sys.stdout.write(f"{n_folders} folders verified: {counted}\n")
    if found:
        advice = "\n          ".join(f"{kind}: {DO[kind]}" for kind in DO if kinds[kind])
        raise VerificationError(f"results are not in order: {counted}", file=RESULTS, do=advice)


if __name__ == "__main__":
    run(main)
