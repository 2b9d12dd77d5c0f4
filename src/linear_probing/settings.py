"""The only reader of configurations: YAML in, frozen dataclasses out.

A configuration is checked against workflow/schemas/config.schema.yaml, then for what a schema cannot say: that tasks
name data sets, twins name models, and layers exist. Light imports, since the Snakefile reads settings too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from linear_probing import behaviour, plain_yaml
from linear_probing.behaviour import Interventions as Interventions
from linear_probing.language_model import DO as DO
from linear_probing.language_model import Model as Model
from linear_probing.language_model import SettingsError as SettingsError
from linear_probing.language_model import model_of

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "workflow" / "schemas" / "config.schema.yaml"
METRICS = {"position": "r2", "binary": "auroc", "multiclass": "macro_f1"}
PROBES = {"position": {"ridge"}, "binary": {"logistic"}, "multiclass": {"logistic", "ridge_classifier"}}
TEXT_MODEL = "text"
LONGEST_SAID = 400
"""Characters of what jsonschema says of a value, which it quotes whole."""
SHARES = (0.1, 0.3)
"""Of the training groups, for learning curves, where a configuration names none."""
OTHER_PROBES = ("mean_difference", "lda", "mlp")
"""Probed beside each task's own, where a configuration names none."""


@dataclass(frozen=True)
class Dataset:
    """A data set: its builder with parameters, and which token of a span stands for it: last, first or mean."""

    name: str
    builder: str
    parameters: Mapping[str, Any]
    position: str = "last"

    @property
    def files(self) -> tuple[str, ...]:
        """The files that the configuration names, by path or as data/sources.csv does, in its order."""
        named = self.parameters.get("files", [])
        return tuple(named) if isinstance(named, list) else tuple(file for part in named.values() for file in part)


@dataclass(frozen=True)
class Bootstrap:
    """Number of resamples and the confidence of the intervals, in (0, 1)."""

    n_resamples: int
    confidence: float


@dataclass(frozen=True)
class ProbeSpec:
    """A probe beside the tasks' own: a built-in name, or any name with the import path of a scikit-learn class."""

    name: str
    path: str | None
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Task:
    """A label of a data set and how it is probed; `name` is `dataset.label`."""

    name: str
    kind: str
    probe: str
    splits: tuple[str, ...]
    baselines: tuple[str, ...]

    @property
    def dataset(self) -> str:
        """The data set's name."""
        return self.name.split(".")[0]

    @property
    def label(self) -> str:
        """The label's name; a position stands in the columns label_x, label_y and label_z."""
        return self.name.split(".")[1]

    @property
    def label_columns(self) -> tuple[str, ...]:
        """The columns of the target table that hold the label."""
        return tuple(f"{self.label}_{axis}" for axis in "xyz") if self.kind == "position" else (self.label,)

    @property
    def metric(self) -> str:
        """The metric in which the task is reported."""
        return METRICS[self.kind]


