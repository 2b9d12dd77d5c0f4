"""What the rules ask of a study: its configuration, a job's inputs and parameters, and which extractions there are.

The functions that take wildcards are the rules' input and parameter functions. Standard library and YAML only.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linear_probing import settings
from linear_probing.artefacts import DEFAULT, FILE_SUFFIX, MANIFEST, Artefacts, shown
from linear_probing.identity import PICKLED, WEIGHTS
from linear_probing.provenance import ROOT, digest
from linear_probing.settings import Model, SettingsError
from linear_probing.sources import Source, known
from linear_probing.stage import StudyError

CAPTIONS = "captions.json"


@dataclass(frozen=True)
class Extraction:
    """One job: a shard of some data sets through one model. `signs` are the files that say that they are there."""

    rule: str
    model: str
    shard: int
    gpus: int
    memory_mb: int
    priority: int
    tokens: list[str]
    folders: list[str]
    token_records: list[str]
    fetched: list[str]
    signs: list[str]
    digest: str


class Captions:
    """What Snakemake's report says of a study's figures: the caption and the heading that captions.json has for each.

    Read when a report asks; a figure without an entry is shown without words. In a report's list of parameters it
    stands as its file.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def __str__(self) -> str:
        return str(self.file)

    __repr__ = __str__

    def caption(self, figure: str) -> str:
        """Return a figure's caption as reStructuredText, in which its characters stand for themselves."""
        return re.sub(r"([\\*_`|<>])", r"\\\1", self._entry(figure).get("caption", ""))

    def category(self, figure: str) -> str:
        """Return a figure's heading."""
        return self._entry(figure).get("category", "Figures")

    def _entry(self, figure: str) -> dict[str, str]:
        try:
            return dict(json.loads(self.file.read_text(encoding="utf-8"))[figure])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return {}


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
    # Whole where a command would take it for an option.
    return path if str(shown(path)).startswith("-") else shown(path)


def folder_of(which: str, name: str | int) -> Callable[..., str]:
    """Return a parameter function: the folder of the job's `input` or `output` of this name or number."""
    if which == "input":
        return lambda wildcards, input: str(Path(_one(input, name)).parent)
    return lambda wildcards, output: str(Path(_one(output, name)).parent)


def folders_of(name: str) -> Callable[..., list[str]]:
    """Return a parameter function: the folders of all of the job's inputs of this name, each once."""
    return lambda wildcards, input: list(dict.fromkeys(str(Path(path).parent) for path in getattr(input, name)))


def _one(files: Any, name: str | int) -> str:
    found = files[name] if isinstance(name, int) else getattr(files, name)
    return found if isinstance(found, str) else found[0]


def growing(amount: int, per_thread: int = 0) -> Callable[..., int]:
    """Return a resource function: an amount for the first attempt, doubled for each one after a failure.

    A job on a cluster dies when it needs more memory or minutes than it asked for; the profile says how often it is
    tried again. `per_thread` is added for each thread.

    Examples
    --------
    >>> growing(1000, 500)(None, threads=2, attempt=3)
    8000
    """
    return lambda wildcards, threads, attempt: (amount + per_thread * threads) * 2 ** (attempt - 1)


def memory_mb(model: Model) -> int:
    """Return the megabytes that an extraction asks for first: twice the weights, which loading may need, and 1,500.

    The weights' bytes are those of the files, or of a fetched model those of its shape.
    """
    if model.shape is not None:
        weights = model.shape.n_parameters * (4 if model.dtype == "float32" else 2)
    else:
        found = (path for path in model.folder.glob("*") if path.name.endswith((*WEIGHTS, *PICKLED)))
        weights = sum(path.stat().st_size for path in found)
    return 1500 + 2 * weights // 1_000_000


