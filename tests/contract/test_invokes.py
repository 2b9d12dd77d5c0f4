"""Invokes, and what becomes of the batch."""

import pytest
import torch
from nnsight import NNsight

BOTH = {"0.5.15": True, "0.8.1": True}
NEITHER = {"0.5.15": False, "0.8.1": False}


@pytest.mark.claim("No Invoker, no interleaving: in a trace without input and without invoke, outputs fail", BOTH)
def test_no_invoker(make, found, failure):
    traced, states = NNsight(make("llama")), []

    def run():
        with torch.no_grad(), traced.trace():
            states.append(traced.layers[0].output.save())

    error = failure(run)
    found(error is not None or not states, error or f"no error, {len(states)} saved")


@pytest.mark.claim("Several invokes of strings run as one batch, and each reads its own rows", BOTH)
def test_several_invokes(load, found, states_of):
    model, calls, states = load("gpt2"), [], []
    model._module.transformer.h[0].ln_1.register_forward_hook(lambda *_: calls.append(1))
    with torch.no_grad(), model.trace() as tracer:
        with tracer.invoke("the city of lima"):
            states.append(states_of(model.transformer.h[0].output).save())
        with tracer.invoke("the city of chad"):
            states.append(states_of(model.transformer.h[0].output).save())
    shapes = [tuple(state.shape) for state in states]
    found(shapes == [(1, 4, 16)] * 2 and len(calls) == 1, f"shapes {shapes}, {len(calls)} forward pass")


@pytest.mark.claim("Several invokes of tensors into a plain `NNsight` are batched too", NEITHER)
def test_several_invokes_of_tensors(make, inputs, found, failure):
    traced, states = NNsight(make("llama")), []

    def run():
        with torch.no_grad(), traced.trace() as tracer:
            with tracer.invoke(inputs["input_ids"]):
                states.append(traced.layers[0].output.save())
            with tracer.invoke(inputs["input_ids"]):
                states.append(traced.layers[0].output.save())

    error = failure(run)
    found(error is None, error or f"shapes {[tuple(state.shape) for state in states]}")


@pytest.mark.claim("Trace and invoke can share one `with` statement", NEITHER)
def test_trace_and_invoke_in_one_statement(make, inputs, found, failure):
    traced, states = NNsight(make("llama")), []

    def run():
        with torch.no_grad(), traced.trace() as tracer, tracer.invoke(**inputs):
            states.append(traced.layers[0].output.save())

    error = failure(run)
    found(error is None and states, error or f"no error, {len(states)} saved")


@pytest.mark.claim("A single invoke squeezes the batch dimension: a batch of one comes without it", NEITHER)
def test_a_single_invoke_keeps_the_batch(make, inputs, found, states_of):
    shapes = []
    for kind, name in (("llama", "layers"), ("gpt2", "h")):
        traced, states = NNsight(make(kind)), []
        blocks = getattr(traced, name)
        with torch.no_grad(), traced.trace() as tracer:
            with tracer.invoke(input_ids=inputs["input_ids"][:1]):
                states.append(states_of(blocks[0].output).save())
        shapes.append(tuple(states[0].shape))
    found(shapes != [(1, 5, 16)] * 2, f"Llama {shapes[0]}, GPT-2 {shapes[1]} of (text, position, d_model)")


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("llama", marks=pytest.mark.claim(
            "The cause of the squeeze: Llama's blocks return a tensor, so `output[0]` is the first text", BOTH
        )),
        pytest.param("gpt2", marks=pytest.mark.claim(
            "The cause of the squeeze: GPT-2's blocks return a tensor, so `output[0]` is the first text",
            {"0.5.15": False, "0.8.1": True},
        )),
    ],
)  # fmt: skip
def test_the_cause_of_the_squeeze(make, inputs, found, kind):
    traced, outputs = NNsight(make(kind)), []
    blocks = traced.layers if kind == "llama" else traced.h
    with torch.no_grad(), traced.trace(inputs["input_ids"]):
        outputs.append(blocks[0].output.save())
    (output,) = outputs
    shape = tuple(output[0].shape)
    found(shape == (5, 16), f"a {type(output).__name__}; of a batch of 3 texts `output[0]` has the shape {shape}")
