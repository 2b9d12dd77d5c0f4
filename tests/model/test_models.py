"""Models that are loaded, refused before the first batch, or whose blocks have to be named."""

import json
import os

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from linear_probing import architecture, models
from linear_probing.architecture import ArchitectureError
from linear_probing.models import ModelError
from linear_probing.settings import Model


def load(folder, **settings):
    return models.load(Model("some", folder, "float32", **settings))


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_cut_model_is_refused(root, tmp_path, name):
    for path in (root / "data" / "models" / "atlas").iterdir():
        content = path.read_bytes()
        (tmp_path / path.name).write_bytes(content[: len(content) // 2] if path.name == name else content)
    with pytest.raises(ModelError, match="cannot be loaded"):
        load(tmp_path)
        models.load_tokenizer(tmp_path)


def test_a_folder_without_weights_is_refused(saved):
    folder = saved()
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"(?s)some has no weights: expected \*.safetensors, found config.json.*do:"):
        load(folder)
    load(folder, seed=0)


def test_no_folder_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"(?s)has no config.json.*do:     name a complete model folder"):
        load(tmp_path / "none")


def change_weights(folder, change):
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def test_absent_tensors_are_not_drawn_at_random(saved):
    folder = saved()
    change_weights(folder, lambda weights: weights.pop("layers.1.mlp.up_proj.weight"))
    with pytest.raises(ModelError, match=r"its weights lack 1 tensors, layers.1.mlp.up_proj.weight among them"):
        load(folder)


def test_more_layers_than_weights_are_refused(saved):
    folder = saved()
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**content, "num_hidden_layers": 4}))
    with pytest.raises(ModelError, match=r"its weights lack 9 tensors, layers\.3"):
        load(folder)


def test_weights_of_another_width_are_refused(saved):
    folder = saved()
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**content, "intermediate_size": 48}))
    with pytest.raises(ModelError, match="cannot be loaded"):
        load(folder)


def test_a_pooler_may_be_absent(saved):
    folder = saved("bert")
    change_weights(folder, lambda weights: [weights.pop(name) for name in list(weights) if "pooler" in name])
    assert load(folder).config.num_hidden_layers == 3


def test_weights_that_are_not_finite_are_refused(saved):
    folder = saved()
    change_weights(folder, lambda weights: weights["layers.2.mlp.down_proj.weight"][0].fill_(float("nan")))
    with pytest.raises(ModelError, match=r"the weights layers.2.mlp.down_proj.weight hold numbers that are not finite"):
        load(folder)


def test_pickled_weights_are_refused_unless_they_are_allowed(saved):
    folder = saved()
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"(?s)as a pickle \(pytorch_model.bin\).*add pickled_weights to the model's"):
        load(folder)
    assert load(folder, allow=("pickled_weights",)).config.num_hidden_layers == 3


def test_a_models_own_code_is_refused_unless_it_is_allowed(saved, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    folder, ran = saved(), tmp_path / "ran"
    names = {"AutoConfig": "own.OwnConfig", "AutoModel": "own.OwnModel"}
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**content, "model_type": "own", "auto_map": names}))
    (folder / "own.py").write_text(
        "from transformers import LlamaConfig, LlamaModel\n"
        f"open({str(ran)!r}, 'w').close()\n"
        "class OwnConfig(LlamaConfig):\n    model_type = 'own'\n"
        "class OwnModel(LlamaModel):\n    config_class = OwnConfig\n"
    )
    with pytest.raises(ModelError, match=r"(?s)the model brings code of its own.*add remote_code to the model's"):
        load(folder)
    assert not ran.exists()
    assert type(load(folder, allow=("remote_code",))).__name__ == "OwnModel"
    assert ran.exists()


def test_a_tokenizer_without_offsets_is_refused(saved):
    folder = saved()
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ModelError):
        models.load_tokenizer(folder)


