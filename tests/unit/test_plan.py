"""What a study will cost: sizes by hand, bytes as files have them, marks, what is there already, no network."""

import json
import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from linear_probing import activations, plan, settings, tokens
from linear_probing.jobs import Jobs
from linear_probing.language_model import Model, Shape
from linear_probing.planning import fits, shapes
from linear_probing.planning.calibration import Speed, measure
from linear_probing.planning.measured import measured
from linear_probing.planning.rates import REFERENCE
from linear_probing.planning.schedule import duration
from linear_probing.planning.sizes import CHARACTERS_PER_TOKEN, dataset_size
from linear_probing.planning.work import Job, Sizes, fitted, jobs, spent
from linear_probing.probing import perceptron
from linear_probing.settings import SettingsError
from linear_probing.stage import StudyError

ONE = Speed(1.0)


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """Work where no result is, and refuse every connection."""
    monkeypatch.chdir(tmp_path)

    def refuse(*_):
        raise OSError("no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return tmp_path


def as_json(study, **options):
    return json.loads(plan.printed(study, 2, ONE, options.get("flops"), True, False))


def rows(found, table, **keys):
    return [row for row in found[table] if all(row[key] == value for key, value in keys.items())]


def done(*files):
    for file in map(Path, files):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def test_bytes_of_the_tiny_study_by_hand(tiny, offline):
    found = as_json(tiny)
    # 120 cities in 4 contexts, 160 dimensions of 4 bytes, layers 0, 3 and 6.
    (row,) = rows(found, "states", model="atlas", dataset="place")
    assert row["bytes_per_layer"] == 120 * 4 * 160 * 4 == 307_200
    assert 3 * 307_200 < row["bytes"] < 3 * 307_200 + 500
    # 60 cities with one true and three false statements each.
    (row,) = rows(found, "states", model="atlas-random", dataset="cities")
    assert row["bytes_per_layer"] == 60 * 4 * 160 * 4
    assert [row["targets"] for row in rows(found, "datasets", name="larger_than")] == [120 * 2]
    (model,) = rows(found, "models", name="atlas")
    # 6 blocks of 4 x 160² of attention, 3 x 160 x 432 of the MLP and two norms; 2,048 embeddings; the last norm.
    assert model["parameters"] == 6 * (4 * 160**2 + 3 * 160 * 432 + 2 * 160) + 2048 * 160 + 160
    assert model["weights_bytes"] == 4 * model["parameters"]
    assert model["shard_bytes"] == 3 * max(row["targets"] for row in found["datasets"]) * 160 * 4
    assert found["bytes"] > sum(row["bytes"] for row in found["states"])


def test_bytes_of_the_llama_configuration_by_hand(root, offline):
    found = as_json(settings.load(root / "config" / "llama-3.1-8b-instruct.yaml"))
    for name in ("llama-3.1-8b-instruct", "llama-3.1-8b-instruct-chat", "llama-3.1-8b-instruct-random"):
        (row,) = rows(found, "states", model=name, dataset="cities")
        assert row["bytes_per_layer"] == 1496 * 4096 * 2
        # 17 layers in two shards, whose headers have some 90 bytes a layer.
        assert 17 * 1496 * 4096 * 2 + 2000 < row["bytes"] < 17 * 1496 * 4096 * 2 + 4000
        (model,) = rows(found, "models", name=name)
        assert model["weights_bytes"] == 2 * 7_504_924_672
        assert model["shard_bytes"] == 1500 * 17 * 4096 * 2
        # 8,192 tokens of 2 bytes: 8 times 4,096, 3 times 4 x 4,096, a row of 256; and 1,500 states that are read.
        assert model["batch_bytes"] == 8192 * 2 * (8 * 4096 + 3 * 16384 + 256) + model["shard_bytes"]
    (download,) = rows(found, "downloads", name="llama-3.1-8b-instruct")
    assert download == {"name": "llama-3.1-8b-instruct", "bytes": 2 * 7_504_924_672, "there": False}
    chat, plain = (
        rows(found, "states", model=f"llama-3.1-8b-instruct{end}", dataset="facts")[0] for end in ("-chat", "")
    )
    assert chat["tokens"] > plain["tokens"] == round(31_072 / CHARACTERS_PER_TOKEN) + 2 * 561


@pytest.mark.parametrize(("dtype", "stored", "n_shards"), [("float32", None, 1), ("float32", "bfloat16", 3)])
def test_bytes_are_those_of_the_files(tmp_path, dtype, stored, n_shards):
    layers, n_targets, width = (0, 2, 11), 101, 48
    model = Model("m", tmp_path, dtype, stored_dtype=stored, shards=n_shards, shape=Shape(11, width, 64, 1000))
    written = 0
    for shard in range(n_shards):
        n = n_targets * (shard + 1) // n_shards - n_targets * shard // n_shards
        states = {k: torch.zeros((n, width), dtype=getattr(torch, stored or dtype)) for k in layers}
        path = tmp_path / model.shard_name(shard)
        activations.write(path, activations.Extracted(states, "tree", "", []), "last")
        written += path.stat().st_size
    assert shapes.stored_bytes(model, shapes.model_size(model, layers), n_targets) == written


@pytest.mark.parametrize("name", ["gpt2", "llama-3.1-8b-instruct", "minilm"])
def test_what_is_not_fetched_is_planned_without_a_network_and_marked(root, offline, name):
    study = settings.load(root / "config" / f"{name}.yaml")
    text = plan.printed(study, 2, ONE, None, False, False)
    assert all(row["estimated"] for row in as_json(study)["datasets"])
    assert "cities" in text
    assert "~1,496" in text
    assert "in all: ~" in text
    assert f"{CHARACTERS_PER_TOKEN} characters a token" in text
    assert "not counted there" in text
    assert "data/sources.csv" in text
    assert not list(offline.iterdir()), "nothing is written"


def test_targets_before_the_files_are_there(root, offline):
    found = {row["name"]: row for row in as_json(settings.load(root / "config" / "minilm.yaml"))["datasets"]}
    assert found["world_places"]["targets"] == 1500
    assert found["larger_than"]["targets"] == 500 * 2, "a pair in both orders"
    assert found["agreement"]["targets"] == found["agreement"]["texts"] == 500 * 2, "paired texts"
    assert found["words"]["targets"] == 1500 > found["words"]["texts"], "words share sentences"
    assert found["facts"] == {
        "name": "facts", "targets": 561, "texts": 561, "characters": 31_072, "estimated": True
    }  # fmt: skip


def test_what_is_known_is_not_marked(tiny, offline):
    text = plan.printed(tiny, 2, ONE, None, False, False)
    assert "~" not in text
    assert "trees" in text
    found = as_json(tiny)
    assert not found["estimated"]
    assert not any(row["tokens_estimated"] or row["bytes_estimated"] for row in found["states"])


def test_tokens_are_those_of_the_tokenizer_and_trees_share_them(tiny, offline):
    paths = Jobs(tiny)
    size = dataset_size(paths, tiny.dataset("cities"))
    from linear_probing import models

    model = tiny.model("atlas")
    expected = tokens.tokenize(size.tables, models.load_tokenizer(model.folder), model.context())
    (row,) = rows(as_json(tiny), "states", model="atlas", dataset="cities")
    assert row["tokens"] == len(expected.ids)
    assert row["computed"] < row["tokens"]
    padded = replace(tiny, models=(replace(model, prefix_trees=False),))
    (row,) = rows(as_json(padded), "states", model="atlas", dataset="cities")
    assert row["computed"] >= row["tokens"]
    assert row["way"] == "padded"


def test_what_is_there_is_not_spent(tiny, offline):
    paths = Jobs(tiny)
    before = as_json(tiny)
    assert {row["stage"]: row["to_run"] for row in before["stages"]} == {
        "datasets": 4, "tokens": 4, "activations": 2, "probes": 12, "transfer": 2, "interventions": 2, "statistics": 1,
        "figures": 1,
    }  # fmt: skip
    for model in tiny.models:
        for name in tiny.probed:
            record = Path(paths.shard_record(model, name, 0))
            done(record, record.with_suffix(".safetensors"))
    done(*(paths.record(folder) for folder in paths.probes.values()))
    some = as_json(tiny)
    left = {row["stage"]: row["to_run"] for row in some["stages"]}
    # Transfer and statistics read tables, which are absent; interventions the tokens of two data sets.
    assert left == {
        "datasets": 4, "tokens": 2, "activations": 0, "probes": 0, "transfer": 2, "interventions": 2, "statistics": 1,
        "figures": 1,
    }  # fmt: skip
    assert some["seconds"] < before["seconds"]
    assert some["bytes"] == 0 < before["bytes"]
    assert all(row["there"] for row in some["states"])
    done(paths.record(paths.statistics), paths.record(paths.figures))
    all_there = as_json(tiny)
    assert all_there["seconds"] == 0
    assert not any(row["to_run"] for row in all_there["stages"])


def test_a_record_whose_file_is_gone_is_not_believed(tiny, offline):
    paths = Jobs(tiny)
    done(paths.shard_record(tiny.model("atlas"), "cities", 0))
    (row,) = rows(as_json(tiny), "states", model="atlas", dataset="cities")
    assert not row["there"]


def test_speeds_are_stated_and_can_be_given(tiny, offline):
    usual, given = as_json(tiny), as_json(tiny, flops=1e6)
    assert any("one thread" in note for note in usual["notes"])
    assert any("1.0e+06 FLOP/s (as given)" in note for note in given["notes"])
    seconds = [rows(found, "stages", stage="activations")[0]["seconds"] for found in (usual, given)]
    # 12 x 6 x 160² parameters, two operations each, for every token that is computed.
    computed = sum(row["computed"] for row in usual["states"])
    assert seconds[1] - seconds[0] == pytest.approx(2 * 12 * 6 * 160**2 * computed / 1e6, rel=0.01)
    twice = json.loads(plan.printed(tiny, 2, Speed(2.0), None, True, False))
    assert twice["seconds"] == pytest.approx(usual["seconds"] / 2, rel=1e-6)
    crowded = json.loads(plan.printed(tiny, 2, Speed(1.0, 2.5), None, True, False))
    assert any("2.5 times as long" in note for note in crowded["notes"])


def test_costs_follow_what_is_fitted(tiny, offline):
    sizes = plan.sizes_of(Jobs(tiny))
    task = next(task for task in tiny.tasks if task.name == "cities.truth")
    one = fitted(tiny, sizes, task, "atlas")
    # Splits group and types with its control, one more seed, by row, and one share of the training groups.
    assert (one.n_runs, one.n_own, one.n_outputs) == (6, 3, 1)
    more = replace(one, study=replace(tiny, n_permutations=2 * tiny.n_permutations))
    assert fits.layer_seconds(more, REFERENCE) > fits.layer_seconds(one, REFERENCE)
    assert fits.layer_seconds(replace(one, full=False), REFERENCE) < fits.layer_seconds(one, REFERENCE)
    assert fits.layer_seconds(replace(one, n=2 * one.n), REFERENCE) > fits.layer_seconds(one, REFERENCE)
    assert replace(one, full=False).n_runs == 3
    position = next(task for task in tiny.tasks if task.kind == "position")
    assert [spec.name for spec in fitted(tiny, sizes, position, "atlas").others] == ["mlp"]


def test_the_perceptrons_defaults_are_its_own():
    found = perceptron.PerceptronClassifier()
    assert (tuple(found.hidden_layer_sizes), found.n_epochs, found.batch_size) == (
        fits.HIDDEN,
        fits.EPOCHS,
        fits.BATCH,
    )


def a_job(name, seconds, reads=(), **more):
    return Job(name, more.pop("stage", "probes"), seconds, 1.0, None, tuple(reads), more.pop("done", False), **more)


def test_jobs_run_as_cores_are_free():
    chain = {"a": a_job("a", 2.0), "b": a_job("b", 5.0, ["a"]), "c": a_job("c", 2.0)}
    assert duration(chain, 1) == 3 + 6 + 3
    assert duration(chain, 2) == 3 + 6
    gpu = {f"m{k}/x": a_job(f"m{k}/x", 4.0, stage="activations", gpu=True) for k in range(3)}
    assert duration(gpu, 8) == 3 * 5, "one job has the GPU"
    assert duration({"s": a_job("s", 8.0, stage="statistics")}, 4) == 1 + 8 / 4
    assert duration({}, 2) == 0
    one_model = {f"m/{k}": a_job(f"m/{k}", 4.0, stage="activations") for k in range(3)}
    assert duration(one_model, 2) == 1 + 3 * 4, "a model is loaded once"


def test_what_nothing_absent_reads_is_not_run():
    every = {"a": a_job("a", 1.0), "b": a_job("b", 1.0, ["a"], done=True), "c": a_job("c", 1.0, ["b"])}
    assert list(spent(every, ["c"])) == ["c"]
    every["b"] = a_job("b", 1.0, ["a"])
    assert list(spent(every, ["c"])) == ["a", "b", "c"]


def a_run(folder, digest, seconds, **more):
    run = {"artefact": folder, "digest": digest, "command": [], "started": "2026-01-01T00:00:00+00:00", "files": {}}
    return {**run, "seconds": seconds, "peak_memory_gb": 1.0, "bytes": 100, "threads": 1, **more}


def write_run(place, run):
    path = Path("results/runs", place)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(run))


