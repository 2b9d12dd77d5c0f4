"""Every architecture: states equal transformers' own in every layer; docs/architectures.md is made here."""

from pathlib import Path

import pytest
import torch
import transformers

from linear_probing import architecture, parity
from linear_probing.extraction.batches import PaddedTexts
from linear_probing.extraction.comparison import TOLERANCES, differences, reference
from linear_probing.extraction.reading import extract, wrap

KINDS = ["gpt2", "llama", "mistral", "mixtral", "qwen2", "qwen3", "gemma2", "gemma3_text"]
KINDS += ["gpt_neox", "opt", "phi", "gptj", "bloom", "falcon", "bert"]
NO_TREES = {"bloom", "bert"}
DOCUMENT = Path(__file__).parents[2] / "docs" / "architectures.md"
HEADER = """# Architectures

Each line is what `tests/model/test_architectures.py` finds on a tiny random model; `make architectures` writes the
table. Every token of ten texts of unlike length is compared with transformers' own `output_hidden_states` on each text
alone, in every layer, padded and as prefix trees; differences are shares of the layer's greatest |state|, at most 2e-5
in float32.

With transformers {transformers}:

| architecture | blocks | a block returns | behind the last block | prefix trees |
|---|---|---|---|---|
"""


@pytest.fixture(params=KINDS, scope="module")
def compared(request, tiny_model, texts):
    reader = wrap(tiny_model(request.param))
    return request.param, reader, *parity.compare(reader, texts)


def test_the_fifteen_are_there(sizes):
    assert set(KINDS) <= set(sizes)
    assert len(set(KINDS)) == 15


def test_padded_states_are_those_of_transformers(compared):
    kind, _, expected, padded, _ = compared
    assert [one.layer for one in padded] == [0, 1, 2, 3]
    assert all(one.greatest > 0.01 for one in padded), "states of nothing would agree with anything"
    assert all(one.relative <= 2e-5 for one in padded), kind
    assert expected.states[3].std() > 0.1


def test_trees_hold_or_are_refused_for_a_reason(compared):
    kind, _, _, _, trial = compared
    failure = trial.failure(TOLERANCES["float32"])
    assert bool(failure) == (kind in NO_TREES), failure


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"bert"}))
def test_a_padding_that_shifts_positions_would_be_found(tiny_model, texts, kind, monkeypatch):
    reader = wrap(tiny_model(kind))
    expected = reference(reader, texts, range(4))
    monkeypatch.setattr(reader.model.get_submodule(reader.path)[1], "forward", shifted(reader))
    found = extract(reader, texts, PaddedTexts(texts), range(4), torch.float32, 64)
    wrong = {one.layer for one in differences(reader, texts, found, expected) if one.relative > 2e-5}
    assert {2, 3} <= wrong
    assert not {0, 1} & wrong


def shifted(reader):
    forward = reader.model.get_submodule(reader.path)[1].forward

    def run(states, *arguments, **named):
        return forward(states.roll(1, dims=1), *arguments, **named)

    return run


def row(kind, tiny_model, texts):
    reader = wrap(tiny_model(kind))
    returned = []
    hook = reader.model.get_submodule(reader.path)[0].register_forward_hook(lambda *call: returned.append(call[2]))
    _, _, trial = parity.compare(reader, texts)
    hook.remove()
    norms = [type(part).__name__ for tail in architecture.tails(reader.model, reader.path)[1:2] for part in tail]
    holds = trial.failure(TOLERANCES["float32"])
    shape = "tuple" if isinstance(returned[0], tuple) else "tensor"
    return f"| {kind} | `{reader.path}` | {shape} | {', '.join(norms) or 'nothing'} | {holds or 'hold'} |"


def test_the_document_is_what_was_found(tiny_model, texts, request):
    found = HEADER.format(transformers=transformers.__version__)
    found += "".join(row(kind, tiny_model, texts) + "\n" for kind in KINDS)
    if request.config.getoption("--write-documents"):
        DOCUMENT.write_text(found, encoding="utf-8")
    assert DOCUMENT.read_text(encoding="utf-8") == found, "do: make architectures"


def test_projections_beside_the_blocks_do_not_mislead(tiny_model, texts):
    """Such as opt-350m has: embeddings narrower than the states, and no norm at the end."""
    reader = wrap(tiny_model("opt", word_embed_proj_dim=16, do_layer_norm_before=False))
    assert all(one.relative <= 2e-5 for one in parity.compare(reader, texts)[1])


def test_positions_that_an_encoder_counts_from_behind_the_padding(tiny_model, texts):
    reader = wrap(tiny_model("roberta", pad_token_id=1))
    assert all(one.relative <= 2e-5 for one in parity.compare(reader, texts)[1])


def test_blocks_that_return_a_list(tiny_model, texts):
    reader = wrap(tiny_model("openai-gpt"))
    assert all(one.relative <= 2e-5 for one in parity.compare(reader, texts)[1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_mixes_tokens_by_convolutions_takes_no_trees(tiny_model, texts, dtype):
    trial = parity.compare(wrap(tiny_model("lfm2", dtype)), texts)[2]
    assert "by convolutions or states" in trial.failure(TOLERANCES["bfloat16"])
