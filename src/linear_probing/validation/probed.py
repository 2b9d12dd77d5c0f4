"""The study's own protocol on simulated data: folds by group, inner folds, scores, and the fitted probes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped

from linear_probing.probing.sweep import Linear, Run, sweep
from linear_probing.validation.simulation import N_FOLDS, masks_of

PENALTIES = {"logistic": (0.003, 0.1), "ridge": (30.0, 1000.0), "ridge_classifier": (30.0, 1000.0)}


@dataclass(frozen=True)
class Probed:
    """Out-of-fold scores (n_targets, n_outputs), and of each fold the probe and its inner loss."""

    scores: Float[np.ndarray, "target output"]
    probes: tuple[Linear, ...]
    inner_losses: dict[int, float]


def probe_all(
    features: Float[np.ndarray, "target feature"],
    labelings: Sequence[Shaped[np.ndarray, "target *output"]],
    folds: Int[np.ndarray, " target"],
    probe: str,
) -> list[Probed]:
    """Probe features for each labeling, by `sweep.sweep` as the study does; probes are those of the first labeling."""
    n_classes = int(labelings[0].max()) + 1 if labelings[0].ndim == 1 else 0
    runs = [Run("group", "true", labels, masks_of(folds)) for labels in labelings]
    swept = sweep(features, runs, probe, PENALTIES[probe], n_classes)
    probes = ([one for one in swept.probes if one.fold is not None], *([[]] * (len(runs) - 1)))
    return [
        Probed(outcome.scores.astype(np.float64), tuple(own), {fit.fold: fit.inner_loss for fit in outcome.fits})
        for outcome, own in zip(swept.outcomes, probes, strict=True)
    ]


def apply(probe: Linear, features: Float[np.ndarray, "target feature"]) -> Float[np.ndarray, "target output"]:
    """Return the scores that a fitted probe gives other targets."""
    return (features - probe.mean) / probe.scale @ probe.coefficients.T + probe.intercept


def in_folds(
    probes: Sequence[Linear], features: Float[np.ndarray, "target feature"], folds: Int[np.ndarray, " target"]
) -> Float[np.ndarray, "target output"]:
    """Return the scores of targets, each by the probe of its fold."""
    found = np.empty((len(features), len(probes[0].coefficients)))
    for fold in range(N_FOLDS):
        found[folds == fold] = apply(probes[fold], features[folds == fold])
    return found