def test_records_stand_beside_the_plan(tiny, offline):
    assert "no job of this study has a record" in plan.printed(tiny, 2, ONE, None, False, True)
    paths = Jobs(tiny)
    by = {"configuration": {"file": str(tiny.file)}}
    today = paths.probes["atlas", "cities"]
    write_run(Path(today).relative_to("results").with_suffix(".json"), a_run(today, today[-10:], 4.0))
    write_run("probes/atlas/place-0123456789.json", a_run("results/probes/atlas/place-0123456789", "x", 7.0, **by))
    write_run("probes/atlas/larger_than-0123456789.json", a_run("results/probes/atlas/larger_than-0", "x", 9.0))
    write_run("studies/tiny/statistics.json", a_run(paths.statistics, "x", 5.0, **{**by, "threads": 2}))
    sizes = plan.sizes_of(paths)
    every = jobs(paths, sizes, REFERENCE)
    probes, statistics = measured(paths, every, REFERENCE)
    assert (probes.stage, probes.jobs, probes.recorded, probes.older) == ("probes", 12, 2, 1)
    assert probes.recorded_seconds == 4.0 + 7.0, "that of another configuration is not taken"
    both = [every[paths.probes["atlas", name]] for name in ("cities", "place")]
    assert probes.planned_seconds == pytest.approx(sum(job.seconds for job in both))
    assert (probes.planned_bytes, probes.recorded_bytes) == (sum(job.bytes for job in both), 200)
    assert statistics.planned_seconds == pytest.approx(every[paths.statistics].seconds / 2), "two cores shared it"
    text = plan.printed(tiny, 2, ONE, None, False, True)
    assert "of older code" in text
    assert len(json.loads(plan.printed(tiny, 2, ONE, None, True, True))) == 2


