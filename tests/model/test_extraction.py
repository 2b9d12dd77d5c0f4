"""Extraction: batches, padding, trees, positions and shards do not matter; what must not be stored is refused."""

import numpy as np
import pytest
import torch

from linear_probing.extraction import choice
from linear_probing.extraction.batches import PaddedTexts
from linear_probing.extraction.comparison import differences, reference, sample
from linear_probing.extraction.reading import ActivationError, extract, is_out_of_memory, residual, wrap
from linear_probing.extraction.trees import PrefixTrees
from linear_probing.settings import Model
from linear_probing.tokens import Tokens

LAYERS = (0, 1, 2, 3)


def read(model, data, layers=LAYERS, budget=64, plan=PaddedTexts, dtype=torch.float32):
    return extract(wrap(model), data, plan(data), layers, dtype, budget)


def apart(one, other):
    return max(float((one[layer] - other[layer]).abs().max()) for layer in one)


@pytest.mark.parametrize("plan", [PaddedTexts, PrefixTrees])
@pytest.mark.parametrize("budget", [1, 13, 10_000])
def test_batches_do_not_matter(tiny_model, texts, plan, budget):
    model = tiny_model("llama")
    alone = read(model, texts, budget=1)
    assert apart(alone, read(model, texts, budget=budget, plan=plan)) <= 1e-5


@pytest.mark.parametrize("capacity", [1, 4, 17, 400])
def test_rows_of_trees_of_any_size_give_the_padded_paths_states(tiny_model, texts, capacity):
    model = tiny_model("gpt2")
    found = read(model, texts, plan=lambda data: PrefixTrees(data, capacity))
    assert apart(read(model, texts), found) <= 1e-5


def test_layers_alone_are_layers_among_all(tiny_model, texts):
    model = tiny_model("gpt2")
    assert torch.equal(read(model, texts, layers=(2,))[2], read(model, texts)[2])


def test_the_model_runs_no_further_than_the_last_wanted_layer(tiny_model, texts):
    model, called = tiny_model("llama"), []
    for number in (1, 2):
        model.layers[number].register_forward_pre_hook(lambda *_, number=number: called.append(number))
    read(model, texts, layers=(0, 2))
    assert set(called) == {1}


def test_the_last_layer_is_before_the_final_norm(tiny_model, texts):
    model = tiny_model("llama")
    expected = reference(wrap(model), texts, (3,))
    found = read(model, texts)[3][torch.from_numpy(expected.targets)]
    assert torch.allclose(found, expected.before_norm, atol=1e-5)
    assert not torch.allclose(found, expected.states[3], rtol=0.1)


@pytest.mark.parametrize("plan", [PaddedTexts, PrefixTrees])
def test_a_span_is_read_at_its_first_last_or_all_tokens(tiny_model, sequences, make_tokens, plan):
    model = tiny_model("llama")
    whole = {text: reference_of(model, sequences[text]) for text in (3, 7)}
    data = make_tokens(sequences, [7, 3, 7, 3], [4, 2, 9, 0], [9, 2, 9, 5])
    found = read(model, data, plan=plan)
    for layer in (0, 1, 2):
        for row, (text, first, last) in enumerate(
            zip(data.target_text, data.target_first, data.target_last, strict=True)
        ):
            wanted = whole[text][layer][first : last + 1].mean(dim=0)
            assert torch.allclose(found[layer][row], wanted, atol=1e-5)


def reference_of(model, ids):
    with torch.no_grad():
        return [s[0] for s in model(torch.from_numpy(ids)[None], output_hidden_states=True).hidden_states]


def test_means_are_compared_in_every_layer(tiny_model, sequences, make_tokens):
    reader = wrap(tiny_model("gpt2"))
    data = make_tokens(sequences, [7, 3, 4], [4, 2, 0], [9, 2, 5])
    expected = reference(reader, data, LAYERS)
    found = extract(reader, data, PaddedTexts(data), LAYERS, torch.float32)
    assert all(one.relative <= 2e-5 for one in differences(reader, data, found, expected))
    for target in range(3):
        wrong = {layer: states.clone() for layer, states in found.items()}
        wrong[3][target] += 0.01
        assert differences(reader, data, wrong, expected)[3].relative > 2e-5


