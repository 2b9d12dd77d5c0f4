"""What a machine does: full and read-only disks, no memory, clocks that jump; two runs at once; DVC that is killed."""

import os
import shutil
import signal
import subprocess
from contextlib import contextmanager

import pytest

from faults.harm import HERE, LOCKED, jobs, message, told

pytestmark = pytest.mark.faults
RENAMED = "probes os.rename results/probes/atlas/cities 1"
JANUARY_1980, JANUARY_2100 = 315532800, 4102444800


@contextmanager
def mounted(*command):
    """Mount something for the time of a block."""
    subprocess.run(["mount", *map(str, command)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(command[-1])], check=True)


@pytest.mark.parametrize(("stage", "expected"), [("activations", {"activations": 2}), ("probes", {"probes": 1})])
def test_a_full_disk(study, tell, root_user, stage, expected):
    """The stage's folder is a file system of 20 kB, then one with room."""
    goal = "activations" if stage == "activations" else study.record("probes/atlas/*")
    study.lose(f"{stage}/atlas")
    folder = study.folder / "results" / stage / "atlas"
    folder.mkdir()
    with mounted("-t", "tmpfs", "-o", "size=20k", "tmpfs", folder):
        code, said = study.make(goal)
        assert code == 1
        assert "Traceback" not in said
        subject, do = message(said)
        assert subject.startswith("no room left to write: ")
        assert do.startswith("make room there (`make prune`")
        assert {kind for kind, _ in study.verified()} == {"missing"}, "nothing half written stays to fill the disk"
        subprocess.run(["mount", "-o", "remount,size=20m", str(folder)], check=True)
        code, again = study.make(goal)
        assert code == 0, again
        assert jobs(again) == expected
        study.is_as_undisturbed()
    tell("a full disk", "the job's work", jobs(again), told(said))


def test_a_read_only_folder(study, tell, root_user):
    goal = study.record("probes/atlas/*")
    study.lose("probes/atlas/*")
    folder = study.folder / "results" / "probes"
    with mounted("--bind", folder, folder):
        subprocess.run(["mount", "-o", "remount,ro,bind", str(folder)], check=True)
        code, said = study.make(goal)
        assert code == 1
        assert study.verified() == [("missing", "probes/atlas/cities")]
    assert message(said)[0] == "no access: results/probes/atlas/cities cannot be made"
    assert message(said)[1].startswith("let this user write there")
    code, again = study.make(goal)
    assert code == 0, again
    assert jobs(again) == {"probes": 1}
    study.is_as_undisturbed()
    tell("a read-only folder of results", "nothing: no work is begun", jobs(again), told(said))


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("probes tempfile.mkdtemp results/probes 1 memory2", {"probes": 1}),
        ("activations open config.json 1 memory8", {"activations": 1}),
    ],
)
def test_memory_that_runs_out(study, tell, fault, expected):
    """RLIMIT_AS, a few megabytes above what the stage has by then."""
    if fault.startswith("probes"):
        goal = study.record("probes/atlas/*")
        study.lose("probes/atlas/*")
    else:
        goal = "activations"
        study.lose("activations/atlas/*/shard-1*")
    code, said = study.make(goal, fault=fault)
    assert code == 1
    assert "Traceback" not in said
    subject, do = message(said)
    assert subject.startswith("memory ran out: ")
    assert do.startswith("run fewer jobs at once (--cores 1) or raise the limit")
    assert {kind for kind, _ in study.verified()} == {"missing"}
    code, again = study.make(goal)
    assert code == 0, again
    assert jobs(again) == expected
    study.is_as_undisturbed()
    tell("memory that runs out (RLIMIT_AS)", "the job's work", jobs(again), told(said))


def test_a_clock_that_jumped_ahead(study, tell):
    """What there is has times of long ago."""
    jump(study, JANUARY_1980)
    assert study.planned(config=None) == {}
    goal = study.record("probes/atlas/*")
    study.lose("probes/atlas/*")
    code, again = study.make(goal)
    assert code == 0, again
    assert jobs(again) == {"probes": 1}
    assert study.planned(config=None) == {}
    study.is_as_undisturbed()
    tell("a clock that jumps ahead", "nothing", {}, "–")


