"""Edits in every architecture: what is asked in batches, as trees or not, is what a plain hook of torch gives."""

import numpy as np
import pytest
import transformers

from linear_probing.extraction.comparison import ParityError
from linear_probing.extraction.reading import wrap
from linear_probing.steering import asking, choice
from linear_probing.steering.questions import question

KINDS = ["gpt2", "llama", "mistral", "mixtral", "qwen2", "qwen3", "gemma2", "gemma3_text"]
KINDS += ["gpt_neox", "opt", "phi", "gptj", "bloom", "falcon"]
FEW = {"gpt2", "llama", "gemma2", "bloom", "falcon"}
"""What `make test` tries: the study's own kind, norms behind each part, no trees, a tuple from blocks."""
NO_TREES = {"bloom"}
WIDTH = 32


def questions(texts):
    """Return questions on three texts: at the last token, and in the middle with answers of several tokens."""
    ids = [texts.text(row) for row in (0, 3, 5)]
    one, two, three = ([np.array(more) for more in listed] for listed in ([[7], [9]], [[4, 5, 6], [4, 8]], [[11]]))
    return [
        question(ids[0], len(ids[0]) - 1, one),
        question(ids[1], len(ids[1]) // 2, two, 0),
        question(ids[2], len(ids[2]) - 1, three),
    ]


def edits(width):
    def of_layer(_):
        random = np.random.default_rng(0)
        found = np.concatenate([np.zeros((1, width)), random.standard_normal((4, width))])
        return lambda _: found

    return of_layer


@pytest.mark.parametrize(
    "kind", [kind if kind in FEW else pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS]
)
def test_edits_do_what_a_plain_hook_does(tiny_causal_model, texts, kind):
    reader = wrap(tiny_causal_model(kind))
    width = reader.model.config.get_text_config().hidden_size
    way, apart = choice.choose(reader, questions(texts), range(4), edits(width), 64)
    assert way == asking.WAYS[2 if kind in NO_TREES else 0]
    assert apart < 1e-4


@pytest.mark.parametrize("way", asking.WAYS[1:], ids=["trees", "rows"])
@pytest.mark.parametrize("kind", ["llama", "falcon"])
def test_so_do_the_slower_ways(tiny_causal_model, texts, kind, way):
    reader = wrap(tiny_causal_model(kind))
    width = reader.model.config.get_text_config().hidden_size
    for layer in range(4):
        found, limit = choice.differences(reader, questions(texts), layer, edits(width)(layer), 64, way)
        assert found <= limit, layer


def test_a_window_or_changing_angles_bar_the_ways_that_would_be_wrong(tiny_causal_model):
    mistral = wrap(tiny_causal_model("mistral", sliding_window=8))
    assert choice.possible(mistral, 8) == asking.WAYS
    assert choice.possible(mistral, 9) == asking.WAYS[2:]
    scaled = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}
    dynamic = wrap(tiny_causal_model("llama", rope_parameters=scaled, max_position_embeddings=16))
    assert choice.possible(dynamic, 16) == asking.WAYS
    assert [way.alone for way in choice.possible(dynamic, 17)] == [True]


@pytest.mark.parametrize("kind", ["gpt2", "llama", "falcon"])
def test_an_edit_changes_what_is_said(tiny_causal_model, texts, kind):
    """Else all of these comparisons would be of nothing. Behind the last block nothing reads another token's state."""
    reader = wrap(tiny_causal_model(kind))
    width = reader.model.config.get_text_config().hidden_size
    for layer in range(3):
        for found in asking.ask_all(reader, questions(texts), layer, edits(width)(layer), 64):
            assert np.abs(found[1:] - found[0]).max() > 1e-3


def test_edits_that_go_to_the_wrong_place_would_be_found(tiny_causal_model, texts, monkeypatch):
    reader = wrap(tiny_causal_model("llama"))
    right = asking.change
    monkeypatch.setattr(asking, "change", lambda states, places, given: right(states.roll(1, dims=1), places, given))
    with pytest.raises(ParityError, match="differ from those of a plain hook"):
        choice.choose(reader, questions(texts), range(1, 4), edits(WIDTH), 64)


def test_memory_that_runs_out_halves_the_batch(tiny_causal_model, texts, monkeypatch):
    reader = wrap(tiny_causal_model("llama"))
    width = reader.model.config.get_text_config().hidden_size
    expected = asking.ask_all(reader, questions(texts), 2, edits(width)(2), 10_000, asking.WAYS[2])
    run, sizes = asking.pass_batch, []

    def scarce(reader, batch, *more):
        sizes.append(len(batch.ids))
        if len(batch.ids) > 3:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return run(reader, batch, *more)

    monkeypatch.setattr(asking, "pass_batch", scarce)
    found = asking.ask_all(reader, questions(texts), 2, edits(width)(2), 10_000, asking.WAYS[2])
    assert max(sizes) > 3 >= min(sizes)
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other, abs=1e-4)


def test_an_encoder_says_nothing_behind_a_text(tmp_path, tiny_model):
    from linear_probing import models
    from linear_probing.settings import Model

    tiny_model("bert").save_pretrained(tmp_path)
    transformers.AutoConfig.from_pretrained(tmp_path).save_pretrained(tmp_path)
    with pytest.raises(models.ModelError, match=r"says nothing behind a text|lack"):
        models.load(Model("bert", tmp_path, "float32"), head=True)
