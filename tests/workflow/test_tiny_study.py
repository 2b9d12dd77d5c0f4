"""A whole tiny study, and what runs again after which change."""

import json
import shutil

import pandas as pd
import pytest
import yaml

from linear_probing.drawing.plan import planned

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("tiny")]
core = pytest.mark.core
COLUMNS = "model,task,part,split,probe,metric,layer,estimate,lower,upper,n,n_groups,majority,text_baseline,control"
TAIL = {"statistics": 1, "figures": 1}
BOTH = {"transfer": 2, "interventions": 2, **TAIL}


@pytest.fixture(scope="module")
def study(finished):
    return finished.folder / "results" / "studies" / "tiny"


def test_all_figures_and_tables_are_there(study, tiny):
    figures = {path.name for path in (study / "figures").iterdir() if path.suffix != ".json"}
    names = [one.name for one in planned(tiny)]
    assert figures == {f"{name}.{ending}" for name in names for ending in ("pdf", "png", "svg")}
    assert set(json.loads((study / "figures" / "captions.json").read_text())) == set(names)
    assert all((study / "figures" / name).stat().st_size > 10_000 for name in figures)
    for name in ("layers", "best_layer"):
        assert (study / "statistics" / f"{name}.csv").read_text().splitlines()[0] == COLUMNS


def test_a_summary_holds_the_numbers_of_its_row(study):
    best = pd.read_csv(study / "statistics" / "best_layer.csv").set_index(["model", "task", "part", "split"])
    summaries = {path.stem: json.loads(path.read_text()) for path in study.glob("statistics/summary/atlas/*.json")}
    assert set(summaries) == {"place.position", "cities.truth", "larger_than.truth", "word_class.word_class"}
    for model, key in (("atlas", "estimate"), ("atlas-random", "random_weights")):
        expected = best.loc[(model, "cities.truth", "unseen", "group"), "estimate"]
        assert summaries["cities.truth"][key] == pytest.approx(expected, abs=5e-5)


def test_layers_has_one_row_per_model_task_part_split_and_layer(study):
    table = pd.read_csv(study / "statistics" / "layers.csv")
    keys = ["model", "task", "part", "split", "probe", "metric", "layer"]
    assert not table.duplicated(keys).any()
    assert set(table["layer"]) == {0, 3, 6}
    assert (table.groupby(keys[:-1]).size() == 3).all()
    inside = (table["lower"] <= table["estimate"]) & (table["estimate"] <= table["upper"])
    assert inside[table["lower"].notna()].mean() > 0.9
    assert table.loc[table["split"] == "types", "control"].notna().all()


@core
def test_estimates_are_the_golden_ones(finished):
    done = finished.run("python", "-m", "linear_probing.golden", "--config", "config/tiny.yaml")
    assert done.returncode == 0, done.stderr
    assert "are the golden ones" in done.stdout


def test_a_changed_digit_is_not_golden(clone):
    path = clone.folder / "results" / "studies" / "tiny" / "statistics" / "baselines.csv"
    table = pd.read_csv(path)
    table.loc[0, "estimate"] += 0.01
    table.to_csv(path, index=False)
    done = clone.run("python", "-m", "linear_probing.golden", "--config", "config/tiny.yaml")
    assert done.returncode == 1
    assert f"baselines.csv, baseline {table.loc[0, 'baseline']} task place.position" in done.stderr
    assert "do:     find the change" in done.stderr


def test_a_second_run_has_nothing_to_do(finished):
    done = finished.snakemake()
    assert done.returncode == 0
    assert "Nothing to be done" in done.stdout + done.stderr


@core
def test_a_clone_without_snakemakes_memory_has_nothing_to_do(clone):
    shutil.rmtree(clone.folder / ".snakemake")
    for path in [*clone.folder.glob("data/lexicons/*"), *clone.folder.glob("data/models/atlas/*")]:
        path.touch()
    assert clone.planned() == {}


