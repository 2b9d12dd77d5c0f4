"""What the project's extraction relies on, and its parity with transformers."""

import numpy as np
import pytest
import torch
from nnsight import NNsight

from linear_probing import activations
from linear_probing.tokens import Tokens

BOTH = {"0.5.15": True, "0.8.1": True}
NEITHER = {"0.5.15": False, "0.8.1": False}
RELATIVE = 2e-5
KINDS = ("bloom", "gpt2", "gpt_neox", "gptj", "llama")
LENGTHS = (1, 7, 3, 12, 12, 5, 2)


def read_by_invoke(traced, blocks, inputs, where, layers):
    """Do what `activations.read_batch` does, in a form that nnsight 0.5.15 takes too."""
    shape = (*inputs["input_ids"].shape, traced.config.hidden_size)
    states = []
    with torch.no_grad(), traced.trace() as tracer:
        with tracer.invoke(**inputs, use_cache=False):
            for layer in layers:
                value = blocks[0].input if layer == 0 else blocks[layer - 1].output
                states.append(activations.residual(value, shape)[where].float().cpu().save())
            tracer.stop()
    return states


def read_by_position(traced, blocks, inputs, where, layers):
    """Do the same in one statement, which both versions take too: only `input_ids` must not be a keyword."""
    ids, rest = inputs["input_ids"], {name: value for name, value in inputs.items() if name != "input_ids"}
    shape = (*ids.shape, traced.config.hidden_size)
    states = []
    with torch.no_grad(), traced.trace(ids, **rest, use_cache=False) as tracer:
        for layer in layers:
            value = blocks[0].input if layer == 0 else blocks[layer - 1].output
            states.append(activations.residual(value, shape)[where].float().cpu().save())
        tracer.stop()
    return states


@pytest.fixture
def texts():
    """Seven texts of 1 to 12 tokens, with every token a target."""
    ids = np.random.default_rng(0).integers(0, 64, sum(LENGTHS))
    text = np.repeat(np.arange(len(LENGTHS)), LENGTHS)
    position = np.concatenate([np.arange(length) for length in LENGTHS])
    return Tokens(ids, np.concatenate([[0], np.cumsum(LENGTHS)]), text, position)


def greatest_difference(model, hidden, data):
    """Extract all layers of all tokens in padded batches; compare with each text alone, relative to the layer's scale.

    transformers' last entry has the final norm applied, which is why the norm is applied here too.
    """
    states = activations.extract(model, data, range(4), n_tokens=36)
    (norm,) = (getattr(model, name) for name in ("norm", "ln_f", "final_layer_norm") if hasattr(model, name))
    with torch.no_grad():
        states[3] = norm(torch.from_numpy(states[3])).numpy()
    alone = [hidden(model, input_ids=torch.from_numpy(ids)[None]) for ids in np.split(data.ids, data.starts[1:-1])]
    expected = [np.concatenate([text[layer][0].numpy() for text in alone]) for layer in range(4)]
    return max(np.abs(states[layer] - expected[layer]).max() / np.abs(expected[layer]).max() for layer in range(4))


def parity(make, hidden, data, failure, bound):
    """Return whether all architectures agree with transformers, and the evidence."""
    greatest = []
    error = failure(lambda: greatest.extend(greatest_difference(make(kind), hidden, data) for kind in KINDS))
    if error is not None:
        return False, error
    return max(greatest) <= RELATIVE, f"{', '.join(KINDS)}: {bound(max(greatest))} of the layer's greatest state"


@pytest.mark.claim(
    "The padded extraction, as the study calls nnsight, has transformers' states within 2e-5",
    {"0.5.15": False, "0.8.1": True},
)
def test_parity_of_the_extraction(make, hidden, texts, found, failure, bound):
    found(*parity(make, hidden, texts, failure, bound))


@pytest.mark.filterwarnings("ignore:`position_ids` have no functionality in BLOOM")
@pytest.mark.claim("The padded extraction through `tracer.invoke` has transformers' states within 2e-5", BOTH)
def test_parity_of_the_extraction_by_invoke(make, hidden, texts, found, failure, bound, monkeypatch):
    monkeypatch.setattr(activations, "read_batch", read_by_invoke)
    found(*parity(make, hidden, texts, failure, bound))


