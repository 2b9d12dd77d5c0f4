"""The jobs of a study: what each costs on the reference machine, what it waits for, and which are still to be run.

As the rules have them: what is there costs nothing, and neither does what nothing that is absent asks for.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from linear_probing.behaviour import NAMES, NEAREST
from linear_probing.drawing.plan import planned
from linear_probing.jobs import Jobs
from linear_probing.planning.fits import Fitted, layer_seconds, probe_bytes, text_seconds
from linear_probing.planning.rates import Rates
from linear_probing.planning.shapes import BYTES, ModelSize, stored_bytes
from linear_probing.planning.sizes import DatasetSize, TokenSize
from linear_probing.settings import TEXT_MODEL, Dataset, Model, Study, Task
from linear_probing.sources import known
from linear_probing.tables import TEST, fold_column

CORES = {"statistics": 8, "figures": 4}
"""Greatest number of cores of a job, by stage, as the rules have it; of others one."""
PRIORITY = {"downloads": 6, "datasets": 5, "tokens": 4, "activations": 3, "probes": 2, "interventions": 2}
N_NODES = {"": 1, NAMES: 8, NEAREST: 4}
"""Tokens of a question's branch by the rule of its answers: of 'nearest', per answer."""
N_NAMED = 30
"""Edits of a pair and layer that are no random direction's."""


@dataclass(frozen=True)
class Job:
    """One artefact of a job.

    Parameters
    ----------
    folder : str
        What is written.
    stage : str
    seconds : float
        Of the work itself, of one core of the reference machine.
    start : float
        Seconds before it: Python, imports, loading. Shards of data sets that one job extracts share one start.
    bytes : int, optional
        That it leaves; None where that is not counted.
    reads : tuple[str, ...]
        Folders.
    done : bool
        Whether it is there.
    gpu : bool
    priority : int
        The higher, the sooner.
    estimated : bool
        Whether sizes behind it were guessed.
    """

    folder: str
    stage: str
    seconds: float
    start: float
    bytes: int | None
    reads: tuple[str, ...]
    done: bool
    gpu: bool = False
    priority: int = 0
    estimated: bool = False


@dataclass(frozen=True)
class Sizes:
    """What is known before a study is run: sizes of data sets and models, tokens by model and data set."""

    datasets: Mapping[str, DatasetSize]
    models: Mapping[str, ModelSize]
    tokens: Mapping[tuple[str, str], TokenSize] = field(default_factory=dict)


def jobs(paths: Jobs, sizes: Sizes, rates: Rates) -> dict[str, Job]:
    """Return all jobs of a study by the folder that they write; an extraction has one for each data set."""
    found: list[Job] = []

    def add(folder: str, seconds: float, start: float, size: int | None, guessed: bool, priority: int = -1) -> None:
        stage = paths.made[folder].stage
        reads, done = tuple(paths.inputs[folder]), Path(paths.record(folder)).is_file()
        first = PRIORITY.get(stage, 0) if priority < 0 else priority
        found.append(Job(folder, stage, seconds, start, size, reads, done, priority=first, estimated=guessed))

    for folder in paths.downloads:
        add(folder, 0.0, rates.start, None, False)
    for name, folder in paths.tables.items():
        seconds = rates.dataset + rates.dataset_row * sizes.datasets[name].n_targets
        add(folder, seconds, rates.start, None, sizes.datasets[name].estimated)
    for (model, name), folder in paths.tokens.items():
        fetched = paths.study.model(model).origin is not None
        seconds = rates.tokens_fetched if fetched else rates.tokens
        seconds += rates.tokens_per_text * sizes.datasets[name].n_texts
        add(folder, seconds, rates.start, None, sizes.datasets[name].estimated)
        if fetched:
            found[-1] = replace(found[-1], reads=(*found[-1].reads, str(paths.study.model(model).folder)))
    found += [_extraction(paths, sizes, model, name, rates) for model, name in paths.activations]
    for (owner, name), folder in paths.probes.items():
        seconds, size = _probing(paths.study, sizes, owner, name, rates)
        add(folder, seconds, rates.start, size, sizes.datasets[name].estimated, 0 if owner == TEXT_MODEL else -1)
    guessed = any(size.estimated for size in sizes.datasets.values())
    for model, folder in paths.transfer.items():
        n_binary = sum(task.kind == "binary" for task in paths.study.tasks)
        n_layers = len(sizes.models[model].layers)
        add(folder, rates.transfer + rates.moved * n_binary**2 * n_layers, rates.start, None, guessed)
    for (model, name), folder in paths.interventions.items():
        seconds, start = _intervening(paths.study, sizes, model, name, rates)
        add(folder, seconds, start, None, guessed)
        found[-1] = replace(found[-1], gpu=paths.study.model(model).device != "cpu")
    add(paths.statistics, _statistics(paths.study, sizes, rates), rates.start, None, guessed)
    a_figure = rates.figure + rates.figure_task * len(paths.study.tasks)
    add(paths.figures, a_figure * len(planned(paths.study)), rates.start, None, False)
    return {job.folder: job for job in found}