@dataclass(frozen=True)
class Study:
    """A checked configuration.

    Parameters
    ----------
    file, name, seed, models, datasets, n_folds, layers, penalties, bootstrap, tasks
        As in the configuration.
    n_seeds : int
        Draws of the folds by group: the stored one, and `n_seeds - 1` more.
    probes : tuple[ProbeSpec, ...]
        Probes beside each task's own.
    n_permutations : int
        Of the labels; 0 for no permutation test.
    learning : tuple[float, ...]
        Shares of the training groups, ascending, in (0, 1), of the learning curves.
    code_length : bool
        Whether online code lengths are computed, for tasks whose own probe is logistic.
    interventions : Interventions, optional
        Which behaviours are intervened on along the probes' directions; None where the configuration names none.
    """

    file: Path
    name: str
    seed: int
    models: tuple[Model, ...]
    datasets: tuple[Dataset, ...]
    n_folds: int
    layers: tuple[int, ...] | None
    penalties: Mapping[str, tuple[float, ...]]
    bootstrap: Bootstrap
    tasks: tuple[Task, ...]
    n_seeds: int
    probes: tuple[ProbeSpec, ...]
    n_permutations: int
    learning: tuple[float, ...]
    code_length: bool
    interventions: Interventions | None = None

    def model(self, name: str) -> Model:
        """Return the model of this name."""
        return self._named("model", name, self.models)

    def dataset(self, name: str) -> Dataset:
        """Return the data set of this name."""
        return self._named("data set", name, self.datasets)

    def twins_of(self, model: Model) -> tuple[Model, ...]:
        """Return the twins with random weights of a model, in the configuration's order."""
        same = (model.folder, model.chat)
        return tuple(other for other in self.models if (other.folder, other.chat) == same and other.seed is not None)

    def is_later_twin(self, model: Model) -> bool:
        """Return whether a model is a twin but not its original's first: it repeats the main probe, with a new seed."""
        return model.seed is not None and model != self.twins_of(model)[0]

    def tasks_of(self, dataset: str) -> tuple[Task, ...]:
        """Return the tasks of a data set, in the configuration's order."""
        return tuple(task for task in self.tasks if task.dataset == dataset)

    def layers_of(self, model: Model) -> tuple[int, ...]:
        """Return the layers to extract: 0 is the embedding output, k the output of block k."""
        chosen = model.layers if model.layers is not None else self.layers
        return chosen if chosen is not None else tuple(range(model.n_layers() + 1))

    @cached_property
    def probed(self) -> tuple[str, ...]:
        """The names of the data sets that have a task."""
        return tuple(dataset.name for dataset in self.datasets if self.tasks_of(dataset.name))

    def _named(self, kind: str, name: str, items: tuple[Any, ...]) -> Any:
        found = [item for item in items if item.name == name]
        if not found:
            known = ", ".join(item.name for item in items)
            raise SettingsError(f"unknown {kind} {name!r}; the configuration has {known}", file=self.file, do=DO)
        return found[0]


def load(path: Path) -> Study:
    """Read and check a configuration.

    Parameters
    ----------
    path : Path
        A YAML file; relative model folders are relative to the repository.

    Returns
    -------
    Study

    Raises
    ------
    SettingsError
        If the file is missing, is not YAML, holds an unknown or wrongly typed key, or names a model, data set, layer
        or probe that does not exist.
    """
    return parse(plain_yaml.read(path), path)


def parse(content: Any, path: Path) -> Study:
    """Check the content of a configuration and return it as a study; `path` stands in the errors."""
    plain_yaml.check(content, path)
    problem = jsonschema.exceptions.best_match(_validator().iter_errors(content))
    if problem is not None:
        where = ".".join(str(part) for part in problem.absolute_path) or "top level"
        said = problem.message if len(problem.message) < LONGEST_SAID else f"{problem.message[:LONGEST_SAID]} ..."
        raise SettingsError(f"{where}: {said}", file=path, likely="a misspelt key or value", do=DO)
    content = plain_yaml.whole_numbers(content, path)
    study = Study(
        file=path,
        name=content["name"],
        seed=content["seed"],
        models=_models(content["models"], path),
        datasets=tuple(_dataset(name, value) for name, value in content["datasets"].items()),
        n_folds=content["n_folds"],
        layers=_layers(content["layers"]),
        penalties={key: tuple(float(v) for v in values) for key, values in content["penalties"].items()},
        bootstrap=Bootstrap(**content["bootstrap"]),
        tasks=tuple(
            Task(name, v["kind"], v["probe"], _splits(v["splits"]), tuple(v.get("baselines", ())))
            for name, v in content["tasks"].items()
        ),
        n_seeds=content.get("seeds", 3),
        probes=_probes(content.get("probes", {name: {} for name in OTHER_PROBES})),
        n_permutations=content.get("permutations", 1000),
        learning=tuple(sorted(float(share) for share in content.get("learning", SHARES))),
        code_length=content.get("code_length", True),
        interventions=behaviour.interventions_of(content["interventions"]) if "interventions" in content else None,
    )
    _check(study)
    return study


@cache
def _validator() -> Any:
    return jsonschema.Draft202012Validator(yaml.safe_load(SCHEMA.read_text(encoding="utf-8")))