@pytest.mark.filterwarnings("ignore:`position_ids` have no functionality in BLOOM")
@pytest.mark.claim("The padded extraction with `input_ids` by position has transformers' states within 2e-5", BOTH)
def test_parity_of_the_extraction_by_position(make, hidden, texts, found, failure, bound, monkeypatch):
    monkeypatch.setattr(activations, "read_batch", read_by_position)
    found(*parity(make, hidden, texts, failure, bound))


@pytest.mark.claim("The input of the first block is the token embedding of Llama", BOTH)
def test_input_of_the_first_block(make, inputs, found, bound):
    model, states = make("llama"), []
    traced = NNsight(model)
    with torch.no_grad(), traced.trace(inputs["input_ids"]):
        states.append(traced.layers[0].input.save())
    difference = (states[0] - model.embed_tokens(inputs["input_ids"])).abs().max()
    found(difference == 0, f"difference {bound(difference)}")


def stop_in_an_invoke(traced, inputs, states):
    with torch.no_grad(), traced.trace() as tracer:
        with tracer.invoke(**inputs):
            states.append(traced.layers[0].output.save())
            tracer.stop()


def stop_after_an_invoke(traced, inputs, states):
    with torch.no_grad(), traced.trace() as tracer:
        with tracer.invoke(**inputs):
            states.append(traced.layers[0].output.save())
        tracer.stop()


def stop_without_an_invoke(traced, inputs, states):
    ids = inputs.pop("input_ids")
    with torch.no_grad(), traced.trace(ids, **inputs) as tracer:
        states.append(traced.layers[0].output.save())
        tracer.stop()


def stopping(stop, model, inputs, failure):
    """Return whether the pass ended after the first of three blocks without an error, and the evidence."""
    called, states = [], []
    model.layers[1].register_forward_pre_hook(lambda *_: called.append(True))
    error = failure(stop, NNsight(model), inputs, states)
    evidence = f"{len(states)} saved, {len(called)} calls of the next block"
    return error is None and len(states) == 1 and not called, error or evidence


@pytest.mark.claim("`tracer.stop()` at the end of an invoke's body ends the forward pass there", BOTH)
def test_stop_in_an_invoke(make, inputs, found, failure):
    found(*stopping(stop_in_an_invoke, make("llama"), inputs, failure))


@pytest.mark.filterwarnings("ignore:nnsight.intervention.tracing.globals.stop")
@pytest.mark.claim("`tracer.stop()` after an invoke's body does so too", NEITHER)
def test_stop_after_an_invoke(make, inputs, found, failure):
    found(*stopping(stop_after_an_invoke, make("llama"), inputs, failure))


@pytest.mark.claim("`tracer.stop()` at the end of a trace with its input by position ends the forward pass there", BOTH)
def test_stop_without_an_invoke(make, inputs, found, failure):
    found(*stopping(stop_without_an_invoke, make("llama"), inputs, failure))


@pytest.mark.claim("`torch.no_grad()` around a trace holds inside it; without it autograd is on", BOTH)
def test_no_grad_holds_inside_a_trace(make, inputs, found):
    traced, states = NNsight(make("llama")), []
    with torch.no_grad(), traced.trace(inputs["input_ids"]):
        states.append(traced.layers[1].output.save())
    with traced.trace(inputs["input_ids"]):
        states.append(traced.layers[1].output.save())
    kept = [state.requires_grad for state in states]
    found(kept == [False, True], f"`requires_grad` with it {kept[0]}, without it {kept[1]}")


@pytest.mark.claim("Positions can be chosen, cast and copied in the trace, before `.save()`", BOTH)
def test_positions_are_chosen_inside_a_trace(make, inputs, found, hidden, bound):
    model, states = make("llama"), []
    traced, where = NNsight(model), (torch.tensor([0, 2]), torch.tensor([4, 1]))
    with torch.no_grad(), traced.trace(inputs["input_ids"]):
        states.append(traced.layers[0].output[where].double().cpu().save())
    difference = (states[0] - hidden(model, **inputs)[1][where]).abs().max()
    found(difference == 0, f"shape {tuple(states[0].shape)}, difference {bound(difference)}")


@pytest.mark.claim("An error of the body reaches the caller, with its message", BOTH)
def test_an_error_inside_a_trace(make, inputs, found, failure):
    traced = NNsight(make("llama"))

    def run():
        with torch.no_grad(), traced.trace(inputs["input_ids"]):
            fail(traced.layers[0].output)

    error = failure(run)
    found(error is not None and "of ours" in error, error or "no error")


def fail(_):
    raise ValueError("of ours")