@pytest.mark.parametrize(
    ("path", "old", "new", "expected"),
    [
        ("config/tiny.yaml", "n_resamples: 50", "n_resamples: 60", TAIL),
        ("config/tiny.yaml", "ridge: [100.0]", "ridge: [50.0]", {"probes": 8, "baselines": 1, **BOTH}),
        ("config/tiny.yaml", "permutations: 19", "permutations: 39", {"probes": 8, **BOTH}),
        ("config/tiny.yaml", "n_pairs: 120", "n_pairs: 130", None),
        ("config/tiny.yaml", "layers: [0, 3, 6]", "layers: [0, 6]", {"activations": 2, "probes": 8, **BOTH}),
        (
            "src/linear_probing/extraction/trees.py",
            "CAPACITY = 256",
            "CAPACITY = 128",
            {"activations": 2, "probes": 8, **BOTH},
        ),
        pytest.param(
            "src/linear_probing/extraction/reading.py", "# Filled inside", "# It is filled inside", {}, marks=core
        ),
        (
            "src/linear_probing/probing/protocol.py",
            "MAX_ITERATIONS = 200",
            "MAX_ITERATIONS = 300",
            {"probes": 8, "baselines": 4, **BOTH},
        ),
        ("src/linear_probing/estimation/scoring.py", "/ 2.0", "/ 2.5", TAIL),
        ("src/linear_probing/drawing/style.py", "PNG_DPI = 300", "PNG_DPI = 200", {"figures": 1}),
        (
            "data/lexicons/nouns.csv",
            "lamp,lamps",
            "lamb,lambs",
            {"datasets": 1, "tokens": 1, "activations": 2, "probes": 2, "baselines": 1, "interventions": 2, **TAIL},
        ),
    ],
)
def test_a_change_runs_what_follows_from_it_and_nothing_else(clone, path, old, new, expected):
    # Without Snakemake's memory, as in a fresh clone: the digests alone must tell.
    shutil.rmtree(clone.folder / ".snakemake")
    clone.edit(path, old, new)
    planned = clone.planned()
    if expected is None:  # data sets change: one or all, and everything after them
        assert planned.keys() == {"datasets", "tokens", "activations", "baselines", "probes", *BOTH}
    else:
        assert planned == expected


def test_a_missing_folder_of_activations_is_extracted_again_alone(clone):
    (folder,) = (clone.folder / "results" / "activations" / "atlas").glob("place-*")
    others = {path: path.stat().st_mtime_ns for path in folder.parent.glob("*/*.safetensors") if path.parent != folder}
    shutil.rmtree(folder)
    assert clone.planned() == {}, "what nothing needs is not made again"
    for needed in [clone.folder / "results" / "studies", *clone.folder.glob("results/probes/atlas/place-*")]:
        shutil.rmtree(needed)
    done = clone.snakemake()
    assert done.returncode == 0, done.stderr[-3000:]
    assert folder.is_dir()
    assert others == {path: path.stat().st_mtime_ns for path in others}


def test_what_was_probed_is_not_extracted_again_beside_what_was_not(clone):
    """As in a clone whose activations were not pulled.

    Transfer reads those of the data sets with a binary task; interventions those in whose texts the loss is measured.
    """
    shutil.rmtree(clone.folder / "results" / "activations")
    clone.edit("config/tiny.yaml", "n_pairs: 120", "n_pairs: 130")
    one = {"datasets": 1, "tokens": 1, "activations": 2, "probes": 2, "baselines": 1, **BOTH}
    assert clone.planned() == one
    assert clone.snakemake().returncode == 0
    assert {path.name.rpartition("-")[0] for path in clone.folder.glob("results/activations/*/*")} == {
        "cities",
        "larger_than",
        "word_class",
    }
    assert clone.planned() == {}
    assert clone.run("snakemake", "activations", "--cores", "2", "--configfile", "config/tiny.yaml").returncode == 0
    assert len(list(clone.folder.glob("results/activations/*/*/*.safetensors"))) == 8


