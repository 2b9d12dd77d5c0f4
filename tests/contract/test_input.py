"""How a model is loaded, and how a trace gets its input."""

import warnings

import pytest
import torch
from nnsight import LanguageModel, NNsight

BOTH = {"0.5.15": True, "0.8.1": True}
TEXT = "the city of lima is in peru"
IDS = torch.tensor([[2, 3, 4, 5, 6, 7, 8]])


@pytest.mark.claim("A trace with keyword arguments only fails", {"0.5.15": True, "0.8.1": False})
def test_keyword_arguments_only(make, inputs, found, failure):
    traced, states = NNsight(make("llama")), []

    def run():
        with torch.no_grad(), traced.trace(**inputs):
            states.append(traced.layers[0].output.save())

    error = failure(run)
    found(error is not None, error or f"a block's output of shape {tuple(states[0].shape)}")


@pytest.mark.claim("A trace with `input_ids` by position and the rest by keyword works", BOTH)
def test_a_positional_input(make, inputs, found, hidden, bound):
    model, states = make("llama"), []
    traced = NNsight(model)
    expected = hidden(model, **inputs)[1]
    ids = inputs.pop("input_ids")
    with torch.no_grad(), traced.trace(ids, **inputs):
        states.append(traced.layers[0].output.save())
    difference = (states[0] - expected).abs().max()
    found(difference == 0, f"difference from `output_hidden_states`: {bound(difference)}")


@pytest.mark.claim("`tracer.invoke(input_ids=...)` takes keyword arguments only", BOTH)
def test_an_invoke_with_keyword_arguments(make, inputs, found, hidden, bound):
    model, states = make("llama"), []
    traced = NNsight(model)
    with torch.no_grad(), traced.trace() as tracer:
        with tracer.invoke(**inputs):
            states.append(traced.layers[0].output.save())
    difference = (states[0] - hidden(model, **inputs)[1]).abs().max()
    found(difference == 0, f"difference from `output_hidden_states`: {bound(difference)}")


@pytest.mark.claim(
    "All layers of Llama from pre-tokenised ids: `tracer.invoke(input_ids=...)`, `model.model.layers[i].output`",
    BOTH,
)
def test_all_layers_of_llama_from_ids(load, found, hidden, states_of, bound):
    model, states = load("llama"), []
    with torch.no_grad(), model.trace() as tracer:
        with tracer.invoke(input_ids=IDS):
            for layer in range(3):
                states.append(states_of(model.model.layers[layer].output).save())
    expected = hidden(model._module, input_ids=IDS)
    difference = max((states[layer] - expected[layer + 1]).abs().max() for layer in range(2))
    shapes = {tuple(state.shape) for state in states}
    found(
        shapes == {(1, 7, 16)} and difference == 0,
        f"3 layers of shape {' and '.join(map(str, shapes))}, difference {bound(difference)}",
    )


@pytest.mark.claim(
    "All layers of GPT-2 from a string: `model.trace(text)`, `model.transformer.h[i].output`",
    BOTH,
)
def test_all_layers_of_gpt2_from_a_string(load, found, hidden, states_of, bound):
    model, states = load("gpt2"), []
    with torch.no_grad(), model.trace(TEXT):
        for layer in range(3):
            states.append(states_of(model.transformer.h[layer].output).save())
    expected = hidden(model._module, input_ids=IDS)
    difference = max((states[layer] - expected[layer + 1]).abs().max() for layer in range(2))
    shapes = {tuple(state.shape) for state in states}
    found(
        shapes == {(1, 7, 16)} and difference == 0,
        f"3 layers of shape {' and '.join(map(str, shapes))}, difference {bound(difference)}",
    )


def dtype_of(load, failure, option):
    """Return whether Llama loads in bfloat16 by a keyword argument, and the evidence."""
    loaded = []
    error = failure(lambda: loaded.append(load("llama", **{option: torch.bfloat16})))
    if error is not None:
        return False, error
    weights = {(str(weight.dtype), weight.device.type) for weight in loaded[0]._module.parameters()}
    on_meta = any(device == "meta" for _, device in weights)
    dtypes = {dtype for dtype, _ in weights}
    return dtypes == {"torch.bfloat16"} and not on_meta, f"weights in {' and '.join(sorted(dtypes))}, in memory"


@pytest.mark.claim('Llama loads with `device_map="auto", dispatch=True, torch_dtype=torch.bfloat16`', BOTH)
def test_llama_loads_with_torch_dtype(load, found, failure):
    found(*dtype_of(load, failure, "torch_dtype"))


@pytest.mark.claim('Llama loads with `device_map="auto", dispatch=True, dtype=torch.bfloat16`', BOTH)
def test_llama_loads_with_dtype(load, found, failure):
    found(*dtype_of(load, failure, "dtype"))


@pytest.mark.claim("`LanguageModel` is deprecated", {"0.5.15": False, "0.8.1": True})
def test_language_model_is_deprecated(folder, found):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        LanguageModel(folder("llama"), device_map="auto", dispatch=True)
    messages = [str(warning.message) for warning in caught if "LanguageModel" in str(warning.message)]
    found(bool(messages), messages[0] if messages else "loads without a warning")


@pytest.mark.claim(
    "Blocks stand at `model.model.layers` in Llama and at `model.transformer.h` in GPT-2",
    BOTH,
)
def test_module_paths(load, found):
    llama, gpt2 = (load(kind) for kind in ("llama", "gpt2"))
    kinds = [type(block._module).__name__ for block in (llama.model.layers[0], gpt2.transformer.h[0])]
    found(kinds == ["LlamaDecoderLayer", "GPT2Block"], f"{kinds[0]}, {kinds[1]}")


@pytest.mark.claim(
    "A batch of strings of unequal length, padded left, gives GPT-2 the states of each string alone",
    {"0.5.15": False, "0.8.1": True},
)
def test_a_batch_of_strings(load, found, hidden, states_of):
    model, states = load("gpt2"), []
    model.tokenizer.padding_side = "left"
    with torch.no_grad(), model.trace([TEXT, "the city"]):
        states.append(states_of(model.transformer.h[0].output).save())
    expected = hidden(model._module, input_ids=IDS[:, :2])[1]
    difference = (states[0][1, -2:] - expected[0]).abs().max()
    words = "below 1e-5" if difference < 1e-5 else f"{difference:.2f}"  # 0 on some processors, 1e-7 on others
    found(difference < 1e-5, f"`position_ids` not given: difference of a padded text {words}")
