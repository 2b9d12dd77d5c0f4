"""Where every artefact of a study stands, and what it is made of: paths that end in the digest of what made them.

A path that exists is valid, so nothing is computed again for nothing and nothing is stale. Paths are relative to the
working directory. Standard library, YAML and JSON schema only.
"""

import json
from functools import cached_property
from pathlib import Path
from typing import Any

from linear_probing import identity, settings, sources
from linear_probing.provenance import PACKAGE, ROOT, Made, made
from linear_probing.settings import TEXT_MODEL, Dataset, Model, SettingsError, Study, Task
from linear_probing.sources import Source
from linear_probing.stage import StudyError, replace_file

DEFAULT = ROOT / "config" / "study.yaml"
RESULTS = "results"
STAGES = ("downloads", "datasets", "tokens", "activations", "probes", "transfer", "interventions")
"""The stages whose folders carry a digest; those of the last ones stand in the study's folder."""
FLAT = ("downloads", "datasets")
"""Of these, those whose artefacts stand in the stage's own folder; others stand in a folder of their model."""
LAST_STAGES = ("statistics", "figures", "report", "paper")
ON_DEMAND = ("report", "paper")
"""Last stages that nothing but their own target asks for: a study is whole without them."""
MANIFEST, RECORD = "manifest.json", "record.json"
FILE_SUFFIX, RECORD_SUFFIX = ".safetensors", ".json"


