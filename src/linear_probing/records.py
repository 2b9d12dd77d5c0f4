"""Records: beside an artefact, what it is made of and which bytes it has; apart from the results, how its making went.

The first is the same for identical runs, goes where the artefact goes, and is the rule's output. The second, under
results/runs, holds what differs: times, memory, machine, commit. A stage asks here before it works whether its
output is still what today's code and configuration ask for, whether its inputs are as they were written, and whether
what it would replace is the project's own.
"""

import datetime
import json
import logging
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from linear_probing import artefacts, provenance
from linear_probing.provenance import LOCK, Made
from linear_probing.replacing import leftover
from linear_probing.settings import Study
from linear_probing.stage import StudyError, peak_memory_gb, replace_file, replace_folder, sha256

LOG = logging.getLogger("records")
RUNS = "runs"
RUN_FIELDS = {"artefact", "command", "started", "seconds", "peak_memory_gb", "files"}
PATTERNS = ("record.json", "record-*.json", "shard-*-of-*.json")
SHARDS = f"shard-*-of-*{artefacts.FILE_SUFFIX}"
REMAKE = "delete the folder {} and run snakemake again"
LAST = {
    "statistics": ("tables", "snakemake --cores 2 --configfile {}"),
    "figures": ("figures", "make figures CONFIG={}"),
}
"""Stages whose folders carry no digest and that others read: what they hold, and the command that makes it anew."""


class RecordError(StudyError):
    """An artefact that is not what its record says, or that is not asked for."""


def find(folder: Path) -> list[Path]:
    """Return the records in a folder, by name."""
    return sorted(path for pattern in PATTERNS for path in folder.glob(pattern))


def read(path: Path) -> dict[str, Any]:
    """Read a record.

    Raises
    ------
    RecordError
        If it is cut or is none.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        listed = record["files"].values()
        sound = all(isinstance(entry["sha256"], str) and isinstance(entry["bytes"], int) for entry in listed)
        sound &= all(isinstance(record[key], dict) for key in ("made_of", "code", "pins"))
        if sound and isinstance(record["stage"], str) and isinstance(record["digest"], str):
            return dict(record)
        problem = "a field is of another kind"
    except (OSError, ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
        problem = repr(error)
    raise RecordError(
        f"{path.name} is no record: {problem}",
        file=path,
        likely="the file was cut short or edited",
        do=REMAKE.format(path.parent),
    )


def is_top(path: Path) -> bool:
    """Return whether a path below the results is one that may be a link to another disk: a stage's."""
    return path.name in (*artefacts.STAGES, "studies", RUNS)


def tops() -> list[Path]:
    """Return the folder of results, and those of stages that are links to other disks."""
    results = Path(artefacts.RESULTS)
    return [results, *(path for path in sorted(results.glob("*")) if path.is_symlink() and is_top(path))]


def absent(paths: artefacts.Artefacts) -> list[Path]:
    """Return the folders of a study that have no record yet, without those that only their own target asks for."""
    made = ((place, one.stage) for place, one in paths.made.items())
    wanted = [place for place, stage in made if stage not in artefacts.ON_DEMAND]
    return [Path(place) for place in wanted if not Path(paths.record(place)).is_file()]


def entries(folder: Path) -> list[Path]:
    """Return all that stands below a folder but the folders: files, and links, which are not followed.

    What is being written, or was when its process was killed, is none of them: `replacing` looks after it.
    """
    found = []
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if leftover(Path(root, name)) is None]
        links = (name for name in folders if Path(root, name).is_symlink())
        found += [Path(root, name) for name in (*files, *links)]
    return sorted(found)


def read_whole(path: Path) -> dict[str, Any] | None:
    """Read a record; None if it is cut or is none, which verification reports."""
    try:
        return read(path)
    except RecordError:
        return None


