"""A plan as rows: what `plan` prints, and what its JSON holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from linear_probing.artefacts import STAGES, shown
from linear_probing.jobs import Jobs
from linear_probing.language_model import Model
from linear_probing.planning.calibration import Speed
from linear_probing.planning.rates import CPU_SOURCE, FITTED, GPU_SOURCE, Rates
from linear_probing.planning.schedule import duration, together
from linear_probing.planning.shapes import BYTES, layer_bytes, memory
from linear_probing.planning.sizes import CHARACTERS_PER_TOKEN, SPECIAL_TOKENS, n_read
from linear_probing.planning.work import Job, Sizes, jobs, spent
from linear_probing.settings import Study
from linear_probing.sources import Source

ORDER = (*STAGES, "statistics", "figures")
"""The stages of a whole study; the page and the paper, which take seconds, are made on demand."""


CROWDED = 1.2
"""Seconds of the clock over the processor's above which other programs are worth a word."""


@dataclass(frozen=True)
class DatasetRow:
    """A data set; of an estimated one, numbers are guesses."""

    name: str
    targets: int
    texts: int
    characters: int
    estimated: bool


@dataclass(frozen=True)
class ModelRow:
    """A model, with the layers stored: bytes of weights and a batch where it runs, of a shard's states on the host."""

    name: str
    device: str
    parameters: int
    layers: int
    d_model: int
    weights_bytes: int
    batch_bytes: int
    shard_bytes: int
    estimated: bool


@dataclass(frozen=True)
class StatesRow:
    """A model on a data set: tokens of the texts, tokens computed (counted how), and bytes of the states."""

    model: str
    dataset: str
    tokens: int
    computed: int
    way: str
    bytes_per_layer: int
    bytes: int
    there: bool
    tokens_estimated: bool
    bytes_estimated: bool


@dataclass(frozen=True)
class DownloadRow:
    """What is fetched: a file's bytes; of a model those of its parameters, to which its other files come."""

    name: str
    bytes: int
    there: bool


@dataclass(frozen=True)
class StageRow:
    """A stage: its jobs, how many of them are to be run, their seconds of one core, starts included, and bytes."""

    stage: str
    jobs: int
    to_run: int
    seconds: float
    bytes: int | None
    estimated: bool


@dataclass(frozen=True)
class Plan:
    """What a study costs.

    Parameters
    ----------
    study, configuration : str
    cores : int
    rate, crowding : float
        This machine's speed, and how crowded it is; see `calibration.Speed`.
    datasets, models, states, downloads, stages
        Rows.
    seconds : float
        From the first job to the last, on so many cores.
    bytes : int
        Of states and probes that are to be written.
    estimated : bool
        Whether sizes behind the time were guessed.
    notes : tuple[str, ...]
        What the numbers rest on.
    """

    study: str
    configuration: str
    cores: int
    rate: float
    crowding: float
    datasets: tuple[DatasetRow, ...]
    models: tuple[ModelRow, ...]
    states: tuple[StatesRow, ...]
    downloads: tuple[DownloadRow, ...]
    stages: tuple[StageRow, ...]
    seconds: float
    bytes: int
    estimated: bool
    notes: tuple[str, ...]


def plan_of(paths: Jobs, sizes: Sizes, rates: Rates, n_cores: int, speed: Speed, given: bool) -> Plan:
    """Return the plan of a study.

    Parameters
    ----------
    paths, sizes
        The study's.
    rates : Rates
        Of this machine.
    n_cores : int
        That jobs run on.
    speed : Speed
        This machine's.
    given : bool
        Whether floating point operations a second were given, and not the defaults.
    """
    study = paths.study
    every = jobs(paths, sizes, rates)
    left = spent(every, [paths.statistics, paths.figures])
    return Plan(
        study=study.name,
        configuration=str(shown(study.file)),
        cores=n_cores,
        rate=speed.rate,
        crowding=speed.crowding,
        datasets=tuple(
            DatasetRow(name, size.n_targets, size.n_texts, size.n_characters, size.estimated)
            for name, size in sizes.datasets.items()
        ),
        models=tuple(_model_row(model, sizes) for model in study.models),
        states=tuple(_states_row(paths, sizes, every, *key) for key in paths.activations),
        downloads=tuple(_download_row(paths, sizes, *item) for item in paths.downloads.items()),
        stages=tuple(_stage_row(stage, every, left, rates) for stage in ORDER if _of(stage, every)),
        seconds=(rates.starts if left else 0.0) + duration(left, n_cores, rates.per_job),
        bytes=sum(job.bytes or 0 for job in left.values()),
        estimated=any(job.estimated for job in left.values()),
        notes=tuple(_notes(study, sizes, rates, speed, given)),
    )


