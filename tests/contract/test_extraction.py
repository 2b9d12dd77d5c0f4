"""What the project's extraction relies on, and its parity with transformers."""

import numpy as np
import pytest
import torch
from nnsight import NNsight

from linear_probing import parity
from linear_probing.extraction import reading
from linear_probing.extraction.comparison import TOLERANCES
from linear_probing.tokens import Tokens

BOTH = {"0.5.15": True, "0.8.1": True}
NEITHER = {"0.5.15": False, "0.8.1": False}
KINDS = ("bloom", "gpt2", "gpt_neox", "gptj", "llama")
LENGTHS = (1, 7, 3, 12, 12, 5, 2)


def read_by_invoke(reader, batch, layers, dtype):
    """Do what `reading.read_batch` does, through an invoke."""
    inputs, states = batch.inputs(reader.model), []
    shape = (*batch.ids.shape, reader.model.config.hidden_size)
    with torch.no_grad(), reader.traced.trace() as tracer:
        with tracer.invoke(**inputs, use_cache=False):
            for layer in layers:
                value = reader.blocks[0].input if layer == 0 else reader.blocks[layer - 1].output
                states.append(reading.gather(reading.residual(value, shape), batch.places, dtype).save())
            tracer.stop()
    return states


@pytest.fixture
def texts():
    """Seven texts of 1 to 12 tokens, with every token a target."""
    ids = np.random.default_rng(0).integers(0, 64, sum(LENGTHS))
    text = np.repeat(np.arange(len(LENGTHS)), LENGTHS)
    position = np.concatenate([np.arange(length) for length in LENGTHS])
    starts = np.concatenate([[0], np.cumsum(LENGTHS)])
    return Tokens(ids, starts, text, position, position, np.array([*map(str, LENGTHS)]), position.astype(str))


def agreement(make, data, failure, bound, kinds, pick):
    """Run the project's own parity check; return whether all states agree, and the evidence."""
    greatest = []
    error = failure(lambda: greatest.extend(max(pick(parity.compare(reading.wrap(make(k)), data))) for k in kinds))
    if error is not None:
        return False, error
    return max(greatest) <= TOLERANCES["float32"], f"{', '.join(kinds)}: {bound(max(greatest))} of the greatest state"


def of_padded(compared):
    return [one.relative for one in compared[1]]


def of_trees(compared):
    assert not compared[2].refusal, compared[2].refusal
    return [one.relative for one in compared[2].differences]


@pytest.mark.claim("The padded extraction, as the study calls nnsight, passes the study's parity check", BOTH)
def test_parity_of_the_extraction(make, texts, found, failure, bound):
    found(*agreement(make, texts, failure, bound, KINDS, of_padded))


@pytest.mark.filterwarnings("ignore:`position_ids` have no functionality in BLOOM")
@pytest.mark.claim("The padded extraction through `tracer.invoke` passes it too", BOTH)
def test_parity_of_the_extraction_by_invoke(make, texts, found, failure, bound, monkeypatch):
    monkeypatch.setattr(reading, "read_batch", read_by_invoke)
    found(*agreement(make, texts, failure, bound, KINDS, of_padded))


@pytest.mark.claim("Prefix trees through a four-dimensional mask pass it too", BOTH)
def test_parity_of_prefix_trees(make, texts, found, failure, bound):
    found(*agreement(make, texts, failure, bound, [kind for kind in KINDS if kind != "bloom"], of_trees))


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