def test_shards_end_to_end_are_the_whole(tiny_model, texts):
    model = tiny_model("llama")
    parts = [read(model, texts.shard(number, 3)) for number in range(3)]
    whole = read(model, texts)
    for layer in LAYERS:
        assert torch.allclose(torch.cat([part[layer] for part in parts]), whole[layer], atol=1e-5)
    names = np.concatenate([texts.shard(number, 3).target_id for number in range(3)])
    assert names.tolist() == texts.target_id.tolist()


def test_a_batch_that_does_not_fit_is_halved_until_it_does(tiny_model, texts):
    model, sizes = tiny_model("llama"), []
    expected = read(model, texts)
    model.layers[1].register_forward_pre_hook(lambda _, inputs: full(inputs[0], sizes, 40))
    assert apart(expected, read(model, texts, budget=128)) <= 1e-5
    assert sizes[:2] == [120, 60], "half of what was tried"
    assert max(sizes[2:]) <= 40


def full(states, sizes, limit):
    sizes.append(states.shape[0] * states.shape[1])
    if sizes[-1] > limit:
        raise torch.OutOfMemoryError("no memory left")


def test_a_text_that_does_not_fit_alone_is_an_error(tiny_model, texts):
    model = tiny_model("llama")
    model.layers[1].register_forward_pre_hook(lambda _, inputs: full(inputs[0], [], 8))
    with pytest.raises(ActivationError, match=r"memory runs out with a batch of one row of 30 tokens"):
        read(model, texts)


@pytest.mark.parametrize("plan", [PaddedTexts, PrefixTrees])
def test_numbers_that_are_not_finite_are_named(tiny_model, sequences, make_tokens, plan):
    model = tiny_model("gpt2")
    model.h[1].mlp.c_proj.bias.data[:] = float("inf")
    data = make_tokens(sequences[:3], [2, 0], [1, 0], [1, 0])
    with pytest.raises(ActivationError, match=r"layer 2: the state of target target \d holds numbers.* as float32"):
        read(model, data, layers=(0, 2), plan=plan)


def test_states_that_overflow_on_disk_are_refused(tiny_model, texts):
    model = tiny_model("gpt2")
    model.h[1].mlp.c_proj.bias.data[:] = 1e6
    assert read(model, texts)[2].isfinite().all()
    with pytest.raises(ActivationError, match=r"as float16\n  likely: the numbers overflow this dtype"):
        read(model, texts, dtype=torch.float16)


def test_a_text_longer_than_the_models_context_is_named(tiny_model, texts):
    with pytest.raises(ActivationError, match="text text 7 has 30 tokens, the model's context is 20"):
        read(tiny_model("gpt2", n_positions=20), texts)


def test_a_block_that_returns_something_else_is_refused():
    with pytest.raises(ActivationError, match=r"\(3, 4\), expected \(2, 3, 4\)"):
        residual(torch.zeros(2, 3, 4)[0], (2, 3, 4))


def test_the_shortest_and_the_longest_text_are_compared(texts, make_tokens):
    assert sample(texts).tolist() == list(range(10))
    many = [np.full(length, 3) for length in [9] * 40 + [1, 30] + [9] * 40]
    data = make_tokens(many, range(82), [0] * 82, [0] * 82)
    found = sample(data)
    assert len(set(found)) == 16
    assert {40, 41} < set(found)
    assert (sample(data) == found).all()


def settings_of(**changes):
    return Model("tiny", None, "float32", tokens_per_batch=64, **changes)


def chosen(model, data, **changes):
    reader = wrap(model)
    expected = reference(reader, data, LAYERS)
    plan, reason = choice.choose_plan(reader, data, expected, torch.float32, 2e-5, settings_of(**changes))
    return plan.name, reason


def templated(make_tokens, length=9):
    texts = [np.array([*range(3, length + 2), 20 + number]) for number in range(20)]
    return make_tokens(texts, range(20), [length - 1] * 20, [length - 1] * 20)


def test_trees_are_chosen_where_texts_share_their_beginnings(tiny_model, make_tokens):
    assert chosen(tiny_model("llama"), templated(make_tokens)) == ("tree", "0.16 of the padded path's tokens")


@pytest.mark.parametrize(
    ("kind", "changes", "reason"),
    [
        ("llama", {"prefix_trees": False}, "prefix trees are switched off"),
        ("bert", {}, "a later token changes the states before it"),
        ("bloom", {}, "the model refuses them"),
    ],
)
def test_the_padded_path_is_the_fallback(tiny_model, make_tokens, kind, changes, reason):
    name, found = chosen(tiny_model(kind), templated(make_tokens), **changes)
    assert name == "padded"
    assert reason in found


