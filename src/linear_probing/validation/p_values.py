"""Permutation p-values: uniform under the null, that of the maximum over layers too.

Kolmogorov-Smirnov's test is of continuous distributions, and p-values of a permutation test are not: k of n + 1 values
are possible. So a uniform number below one step is taken off each, which makes them uniform on (0, 1) if the test is
exact. Rows permuted without regard to groups, where labels are constant in groups, show that the check can fail.
"""

from functools import partial

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import kstest

from linear_probing.probing.permutations import null_scores, permutations
from linear_probing.validation.check import Check
from linear_probing.validation.simulation import Design, correlated, deal_folds, masks_of, repeat

N_PERMUTATIONS = 199
N_LAYERS = 3
LEAST_P = 0.01
PENALTIES = (30.0, 1000.0)
NULL = Design(of_features=0.5, signal=0.0)
CONSTANT, VARYING, BY_ROWS = "constant in groups", "varying in groups", "constant in groups, rows permuted"


def p_value(scores: Float[np.ndarray, " labeling"], random: np.random.Generator) -> float:
    """Return (1 + how many permutations score no less) / (1 + how many there are), less a random part of a step."""
    p = (1.0 + float((scores[1:] >= scores[0]).sum())) / len(scores)
    return p - random.random() / len(scores)


def layers_of(groups: Int[np.ndarray, " target"], random: np.random.Generator) -> list[np.ndarray]:
    """Return features of several layers that have half of their variance in common."""
    shared = correlated(groups, NULL.n_features, NULL.of_features, random)
    own = [correlated(groups, NULL.n_features, NULL.of_features, random) for _ in range(N_LAYERS)]
    return [np.sqrt(0.5) * (shared + layer) for layer in own]


def one(labeling: str, random: np.random.Generator) -> list[float]:
    """Return the p-value of the first layer, and of the maximum over layers, of labels drawn without the features."""
    groups = np.repeat(np.arange(NULL.n_groups), NULL.n_rows)
    layers = layers_of(groups, random)
    share = 0.3 if labeling == VARYING else 1.0
    labels = (correlated(groups, 1, share, random)[:, 0] > 0).astype(int)
    masks = masks_of(deal_folds(groups, random))
    exchanged = np.arange(len(groups)) if labeling == BY_ROWS else groups
    rows = permutations(labels, exchanged, N_PERMUTATIONS, random)
    parts = {"all": np.ones(len(labels), bool)}
    scores = np.stack([null_scores(layer, labels, masks, "auroc", PENALTIES, rows, parts)["all"] for layer in layers])
    return [p_value(scores[0], random), p_value(scores.max(axis=0), random)]


def uniformity(n: int, n_jobs: int) -> list[Check]:
    """Return the checks of p-values, of `n` simulations each."""
    checks = []
    for labeling in (CONSTANT, VARYING, BY_ROWS):
        found = repeat(partial(one, labeling), f"p-values {labeling}", n, n_jobs)
        for name, values in zip(("one layer", f"maximum of {N_LAYERS} layers"), found.T, strict=True):
            p = float(kstest(values, "uniform").pvalue)
            limits = (0.0, LEAST_P) if labeling == BY_ROWS else (LEAST_P, 1.0)
            truth = "near 0: a wrong test is seen" if labeling == BY_ROWS else "above 0.01 in 99 of 100"
            checks.append(Check(f"permutation p, {name}", f"labels {labeling}", "KS p", n, p, *limits, truth))
    return checks
