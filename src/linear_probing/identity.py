"""What names the content of what a study reads: files of the repository and of the user, models, other classes.

Digests of files, or what stands for them where they are fetched. Standard library only.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from difflib import get_close_matches
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from linear_probing import sources
from linear_probing.provenance import PACKAGE, ROOT, constant, file_digest, folder_digest
from linear_probing.settings import DO, Dataset, Model, SettingsError
from linear_probing.stage import StudyError

WEIGHTS = (".safetensors", ".index.json", "config.json", "generation_config.json")
PICKLED = (".bin", ".pt", ".pth")
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


def package_of(path: str | None) -> str:
    """Return what a class outside the locked packages is made of: its package's version, or its module's digest.

    Raises
    ------
    SettingsError
        If there is no such module.
    """
    top = (path or "").partition(".")[0]
    if top in ("", "sklearn"):
        return ""
    with suppress(PackageNotFoundError):
        return version(top)
    module = str(path).rpartition(".")[0]
    try:
        origin = getattr(find_spec(module), "origin", None)
    except (ImportError, ValueError):
        origin = None
    if origin is None or not Path(origin).is_file():  # of Python's own core: 'built-in', 'frozen'
        what = "cannot be imported" if origin is None else "is no module that has a file"
        raise SettingsError(f"probes: {module} {what}", likely="a misspelt path", do=DO)
    return file_digest(Path(origin))


def sources_of(module: str) -> dict[str, str]:
    """Return the digests of the files that a module names in its constants SOURCES and, if they are there, OPTIONAL."""
    try:
        optional = [name for name in constant(module, "OPTIONAL") or () if (ROOT / name).is_file()]
        return {name: _source(name) for name in (*(constant(module, "SOURCES") or ()), *optional)}
    except ValueError as error:
        file = PACKAGE.joinpath(*module.split(".")).with_suffix(".py")
        raise StudyError(
            "SOURCES is no literal", file=file, do='write the names out: SOURCES = ("data/lexicons/nouns.csv",)'
        ) from error


def files_of(dataset: Dataset, configuration: Path) -> dict[str, str]:
    """Return the SHA-256 of the files that a data set is read from, by their names in the configuration."""
    found: dict[str, str] = {}
    where: dict[Path, str] = {}
    for name in dataset.files:
        source, path = sources.known().get(name), (ROOT / name).resolve()
        what = None
        if path in where:
            what = f"{name} is {where[path]} once more, so that its rows would count twice"
        elif source and path.is_file():
            what = f"{name} is a name of data/sources.csv and a file of yours"
        elif set("{}") & set(name):
            what = f"{name} has a brace in its path, which the workflow takes for a wildcard"
        if what:
            subject = f"datasets.{dataset.name}.files: {what}"
            raise SettingsError(subject, file=configuration, do=f"name it once, or rename it; {DO}")
        where[path] = name
        try:
            found[name] = source.sha256 if source else file_digest(ROOT / name)
        except OSError as error:
            near = get_close_matches(name, sources.known())
            raise SettingsError(
                f"datasets.{dataset.name}.files: {name} is no name of data/sources.csv, and no file: {error.strerror}",
                file=configuration,
                likely=f"{near[0]} was meant" if near else "a misspelt path; relative ones start at the repository",
                do=DO,
            ) from error
    return found


def classes(model: Model) -> dict[str, Any]:
    """Return what transformers takes a tokenizer's class from, where tokenizer_config.json does not name it.

    Of a fetched model nothing: the files that are fetched do not change.
    """
    if model.origin:
        return {}
    try:
        content = json.loads((model.folder / "config.json").read_text(encoding="utf-8"))
        return {key: content.get(key) for key in ("model_type", "tokenizer_class")}
    except (OSError, ValueError, AttributeError, RecursionError):  # `context` has said so before
        return {}


def _source(name: str) -> str:
    try:
        return file_digest(ROOT / name)
    except OSError as error:
        raise StudyError(
            f"{name} cannot be read: {error.strerror}", file=ROOT / name, do=f"restore it: git checkout -- {name}"
        ) from error


def weights(model: Model) -> dict[str, str]:
    """Return what a model's states are of; of a fetched one the digest of all that was fetched, a twin's too."""
    endings: tuple[str, ...] = WEIGHTS if model.seed is None else ("config.json",)
    if "pickled_weights" in model.allow:
        endings += PICKLED
    return _files(model, endings + _own_code(model))


def tokenizer(model: Model) -> dict[str, str]:
    """Return what a model's tokenizer is of; of a fetched one the digest of all that was fetched."""
    return _files(model, TOKENIZER + _own_code(model))


def _own_code(model: Model) -> tuple[str, ...]:
    return (".py",) if "remote_code" in model.allow else ()


def _files(model: Model, endings: Sequence[str]) -> dict[str, str]:
    if model.download is not None:
        return {"download": model.download.digest}
    try:
        return folder_digest(model.folder, endings)
    except OSError as error:
        raise SettingsError(f"model {model.name} has no folder: {error}", file=model.folder, do=DO) from error
