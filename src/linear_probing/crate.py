"""One study's provenance as a Workflow Run RO-Crate: the records of its artefacts in, one JSON-LD document out.

The document follows Provenance Run Crate 0.5 (https://w3id.org/ro/wfrun/provenance/0.5), on RO-Crate 1.1: the newest
version that validators check. Every job is a CreateAction whose instrument is the stage's module, whose object is what
the job read and whose result is what it wrote; a ControlAction says of which step of the Snakefile it was a run.

The root data entity `./` is the repository, not the study's folder: a crate's files lie below its root, and a study
stands on the Snakefile, the modules, the configuration and artefacts that other studies share. The file lies beside the
figures, as `provenance.json`, so that each study has its own; a copy at the top of the repository by the name
`ro-crate-metadata.json`, which its descriptor says, makes the repository a crate.

A job without a record of its run (as in a clone) stands there without times: the profile only recommends them. The
times of all are given where every job has some. Who ran a job is not recorded. Weights are named by their SHA-256.
Nothing is asked of the clock, so that
equal records give equal bytes.
"""

import argparse
import json
import logging
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from rocrate.model import ComputationalWorkflow, ContextEntity, Dataset, Entity, File
from rocrate.rocrate import ROCrate

from linear_probing import settings
from linear_probing.artefacts import DEFAULT, LAST_STAGES, RESULTS, Artefacts
from linear_probing.history import STAGES, UPSTREAM, Job, read, upstream
from linear_probing.provenance import ROOT, digest
from linear_probing.records import RecordError
from linear_probing.stage import replace_file, run

LOG = logging.getLogger("crate")
NAME = "provenance.json"
SPECIFICATION = ("https://w3id.org/ro/crate/1.1", "RO-Crate", "1.1")
WORKFLOW = ("https://w3id.org/workflowhub/workflow-ro-crate/1.0", "Workflow RO-Crate", "1.0")
RUNS = tuple(
    (f"https://w3id.org/ro/wfrun/{kind}/0.5", f"{kind.title()} Run Crate", "0.5")
    for kind in ("process", "workflow", "provenance")
)
TERMS = "https://w3id.org/ro/terms/workflow-run/context"
ALL_JOBS = "#run"
UNITS = {"seconds": "https://qudt.org/vocab/unit/SEC", "peak_memory_gb": "https://qudt.org/vocab/unit/GigaBYTE"}
SAID_ELSEWHERE = {"artefact", "command", "started", "files", *UNITS}
SHA256 = re.compile(r"[0-9a-f]{64}")


def gather(manifest: Mapping[str, Any], results: Path) -> dict[str, Any]:
    """Return a study's provenance as JSON-LD.

    Parameters
    ----------
    manifest : Mapping
        What the study is made of: content of manifest.json.
    results : Path
        The folder of all results; the manifest's paths are relative to the folder that it is in.

    Returns
    -------
    dict
        `@context` and `@graph`, whose entities are sorted by their `@id`.

    Raises
    ------
    RecordError
        If an artefact has no record, or was made of something that the manifest does not list.
    """
    jobs = read(manifest, results)
    crate = ROCrate(version="1.1")
    crate.metadata.extra_contexts.append(TERMS)
    configuration = _file(crate, manifest["configuration"], "configuration")
    stages = [stage for stage in STAGES if any(job.stage == stage for job in jobs)]
    tools = {stage: _tool(crate, stage, [job for job in jobs if job.stage == stage]) for stage in stages}
    folders = {job.folder: _folder(crate, job.folder, jobs) for job in jobs}
    actions, outside = [], [configuration]
    for job, inputs in zip(jobs, upstream(jobs), strict=True):
        files = _inputs_outside(crate, job)
        outside += files
        actions.append(
            _action(crate, job, tools[job.stage], [configuration, *files, *(folders[path] for path in inputs)])
        )
        actions[-1]["result"] = _sorted(
            [folders[job.folder], *(_output(crate, job, name) for name in job.record["files"])]
        )
        properties = {"@type": "ControlAction", "name": f"Step {job.stage}: {job.name}", "object": actions[-1]}
        properties["instrument"] = crate.get(f"#step-{job.stage}")
        crate.add(ContextEntity(crate, f"#step-{job.stage}/{quote(job.name)}", properties))
    workflow = _workflow(crate, tools)
    everything = {
        "@type": "CreateAction",
        "name": f"Study {manifest['study']}",
        "description": "All jobs together. They may be of several runs of Snakemake: what is there is not made again.",
        "instrument": workflow,
        "object": _sorted(outside),
        "result": _sorted(folders[job.folder] for job in jobs if job.stage in LAST_STAGES),
    }
    times = [job.times for job in jobs if job.times is not None]
    if len(times) == len(jobs):
        everything |= _shown_times(min(start for start, _ in times), max(end for _, end in times))
    actions.append(crate.add(ContextEntity(crate, ALL_JOBS, everything)))
    _describe(crate, manifest["study"], workflow, actions, max((end for _, end in times), default=None))
    document = crate.metadata.generate()
    graph = [{key: _single(value) for key, value in entity.items()} for entity in document["@graph"]]
    return {"@context": document["@context"], "@graph": sorted(graph, key=lambda entity: entity["@id"])}


