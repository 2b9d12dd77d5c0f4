"""A model and a file that are fetched: a study from a hub on loopback, then the same without any network."""

import hashlib
import json
import os
import shutil

import pytest
import yaml

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("downloads")]

COMMIT = "0123456789" * 4
NOWHERE = "http://127.0.0.1:9"
FETCHED = "fetched.yaml"
ANSWERS = {"0": [" False"], "1": [" True"]}


@pytest.fixture
def fetching(bare, serving, tmp_path, monkeypatch):
    """Return a clone whose study reads a hub's model and a public file, and the server that has both."""
    model = tmp_path / "served"
    shutil.copytree(bare.folder / "data" / "models" / "atlas", model)
    lines = [f"The city of X{n} is in Y.,{n % 2},X{n}" for n in range(80)]
    body = "\n".join(["statement,label,city", *lines, ""]).encode()
    (model / "owner" / "repository" / COMMIT).mkdir(parents=True)
    (model / "owner" / "repository" / COMMIT / "words.csv").write_bytes(body)
    url = f"https://raw.githubusercontent.com/owner/repository/{COMMIT}/words.csv"
    with (bare.folder / "data" / "sources.csv").open("a") as file:
        file.write(f"words,{url},{hashlib.sha256(body).hexdigest()},none,do not pass it on,city,80,2000,{len(body)}\n")
    content = yaml.safe_load((bare.folder / "config" / "tiny.yaml").read_text())
    shape = {"n_layers": 6, "d_model": 160, "context": 128, "n_parameters": n_parameters(bare.folder)}
    hub = {"repository": "someone/model", "commit": COMMIT, "shape": shape, "dtype": "float32"}
    words = {"builder": "table", "files": ["words"], "text": "statement", "labels": {"truth": "label"}, "group": "city"}
    content |= {
        "name": "fetched",
        "models": {"atlas": hub, "atlas-random": {"twin_of": "atlas", "seed": 0}},
        "datasets": {"words": words},
        "tasks": {"words.truth": {"kind": "binary", "probe": "logistic", "splits": ["group"]}},
        "probes": {},
        "permutations": 0,
        "layers": [0, 6],
        "interventions": {"n_targets": 12, "n_controls": 4, "tasks": {"words.truth": {"answers": ANSWERS}}},
    }
    (bare.folder / "config" / FETCHED).write_text(yaml.safe_dump(content, sort_keys=False))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_TOKEN", "hf_secretsecret")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    with serving(model, commit=COMMIT, token="hf_secretsecret") as server:
        point_to(monkeypatch, server.url)
        yield bare, server


def n_parameters(folder):
    return json.loads((folder / "data" / "models" / "atlas" / "record.json").read_text())["parameters"]


def point_to(monkeypatch, url):
    monkeypatch.setenv("HF_ENDPOINT", url)
    monkeypatch.setenv("PROBING_MIRROR", url)


@pytest.mark.slow
def test_a_study_of_a_hubs_model_runs_and_then_again_without_a_network(fetching, monkeypatch):
    clone, server = fetching
    config = f"config/{FETCHED}"
    first = clone.snakemake(config=config)
    assert first.returncode == 0, first.stderr[-3000:]
    assert "licence of words: none; do not pass it on" in first.stderr
    (model,) = clone.folder.glob("results/downloads/someone--model-*")
    assert {path.name for path in model.iterdir()} == {
        *("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "record.json")
    }
    assert len(list(clone.folder.glob("results/interventions/atlas*/words-*/pairs.csv"))) == 2
    figures = clone.files("results/studies/fetched/figures")
    assert "results/studies/fetched/figures/layers.pdf" in figures
    written = [*clone.files("results").values(), *clone.files("logs").values()]
    assert not any(b"hf_secretsecret" in content for content in written)
    assert "hf_secretsecret" not in first.stdout + first.stderr

    n_asked = len(server.asked)
    point_to(monkeypatch, NOWHERE)
    for place in ("datasets", "tokens", "activations", "probes", "transfer", "studies"):
        shutil.rmtree(clone.folder / "results" / place)
    shutil.rmtree(os.environ["HF_HOME"])
    again = clone.snakemake(config=config)
    assert again.returncode == 0, again.stderr[-3000:]
    assert "licence of" not in again.stderr
    assert clone.files("results/studies/fetched/figures") == figures
    assert len(server.asked) == n_asked


def test_what_cannot_be_fetched_stops_the_study_before_anything_is_spent(fetching, monkeypatch):
    clone, _ = fetching
    point_to(monkeypatch, NOWHERE)
    done = clone.snakemake("--keep-going", config=f"config/{FETCHED}")
    assert done.returncode == 1
    logs = "".join(log.read_text() for log in (clone.folder / "logs" / "downloads").glob("*.log"))
    assert "FetchError: words cannot be fetched: ConnectionError" in logs
    assert "FetchError: model someone/model at" in logs
    assert not (clone.folder / "results" / "activations").exists()


def test_a_study_is_planned_before_anything_is_fetched(fetching, monkeypatch):
    clone, server = fetching
    point_to(monkeypatch, NOWHERE)
    plan = clone.planned(config=f"config/{FETCHED}")
    assert plan["downloads"] == 2
    assert plan["activations"] == 2
    assert not server.asked


@pytest.mark.parametrize("name", ["gpt2", "llama-3.1-8b-instruct", "minilm", "minilm-ewt"])
def test_every_study_of_a_real_model_is_planned_without_a_network(bare, monkeypatch, name):
    point_to(monkeypatch, NOWHERE)
    config = f"config/{name}.yaml"
    jobs = bare.planned(config=config)
    assert jobs["downloads"] > 1
    assert jobs["activations"] == {"gpt2": 3, "llama-3.1-8b-instruct": 8, "minilm-ewt": 8}.get(name, 2)
    done = bare.run("python", "-m", "linear_probing.plan", "--config", config, "--rate", "1")
    assert done.returncode == 0, done.stderr
