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
    artefacts = [Path(job.folder)]
    if job.stage == "activations":
        model = paths.study.model(artefacts[0].parent.name)
        artefacts = [artefacts[0] / model.shard_name(shard) for shard in range(model.shards)]
    for artefact in artefacts:
        found = records.read_run(artefact, paths.made[job.folder].digest) or _older(paths, artefact)
        if found is not None:
            yield found


def _older(paths: Jobs, artefact: Path) -> dict[str, Any] | None:
    """Return the newest record of an artefact's place, under whatever digest, that the same configuration file made."""
    exact = records.run_of(artefact)
    digested = exact.parent if artefact.suffix == FILE_SUFFIX else exact
    name = digested.stem.rpartition("-")[0]
    # A data set's name may begin with another's: cities and cities-of-x.
    places = [path for path in digested.parent.glob(f"{name}-*") if name and path.stem.rpartition("-")[0] == name]
    files = {exact, *(path / exact.name if path.is_dir() else path for path in places)}
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in files if records.is_run(path)]
    own = [run for run in runs if (run.get("configuration") or {}).get("file") == str(shown(paths.study.file))]
    return max(own, key=lambda run: str(run["started"]), default=None)
