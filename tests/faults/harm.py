"""What harms a copy of the finished study, and what is asked of it afterwards."""

import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from clones import Clone

HERE = Path(__file__).parent
DIFFERS = re.compile(r"results/runs/.*|results/studies/small/(provenance|manifest)\.json")
"""What two runs may differ in: times, machine and commit."""
LOCKED = "Snakemake: “Directory cannot be locked … If you are sure that no other instances … are running … --unlock”"
"""What Snakemake says where a lock is, in brief."""


@dataclass(frozen=True)
class Harmed(Clone):
    """A copy of the finished study."""

    undisturbed: dict = field(default_factory=dict)

    def place(self, pattern):
        """Return the one path below results that a pattern names."""
        (found,) = (self.folder / "results").glob(pattern)
        return found

    def lose(self, *patterns):
        """Remove what patterns name below results, so that a run has it to make."""
        for pattern in patterns:
            found = list((self.folder / "results").glob(pattern))
            assert found, pattern
            for path in found:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def start(self, *command, fault=None):
        """Start a command, with a fault at a moment of one of its stages."""
        environment = dict(self.environment)
        if fault:
            environment["PYTHONPATH"] += os.pathsep + str(HERE / "moments")
            environment["FAULT"] = fault
            environment["FAULT_REACHED"] = str(self.reached)
            environment["FAULT_GO"] = str(self.go)
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(command, cwd=self.folder, env=environment, **pipes)

    def make(self, *targets, fault=None):
        """Run snakemake on targets; return its exit code, and what it and the logs of failed jobs said."""
        process = self.start("snakemake", "--cores", "2", *map(str, targets), fault=fault)
        said, _ = process.communicate()
        return process.returncode, said

    @property
    def reached(self):
        return self.folder.parent / "reached"

    @property
    def go(self):
        return self.folder.parent / "go"

    def wait(self, process):
        """Wait until a stage stands at its moment; return its process's number."""
        while not (self.reached.is_file() and self.reached.read_text()):
            assert process.poll() is None, process.stdout.read()
            time.sleep(0.05)
        return int(self.reached.read_text())

    def ends(self, number):
        """Wait until a process that is nobody's child any more has ended; a zombie that nobody fetches has."""
        while Path(f"/proc/{number}").exists() and ") Z " not in Path(f"/proc/{number}/stat").read_text():
            time.sleep(0.05)

    def record(self, pattern):
        """Return a record's path, as a target of snakemake."""
        return self.place(pattern).relative_to(self.folder) / "record.json"

    def parents(self, number, top):
        """Return the processes between one and its ancestor, from below."""
        found = []
        while (number := int(re.search(r"^PPid:\s+(\d+)", Path(f"/proc/{number}/status").read_text(), re.M)[1])) != top:
            assert number > 1
            found.append(number)
        return found

    def verification(self):
        return self.run("python", "-m", "linear_probing.verification")

    def verified(self):
        """Return what verification finds: (kind, path) with the digests and numbers of names left out."""
        done = self.verification()
        found = re.findall(r"^(stale|damaged|missing|foreign|left) +(\S+): ", done.stdout, re.M)
        assert done.returncode == bool(found), done.stdout + done.stderr
        assert "folders verified" in done.stdout, done.stderr
        return sorted({(kind, plain(path)) for kind, path in found})

    def is_as_undisturbed(self):
        """Check that all is there as the undisturbed run made it, byte for byte, and nothing else."""
        assert self.verified() == []
        found = bytes_of(self)
        assert found.keys() == self.undisturbed.keys()
        assert [path for path in found if found[path] != self.undisturbed[path]] == []


def plain(path):
    """Return a path without digests, and an unfinished one's without host and process."""
    path = re.sub(r"\.[^./]+\.\d+\.[a-z0-9_]{8}\.tmp", ".tmp", path)
    return re.sub(r"-[0-9a-f]{10}", "", path).removeprefix("results/")


def bytes_of(clone):
    return {path: content for path, content in clone.files().items() if not DIFFERS.fullmatch(path)}


def jobs(said):
    """Return how many jobs of each stage a run of snakemake ended, by what it said."""
    names = re.findall(r"^Finished jobid: \d+ \(Rule: (\S+)\)", said, re.M)
    stages = [name.split("_")[0] for name in names if name not in ("all", "activations")]
    return {stage: stages.count(stage) for stage in sorted(set(stages))}


def message(said):
    """Return the last message in the form of our errors without what differs from run to run: (subject, do)."""
    found = re.findall(r"^ *\w+Error: (.+)\n(?: +(?:file|likely): .*\n)* +do: +(.+)", said, re.M)
    assert found, said[-3000:]
    return tuple(plain(text) for text in found[-1])


def told(said):
    """Return the last message as a row of the table has it."""
    subject, do = message(said)
    text = re.sub(r"results/[^\s,:]+", "FOLDER", f"{subject}. Do: {do}")
    return text.replace(sys.prefix, "ENVIRONMENT").replace("|", "\\|")
