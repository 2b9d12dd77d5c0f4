"""Permutation p-values: uniform under the null, that of the maximum over layers too.

Kolmogorov-Smirnov's test is of continuous distributions, and p-values of a permutation test are not: k of n + 1 values
are possible. So a uniform number below one step is taken off each, which makes them uniform on (0, 1) if the test is
exact. Two wrong tests show that the check can fail: rows permuted without regard to groups, where labels are constant
in groups; and groups permuted across folds, where these were dealt evenly by class, as the study's builders do.
"""

from functools import partial

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import kstest

from linear_probing.builders.draft import deal
from linear_probing.estimation.significance import greatest, p_value
from linear_probing.probing.permutations import null_scores, permutations
from linear_probing.validation.check import Check
from linear_probing.validation.simulation import N_FOLDS, Design, correlated, deal_folds, masks_of, repeat

N_PERMUTATIONS = 199
N_LAYERS = 3
LEAST_P = 0.01
PENALTIES = (30.0, 1000.0)
NULL = Design(of_features=0.5, signal=0.0)
CONSTANT, VARYING = "constant in groups", "varying in groups"
STRATIFIED = "of 6 classes, constant in groups, which are dealt to folds evenly by class"
BY_ROWS, ACROSS = f"{CONSTANT}, rows permuted", f"{STRATIFIED}, permuted across folds"
WRONG = (BY_ROWS, ACROSS)
N_CLASSES = 6


def below(scores: Float[np.ndarray, " labeling"], random: np.random.Generator) -> float:
    """Return the study's p-value, less a random part of a step."""
    return p_value(scores) - random.random() / len(scores)


def layers_of(groups: Int[np.ndarray, " target"], random: np.random.Generator) -> list[np.ndarray]:
    """Return features of several layers that have half of their variance in common."""
    shared = correlated(groups, NULL.n_features, NULL.of_features, random)
    own = [correlated(groups, NULL.n_features, NULL.of_features, random) for _ in range(N_LAYERS)]
    return [np.sqrt(0.5) * (shared + layer) for layer in own]


def one(labeling: str, random: np.random.Generator) -> list[float]:
    """Return the p-value of the first layer, and of the maximum over layers, of labels drawn without the features."""
    groups = np.repeat(np.arange(NULL.n_groups), NULL.n_rows)
    layers = layers_of(groups, random)
    if labeling in (STRATIFIED, ACROSS):
        metric, of_group = "macro_f1", random.permutation(np.arange(NULL.n_groups) % N_CLASSES)
        names = [f"g{group:03d}" for group in range(NULL.n_groups)]
        dealt = deal(names, [str(label) for label in of_group], N_FOLDS, random)
        labels, folds = of_group[groups], np.array([int(dealt[names[group]]) for group in groups])
    else:
        metric, share = "auroc", 0.3 if labeling == VARYING else 1.0
        labels, folds = (correlated(groups, 1, share, random)[:, 0] > 0).astype(int), deal_folds(groups, random)
    exchanged = np.arange(len(groups)) if labeling == BY_ROWS else groups
    rows = permutations(labels, exchanged, N_PERMUTATIONS, random, None if labeling in WRONG else folds)
    parts, masks = {"all": np.ones(len(labels), bool)}, masks_of(folds)
    scores = [null_scores(layer, labels, masks, metric, PENALTIES, rows, parts)["all"] for layer in layers]
    return [below(scores[0], random), below(greatest(dict(enumerate(scores))), random)]


def uniformity(n: int, n_jobs: int) -> list[Check]:
    """Return the checks of p-values, of `n` simulations each."""
    checks = []
    for labeling in (CONSTANT, VARYING, STRATIFIED, *WRONG):
        found = repeat(partial(one, labeling), f"p-values {labeling}", n, n_jobs)
        for name, values in zip(("one layer", f"maximum of {N_LAYERS} layers"), found.T, strict=True):
            p = float(kstest(values, "uniform").pvalue)
            limits = (0.0, LEAST_P) if labeling in WRONG else (LEAST_P, 1.0)
            truth = "near 0: a wrong test is seen" if labeling in WRONG else "above 0.01 in 99 of 100"
            checks.append(Check(f"permutation p, {name}", f"labels {labeling}", "KS p", n, p, *limits, truth))
    return checks