class Artefacts:
    """Folders of one study's artefacts, by stage; `made` has what each is made of, `inputs` the folders it reads."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.made: dict[str, Made] = {}
        self.inputs: dict[str, list[str]] = {}
        self.downloads: dict[str, Model | Source] = {}
        self.tables: dict[str, str] = {}
        self.tokens: dict[tuple[str, str], str] = {}
        self.activations: dict[tuple[str, str], str] = {}
        self.probes: dict[tuple[str, str], str] = {}
        self.transfer: dict[str, str] = {}
        self.interventions: dict[tuple[str, str], str] = {}
        # Looked up once: a hundred data sets would each look through a hundred tasks, and read the models again.
        self._tasks: dict[str, list[Task]] = {}
        for task in study.tasks:
            self._tasks.setdefault(task.dataset, []).append(task)
        self._contents: dict[str, dict[str, Any]] = {}
        for dataset in study.datasets:
            name = dataset.name
            self._add_tables(dataset)
            self._add_probes(dataset, TEXT_MODEL, self.tables[name])
            for model in study.models:
                self._add_model(dataset, model)
        for model in study.models:
            self._add_download(model)
            if model not in study.twins_of(model)[1:]:
                self._add_transfer(model)
                self._add_interventions(model)
        read = [*self.tables.values(), *self.probes.values(), *self.transfer.values(), *self.interventions.values()]
        self.statistics = self._add_last("statistics", self._of_statistics(), read)
        tables = {"statistics": self.made[self.statistics].digest}
        self.figures = self._add_last("figures", tables, [self.statistics])
        drawn = {"figures": self.made[self.figures].digest}
        read = [self.statistics, self.figures]
        self.report = self._add_last("report", {**tables, "sources": identity.sources_of("report")}, [self.statistics])
        self.paper = self._add_last("paper", {**tables, **drawn, "sources": identity.sources_of("paper")}, read)

    def _add(self, place: str, made: Made, inputs: list[str]) -> str:
        """Enter an artefact under its place and digest; return its folder."""
        path = f"{RESULTS}/{made.stage}/{place}-{made.digest}"
        self.made[path], self.inputs[path] = made, inputs
        return path

    def _add_download(self, item: Model | Source) -> list[str]:
        """Enter what is fetched, if it is, and return its folder, named by content and not by the code that fetches."""
        if item.download is None:
            return []
        folder = str(item.folder)
        self.made[folder], self.inputs[folder] = item.download, []
        self.downloads.setdefault(folder, item)
        return [folder]

    def _add_tables(self, dataset: Dataset) -> None:
        name, builder = dataset.name, f"builders.{dataset.builder}"
        made_of = {"name": name, "builder": dataset.builder, **dataset.parameters}
        made_of |= {"n_folds": self.study.n_folds, "seed": self.study.seed}
        made_of |= {"sources": identity.sources_of(builder) | identity.files_of(dataset, self.study.file)}
        public = (sources.known()[file] for file in dataset.files if file in sources.known())
        fetched = [folder for source in public for folder in self._add_download(source)]
        self.tables[name] = self._add(name, made("datasets", made_of, [builder]), fetched)
        self._check_tasks(name, Path(self.tables[name], "card.json"))

    def _check_tasks(self, dataset: str, card: Path) -> None:
        """Check labels and splits against the data card where there is one; else the datasets stage does it.

        A card is of the data alone: another task does not build the data set, and so does not check itself there.
        """
        try:
            content = json.loads(card.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return
        for task in self._tasks[dataset]:
            wrong = [split for split in task.splits if split not in content["splits"]]
            if wrong or task.label not in content["labels"]:
                what, known = ("split", content["splits"]) if wrong else ("label", content["labels"])
                raise SettingsError(
                    f"tasks.{task.name}: unknown {what} {(wrong or [task.label])[0]!r}; it has {', '.join(known)}",
                    file=self.study.file,
                    do=settings.DO,
                )

    def _add_model(self, dataset: Dataset, model: Model) -> None:
        name, owner, content = dataset.name, self.tokenizer_of(model), self._content(model)
        of_tokens = {
            "tables": self.made[self.tables[name]].digest,
            "tokenizer": content["tokenizer"],
            "context": content["context"],
            "classes": content["classes"],
            "chat": model.chat,
            "position": dataset.position,
        }
        self.tokens[owner, name] = self._add(f"{owner}/{name}", made("tokens", of_tokens), [self.tables[name]])
        of_states = {
            "tokens": self.made[self.tokens[owner, name]].digest,
            "weights": content["weights"],
            "twin": model.seed,
            "dtype": model.dtype,
            "stored_dtype": model.stored_dtype,
            "layers": self.study.layers_of(model),
            "blocks": model.blocks,
            "prefix_trees": model.prefix_trees,
            "shards": model.shards,
        }
        made_states = made("activations", of_states)
        self.activations[model.name, name] = self._add(f"{model.name}/{name}", made_states, [self.tokens[owner, name]])
        self._add_probes(dataset, model.name, self.activations[model.name, name])

    def _content(self, model: Model) -> dict[str, Any]:
        """Return what a model's folder says, which is the same for every data set."""
        if model.name not in self._contents:
            self._contents[model.name] = {
                "tokenizer": identity.tokenizer(model),
                "context": model.context(),
                "classes": identity.classes(model),
                "weights": identity.weights(model),
            }
        return self._contents[model.name]

    def _add_probes(self, dataset: Dataset, model: str, features: str) -> None:
        tasks = self._tasks[dataset.name]
        kinds = {"logistic" if task.probe == "logistic" else "ridge" for task in tasks}
        controls = self._controls_of(model)
        if controls.get("permutations"):
            kinds.add("ridge")
        made_of = {
            "features": self.made[features].digest,
            "tasks": [vars(task) for task in tasks],
            "penalties": {kind: values for kind, values in self.study.penalties.items() if kind in kinds},
            "seed": self.study.seed,
            "controls": controls,
        }
        inputs = list(dict.fromkeys([self.tables[dataset.name], features]))
        self.probes[model, dataset.name] = self._add(f"{model}/{dataset.name}", made("probes", made_of), inputs)

    def _controls_of(self, model: str) -> dict[str, Any]:
        """Return what is run beside a task's own probe; nothing for baselines and for the later twins of a model."""
        if model == TEXT_MODEL or self.study.is_later_twin(self.study.model(model)):
            return {}
        return {
            "probes": [{**vars(spec), "package": identity.package_of(spec.path)} for spec in self.study.probes],
            "seeds": self.study.n_seeds,
            "permutations": self.study.n_permutations,
            "learning": self.study.learning,
            "code_length": self.study.code_length,
        }

    def _add_transfer(self, model: Model) -> None:
        """Enter the scores of a model's binary tasks by each other's directions; a further twin's say nothing more."""
        names = self.transferred
        folders = {
            "tables": [self.tables[name] for name in names],
            "features": [self.activations[model.name, name] for name in names],
            "probes": [self.probes[model.name, name] for name in names],
        }
        made_of: dict[str, Any] = {key: [self.made[one].digest for one in own] for key, own in folders.items()}
        made_of["tasks"] = sorted(task.name for task in self.study.tasks if task.kind == "binary")
        inputs = [one for own in folders.values() for one in own]
        self.transfer[model.name] = self._add(f"{model.name}/tasks", made("transfer", made_of), inputs)

    def _add_interventions(self, model: Model) -> None:
        """Enter what is done to a model along its directions, by data set; a further twin's says nothing more."""
        asked = self.study.interventions
        if asked is None or (model.seed is not None and not asked.twins):
            return
        owner = self.tokenizer_of(model)
        for name in self.intervened:
            read = self.edited(name)
            folders = {
                "tables": [self.tables[one] for one in asked.datasets],
                "tokens": [self.tokens[owner, one] for one in read],
                "features": [self.activations[model.name, one] for one in read],
                "probes": [self.probes[model.name, one] for one in self.intervened],
            }
            made_of: dict[str, Any] = {key: [self.made[one].digest for one in own] for key, own in folders.items()}
            made_of |= {"behaviours": [vars(one) for one in asked.behaviours if one.task.split(".")[0] == name]}
            made_of |= {"strengths": asked.strengths, "elsewhere": asked.elsewhere}
            made_of |= {"n_controls": asked.n_controls if model.seed is None else 0, "seed": self.study.seed}
            made_of |= {"tasks": [vars(task) for task in self.study.tasks if task.name in asked.tasks]}
            inputs = [one for own in folders.values() for one in own]
            made_here = made("interventions", made_of)
            self.interventions[model.name, name] = self._add(f"{model.name}/{name}", made_here, inputs)

    @cached_property
    def intervened(self) -> tuple[str, ...]:
        """The names of the data sets that have a task which is intervened on, in the configuration's order."""
        asked = self.study.interventions.tasks if self.study.interventions else ()
        return tuple(one.name for one in self.study.datasets if one.name in {task.split(".")[0] for task in asked})

    def edited(self, dataset: str) -> tuple[str, ...]:
        """Return the data sets whose states are edited where one is intervened on: it, and where loss is measured."""
        elsewhere = self.study.interventions.elsewhere if self.study.interventions else ""
        return (dataset, elsewhere) if elsewhere not in ("", dataset) else (dataset,)

    @cached_property
    def transferred(self) -> tuple[str, ...]:
        """The names of the data sets that have a binary task."""
        binary = {task.dataset for task in self.study.tasks if task.kind == "binary"}
        return tuple(name for name in self.study.probed if name in binary)

    def _of_statistics(self) -> dict[str, Any]:
        return {
            "probes": sorted(self.probes.values()),
            "transfer": sorted(self.transfer.values()),
            "interventions": sorted(self.interventions.values()),
            "models": [self._of_model(model) for model in self.study.models],
            "bootstrap": vars(self.study.bootstrap),
            "seed": self.study.seed,
            "tasks": [task.name for task in self.study.tasks],
        }

    def _of_model(self, model: Model) -> dict[str, Any]:
        """Return whose twin stands beside whom: no digest of states knows it, where checkpoints share a config.json."""
        twins = [twin.name for twin in self.study.twins_of(model)]
        return {"name": model.name, "is_twin": model.seed is not None, "twins": twins}

    def _add_last(self, stage: str, made_of: dict[str, Any], inputs: list[str]) -> str:
        path = f"{RESULTS}/studies/{self.study.name}/{stage}"
        self.made[path], self.inputs[path] = made(stage, made_of), inputs
        return path

    def tokenizer_of(self, model: Model) -> str:
        """Return the model that names the tokens: the first that reads texts the same way, so that twins share them."""
        same = (model.folder, model.chat)
        return next(other.name for other in self.study.models if (other.folder, other.chat) == same)

    def record(self, folder: str) -> str:
        """Return the file that says what a folder is made of and holds, and so that it is there.

        The folders of the last stages have no digest, so that a reader finds them; the names of their records have it.
        """
        last = self.made[folder].stage in LAST_STAGES
        return f"{folder}/record-{self.made[folder].digest}.json" if last else f"{folder}/{RECORD}"

    def shard_record(self, model: Model, dataset: str, shard: int) -> str:
        """Return the record of one shard of a model's activations; each has its own, since jobs write them."""
        file = Path(self.activations[model.name, dataset], model.shard_name(shard))
        return str(file.with_suffix(RECORD_SUFFIX))

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """What the study needs: every folder by stage, and the digests of the last ones."""
        return {
            "study": self.study.name,
            "configuration": str(shown(self.study.file)),
            "downloads": sorted(self.downloads),
            "datasets": sorted(self.tables.values()),
            "tokens": sorted(self.tokens.values()),
            "activations": sorted(self.activations.values()),
            "probes": sorted(self.probes.values()),
            "transfer": sorted(self.transfer.values()),
            "interventions": sorted(self.interventions.values()),
            **{stage: self.made[getattr(self, stage)].digest for stage in LAST_STAGES},
        }

    def write_manifest(self) -> None:
        """Write manifest.json into the study's folder: nothing that it names is pruned, for whatever study."""
        path = Path(self.figures).parent / MANIFEST
        text = json.dumps(self.manifest, indent=2) + "\n"
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            with replace_file(path) as temporary:
                temporary.write_text(text, encoding="utf-8")


