"""Selectivity of noise: its interval holds zero as often as it says.

Labels have nothing to do with the features, and the split is that of the control task: targets of each type are divided
between folds, so that every tested type is in training. Types are resampled. Two cases in which task and control are
alike, so that their true difference is zero on average:
- labels constant in types, features that types share: both labelings can be remembered by type, equally well;
- labels that vary in types, features of each target's own: neither can be, and nothing is left but the dependence
  between folds; see `coverage.DEGENERATE`.
"""

from functools import partial

import numpy as np
import pandas as pd

from linear_probing.builders.draft import divide_types
from linear_probing.estimation.intervals import interval
from linear_probing.estimation.metrics import evaluate
from linear_probing.estimation.scoring import Sample, cluster_weights
from linear_probing.probing.controls import control_labels
from linear_probing.validation.check import Check
from linear_probing.validation.coverage import CONFIDENCE, DEGENERATE, N_RESAMPLES, WITHIN
from linear_probing.validation.probed import probe_all
from linear_probing.validation.simulation import N_FOLDS, Design, correlated, repeat

PROBE = "ridge_classifier"
BY_TYPE, BY_TARGET = "labels and features of types", "labels and features of targets"


def one(case: str, design: Design, random: np.random.Generator) -> list[float]:
    """Return selectivity, its interval, and whether that holds zero."""
    types = np.repeat(np.arange(design.n_groups), design.n_rows)
    features = correlated(types, design.n_features, design.of_features if case == BY_TYPE else 0.0, random)
    shared = 1.0 if case == BY_TYPE else 0.0
    labels = (correlated(types, 1, shared, random)[:, 0] > 0).astype(int)
    names = pd.Series(types.astype(str))
    drawn = control_labels(labels, names, random)
    folds = np.array(divide_types(list(names), N_FOLDS, random)).astype(int)
    weights = cluster_weights(design.n_groups, N_RESAMPLES, random)
    resampled = []
    for labeling, probed in zip((labels, drawn), probe_all(features, [labels, drawn], folds, PROBE), strict=True):
        resampled.append(evaluate("auroc", probed.scores, Sample(labeling, folds, types, weights)))
    found = interval(resampled[0] - resampled[1], CONFIDENCE, design.n_groups, N_FOLDS)
    return [found.estimate, found.lower, found.upper, float(found.lower <= 0.0 <= found.upper)]


def of_noise(n: int, n_jobs: int, slack: float = 0.0) -> list[Check]:
    """Return the checks of selectivity, of `n` simulations each; `slack` widens the limits where these are few."""
    checks = []
    for case in (BY_TYPE, BY_TARGET):
        found = repeat(partial(one, case, Design(of_features=0.5)), f"selectivity {case}", n, n_jobs)
        least = CONFIDENCE - WITHIN if case == BY_TYPE else DEGENERATE
        limits = least - slack, min(1.0, CONFIDENCE + WITHIN + slack)
        checks.append(
            Check("interval of selectivity of noise", case, "holds zero", n, found[:, 3].mean(), *limits, "0.95")
        )
    return checks