def files_of(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file that a folder's records list, by name."""
    return {name: entry["sha256"] for path in find(folder) for name, entry in read(path)["files"].items()}


def unlisted(folder: Path) -> list[Path]:
    """Return what stands in a folder and is neither a record nor listed by one that can be read."""
    own_records = find(folder)
    read_records = [record for path in own_records if (record := read_whole(path)) is not None]
    listed = {*own_records, *(folder / name for record in read_records for name in record["files"])}
    return [path for path in entries(folder) if path not in listed]


def write(path: Path, made: Made, files: Sequence[Path]) -> None:
    """Write a record of files that lie beside or below it."""
    names = {file.relative_to(path.parent).as_posix(): file for file in sorted(files)}
    listed = {name: {"sha256": sha256(file), "bytes": file.stat().st_size} for name, file in names.items()}
    with replace_file(path) as temporary:
        temporary.write_text(json.dumps({**made.record(), "files": listed}, indent=1) + "\n", encoding="utf-8")


def lacks_record(file: Path) -> bool:
    """Return whether a file is a shard without its record, as one is whose job was killed between the two.

    The next run writes the record where the shard is what the record of its making says, and else the shard anew.
    """
    return file.match(SHARDS) and file.is_file() and not file.with_suffix(artefacts.RECORD_SUFFIX).exists()


def check(folder: Path) -> None:
    """Check that a folder holds what its records list; one without a record was written by hand and passes.

    Raises
    ------
    RecordError
        With the first file that is missing or was changed.
    """
    for name, expected in files_of(folder).items():
        found = sha256(folder / name) if (folder / name).is_file() else None
        if found != expected:
            raise RecordError(
                f"{name} is {'missing' if found is None else 'not what was written'}",
                file=folder / name,
                likely="the file was deleted, cut short, or edited",
                do=REMAKE.format(folder),
            )


def check_current(paths: artefacts.Artefacts, stage: str, folder: Path) -> None:
    """Check that a folder of a stage is of today's code and configuration: its place has no digest, its record has.

    What stands there may be of other code or of another study, and would go by the name of this one.

    Parameters
    ----------
    paths : Artefacts
        The study's.
    stage : str
        One of `LAST`.
    folder : Path
        Where the stage's output stands.

    Raises
    ------
    RecordError
        If the record of today's digest is not in it.
    """
    record = folder / Path(paths.record(getattr(paths, stage))).name
    if not record.is_file():
        what, command = LAST[stage]
        raise RecordError(
            f"{paths.study.name} has no {what} of today's code and configuration in {folder}",
            file=record,
            likely="the workflow has not run, or not since the last change",
            do=command.format(artefacts.shown(paths.study.file)),
        )


def current(study: Study, stage: str) -> Path:
    """Return the folder of a study's tables or figures, of which `check_current` holds.

    Raises
    ------
    RecordError
        If they are absent, or not of today's code and configuration.
    """
    paths = artefacts.Artefacts(study)
    folder = Path(getattr(paths, stage))
    check_current(paths, stage, folder)
    return folder


def check_replaceable(folder: Path, name: str | None = None) -> None:
    """Check that all that stands in a folder, or one file of it, was written by this project and is as it was written.

    Raises
    ------
    RecordError
        With the first file that is not: it would be lost.

    Notes
    -----
    One of several files that each have a record is written before it. Of a job that was killed between the two, what
    stands under a name that carries its digest and the file's number is what the job makes again, byte for byte.
    """
    file = folder / (name or "")
    if name and file.is_file() and not file.is_symlink() and not file.with_suffix(artefacts.RECORD_SUFFIX).exists():
        return
    own, own_records = files_of(folder), find(folder)
    for path in [folder] if folder.is_symlink() or folder.is_file() else entries(folder):
        found = str(path.relative_to(folder)) if path != folder else folder.name
        if path in own_records or name not in (None, found) or (path.is_file() and sha256(path) == own.get(found)):
            continue
        raise RecordError(
            f"{found} was {'edited' if found in own else 'not written by this project'} and would be lost",
            file=path,
            likely="a file was put into the results by hand, or changed there",
            do="move it to another place, and run again",
        )


_KNOWN: dict[int, tuple[Study, artefacts.Artefacts]] = {}
"""The artefacts of the study that was asked for last, by its identity, which it keeps while it stands here."""


def _paths_of(study: Study) -> artefacts.Artefacts:
    """Return a study's artefacts, computed once: an extraction asks for each of its data sets."""
    if id(study) not in _KNOWN:
        _KNOWN.clear()
        _KNOWN[id(study)] = study, artefacts.Artefacts(study)
    return _KNOWN[id(study)][1]


def today(study: Study, stage: str, output: Path, inputs: Sequence[Path]) -> Made | None:
    """Return what an output is made of; None for one outside results, which is by hand and has no record.

    Raises
    ------
    RecordError
        If the output is not what today's code, configuration and packages would make there from these inputs.
    """
    place = artefacts.shown(output)  # as it was named: results may be a link to another disk
    if place.is_absolute() or place.parts[0] != artefacts.RESULTS:
        return None
    artefacts.check_checkout(Path.cwd())
    paths = _paths_of(study)
    made = paths.made.get(place.as_posix())
    if made is None or made.stage != stage:
        raise RecordError(
            f"{output} is not what today's code and configuration make",
            file=study.file,
            likely="code or configuration changed after the workflow had planned this job",
            do="run snakemake again: it plans from what there is now",
        )
    read, expected = {artefacts.shown(path).as_posix() for path in inputs}, paths.inputs[place.as_posix()]
    if read != set(expected):
        raise RecordError(
            f"{output} is not made from {', '.join(sorted(read - set(expected))) or 'this alone'}",
            file=output,
            likely="an input was named by hand",
            do=f"name {', '.join(expected)}, or an output outside {artefacts.RESULTS}",
        )
    if paths.statistics in read:
        check_current(paths, "statistics", Path(paths.statistics))
    for name, versions in made.pins.items():
        found = _version(name)
        if (found or "").split("+")[0] not in versions:
            raise RecordError(
                f"{name} {found or 'is not installed'}; expected {' or '.join(versions) or 'a version'} as locked",
                file=LOCK,
                likely="another environment than the study's, whose results would go by the lock's name",
                do="make setup; after an upgrade meant so, make lock",
            )
    return made


@contextmanager
def making(study: Study, stage: str, output: Path, inputs: Sequence[Path], **details: Any) -> Iterator[Path]:
    """Give an empty folder for an artefact, which replaces `output` with its records if the block succeeds.

    Parameters
    ----------
    study : Study
        The configuration.
    stage : str
        Name of the stage.
    output : Path
        The artefact's folder.
    inputs : Sequence[Path]
        Folders that it is made from; their files are read and compared with their records first.
    **details
        For the record of how it went, as `threads`.

    Raises
    ------
    RecordError
        Before the block, as `today`, `check` and `check_replaceable` do; after it, as the last of them does again.
    """
    start = time.time()
    made = today(study, stage, output, inputs)
    for folder in inputs:
        check(folder)
    check_replaceable(output)
    with replace_folder(output) as folder:
        yield folder
        if made is not None:
            last = stage in artefacts.LAST_STAGES
            name = f"record-{made.digest}.json" if last else artefacts.RECORD
            write(folder / name, made, [path for path in folder.rglob("*") if path.is_file()])
        check_replaceable(output)  # again: the block may have taken hours, in which a person put a file there
    if made is not None:
        write_run(output, made, start, files_of(output), configuration=configuration_of(study), **details)


def run_of(artefact: Path) -> Path:
    """Return where the record of an artefact's making stands: beside all results, since it differs between runs.

    Examples
    --------
    >>> run_of(Path("results/probes/atlas/place-0123456789")).as_posix()
    'results/runs/probes/atlas/place-0123456789.json'
    """
    artefact = artefacts.shown(artefact)
    for folder in reversed(artefact.parents):  # from above: a model, or a study, may be called results too
        place = artefact.relative_to(folder)
        if folder.name == artefacts.RESULTS and place.parts[0] in (*artefacts.STAGES, "studies"):
            place = folder / RUNS / place
            return place.parent / f"{place.name.removesuffix(artefacts.FILE_SUFFIX)}.json"
    return artefact.parent / RUNS / f"{artefact.stem}.json"


def read_run(artefact: Path, digest: str) -> dict[str, Any] | None:
    """Return how the making of an artefact of this digest went; None if that is not there, as in a clone."""
    run = _read_run(run_of(artefact))
    return run if run is not None and run.get("digest") == digest else None


def is_run(path: Path) -> bool:
    """Return whether a file is a record of how the making of an artefact went."""
    return _read_run(path) is not None


def _read_run(path: Path) -> dict[str, Any] | None:
    try:
        run = dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    return run if run.keys() >= RUN_FIELDS and isinstance(run["files"], dict) else None


def finished(file: Path, made: Made) -> bool:
    """Return whether a file of an artefact is what the record of its making says, under the same digest."""
    run = read_run(file, made.digest)
    return run is not None and run.get("files", {}).get(file.name) == sha256(file)


def is_written(file: Path) -> bool:
    """Return whether a file is, to the byte, what the record of its making says that a job wrote there."""
    run = _read_run(run_of(file))
    return run is not None and file.is_file() and run["files"].get(file.name) == sha256(file)


def write_run(artefact: Path, made: Made, start: float, files: Mapping[str, str], **details: Any) -> None:
    """Write how the making of an artefact went.

    Parameters
    ----------
    artefact : Path
        Its folder, or its file if it is one of several made apart.
    made : Made
        What it is made of.
    start : float
        Seconds since the epoch.
    files : Mapping[str, str]
        SHA-256 by name.
    **details
        What else is to be said.
    """
    folder = artefact if artefact.is_dir() else artefact.parent
    record = {
        "artefact": artefact.as_posix(),
        "digest": made.digest,
        "command": ["python", "-m", f"linear_probing.{made.stage}", *sys.argv[1:]],
        "started": moment(start),
        "seconds": round(time.time() - start, 3),
        "peak_memory_gb": round(peak_memory_gb(), 3),
        "bytes": sum((folder / name).stat().st_size for name in files),
        "device": "cpu",
        "dtype": None,
        "threads": 1,
        "git": git_state(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in made.pins},
        "files": dict(files),
        **details,
    }
    with replace_file(run_of(artefact)) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    LOG.info("%s: %.1f s, %.2f GB of memory at most", artefact, record["seconds"], record["peak_memory_gb"])


def moment(seconds: float) -> str:
    """Return a time since the epoch as records have it, to the millisecond.

    Examples
    --------
    >>> moment(0.5)
    '1970-01-01T00:00:00.500+00:00'
    """
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="milliseconds")


def configuration_of(study: Study) -> dict[str, str]:
    """Return the configuration file by name and SHA-256: its comments, of which no digest knows, included."""
    return {"file": str(artefacts.shown(study.file)), "sha256": sha256(study.file)}


def git_state() -> dict[str, Any] | None:
    """Return the checkout's commit, and whether it holds anything else by now; None where there is no git."""
    top = _git("rev-parse", "--show-toplevel")
    commit = _git("rev-parse", "HEAD")
    if top is None or commit is None or Path(top).resolve() != provenance.ROOT.resolve():
        return None
    return {"commit": commit, "dirty": bool(_git("status", "--porcelain"))}


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(provenance.ROOT), *arguments], capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _version(package: str) -> str | None:
    """Return the installed version, with its build, as `+cpu`; None if the package is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
