"""States: a check that the cached ones are those of the model that is asked, so that directions and edits are of it."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float

from linear_probing.extraction.batches import PaddedTexts
from linear_probing.extraction.comparison import ParityError, sample, tolerance
from linear_probing.extraction.reading import Reader, extract
from linear_probing.settings import Model
from linear_probing.tokens import Tokens


def check(
    reader: Reader,
    data: Tokens,
    cached: Callable[[int], Float[np.ndarray, "target d"]],
    layers: Sequence[int],
    model: Model,
) -> None:
    """Read a few texts' states again, with the model's head in place, and compare them with the cached ones.

    Raises
    ------
    ParityError
        If they have another width, or differ by more than rounding explains.
    """
    texts = sample(data)
    targets = np.flatnonzero(np.isin(data.target_text, texts))
    part = data.select(targets)
    stored = model.stored_dtype or model.dtype
    found = extract(reader, part, PaddedTexts(part), layers, getattr(torch, stored), model.budget)
    limit = tolerance(model.dtype, stored)
    for layer in layers:
        wanted, states = cached(layer)[targets], found[layer].float().numpy()
        same = wanted.shape == states.shape
        apart = np.abs(wanted - states).max() / np.abs(wanted).max() if same else np.inf
        if not apart <= limit:
            what = f"differ from the model's by {apart:.1e}" if same else f"have {wanted.shape[1]} dimensions"
            raise ParityError(
                f"the cached states of layer {layer} of {model.name} {what}, expected {states.shape[1]} dimensions and"
                f" a difference of at most {limit:.0e}",
                likely="the activations are of another model or layer",
                do="run snakemake, which makes what is missing",
            )