def test_a_folder_that_tells_no_width_is_refused(tiny_content, root, offline):
    (offline / "model").mkdir()
    (offline / "model" / "config.json").write_text('{"num_hidden_layers": 6}')
    tiny_content["models"] = {"atlas": {"folder": str(offline / "model"), "dtype": "float32"}}
    study = settings.parse(tiny_content, root / "config" / "tiny.yaml")
    with pytest.raises(StudyError, match="nothing says how wide its residual stream is") as error:
        plan.sizes_of(Jobs(study))
    assert "do:     give the model a `shape`" in str(error.value)


def test_weights_that_were_cut_are_refused(tiny_content, root, offline):
    (offline / "model").mkdir()
    (offline / "model" / "config.json").write_text('{"num_hidden_layers": 6, "hidden_size": 8}')
    (offline / "model" / "model.safetensors").write_bytes(b"version https://git-lfs")
    tiny_content["models"] = {"atlas": {"folder": str(offline / "model"), "dtype": "float32"}}
    study = settings.parse(tiny_content, root / "config" / "tiny.yaml")
    with pytest.raises(StudyError, match="has no header of safetensors") as error:
        plan.sizes_of(Jobs(study))
    assert "do:     fetch the model again" in str(error.value)


def test_a_folder_without_weights_is_guessed_and_marked(tmp_path):
    (tmp_path / "config.json").write_text('{"num_hidden_layers": 2, "hidden_size": 8, "vocab_size": 10}')
    found = shapes.model_size(Model("m", tmp_path, "float32"), (0, 1, 2))
    assert (found.n_parameters, found.intermediate, found.causal, found.estimated) == (
        12 * 2 * 8**2 + 80,
        32,
        None,
        True,
    )


