"""What is pulled is never extracted again for nothing, and never stale: each pitfall of Snakemake with DVC, in a clone.

P1 to P6 are those that plain paths have: a touched file, a cache that is older, an edited module or a changed model
that nobody notices, a data set whose tokens stay old, triggers that hide a change, and folders that accumulate.
"""

import json
import os
import subprocess
import time

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("clones")]
DRAWN = {"figures": 1}
TAIL = {"statistics": 1, "figures": 1}
BELOW_ATLAS = {"activations": 1, "probes": 3, "transfer": 1, "interventions": 1, **TAIL}
BELOW_BOTH = {"activations": 2, "probes": 6, "transfer": 2, "interventions": 2, **TAIL}
ALL_PROBES = {"probes": 6, "baselines": 3, "transfer": 2, "interventions": 2, **TAIL}
ONE_DATA_SET = {"datasets": 1, "tokens": 1, "activations": 2, "probes": 2, "baselines": 1, "interventions": 2, **TAIL}
"""Either that is intervened on, or in whose texts the loss is measured."""
WEIGHTS = "data/models/atlas/model.safetensors"
EXPLAIN = ("python", "-m", "linear_probing.provenance", "explain")
FIGURES = "results/studies/atlas/figures"


def tracked(clone):
    return [clone.folder / name for name in clone.done("git", "ls-files").splitlines()]


def states(clone):
    return {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in clone.folder.rglob("shard-*.safetensors")}


def test_p1_a_touched_clone_extracts_nothing_and_draws_the_same_figures(origin, second):
    for path in tracked(second):
        path.touch()
    before = states(second)
    assert second.planned(config=None) == DRAWN
    done = second.snakemake(config=None)
    assert done.returncode == 0, done.stderr
    assert states(second) == before
    assert second.files(FIGURES) == origin.files(FIGURES)
    assert "up to date" in second.done("dvc", "status")
    assert "0 stale, 0 damaged, 0 missing, 0 foreign" in second.done("python", "-m", "linear_probing.verification")
    assert "didn't change, skipping" in second.done("dvc", "repro")


@pytest.mark.parametrize("link", ["hardlink", "symlink"])
def test_p2_links_to_a_cache_that_is_older_plan_nothing(second, tmp_path, link):
    second.done("mv", ".dvc/cache", str(tmp_path / "shared"))
    for path in (tmp_path / "shared").rglob("*"):
        if path.is_file():
            os.utime(path, (1_000_000_000, 1_000_000_000))
    second.done("rm", "-r", "results/activations", "results/probes", "results/datasets", "results/tokens")
    second.done("dvc", "cache", "dir", "--local", str(tmp_path / "shared"))
    second.done("dvc", "config", "--local", "cache.type", link)
    second.done("dvc", "checkout")
    (shard, *_) = states(second)
    assert shard.is_symlink() == (link == "symlink")
    assert shard.stat().st_mtime < 1_000_000_001
    assert second.planned(config=None) == DRAWN
    second.edit("config/study.yaml", "ridge: [100.0]", "ridge: [50.0]")
    done = second.snakemake(config=None)
    assert done.returncode == 0, done.stderr[-3000:]
    assert shard.stat().st_mtime < 1_000_000_001


def test_p3_other_weights_of_the_same_size_and_time_plan_all_below_them(second):
    path = second.folder / WEIGHTS
    times, tensors = path.stat(), load_file(path)
    name = next(iter(tensors))
    tensors[name] = np.nextafter(tensors[name], np.float32(10))
    save_file(tensors, path, metadata={"format": "pt"})
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert second.planned(config=None) == BELOW_ATLAS, "the twin takes no weights from there"


@pytest.mark.parametrize(
    ("path", "old", "new", "expected"),
    [
        ("src/linear_probing/activations.py", "n_tokens / max(", "n_tokens * max(", BELOW_BOTH),
        ("src/linear_probing/activations.py", "Cost: loading", "Costs: loading", DRAWN),
        ("src/linear_probing/extraction/reading.py", "# Filled inside", "# It is filled inside", DRAWN),
        ("src/linear_probing/drawing/plan.py", "if number else", "if number > 0 else", DRAWN),
        ("src/linear_probing/statistics.py", "SUMMARY_DIGITS = 4", "SUMMARY_DIGITS = 3", TAIL),
        ("src/linear_probing/probing/protocol.py", "MAX_ITERATIONS = 200", "MAX_ITERATIONS = 300", None),
        ("config/study.yaml", "ridge: [100.0]", "ridge: [50.0]", {**ALL_PROBES, "baselines": 1}),
        (
            "config/study.yaml",
            "logistic: [0.03]",
            "logistic: [0.1]",
            {**ALL_PROBES, "probes": 4, "baselines": 2},
        ),
        ("config/study.yaml", "layers: [0, 3, 6]", "layers: [0, 6]", BELOW_BOTH),
        ("config/study.yaml", "n_pairs: 120", "n_pairs: 130", {**ONE_DATA_SET, "transfer": 2}),
        ("envs/study.lock", "nnsight==0.8.1", "nnsight==0.8.2", BELOW_BOTH),
        ("envs/study.lock", "scikit-learn==", "scikit-learn==0", None),
        ("workflow/rules/probes.smk", "mem_mb=growing(1000)", "mem_mb=growing(2000)", DRAWN),
    ],
)
def test_p3_p5_a_change_plans_what_follows_from_it_and_nothing_else(second, path, old, new, expected):
    second.edit(path, old, new)
    assert second.planned(config=None) == (ALL_PROBES if expected is None else expected)


