"""Multilayer perceptrons: scikit-learn's own numbers, by its rules, and errors where it has them."""

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks

from linear_probing.probing.perceptron import PerceptronClassifier, PerceptronRegressor

SAME = {"alpha": 2.0, "batch_size": 70, "learning_rate_init": 0.01, "random_state": 3}


@parametrize_with_checks([PerceptronClassifier(random_state=0), PerceptronRegressor(alpha=0.0, random_state=0)])
def test_own_estimators_keep_scikit_learns_rules(estimator, check):
    check(estimator)


def drawn(n_rows, n_classes, dtype=np.float64):
    random = np.random.default_rng(n_classes)
    features = random.normal(size=(n_rows, 12))
    return features.astype(dtype), (features[:, :n_classes] ** 2 + random.normal(size=(n_rows, n_classes)))


def of_scikit_learn(cls, sizes, **parameters):
    """Return its network, trained for as many epochs: no epoch lowers the loss by a tolerance so great."""
    return cls(hidden_layer_sizes=sizes, tol=1e9, n_iter_no_change=18, max_iter=100, **parameters)


@pytest.mark.parametrize("n_classes", [2, 3, 7])
@pytest.mark.parametrize("sizes", [(16,), (9, 5)])
def test_classes_are_scikit_learns(n_classes, sizes):
    features, odds = drawn(300, n_classes)
    labels = odds.argmax(axis=1)
    oracle = of_scikit_learn(MLPClassifier, sizes, **SAME).fit(features, labels)
    found = PerceptronClassifier(sizes, **SAME).fit(features, labels)
    assert oracle.n_iter_ == found.n_iter_ == 20
    assert found.predict_proba(features) == pytest.approx(oracle.predict_proba(features), abs=1e-9)
    assert np.array_equal(found.predict(features), oracle.predict(features))
    for mine, theirs in zip(found.layers_.coefficients, oracle.coefs_, strict=True):
        assert mine == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_numbers_are_scikit_learns(n_outputs):
    features, numbers = drawn(300, n_outputs)
    numbers = numbers[:, 0] if n_outputs == 1 else numbers
    oracle = of_scikit_learn(MLPRegressor, (16,), **SAME).fit(features, numbers)
    found = PerceptronRegressor((16,), **SAME).fit(features, numbers)
    assert found.predict(features).shape == numbers.shape
    assert found.predict(features) == pytest.approx(oracle.predict(features), abs=1e-9)


def test_single_precision_stays_single_and_scores_as_well():
    features, odds = drawn(2000, 3, np.float32)
    labels = odds.argmax(axis=1)
    found = PerceptronClassifier((32,), **SAME).fit(features[:1500], labels[:1500])
    oracle = of_scikit_learn(MLPClassifier, (32,), **SAME).fit(features[:1500], labels[:1500])
    assert found.layers_.vector.dtype == np.float32
    held = features[1500:], labels[1500:]
    assert found.score(*held) == pytest.approx(oracle.score(*held), abs=0.03)
    assert found.score(*held) > 1.3 * np.bincount(held[1]).max() / 500


def test_a_batch_may_hold_all_rows():
    features, odds = drawn(50, 2)
    labels = odds.argmax(axis=1)
    all_rows, more = (PerceptronClassifier(batch_size=size, random_state=0).fit(features, labels) for size in (50, 400))
    assert np.array_equal(all_rows.decision_function(features), more.decision_function(features))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"hidden_layer_sizes": (8, 0)}, "hidden_layer_sizes"),
        ({"alpha": -1.0}, "alpha"),
        ({"n_epochs": 0}, "n_epochs"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
def test_parameters_that_cannot_be_are_errors(parameters, message):
    features, odds = drawn(60, 2)
    with pytest.raises(ValueError, match=message):
        PerceptronClassifier(**parameters).fit(features, odds.argmax(axis=1))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_training_that_ends_in_no_numbers_is_an_error():
    # Every product of a feature and an error is infinite, in whatever order a processor adds them up.
    features, numbers = drawn(60, 1)
    with pytest.raises(ValueError, match="weights that are not finite"):
        PerceptronRegressor(random_state=0).fit(1e20 * np.sign(features), 1e300 + numbers)


def test_one_class_is_an_error():
    with pytest.raises(ValueError, match="the labels hold 1 class, expected at least 2"):
        PerceptronClassifier().fit(np.eye(3), [1, 1, 1])