def test_a_configuration_that_does_not_load_says_so_itself(tmp_path, root, called):
    file = tmp_path / "study.yaml"
    file.write_text("name: x\nseeds: 3\n")
    with pytest.raises(SettingsError):
        settings.load(file)
    ended = called("plan", "--config", str(file), "--rate", "1", cwd=tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.startswith("SettingsError: ")
    assert "do:     correct the configuration" in ended.stderr
    assert not ended.stdout
    ended = called("plan", "--config", str(root / "config" / "tiny.yaml"), "--rate", "0", cwd=tmp_path)
    assert ended.returncode == 1
    assert "do:     say a speed" in ended.stderr


def test_the_command_prints_what_json_holds(tmp_path, root, called):
    options = ["--config", str(root / "config" / "gpt2.yaml"), "--rate", "1.5", "--cores", "3"]
    found = json.loads(called("plan", *options, "--json", cwd=tmp_path).stdout)
    text = called("plan", *options, cwd=tmp_path).stdout
    assert (found["study"], found["cores"], found["rate"]) == ("gpt2", 3, 1.5)
    assert text.startswith("gpt2 (")
    assert "on 3 cores" in text
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_machine_is_measured():
    found = measure(1)
    assert found.rate > 0
    assert np.isfinite(found.rate)
    assert found.crowding >= 1


def test_sizes_hold_every_model_and_data_set(tiny, offline):
    found = plan.sizes_of(Jobs(tiny))
    assert isinstance(found, Sizes)
    assert set(found.tokens) == {(model.name, name) for model in tiny.models for name in tiny.probed}


def test_a_data_set_with_its_own_parts_is_scored_on_its_test_part(root, offline):
    study = settings.load(root / "config" / "minilm-ewt.yaml")
    sizes = Sizes(
        {"ewt": dataset_size(Jobs(study), study.datasets[0])},
        {model.name: shapes.model_size(model, study.layers_of(model)) for model in study.models},
    )
    (task,) = study.tasks
    one = fitted(study, sizes, task, "minilm")
    assert (one.n, one.n_tested, one.n_scored) == (204_577 + 25_147 + 25_094, 25_094, 25_094)
    # The task and its control task, each by one fold with one inner fold.
    assert (one.n_folds, one.n_pairs, one.n_labelings, one.n_runs) == (1, 1, 2, 3)
    dealt = replace(one, n_tested=None)
    assert fits.layer_seconds(one, REFERENCE) < fits.layer_seconds(dealt, REFERENCE) / 5
    assert fits.probe_bytes(one, 7) < fits.probe_bytes(dealt, 7) / 5
    assert fits.text_seconds(one, REFERENCE) < fits.text_seconds(dealt, REFERENCE) / 5
