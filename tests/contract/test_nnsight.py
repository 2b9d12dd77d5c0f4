"""What the extraction relies on in nnsight; an upgrade that breaks one of these shows here, by name."""

import pytest
import torch
import transformers
from nnsight import NNsight

SIZE = {"vocab_size": 32, "hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2, "num_hidden_layers": 3}


@pytest.fixture
def model():
    torch.manual_seed(0)
    configuration = transformers.LlamaConfig(**SIZE, num_key_value_heads=2)
    return transformers.LlamaModel(configuration).eval()


INPUTS = {"input_ids": torch.arange(6).reshape(2, 3), "attention_mask": torch.ones(2, 3, dtype=torch.long)}


def test_a_list_filled_inside_a_trace_holds_tensors_afterwards(model):
    traced, states = NNsight(model), []
    with torch.no_grad(), traced.trace(**INPUTS):
        states.append(traced.layers[0].output.save())
    assert states[0].shape == (2, 3, 16)


def test_input_of_the_first_block_is_the_embedding(model):
    traced, states = NNsight(model), []
    with torch.no_grad(), traced.trace(**INPUTS):
        states.append(traced.layers[0].input.save())
    assert torch.equal(states[0], model.embed_tokens(INPUTS["input_ids"]))


def test_stop_ends_the_forward_pass(model):
    called = []
    model.layers[2].register_forward_hook(lambda *_: called.append(True))
    traced, states = NNsight(model), []
    with torch.no_grad(), traced.trace(**INPUTS) as tracer:
        states.append(traced.layers[0].output.save())
        tracer.stop()
    assert not called
    assert states


def test_no_grad_holds_inside_a_trace(model):
    traced, states = NNsight(model), []
    with torch.no_grad(), traced.trace(**INPUTS):
        states.append(traced.layers[1].output.save())
    value = states[0][0] if isinstance(states[0], tuple) else states[0]
    assert not value.requires_grad


def test_an_error_inside_a_trace_reaches_the_caller(model):
    traced = NNsight(model)
    with pytest.raises(Exception, match="of ours"), torch.no_grad(), traced.trace(**INPUTS):
        fail(traced.layers[0].output)


def fail(_):
    raise ValueError("of ours")