def test_texts_longer_than_a_window_of_attention_are_padded(tiny_model, make_tokens):
    data = templated(make_tokens)
    assert chosen(tiny_model("mistral", sliding_window=8), data)[0] == "padded"
    assert chosen(tiny_model("mistral", sliding_window=9), data)[0] == "tree"


def test_texts_without_shared_beginnings_are_padded(tiny_model, make_tokens):
    texts = [np.full(4, 3 + number) for number in range(10)]
    name, reason = chosen(tiny_model("llama"), make_tokens(texts, range(10), [3] * 10, [3] * 10))
    assert (name, reason) == ("padded", "prefix trees would compute 1.00 of the padded path's tokens")


def test_a_model_that_ignores_positions_falls_back(tiny_model, make_tokens):
    model = tiny_model("gpt2")
    forward = model.wpe.forward
    model.wpe.forward = lambda positions: forward(torch.arange(positions.shape[-1])[None])
    name, reason = chosen(model, templated(make_tokens))
    assert name == "padded"
    assert reason.startswith("trees differ by")


def test_a_selection_keeps_its_texts(texts):
    part = texts.select(np.array([5, 0]))
    assert isinstance(part, Tokens)
    assert part.target_id.tolist() == ["target 5", "target 0"]
    assert part.text_id.tolist() == ["text 0", "text 1"]
    assert part.text(1).tolist() == texts.text(1).tolist()


def test_a_text_where_the_positions_angles_change_runs_alone(tiny_model, make_tokens):
    """In longrope the longest text of a batch decides the angles of all its texts."""
    scaling = {"rope_type": "longrope", "short_factor": [1.0] * 4, "long_factor": [8.0] * 4, "rope_theta": 1e4}
    scaling["original_max_position_embeddings"] = 16
    sizes = {"max_position_embeddings": 64, "original_max_position_embeddings": 16, "rope_parameters": scaling}
    model = tiny_model("phi3", **sizes)
    random = np.random.default_rng(0)
    sequences = [random.integers(3, 64, length) for length in (20, 16, 15, 14, 30)]
    ends = [len(ids) - 1 for ids in sequences]
    data, reader = make_tokens(sequences, range(5), ends, ends), wrap(model)
    expected = reference(reader, data, LAYERS)
    plan, reason = choice.choose_plan(reader, data, expected, torch.float32, 2e-5, settings_of())
    assert (plan.name, plan.n_alone, reason) == (
        "padded",
        2,
        "a text is longer than 16 tokens, where the angles of its positions change",
    )
    right, wrong = (extract(reader, data, each, LAYERS, torch.float32, 1000) for each in (plan, PaddedTexts(data)))
    assert all(one.relative <= 2e-5 for one in differences(reader, data, right, expected))
    assert any(one.relative > 1e-4 for one in differences(reader, data, wrong, expected))


def test_long_beginnings_are_shared_too(make_tokens):
    texts = [np.concatenate([np.full(300, 3), np.full(10, 4 + number)]) for number in range(20)]
    plan = PrefixTrees(make_tokens(texts, range(20), [309] * 20, [309] * 20))
    assert plan.lengths == [500]


def test_a_token_that_the_vocabulary_lacks_is_refused(tiny_model, make_tokens):
    with pytest.raises(ActivationError, match="a text holds the token 64, the model's vocabulary has 64"):
        read(tiny_model("llama"), make_tokens([np.array([3, 64])], [0], [1], [1]))


def test_a_reference_that_does_not_fit_in_memory_is_an_error(tiny_model, texts):
    model = tiny_model("llama")
    model.layers[1].register_forward_pre_hook(lambda _, inputs: full(inputs[0], [], 8))
    with pytest.raises(ActivationError, match=r"memory runs out with text text \d+ of \d+ tokens alone"):
        reference(wrap(model), texts, LAYERS)


def test_the_cpus_allocator_is_believed_too():
    assert is_out_of_memory(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"))
    assert not is_out_of_memory(RuntimeError("shapes do not fit"))


def test_more_shards_than_targets_leave_some_empty(texts):
    parts = [texts.shard(number, 200) for number in range(200)]
    assert sum(len(part.target_text) for part in parts) == len(texts.target_text)
    assert len(parts[0].target_text) == 0
