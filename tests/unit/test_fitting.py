"""Probes of fixed parameters: scores are those of a pipeline without the fold, as log odds where there are any."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, softmax
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from linear_probing import tables
from linear_probing.probing import estimators, fitting
from linear_probing.probing.estimators import EstimatorError

N, D = 120, 5


@pytest.fixture
def masks():
    return tables.fold_masks(pd.Series([str(row % 4) for row in range(N)]))


@pytest.fixture
def features():
    return np.random.default_rng(0).normal(size=(N, D)) * np.array([1.0, 5.0, 0.1, 1.0, 20.0]) + 3.0


@pytest.fixture
def labels(features):
    return (features[:, 0] - 3.0 + np.random.default_rng(1).normal(size=N) > 0).astype(int)


@pytest.fixture
def classes(features, labels):
    return labels + (features[:, 1] > 5)


@pytest.mark.filterwarnings("ignore:Got `batch_size`")  # fewer rows than a batch
@pytest.mark.parametrize("name", ["mean_difference", "lda", "mlp"])
def test_scores_are_those_of_a_pipeline_fitted_without_the_fold(features, labels, masks, name):
    estimator = estimators.make(name, None, {}, "binary", 3)
    found = fitting.fit_folds(estimator, features, labels, masks)
    assert not hasattr(estimator, "classes_"), "what was given is not fitted"
    for train, tested in masks:
        oracle = make_pipeline(StandardScaler(), estimators.make(name, None, {}, "binary", 3))
        oracle.fit(features[train], labels[train])
        assert np.array_equal(found.scores[tested, 0] > 0, oracle.predict(features[tested]) == 1)
        if name != "mean_difference":
            assert expit(found.scores[tested, 0]) == pytest.approx(
                oracle.predict_proba(features[tested])[:, 1], abs=1e-5
            )
    assert [fit.fold for fit in found.fits] == [0, 1, 2, 3]
    assert all(fit.converged and fit.note == "" for fit in found.fits)
    assert len(found.pipelines) == 4


def test_a_fold_is_scored_by_nothing_that_it_holds(features, labels, masks):
    tested = masks[1][1]
    before = fitting.fit_folds(estimators.make("lda", None, {}, "binary", 0), features, labels, masks)
    changed, shifted = np.where(tested, 1 - labels, labels), features.copy()
    shifted[np.flatnonzero(tested)[0]] += 1e6
    after = fitting.fit_folds(estimators.make("lda", None, {}, "binary", 0), shifted, changed, masks)
    rest = np.flatnonzero(tested)[1:]
    assert np.array_equal(before.scores[rest], after.scores[rest])
    assert not np.array_equal(before.scores[~tested], after.scores[~tested])


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
@pytest.mark.parametrize("probe", [LinearDiscriminantAnalysis(), LogisticRegression(max_iter=1000), GaussianNB()])
def test_what_has_probabilities_gives_log_odds(features, labels, classes, kind, probe):
    wanted = labels if kind == "binary" else classes
    probe.fit(features, wanted)
    found = fitting.scores_of(probe, features, 2 if kind == "binary" else 3)
    odds = softmax(np.hstack([0 * found, found]) if kind == "binary" else found, axis=1)
    assert odds == pytest.approx(probe.predict_proba(features), abs=2e-6)
    if hasattr(probe, "decision_function"):
        assert found.ravel() == pytest.approx(probe.decision_function(features).ravel())


def test_what_has_no_probabilities_gives_decision_values(features, labels, classes):
    probe = LinearSVC().fit(features, labels)
    assert np.array_equal(fitting.scores_of(probe, features, 2)[:, 0], probe.decision_function(features))
    probe.fit(features, classes)
    assert np.array_equal(fitting.scores_of(probe, features, 3), probe.decision_function(features))


def test_a_certain_probability_is_a_finite_score():
    probe = GaussianNB().fit([[0.0], [0.1], [9.0], [9.1]], [0, 0, 1, 1])
    assert fitting.scores_of(probe, np.array([[0.0], [9.0]]), 2)[:, 0] == pytest.approx([-15.942385, 15.942385])


@pytest.mark.parametrize("probe", [LinearSVC(), LogisticRegression(max_iter=1000), GaussianNB()])
@pytest.mark.parametrize("known", [[0, 2], [0, 2, 3]])
def test_a_class_that_training_lacks_is_below_all_others(features, probe, known):
    labels = np.array(known)[np.arange(N) % len(known)]
    probe.fit(features, labels)
    found = fitting.scores_of(probe, features, 5)
    lacking = [one for one in range(5) if one not in known]
    assert found.shape == (N, 5)
    assert (found[:, lacking].max(axis=1) < found[:, known].min(axis=1)).all()
    assert np.array_equal(found.argmax(axis=1), probe.predict(features))
    if hasattr(probe, "predict_proba"):
        assert softmax(found, axis=1)[:, known] == pytest.approx(probe.predict_proba(features), abs=1e-5)


def test_a_fold_whose_training_lacks_a_class_says_so(features, masks):
    classes = np.where(np.arange(N) % 4 == 0, 2, np.arange(N) // 4 % 2)
    found = fitting.fit_folds(estimators.make("mean_difference", None, {}, "multiclass", 0), features, classes, masks)
    assert found.scores.shape == (N, 3)
    assert (found.scores[masks[0][1]].argmax(axis=1) != 2).all()
    assert [fit.note for fit in found.fits] == ["training lacks 1 of 3 classes", "", "", ""]


def test_a_constant_feature_is_noted(features, labels, masks):
    features[:, 2] = 0.1
    found = fitting.fit_folds(estimators.make("lda", None, {}, "binary", 0), features, labels, masks)
    assert {fit.note for fit in found.fits} == {"1 constant features"}


def test_a_fit_that_does_not_converge_is_recorded_not_warned_of(features, labels, masks):
    probe = estimators.make("l", "sklearn.linear_model.LogisticRegression", {"max_iter": 1, "C": 100.0}, "binary", 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = fitting.fit_folds(probe, features, labels, masks)
    assert [(fit.converged, fit.n_iterations) for fit in found.fits] == [(False, 1)] * 4


def test_every_axis_of_a_position_is_scored(features, masks):
    places = np.random.default_rng(2).normal(size=(N, 3)) * 0.01 + features[:, :3]
    probe = estimators.make("svr", "sklearn.svm.LinearSVR", {"C": 10.0, "max_iter": 100_000}, "position", 0)
    found = fitting.fit_folds(probe, features, places, masks)
    assert found.scores == pytest.approx(places, abs=0.1)
    assert all(fit.n_iterations > 0 for fit in found.fits)
    mlp = fitting.fit_folds(estimators.make("mlp", None, {}, "position", 0), features, places, masks)
    assert mlp.scores.shape == (N, 3)
    assert [fit.n_iterations for fit in mlp.fits] == [20] * 4


def test_rows_that_no_fold_tests_have_no_score(features, labels):
    cells = pd.Series([f"{row % 3}" if row % 2 else f"{row % 3}|{(row + 1) % 3}" for row in range(N)])
    masks = [*tables.fold_masks(cells), (np.ones(N, bool), np.zeros(N, bool))]
    found = fitting.fit_folds(estimators.make("lda", None, {}, "binary", 0), features, labels, masks)
    assert np.array_equal(np.isnan(found.scores[:, 0]), cells.str.contains("|", regex=False))
    assert [fit.fold for fit in found.fits] == [0, 1, 2]


def test_a_training_part_of_one_class_is_an_error(features, masks):
    classes = (np.arange(N) % 4 == 0).astype(int)
    with pytest.raises(EstimatorError, match="one class, expected at least 2") as error:
        fitting.fit_folds(estimators.make("lda", None, {}, "binary", 0), features, classes, masks)
    assert "do:     use a larger data set or fewer folds" in str(error.value)


def test_what_a_probe_refuses_is_an_error_of_ours(features, labels, masks):
    features[7, 2] = np.nan
    with pytest.raises(EstimatorError, match=r"ShrunkDiscriminant cannot be fitted to 90 targets: .*NaN") as error:
        fitting.fit_folds(estimators.make("lda", None, {}, "binary", 0), features, labels, masks)
    assert "do:     change its parameters, or leave it out" in str(error.value)


def test_decisions_of_pairs_of_classes_are_refused(features):
    probe = SVC(decision_function_shape="ovo").fit(features, np.arange(N) % 4)
    with pytest.raises(EstimatorError, match="SVC gives 6 decision values, expected one for each of 4 classes"):
        fitting.scores_of(probe, features, 4)
