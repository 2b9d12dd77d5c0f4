"""Make the study's environment from a lock file, or find that it is there already.

In: a lock file of this folder and the folder of the environment. Out: a virtual environment that
holds the lock's pins and the package, and passes `pip check`; for a lock of tools, which has no
torch, without the package, whose needs are not there. First of all comes the pip of pip.lock,
since what a Python brings may be years older and slower. Then two steps, because torch is
published as several builds under one version (CPU only, or with a set of CUDA libraries), so that
one list of hashes cannot name them all:

1. everything but torch and its GPU libraries, by hash and without resolving anything;
2. torch by its pin, where there is one. What torch itself asks for is held to the lock by
   constraints, except for the GPU libraries of its own build, which it pins in its own metadata.

A stamp in the environment, named after the digest of what it was made from, says that it is
finished; it is written last. A mark of its own says that an installation has begun: where one is
found, the installation was killed, and since pip may have left half a package, the environment is
made anew. A lock, which pip inherits, lets a second installation wait for the first, and for a pip
that outlives its killed caller. pip is called as it is configured: indexes, folders of wheels, certificates and proxies
are the user's. Byte code is not written here, only when a module is first imported: most never are.
Only the standard library is imported, since nothing else is there yet.

Cost: minutes and 1 to 5 GB the first time (most of it torch), a tenth of a second when finished.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import importlib.util
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LOG = logging.getLogger("install")
OLDEST, NEWEST = (3, 11), (3, 13)
BUILD_DEPENDENT = re.compile(r"torch|triton|nvidia-.*|cuda-.*")
ENTRY = re.compile(r"(?P<name>[a-z0-9][a-z0-9.-]*)==(?P<version>[^\s;]+)(?:\s*;\s*(?P<marker>.+))?")
HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})")
BEGUN, LOCKED = "begun", "lock"
PIP = Path(__file__).with_name("pip.lock")


class InstallError(SystemExit):
    """An environment that cannot be made: leaves with the message and exit code 1."""


@dataclass(frozen=True)
class Pin:
    """One entry of a lock file; a package has several where its version depends on the platform.

    `marker` is the condition under which the entry holds ('' for always), `hashes` are those of every
    file published under this version.
    """

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]

    @property
    def requirement(self) -> str:
        """The entry as pip reads it, without its hashes."""
        return f"{self.name}=={self.version}" + (f" ; {self.marker}" if self.marker else "")

    @property
    def depends_on_build(self) -> bool:
        """Whether this is torch or one of the GPU libraries that a build of torch brings along."""
        return BUILD_DEPENDENT.fullmatch(self.name) is not None


def read_pins(lock: Path) -> tuple[Pin, ...]:
    """Return the entries of a lock file, in its order.

    Raises
    ------
    InstallError
        If a line is neither a pin nor a hash, or a pin has no hash.
    """
    pins = []
    text = lock.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = ENTRY.fullmatch(line.split("--hash")[0].strip())
        hashes = tuple(HASH.findall(line))
        if match is None or not hashes:
            found = " ".join(line.split())[:60]
            message = f"expected NAME==VERSION --hash=sha256:..., found {found!r}"
            raise InstallError(f"{lock}: {message}\n  likely: edited by hand\n  do:     make lock")
        pins.append(Pin(match["name"], match["version"], match["marker"] or "", hashes))
    return tuple(pins)


def hashed_lines(pins: tuple[Pin, ...]) -> list[str]:
    """Return what step 1 installs, as the lines of a requirements file."""
    exact = (pin for pin in pins if not pin.depends_on_build)
    return [" ".join([pin.requirement, *(f"--hash={value}" for value in pin.hashes)]) for pin in exact]


def constraint_lines(pins: tuple[Pin, ...]) -> list[str]:
    """Return what step 2 is held to, as the lines of a constraints file."""
    return [pin.requirement for pin in pins if not pin.depends_on_build]


def torch_requirement(pins: tuple[Pin, ...], lock: Path) -> str | None:
    """Return the requirement of step 2; None for a lock of tools, which has nothing that depends on the build.

    Raises
    ------
    InstallError
        If the lock pins torch more than once, or only what depends on it.
    """
    found = [pin.requirement for pin in pins if pin.name == "torch"]
    if len(found) != 1 and any(pin.depends_on_build for pin in pins):
        raise InstallError(f"{lock}: expected one pin of torch, found {len(found)}\n  do:     make lock")
    return found[0] if found else None


def check_python(version: tuple[int, int], *, makes_environments: bool) -> None:
    """Refuse a Python for which the lock names no wheels, or which cannot make an environment.

    Raises
    ------
    InstallError
        If `version` (major, minor) lies outside 3.11 to 3.13, or `makes_environments` is false.
    """
    if not OLDEST <= version <= NEWEST:
        names = [f"{major}.{minor}" for major, minor in (version, OLDEST, NEWEST)]
        raise InstallError(
            f"Python {names[0]} cannot run the study; expected {names[1]} to {names[2]}\n"
            f"  file:   {sys.executable}\n"
            f"  do:     name another, as in `make setup PYTHON=python{names[2]}`"
        )
    if not makes_environments:
        raise InstallError(
            "this Python cannot make virtual environments: it comes without ensurepip\n"
            f"  file:   {sys.executable}\n"
            "  do:     install its venv package (python3-venv on Debian and Ubuntu), or name another"
        )


def digest(lock: Path, project: Path) -> str:
    """Return the SHA-256 of what an environment is made from: lock, pip's, this file, the package's metadata."""
    total = hashlib.sha256()
    for path in (lock, PIP, Path(__file__), project / "pyproject.toml"):
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def stamp(environment: Path, lock: Path, project: Path) -> Path:
    """Return the path of the stamp which says that `environment` holds `lock`."""
    return environment / f"{lock.stem}-{digest(lock, project)}.stamp"


def covered(lock: Path) -> list[Path]:
    """Return the lock files of the same folder whose pins all stand in `lock`, itself included.

    So an environment for development counts as one for the study, and the two do not take turns.
    """
    pins = set(read_pins(lock))
    return [other for other in sorted(lock.parent.glob("*.lock")) if pins.issuperset(read_pins(other))]


def usable(environment: Path) -> bool:
    """Whether there is an environment that no killed installation has left behind."""
    return (environment / "bin" / "python").exists() and not (environment / BEGUN).exists()


@contextmanager
def alone(environment: Path) -> Iterator[None]:
    """Hold the environment's lock, after waiting for whoever holds it.

    Every pip started inside inherits the open file, and the lock lasts until the last of them ends.
    """
    environment.mkdir(exist_ok=True)
    held = os.open(environment / LOCKED, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        os.set_inheritable(held, True)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            LOG.info("%s: waiting for another installation to end", environment.name)
            fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def begin(environment: Path) -> None:
    """Make the virtual environment unless there is a usable one, and take back what says it is finished."""
    begun = environment / BEGUN
    if not usable(environment):
        begun.touch()
        for path in environment.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name not in (BEGUN, LOCKED):
                path.unlink()
        venv.create(environment, with_pip=True, symlinks=True)
    begun.touch()
    for path in environment.glob("*.stamp"):
        path.unlink()


def pip(environment: Path, *commands: tuple[str, ...]) -> None:
    """Run commands of the environment's pip side by side; leave with the exit code of one that fails."""
    program = [str(environment / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    running = [subprocess.Popen([*program, *command], close_fds=False) for command in commands]
    failed = [code for code in [one.wait() for one in running] if code]
    if failed:
        raise SystemExit(failed[0])


def install(environment: Path, lock: Path, project: Path) -> None:
    """Install the pins of `lock`; then, where torch is one of them, the package of the folder `project`, editable."""
    pins = read_pins(lock)
    torch = torch_requirement(pins, lock)
    options = ("install", "--no-compile", "--quiet", "--progress-bar=off")
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder, "constraints.txt")
        constraints.write_text("\n".join(constraint_lines(pins)), encoding="utf-8")
        LOG.info("%s: installing what stands in %s, some minutes", environment.name, lock.name)
        hashed = (*options, "--no-deps", "--require-hashes", "--requirement")
        pip(environment, (*hashed, str(PIP)))
        halves = [Path(folder, f"hashed-{place}.txt") for place in range(2)]
        for place, half in enumerate(halves):
            half.write_text("\n".join(hashed_lines(pins)[place::2]), encoding="utf-8")
        # Nothing is resolved, so neither half looks at the other: pip is busy with one processor's work.
        pip(environment, *((*hashed, str(half)) for half in halves))
        if torch is not None:
            LOG.info("%s: installing %s", environment.name, torch)
            pip(environment, (*options, "--constraint", str(constraints), torch))
    if torch is not None:
        pip(environment, (*options, "--no-deps", "--no-build-isolation", "--editable", str(project)))
    pip(environment, ("check",))


def main() -> None:
    """Make the environment that the command line names, unless its stamp is there."""
    parser = argparse.ArgumentParser(description="Make the study's environment from a lock file.")
    parser.add_argument("lock", type=Path, help="a lock file, as envs/study.lock")
    parser.add_argument("--environment", type=Path, default=Path(".venv"), help="folder of the environment")
    parser.add_argument("--project", type=Path, default=Path(), help="folder of the package's pyproject.toml")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    environment, lock, project = arguments.environment, arguments.lock, arguments.project
    stamped = stamp(environment, lock, project)
    if usable(environment) and stamped.exists():
        return
    if not usable(environment):
        version = (sys.version_info[0], sys.version_info[1])
        check_python(version, makes_environments=importlib.util.find_spec("ensurepip") is not None)
    with alone(environment):
        if usable(environment) and stamped.exists():
            return
        start = time.monotonic()
        begin(environment)
        install(environment, lock, project)
        for path in covered(lock):
            stamp(environment, path, project).touch()
        (environment / BEGUN).unlink()
        LOG.info("%s: finished in %.0f s", environment.name, time.monotonic() - start)


if __name__ == "__main__":
    main()
