"""What stays after a trace, and how its body is run."""

import threading

import pytest
import torch
from nnsight import NNsight

BOTH = {"0.5.15": True, "0.8.1": True}
NEITHER = {"0.5.15": False, "0.8.1": False}


@pytest.fixture
def ids(inputs):
    return inputs["input_ids"]


@pytest.mark.claim("`.save()` gives a tensor after the trace, which has no `.value`", BOTH)
def test_save_gives_a_tensor(make, ids, found):
    traced = NNsight(make("llama"))
    with torch.no_grad(), traced.trace(ids):
        state = traced.layers[0].output.save()
    kind = f"{type(state).__module__}.{type(state).__name__}"
    found(type(state) is torch.Tensor and not hasattr(state, "value"), f"{kind}, `.value`: {hasattr(state, 'value')}")


@pytest.mark.claim("`saved = [layer.output.save() for ...]` in the trace can be read afterwards", NEITHER)
def test_a_comprehension_of_saves(make, ids, found, failure):
    traced = NNsight(make("llama"))

    def run():
        with torch.no_grad(), traced.trace(ids):
            saved = [layer.output.save() for layer in traced.layers]
        len(saved)

    error = failure(run)
    found(error is None, error or "a list of tensors")


@pytest.mark.claim("A name that is bound before the trace, and in it without `.save()`, keeps its old value", BOTH)
def test_a_forgotten_save_leaves_the_old_value(make, ids, found):
    traced, state = NNsight(make("llama")), "old"
    with torch.no_grad(), traced.trace(ids):
        state = traced.layers[0].output * 2
    found(isinstance(state, str), f"{state!r}" if isinstance(state, str) else "the new tensor")


@pytest.mark.claim("A name that is bound in the trace only, without `.save()`, does not exist afterwards", BOTH)
def test_a_forgotten_save_leaves_no_name(make, ids, found, failure):
    traced = NNsight(make("llama"))

    def run():
        with torch.no_grad(), traced.trace(ids):
            state = traced.layers[0].output * 2
        state.sum()

    error = failure(run)
    found(error is not None and "state" in error, error or "it exists")


@pytest.mark.claim(
    "What was saved once is remembered by its address: without `.save()` in a later trace it counts as saved",
    {"0.5.15": True, "0.8.1": False},
)
def test_saves_outlive_a_trace(make, ids, found, failure):
    traced, kept = NNsight(make("llama")), torch.zeros(1)

    def run():
        with torch.no_grad(), traced.trace(ids):
            kept.save()
            traced.layers[0].output.sum()
        with torch.no_grad(), traced.trace(ids):
            state = kept
            traced.layers[0].output.sum()
        state.sum()

    error = failure(run)
    found(error is None, error or "it exists")


@pytest.mark.claim("A list of before the trace, filled in it, holds the saved tensors in order", BOTH)
def test_a_list_filled_inside_a_trace(make, inputs, found, hidden, bound):
    model, states = make("llama"), []
    traced = NNsight(model)
    with torch.no_grad(), traced.trace(inputs["input_ids"]):
        for layer in range(2):
            states.append(traced.layers[layer].output.save())
    expected = hidden(model, **inputs)[1:3]
    difference = max((state - other).abs().max() for state, other in zip(states, expected, strict=True))
    found(difference == 0, f"{len(states)} tensors, difference {bound(difference)}")


@pytest.mark.claim("A body on the line of `with` fails", BOTH)
def test_a_body_on_the_line_of_with(make, ids, found, failure):
    traced, states = NNsight(make("llama")), []

    def run():
        # fmt: off
        with traced.trace(ids): states.append(traced.layers[0].output.save())  # noqa: E701
        # fmt: on

    error = failure(run)
    found(error is not None or not states, error or f"no error, {len(states)} saved")


@pytest.mark.claim("The body is read as source: without a source file the trace fails", BOTH)
def test_a_body_without_source(make, ids, found, failure):
    code = "with traced.trace(ids):\n    states.append(traced.layers[0].output.save())\n"
    states = []
    error = failure(exec, code, {"traced": NNsight(make("llama")), "ids": ids, "states": states})
    found(error is not None, error or f"no error, {len(states)} saved")


@pytest.mark.claim("The body runs beside the forward pass, in a thread of its own", {"0.5.15": True, "0.8.1": False})
def test_the_thread_of_the_body(make, ids, found):
    traced, threads = NNsight(make("llama")), []
    with torch.no_grad(), traced.trace(ids):
        threads.append(threading.get_ident())
        threads.append(traced.layers[0].output.save())
    own = threads[0] != threading.get_ident()
    found(own, "another thread than the caller's" if own else "the caller's thread")


@pytest.mark.claim("The body takes turns with the forward pass: after block 0 it runs before block 1 does", BOTH)
def test_the_body_takes_turns(make, ids, found):
    model, events = make("llama"), []
    for name in (0, 1):
        model.layers[name].register_forward_pre_hook(lambda *_, name=name: events.append(f"block {name}"))
    traced = NNsight(model)
    with torch.no_grad(), traced.trace(ids):
        events.append("body")
        traced.layers[0].output.sum()
        events.append("body")
    found(events == ["body", "block 0", "body", "block 1"], ", ".join(events))


@pytest.mark.claim("Layers must be read in the order of the forward pass", BOTH)
def test_layers_out_of_order(make, ids, found, failure):
    traced, states = NNsight(make("llama")), []

    def run():
        with torch.no_grad(), traced.trace(ids):
            states.append(traced.layers[1].output.save())
            states.append(traced.layers[0].output.save())

    error = failure(run)
    found(error is not None, error or "both were read")


@pytest.mark.claim("What the body writes into a block's output, the next blocks read", BOTH)
def test_an_edit_inside_a_trace(make, ids, found):
    traced, states = NNsight(make("llama")), []
    with torch.no_grad(), traced.trace(ids):
        traced.layers[0].output[:] = 0
        states.append(traced.layers[1].input.save())
    found(bool((states[0] == 0).all()), f"greatest state that enters the next block: {float(states[0].abs().max()):g}")
