"""The best layer, chosen in inner folds, is not made better by having been looked for.

All layers are equally good in truth: the same signal under independent noise. The truth of the assembled estimate is
the performance on new groups of the probes it is made of, each fold's at the layer chosen for that fold.
Two ways that the study does not take show that the check can fail: the layer with the best scores in the other folds,
whose probes were trained on the fold's labels, so that their scores know it; and the layer with the best scores in all.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from linear_probing.estimation.estimates import assemble, best_layers
from linear_probing.estimation.metrics import evaluate
from linear_probing.estimation.scoring import Sample
from linear_probing.validation.check import Check
from linear_probing.validation.coverage import truth_of
from linear_probing.validation.probed import in_folds, probe_all
from linear_probing.validation.simulation import N_FOLDS, Data, Design, correlated, deal_folds, repeat

PROBE, METRIC = "ridge_classifier", "auroc"
N_LAYERS = 4
N_NEW = 10_000
N_ERRORS = 2.0
"""Standard errors by which the mean may lie off the truth."""
WAYS = ("inner loss", "scores of the other folds", "scores of all folds")
CASES = {"noise": Design(signal=0.0), "signal": Design()}


def layers_of(design: Design, n_groups: int, random: np.random.Generator) -> tuple[list[np.ndarray], Data]:
    """Return each layer's features, and the data of the first: every layer hides the same signal in its own noise."""
    groups = np.repeat(np.arange(n_groups), design.n_rows)
    signal = correlated(groups, design.n_informative, design.of_features, random)
    numbers = design.signal * signal.sum(axis=1) + correlated(groups, 1, design.of_labels, random)[:, 0]
    layers = []
    for _ in range(N_LAYERS):
        features = correlated(groups, design.n_features, design.of_features, random)
        features[:, : design.n_informative] += signal
        layers.append(features)
    return layers, Data(layers[0], (numbers > 0).astype(int), groups)


def by_other_folds(scores: Mapping[int, np.ndarray], sample: Sample) -> dict[int, int]:
    """Return for each fold the layer whose out-of-fold scores are best on the other folds: not what the study does."""
    chosen = {}
    for fold in range(N_FOLDS):
        others = sample.folds != fold
        found = {layer: evaluate(METRIC, own[others], sample.where(others))[0] for layer, own in scores.items()}
        chosen[fold] = max(found, key=lambda layer: found[layer])
    return chosen


def one(design: Design, random: np.random.Generator) -> list[float]:
    """Return how far above their truth estimates lie, in the order of `WAYS`."""
    layers, data = layers_of(design, design.n_groups, random)
    folds = deal_folds(data.groups, random)
    probed = [probe_all(layer, [data.labels], folds, PROBE)[0] for layer in layers]
    scores = {layer: one.scores for layer, one in enumerate(probed)}
    sample = Sample(data.labels, folds, data.groups, np.ones((1, design.n_groups)))
    by_layer = [evaluate(METRIC, values, sample)[0] for values in scores.values()]
    new_layers, new = layers_of(replace(design, n_rows=1), N_NEW, random)
    of_new = np.arange(N_NEW) % N_FOLDS
    new_scores = {
        layer: in_folds(one.probes, features, of_new)
        for layer, (one, features) in enumerate(zip(probed, new_layers, strict=True))
    }

    def bias_of(chosen: dict[int, int]) -> float:
        found = np.empty((N_NEW, 1))
        for fold, layer in chosen.items():
            found[of_new == fold] = new_scores[layer][of_new == fold]
        estimate = evaluate(METRIC, assemble(scores, chosen, sample), sample)[0]
        return float(estimate) - truth_of(METRIC, found, new.labels, of_new)

    own = best_layers({layer: one.inner_losses for layer, one in enumerate(probed)})
    naive = dict.fromkeys(own, int(np.argmax(by_layer)))
    return [bias_of(chosen) for chosen in (own, by_other_folds(scores, sample), naive)]


def bias(n: int, n_jobs: int, cases: Mapping[str, Design] = CASES) -> list[Check]:
    """Return the checks of the best layer, of `n` simulations each; the number is the mean bias in standard errors."""
    checks = []
    for name, design in cases.items():
        found = repeat(partial(one, design), f"best layer {name}", n, n_jobs)
        mean, error = found.mean(axis=0), found.std(axis=0, ddof=1) / np.sqrt(n)
        setting = f"{N_LAYERS} layers of equal {name}"
        for place, way in enumerate(WAYS):
            quantity = f"bias in standard errors (mean {mean[place]:+.4f})"
            limits, truth = (
                ((-np.inf, N_ERRORS), "0") if place == 0 else ((N_ERRORS, np.inf), "above: the bias is seen")
            )
            what = f"best layer, by {way}"
            checks.append(Check(what, setting, quantity, n, float(mean[place] / error[place]), *limits, truth))
    return checks
