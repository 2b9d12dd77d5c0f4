"""The stage on saved models: positions, dtypes, twins, records; the embedded model's states are transformers' own."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from linear_probing import activations, models, provenance, records, settings, store, tokens
from linear_probing.activations import extract_shard
from linear_probing.extraction.comparison import ParityError
from linear_probing.extraction.reading import wrap
from linear_probing.settings import Model
from linear_probing.tables import Tables

LINES = ["Quito", "The city of Nairobi is not in Peru.", "The old keys near the door", "Forty-one is larger than six."]


def whole_lines(lines):
    frame = pd.DataFrame({"text_id": [str(number) for number in range(len(lines))], "text": lines})
    ends = frame["text"].str.len()
    ids = {"target_id": "t" + frame["text_id"], "text_id": frame["text_id"]}
    return Tables(frame, pd.DataFrame({**ids, "span_start": ends - 1, "span_end": ends}))


@pytest.fixture
def atlas(root):
    return Model("atlas", root / "data" / "models" / "atlas", "float32")


@pytest.fixture
def data(atlas):
    return tokens.tokenize(whole_lines(LINES), models.load_tokenizer(atlas.folder), 128)


def test_the_embedded_models_states_are_those_of_transformers(atlas, data):
    model = models.load(atlas)
    found = extract_shard(wrap(model), data, atlas, tuple(range(7)))
    assert all(one.relative <= 2e-5 for one in found.parity)
    with torch.no_grad():
        own = model(torch.from_numpy(data.text(1))[None], output_hidden_states=True).hidden_states
    for layer in range(6):
        assert torch.allclose(found.states[layer][1], own[layer][0, -1], atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize(("dtype", "stored"), [("bfloat16", None), ("float16", None), ("float32", "float16")])
def test_states_are_stored_in_their_dtype(root, atlas, data, tmp_path, dtype, stored):
    model = Model("atlas", atlas.folder, dtype, stored_dtype=stored)
    found = extract_shard(wrap(models.load(model)), data, model, (0, 3, 6))
    activations.write(tmp_path / "shard-0-of-1.safetensors", found, "last")
    raw = store.read_tensors(tmp_path / "shard-0-of-1.safetensors")
    assert {str(array.dtype) for array in raw.values()} == {stored or dtype}
    exact = extract_shard(wrap(models.load(atlas)), data, atlas, (0, 3, 6)).states
    for layer in (0, 3, 6):
        read = store.read_layer(tmp_path, layer, 4)
        assert np.abs(read - exact[layer].numpy()).max() <= 0.02 * exact[layer].abs().max()
        assert not np.array_equal(read, exact[layer].numpy())


def test_a_job_says_which_path_ran_and_how_exact_it_was(atlas, data, tmp_path):
    source = tmp_path / "tokens"
    source.mkdir()
    tokens.write(source, data, "last")
    final = tmp_path / "states" / "shard-0-of-1.safetensors"
    job = activations.Job(source, final, None)
    assert not job.is_done()
    found = activations.run_job(wrap(models.load(atlas)), job, atlas, (0, 6), 0)
    assert (found["path"], found["n_targets"], found["device"], found["dtype"]) == ("tree", 4, "cpu", "float32")
    assert [one["layer"] for one in found["parity"]] == [0, 6]
    assert [path.name for path in final.parent.iterdir()] == ["shard-0-of-1.safetensors"]
    assert job.is_done()


def test_a_file_is_done_if_the_record_of_its_making_says_so(atlas, data, tmp_path, monkeypatch):
    """Where a job failed later, Snakemake takes the record away, and the file is not extracted again."""
    monkeypatch.chdir(tmp_path)
    final = Path("results/activations/atlas/set-0123456789/shard-0-of-1.safetensors")
    made = provenance.made("activations", {"tokens": "0123456789"})
    job = activations.Job(tmp_path, final, made)
    activations.write(final, extract_shard(wrap(models.load(atlas)), data, atlas, (0,)), "last")
    assert not job.is_done(), "a file of which nothing is recorded"
    records.write_run(final, made, 0.0, {final.name: activations.sha256(final)})
    assert job.is_done()
    final.write_bytes(final.read_bytes()[:-1])
    assert not job.is_done(), "a file that was cut"


def test_a_difference_stops_the_run_and_is_named(atlas, data, monkeypatch):
    reader = wrap(models.load(atlas))
    extract = activations.extract

    def wrong(*arguments):
        states = extract(*arguments)
        states[3][2] += 0.1
        return states

    monkeypatch.setattr(activations, "extract", wrong)
    with pytest.raises(ParityError, match=r"atlas: the state of layer 3 at target t2 of text 2 differs .* expected at"):
        extract_shard(reader, data, atlas, (0, 3, 6))


def test_a_twin_has_random_weights_of_its_seed(atlas):
    twins = [models.load(Model("twin", atlas.folder, "float32", seed)) for seed in (0, 0, 1)]
    weights = [model.layers[2].mlp.up_proj.weight for model in (models.load(atlas), *twins)]
    assert torch.equal(weights[1], weights[2])
    assert not torch.equal(weights[1], weights[3])
    assert not torch.allclose(weights[0], weights[1], atol=1e-3)


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_tokenizers_padding_side_does_not_matter(saved, tokenizer_of_characters, side):
    folder = saved("gpt2", vocab_size=64)
    data = tokens.tokenize(whole_lines(LINES), tokenizer_of_characters(padding_side=side), 128)
    model = Model("tiny", folder, "float32", prefix_trees=False)
    found = extract_shard(wrap(models.load(model)), data, model, (0, 1, 2, 3))
    assert found.path == "padded"
    assert all(one.relative <= 2e-5 for one in found.parity)


def test_a_study_may_name_a_device_that_is_not_there(atlas):
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(models.ModelError, match=r"(?s)device cuda, but torch sees no GPU.*set device to cpu"):
        models.load(Model("atlas", atlas.folder, "float32", device="cuda"))


@pytest.mark.parametrize("seed", [None, 0])
def test_a_model_that_accelerate_places_has_the_same_states(atlas, data, seed):
    one, other = (Model("atlas", atlas.folder, "float32", seed, device=device) for device in ("cpu", "auto"))
    states = [extract_shard(wrap(models.load(model)), data, model, (0, 6)).states for model in (one, other)]
    assert all(torch.allclose(states[0][layer], states[1][layer], atol=1e-4) for layer in (0, 6))


def test_every_configurations_layers_are_read(root, atlas):
    study = settings.load(root / "config" / "study.yaml")
    assert study.layers_of(study.model("atlas")) == tuple(range(7))


def test_a_shard_without_targets_is_an_empty_file(atlas, data, tmp_path):
    found = extract_shard(wrap(models.load(atlas)), data.shard(0, 100), atlas, (0, 6))
    assert (found.path, found.parity) == ("none", [])
    activations.write(tmp_path / "shard-0-of-2.safetensors", found, "last")
    whole = extract_shard(wrap(models.load(atlas)), data, atlas, (0, 6))
    activations.write(tmp_path / "shard-1-of-2.safetensors", whole, "last")
    assert store.read_layer(tmp_path, 6, 4).shape == (4, 160)


@pytest.mark.parametrize("away", ["norm", "layers.5"])
def test_weights_that_accelerate_keeps_on_disk_give_the_same_states(atlas, data, tmp_path, away):
    import accelerate

    whole = extract_shard(wrap(models.load(atlas)), data, atlas, (0, 6)).states
    model = models.load(atlas)
    parts = ["embed_tokens", "rotary_emb", "norm", *(f"layers.{number}" for number in range(6))]
    where = {part: "disk" if part == away else "cpu" for part in parts}
    placed = accelerate.dispatch_model(model, where, main_device="cpu", offload_dir=tmp_path)
    found = extract_shard(wrap(placed), data, atlas, (0, 6))
    assert all(torch.allclose(whole[layer], found.states[layer], atol=1e-4) for layer in (0, 6))
