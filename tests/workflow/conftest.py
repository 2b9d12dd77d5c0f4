"""Clones of the working tree: one in which the tiny study has run, and two that share its results through DVC.

`finished` is a copy of the files, for what runs again after which change. `origin` is a git repository whose default
study is of the tiny one's size, made by `dvc repro` and pushed to a folder; `pulled` is a git clone of it, with an
environment of its own that `make setup` made, and nothing but what `dvc pull` brought.
"""

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
    programs: Path = Path(sys.executable).parent

    @property
    def environment(self):
        paths = os.pathsep.join([str(self.programs), os.environ["PATH"]])
        return {**os.environ, "PYTHONPATH": str(self.folder / "src"), "PATH": paths}

    def run(self, *command):
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )

    def done(self, *command):
        """Run a command that must succeed, and return what it printed."""
        result = self.run(*command)
        assert result.returncode == 0, f"{command}: {result.stdout[-1000:]}{result.stderr[-3000:]}"
        return result.stdout + result.stderr

    def snakemake(self, *arguments, config="config/tiny.yaml"):
        named = ["--configfile", config] if config else []
        return self.run("snakemake", "--cores", "2", *named, *arguments)

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
        shutil.copytree(self.folder, target, symlinks=True, ignore=shutil.ignore_patterns(".venv"))
        return Clone(target, self.programs)

    def files(self, place="results"):
        """Return the bytes of all files below a folder, by path."""
        paths = sorted((self.folder / place).rglob("*"))
        return {p.relative_to(self.folder).as_posix(): p.read_bytes() for p in paths if p.is_file()}


def copy_working_tree(folder):
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
    return Clone(folder)


@pytest.fixture
def bare(tmp_path):
    """Return a copy of the working tree without results, free to be edited."""
    return copy_working_tree(tmp_path / "repository")


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    clone = copy_working_tree(tmp_path_factory.mktemp("clone") / "repository")
    done = clone.snakemake()
    assert done.returncode == 0, done.stderr[-3000:]
    return clone


def commit(clone, message):
    clone.done("git", "add", "--all")
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    clone.done("git", *identity, "commit", "--quiet", "--message", message)


@pytest.fixture(scope="session")
def origin(tmp_path_factory):
    clone = copy_working_tree(tmp_path_factory.mktemp("origin") / "repository")
    lines = (clone.folder / "config" / "tiny.yaml").read_text().replace("name: tiny", "name: atlas").splitlines()
    small = [line for line in lines if not line.lstrip().startswith("cities")]
    (clone.folder / "config" / "study.yaml").write_text("\n".join(small) + "\n")
    clone.done("git", "init", "--quiet", "--initial-branch=main")
    commit(clone, "the project, with a small default study")
    clone.done("dvc", "repro")
    clone.done("dvc", "remote", "add", "--local", "--default", "store", str(clone.folder.parent / "store"))
    clone.done("dvc", "push")
    commit(clone, "its results")
    return clone


@pytest.fixture(scope="session")
def pulled(origin, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pulled") / "repository"
    origin.done("git", "clone", "--quiet", str(origin.folder), str(folder))
    clone = Clone(folder, folder / ".venv" / "bin")
    clone.done("make", "setup", f"PYTHON={sys.base_exec_prefix}/bin/python3")
    clone.done("dvc", "remote", "add", "--local", "--default", "store", str(origin.folder.parent / "store"))
    clone.done("dvc", "pull")
    return clone


@pytest.fixture
def second(pulled, tmp_path):
    """Return a copy of the pulled clone, with its environment, free to be edited; Snakemake remembers nothing there."""
    return pulled.copy(tmp_path / "repository")


@pytest.fixture
def clone(finished, tmp_path):
    """Return a copy of the finished clone, free to be edited."""
    return finished.copy(tmp_path / "repository")
