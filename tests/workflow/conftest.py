"""A clone of the working tree in which the tiny study has run once."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Clone:
    """A copy of the repository; its commands see its own package, not the installed one."""

    folder: Path

    def run(self, *command):
        paths = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        environment = {**os.environ, "PYTHONPATH": str(self.folder / "src"), "PATH": paths}
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)

    def snakemake(self, *arguments, config="config/tiny.yaml"):
        return self.run("snakemake", "--cores", "2", "--configfile", config, *arguments)

    def planned(self, config="config/tiny.yaml"):
        """Return how many jobs of each rule a run would start; the rules of one stage's jobs count as that stage."""
        done = self.snakemake("--dry-run", config=config)
        assert done.returncode == 0, done.stderr
        table = re.search(r"Job stats:\n.*?\n-+ +-+\n(.*?)\n\n", done.stdout, re.S)
        rows = dict(line.split() for line in table[1].splitlines()) if table else {}
        counted: Counter[str] = Counter()
        for rule, count in rows.items():
            if rule not in ("all", "total"):
                counted[rule.split("_")[0]] += int(count)
        return dict(counted)

    def edit(self, path, old, new):
        file = self.folder / path
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1))

    def copy(self, target):
        shutil.copytree(self.folder, target, symlinks=True)
        return Clone(target)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clone") / "repository"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    clone = Clone(folder)
    done = clone.snakemake()
    assert done.returncode == 0, done.stderr[-3000:]
    return clone


@pytest.fixture
def clone(finished, tmp_path):
    """Return a copy of the finished clone, free to be edited."""
    return finished.copy(tmp_path / "repository")
