"""Comparison: extracted states against transformers' own hidden states, on each text alone.

Padding, batches, prefix trees and nnsight are all between the two. Transformers' last entry is behind the final norm,
so an extracted last layer goes through the norm before it is compared, besides being compared with what the last block
returned. Tolerances are relative to a layer's greatest |state|: rounding grows with it.
Cost: sixteen texts, one by one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from linear_probing import architecture
from linear_probing.extraction.reading import ActivationError, Reader, check_texts, is_out_of_memory
from linear_probing.stage import StudyError
from linear_probing.tokens import Tokens

TOLERANCES = {"float32": 2e-5, "float16": 2e-3, "bfloat16": 2e-2}
N_TEXTS = 16
SEED = 20_261_124


class ParityError(StudyError):
    """States that are not those of transformers."""


@dataclass(frozen=True)
class Reference:
    """Transformers' own states of some targets.

    Parameters
    ----------
    targets : np.ndarray
        Shape (n_targets,), rows of the shard's tokens.
    states : Mapping[int, torch.Tensor]
        By layer, shape (n_targets, d_model), float32; the last layer's are behind the final norm.
    before_norm : torch.Tensor
        Shape (n_targets, d_model), float32: what the last block returned.
    """

    targets: Int[np.ndarray, " target"]
    states: Mapping[int, torch.Tensor]
    before_norm: torch.Tensor


@dataclass(frozen=True)
class Difference:
    """How far one layer's states are from transformers' own.

    Parameters
    ----------
    layer : int
    greatest : float
        The layer's greatest |state|.
    difference : float
        The greatest absolute difference.
    row : int
        The target of the reference at which it is found.
    own : float
        The greatest difference as a share of the target's own greatest |state|. It is stricter: where one token has
        states a hundred times the others', the layer's greatest says little of the others.
    """

    layer: int
    greatest: float
    difference: float
    row: int
    own: float

    @property
    def relative(self) -> float:
        """The difference as a share of the greatest |state|."""
        return self.difference / self.greatest if self.greatest else self.difference


def tolerance(*dtypes: str) -> float:
    """Return the greatest relative difference that rounding explains: that of the coarsest of the dtypes."""
    return max(TOLERANCES[dtype] for dtype in dtypes)


def sample(data: Tokens) -> Int[np.ndarray, " text"]:
    """Return the rows of the texts that are compared: the shortest, the longest and fourteen fixed random ones."""
    texts = np.unique(data.target_text)
    if len(texts) <= N_TEXTS:
        return texts
    order = texts[np.argsort(data.lengths[texts], kind="stable")]
    drawn = np.random.default_rng(SEED).choice(order[1:-1], N_TEXTS - 2, replace=False)
    return np.sort(np.concatenate([order[[0, -1]], drawn]))


def reference(reader: Reader, data: Tokens, layers: Sequence[int]) -> Reference:
    """Return transformers' own states of the sampled texts' targets, every text alone.

    Parameters
    ----------
    reader : Reader
    data : Tokens
        A shard.
    layers : Sequence[int]
        0 to the number of blocks.
    """
    model, targets = reader.model, list[np.ndarray]()
    found: dict[int, list[torch.Tensor]] = {layer: [] for layer in layers}
    returned: list[torch.Tensor] = []
    before_norm: list[torch.Tensor] = []

    def keep(_module: object, _arguments: object, output: torch.Tensor | tuple[torch.Tensor, ...]) -> None:
        returned[:] = [(output[0] if isinstance(output, tuple | list) else output)[0].float().cpu()]

    check_texts(reader, data)
    hook = model.get_submodule(reader.path)[-1].register_forward_hook(keep)
    try:
        for text in sample(data):
            rows = np.flatnonzero(data.target_text == text)
            ids = torch.from_numpy(data.text(text))[None].to(model.device)
            states = _own_states(model, ids, str(data.text_id[text]))
            spans = [slice(*span) for span in zip(data.target_first[rows], data.target_last[rows] + 1, strict=True)]
            for layer in layers:
                of_text = states[layer][0].float().cpu()
                found[layer] += [of_text[span].mean(dim=0) for span in spans]
            before_norm += [returned[0][span].mean(dim=0) for span in spans]
            targets.append(rows)
    finally:
        hook.remove()
    by_layer = {layer: torch.stack(states) for layer, states in found.items()}
    return Reference(np.concatenate(targets), by_layer, torch.stack(before_norm))


def _own_states(model: Any, ids: torch.Tensor, name: str) -> tuple[torch.Tensor, ...]:
    try:
        with torch.no_grad():
            states = model(input_ids=ids, use_cache=False, output_hidden_states=True).hidden_states
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise ActivationError(
            f"memory runs out with text {name} of {ids.shape[1]:,} tokens alone, all its hidden states kept",
            do="use device auto to spread the model, a smaller dtype, or shorter texts",
        ) from error
    if states is None or len(states) != model.config.get_text_config().num_hidden_layers + 1:
        raise ActivationError(
            f"{type(model).__name__} gives {len(states or ())} hidden states, expected one more than its layers",
            likely="transformers does not give this architecture's states layer by layer",
            do="use another model; states that cannot be compared are not extracted",
        )
    return states


def differences(
    reader: Reader, data: Tokens, found: Mapping[int, Float[torch.Tensor, "target d_model"]], expected: Reference
) -> list[Difference]:
    """Return how far extracted states are from the reference, layer by layer.

    Parameters
    ----------
    reader : Reader
    data : Tokens
        The shard.
    found : Mapping[int, torch.Tensor]
        By layer, shape (n_targets, d_model), rows as in the shard.
    expected : Reference
    """
    last = reader.model.config.get_text_config().num_hidden_layers
    results = []
    for layer, wanted in expected.states.items():
        states = found[layer][torch.from_numpy(expected.targets)].float()
        if layer < last:
            results.append(_difference(layer, states, wanted))
        else:
            several = torch.from_numpy((data.target_first != data.target_last)[expected.targets])
            results.append(_last_difference(reader, layer, states, expected, several))
    return results


def _last_difference(
    reader: Reader, layer: int, states: torch.Tensor, expected: Reference, several: torch.Tensor
) -> Difference:
    """Return the greater of two differences: from what the last block returned, and behind the norm from transformers'.

    A norm does not see a shift or a scale, so the first is needed too. The mean of several tokens has no second one: a
    norm of a mean is no mean of norms, so its rows are left as they should be.
    """
    raw, wanted = _difference(layer, states, expected.before_norm), expected.states[layer]
    tried = [
        _difference(layer, torch.where(several[:, None], wanted, through), wanted)
        for through in _through_tails(reader, states, wanted.shape[1])
    ]
    return max(raw, min(tried, key=lambda one: one.difference), key=lambda one: one.relative)


def _through_tails(reader: Reader, states: torch.Tensor, width: int) -> list[torch.Tensor]:
    """Return the states behind each of what may stand after the last block, where it gives the right width."""
    results = []
    for tail in architecture.tails(reader.model, reader.path):
        weight = next(tail.parameters(), None)  # type: ignore[attr-defined]
        # Weights that accelerate has put away have no device; its hooks bring the states to where they run.
        there = weight is not None and weight.device.type != "meta"
        device = weight.device if weight is not None and there else torch.device("cpu")
        with torch.no_grad():
            through = tail(states.to(device, reader.model.dtype)).float().cpu()
        if through.shape[1] == width:
            results.append(through)
    return results


def _difference(layer: int, states: torch.Tensor, wanted: torch.Tensor) -> Difference:
    apart = (states - wanted).abs().amax(dim=1)
    # A state that is not a number is as far away as can be, where a maximum would pass it over.
    apart = torch.where(torch.isfinite(apart), apart, torch.inf)
    own = apart / wanted.abs().amax(dim=1).clamp_min(torch.finfo(torch.float32).tiny)
    return Difference(layer, float(wanted.abs().max()), float(apart.max()), int(apart.argmax()), float(own.max()))


def check(data: Tokens, expected: Reference, found: Sequence[Difference], limit: float, name: str) -> None:
    """Stop where a difference is above the tolerance.

    Raises
    ------
    ParityError
        With the model, the text, the layer and the number.
    """
    wrong = [one for one in found if not one.relative <= limit]
    if wrong:
        one = wrong[0]
        target = expected.targets[one.row]
        text = data.text_id[data.target_text[target]]
        raise ParityError(
            f"{name}: the state of layer {one.layer} at target {data.target_id[target]} of text {text} differs from "
            f"transformers' own by {one.relative:.1e} of the layer's greatest, expected at most {limit:.0e}",
            likely="the architecture treats padding, positions or its blocks' output in a way of its own",
            do="run `python -m linear_probing.parity --model FOLDER`, and open an issue with its table",
        )