def test_a_clock_that_was_put_back(study, tell):
    """What there is has times in the future. Snakemake fails a job that is done, since its output is older."""
    jump(study, JANUARY_2100)
    assert study.planned(config=None) == {}
    goal = study.record("probes/atlas/*")
    study.lose("probes/atlas/*")
    code, said = study.make(goal)
    assert code == 1
    subject, do = message(said)
    assert subject.endswith("record.json has a time in the future")
    study.is_as_undisturbed()
    study.done("bash", "-c", do.split("`")[1])
    code, again = study.make(goal)
    assert code == 0, again
    assert jobs(again) == {}
    assert study.planned(config=None) == {}
    study.is_as_undisturbed()
    tell("a clock that is put back", "nothing", jobs(again), told(said))


def jump(study, when):
    for path in (path for top in ("results", "data", "src", "config") for path in (study.folder / top).rglob("*")):
        os.utime(path, (when, when))


def test_two_snakemakes_at_once(study, tell):
    goal = study.record("probes/atlas/*")
    study.lose("probes/atlas/*")
    first = study.start("snakemake", "--cores", "1", str(goal), fault=f"{RENAMED} wait")
    study.wait(first)
    code, said = study.make(goal)
    assert code == 1
    assert "Directory cannot be locked" in said
    assert study.verified() == [("left", "probes/atlas/.cities.tmp"), ("missing", "probes/atlas/cities")]
    pruning = study.run("python", "-m", "linear_probing.pruning")
    assert message(pruning.stderr)[0] == "a run of snakemake holds these results"
    study.go.touch()
    said_first, _ = first.communicate()
    assert first.returncode == 0, said_first
    study.is_as_undisturbed()
    tell("two snakemakes at once", "nothing", {}, LOCKED)


def test_one_job_twice_at_once(study, tell):
    """As where snakemake was killed, its job lives on, and the next run starts that job beside it."""
    goal = study.record("probes/atlas/*")
    study.lose("probes/atlas/*")
    first = study.start("snakemake", "--cores", "1", str(goal), fault=f"{RENAMED} wait")
    job = study.wait(first)
    first.kill()
    first.wait()
    study.done("snakemake", "--unlock")
    code, again = study.make(goal)
    assert code == 0, again
    assert jobs(again) == {"probes": 1}
    assert study.verified() == [("left", "probes/atlas/.cities.tmp")]
    pruning = study.run("python", "-m", "linear_probing.pruning")
    assert pruning.returncode == 1
    assert message(pruning.stderr)[0].startswith("probes/atlas/cities is being written by process ")
    study.go.touch()
    study.ends(job)
    study.is_as_undisturbed()
    assert "0 folders removed" in study.done("python", "-m", "linear_probing.pruning")
    tell("one job twice at once", "nothing", {}, "verification: left … wait for the job that writes it")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_dvc_that_is_killed(study, tell, number):
    study.done("git", "init", "--quiet")
    study.lose("activations/atlas/*/shard-1*", "runs/activations/atlas/*/shard-1*")
    shutil.copy(HERE / "moments" / "sitecustomize.py", study.folder / "src")  # dvc.yaml sets PYTHONPATH
    process = study.start("dvc", "repro", fault="activations os.rename shard-1-of-2.safetensors 1 wait")
    job = study.wait(process)
    for one in (process.pid, *study.parents(job, process.pid), job):
        os.kill(one, number)
    study.go.touch()
    process.communicate()
    assert process.returncode
    study.ends(job)
    if (study.folder / ".snakemake" / "locks").is_dir() and any((study.folder / ".snakemake" / "locks").iterdir()):
        said = study.run("dvc", "repro")
        assert "--unlock" in said.stdout + said.stderr
        study.done("snakemake", "--unlock")
    done = study.run("dvc", "repro")
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert jobs(said) == {"activations": 1}
    study.is_as_undisturbed()
    assert "up to date" in study.done("dvc", "status")
    tell(f"{number.name} of dvc, snakemake and the job", "the job's work", {"activations": 1}, LOCKED)
