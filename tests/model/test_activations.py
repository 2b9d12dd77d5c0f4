"""States of tiny random models, and of the embedded one, equal transformers' own; padding and batches do not matter."""

import numpy as np
import pandas as pd
import pytest
import torch
import transformers

from linear_probing import activations, models, settings, tokens
from linear_probing.models import ModelError
from linear_probing.settings import Model
from linear_probing.tables import Tables
from linear_probing.tokens import TokenError, Tokens

RELATIVE = 2e-5
SIZES = {
    "llama": {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2},
    "gpt2": {"n_embd": 32, "n_head": 4},
    "gptj": {"n_embd": 32, "n_head": 4, "rotary_dim": 8},
    "gpt_neox": {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4},
    "bloom": {"hidden_size": 32, "n_head": 4},
}


def tiny_model(kind):
    torch.manual_seed(0)
    depth = "n_layer" if kind in ("gpt2", "gptj", "bloom") else "num_hidden_layers"
    configuration = transformers.AutoConfig.for_model(kind, vocab_size=64, **SIZES[kind], **{depth: 3})
    return transformers.AutoModel.from_config(configuration).eval()


def final_norm(model):
    found = [getattr(model, name) for name in ("norm", "ln_f", "final_layer_norm") if hasattr(model, name)]
    assert len(found) == 1
    return found[0]


@pytest.fixture(scope="module")
def texts():
    random = np.random.default_rng(0)
    lengths = [1, 7, 3, 12, 12, 5, 2]
    ids = [random.integers(0, 64, length) for length in lengths]
    text = np.array([3, 0, 1, 1, 6, 5, 2, 4, 3])
    position = np.array([11, 0, 6, 2, 1, 4, 0, 7, 0])
    return Tokens(np.concatenate(ids), np.concatenate([[0], np.cumsum(lengths)]), text, position)


def oracle(model, data, target):
    text = data.target_text[target]
    ids = torch.from_numpy(data.ids[data.starts[text] : data.starts[text + 1]])[None]
    with torch.no_grad():
        states = model(input_ids=ids, output_hidden_states=True).hidden_states
    return [state[0, data.target_position[target]].numpy() for state in states]


@pytest.mark.parametrize("kind", sorted(SIZES))
def test_states_are_those_of_transformers(texts, kind):
    model = tiny_model(kind)
    found = activations.extract(model, texts, range(4), n_tokens=24)
    for target in range(len(texts.target_text)):
        expected = oracle(model, texts, target)
        for layer in range(3):
            assert np.abs(found[layer][target] - expected[layer]).max() <= RELATIVE * np.abs(expected[layer]).max()
        with torch.no_grad():
            normed = final_norm(model)(torch.from_numpy(found[3][target])).numpy()
        assert np.abs(normed - expected[3]).max() <= RELATIVE * np.abs(expected[3]).max()


def test_the_last_layer_is_before_the_final_norm(texts):
    model = tiny_model("llama")
    model.norm.weight.data *= 3.0
    assert not np.allclose(activations.extract(model, texts, [3])[3][0], oracle(model, texts, 0)[3], rtol=0.1)


@pytest.mark.parametrize("n_tokens", [1, 13, 10_000])
def test_batches_do_not_matter(texts, n_tokens):
    model = tiny_model("llama")
    one, other = (activations.extract(model, texts, [0, 2], n) for n in (24, n_tokens))
    assert all(np.allclose(one[layer], other[layer], atol=1e-5) for layer in (0, 2))


def test_layers_alone_are_layers_among_all(texts):
    model = tiny_model("gpt2")
    assert np.array_equal(activations.extract(model, texts, [2])[2], activations.extract(model, texts, range(4))[2])


def test_a_twin_has_random_weights_of_its_seed(root):
    folder = root / "data" / "models" / "atlas"
    original = models.load(Model("atlas", folder, "float32"))
    twins = [models.load(Model("twin", folder, "float32", seed)) for seed in (0, 0, 1)]
    weights = [model.layers[2].mlp.up_proj.weight for model in (original, *twins)]
    assert torch.equal(weights[1], weights[2])
    assert not torch.equal(weights[1], weights[3])
    assert not torch.allclose(weights[0], weights[1], atol=1e-3)