def test_p4_an_appended_raw_row_makes_the_whole_chain_of_its_data_set_anew(second):
    second.edit("data/lexicons/nouns.csv", "lamp,lamps\n", "lamp,lamps\nzither,zithers\n")
    before = states(second)
    assert second.planned(config=None) == ONE_DATA_SET
    done = second.snakemake(config=None)
    assert done.returncode == 0, done.stderr[-3000:]
    assert states(second).items() > before.items()
    new = set(states(second)) - set(before)
    assert {path.parent.name.rpartition("-")[0] for path in new} == {"word_class"}
    said = second.done(
        "python", "-m", "linear_probing.provenance", "explain", *two("activations/atlas/word_class-*", second)
    )
    assert "given: sources.data/lexicons/nouns.csv is" in said


def two(pattern, clone):
    found = sorted((clone.folder / "results").glob(pattern), key=lambda path: path.stat().st_mtime)
    assert len(found) == 2
    return [str(path.relative_to(clone.folder)) for path in found]


def test_p6_a_reverted_configuration_is_clean_again_and_nothing_piles_up(second):
    second.done("dvc", "repro")
    lock, listed = (second.folder / "dvc.lock").read_text(), set(second.files("results/activations"))
    second.edit("config/study.yaml", "n_pairs: 120", "n_pairs: 60")
    assert "n_pairs" in second.done("dvc", "params", "diff")
    second.done("dvc", "repro")
    changed = set(second.files("results/activations"))
    assert changed != listed
    assert len(changed) == len(listed), "what is not asked for is gone"
    assert "larger_than.truth" in second.done("dvc", "metrics", "diff")
    second.done("git", "checkout", "--quiet", "config/study.yaml")
    second.done("dvc", "repro")
    assert set(second.files("results/activations")) == listed
    assert (second.folder / "dvc.lock").read_text() == lock
    assert "up to date" in second.done("dvc", "status")
    assert "Nothing to be done" in second.done("snakemake", "--cores", "2")


def test_two_studies_leave_each_other_whole(second):
    text = (second.folder / "config" / "study.yaml").read_text()
    other = text.replace("name: atlas", "name: other").replace("n_pairs: 120", "n_pairs: 60")
    (second.folder / "config" / "other.yaml").write_text(other)
    assert second.snakemake(config=None).returncode == 0
    assert second.snakemake(config="config/other.yaml").returncode == 0
    before = second.files()
    assert "0 folders removed" in second.done("python", "-m", "linear_probing.pruning")
    assert "0 stale, 0 damaged, 0 missing, 0 foreign" in second.done("python", "-m", "linear_probing.verification")
    assert second.files() == before
    assert second.planned(config=None) == second.planned(config="config/other.yaml") == {}


def test_an_experiment_runs_what_a_parameter_asks_for_in_its_own_copy(second):
    second.snakemake(config=None)
    second.done("git", "config", "user.email", "test@example.org")
    second.done("git", "config", "user.name", "test")
    done = second.done(
        "dvc", "exp", "run", "--temp", "--name", "fewer", "--set-param", "config/study.yaml:bootstrap.n_resamples=40"
    )
    assert "fewer" in done
    assert "n_resamples" in second.done("dvc", "params", "diff", "HEAD", "fewer")
    assert "n_resamples: 50" in (second.folder / "config" / "study.yaml").read_text()


def test_one_flipped_byte_is_named(second):
    second.snakemake(config=None)
    (path,) = second.folder.glob("results/activations/atlas/place-*/*.safetensors")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    done = second.run("python", "-m", "linear_probing.verification")
    assert done.returncode == 1
    assert f"damaged  {path.relative_to(second.folder)}" in done.stdout
    assert "do:     damaged: delete the folder" in done.stderr
    second.edit("config/study.yaml", "ridge: [100.0]", "ridge: [50.0]")
    done = second.snakemake(config=None)
    assert done.returncode == 1
    assert f"RecordError: {path.name} is not what was written" in done.stderr


