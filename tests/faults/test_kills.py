"""kill -9 and SIGTERM, of a stage and of snakemake, at moments that are the same each time."""

import os
import signal

import pytest

from faults.harm import LOCKED, jobs, message, told

pytestmark = pytest.mark.faults
SHARD, RECORD = "activations/atlas/cities/shard-1-of-2.safetensors", "activations/atlas/cities/shard-1-of-2.json"
PROBES = "probes/atlas/cities"
EXTRACTED, PROBED = {"activations": 1}, {"probes": 1}
LEFT_SHARD = ("left", "activations/atlas/cities/.shard-1-of-2.safetensors.tmp")
MOMENTS = {
    "before the shard has its name": (
        "activations os.rename shard-1-of-2.safetensors 1",
        [LEFT_SHARD, ("missing", RECORD)],
    ),
    "before the record of the shard's making": (
        "activations tempfile.mkdtemp results/runs 1",
        # A whole shard of a folder that is asked for: the next run keeps it, or makes it anew. It is nobody else's.
        [("left", SHARD), ("missing", RECORD)],
    ),
    "before the shard's record has its name": (
        "activations os.rename shard-1-of-2.json 2",
        [("left", "activations/atlas/cities/.shard-1-of-2.json.tmp"), ("left", SHARD), ("missing", RECORD)],
    ),
    "as the folder of probes is begun": (
        "probes os.mkdir results/probes/atlas/.cities 2",
        [("left", "probes/atlas/.cities.tmp"), ("missing", PROBES)],
    ),
    "before the folder of probes has its name": (
        "probes os.rename results/probes/atlas/cities 1",
        [("left", "probes/atlas/.cities.tmp"), ("missing", PROBES)],
    ),
    "after the folder of probes has its name": ("probes tempfile.mkdtemp results/runs/probes 1", []),
}


def target(study, fault):
    """Lose what a fault's stage makes, and return the target that makes it."""
    if fault.startswith("activations"):
        study.lose("activations/atlas/*/shard-1*", "runs/activations/atlas/*/shard-1*")
        return "activations"
    record = study.record("probes/atlas/*")
    study.lose("probes/atlas/*", "runs/probes/atlas/*")
    return record


@pytest.mark.parametrize("moment", MOMENTS)
def test_kill_9_of_a_stage(study, tell, moment):
    fault, found = MOMENTS[moment]
    goal = target(study, fault)
    code, said = study.make(goal, fault=f"{fault} kill")
    assert code == 1
    subject, do = message(said)
    assert subject == f"a job of the stage {fault.split()[0]} was killed by SIGKILL before it was done"
    assert do.startswith("run snakemake again")
    assert study.verified() == found
    code, again = study.make(goal)
    assert code == 0, again
    assert jobs(again) == (EXTRACTED if goal == "activations" else PROBED if found else {})
    study.is_as_undisturbed()
    lost = "the job's work" if found else "nothing: the artefact was whole"
    tell("kill -9 of a stage (as the kernel's OOM killer does)", lost, jobs(again), told(said))


@pytest.mark.parametrize("moment", ["before the shard has its name", "before the folder of probes has its name"])
def test_sigterm_of_a_stage(study, tell, moment):
    fault, found = MOMENTS[moment]
    goal = target(study, fault)
    code, said = study.make(goal, fault=f"{fault} term")
    assert code == 1
    assert "exit status 143" in said
    assert message(said) == ("told to end by SIGTERM before it was done", "run snakemake: what is finished stays")
    assert study.verified() == [one for one in found if one[0] != "left"], "it has removed what it was writing"
    code, again = study.make(goal)
    assert code == 0, again
    assert jobs(again) == (EXTRACTED if goal == "activations" else PROBED)
    study.is_as_undisturbed()
    tell("SIGTERM of a stage", "the job's work", jobs(again), told(said))


@pytest.mark.parametrize("moment", ["before the shard has its name", "before the folder of probes has its name"])
def test_kill_9_of_snakemake_whose_job_lives_on(study, tell, moment):
    fault, _ = MOMENTS[moment]
    goal = target(study, fault)
    process = study.start("snakemake", "--cores", "2", str(goal), fault=f"{fault} wait")
    job = study.wait(process)
    process.kill()
    process.wait()
    study.go.touch()
    study.ends(job)
    code, again = study.make(goal)
    if goal == "activations":  # a target that is asked for anew each time, and so asks for the lock
        assert code == 1
        assert "Directory cannot be locked" in again
        assert "If you are sure that no other instances of snakemake are running" in again
        assert "--unlock" in again
        study.done("snakemake", "--unlock")
        code, again = study.make(goal)
    assert code == 0, again
    assert jobs(again) == {}, "its job has finished"
    study.is_as_undisturbed()
    tell("kill -9 of snakemake, its job lives on", "nothing: the job ends its work", jobs(again), LOCKED)


@pytest.mark.parametrize("moment", ["before the shard's record has its name", "as the folder of probes is begun"])
def test_kill_9_of_snakemake_and_its_job(study, tell, moment):
    """As a power cut, or a container that goes."""
    fault, found = MOMENTS[moment]
    goal = target(study, fault)
    process = study.start("snakemake", "--cores", "2", str(goal), fault=f"{fault} wait")
    job = study.wait(process)
    process.kill()
    os.kill(job, signal.SIGKILL)
    process.wait()
    study.ends(job)
    assert study.verified() == found
    code, refused = study.make(goal)
    assert code == 1
    assert "--unlock" in refused
    study.done("snakemake", "--unlock")
    code, again = study.make(goal)
    assert code == 0, again
    assert jobs(again) == (EXTRACTED if goal == "activations" else PROBED)
    study.is_as_undisturbed()
    tell("kill -9 of snakemake and its job (as a power cut)", "the job's work", jobs(again), LOCKED)


def test_a_copy_that_a_killed_snakemake_has_left_brings_no_record_back(study, tell):
    """Of a record that is there Snakemake keeps a copy while its job works, and restores it when that job fails."""
    fault, found = MOMENTS["before the folder of probes has its name"]
    goal = study.record("probes/atlas/*")
    process = study.start("snakemake", "--cores", "2", "--force", str(goal), fault=f"{fault} wait")
    job = study.wait(process)
    process.kill()
    os.kill(job, signal.SIGKILL)
    process.wait()
    study.ends(job)
    study.done("snakemake", "--unlock")
    assert (study.folder / ".snakemake" / "backups" / goal).is_file()
    study.lose("probes/atlas/*", "runs/probes/atlas/*")
    code, said = study.make(goal, fault=f"{fault} kill")
    assert code == 1
    assert study.verified() == found
    code, again = study.make(goal)
    assert code == 0, again
    assert jobs(again) == PROBED
    study.is_as_undisturbed()
    tell("kill -9 of snakemake, then a lost folder whose job fails", "the job's work", jobs(again), told(said))


def test_sigterm_of_snakemake(study, tell):
    fault, _ = MOMENTS["before the folder of probes has its name"]
    goal = target(study, fault)
    process = study.start("snakemake", "--cores", "2", str(goal), fault=f"{fault} wait")
    study.wait(process)
    process.terminate()
    study.go.touch()
    said, _ = process.communicate()
    assert process.returncode == 1
    assert "Will exit after finishing currently running jobs" in said
    code, again = study.make(goal)
    assert code == 0, again
    assert jobs(again) == {}
    study.is_as_undisturbed()
    tell(
        "SIGTERM of snakemake", "nothing", jobs(again), "Snakemake: “Will exit after finishing currently running jobs”"
    )