def _layers(value: str | list[int]) -> tuple[int, ...] | None:
    return None if isinstance(value, str) else tuple(sorted(value))


def _probes(content: Mapping[str, Mapping[str, Any]]) -> tuple[ProbeSpec, ...]:
    return tuple(ProbeSpec(name, v.get("class"), v.get("parameters", {})) for name, v in content.items())


def _splits(names: list[str]) -> tuple[str, ...]:
    """Return the splits with `group`, the headline, first."""
    return tuple(sorted(names, key=lambda name: name != "group"))


def _dataset(name: str, value: Mapping[str, Any]) -> Dataset:
    parameters = {key: entry for key, entry in value.items() if key not in ("builder", "position")}
    return Dataset(name, value["builder"], parameters, value.get("position", "last"))


def _models(content: Mapping[str, Mapping[str, Any]], path: Path) -> tuple[Model, ...]:
    models = []
    for name, value in content.items():
        original = content.get(value["twin_of"]) if "twin_of" in value else value
        if original is None or "twin_of" in original:
            subject = f"models.{name}: twin of {value['twin_of']!r}, which is not a model with weights"
            raise SettingsError(subject, file=path, do=DO)
        models.append(model_of(name, {**original, "seed": value.get("seed")}, ROOT, path))
    return tuple(models)


def _check_probes(study: Study) -> None:
    for spec in study.probes:
        what = None
        if spec.name in {probe for probes in PROBES.values() for probe in probes}:
            what = "the name is that of a task's own probe"
        elif spec.path is not None and spec.name in OTHER_PROBES:
            what = "the name is that of a built-in probe, which has its own class"
        elif spec.path is None and spec.name not in OTHER_PROBES:
            what = f"unknown probe; expected {', '.join(OTHER_PROBES)}, or a class"
        if what:
            raise SettingsError(f"probes.{spec.name}: {what}", file=study.file, do=f"give it another name; {DO}")
    shares = [round(100 * share) for share in study.learning]
    if len(set(shares)) < len(shares) or any(
        abs(100 * s - n) > 1e-9 for s, n in zip(study.learning, shares, strict=True)
    ):
        subject = f"learning: {', '.join(map(str, study.learning))} are not different whole percents"
        raise SettingsError(subject, file=study.file, do="name shares as 0.05, 0.1, 0.3")


def _check(study: Study) -> None:
    if any(model.name == TEXT_MODEL for model in study.models):
        subject = f"models.{TEXT_MODEL}: the name stands for the baselines that read the text"
        raise SettingsError(subject, file=study.file, do=DO)
    for task in study.tasks:
        study.dataset(task.dataset)
        if "group" not in task.splits:
            subject = f"tasks.{task.name}.splits: group is not among them, which every control is scored under"
            raise SettingsError(subject, file=study.file, do="add group; other splits stand beside it")
        if task.probe not in PROBES[task.kind]:
            known = ", ".join(sorted(PROBES[task.kind]))
            subject = f"tasks.{task.name}: probe {task.probe!r} cannot score a {task.kind} label; expected {known}"
            raise SettingsError(subject, file=study.file, do=DO)
    _check_probes(study)
    if study.interventions:
        positions = {dataset.name: dataset.position for dataset in study.datasets}
        chats = [model.name for model in study.models if model.chat]
        behaviour.check(study.interventions, study.tasks, positions, chats, study.file)
    # After the tasks: one that misspells its data set also leaves that set without a task, and is the cause to name.
    without = [dataset.name for dataset in study.datasets if dataset.name not in study.probed]
    if without:
        raise SettingsError(
            f"datasets.{without[0]}: no task probes it", file=study.file, do=f"name a task, or leave it out; {DO}"
        )
    for model in study.models:
        greatest = model.n_layers()
        wrong = [layer for layer in study.layers_of(model) if layer > greatest]
        if wrong:
            subject = f"layers: {wrong[0]} is not a layer of {model.name}, which has 0 (embedding) to {greatest}"
            raise SettingsError(subject, file=study.file, do=DO)