def _intervening(study: Study, sizes: Sizes, owner: str, name: str, rates: Rates) -> tuple[float, float]:
    """Return the seconds of a data set's interventions, and those before them.

    An edit costs the nodes of its question's branch through the blocks above the edited layer: half of them, on the
    average over layers.
    """
    model, size, asked = study.model(owner), sizes.models[owner], study.interventions
    nodes = 0.0
    for one in asked.behaviours if asked else ():
        if one.task.split(".")[0] == name:
            width = N_NODES[one.rule] * max(1, 2 * one.n_nearest)
            operations = 2 if one.answers else 1
            n_controls = asked.n_controls * operations if asked and model.seed is None else 0
            nodes += one.n_targets * width * (n_controls + N_NAMED) * len(size.layers) / 2
    work = rates.edited * 2.0 * size.n_in_blocks * nodes / _speed(model, rates)
    return rates.interventions + work, rates.load + _weights(model, size, rates)


def _speed(model: Model, rates: Rates) -> float:
    """Return the floating point operations a second of what runs a model."""
    if model.device == "cpu":
        return rates.flops_cpu
    return rates.flops_cuda_32 if model.dtype == "float32" else rates.flops_cuda_16


def _weights(model: Model, size: ModelSize, rates: Rates) -> float:
    """Return the seconds in which a model's weights are read, or a twin's drawn."""
    if model.seed is not None:
        return rates.draw * size.n_parameters
    return rates.read * size.n_parameters * BYTES[model.dtype]


def _extraction(paths: Jobs, sizes: Sizes, model_name: str, name: str, rates: Rates) -> Job:
    model, size = paths.study.model(model_name), sizes.models[model_name]
    folder = paths.activations[model_name, name]
    read = sizes.tokens[model_name, name]
    return Job(
        folder,
        "activations",
        seconds=rates.shard * model.shards + 2.0 * size.n_in_blocks * read.n_computed / _speed(model, rates),
        start=model.shards * (rates.load + _weights(model, size, rates)),
        bytes=stored_bytes(model, size, sizes.datasets[name].n_targets),
        reads=(*paths.inputs[folder], *([str(model.folder)] if model.origin else [])),
        done=all(Path(paths.sign(model, name, shard)).is_file() for shard in range(model.shards)),
        gpu=model.device != "cpu",
        priority=1 if paths.study.is_later_twin(model) else 3,
        estimated=read.estimated or size.estimated,
    )


def fitted(study: Study, sizes: Sizes, task: Task, owner: str) -> Fitted:
    """Return what a task's probes of a model fit; of the baselines, `text`."""
    data = sizes.datasets[task.dataset]
    model: Model | None = None if owner == TEXT_MODEL else study.model(owner)
    parts = 1 if data.tables is None else 1 + len(set(data.tables.targets["part"].astype(str)) - {""})
    return Fitted(
        study,
        task,
        n=data.n_targets,
        d=sizes.models[owner].d_model if model else 1,
        n_classes=data.n_classes.get(task.name, 0),
        n_parts=parts,
        full=model is not None and not study.is_later_twin(model),
        twin=model is not None and model.seed is not None,
        n_tested=own_test(study.dataset(task.dataset), data),
        has_dev="dev" in study.dataset(task.dataset).parameters.get("files", ()),
    )


def own_test(dataset: Dataset, data: DatasetSize) -> int | None:
    """Return how many targets a data set's own test part has; None where it has none of its own."""
    files = dataset.parameters.get("files")
    if not isinstance(files, Mapping):
        return None
    if data.tables is not None:
        return int((data.tables.targets[fold_column("group")] == TEST).sum())
    counts = [known()[name].n_rows if name in known() else 0 for name in files["test"]]
    return sum(counts) or data.n_targets // len(files)


def _probing(study: Study, sizes: Sizes, owner: str, name: str, rates: Rates) -> tuple[float, int]:
    found = [fitted(study, sizes, task, owner) for task in study.tasks_of(name)]
    if owner == TEXT_MODEL:
        # Columns and text: a run of each split, which leaves scores alone.
        n_bytes = sum(len(o.task.splits) * (1 + len(o.task.baselines)) * 4 * o.n_scored * o.n_outputs for o in found)
        return rates.probing + sum(text_seconds(one, rates) for one in found), n_bytes
    n_layers = len(sizes.models[owner].layers)
    seconds = sum(rates.plan * one.n + n_layers * layer_seconds(one, rates) for one in found)
    return rates.probing + seconds, sum(probe_bytes(one, n_layers) for one in found)


def _statistics(study: Study, sizes: Sizes, rates: Rates) -> float:
    """Return the seconds of all tables: what is scored, times targets and resamples."""
    total = 0.0
    for model in study.models:
        for task in study.tasks:
            one = fitted(study, sizes, task, model.name)
            own, secondary = rates.resampled[task.kind]
            n_scores = one.n_runs + one.n_own * len(one.others)
            a_target = n_scores * own * (1 + one.n_classes / 20) + (1 + len(one.others)) * secondary * one.full
            # Parts other than all of it are all of it once more.
            total += a_target * (2 if one.n_parts > 1 else 1) * one.n_scored * len(sizes.models[model.name].layers)
    return rates.statistics + study.bootstrap.n_resamples * total


def spent(all_jobs: Mapping[str, Job], targets: Iterable[str]) -> dict[str, Job]:
    """Return the jobs that are still to be run for these folders: absent ones, and what absent ones read."""
    found: dict[str, Job] = {}
    waiting = list(targets)
    while waiting:
        folder = waiting.pop()
        if folder in found or all_jobs[folder].done:
            continue
        found[folder] = all_jobs[folder]
        waiting += all_jobs[folder].reads
    return {folder: job for folder, job in all_jobs.items() if folder in found}
