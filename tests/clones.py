"""Clones of the working tree, in which snakemake and DVC run with the package of the clone."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


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