def test_blocks_are_found_by_structure(tiny_model):
    assert [architecture.blocks_path(tiny_model(kind)) for kind in ("llama", "gpt2", "bert", "opt")] == [
        "layers",
        "h",
        "encoder.layer",
        "decoder.layers",
    ]


def test_ambiguous_blocks_have_to_be_named(tiny_model):
    model = tiny_model("llama")
    model.more = torch.nn.ModuleList([torch.nn.Linear(1, 1) for _ in range(3)])
    with pytest.raises(
        ArchitectureError, match=r"(?s)expected one module list of 3 modules, found layers, more.*as `blocks`"
    ):
        architecture.blocks_path(model)
    assert architecture.blocks_path(model, "layers") == "layers"
    with pytest.raises(ArchitectureError, match=r"3 modules named h, found none"):
        architecture.blocks_path(model, "h")


def test_lists_within_blocks_do_not_count(tiny_model):
    model = tiny_model("llama")
    model.layers[0].experts = torch.nn.ModuleList([torch.nn.Linear(1, 1) for _ in range(3)])
    assert architecture.blocks_path(model) == "layers"


def test_nothing_is_fetched_in_passing():
    assert os.environ["HF_HUB_OFFLINE"] == "1"


def test_tensors_that_the_blocks_have_no_place_for_are_not_passed_over(saved):
    folder = saved()
    change_weights(folder, lambda weights: weights.update({"layers.0.self_attn.q_proj.bias": torch.ones(32)}))
    with pytest.raises(ModelError, match=r"no place for 1 tensors of its weights, layers.0.self_attn.q_proj.bias"):
        load(folder)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("gpt2", "h.0.attn.masked_bias"),
        ("gptj", "h.0.attn.bias"),
        ("gpt_neox", "layers.0.attention.bias"),
        ("llama", "layers.0.self_attn.rotary_emb.inv_freq"),
    ],
)
def test_constants_of_older_checkpoints_may_be_passed_over(saved, kind, name):
    folder = saved(kind)
    change_weights(folder, lambda weights: weights.update({name: torch.ones(4)}))
    assert load(folder).config.num_hidden_layers == 3


def test_fewer_layers_than_weights_are_refused(saved):
    folder = saved()
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**content, "num_hidden_layers": 2}))
    with pytest.raises(ModelError, match=r"no place for 9 tensors of its weights, layers.2"):
        load(folder)


def test_a_head_may_be_passed_over(saved):
    folder = saved()
    change_weights(folder, lambda weights: weights.update({"lm_head.weight": torch.ones(64, 32)}))
    assert load(folder).config.num_hidden_layers == 3


@pytest.mark.parametrize(("key", "value"), [("num_attention_heads", 0), ("hidden_size", "wide")])
def test_a_configuration_of_nonsense_is_refused(saved, key, value):
    folder = saved()
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**content, key: value}))
    with pytest.raises(ModelError, match="some cannot be loaded"):
        load(folder)


def test_a_damaged_pickle_is_refused(saved):
    folder = saved()
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"nothing that torch wrote")
    with pytest.raises(ModelError, match="some cannot be loaded"):
        load(folder, allow=("pickled_weights",))


def test_an_encoder_with_a_decoder_is_refused():
    sizes = {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 2, "num_heads": 2, "vocab_size": 32}
    model = transformers.T5Model(transformers.T5Config(**sizes, decoder_start_token_id=0))
    with pytest.raises(ArchitectureError, match="T5Model has an encoder and a decoder"):
        architecture.blocks_path(model)


@pytest.mark.parametrize(("kind", "expected"), [("gpt2", 1024), ("bert", 512), ("bloom", None)])
def test_the_context_is_that_of_the_configuration(tiny_model, kind, expected):
    assert architecture.context(tiny_model(kind)) == expected


def test_positions_behind_the_paddings_shorten_the_context(tiny_model):
    assert architecture.context(tiny_model("roberta", max_position_embeddings=40)) == 38