def shown(path: Path) -> Path:
    """Return a path as relative as it can be: commands are to be read, and a moved repository is the same one."""
    path = path.absolute()
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def manifests() -> dict[str, dict[str, Any]]:
    """Return the manifests of all studies that stand in the results, by the study's name.

    Raises
    ------
    StudyError
        If one cannot be read: what it names would be pruned.
    """
    found = {}
    for path in sorted(Path(RESULTS, "studies").glob(f"*/{MANIFEST}")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if not all(isinstance(content[key], str) for key in ("configuration", *LAST_STAGES)):
                raise TypeError("an entry is no text")
            if not all(isinstance(place, str) for stage in STAGES for place in [*content[stage]]):
                raise TypeError("an entry is no list of folders")
            found[path.parent.name] = content
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise StudyError(
                f"{MANIFEST} cannot be read: {error}",
                file=path,
                likely="the file was cut short or edited",
                do="run snakemake on that study's configuration: it is written anew",
            ) from error
    return found


def check_checkout(folder: Path) -> None:
    """Check that the code that runs is that of the checkout it runs in: a digest must not be of other code.

    Raises
    ------
    StudyError
        If the folder has a package of this name that is not the one imported.
    """
    own = folder / "src" / PACKAGE.name
    if own.is_dir() and own.resolve() != PACKAGE.resolve():
        raise StudyError(
            f"this checkout's {PACKAGE.name} would not run, but that of {ROOT}",
            file=own,
            likely="the environment belongs to another checkout",
            do="run `make setup` here and use .venv, or set PYTHONPATH=src",
        )
