"""A plan beside what its jobs took: the records under results/runs, stage by stage.

A record of today's digest is taken, or the newest of the same place and configuration, of older code. Seconds are of
the work alone, without a job's start, which no record has.
"""

import datetime
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linear_probing import records
from linear_probing.artefacts import FILE_SUFFIX, shown
from linear_probing.jobs import Jobs
from linear_probing.planning.rates import Rates
from linear_probing.planning.schedule import duration
from linear_probing.planning.work import CORES, Job


@dataclass(frozen=True)
class MeasuredRow:
    """A stage: of its jobs those with a record, of which some are of older code; planned and recorded seconds, bytes.

    Bytes are None where they are not planned.
    """

    stage: str
    jobs: int
    recorded: int
    older: int
    planned_seconds: float
    recorded_seconds: float
    planned_bytes: int | None
    recorded_bytes: int | None


def measured(paths: Jobs, every: Mapping[str, Job], rates: Rates) -> list[MeasuredRow]:
    """Return a row for every stage with a record, and one of the whole if all of it is there, of one commit."""
    found = {job.folder: list(_runs(paths, job)) for job in every.values() if job.stage != "downloads"}
    rows = [
        _row(
            paths, stage, [job for job in every.values() if job.stage == stage and found.get(job.folder)], every, found
        )
        for stage in dict.fromkeys(job.stage for job in every.values())
        if any(found.get(job.folder) for job in every.values() if job.stage == stage)
    ]
    runs = [run for of_job in found.values() for run in of_job]
    if all(found.values()) and len({str((run.get("git") or {}).get("commit")) for run in runs}) == 1:
        starts = [datetime.datetime.fromisoformat(run["started"]).timestamp() for run in runs]
        ends = [start + run["seconds"] for start, run in zip(starts, runs, strict=True)]
        threads = max(run["threads"] for run in runs)
        kept = {folder: job for folder, job in every.items() if job.stage != "downloads"}
        # From the first job's first second of work: what is before it has no record.
        planned = duration(kept, threads, rates.per_job) - rates.start
        n, older = len(runs), sum(row.older for row in rows)
        rows.append(MeasuredRow("all, by the clock", n, n, older, planned, max(ends) - min(starts), None, None))
    return rows


def _row(
    paths: Jobs, stage: str, own: list[Job], every: Mapping[str, Job], found: Mapping[str, list[dict[str, Any]]]
) -> MeasuredRow:
    runs = [run for job in own for run in found[job.folder]]
    planned = sum(job.seconds / min(CORES.get(stage, 1), found[job.folder][0]["threads"]) for job in own)
    sizes = [job.bytes for job in own]
    counted = None if None in sizes else sum(size or 0 for size in sizes)
    older = sum(run["digest"] != paths.made[job.folder].digest for job in own for run in found[job.folder])
    return MeasuredRow(
        stage,
        sum(job.stage == stage for job in every.values()),
        len(own),
        older,
        planned,
        sum(run["seconds"] for run in runs),
        counted,
        None if counted is None else sum(run["bytes"] for run in runs),
    )


def _runs(paths: Jobs, job: Job) -> Iterator[dict[str, Any]]:
    """Give the records of a job's artefact: one, or one a shard."""
    if job.stage != "activations":
        yield from _newest(paths, [Path(job.folder)])
        return
    model = paths.study.model(Path(job.folder).parent.name)
    yield from _newest(paths, [Path(job.folder, model.shard_name(shard)) for shard in range(model.shards)])


def _newest(paths: Jobs, artefacts: list[Path]) -> Iterator[dict[str, Any]]:
    for artefact in artefacts:
        exact = records.run_of(artefact)
        # Of the same name with another digest: `cities-*`, and not `cities-of-x-*`.
        inside = exact.parent if artefact.suffix == FILE_SUFFIX else exact
        name = inside.stem.rpartition("-")[0]
        others = [path for path in inside.parent.glob(f"{name}-*") if name and path.stem.rpartition("-")[0] == name]
        candidates = [exact, *(path / exact.name if path.is_dir() else path for path in others)]
        sound = [run for path in candidates if records.is_run(path) and (run := _read(path, paths)) is not None]
        own = [run for run in sound if run["artefact"] in (artefact.as_posix(), job_folder(artefact))]
        if own or sound:
            yield max(own or sound, key=lambda run: str(run["started"]))


def job_folder(artefact: Path) -> str:
    """Return the folder that an artefact's file stands in."""
    return artefact.parent.as_posix()


def _read(path: Path, paths: Jobs) -> dict[str, Any] | None:
    run = dict(json.loads(path.read_text(encoding="utf-8")))
    same = (run.get("configuration") or {}).get("file") == str(shown(paths.study.file))
    return run if same and {"digest", "bytes", "threads"} <= run.keys() else None
