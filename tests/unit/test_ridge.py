"""Ridge of many labelings against a loop of scikit-learn pipelines: scores, chosen penalties, hostile features."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from linear_probing import tables
from linear_probing.solving import parts, ridge
from linear_probing.solving.parts import RidgeError

ALPHAS = (3000.0, 30.0, 1.0)


def fitted(features, targets, alpha):
    return make_pipeline(StandardScaler(), Ridge(alpha=alpha)).fit(features.astype(float), targets)


def predicted(estimator, features, n_columns):
    return estimator.predict(features.astype(float)).reshape(-1, n_columns)


def oracle(features, targets, masks, alphas, columns):
    """Return scores and penalties by the protocol's words: a loop over folds, inner folds, penalties and labelings."""
    alphas, n_columns = sorted(alphas, reverse=True), targets.shape[1]
    scores = np.full(targets.shape, np.nan)
    chosen = np.zeros((len(masks), n_columns // columns))
    for outer, (train, tested) in enumerate(masks):
        losses = np.zeros((len(alphas), n_columns // columns))
        for inner, (inner_train, held_out) in enumerate(masks):
            part = train & inner_train
            for place, alpha in enumerate(alphas if inner != outer and held_out.any() else []):
                missed = predicted(fitted(features[part], targets[part], alpha), features[held_out], n_columns)
                losses[place] += ((missed - targets[held_out]) ** 2).reshape(held_out.sum(), -1, columns).sum((0, 2))
        chosen[outer] = np.array(alphas)[losses.argmin(axis=0)]
        for alpha in alphas if tested.any() else []:
            mine = np.repeat(chosen[outer] == alpha, columns)
            found = predicted(fitted(features[train], targets[train], alpha), features[tested], n_columns)
            scores[np.ix_(tested, mine)] = found[:, mine]
    return scores, chosen


def drawn(n, d, n_columns=12, seed=0):
    random = np.random.default_rng(seed)
    features = random.normal(size=(n, d))
    strength = np.repeat(np.linspace(0, 2, n_columns // 3), 3)
    targets = random.normal(size=(n, n_columns)) + strength * features[:, :1]
    return features.astype(np.float32), targets


def plain(n):
    return tables.fold_masks(pd.Series([str(row % 4) for row in range(n)]))


def pairs(n):
    """Return masks of rows of two numbers: some neither train nor are tested in a fold."""
    random = np.random.default_rng(5)
    cells = [sorted({str(one), str(other)}) for one, other in random.integers(0, 4, size=(n, 2))]
    return tables.fold_masks(pd.Series(["|".join(cell) for cell in cells]))


def one_untested(n):
    masks = plain(n)
    return [*masks[:-1], (masks[-1][0], np.zeros(n, bool))]


@pytest.mark.parametrize(
    ("n", "d", "kept"), [(240, 12, 513), (240, 12, 0), (100, 130, 0)], ids=["primal", "wide primal", "dual"]
)
@pytest.mark.parametrize("masks_of", [plain, pairs, one_untested])
@pytest.mark.parametrize(("precision", "tolerance"), [(np.float64, 2e-6), (np.float32, 1e-4)])
def test_scores_and_penalties_are_those_of_a_loop_of_pipelines(n, d, kept, masks_of, precision, tolerance, monkeypatch):
    monkeypatch.setattr(parts, "KEPT", kept)
    features, targets = drawn(n, d)
    masks = masks_of(n)
    found = ridge.ridge_out_of_fold(features, targets, masks, ALPHAS, 3, precision)
    scores, chosen = oracle(features, targets, masks, ALPHAS, 3)
    assert np.array_equal(found.chosen, chosen)
    assert len(np.unique(chosen)) > 1, "the case must show that the penalty is chosen per labeling"
    np.testing.assert_allclose(found.scores, scores, atol=tolerance)


@pytest.mark.parametrize(("n", "d"), [(240, 12), (100, 130)], ids=["primal", "dual"])
def test_hostile_features_cost_no_accuracy(n, d):
    features, targets = drawn(n, d, seed=1)
    features[:, 1] += 1000  # a massive dimension
    features[:, 2] *= 1e4
    features[:, 4] = 5  # a constant
    features[:, 5] = 3  # constant in all training parts but those with row 0
    features[0, 5] = 4
    features[7, 3] = 1000  # one outlying row
    masks = plain(n)
    found = ridge.ridge_out_of_fold(features, targets, masks, ALPHAS, 3)
    scores, chosen = oracle(features, targets, masks, ALPHAS, 3)
    assert np.array_equal(found.chosen, chosen)
    np.testing.assert_allclose(found.scores, scores, atol=3e-5)


def test_labels_of_a_large_mean_keep_their_digits():
    features, targets = drawn(240, 12)
    near = ridge.ridge_out_of_fold(features, targets, plain(240), ALPHAS, 3)
    far = ridge.ridge_out_of_fold(features, targets + 1e5, plain(240), ALPHAS, 3)
    assert np.array_equal(near.chosen, far.chosen)
    np.testing.assert_allclose(far.scores, near.scores + 1e5, atol=0.01)  # float32 at 1e5 knows .008


@pytest.mark.parametrize("d", [3, 200])
def test_equal_states_get_equal_scores_and_the_strongest_of_equal_penalties(d):
    random = np.random.default_rng(2)
    states = np.repeat(random.normal(size=(3, d)), 40, axis=0)[random.permutation(120)]
    targets = random.normal(size=(120, 1))
    masks = plain(120)
    found = ridge.ridge_out_of_fold(states, targets, masks, ALPHAS, 1, np.float32)
    for _, tested in masks:
        assert len(np.unique(found.scores[tested])) <= 3
    alike = ridge.ridge_out_of_fold(np.full((120, d), 0.1), targets, masks, ALPHAS, 1, np.float32)
    assert (alike.chosen == 3000.0).all()
    for train, tested in masks:
        assert len(np.unique(alike.scores[tested])) == 1
        assert alike.scores[tested][0] == pytest.approx(targets[train].mean(), abs=1e-6)


@pytest.mark.parametrize("d", [9, 90])
def test_class_indices_are_solved_as_their_codes(d):
    features, _ = drawn(80, d)
    labels = np.random.default_rng(3).integers(0, 4, size=(6, 80))
    labels[:3] = features[:, 0] > 0
    prepared = parts.Features(features, plain(80), np.float64)
    losses, folds = ridge.solve(prepared, parts.Classes(labels, 4), ALPHAS, 4)
    codes = 2.0 * np.eye(4)[labels].transpose(1, 0, 2).reshape(80, 24) - 1.0
    scores, expected = oracle(features, codes, plain(80), ALPHAS, 4)
    assert np.array_equal(np.array(sorted(ALPHAS, reverse=True))[losses.argmin(axis=1)], expected)
    for tested in folds:
        np.testing.assert_allclose(2.0 * tested.scores.T - 1.0, scores[tested.rows], atol=2e-6)


@pytest.mark.parametrize("d", [8, 80])
def test_directions_predict_as_a_pipeline_from_raw_features(d):
    features, targets = drawn(60, d)
    features[:, 1] += 1000
    coefficients, intercept = ridge.fit_ridge(features, targets, 10.0)
    expected = predicted(fitted(features, targets, 10.0), features, 12)
    np.testing.assert_allclose(features.astype(float) @ coefficients + intercept, expected, atol=1e-5)


def test_a_part_is_scored_by_nothing_that_it_holds():
    features, targets = drawn(240, 12)
    masks = plain(240)
    before = ridge.ridge_out_of_fold(features, targets, masks, ALPHAS, 3)
    tested = masks[1][1]
    after = ridge.ridge_out_of_fold(features, np.where(tested[:, None], -targets, targets), masks, ALPHAS, 3)
    # The labels' mean over all rows is taken off first, and comes back: the scores agree to rounding.
    np.testing.assert_allclose(before.scores[tested], after.scores[tested], atol=1e-6)
    assert abs(before.scores[~tested] - after.scores[~tested]).max() > 0.01


@pytest.mark.parametrize(
    ("spoil", "alphas", "n_folds", "message"),
    [
        (np.nan, ALPHAS, 4, r"(?s)NaN or infinite.*do:     extract the states in a wider dtype"),
        (0.0, (1.0, 0.0), 4, r"(?s)each above 0.*do:     correct the penalties"),
        (0.0, ALPHAS, 2, r"(?s)holds no rows.*do:     use at least 3 folds, or one penalty"),
    ],
)
@pytest.mark.parametrize("d", [12, 130])
def test_bad_input_is_an_error(d, spoil, alphas, n_folds, message):
    features, targets = drawn(100, d)
    features[3, 2] += spoil
    masks = tables.fold_masks(pd.Series([str(row % n_folds) for row in range(100)]))
    with pytest.raises(RidgeError, match=message):
        ridge.ridge_out_of_fold(features, targets, masks, alphas, 3)


@pytest.mark.parametrize("d", [20, 200])
def test_a_penalty_below_the_rounding_of_repeated_features_is_refused(d):
    features = np.repeat(np.random.default_rng(0).normal(size=(60, d // 2)), 2, axis=1).astype(np.float32)
    if d > 60:
        features[30:] = features[:30]
    labels = np.sign(features[:, :1])
    with pytest.raises(parts.RidgeError, match=r"(?s)no solution .* at alpha 1e-18.*do:     use penalties"):
        ridge.ridge_out_of_fold(features, labels, plain(60), [1e-18], 1)
