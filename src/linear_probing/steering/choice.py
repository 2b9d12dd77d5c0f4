"""Choice: the fastest way through a model that gives, edit by edit, what a plain hook of torch gives."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from linear_probing import architecture
from linear_probing.extraction.choice import WINDOWS
from linear_probing.extraction.comparison import ParityError, tolerance
from linear_probing.extraction.reading import ActivationError, Reader
from linear_probing.steering.asking import WAYS, Edits, Way, ask_all, log_probabilities
from linear_probing.steering.questions import Question


def alone(
    reader: Reader, question: Question, layer: int, edit: Float[np.ndarray, " d"]
) -> Float[np.ndarray, " answer"]:
    """Return log probabilities of a question's answers under one edit: each text alone, by a plain hook of torch.

    Nothing of nnsight, of batches, of masks or of trees is used: what the fast way is compared with.
    """
    found = np.zeros(question.n_answers)
    modules = reader.model.get_submodule(reader.path)
    for part in question.paths():
        ids = torch.from_numpy(np.concatenate([part.prefix, part.branch.ids]))[None].to(reader.model.device)
        place = (0, len(part.prefix))

        def edited(value: Any, place: tuple[int, int] = place) -> None:
            states = value[0] if isinstance(value, tuple | list) else value
            added = torch.from_numpy(edit.astype(np.float32)).to(states.device)
            states[place] = (states[place].float() + added).to(states.dtype)

        if layer == 0:
            hook = modules[0].register_forward_pre_hook(
                lambda _m, args, kwargs: edited(args or kwargs["hidden_states"]), with_kwargs=True
            )
        else:
            hook = modules[layer - 1].register_forward_hook(lambda _m, _a, output: edited(output))
        try:
            with torch.no_grad():
                logits = reader.model(input_ids=ids, use_cache=False).logits
        finally:
            hook.remove()
        nodes = torch.from_numpy(len(part.prefix) + part.nodes)
        reads = (torch.zeros_like(nodes), nodes, torch.from_numpy(part.tokens))
        np.add.at(found, part.answers, log_probabilities(logits, reads).cpu().numpy())
    return found


def differences(
    reader: Reader, questions: Sequence[Question], layer: int, edits: Edits, budget: int, way: Way
) -> tuple[float, float]:
    """Return how far `ask_all` is from `alone`, and the tolerance, in nats: relative to the greatest |log probability|.

    Raises
    ------
    ActivationError
        As `ask_all` does.
    """
    quick = ask_all(reader, questions, layer, edits, budget, way)
    worst = greatest = 0.0
    for place, question in enumerate(questions):
        for found, edit in zip(quick[place], edits(place), strict=True):
            wanted = alone(reader, question, layer, edit)
            worst = max(worst, float(np.abs(found - wanted).max()))
            greatest = max(greatest, float(np.abs(wanted).max()))
    return worst, tolerance(str(reader.model.dtype).removeprefix("torch.")) * max(1.0, greatest)


def depth(question: Question) -> int:
    """Return the tokens of a question's longest text."""
    return len(question.prefix) + int(question.branch.positions.max()) + 1


def possible(reader: Reader, deepest: int) -> tuple[Way, ...]:
    """Return the ways that a few questions can decide between; what shows in longer texts alone is decided here.

    A mask of our own knows no window of attention; and where a batch's longest text changes all angles, rows go alone.
    """
    config = reader.model.config.get_text_config()
    windows = [window for window in (getattr(config, name, None) for name in WINDOWS) if window]
    change = architecture.length_of_change(reader.model)
    if change is not None and deepest > change:
        return (Way(trees=False, skips=False, alone=True),)
    mixed = architecture.mixes_otherwise(reader.model) or architecture.declares_causal(reader.model) is False
    return WAYS[2:] if mixed or deepest > min(windows, default=deepest) else WAYS


def choose(
    reader: Reader,
    questions: Sequence[Question],
    layers: Sequence[int],
    edits: Callable[[int], Edits],
    budget: int,
    deepest: int | None = None,
) -> tuple[Way, float]:
    """Return the fastest way that gives what a plain hook gives, and its greatest difference from that.

    Parameters
    ----------
    reader, questions, budget
        As `ask_all` takes them; a few questions suffice.
    layers : Sequence[int]
        Each is tried.
    edits : callable
        By layer, the edits.
    deepest : int, optional
        Tokens of the longest text that is to be asked; without it, of these.

    Raises
    ------
    ParityError
        If none gives what a plain hook gives.
    """
    ways = possible(reader, max(depth(one) for one in questions) if deepest is None else deepest)
    for way in ways:
        try:
            tried = [differences(reader, questions, layer, edits(layer), budget, way) for layer in layers]
        except (ValueError, TypeError, RuntimeError, IndexError, ActivationError):
            if way == ways[-1]:
                raise
            continue
        if all(found <= limit for found, limit in tried):
            return way, max(found for found, _ in tried)
    worst, limit = max(tried)
    raise ParityError(
        f"edited log probabilities differ from those of a plain hook by {worst:.1e}, expected at most {limit:.0e}",
        likely="the architecture treats padding or positions in a way of its own",
        do="open an issue with the model's name",
    )
