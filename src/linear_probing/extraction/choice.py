"""Choice: whether a shard's texts go through a model as prefix trees or padded.

Trees are the default where they save tokens, where a later token changes nothing before it, and where they give on the
reference's texts what transformers gives, also as a share of each target's own states: to fall back costs time alone,
so this trial may be stricter than the check of what is stored.
"""

from dataclasses import dataclass

import numpy as np
import torch

from linear_probing import architecture
from linear_probing.extraction.batches import PaddedTexts, Plan, n_computed
from linear_probing.extraction.comparison import Difference, Reference, differences
from linear_probing.extraction.reading import ActivationError, Reader, extract
from linear_probing.extraction.trees import PrefixTrees
from linear_probing.settings import Model
from linear_probing.tokens import Tokens

OWN = 4.0
"""Times the tolerance that a target's difference may be of its own greatest state: rounding in bfloat16 gives 1.3."""
WINDOWS = ("sliding_window", "attention_chunk_size")


@dataclass(frozen=True)
class Trial:
    """What prefix trees gave on the reference's texts: the differences by layer, or why the model refused them."""

    differences: tuple[Difference, ...]
    refusal: str = ""

    def failure(self, limit: float) -> str:
        """Return why trees must not be used at a tolerance; empty if they may."""
        if self.refusal:
            return self.refusal
        worst, own = max(one.relative for one in self.differences), max(one.own for one in self.differences)
        if worst <= limit and own <= OWN * limit:
            return ""
        return f"trees differ by {worst:.1e} of a layer's greatest state, {own:.1e} of a target's own"


def is_causal(reader: Reader, data: Tokens) -> bool:
    """Return whether no token's state depends on a later token.

    The longest text is read twice, with two last tokens. Its other states must stay the same to the last bit: the same
    kernels run on the same shapes, and a tolerance would hide, in a coarse dtype, what an encoder mixes in. Experts
    get other shapes when other tokens choose them, so a mixture's attention may say of itself that it is causal.
    """
    if architecture.declares_causal(reader.model):
        return True
    ids = torch.from_numpy(data.text(int(data.lengths.argmax())))[None].to(reader.model.device)
    other = ids.clone()
    other[0, -1] = (ids[0, -1] + 1) % reader.model.config.get_text_config().vocab_size
    with torch.no_grad():
        one, two = (reader.model(input_ids=each, use_cache=False).last_hidden_state for each in (ids, other))
    return bool(torch.equal(one[:, :-1], two[:, :-1]))


def try_trees(reader: Reader, data: Tokens, expected: Reference, dtype: torch.dtype, budget: int) -> Trial:
    """Read the reference's texts as prefix trees and compare them.

    Parameters
    ----------
    reader : Reader
    data : Tokens
        The shard.
    expected : Reference
        Of some of its texts.
    dtype : torch.dtype
        In which states are stored.
    budget : int
        Tokens in a batch.
    """
    part = data.select(expected.targets)
    if architecture.mixes_otherwise(reader.model):
        return Trial((), "tokens mix by convolutions or states, not by attention alone")
    if not is_causal(reader, part):
        return Trial((), "a later token changes the states before it")
    trial = Reference(np.arange(len(expected.targets)), expected.states, expected.before_norm)
    try:
        states = extract(reader, part, PrefixTrees(part), list(expected.states), dtype, budget)
    except (ActivationError, ValueError, TypeError, RuntimeError, IndexError) as error:
        return Trial((), f"the model refuses them: {str(error).strip().splitlines()[-1]}")
    return Trial(tuple(differences(reader, part, states, trial)))


def choose_plan(
    reader: Reader, data: Tokens, expected: Reference, dtype: torch.dtype, limit: float, model: Model
) -> tuple[Plan, str]:
    """Return prefix trees where they hold for the model and save work, else padded texts; and why.

    What a window of attention cuts off shows only in texts longer than it, of which the reference may have none: trees
    deeper than the window are not used.

    Parameters
    ----------
    reader, data, expected, dtype
        As `try_trees` takes them.
    limit : float
        The greatest relative difference that rounding explains.
    model : Model
        Whose settings say whether trees may be used, and how many tokens a batch holds.
    """
    change = architecture.length_of_change(reader.model)
    padded, budget = PaddedTexts(data, change), model.budget
    if not model.prefix_trees:
        return padded, "prefix trees are switched off"
    trees, config = PrefixTrees(data), reader.model.config.get_text_config()
    windows = [window for window in (getattr(config, key, None) for key in WINDOWS) if window]
    if trees.deepest > min(windows, default=trees.deepest):
        return padded, "a text is longer than the model's window of attention"
    if padded.n_alone:
        return padded, f"a text is longer than {change} tokens, where the angles of its positions change"
    share = n_computed(trees.lengths, budget) / n_computed(padded.lengths, budget)
    if share >= 1:
        return padded, f"prefix trees would compute {share:.2f} of the padded path's tokens"
    failure = try_trees(reader, data, expected, dtype, budget).failure(limit)
    return (padded, failure) if failure else (trees, f"{share:.2f} of the padded path's tokens")
