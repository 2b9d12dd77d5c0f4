"""Install the packages that ship the models of a configuration, beside the environment's own packages.

    .venv/bin/python envs/models.py CONFIGURATION

Only the versions in models.lock, by hash and without what they depend on: the study reads their
weights and runs none of their code. They go into the folder `models` of the environment, as without
their dependencies they would count as broken in it. What is there already is left; a configuration
that names no such package costs a second, one that cannot be read is left to the workflow, which
says what is wrong.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from linear_probing import settings
from linear_probing.fetching.packages import BESIDE, installed
from linear_probing.language_model import Package
from linear_probing.stage import StudyError

LOCK = Path(__file__).with_name("models.lock")


def absent(configuration: Path) -> list[Package]:
    """Return the packages that a configuration's models come from and that are not installed in this version."""
    origins = {model.origin for model in settings.load(configuration).models if isinstance(model.origin, Package)}
    found = {origin: installed(origin.package) for origin in origins}
    return [one for one, here in found.items() if here is None or here.version != one.version]


def locked_lines(origin: Package) -> str:
    """Return what the lock says of a package: its pin and hashes.

    Raises
    ------
    SystemExit
        If the lock has no such pin.
    """
    entries = LOCK.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    pin = f"{origin.package}=={origin.version} "
    line = next((entry for entry in entries if entry.startswith(pin)), None)
    if line is None:
        sys.exit(f"{LOCK}: no entry of {pin}\n  do:     add it to envs/models.in and run make lock")
    return line


def main() -> None:
    """Install what is absent."""
    try:
        needed = absent(Path(sys.argv[1]))
    except StudyError:
        return
    for origin in needed:
        with tempfile.TemporaryDirectory() as folder:
            listed = Path(folder, "models.txt")
            listed.write_text(locked_lines(origin) + "\n", encoding="utf-8")
            sys.stderr.write(f"installing {origin.package}=={origin.version} into {BESIDE}\n")
            options = [
                "--no-deps",
                "--require-hashes",
                "--quiet",
                "--upgrade",
                "--target",
                str(BESIDE),
                "-r",
                str(listed),
            ]
            done = subprocess.run([sys.executable, "-m", "pip", "install", *options], check=False)
        if done.returncode:
            sys.exit(done.returncode)


if __name__ == "__main__":
    main()
