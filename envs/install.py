"""Install one lock file into the environment of the Python that runs this.

In: a lock file of this folder (study.lock or develop.lock). Out: an environment that holds its pins
and passes `pip check`. Two steps, because torch is published as several builds under one version
(CPU only, or with a set of CUDA libraries), so that one list of hashes cannot name them all:

1. everything but torch and its GPU libraries, by hash and without resolving anything;
2. torch by its pin. What torch itself asks for is held to the lock by constraints, except for the
   GPU libraries of its own build, which it pins in its own metadata.

pip is called as it is configured: indexes, folders of wheels, certificates and proxies are the
user's. Byte code is not written here, only when a module is first imported: most are never. Only
the standard library is imported, since nothing else is there yet.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

PYTHONS = ((3, 11), (3, 13))
BUILD_DEPENDENT = re.compile(r"(torch|triton|nvidia-.*|cuda-.*)$")
REQUIREMENT = re.compile(r"(?P<name>[a-z0-9][a-z0-9.-]*)==(?P<version>[^\s;]+)(?P<marker>\s*;[^\\]*)?")


def read_entries(lock: Path) -> dict[str, list[str]]:
    """Return the entries of a lock file: package name -> its lines, the requirement first."""
    entries: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in lock.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line[0].isspace():
            lines.append(line)
            continue
        match = REQUIREMENT.match(line)
        if match is None:
            raise SystemExit(f"{lock}: expected NAME==VERSION, found {line!r}\n  do: run `make lock`")
        lines = entries.setdefault(match["name"], [])
        lines.append(line)
    return entries


def requirement(entry: list[str]) -> str:
    """Return an entry's requirement with its marker and without its hashes."""
    return entry[0].rstrip("\\ ")


def pip(*arguments: str) -> None:
    """Run this environment's pip; leave with its exit code when it fails."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    completed = subprocess.run(command, check=False)
    if completed.returncode:
        raise SystemExit(completed.returncode)


def main() -> None:
    """Install the lock file named on the command line, then the package itself."""
    parser = argparse.ArgumentParser(description="Install a lock file into this environment.")
    parser.add_argument("lock", type=Path)
    parser.add_argument("--package", type=Path, help="then install this project, editable")
    arguments = parser.parse_args()
    entries = read_entries(arguments.lock)
    exact = [name for name in entries if not BUILD_DEPENDENT.match(name)]
    with tempfile.TemporaryDirectory() as folder:
        hashed = Path(folder, "exact.txt")
        hashed.write_text("\n".join("\n".join(entries[name]) for name in exact) + "\n")
        limits = Path(folder, "constraints.txt")
        limits.write_text("\n".join(requirement(entries[name]) for name in exact) + "\n")
        install = ("install", "--no-compile", "--quiet", "--progress-bar=off")
        pip(*install, "--no-deps", "--require-hashes", "--requirement", str(hashed))
        pip(*install, "--constraint", str(limits), requirement(entries["torch"]))
    if arguments.package:
        pip(*install, "--no-deps", "--no-build-isolation", "--editable", str(arguments.package))
    pip("check")


if __name__ == "__main__":
    main()
