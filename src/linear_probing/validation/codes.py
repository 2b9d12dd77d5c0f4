"""Code lengths of random labelings: on average not below the uniform code.

For labels drawn uniformly and without the states no code is shorter on average, whatever its probes and the choice of
their penalty. Labels that are constant in a group are the hard case: portions that cut groups would give them away,
which the contrast shows.
"""

from functools import partial

import numpy as np

from linear_probing.probing.code_length import code_length
from linear_probing.probing.layer import fit_portions
from linear_probing.validation.check import Check
from linear_probing.validation.simulation import Design, correlated, repeat

PENALTIES = (0.001, 0.1)
DATA = Design(n_groups=50, n_rows=8, of_features=0.9)
"""Few groups, each easy to know again."""
N_ERRORS = 2.0
"""Standard errors by which the mean may lie below."""
BY_GROUPS, BY_TARGETS, CUT = "drawn by groups", "drawn by targets", "drawn by groups, portions that cut groups"


def one(labeling: str, n_classes: int, random: np.random.Generator) -> float:
    """Return bits per uniform bit of one random labeling."""
    groups = np.repeat(np.arange(DATA.n_groups), DATA.n_rows)
    features = correlated(groups, DATA.n_features, DATA.of_features, random)
    if labeling == BY_TARGETS:
        labels = random.integers(n_classes, size=len(groups))
    else:
        labels = random.integers(n_classes, size=DATA.n_groups)[groups]
    kept_whole = np.arange(len(groups)) if labeling == CUT else groups
    codes = code_length(features, labels, kept_whole, PENALTIES, random, fit_portions)
    return sum(code.bits for code in codes) / sum(code.uniform_bits for code in codes)


def lengths(n: int, n_jobs: int) -> list[Check]:
    """Return the checks of code lengths, of `n` labelings each; the number is (mean - 1) in standard errors."""
    checks = []
    for labeling, n_classes in ((BY_GROUPS, 2), (BY_TARGETS, 2), (BY_GROUPS, 4), (CUT, 2)):
        found = repeat(partial(one, labeling, n_classes), f"code length {labeling} {n_classes}", n, n_jobs)
        excess = float((found.mean() - 1.0) / (found.std(ddof=1) / np.sqrt(n)))
        limits = (-np.inf, -N_ERRORS) if labeling == CUT else (-N_ERRORS, np.inf)
        truth = "below: a leak is seen" if labeling == CUT else "0 or above"
        quantity = f"standard errors above uniform (mean {found.mean():.3f} of it)"
        setting = f"{n_classes} classes {labeling}"
        checks.append(Check("code length of random labels", setting, quantity, n, excess, *limits, truth))
    return checks
