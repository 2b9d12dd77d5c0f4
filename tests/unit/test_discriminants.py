"""Difference of means and shrunk discriminant: hand-computed, equal to scikit-learn's, and estimators by its rules."""

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.neighbors import NearestCentroid
from sklearn.utils.estimator_checks import parametrize_with_checks

from linear_probing.probing.discriminants import MeanDifference, ShrunkDiscriminant


@parametrize_with_checks([MeanDifference(), ShrunkDiscriminant()])
def test_own_estimators_keep_scikit_learns_rules(estimator, check):
    check(estimator)


def drawn(n_rows, n_features, n_classes, seed=0):
    random = np.random.default_rng(seed)
    labels = random.integers(0, n_classes, n_rows)
    centres = random.normal(size=(n_classes, n_features))
    spread = random.uniform(0.1, 5.0, n_features)
    return (centres[labels] + random.normal(size=(n_rows, n_features))) * spread + 2.0, labels


def test_the_direction_is_the_difference_of_means_and_the_threshold_lies_midway():
    features = np.array([[0.0, 1.0], [2.0, 1.0], [5.0, 3.0], [5.0, 5.0], [5.0, 7.0]])
    found = MeanDifference().fit(features, ["no", "no", "yes", "yes", "yes"])
    assert found.classes_.tolist() == ["no", "yes"]
    assert np.array_equal(found.coef_, [[4.0, 4.0]])
    assert found.decision_function([[3.0, 3.0], [1.0, 1.0], [5.0, 5.0]]) == pytest.approx([0.0, -16.0, 16.0])


def test_several_classes_go_to_the_nearest_mean():
    features, labels = drawn(200, 3, 4)
    found, oracle = MeanDifference().fit(features, labels), NearestCentroid().fit(features, labels)
    assert np.array_equal(found.predict(features), oracle.predict(features))
    distance = ((features[:, None] - oracle.centroids_) ** 2).sum(axis=2)
    implied = -2.0 * found.decision_function(features) + (features**2).sum(axis=1, keepdims=True)
    assert implied == pytest.approx(distance)


@pytest.mark.parametrize(("n_rows", "n_features"), [(300, 5), (80, 200), (60, 60), (50, 1)])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_discriminant_is_scikit_learns(n_rows, n_features, n_classes):
    features, labels = drawn(n_rows, n_features, n_classes)
    oracle = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(features, labels)
    found = ShrunkDiscriminant().fit(features, labels)
    assert found.coef_ == pytest.approx(oracle.coef_, rel=1e-7, abs=1e-9)
    assert found.intercept_ == pytest.approx(oracle.intercept_, rel=1e-7, abs=1e-9)
    assert found.predict_proba(features) == pytest.approx(oracle.predict_proba(features), abs=1e-9)
    assert np.exp(found.predict_log_proba(features)) == pytest.approx(oracle.predict_proba(features), abs=1e-9)


@pytest.mark.parametrize("n_features", [6, 90])
def test_a_constant_feature_is_given_no_weight(n_features):
    features, labels = drawn(60, n_features, 2)
    features[:, 3] = 7.0
    oracle = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(features, labels)
    found = ShrunkDiscriminant().fit(features, labels)
    assert found.coef_[0, 3] == pytest.approx(0.0, abs=1e-9)
    assert found.coef_ == pytest.approx(oracle.coef_, rel=1e-7, abs=1e-9)


@pytest.mark.parametrize("estimator", [MeanDifference(), ShrunkDiscriminant()])
def test_one_class_is_an_error(estimator):
    with pytest.raises(ValueError, match="the labels hold 1 class, expected at least 2"):
        estimator.fit(np.eye(3), [1, 1, 1])
