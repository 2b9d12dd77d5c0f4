"""What 30 models of 70 B parameters on 50 data sets would take, from the plan's constants and what was measured here.

The study's configuration is written, and Snakemake reads it as it would that of a user; nothing is fetched. Data
sets are given their size by hand, as their files would be large: the plan counts the rest.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import scale_measure as measure
import scale_studies as studies
from linear_probing import settings
from linear_probing.jobs import Jobs
from linear_probing.planning import calibration
from linear_probing.planning.rates import REFERENCE
from linear_probing.planning.schedule import together
from linear_probing.planning.shapes import memory, model_size
from linear_probing.planning.sizes import DatasetSize, TokenSize
from linear_probing.planning.work import Sizes, jobs

N_MODELS, N_DATASETS, N_TARGETS = 30, 50, 10_000
N_TOKENS = 20
"""Of a text, assumed."""
N_SHORT = 10
"""Of a statement of the measured data sets."""
LONGEST = 131_072
"""Bytes of one argument of a command on Linux, of which `bash -c` gets the whole of a rule's."""
GPU_BYTES, HOST_BYTES, DISK_BYTES = 80 * 10**9, 128 * 10**9, 4 * 10**12
"""Of one GPU, of the host's memory and of a workstation's disk, assumed."""
WEEK = 7 * 24 * 3600.0


@dataclass(frozen=True)
class Large:
    """Numbers of the large study: seconds of one core and of a GPU, bytes, jobs, and what single jobs need.

    Parameters
    ----------
    n_jobs, n_states : int
        All jobs, and folders of activations.
    state_bytes, probe_bytes, weight_bytes, shard_bytes : int
        Of all states, of all probes, of one model's weights, and of the states of its largest data set.
    gpu_seconds, load_seconds, probe_seconds, other_seconds : float
        Forward passes; loading weights; probes; the rest.
    longest_probes : float
        Seconds of the longest job of probes.
    reading_seconds, artefacts_seconds : float
        Until Snakemake has said what it would do, measured; and until a job knows its digest.
    command : int
        Bytes of the longest command, that of the statistics.
    """

    n_jobs: int
    n_states: int
    state_bytes: int
    probe_bytes: int
    weight_bytes: int
    shard_bytes: int
    gpu_seconds: float
    load_seconds: float
    probe_seconds: float
    other_seconds: float
    longest_probes: float
    reading_seconds: float
    artefacts_seconds: float
    command: int


def command_bytes(paths: Jobs) -> int:
    """Return the bytes of the statistics' command, which names every folder that it reads."""
    return sum(len(folder) + 1 for folder in (*paths.tables.values(), *paths.probes.values(), *paths.transfer.values()))


def sizes(paths: Jobs, n_targets: int, n_tokens: int) -> Sizes:
    """Return the sizes of a study whose data sets all have so many statements of so many tokens."""
    study, n_all = paths.study, n_targets * n_tokens
    a_set = DatasetSize(n_targets, n_targets, 4 * n_all, {}, None, True)
    read = TokenSize(n_all, n_all, "tokens", True)
    return Sizes(
        {name: replace(a_set, n_classes={f"{name}.half": 2}) for name in study.probed},
        {model.name: model_size(model, study.layers_of(model)) for model in study.models},
        {(model.name, name): read for model in study.models for name in study.probed},
    )


def planned(folder: Path, targets: Sequence[int]) -> dict[str, dict[int, float]]:
    """Return what the plan says of the stages of one growing data set on this machine, by stage and targets."""
    place = folder / "planned"
    paths = Jobs(settings.load(studies.write(place, 1, 100, studies.models(0), [measure.LAYER])))
    rates = REFERENCE.at(calibration.measure(1).rate)
    found: dict[str, dict[int, float]] = {}
    for n_targets in targets:
        every = jobs(paths, sizes(paths, n_targets, N_SHORT), rates)
        for job in every.values():
            if job.stage in measure.STAGES[:4] and "/text/" not in job.folder:
                found.setdefault(job.stage, {})[n_targets] = job.start + job.seconds
    return found


def large(folder: Path) -> Large:
    """Return the numbers of the large study."""
    place = folder / "paper"
    studies.checkout(place)
    path = studies.write(place, N_DATASETS, 100, studies.large_models(N_MODELS))
    study = settings.load(path)
    start = time.perf_counter()
    paths = Jobs(study)
    artefacts_seconds = time.perf_counter() - start
    known = sizes(paths, N_TARGETS, N_TOKENS)
    every = jobs(paths, known, REFERENCE)
    states = [job for job in every.values() if job.stage == "activations"]
    probes = [job for job in every.values() if job.stage == "probes"]
    a_model = study.models[0]
    size = known.models[a_model.name]
    needed = memory(a_model, size, N_TARGETS)
    others = [job for job in every.values() if job.stage not in ("activations", "probes")]
    return Large(
        n_jobs=len(together(every)),
        n_states=len(states),
        state_bytes=sum(job.bytes or 0 for job in states),
        probe_bytes=sum(job.bytes or 0 for job in probes),
        weight_bytes=needed.weights,
        shard_bytes=needed.shard,
        gpu_seconds=sum(job.seconds for job in states),
        load_seconds=N_MODELS * states[0].start,
        probe_seconds=sum(job.seconds for job in probes),
        other_seconds=sum(job.seconds for job in others),
        longest_probes=max(job.seconds for job in probes),
        reading_seconds=measure.snakemake(place, "--dry-run")[0],
        artefacts_seconds=artefacts_seconds,
        command=command_bytes(paths),
    )
