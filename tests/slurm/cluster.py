"""The tiny study in four shards on a real Slurm, through the repository's own profile, with one extraction killed.

`make test-slurm` runs it. Its name keeps it from the other tests, which need no Slurm. The models run on the CPU and
hold Slurm's two devices as they would hold GPUs.
"""

import os
import re
import subprocess
from collections import Counter
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import pytest

CONFIG = "config/four.yaml"
SHARDS = 4
RULES = [f"activations_{model}_{shard}" for model in ("atlas", "atlas-random") for shard in range(SHARDS)]
PROFILE = ("--workflow-profile", "workflow/profiles/slurm")
# What differs from a large cluster: two CPUs, no accounting, and nobody who minds being asked often.
HERE = ("--cores", "2", "--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "3")
GPUS = ("--set-resources", *(f"{rule}:gpu=1" for rule in RULES))
UNITS = {"K": 2**-10, "": 1, "M": 1, "G": 2**10, "T": 2**20}
LIMIT = 1500
"""Seconds after which a study that waits for ever is ended."""


@dataclass(frozen=True)
class Job:
    """A job as Slurm remembers it: what it is of, how it ended, the memory that it asked for, and when it ran."""

    id: str
    rule: str
    state: str
    megabytes: int
    started: str
    ended: str


@dataclass(frozen=True)
class Run:
    """A study that ran on Slurm: its folder, what snakemake printed, Slurm's jobs, and the one that was killed."""

    folder: Path
    code: int
    printed: str
    jobs: list[Job]
    killed: Job


def megabytes(size):
    """Return what squeue says of memory in megabytes, whichever unit it takes: 2 GB are `2G`, a little more `2049M`."""
    number, unit = re.fullmatch(r"([\d.]+)([KMGT]?)", size).groups()
    return round(float(number) * UNITS[unit])


def jobs():
    """Return all jobs that Slurm knows, ended ones included, in the order in which they were submitted."""
    asked = ("squeue", "--states=all", "--noheader", "--sort=i", "--format=%i|%k|%T|%m|%S|%e")
    done = subprocess.run(asked, capture_output=True, text=True, check=True)
    rows = (line.strip().split("|") for line in done.stdout.splitlines())
    return [
        Job(name, rule.removeprefix("rule_"), state, megabytes(size), *ran) for name, rule, state, size, *ran in rows
    ]


def extracting(folder):
    """Return a job that runs, and whose extraction has begun, as its log says; None if there is none."""
    for job in jobs():
        if job.state == "RUNNING" and job.rule in RULES:
            model, shard = job.rule.removeprefix("activations_").rsplit("_", 1)
            logs = folder.glob(f"logs/activations/{model}-{shard}-*.log")
            if any("holding the GPUs" in log.read_text() for log in logs):
                return job
    return None


def four_shards(clone):
    """Write the configuration: the tiny study, with its model in four shards."""
    text = (clone.folder / "config" / "tiny.yaml").read_text()
    changed = text.replace("dtype: float32}", f"dtype: float32, shards: {SHARDS}}}")
    assert changed != text
    (clone.folder / CONFIG).write_text(changed)
    return clone


@pytest.fixture(scope="module")
def on_slurm(slurm, until, clones, tmp_path_factory):
    """Run the study on Slurm, and kill one extraction while it runs."""
    clone = four_shards(clones(tmp_path_factory.mktemp("cluster") / "repository"))
    locks = tmp_path_factory.mktemp("locks")
    printed = slurm / "snakemake.log"
    command = ["snakemake", *PROFILE, *HERE, "--configfile", CONFIG, *GPUS]
    environment = {**clone.environment, "TMPDIR": str(locks)}
    with printed.open("w") as log:
        study = subprocess.Popen(command, cwd=clone.folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            killed = until("no extraction ran", lambda: study.poll() is not None or extracting(clone.folder), LIMIT)
            assert isinstance(killed, Job), printed.read_text()[-3000:]
            subprocess.run(["scancel", killed.id], check=True)
            code = study.wait(LIMIT)
        finally:
            study.kill()
            study.wait()
    return Run(clone.folder, code, printed.read_text(errors="replace"), jobs(), killed)


def test_the_study_ends_right_although_a_job_was_killed(on_slurm):
    assert on_slurm.code == 0, on_slurm.printed[-3000:]
    ended = [job.state for job in on_slurm.jobs if job.id == on_slurm.killed.id]
    assert ended == ["CANCELLED"]
    assert "Trying to restart job" in on_slurm.printed


def test_what_was_killed_is_tried_again_with_twice_the_memory_and_nothing_else_is(on_slurm):
    times = Counter(job.rule for job in on_slurm.jobs)
    assert {rule: times[rule] for rule in RULES} == {rule: 1 + (rule == on_slurm.killed.rule) for rule in RULES}
    first, second = (job for job in on_slurm.jobs if job.rule == on_slurm.killed.rule)
    assert (first.state, second.state) == ("CANCELLED", "COMPLETED")
    assert second.megabytes == 2 * first.megabytes


def test_small_jobs_of_a_kind_share_one_job(on_slurm):
    rules = [job.rule for job in on_slurm.jobs]
    assert sum("preparation" in rule for rule in rules) == 1, "four data sets and their tokens"
    assert sum("baselines" in rule for rule in rules) == 1, "of four data sets"
    assert not any(rule.startswith(("datasets", "tokens")) for rule in rules)


def test_no_two_extractions_are_on_one_gpu_at_once(on_slurm, uses):
    found = uses(on_slurm.folder)
    assert len(found) == len(RULES)
    assert {name for devices, _, _ in found.values() for name in devices} == {"0", "1"}
    # By Slurm's times of jobs: those in which a device is held are the shorter part, and two may miss each other's.
    ended = {job.rule: job for job in on_slurm.jobs if job.state == "COMPLETED"}
    ran = [(ended[f"activations_{model}_{name.split('-')[1]}"], *use) for (model, name), use in found.items()]
    together = [
        (one, other)
        for one, other in combinations(ran, 2)
        if one[0].started < other[0].ended and other[0].started < one[0].ended
    ]
    assert together, "two ran at once"
    assert all(len(one[1]) == 1 and one[1] != other[1] for one, other in together)
    held = [(one, other) for one, other in combinations(ran, 2) if one[2] < other[3] and other[2] < one[3]]
    assert all(one[1] != other[1] for one, other in held)


def test_tables_are_those_of_a_run_on_this_machine(on_slurm, clones, tmp_path):
    local = four_shards(clones(tmp_path / "repository"))
    done = local.snakemake(config=CONFIG)
    assert done.returncode == 0, done.stderr[-3000:]
    tables = "results/studies/tiny/statistics"
    expected = {name: content for name, content in local.files(tables).items() if name.endswith((".csv", ".json"))}
    paths = [path for path in (on_slurm.folder / tables).rglob("*") if path.suffix in (".csv", ".json")]
    found = {path.relative_to(on_slurm.folder).as_posix(): path.read_bytes() for path in paths}
    assert len(expected) > 20
    assert found.keys() == expected.keys()
    assert [name for name in found if found[name] != expected[name]] == []


def test_nothing_is_left_that_is_not_of_the_study(on_slurm):
    environment = {**os.environ, "PYTHONPATH": str(on_slurm.folder / "src")}
    command = ("python", "-m", "linear_probing.verification")
    done = subprocess.run(command, cwd=on_slurm.folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
