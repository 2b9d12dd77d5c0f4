"""History: the jobs that made one study, and what each read from which: a manifest and records in, a list of jobs out.

An artefact has a record beside it, equal for identical runs, and one below results/runs of what may differ between
them. The second may be absent, as in a clone, or of an older digest: then a job stands there without it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

from linear_probing import artefacts, records
from linear_probing.artefacts import LAST_STAGES, ON_DEMAND
from linear_probing.records import RecordError

STAGES = (*artefacts.STAGES, *LAST_STAGES)
READ_TABLES = ("probes", "statistics")
UPSTREAM = ("tables", "tokens", "features", "probes", "transfer", "interventions", "statistics", "figures")


@dataclass(frozen=True)
class Job:
    """One job, as its records tell it.

    Attributes
    ----------
    stage : str
        One of `STAGES`.
    folder : str
        The artefact's folder, relative to the repository.
    name : str
        The same, with the shard where there are shards: no other job has it.
    record : Mapping
        What is equal for identical runs.
    run : Mapping or None
        What may differ between them, if it is there and of the same digest.
    """

    stage: str
    folder: str
    name: str
    record: Mapping[str, Any]
    run: Mapping[str, Any] | None

    @property
    def times(self) -> tuple[datetime, datetime] | None:
        """When the job began and ended, if that was recorded."""
        if self.run is None:
            return None
        start = datetime.fromisoformat(self.run["started"])
        return start, start + timedelta(seconds=self.run["seconds"])


def read(manifest: Mapping[str, Any], results: Path) -> list[Job]:
    """Return the jobs that made a study, from their records, each behind those that it needs; see `crate.gather`.

    Raises
    ------
    RecordError
        If an artefact has no record, or one cannot be read.
    """
    found = []
    for stage in STAGES:
        of_study = f"{results.name}/studies/{manifest['study']}/{stage}"
        for folder in [of_study] if stage in LAST_STAGES else sorted(manifest[stage]):
            path = results.parent / folder
            files = records.find(path)
            if stage in ON_DEMAND and not any(file.stem.endswith(str(manifest.get(stage))) for file in files):
                continue  # not asked for, or of other tables than the study's
            if not files:
                raise RecordError(f"{folder} has no record", file=path, do="run snakemake again: it is made anew")
            for file in files:
                name = f"{folder}/{file.stem}" if stage == "activations" else folder
                record = records.read(file)
                found.append(
                    Job(stage, folder, name, record, records.read_run(results.parent / name, record["digest"]))
                )
    return found


def upstream(jobs: Sequence[Job]) -> list[list[str]]:
    """Return, job by job, the folders of the artefacts that it read.

    A record names what a job was made of by digest. Two models with the same files have artefacts of the same digest
    and the same bytes: the one of the job's own model is taken. Probes and statistics also read the tables of the data
    sets at which their chains begin.

    Raises
    ------
    RecordError
        If there is no artefact of such a digest or path.
    """
    known: dict[str, list[str]] = {}
    tables: dict[str, set[str]] = {}
    found = []
    for job in jobs:
        named = set()
        for key in UPSTREAM:
            value = job.record["made_of"].get(key, [])
            for one in [value] if isinstance(value, str) else value:
                if one not in known:
                    message = f"{job.name} was made of {key} {one}, which the study does not have"
                    raise RecordError(message, likely="the manifest is older than the folder", do="run snakemake again")
                own = PurePosixPath(job.folder).parent
                named.add(min(known[one], key=lambda path: (PurePosixPath(path).parent.name != own.name, path)))
        begins = {job.folder} if job.stage == "datasets" else {table for path in named for table in tables[path]}
        tables.setdefault(job.folder, set()).update(begins)
        for name in (job.folder, job.record["digest"]):
            if job.folder not in known.setdefault(name, []):
                known[name].append(job.folder)
        found.append(sorted(named | begins if job.stage in READ_TABLES else named))
    return found
