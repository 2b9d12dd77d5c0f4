"""Coverage: how often a 95 % interval holds the truth.

The truth is the performance of the fitted probes on new groups: the probe of each outer fold, fitted as the protocol
fitted it, scores targets of `N_NEW` new groups. AUROC is taken within each probe's scores, then averaged, as the
estimate is within folds; R2 and macro F1 pool the probes' scores, as the estimate pools folds.

The folds of a cross-validation are not independent: every fold's groups train the other folds' probes, so errors of the
folds have a positive correlation that no resampling of fixed scores can see (Bengio & Grandvalet 2004; Bates, Hastie &
Tibshirani 2023). `fresh` scores the same probes on a new test sample of the same size instead, where it is not: the
difference of the two coverages is what that correlation costs.
"""

from functools import partial

import numpy as np
from jaxtyping import Float

from linear_probing.estimation.intervals import interval
from linear_probing.estimation.metrics import evaluate
from linear_probing.estimation.scoring import Sample, cluster_weights
from linear_probing.probing import protocol
from linear_probing.validation.check import Check
from linear_probing.validation.simulation import N_FOLDS, Data, Design, deal_folds, draw, masks_of, repeat

N_NEW = 2000
N_RESAMPLES = 999
CONFIDENCE = 0.95
WITHIN = 0.02
"""Greatest distance from the nominal coverage."""
PENALTIES = {"logistic": (0.003, 0.1), "ridge": (30.0, 1000.0), "ridge_classifier": (30.0, 1000.0)}
STRONG = Design(of_features=0.5, of_labels=0.5)
SETTINGS = (
    ("auroc", "logistic", Design()),
    ("auroc", "ridge_classifier", Design()),
    ("r2", "ridge", Design()),
    ("macro_f1", "ridge_classifier", Design(signal=1.0)),
)


def truth_of(metric: str, scores: list[Float[np.ndarray, "target output"]], new: Data) -> float:
    """Return the performance of several probes on new data: of the mean over probes, or of all their scores pooled."""
    n_probes, n_new = len(scores), len(new.groups)
    probes = np.repeat(np.arange(n_probes), n_new)
    weights = np.ones((1, int(new.groups.max()) + 1))
    labels = np.concatenate([new.labels] * n_probes)
    sample = Sample(labels, probes, np.tile(new.groups, n_probes), weights)
    return float(evaluate(metric, np.concatenate(scores), sample)[0])


def one(metric: str, probe: str, design: Design, random: np.random.Generator) -> list[float]:
    """Return estimate, truth, interval of one simulation, and whether that holds the truth; then of fresh groups."""
    data = draw(design, metric, design.n_groups, random)
    folds = deal_folds(data.groups, random)
    masks = masks_of(folds)
    outcome = protocol.probe_out_of_fold(data.features, data.labels, masks, probe, PENALTIES[probe])
    n_classes = int(data.labels.max()) + 1 if data.labels.ndim == 1 else 0
    new, fresh = (draw(design, metric, n_groups, random) for n_groups in (N_NEW, design.n_groups))
    fresh_folds = deal_folds(fresh.groups, random)
    fresh_scores, of_new = np.empty_like(outcome.scores), []
    for fit in outcome.fits:
        train = masks[fit.fold][0]
        fitted = protocol.fit(probe, fit.penalty, data.features[train], data.labels[train])
        of_new.append(protocol.outputs(fitted, new.features, n_classes))
        rows = fresh_folds == fit.fold
        fresh_scores[rows] = protocol.outputs(fitted, fresh.features[rows], n_classes)
    truth = truth_of(metric, of_new, new)
    weights = cluster_weights(design.n_groups, N_RESAMPLES, random)
    results = [truth]
    for scores, sample in (
        (outcome.scores, Sample(data.labels, folds, data.groups, weights)),
        (fresh_scores, Sample(fresh.labels, fresh_folds, fresh.groups, weights)),
    ):
        found = interval(evaluate(metric, scores.astype(np.float64), sample), CONFIDENCE, design.n_groups, N_FOLDS)
        results += [found.estimate, found.lower, found.upper, float(found.lower <= truth <= found.upper)]
    return results


def coverage(n: int, n_jobs: int, slack: float = 0.0) -> list[Check]:
    """Return the checks of coverage, of `n` simulations each; `slack` widens the limits where simulations are few."""
    checks = []
    for metric, probe, design in SETTINGS:
        found = repeat(partial(one, metric, probe, design), f"coverage {metric} {probe}", n, n_jobs)
        setting = f"{design.n_groups} groups of {design.n_rows}, {probe}"
        limits = CONFIDENCE - WITHIN - slack, min(1.0, CONFIDENCE + WITHIN + slack)
        checks.append(Check(f"interval of {metric}", setting, "coverage", n, found[:, 4].mean(), *limits, "0.95"))
    return checks
