"""nnterp's StandardizedTransformer, which the notes' environment has."""

import importlib.util

import pytest
import torch

# Both published versions that could run here, 1.2.2 and 1.3.0, import this; their metadata do not say so.
NEEDED = "nnsight.intervention.tracing"
ABSENT = f"not installable with these pins: nnterp imports `{NEEDED}`, which this nnsight does not have"


@pytest.fixture
def standardized(folder, failure):
    """Return a function that loads a tiny model; gives it with None, or None with what was raised."""

    def load(kind):
        from nnterp import StandardizedTransformer

        loaded = []
        error = failure(lambda: loaded.append(StandardizedTransformer(folder(kind))))
        return (loaded[0] if loaded else None), error

    return load


def read_layers(model):
    states = []
    with torch.no_grad(), model.trace() as tracer:
        with tracer.invoke(input_ids=torch.tensor([[2, 3, 4, 5]])):
            for layer in range(3):
                states.append(model.layers_output[layer].save())
    return states


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("llama", marks=pytest.mark.claim(
            "nnterp's StandardizedTransformer fails on Llama", {"0.5.15": False, "0.8.1": None}
        )),
        pytest.param("gpt2", marks=pytest.mark.claim(
            "nnterp's StandardizedTransformer fails on GPT-2", {"0.5.15": False, "0.8.1": None}
        )),
    ],
)  # fmt: skip
def test_standardized_transformer(standardized, hidden, bound, found, failure, kind):
    if importlib.util.find_spec("nnterp") is None:
        assert importlib.util.find_spec(NEEDED) is None, f"{NEEDED} is there; do: pin nnterp in this environment"
        found(None, ABSENT)
        return
    model, error = standardized(kind)
    if model is None:
        found(True, error)
        return
    states = []
    error = failure(lambda: states.extend(read_layers(model)))
    expected = hidden(model._module, input_ids=torch.tensor([[2, 3, 4, 5]]))
    difference = max((states[layer] - expected[layer + 1]).abs().max() for layer in range(2)) if states else None
    found(error is not None or difference > 0, error or f"`layers_output`: 3 layers, difference {bound(difference)}")
