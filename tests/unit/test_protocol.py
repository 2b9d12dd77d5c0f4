"""The probing protocol: scikit-learn's own numbers, no leak between folds, scaling in training only."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from linear_probing import tables
from linear_probing.probing import controls, protocol

N, D = 120, 5


@pytest.fixture
def masks():
    return tables.fold_masks(pd.Series([str(row % 4) for row in range(N)]))


@pytest.fixture
def features():
    return np.random.default_rng(0).normal(size=(N, D))


@pytest.fixture
def labels(features):
    noise = np.random.default_rng(1).normal(size=N)
    return (features[:, 0] + noise > 0).astype(int)


def test_scores_are_those_of_a_pipeline_fitted_without_the_fold(features, labels, masks):
    found = protocol.probe_out_of_fold(features, labels, masks, "logistic", [0.5])
    for train, tested in masks:
        oracle = make_pipeline(StandardScaler(), LogisticRegression(C=0.5, tol=1e-8)).fit(
            features[train], labels[train]
        )
        assert np.allclose(found.scores[tested, 0], oracle.decision_function(features[tested]), atol=1e-3)


def test_positions_are_those_of_ridge(features, masks):
    places = np.random.default_rng(2).normal(size=(N, 3)) + features[:, :3]
    found = protocol.probe_out_of_fold(features, places, masks, "ridge", [10.0])
    train, tested = masks[2]
    oracle = make_pipeline(StandardScaler(), Ridge(alpha=10.0)).fit(features[train], places[train])
    assert np.allclose(found.scores[tested], oracle.predict(features[tested]), atol=1e-5)


@pytest.mark.parametrize("probe", ["logistic", "ridge_classifier"])
def test_a_fold_is_scored_by_nothing_that_it_holds(features, labels, masks, probe):
    classes = labels + (features[:, 1] > 1)
    before = protocol.probe_out_of_fold(features, classes, masks, probe, [0.1, 10.0])
    tested = masks[1][1]
    changed = classes.copy()
    changed[tested] = (changed[tested] + 1) % 3
    after = protocol.probe_out_of_fold(features, changed, masks, probe, [0.1, 10.0])
    assert np.array_equal(before.scores[tested], after.scores[tested])
    assert before.fits[1] == after.fits[1]
    assert not np.array_equal(before.scores[~tested], after.scores[~tested])


def test_scaling_is_learnt_in_the_training_part(features, labels, masks):
    before = protocol.probe_out_of_fold(features, labels, masks, "logistic", [1.0])
    shifted = features.copy()
    row = np.flatnonzero(masks[0][1])[0]
    shifted[row] += 1e6
    after = protocol.probe_out_of_fold(shifted, labels, masks, "logistic", [1.0])
    others = masks[0][1] & (np.arange(N) != row)
    assert np.array_equal(before.scores[others], after.scores[others])


def test_the_penalty_is_the_best_on_inner_folds_by_brute_force(features, labels, masks):
    penalties = [1e-4, 1e-2, 1.0]
    chosen = protocol.choose_penalties(features, labels, masks, "logistic", penalties, 2)
    for outer in range(len(masks)):
        losses = []
        for penalty in penalties:
            total = 0.0
            for inner in set(range(len(masks))) - {outer}:
                train, held_out = masks[outer][0] & masks[inner][0], masks[inner][1]
                fitted = make_pipeline(StandardScaler(), LogisticRegression(C=penalty)).fit(
                    features[train], labels[train]
                )
                probability = fitted.predict_proba(features[held_out])[np.arange(held_out.sum()), labels[held_out]]
                total -= np.log(probability).sum()
            losses.append(total)
        assert chosen[outer] == penalties[int(np.argmin(losses))]


def test_rows_that_no_fold_tests_have_no_score(features, labels):
    cells = pd.Series([f"{row % 3}" if row % 2 else f"{row % 3}|{(row + 1) % 3}" for row in range(N)])
    masks = tables.fold_masks(cells)
    found = protocol.probe_out_of_fold(features, labels, masks, "logistic", [1.0])
    assert np.array_equal(np.isnan(found.scores[:, 0]), cells.str.contains("|", regex=False))


def test_a_class_that_training_lacks_is_never_predicted_and_breaks_nothing(features, masks):
    classes = np.where(np.arange(N) % 4 == 0, 2, np.arange(N) // 4 % 2)
    found = protocol.probe_out_of_fold(features, classes, masks, "logistic", [0.1, 1.0])
    assert found.scores.shape == (N, 3)
    assert (found.scores[masks[0][1]].argmax(axis=1) != 2).all()


def test_a_training_part_of_one_class_is_an_error(features, masks):
    classes = (np.arange(N) % 4 == 0).astype(int)
    with pytest.raises(protocol.ProbeError, match="one class, expected at least 2") as error:
        protocol.probe_out_of_fold(features, classes, masks, "logistic", [1.0])
    assert "do:     use a larger data set or fewer folds" in str(error.value)


def test_a_fit_that_does_not_converge_is_recorded_not_warned_of(features, labels, masks, monkeypatch):
    monkeypatch.setattr(protocol, "MAX_ITERATIONS", 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = protocol.probe_out_of_fold(features, labels, masks, "logistic", [100.0])
    assert not any(fit.converged for fit in found.fits)


def test_text_features_read_up_to_the_end_of_the_span_only():
    texts = pd.Series(["the keys near the door shine", "the keys near the door break"])
    starts, ends = pd.Series([18, 18]), pd.Series([22, 22])
    found = controls.text_features(texts, starts, ends).toarray()
    assert np.array_equal(found[0], found[1])
    longer = controls.text_features(texts, starts, ends + 6).toarray()
    assert not np.array_equal(longer[0], longer[1])


def test_control_labels_are_one_per_type_with_the_marginals_of_the_task():
    types = pd.Series(np.repeat([f"word{n}" for n in range(200)], 4))
    labels = np.repeat(np.arange(200) % 5 == 0, 4).astype(int)
    drawn = controls.control_labels(labels, types, np.random.default_rng(0))
    assert (pd.Series(drawn).groupby(types).nunique() == 1).all()
    assert drawn.mean() == labels.mean()
    assert 0.2 < (drawn == labels).mean() < 0.9


def test_control_labels_of_labels_that_vary_in_a_type_have_their_frequencies():
    types = pd.Series(np.repeat([f"city{n}" for n in range(2000)], 4))
    labels = np.tile([1, 0, 0, 0], 2000)
    drawn = controls.control_labels(labels, types, np.random.default_rng(0))
    assert (pd.Series(drawn).groupby(types).nunique() == 1).all()
    assert abs(drawn.mean() - 0.25) < 0.03


def test_control_positions_stay_places():
    types = pd.Series(np.repeat(["a", "b", "c"], 2))
    places = np.repeat(np.eye(3), 2, axis=0)
    drawn = controls.control_labels(places, types, np.random.default_rng(1))
    assert sorted(map(tuple, drawn)) == sorted(map(tuple, places))


def test_a_test_part_of_its_own_trains_nothing_and_the_other_folds_choose_for_it(features, labels):
    cells = pd.Series(["test" if row % 5 == 0 else str(row % 3) for row in range(N)])
    masks = tables.fold_masks(cells)
    tested = (cells == "test").to_numpy()
    train = ~tested
    penalties = [0.001, 0.1, 10.0]
    found = protocol.probe_out_of_fold(features, labels, masks, "logistic", penalties)
    folds = [((train & (cells != k)).to_numpy(), (cells == k).to_numpy()) for k in ("0", "1", "2")]
    assert all(
        np.array_equal(one, other)
        for mask, fold in zip(masks[1:], folds, strict=True)
        for one, other in zip(mask, fold, strict=True)
    )
    search = GridSearchCV(
        make_pipeline(StandardScaler(), LogisticRegression(tol=1e-8)),
        {"logisticregression__C": penalties},
        cv=[(np.flatnonzero(one[train]), np.flatnonzero(other[train])) for one, other in folds],
        scoring="neg_log_loss",
    ).fit(features[train], labels[train])
    assert found.fits[0].penalty == search.best_params_["logisticregression__C"]
    assert np.allclose(found.scores[tested, 0], search.decision_function(features[tested]), atol=1e-3)