class Jobs(Artefacts):
    """The jobs of one study, and what they read and write."""

    def claim(self, dry: bool) -> None:
        """Take the study's folder for this configuration; where nothing is left to do, bring its manifest up to date.

        Before the first job of a run the manifest is written anyway; Snakemake says nothing where there is no job.

        Raises
        ------
        SettingsError
            If the folder is that of another configuration, of the same name.
        """
        other = self._other_configuration()
        if other is not None:
            raise SettingsError(
                f"the results of the study {self.study.name} are those of {other}",
                file=self.study.file,
                likely="a configuration was copied, and kept its name",
                do="give it a `name` of its own",
            )
        if not dry and Path(self.record(self.figures)).is_file():
            self.write_manifest()

    def _other_configuration(self) -> Path | None:
        try:
            content = json.loads(Path(self.figures).with_name(MANIFEST).read_text(encoding="utf-8"))
            named = Path(content["configuration"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        with suppress(StudyError):
            if named.resolve() != self.study.file.resolve() and settings.load(named).name == self.study.name:
                return named
        return None

    @property
    def captions(self) -> Captions:
        """The captions of the study's figures, for Snakemake's report."""
        return Captions(Path(self.figures, CAPTIONS))

    def configuration_for(self, wildcards: Any, input: Any) -> str:
        """Return the configuration file, which every command names.

        As it takes `input`, Snakemake holds it for derived from the input and does not run a job again for another file
        name: what a job takes from the file is in the digest of its output.
        """
        return str(self.study.file)

    def sources_for(self, wildcards: Any) -> list[str]:
        """Return the files a data set is built from, besides its parameters; of what is fetched, the record."""
        folder = self._current(self.tables[wildcards.dataset], wildcards.digest)
        named = [name for name in self.made[folder].made_of["sources"] if name not in known()]
        fetched = self._there([self.record(one) for one in self.inputs[folder]], folder)
        return [*(str(shown(ROOT / source)) for source in named), *fetched]

    def fetched_for(self, wildcards: Any) -> list[str]:
        """Return the record of the model's folder that tokens are made with, if it is fetched."""
        folder = self._current(self.tokens[wildcards.model, wildcards.dataset], wildcards.digest)
        return self._there(self._fetched(self.study.model(wildcards.model)), folder)

    def _fetched(self, model: Model) -> list[str]:
        return [self.record(str(model.folder))] if model.origin else []

    def notices(self) -> list[str]:
        """Return what to know of the licences of public files that are to be fetched; nothing once they are."""
        public = [(Path(self.record(folder)), item) for folder, item in self.downloads.items()]
        return [
            f"{item.name}: {item.licence}; {item.notice}"
            for record, item in public
            if isinstance(item, Source) and item.notice and not record.is_file()
        ]

    def tables_for(self, wildcards: Any) -> str:
        """Return the record of a data set."""
        return self.record(self.tables[wildcards.dataset])

    def states_for(self, wildcards: Any) -> list[str]:
        """Return the files that say that the shards are there on which a model's probes of a data set depend."""
        probes = self._current(self.probes[wildcards.model, wildcards.dataset], wildcards.digest)
        states = self._signs(self.study.model(wildcards.model), [wildcards.dataset])
        return self._there(states, probes) if Path(self.tables_for(wildcards)).is_file() else states

    def tables_of_transfer(self, wildcards: Any) -> list[str]:
        """Return the records of the data sets that have a binary task."""
        transfer = self._current(self.transfer[wildcards.model], wildcards.digest)
        return self._there([self.record(self.tables[name]) for name in self.transferred], transfer)

    def states_of_transfer(self, wildcards: Any) -> list[str]:
        """Return the files that say that a model's shards of these data sets are there."""
        states = self._signs(self.study.model(wildcards.model), self.transferred)
        return self._there(states, self.transfer[wildcards.model])

    def probes_of_transfer(self, wildcards: Any) -> list[str]:
        """Return the records of a model's probes of these data sets."""
        probes = [self.record(self.probes[wildcards.model, name]) for name in self.transferred]
        return self._there(probes, self.transfer[wildcards.model])

    def tables_of_interventions(self, wildcards: Any) -> list[str]:
        """Return the records of all data sets that interventions read."""
        asked = self.study.interventions
        return self._of_interventions(wildcards, [self.tables[name] for name in asked.datasets] if asked else [])

    def tokens_of_interventions(self, wildcards: Any) -> list[str]:
        """Return the records of the tokens of the data sets that are edited."""
        owner = self.tokenizer_of(self.study.model(wildcards.model))
        edited = self.edited(wildcards.dataset)
        return self._of_interventions(wildcards, [self.tokens[owner, name] for name in edited])

    def states_of_interventions(self, wildcards: Any) -> list[str]:
        """Return the files that say that a model's shards of these data sets are there."""
        states = self._signs(self.study.model(wildcards.model), self.edited(wildcards.dataset))
        return self._there(states, self.interventions[wildcards.model, wildcards.dataset])

    def probes_of_interventions(self, wildcards: Any) -> list[str]:
        """Return the records of a model's probes of all data sets that are intervened on."""
        return self._of_interventions(wildcards, [self.probes[wildcards.model, name] for name in self.intervened])

    def _of_interventions(self, wildcards: Any, folders: Sequence[str]) -> list[str]:
        reader = self._current(self.interventions[wildcards.model, wildcards.dataset], wildcards.digest)
        return self._there([self.record(folder) for folder in folders], reader)

    def gpus_of(self, wildcards: Any) -> int:
        """Return how many GPUs a job of a model holds."""
        return self.study.model(wildcards.model).n_gpus

    def memory_of(self, wildcards: Any, attempt: int) -> int:
        """Return the megabytes that a job which loads a model asks for, doubled after each failure."""
        return memory_mb(self.study.model(wildcards.model)) * 2 ** (attempt - 1)

    def _signs(self, model: Model, names: Sequence[str]) -> list[str]:
        return [self.sign(model, name, shard) for name in names for shard in range(model.shards)]

    def _there(self, files: Sequence[str], reader: str) -> list[str]:
        """Return what a folder is made from; where the folder is there, only what is there too.

        What another job makes again would be newer than the folder, and Snakemake would make that again, although it
        is called ancient.
        """
        made = Path(self.record(reader)).is_file()
        return [file for file in files if not made or Path(file).is_file()]

    def sign(self, model: Model, dataset: str, shard: int) -> str:
        """Return the file that says that a shard is there: its record; where the file of a record is gone, that file.

        So a record that says what is no longer true makes nobody believe it, and reading the Snakefile changes nothing.
        """
        record = Path(self.shard_record(model, dataset, shard))
        file = record.with_suffix(FILE_SUFFIX)
        return str(file if record.is_file() and not file.is_file() else record)

    def extractions(self) -> list[Extraction]:
        """Return the extraction jobs that there is work for.

        What is there is valid, since its path says what made it, and belongs to no job: a study with fewer or other
        data sets plans nothing for those it shares. A job loads a model once for all data sets that are absent; where
        the probes of some are there, these are a job of their own, which only the target `activations` asks for.
        """
        return [
            self._extraction(model, shard, names, kind)
            for model in self.study.models
            for shard in range(model.shards)
            for kind, names in self._absent(model, shard).items()
            if names
        ]

    def _absent(self, model: Model, shard: int) -> dict[str, list[str]]:
        """Return the data sets that are not extracted: those that are to be probed, and those that were."""
        found: dict[str, list[str]] = {"": [], "_again": []}
        for name in self.study.probed:
            if not Path(self.sign(model, name, shard)).is_file():
                read_by = [self.probes[model.name, name]]
                if model.name in self.transfer and name in self.transferred:
                    read_by.append(self.transfer[model.name])
                edited = self.interventions.items()
                read_by += [one for (who, of), one in edited if who == model.name and name in self.edited(of)]
                probed = all(Path(self.record(folder)).is_file() for folder in read_by)
                found["_again" if probed else ""].append(name)
        return found

    def _extraction(self, model: Model, shard: int, names: Sequence[str], kind: str) -> Extraction:
        tokens = [self.tokens[self.tokenizer_of(model), name] for name in names]
        signs = [self.sign(model, name, shard) for name in names]
        return Extraction(
            rule=f"activations_{model.name}_{shard}{kind}",
            model=model.name,
            shard=shard,
            gpus=model.n_gpus,
            memory_mb=memory_mb(model),
            # A later twin has few probes: they fill what time the long ones leave on other cores.
            priority=1 if self.study.is_later_twin(model) else 3,
            tokens=tokens,
            folders=[self.activations[model.name, name] for name in names],
            token_records=[self.record(folder) for folder in tokens],
            fetched=self._fetched(model),
            signs=signs,
            digest=digest(signs),
        )

    def all_states(self) -> list[str]:
        """Return the files that say that the shards of all models and data sets are there."""
        return [
            self.sign(model, name, shard)
            for model in self.study.models
            for name in self.study.probed
            for shard in range(model.shards)
        ]

    def records(self, folders: Mapping[Any, str]) -> list[str]:
        """Return the records of all folders of a stage, in the order of their entry."""
        return [self.record(folder) for folder in folders.values()]

    def _current(self, path: str, found: str) -> str:
        if Path(path).stem.rpartition("-")[2] != found:
            raise SettingsError(
                f"the digest {found} is not that of today's code and configuration",
                file=path,
                likely="the path of an older run was asked for",
                do="ask for a study, not for a path with a digest",
            )
        return path
