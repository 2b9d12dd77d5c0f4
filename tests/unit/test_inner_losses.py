"""Inner losses, by which layers are compared: those of scikit-learn's pipelines fitted without either fold."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from linear_probing.probing.sweep import Run, sweep

N, FOLDS = 120, np.arange(120) % 4
MASKS = [(fold != FOLDS, fold == FOLDS) for fold in range(4)]


@pytest.fixture
def data():
    random = np.random.default_rng(0)
    features = random.normal(size=(N, 5))
    return features, (features[:, 0] + random.normal(size=N) > 0).astype(int)


def oracle(features, labels, fold, estimator, loss):
    """Return the mean loss over the inner folds of an outer fold."""
    losses = []
    for inner in set(range(4)) - {fold}:
        train, held = (fold != FOLDS) & (inner != FOLDS), inner == FOLDS
        fitted = make_pipeline(StandardScaler(), estimator).fit(features[train], labels[train])
        losses.append(loss(fitted, features[held], labels[held]))
    return np.mean(losses)


@pytest.mark.parametrize("penalties", [[0.1], [0.001, 0.1]])
def test_those_of_logistic_probes(data, penalties):
    features, labels = data
    found = sweep(features, [Run("group", "true", labels, MASKS)], "logistic", penalties, 2).outcomes[0].fits
    for fit in found:
        estimator = LogisticRegression(C=fit.penalty, tol=1e-8)
        expected = oracle(features, labels, fit.fold, estimator, lambda f, x, y: log_loss(y, f.predict_proba(x)))
        assert fit.inner_loss == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("penalties", [[10.0], [10.0, 1000.0]])
def test_those_of_ridge_are_summed_over_outputs(data, penalties):
    features, _ = data
    places = np.random.default_rng(2).normal(size=(N, 2)) + features[:, :2]
    found = sweep(features, [Run("group", "true", places, MASKS)], "ridge", penalties, 0).outcomes[0].fits
    for fit in found:
        expected = oracle(
            features, places, fit.fold, Ridge(fit.penalty), lambda f, x, y: ((f.predict(x) - y) ** 2).sum(axis=1).mean()
        )
        assert fit.inner_loss == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("probe", ["logistic", "ridge_classifier"])
def test_that_of_a_fold_knows_nothing_of_the_fold(data, probe):
    features, labels = data
    changed = np.where(FOLDS == 1, 1 - labels, labels)
    losses = [
        [
            fit.inner_loss
            for fit in sweep(features, [Run("group", "true", one, MASKS)], probe, [1.0], 2).outcomes[0].fits
        ]
        for one in (labels, changed)
    ]
    assert losses[0][1] == pytest.approx(losses[1][1], abs=1e-6)
    assert abs(losses[0][0] - losses[1][0]) > 0.01