def test_a_study_with_fewer_data_sets_makes_its_own_tables_at_once(clone):
    """Probes of the other data sets are those that are there, and statistics must not be left out of the run."""
    content = yaml.safe_load((clone.folder / "config" / "tiny.yaml").read_text())
    del content["datasets"]["word_class"], content["tasks"]["word_class.word_class"], content["interventions"]
    content["name"] = "less"
    (clone.folder / "config" / "less.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    assert clone.planned("config/less.yaml") == TAIL
    assert clone.snakemake(config="config/less.yaml").returncode == 0
    table = pd.read_csv(clone.folder / "results" / "studies" / "less" / "statistics" / "layers.csv")
    assert set(table["task"]) == {"place.position", "cities.truth", "larger_than.truth"}
    assert clone.planned("config/less.yaml") == {}
    assert clone.planned() == {}


def test_a_changed_data_set_runs_its_own_chain_alone(clone):
    clone.edit("config/tiny.yaml", "n_pairs: 120", "n_pairs: 130")
    one = {"datasets": 1, "tokens": 1, "activations": 2, "probes": 2, "baselines": 1, **BOTH}
    assert clone.planned() == one
    assert clone.snakemake().returncode == 0
    clone.edit("config/tiny.yaml", "n_pairs: 130", "n_pairs: 120")
    assert clone.planned() == TAIL


def test_a_dry_run_writes_nothing(clone):
    clone.edit("config/tiny.yaml", "n_resamples: 50", "n_resamples: 60")
    before = {path: path.stat().st_mtime_ns for path in (clone.folder / "results").rglob("*")}
    assert clone.planned() == TAIL
    assert before == {path: path.stat().st_mtime_ns for path in (clone.folder / "results").rglob("*")}


def test_a_failed_job_leaves_the_old_results_and_its_message_is_shown(clone):
    before = clone.files("results/studies")
    (scores,) = clone.folder.glob("results/probes/atlas/cities-*/scores.safetensors")
    scores.write_bytes(scores.read_bytes()[:1000])
    clone.edit("config/tiny.yaml", "n_resamples: 50", "n_resamples: 60")
    done = clone.snakemake()
    assert done.returncode != 0
    assert "RecordError: scores.safetensors is not what was written" in done.stderr
    after = clone.files("results/studies")
    claim = "results/studies/tiny/manifest.json"  # what the study asks for by now, kept from pruning
    assert before.pop(claim) != after.pop(claim)
    assert before == after


def test_shards_are_jobs_of_their_own_and_give_the_same_numbers(clone, study):
    content = yaml.safe_load((clone.folder / "config" / "tiny.yaml").read_text())
    content["name"] = "sharded"
    content["models"]["atlas"]["shards"] = 3
    (clone.folder / "config" / "sharded.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    assert clone.planned("config/sharded.yaml") == {"activations": 6, "probes": 8, **BOTH}
    assert clone.snakemake(config="config/sharded.yaml").returncode == 0
    (folder,) = [f for f in clone.folder.glob("results/activations/atlas/cities-*") if len(list(f.iterdir())) == 6]
    assert sorted(path.name for path in folder.glob("*.json")) == [f"shard-{n}-of-3.json" for n in range(3)]
    studies = (study, clone.folder / "results" / "studies" / "sharded")
    one, other = (pd.read_csv(s / "statistics" / "layers.csv") for s in studies)
    assert (one["estimate"] - other["estimate"]).abs().max() <= 0.005
    (folder / "shard-1-of-3.safetensors").unlink()
    for probes in clone.folder.glob("results/probes/atlas/cities-*"):
        shutil.rmtree(probes)
    shutil.rmtree(clone.folder / "results" / "studies" / "sharded")
    assert clone.planned("config/sharded.yaml") == {"activations": 1, "probes": 1, **TAIL}


def test_another_study_shares_what_it_has_in_common(clone):
    shutil.copy(clone.folder / "config" / "tiny.yaml", clone.folder / "config" / "other.yaml")
    clone.edit("config/other.yaml", "name: tiny", "name: other")
    assert clone.planned("config/other.yaml") == TAIL
    clone.edit("config/other.yaml", "[group, country, types]", "[group, country]")
    assert clone.planned("config/other.yaml") == {"probes": 2, "baselines": 1, **TAIL}
    done = clone.snakemake(config="config/other.yaml")
    assert done.returncode == 0, done.stderr[-3000:]
    assert (clone.folder / "results" / "studies" / "other" / "figures" / "layers.pdf").is_file()
    assert clone.planned() == {}


def test_a_moved_repository_has_nothing_to_do(clone, tmp_path):
    assert clone.copy(tmp_path / "moved").planned() == {}


def test_the_same_study_has_the_same_bytes(finished, clone):
    shutil.rmtree(clone.folder / "results" / "studies")
    for folder in (clone.folder / "results" / "probes" / "atlas").iterdir():
        shutil.rmtree(folder)
    assert clone.snakemake().returncode == 0
    figures = [f"figures/{name}" for name in ("layers.pdf", "map.png", "map.svg")]
    for name in ("statistics/layers.csv", "statistics/plane.csv", *figures):
        paths = [one.folder / "results" / "studies" / "tiny" / name for one in (finished, clone)]
        assert paths[0].read_bytes() == paths[1].read_bytes(), name


@pytest.mark.parametrize("stage", ["datasets", "activations", "probes"])
def test_a_cut_file_ends_with_its_name_and_destroys_nothing(clone, stage):
    name = {"datasets": "datasets/place-*/targets.csv", "activations": "activations/atlas/place-*/*.safetensors"}
    (path,) = (clone.folder / "results").glob(name.get(stage, "probes/atlas/place-*/scores.safetensors"))
    path.write_bytes(path.read_bytes()[:1000])
    clone.edit("config/tiny.yaml", "n_resamples: 50", "n_resamples: 60")
    if stage == "activations":
        clone.edit("config/tiny.yaml", "ridge: [100.0]", "ridge: [50.0]")
    kept = [p for p in (clone.folder / "results").rglob("*") if p.is_file() and "studies" not in p.parts]
    done = clone.snakemake()
    logs = "".join(log.read_text() for log in (clone.folder / "logs").rglob("*.log"))
    assert done.returncode != 0
    assert f"  file:   {path.relative_to(clone.folder)}" in logs
    assert all(p.exists() for p in kept)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("n_folds: 3", "n_fold: 3", "'n_fold' was unexpected"),
        ("layers: [0, 3, 6]", "layers: [0, 9]", "9 is not a layer of atlas"),
        ("place.position:", "plaice.position:", "unknown data set 'plaice'"),
    ],
)
def test_a_wrong_configuration_ends_before_any_job(clone, old, new, says):
    clone.edit("config/tiny.yaml", old, new)
    done = clone.snakemake()
    assert done.returncode != 0
    assert says in done.stderr
    assert "do:     " in done.stderr
    assert (clone.folder / "results" / "studies" / "tiny" / "figures" / "layers.pdf").exists()