def _model_row(model: Model, sizes: Sizes) -> ModelRow:
    size = sizes.models[model.name]
    largest = max(n_read(data, model) for data in sizes.datasets.values())
    needed = memory(model, size, largest)
    guessed = size.estimated or any(data.estimated for data in sizes.datasets.values())
    of_size = (size.n_parameters, len(size.layers), size.d_model)
    return ModelRow(model.name, model.device, *of_size, needed.weights, needed.batch, needed.shard, guessed)


def _states_row(paths: Jobs, sizes: Sizes, every: Mapping[str, Job], model_name: str, name: str) -> StatesRow:
    model, job = paths.study.model(model_name), every[paths.activations[model_name, name]]
    read = sizes.tokens[model_name, name]
    a_layer = layer_bytes(model, sizes.models[model_name], sizes.datasets[name].n_targets)
    counted = (read.n_tokens, read.n_computed, read.way)
    guessed = sizes.datasets[name].estimated
    return StatesRow(model_name, name, *counted, a_layer, job.bytes or 0, job.done, read.estimated or guessed, guessed)


def _download_row(paths: Jobs, sizes: Sizes, folder: str, item: Model | Source) -> DownloadRow:
    there = Path(paths.record(folder)).is_file()
    if isinstance(item, Source):
        return DownloadRow(item.name, item.n_bytes, there)
    return DownloadRow(item.name, sizes.models[item.name].n_parameters * BYTES[item.dtype], there)


def _of(stage: str, every: Mapping[str, Job]) -> dict[str, Job]:
    return {folder: job for folder, job in every.items() if job.stage == stage}


def _stage_row(stage: str, every: Mapping[str, Job], left: Mapping[str, Job], rates: Rates) -> StageRow:
    own = _of(stage, left)
    starts = sum(own[first].start + rates.per_job for first in together(own))
    sizes = [job.bytes for job in own.values()]
    counted = None if None in sizes else sum(size or 0 for size in sizes)
    guessed = any(job.estimated for job in own.values())
    seconds = starts + sum(job.seconds for job in own.values())
    return StageRow(stage, len(together(_of(stage, every))), len(together(own)), seconds, counted, guessed)


def _notes(study: Study, sizes: Sizes, rates: Rates, speed: Speed, given: bool) -> list[str]:
    devices = {model.device for model in study.models}
    found = [f"speed: {speed.rate:.2f} of the reference machine's (2 cores x86-64, 2.5 GHz), with nothing else running"]
    if speed.crowding > CROWDED:
        found.append(f"other programs run now: as long as they do, all takes {speed.crowding:.1f} times as long")
    said = "as given" if given else None
    if "cpu" in devices:
        found.append(f"models on cpu: {rates.flops_cpu:.1e} FLOP/s ({said or CPU_SOURCE})")
    if devices - {"cpu"}:
        found.append(f"models on cuda: {rates.flops_cuda_16:.1e} FLOP/s in 16 bits ({said or GPU_SOURCE})")
    if any(read.estimated for read in sizes.tokens.values()):
        found.append(
            f"~ tokens guessed from {CHARACTERS_PER_TOKEN} characters a token and {SPECIAL_TOKENS} special ones a text;"
            " prefix trees, which compute shared beginnings once, are not counted there"
        )
    if any(size.estimated for size in sizes.datasets.values()):
        found.append(
            "~ targets guessed from data/sources.csv, n_rows and n_groups (a row a group); what `where` leaves out"
            " is not known"
        )
    largest = max(sizes.datasets[name].n_targets * sizes.models[model].d_model for model, name in sizes.tokens)
    if largest > FITTED:
        found.append("seconds of probes are extrapolated: no layer as large as the largest here has been measured")
    fetches = any(model.origin for model in study.models) or any(dataset.files for dataset in study.datasets)
    return (
        found
        + ["downloads are in bytes alone, not in the time; a model's tokenizer and configuration come to its weights"]
        * fetches
    )
