"""Coverage: how often a 95 % interval holds the truth.

The truth is the performance of the fitted probes on new groups: the probe of each outer fold, fitted as the protocol
fitted it, scores its part of `N_NEW` new groups, a target of each, for what counts is one target's distribution. AUROC
is taken within each probe's scores, then averaged, as the estimate is within folds; R2 and macro F1 pool the probes'
scores, as the estimate pools folds. scikit-learn computes these, so that a wrong metric of ours would show.

The folds of a cross-validation are not independent: every fold's groups train the other folds' probes, so errors of the
folds have a positive correlation that no resampling of fixed scores can see (Bengio & Grandvalet 2004; Bates, Hastie &
Tibshirani 2023). `fresh` scores the same probes on a new test sample of the same size instead, where it is not: the
difference of the two coverages is what that correlation costs.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from jaxtyping import Float, Int, Shaped
from sklearn.metrics import f1_score, r2_score, roc_auc_score

from linear_probing.estimation.intervals import interval
from linear_probing.estimation.metrics import evaluate
from linear_probing.estimation.scoring import Sample, cluster_weights
from linear_probing.validation.check import Check
from linear_probing.validation.probed import in_folds, probe_all
from linear_probing.validation.simulation import N_FOLDS, Design, deal_folds, draw, repeat

N_NEW = 30_000
"""So many that the truth's own error is a tenth of the estimate's, and costs no coverage."""
N_RESAMPLES = 999
CONFIDENCE = 0.95
WITHIN = 0.02
"""Greatest distance from the nominal coverage."""
WIDER = Design(n_features=12)
CROWDED = Design(n_groups=60, n_rows=6, n_features=12, of_features=0.5, of_labels=0.5)
"""More features per group, and groups that vary more: here the dependence between folds costs more."""
SHORT = 0.90
"""Least coverage there, where 0.95 is known not to be reached."""
NOTHING = Design(signal=0.0)
DEGENERATE = 0.82
"""Least coverage of a probe that has nothing to find. To first order the metric does not vary then, and all that is
left is the part in which folds depend on each other wholly: twice the variance that resampling sees, so 83.4 % are due.
"""
SETTINGS = (
    ("auroc", "logistic", Design()),
    ("auroc", "ridge_classifier", Design()),
    ("r2", "ridge", Design()),
    ("macro_f1", "ridge_classifier", Design(signal=1.0, n_informative=2)),
    ("auroc", "logistic", WIDER),
    ("auroc", "ridge_classifier", CROWDED),
    ("auroc", "ridge_classifier", NOTHING),
)


def truth_of(
    metric: str,
    scores: Float[np.ndarray, "target output"],
    labels: Shaped[np.ndarray, "target *output"],
    probes: Int[np.ndarray, " target"],
) -> float:
    """Return the performance of several probes, each on the new targets of its number."""
    if metric == "auroc":
        return float(
            np.mean([roc_auc_score(labels[probes == one], scores[probes == one]) for one in np.unique(probes)])
        )
    if metric == "r2":
        return float(r2_score(labels, scores))
    return float(f1_score(labels, scores.argmax(axis=1), average="macro"))


def one(metric: str, probe: str, design: Design, random: np.random.Generator) -> list[float]:
    """Return truth, estimate, interval of one simulation, and whether that holds the truth; then of fresh groups."""
    data = draw(design, metric, design.n_groups, random)
    folds = deal_folds(data.groups, random)
    (probed,) = probe_all(data.features, [data.labels], folds, probe)
    new = draw(replace(design, n_rows=1), metric, N_NEW, random)
    of_new = np.arange(N_NEW) % N_FOLDS
    truth = truth_of(metric, in_folds(probed.probes, new.features, of_new), new.labels, of_new)
    fresh = draw(design, metric, design.n_groups, random)
    fresh_folds = deal_folds(fresh.groups, random)
    fresh_scores = in_folds(probed.probes, fresh.features, fresh_folds)
    weights = cluster_weights(design.n_groups, N_RESAMPLES, random)
    results = [truth]
    for scores, sample in (
        (probed.scores, Sample(data.labels, folds, data.groups, weights)),
        (fresh_scores, Sample(fresh.labels, fresh_folds, fresh.groups, weights)),
    ):
        found = interval(evaluate(metric, scores, sample), CONFIDENCE, design.n_groups, N_FOLDS)
        results += [found.estimate, found.lower, found.upper, float(found.lower <= truth <= found.upper)]
    return results


def coverage(
    n: int, n_jobs: int, slack: float = 0.0, settings: Sequence[tuple[str, str, Design]] = SETTINGS
) -> list[Check]:
    """Return the checks of coverage, of `n` simulations each; `slack` widens the limits where simulations are few."""
    checks = []
    for metric, probe, design in settings:
        found = repeat(partial(one, metric, probe, design), f"coverage {metric} {probe} {design}", n, n_jobs)
        setting = f"{design.n_groups} groups of {design.n_rows}, {probe}"
        least = CONFIDENCE - WITHIN
        if design in (WIDER, CROWDED):
            setting, least = f"{setting}, {design.n_features} features", SHORT
        if design == CROWDED:
            setting = f"{setting}, half of all variance shared in groups"
        if design == NOTHING:
            setting, least = f"{setting}, no signal", DEGENERATE
        limits = least - slack, min(1.0, CONFIDENCE + WITHIN + slack)
        quantity = f"coverage ({found[:, 8].mean():.3f} on fresh groups)"
        checks.append(Check(f"interval of {metric}", setting, quantity, n, found[:, 4].mean(), *limits, "0.95"))
    return checks