def test_values_on_the_command_line_are_refused(clone):
    done = clone.snakemake("--config", "seed=3")
    assert done.returncode != 0
    assert "expected one configuration file, found --config seed" in done.stderr


def test_the_manifest_names_what_is_there(finished, study):
    manifest = json.loads((study / "manifest.json").read_text())
    for key in ("datasets", "tokens", "activations", "probes", "transfer"):
        assert all((finished.folder / path).is_dir() for path in manifest[key])


def test_every_artefact_has_both_records_and_they_say_all(finished):
    runs = {
        "artefact",
        "digest",
        "command",
        "started",
        "seconds",
        "peak_memory_gb",
        "bytes",
        "device",
        "dtype",
        "threads",
    }
    runs |= {"git", "python", "platform", "packages", "configuration", "files"}
    results = finished.folder / "results"
    records = [*results.rglob("record*.json"), *results.glob("activations/*/*/shard-*.json")]
    records = [path for path in records if "runs" not in path.relative_to(results).parts]
    assert len(records) == 4 + 4 + 8 + 12 + 2 + 2 + 2
    for path in records:
        record = json.loads(path.read_text())
        assert record.keys() == {"digest", "stage", "made_of", "code", "pins", "files"}
        place = path if record["stage"] == "activations" else path.parent.with_suffix(".json")
        run = json.loads((results / "runs" / place.relative_to(results)).read_text())
        assert runs <= run.keys(), path
        assert run["digest"] == record["digest"]
        assert run["bytes"] == sum(entry["bytes"] for entry in record["files"].values()) > 0
        assert run["command"][:3] == ["python", "-m", f"linear_probing.{record['stage']}"]
        assert run["packages"].keys() == record["pins"].keys()
        if record["stage"] == "activations":
            assert (run["dtype"], run["device"], run["threads"]) == ("float32", "cpu", 1)
            assert run["model"] == "data/models/atlas"
            assert max(one["relative"] for one in run["parity"]) < 2e-5


def test_the_history_of_the_study_is_whole(study):
    text = (study / "provenance.json").read_text()
    graph = {entity["@id"]: entity for entity in json.loads(text)["@graph"]}
    actions = [entity for entity in graph.values() if entity["@type"] == "CreateAction"]
    assert len(actions) == 34 + 1, "a job each, and the study"
    assert all("startTime" in action and "endTime" in action for action in actions)
    for entity in graph.values():
        for value in entity.values():
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, dict) and not one["@id"].startswith("http"):
                    assert one["@id"] in graph
    assert str(study) not in text, "no path of the machine"


def test_the_reports_are_made_from_the_tables_alone(clone):
    shutil.rmtree(clone.folder / "results" / "activations")
    study, named = clone.folder / "results" / "studies" / "tiny", ("--cores", "1", "--configfile", "config/tiny.yaml")
    printed = clone.done("snakemake", "report", *named)
    assert "1 of 1 steps" in printed
    page = (study / "report" / "report.html").read_bytes()
    assert len(page) < 8_000_000
    assert "Nothing to be done" in clone.done("snakemake", "report", *named)
    clone.done("snakemake", "pictures", *named, "--report", str(study / "snakemake.html"))
    shown = (study / "snakemake.html").read_text()
    told = json.loads((study / "figures" / "captions.json").read_text())
    for name, entry in told.items():
        assert f"figures/{name}.svg" in shown
        assert entry["category"] in shown
        assert entry["caption"][:30] in shown
    assert "best_layer.csv" in shown
    found = clone.run("python", "-m", "linear_probing.verification").stdout
    assert "snakemake.html" not in found
    assert "report" not in found


def test_the_lint_is_clean(finished):
    done = finished.snakemake("--lint")
    assert "Congratulations" in done.stdout + done.stderr
