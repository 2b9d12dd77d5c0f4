"""Where every artefact of a study stands: paths that end in the digest of what made them. The Snakefile asks here.

A path that exists is valid, so nothing is computed again for nothing and nothing is stale. Paths are relative to the
working directory. Standard library, YAML and JSON schema only.
"""

import json
import os
from collections.abc import Mapping, Sequence
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
TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json", "merges.txt")


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
            self.probes[TEXT_MODEL, name] = self._probes(dataset, TEXT_MODEL, of_tables)
            for model in study.models:
                self._add_model(dataset, model, of_tables)

    def _add_model(self, dataset: Dataset, model: Model, of_tables: str) -> None:
        name, owner = dataset.name, self.tokenizer_of(model)
        of_tokens = fingerprint(
            "tokens", {"tables": of_tables, "tokenizer": _files(model, TOKENIZER), "context": model.context()}
        )
        self.tokens[owner, name] = f"{RESULTS}/tokens/{owner}/{name}-{of_tokens}"
        weights = _files(model, WEIGHTS if model.seed is None else ("config.json",))
        made_of = {"tokens": of_tokens, "weights": weights, "twin": model.seed, "dtype": model.dtype}
        of_states = fingerprint("activations", {**made_of, "layers": self.study.layers_of(model)})
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
        """Return the model that names the tokens: the first of the same folder, so that twins share them."""
        return next(other.name for other in self.study.models if other.folder == model.folder)

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

    def tokens_for(self, wildcards: Any) -> list[str]:
        """Return the tokens of all data sets that a model reads."""
        self._current(self.listing(wildcards.model), wildcards.digest)
        owner = self.tokenizer_of(self.study.model(wildcards.model))
        return [self.tokens[owner, name] for name in self.study.probed]

    def activations_of(self, wildcards: Any) -> list[str]:
        """Return the folders of a model's activations, in the order of `tokens_for`."""
        return [self.activations[wildcards.model, name] for name in self.study.probed]

    def listing(self, model: str) -> str:
        """Return the file that says that all activations of a model are there.

        It stands for folders, so that one job loads the model once and extracts only what is new. Where a folder is
        gone, the file says what is no longer true and is taken back.
        """
        folders = [self.activations[model, name] for name in self.study.probed]
        path = Path(RESULTS, "activations", model, f"all-{digest(folders)}.json")
        if path.is_file() and not all(Path(folder).is_dir() for folder in folders):
            path.unlink()
        return str(path)

    def listing_for(self, wildcards: Any) -> str:
        """Return the listing on which a model's probes depend."""
        self._current(self.probes[wildcards.model, wildcards.dataset], wildcards.digest)
        return self.listing(wildcards.model)

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

    def manifest(self) -> dict[str, Any]:
        """Return what the study is made of now: every current path, and the digests of statistics and figures."""
        probes = sorted(self.probes.values())
        boot = {
            "bootstrap": vars(self.study.bootstrap),
            "seed": self.study.seed,
            "tasks": [t.name for t in self.study.tasks],
        }
        models = [model.name for model in self.study.models]
        statistics = fingerprint("statistics", {"probes": probes, "models": models, **boot})
        return {
            "study": self.study.name,
            "datasets": sorted(self.tables.values()),
            "tokens": sorted(self.tokens.values()),
            "activations": sorted(self.activations.values()),
            "probes": probes,
            "statistics": statistics,
            "figures": fingerprint("figures", {"statistics": statistics}),
        }

    def write_manifest(self, stage: str) -> str:
        """Write manifest.json, and the digest of a last stage (statistics or figures); return the path of the latter.

        The folders of these stages carry no digest, so that a reader finds them: they depend on this file instead. Both
        files are written only when their content changes, and so their times say when that was.
        """
        folder, content = Path(RESULTS, "studies", self.study.name), self.manifest()
        _write_changed(folder / "manifest.json", json.dumps(content, indent=2) + "\n")
        return _write_changed(folder / "digests" / stage, content[stage] + "\n")


def _shown(path: Path) -> Path:
    """Return a path as relative as it can be: commands are to be read, and a moved repository is the same one."""
    return Path(os.path.relpath(path)) if path.is_relative_to(Path.cwd()) else path


def _write_changed(path: Path, text: str) -> str:
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        with replace_file(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return str(path)


def _files(model: Model, endings: Sequence[str]) -> dict[str, str]:
    try:
        return folder_digest(model.folder, endings)
    except OSError as error:
        raise SettingsError(f"model {model.name} has no folder: {error}", file=model.folder, do=settings.DO) from error