def test_the_embedded_models_states_are_those_of_transformers(root):
    study = settings.load(root / "config" / "study.yaml")
    model, tokenizer = models.load(study.model("atlas")), models.load_tokenizer(study.model("atlas").folder)
    lines = [
        "Quito",
        "The city of Nairobi is not in Peru.",
        "The old keys near the door",
        "Forty-one is larger than six.",
    ]
    frame = pd.DataFrame({"text_id": [str(n) for n in range(4)], "text": lines})
    ends = frame["text"].str.len()
    targets = pd.DataFrame(
        {"target_id": frame["text_id"], "text_id": frame["text_id"], "span_start": ends - 1, "span_end": ends}
    )
    data = tokens.tokenize(Tables(frame, targets), tokenizer, 128)
    assert (data.ids[data.starts[:-1]] == tokenizer.bos_token_id).all()
    found = activations.extract(model, data, range(7))
    for target in range(4):
        expected = oracle(model, data, target)
        for layer in range(6):
            assert np.abs(found[layer][target] - expected[layer]).max() <= RELATIVE * np.abs(expected[layer]).max()


def test_numbers_that_overflow_are_refused(texts):
    model = tiny_model("gpt2")
    model.h[1].mlp.c_proj.bias.data[:] = float("inf")
    with pytest.raises(activations.ActivationError, match="layer 2 holds numbers that are not finite"):
        activations.extract(model, texts, [0, 2])


def test_a_block_that_returns_something_else_is_refused():
    with pytest.raises(activations.ActivationError, match=r"\(3, 4\), expected \(2, 3, 4\)"):
        activations.residual(torch.zeros(2, 3, 4)[0], (2, 3, 4))


def test_a_text_longer_than_the_context_is_named(root):
    tokenizer = models.load_tokenizer(root / "data" / "models" / "atlas")
    frame = pd.DataFrame({"text_id": ["long"], "text": ["key " * 300]})
    targets = pd.DataFrame({"target_id": ["0"], "text_id": ["long"], "span_start": [0], "span_end": [3]})
    with pytest.raises(TokenError, match=r"text long has \d+ tokens, the model's context is 128"):
        tokens.tokenize(Tables(frame, targets), tokenizer, 128)


def test_the_position_is_that_of_the_last_token_of_the_span(root):
    tokenizer = models.load_tokenizer(root / "data" / "models" / "atlas")
    text = "The people of Addis Ababa sing."
    frame = pd.DataFrame({"text_id": ["a"], "text": [text]})
    targets = pd.DataFrame({"target_id": ["0"], "text_id": ["a"], "span_start": [14], "span_end": [25]})
    data = tokens.tokenize(Tables(frame, targets), tokenizer, 128)
    read = tokenizer.decode(data.ids[1 : data.target_position[0] + 1])
    assert read == "The people of Addis Ababa"


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_cut_model_is_refused(root, tmp_path, name):
    for path in (root / "data" / "models" / "atlas").iterdir():
        content = path.read_bytes()
        (tmp_path / path.name).write_bytes(content[: len(content) // 2] if path.name == name else content)
    with pytest.raises(ModelError, match="cannot be loaded"):
        models.load(Model("cut", tmp_path, "float32"))
        models.load_tokenizer(tmp_path)


def test_blocks_are_found_by_structure():
    assert [models.blocks_path(tiny_model(kind)) for kind in ("llama", "gpt2")] == ["layers", "h"]


def test_ambiguous_blocks_are_refused():
    model = tiny_model("llama")
    model.more = torch.nn.ModuleList([torch.nn.Linear(1, 1) for _ in range(3)])
    with pytest.raises(ModelError, match="expected one module list of 3 modules, found layers, more"):
        models.blocks_path(model)
