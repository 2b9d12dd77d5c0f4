"""The best layer, chosen on other folds than it is scored on, is not made better by having been looked for.

All layers are equally good in truth: the same signal under independent noise. The truth of the assembled estimate is
the performance on new groups of the probes it is made of, each fold's at the layer chosen for that fold.
"""

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
NOISE, SIGNAL = Design(signal=0.0), Design()


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


def one(design: Design, random: np.random.Generator) -> list[float]:
    """Return how far above the truth the assembled estimate lies, and the best layer's own estimate above its truth."""
    layers, data = layers_of(design, design.n_groups, random)
    folds = deal_folds(data.groups, random)
    probed = [probe_all(layer, [data.labels], folds, PROBE)[0] for layer in layers]
    scores = {layer: one.scores for layer, one in enumerate(probed)}
    sample = Sample(data.labels, folds, data.groups, np.ones((1, design.n_groups)))
    chosen = best_layers(METRIC, scores, sample)
    estimate = evaluate(METRIC, assemble(scores, chosen, sample), sample)[0]
    by_layer = [evaluate(METRIC, values, sample)[0] for values in scores.values()]
    new_layers, new = layers_of(replace(design, n_rows=1), N_NEW, random)
    of_new = np.arange(N_NEW) % N_FOLDS
    new_scores = {
        layer: in_folds(one.probes, features, of_new)
        for layer, (one, features) in enumerate(zip(probed, new_layers, strict=True))
    }

    def truth(layer_of_fold: dict[int, int]) -> float:
        found = np.empty((N_NEW, 1))
        for fold, layer in layer_of_fold.items():
            found[of_new == fold] = new_scores[layer][of_new == fold]
        return truth_of(METRIC, found, new.labels, of_new)

    naive = int(np.argmax(by_layer))
    return [estimate - truth(chosen), by_layer[naive] - truth(dict.fromkeys(chosen, naive))]


def bias(n: int, n_jobs: int) -> list[Check]:
    """Return the checks of the best layer, of `n` simulations each; the number is the mean bias in standard errors."""
    checks = []
    for name, design in (("noise", NOISE), ("signal", SIGNAL)):
        found = repeat(partial(one, design), f"best layer {name}", n, n_jobs)
        mean, error = found.mean(axis=0), found.std(axis=0, ddof=1) / np.sqrt(n)
        setting = f"{N_LAYERS} layers of equal {name}"
        for place, (what, limits, truth) in enumerate(
            (
                ("best layer, chosen on other folds", (-np.inf, N_ERRORS), "0"),
                ("best layer, chosen on the same folds", (N_ERRORS, np.inf), "above: the bias is seen"),
            )
        ):
            quantity = f"bias in standard errors (mean {mean[place]:+.4f})"
            checks.append(Check(what, setting, quantity, n, float(mean[place] / error[place]), *limits, truth))
    return checks
