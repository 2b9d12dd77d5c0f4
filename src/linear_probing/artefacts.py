"""Where every artefact of a study stands: paths that end in the digest of what made them. The Snakefile asks here.

A path that exists is valid, so nothing is computed again for nothing and nothing is stale. Paths are relative to the
working directory. Standard library, YAML and JSON schema only.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from linear_probing import settings
from linear_probing.provenance import ROOT, digest, fingerprint, folder_digest
from linear_probing.settings import TEXT_MODEL, Dataset, Model, SettingsError, Study
from linear_probing.stage import replace_file

DEFAULT = ROOT / "config" / "study.yaml"
LEXICONS = ROOT / "data" / "lexicons"
RESULTS = "results"
WEIGHTS = (".safetensors", "config.json", "generation_config.json")
PICKLED = (".bin", ".pt", ".pth")
FILE_SUFFIX, MARK_SUFFIX = ".safetensors", ".sha256"
TOKENIZER = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "added_tokens.json",
    "chat_template.jinja",
    ".model",
)


def configuration(named: Sequence[Any], overrides: Mapping[str, Any]) -> Path:
    """Return the one configuration file of a run: the one that was named, or the default study.

    A named file stands for itself and is not laid over the default, so that a file says all there is to a study.

    Raises
    ------
    SettingsError
        If several files were named, or single values were overridden.
    """
    if len(named) > 1 or overrides:
        found = f"{len(named)} files" if len(named) > 1 else "--config " + " ".join(overrides)
        raise SettingsError(
            f"expected one configuration file, found {found}", do="write one file and name it by --configfile"
        )
    path = Path(named[0]).resolve() if named else DEFAULT
    return _shown(path)


@dataclass(frozen=True)
class Extraction:
    """One job: a shard of some data sets through one model. `marks` are the files that say that they are there."""

    model: str
    shard: int
    gpus: int
    tokens: list[str]
    folders: list[str]
    marks: list[str]
    digest: str


class Artefacts:
    """Paths of one study's artefacts; the methods that take wildcards are the rules' input functions."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.tables: dict[str, str] = {}
        self.tokens: dict[tuple[str, str], str] = {}
        self.activations: dict[tuple[str, str], str] = {}
        self.probes: dict[tuple[str, str], str] = {}
        lexicons = folder_digest(LEXICONS, [".csv"])
        for name in study.probed:
            dataset = study.dataset(name)
            made_of = {"builder": dataset.builder, **dataset.parameters}
            made_of |= {"n_folds": study.n_folds, "seed": study.seed, "lexicons": lexicons, "name": name}
            of_tables = fingerprint("datasets", made_of)
            self.tables[name] = f"{RESULTS}/datasets/{name}-{of_tables}"
            self._check_tasks(name, Path(self.tables[name], "card.json"))
            self.probes[TEXT_MODEL, name] = self._probes(dataset, TEXT_MODEL, of_tables)
            for model in study.models:
                self._add_model(dataset, model, of_tables)

    def _check_tasks(self, dataset: str, card: Path) -> None:
        """Check labels and splits against the data card where there is one; else the datasets stage does it.

        A card is of the data alone: another task does not build the data set, and so does not check itself there.
        """
        try:
            content = json.loads(card.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        for task in self.study.tasks_of(dataset):
            wrong = [split for split in task.splits if split not in content["splits"]]
            if wrong or task.label not in content["labels"]:
                what, known = ("split", content["splits"]) if wrong else ("label", content["labels"])
                raise SettingsError(
                    f"tasks.{task.name}: unknown {what} {(wrong or [task.label])[0]!r}; it has {', '.join(known)}",
                    file=self.study.file,
                    do=settings.DO,
                )

    def _add_model(self, dataset: Dataset, model: Model, of_tables: str) -> None:
        name, owner = dataset.name, self.tokenizer_of(model)
        of_tokens = fingerprint(
            "tokens",
            {
                "tables": of_tables,
                "tokenizer": _files(model, TOKENIZER + _own_code(model)),
                "context": model.context(),
                "chat": model.chat,
                "position": dataset.position,
            },
        )
        self.tokens[owner, name] = f"{RESULTS}/tokens/{owner}/{name}-{of_tokens}"
        made_of = {
            "tokens": of_tokens,
            "weights": _weights(model),
            "twin": model.seed,
            "dtype": model.dtype,
            "stored_dtype": model.stored_dtype,
            "layers": self.study.layers_of(model),
            "blocks": model.blocks,
            "prefix_trees": model.prefix_trees,
            "shards": model.shards,
        }
        of_states = fingerprint("activations", made_of)
        self.activations[model.name, name] = f"{RESULTS}/activations/{model.name}/{name}-{of_states}"
        self.probes[model.name, name] = self._probes(dataset, model.name, of_states)

    def _probes(self, dataset: Dataset, model: str, features: str) -> str:
        tasks = [vars(task) for task in self.study.tasks_of(dataset.name)]
        made_of = {
            "features": features,
            "tasks": tasks,
            "penalties": self.study.penalties,
            "seed": self.study.seed,
        }
        return f"{RESULTS}/probes/{model}/{dataset.name}-{fingerprint('probes', made_of)}"

    def tokenizer_of(self, model: Model) -> str:
        """Return the model that names the tokens: the first that reads texts the same way, so that twins share them."""
        same = (model.folder, model.chat)
        return next(other.name for other in self.study.models if (other.folder, other.chat) == same)

    def configuration_for(self, wildcards: Any, input: Any) -> str:
        """Return the configuration file, which every command names.

        As it takes `input`, Snakemake holds it for derived from the input and does not run a job again for another file
        name: what a job takes from the file is in the digest of its output.
        """
        return str(self.study.file)

    def lexicons_for(self, wildcards: Any) -> list[str]:
        """Return what a data set is built from, besides its parameters."""
        self._current(self.tables[wildcards.dataset], wildcards.digest)
        return [str(_shown(path)) for path in sorted(LEXICONS.glob("*.csv"))]

    def tables_for(self, wildcards: Any) -> str:
        """Return the tables of a data set."""
        return self.tables[wildcards.dataset]

    def extractions(self) -> list[Extraction]:
        """Return the extraction jobs that there is work for: per model and shard, the data sets not extracted yet.

        What is there is valid, since its path says what made it, and belongs to no job: so a job loads a model once for
        all that is absent, and a study with fewer or other data sets plans nothing for those it shares. A mark whose
        file is gone says what is no longer true and is taken back.
        """
        found = []
        for model in self.study.models:
            owner = self.tokenizer_of(model)
            for shard in range(model.shards):
                absent = []
                for name in self.study.probed:
                    mark = Path(self.mark(model, name, shard))
                    if mark.is_file() and not mark.with_suffix(FILE_SUFFIX).is_file():
                        mark.unlink()
                    if not mark.is_file():
                        absent.append(name)
                if absent:
                    tokens = [self.tokens[owner, name] for name in absent]
                    folders = [self.activations[model.name, name] for name in absent]
                    marks = [self.mark(model, name, shard) for name in absent]
                    gpus = int(model.device != "cpu")
                    found.append(Extraction(model.name, shard, gpus, tokens, folders, marks, digest(marks)))
        return found

    def mark(self, model: Model, dataset: str, shard: int) -> str:
        """Return the file that says that a shard is there: its SHA-256, beside it."""
        return str(Path(self.activations[model.name, dataset], model.shard_name(shard)).with_suffix(MARK_SUFFIX))

    def marks_for(self, wildcards: Any) -> list[str]:
        """Return the marks of the shards on which a model's probes of a data set depend."""
        self._current(self.probes[wildcards.model, wildcards.dataset], wildcards.digest)
        model = self.study.model(wildcards.model)
        return [self.mark(model, wildcards.dataset, shard) for shard in range(model.shards)]

    def activations_for(self, wildcards: Any) -> str:
        """Return the activations that are probed."""
        return self.activations[wildcards.model, wildcards.dataset]

    def _current(self, path: str, found: str) -> None:
        if Path(path).stem.rpartition("-")[2] != found:
            raise SettingsError(
                f"the digest {found} is not that of today's code and configuration",
                file=path,
                likely="the path of an older run was asked for",
                do="ask for a study, not for a path with a digest",
            )

    def stamp(self, stage: str) -> str:
        """Return the file in the folder of a last stage, statistics or figures, whose name says what made the folder.

        The folder has no digest, so that a reader finds it. The file comes and goes with the folder, which a stage
        replaces as a whole: a failed job leaves the old one.
        """
        return f"{RESULTS}/studies/{self.study.name}/{stage}/.made-of-{self.manifest()[stage]}.json"

    def output_folder(self, wildcards: Any, output: Any) -> str:
        """Return the folder of a rule's first output."""
        return str(Path(output[0]).parent)

    def input_folder(self, wildcards: Any, input: Any) -> str:
        """Return the folder of a rule's first input."""
        return str(Path(input[0]).parent)

    def manifest(self) -> dict[str, Any]:
        """Return what the study is made of now: every current path, and the digests of statistics and figures."""
        return {
            "study": self.study.name,
            "datasets": sorted(self.tables.values()),
            "tokens": sorted(self.tokens.values()),
            "activations": sorted(self.activations.values()),
            "probes": sorted(self.probes.values()),
            "statistics": self._statistics,
            "figures": fingerprint("figures", {"statistics": self._statistics}),
        }

    @cached_property
    def _statistics(self) -> str:
        made_of = {
            "probes": sorted(self.probes.values()),
            "models": [model.name for model in self.study.models],
            "bootstrap": vars(self.study.bootstrap),
            "seed": self.study.seed,
            "tasks": [task.name for task in self.study.tasks],
        }
        return fingerprint("statistics", made_of)

    def write_manifest(self, folder: Path) -> None:
        """Write manifest.json into a study's folder: which folders it stands on."""
        with replace_file(folder / "manifest.json") as temporary:
            temporary.write_text(json.dumps(self.manifest(), indent=2) + "\n", encoding="utf-8")


def _shown(path: Path) -> Path:
    """Return a path as relative as it can be: commands are to be read, and a moved repository is the same one."""
    return Path(os.path.relpath(path)) if path.is_relative_to(Path.cwd()) else path


def _weights(model: Model) -> dict[str, str]:
    endings: tuple[str, ...] = WEIGHTS if model.seed is None else ("config.json",)
    if "pickled_weights" in model.allow:
        endings += PICKLED
    return _files(model, endings + _own_code(model))


def _own_code(model: Model) -> tuple[str, ...]:
    return (".py",) if "remote_code" in model.allow else ()


def _files(model: Model, endings: Sequence[str]) -> dict[str, str]:
    try:
        return folder_digest(model.folder, endings)
    except OSError as error:
        raise SettingsError(f"model {model.name} has no folder: {error}", file=model.folder, do=settings.DO) from error