def test_pulling_without_a_remote_says_how_to_name_one(second):
    second.done("dvc", "remote", "remove", "--local", "store")
    done = second.run("python", "-m", "linear_probing.pulling")
    assert done.returncode == 1
    assert "PullError: there is no remote to pull from" in done.stderr
    assert "do:     dvc remote add --local --default NAME PLACE" in done.stderr


def test_pulling_from_a_remote_that_lacks_a_file_restores_the_rest(origin, second, tmp_path):
    (lost,) = second.folder.glob("results/activations/atlas/place-*")
    name = json.loads(
        second.done("dvc", "list", ".", f"{lost.relative_to(second.folder)}", "--dvc-only", "--json", "--show-hash")
    )
    digest = next(entry["md5"] for entry in name if entry["path"].endswith(".safetensors"))
    second.done("cp", "-r", str(origin.folder.parent / "store"), str(tmp_path / "store"))
    (tmp_path / "store" / "files" / "md5" / digest[:2] / digest[2:]).unlink()
    second.done("dvc", "remote", "modify", "--local", "store", "url", str(tmp_path / "store"))
    second.done("rm", "-rf", ".dvc/cache", "results/activations", "results/probes")
    done = second.run("python", "-m", "linear_probing.pulling")
    assert done.returncode == 1
    assert str(lost.relative_to(second.folder)) in done.stderr
    assert "do:     dvc push where they were made" in done.stderr
    assert not lost.exists()
    assert second.planned(config=None) == DRAWN
    assert len(states(second)) == 5
    second.edit("config/study.yaml", "[group, country, types]", "[group, country]")
    assert second.planned(config=None) == {"activations": 1, "probes": 2, "baselines": 1, **TAIL}


def test_a_foreign_file_stops_dvc_before_it_is_versioned_or_lost(second):
    second.snakemake(config=None)
    path = second.folder / "results" / "activations" / "notes.txt"
    path.write_text("mine")
    second.edit("config/study.yaml", "n_pairs: 120", "n_pairs: 60")
    done = second.run("dvc", "repro")
    assert done.returncode != 0
    assert "PruningError: results/activations/notes.txt was not written by this project" in done.stderr
    assert path.read_text() == "mine"


def test_a_run_that_holds_the_results_is_waited_for(second):
    second.edit("config/study.yaml", "ridge: [100.0]", "ridge: [50.0]")
    environment = {
        **os.environ,
        "PYTHONPATH": str(second.folder / "src"),
        "PATH": f"{second.programs}:{os.environ['PATH']}",
    }
    with subprocess.Popen(
        ["snakemake", "--cores", "1"], cwd=second.folder, env=environment, stderr=subprocess.DEVNULL
    ) as first:
        locks = second.folder / ".snakemake" / "locks"
        for _ in range(300):
            if locks.is_dir() and any(locks.iterdir()):
                break
            time.sleep(0.1)
        snakemake, pruning = second.snakemake(config=None), second.run("python", "-m", "linear_probing.pruning")
        assert first.wait() == 0
    assert "--unlock" in snakemake.stderr
    assert snakemake.returncode != 0
    assert "PruningError: a run of snakemake holds these results" in pruning.stderr
    assert pruning.returncode == 1
    assert second.planned(config=None) == {}


def from_scratch(clone, threads):
    """Return the tables and figures of a run that starts with nothing, with so many threads a job."""
    clone.done(
        "rm",
        "-r",
        *(f"results/{stage}" for stage in ("datasets", "tokens", "activations", "probes", "transfer", "studies")),
    )
    rules = ("baselines", "probes", "transfer", "activations_atlas_0", "activations_atlas-random_0")
    done = clone.snakemake("--set-threads", *(f"{rule}={threads}" for rule in rules), config=None)
    assert done.returncode == 0, done.stderr[-3000:]
    for path in [
        *clone.folder.glob("results/runs/probes/**/*.json"),
        *clone.folder.glob("results/runs/transfer/**/*.json"),
        *clone.folder.glob("results/runs/act*/**/*.json"),
    ]:
        assert json.loads(path.read_text())["threads"] == threads, path
    return made(clone)


def made(clone):
    """Return all that a run makes and that no two runs may differ in."""
    differs = ("results/runs/", "results/studies/atlas/provenance.json", "results/studies/atlas/manifest.json")
    return {path: content for path, content in clone.files().items() if not path.startswith(differs)}


def test_two_runs_from_scratch_give_the_same_bytes(origin, second):
    """One thread a job, as the rules have it, in two clones with an environment each."""
    assert from_scratch(second, 1) == made(origin)


def test_two_runs_with_two_threads_a_job_give_the_same_bytes(pulled, tmp_path):
    """Not those of one thread: sums are taken in another order."""
    assert from_scratch(pulled.copy(tmp_path / "one"), 2) == from_scratch(pulled.copy(tmp_path / "other"), 2)