def write(manifest: Mapping[str, Any], results: Path) -> Path:
    """Write provenance.json into the study's folder and return its path; see `gather`."""
    path = results / "studies" / manifest["study"] / NAME
    text = json.dumps(gather(manifest, results), indent=2, sort_keys=True, ensure_ascii=False)
    with replace_file(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return path


def describe(study: Artefacts) -> None:
    """Write provenance.json for a study whose figures are there; where a record is missing, say so and leave none."""
    if not Path(study.record(study.figures)).is_file():
        return
    try:
        write(study.manifest, Path(RESULTS))
    except RecordError as error:
        Path(study.figures).with_name(NAME).unlink(missing_ok=True)
        LOG.warning("%s is not written: %s", NAME, error)


def main() -> None:
    """Write a study's provenance.json, as the workflow does when it ends."""
    parser = argparse.ArgumentParser(description="Write where a study's results come from, as an RO-Crate.")
    parser.add_argument("--config", type=Path, default=DEFAULT, help="the study's configuration")
    study = Artefacts(settings.load(parser.parse_args().config))
    LOG.info("%s: from the records of %d artefacts", study.study.name, len(study.made))
    LOG.info("written: %s", write(study.manifest, Path(RESULTS)))


def _sorted(entities: Iterable[Entity]) -> list[Entity]:
    return [entity for _, entity in sorted({entity.id: entity for entity in entities}.items())]


def _single(value: Any) -> Any:
    """Return a list's only element: RO-Crate wants no list around one value, which in JSON-LD says the same."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _cited(key: str) -> str:
    found = re.search(rf"^{key}: *(\S.*)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise RecordError(f"{key} is missing", file=ROOT / "CITATION.cff", do="add it")
    return found[1]


def _shown_times(start: datetime, end: datetime) -> dict[str, str]:
    return {"startTime": start.isoformat(timespec="milliseconds"), "endTime": end.isoformat(timespec="milliseconds")}


def _file(crate: ROCrate, path: str, kind: str, sha256: str | None = None) -> Entity:
    """Add a file that the study did not make: part of the crate, or a name alone if its folder is not recorded."""
    within = PurePosixPath(path)
    properties = {"name": within.name, **({"sha256": sha256} if sha256 else {})}
    if len(within.parts) > 1 and not within.is_absolute() and ".." not in within.parts:
        return crate.add(File(crate, dest_path=path, properties=properties))
    properties |= {"@type": "CreativeWork", "description": f"A file of the {kind}, whose folder is not recorded."}
    identifier = "-".join(filter(None, [quote(within.name), (sha256 or "")[:10]]))
    return crate.add(ContextEntity(crate, f"#{kind}/{identifier}", properties))


def _is_files(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(SHA256.fullmatch(str(one)) for one in value.values())


def _inputs_outside(crate: ROCrate, job: Job) -> list[Entity]:
    files = {key: value for key, value in job.record["made_of"].items() if _is_files(value)}
    return [_file(crate, path, key, sha256) for key, value in files.items() for path, sha256 in value.items()]


def _output(crate: ROCrate, job: Job, name: str) -> Entity:
    about = job.record["files"][name]
    properties = {"name": name, "sha256": about["sha256"], "contentSize": str(about["bytes"])}
    return crate.add(File(crate, dest_path=f"{job.folder}/{name}", properties=properties))


def _folder(crate: ROCrate, folder: str, jobs: Sequence[Job]) -> Entity:
    own = [job for job in jobs if job.folder == folder]
    files = [_output(crate, job, name) for job in own for name in job.record["files"]]
    named = {"name": PurePosixPath(folder).name, "identifier": own[0].record["digest"], "hasPart": _sorted(files)}
    return crate.add(Dataset(crate, dest_path=folder, properties=named))


def _value(crate: ROCrate, name: str, content: Any, **more: str) -> Entity:
    """Add a PropertyValue, one for equal names and contents; a mapping's values are such values themselves."""
    properties: dict[str, Any] = {"@type": "PropertyValue", "name": name, **more}
    if isinstance(content, Mapping):
        properties["value"] = _values(crate, content)
    elif isinstance(content, list) and any(isinstance(one, Mapping | list) or one is None for one in content):
        properties["value"] = json.dumps(content, sort_keys=True)
    else:
        properties["value"] = content
    return crate.add(ContextEntity(crate, f"#{quote(name)}-{digest([name, content, more])}", properties))


def _values(crate: ROCrate, content: Mapping[str, Any]) -> list[Entity]:
    return _sorted(_value(crate, name, value) for name, value in content.items() if value is not None)


def _tool(crate: ROCrate, stage: str, jobs: Sequence[Job]) -> Entity:
    """Add a stage's module and its step in the Snakefile; the version is the digest of its code and of its imports'."""
    properties = {
        "@type": ["File", "SoftwareSourceCode"],
        "name": f"linear_probing.{stage}",
        "version": ", ".join(sorted({digest(job.record["code"]) for job in jobs})),
        "programmingLanguage": "Python",
    }
    tool = crate.add(File(crate, dest_path=f"src/linear_probing/{stage}.py", properties=properties))
    step = {"@type": "HowToStep", "name": stage, "position": str(STAGES.index(stage) + 1), "workExample": tool}
    crate.add(ContextEntity(crate, f"#step-{stage}", step))
    return tool


def _action(crate: ROCrate, job: Job, tool: Entity, inputs: Sequence[Entity]) -> Entity:
    made_of = {
        key: value for key, value in job.record["made_of"].items() if key not in UPSTREAM and not _is_files(value)
    }
    about = {key: job.record[key] for key in ("digest", "code", "pins")}
    properties = {
        "@type": "CreateAction",
        "name": f"{job.stage}: {job.name}",
        "description": "The record of this run is not there.",
        "instrument": tool,
        "object": _sorted([*inputs, *_values(crate, made_of)]),
    }
    if job.run is not None and job.times is not None:
        properties |= {"description": shlex.join(job.run["command"]), **_shown_times(*job.times)}
        properties["resourceUsage"] = _sorted(
            _value(crate, key, job.run[key], propertyID=f"linear-probing:{key}", unitCode=unit)
            for key, unit in UNITS.items()
        )
        about |= {key: value for key, value in job.run.items() if key not in SAID_ELSEWHERE}
    properties["additionalProperty"] = _values(crate, about)
    return crate.add(ContextEntity(crate, f"#job/{quote(job.name)}", properties))


def _workflow(crate: ROCrate, tools: Mapping[str, Entity]) -> Entity:
    language = {
        "@type": "ComputerLanguage",
        "name": "Snakemake",
        "identifier": "https://doi.org/10.1093/bioinformatics/bts480",
        "url": "https://snakemake.readthedocs.io",
    }
    properties = {
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
        "name": "Snakefile",
        "programmingLanguage": crate.add(ContextEntity(crate, f"{WORKFLOW[0].rpartition('/')[0]}#snakemake", language)),
        "hasPart": _sorted(tools.values()),
        "step": [crate.get(f"#step-{stage}") for stage in STAGES],
    }
    return crate.add(ComputationalWorkflow(crate, dest_path="Snakefile", properties=properties))


def _describe(crate: ROCrate, study: str, workflow: Entity, actions: Sequence[Entity], end: datetime | None) -> None:
    profiles = {
        identifier: crate.add(
            ContextEntity(crate, identifier, {"@type": "CreativeWork", "name": name, "version": version})
        )
        for identifier, name, version in (SPECIFICATION, WORKFLOW, *RUNS)
    }
    licence = {"@type": "CreativeWork", "name": _cited("license")}
    root = crate.root_dataset
    root["name"] = f"Study {study}"
    root["description"] = f"Where the results of the study {study} come from. {_cited('title').strip(chr(34))}."
    root["license"] = crate.add(ContextEntity(crate, f"https://spdx.org/licenses/{_cited('license')}", licence))
    root["datePublished"] = end.isoformat(timespec="milliseconds") if end else _cited("date-released")
    root["conformsTo"] = [profiles[identifier] for identifier, *_ in (WORKFLOW, *RUNS)]
    root["mainEntity"] = workflow
    root["mentions"] = _sorted(actions)
    root["hasPart"] = _sorted(root["hasPart"])
    crate.metadata["conformsTo"] = [profiles[identifier] for identifier, *_ in (SPECIFICATION, WORKFLOW)]


if __name__ == "__main__":
    run(main)
