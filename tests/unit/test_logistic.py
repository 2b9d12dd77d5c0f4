"""The batched logistic solver against scikit-learn's own solution: shapes, classes, hostile features, many problems."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from linear_probing.solving import conjugate, logistic

NARROW, WIDE = (240, 20), (120, 300)
STRENGTHS = (1e-3, 0.1, 1.0)
FINE = 1e-6
EXACT = 1e-7
"""So near the solution that rounding, which decides in which step a fit ends, no longer shows."""


def drawn(n, d, seed=0):
    """Return features of a falling spectrum, log odds along one direction, and three training parts."""
    random = np.random.default_rng(seed)
    hidden = random.normal(size=(n, d)) / np.sqrt(np.arange(1, d + 1))
    features = hidden @ np.linalg.qr(random.normal(size=(d, d)))[0]
    odds = hidden @ random.normal(size=d)
    odds = 2.0 * odds / odds.std() + random.logistic(size=n)
    rows = np.stack([np.arange(n) % 4 != part for part in range(3)], axis=1)
    return features.astype(np.float32), odds, rows


def oracle(features, labels, strength):
    probe = LogisticRegression(C=strength, solver="newton-cholesky", tol=1e-10, max_iter=1000)
    if len(np.unique(labels)) > 2:
        probe = LogisticRegression(C=strength, solver="lbfgs", tol=1e-9, max_iter=10_000)
    return make_pipeline(StandardScaler(), probe).fit(features.astype(np.float64), labels)


def assert_agrees(features, labels, rows, strengths=STRENGTHS, atol=1e-3, tolerance=FINE):
    """Fit every part, labeling and C in one call; compare scores and scaling with the oracle's."""
    labels = labels.reshape(len(features), -1)
    n_classes = int(labels.max()) + 1
    problems = [(part, own, C) for part in range(rows.shape[1]) for own in range(labels.shape[1]) for C in strengths]
    fits = logistic.fit(logistic.scale_parts(features, rows), labels, problems, n_classes, tolerance)
    assert fits.converged.all()
    assert fits.values.dtype == np.float32
    for number, (part, labeling, strength) in enumerate(problems):
        train = rows[:, part]
        expected = oracle(features[train], labels[train, labeling], strength)
        decision = expected.decision_function(features.astype(np.float64)).reshape(len(features), -1)
        found = fits.values[:, number]
        # A constant added to all classes' logits changes no probability.
        found, decision = (
            each - each.mean(axis=1, keepdims=n_classes > 2) * (n_classes > 2) for each in (found, decision)
        )
        np.testing.assert_allclose(found, decision, atol=atol, rtol=atol, err_msg=f"{problems[number]}")
        known = expected[0].var_ > 0
        np.testing.assert_allclose(fits.mean[:, part], expected[0].mean_, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(fits.scale[known, part], expected[0].scale_[known], rtol=1e-4)
        assert (fits.coefficients[~known, number] == 0).all()
        rebuilt = (features - fits.mean[:, part]) / fits.scale[:, part] @ fits.coefficients[:, number]
        np.testing.assert_allclose(rebuilt + fits.intercepts[number], fits.values[:, number], atol=atol, rtol=atol)
    return fits


@pytest.mark.parametrize("shape", [NARROW, WIDE], ids=["narrow", "wide"])
def test_two_classes_are_solved_as_by_a_pipeline(shape):
    features, odds, rows = drawn(*shape)
    assert_agrees(features, (odds > 0).astype(int), rows)


@pytest.mark.parametrize("shape", [NARROW, WIDE], ids=["narrow", "wide"])
def test_five_classes_are_solved_as_by_a_pipeline(shape):
    features, odds, rows = drawn(*shape)
    assert_agrees(features, np.digitize(odds, np.quantile(odds, [0.2, 0.4, 0.6, 0.8])), rows)


@pytest.mark.parametrize("shape", [NARROW, WIDE], ids=["narrow", "wide"])
def test_massive_dimensions_cost_no_accuracy(shape):
    features, odds, rows = drawn(*shape)
    random = np.random.default_rng(1)
    features[:, 2] = 1000.0 + 300.0 * features[:, 2]
    features[:, 5] = 50.0 * (random.random(len(features)) < 0.3) + features[:, 5]
    features[:, 7] = 0.0
    features[[1, 6, 11], 7] = 1000.0  # in three rows, which not every part trains on
    assert_agrees(features, (odds > 0).astype(int), rows)


@pytest.mark.parametrize("shape", [NARROW, WIDE], ids=["narrow", "wide"])
def test_a_feature_that_is_constant_in_one_part_has_no_weight_there(shape):
    features, odds, rows = drawn(*shape)
    features[:, 3] = np.where(rows[:, 0], 0.25, features[:, 3])
    fits = assert_agrees(features, (odds > 0).astype(int), rows)
    assert (fits.coefficients[3, len(STRENGTHS) :] != 0).all()
    features[:, 4] = 7.0  # in all parts
    assert_agrees(features, (odds > 0).astype(int), rows)


@pytest.mark.parametrize("shape", [(400, 20), (200, 400)], ids=["narrow", "wide"])
def test_a_class_of_three_percent(shape):
    features, odds, rows = drawn(*shape)
    assert_agrees(features, (odds > np.quantile(odds, 0.97)).astype(int), rows)


@pytest.mark.parametrize("shape", [NARROW, WIDE], ids=["narrow", "wide"])
def test_separable_classes_under_a_weak_penalty(shape):
    features, _, rows = drawn(*shape)
    labels = (features[:, 0] > np.median(features[:, 0])).astype(int)
    problems = [(part, 0, 100.0) for part in range(3)]
    fits = logistic.fit(logistic.scale_parts(features, rows), labels[:, None], problems, 2, FINE)
    assert fits.converged.all()
    for part in range(3):
        expected = oracle(features[rows[:, part]], labels[rows[:, part]], 100.0)
        own, other = fits.coefficients[:, part, 0], expected[-1].coef_[0]
        assert own @ other / np.linalg.norm(own) / np.linalg.norm(other) > 0.9999
        decision = expected.decision_function(features.astype(np.float64))
        assert np.corrcoef(fits.values[:, part, 0], decision)[0, 1] > 0.9999
        assert ((fits.values[rows[:, part], part, 0] > 0) == labels[rows[:, part]]).all()


@pytest.mark.parametrize("shape", [NARROW, WIDE], ids=["narrow", "wide"])
def test_several_labelings_are_solved_at_once(shape):
    features, odds, rows = drawn(*shape)
    shuffled = np.random.default_rng(2).permutation(odds)
    assert_agrees(features, np.stack([odds > 0, shuffled > 0, odds > 1], axis=1).astype(int), rows)


def test_a_class_that_a_part_lacks_leaves_the_others_as_they_are():
    features, odds, rows = drawn(*NARROW)
    labels = np.digitize(odds, np.quantile(odds, [0.2, 0.4, 0.6, 0.8]))
    rows[:, 0] &= labels != 2
    known = [0, 1, 3, 4]
    fits = logistic.fit(logistic.scale_parts(features, rows), labels[:, None], [(0, 0, 0.1)], 5, FINE)
    expected = oracle(features[rows[:, 0]], labels[rows[:, 0]], 0.1).predict_proba(features.astype(np.float64))
    found = logistic.probabilities(fits.values)[:, 0]
    np.testing.assert_allclose(found[:, known], expected, atol=2e-3)
    assert found[:, 2].max() < 1e-3


@pytest.mark.parametrize("n_classes", [2, 3])
def test_chunks_of_problems_are_solved_as_one(n_classes, monkeypatch):
    features, odds, rows = drawn(*WIDE)
    labels = np.digitize(odds, [0.0, 1.0][: n_classes - 1])[:, None]
    problems = [(part, 0, C) for C in STRENGTHS for part in range(3)]
    scaled = logistic.scale_parts(features, rows)
    whole = logistic.fit(scaled, labels, problems, n_classes, FINE)
    monkeypatch.setattr(logistic, "COLUMNS", 4 * (1 if n_classes == 2 else n_classes))
    parts = logistic.fit(scaled, labels, problems, n_classes, FINE)
    assert parts.values.shape == whole.values.shape
    np.testing.assert_allclose(parts.values, whole.values, atol=2e-3)
    np.testing.assert_allclose(parts.coefficients, whole.coefficients, atol=1e-3)
    assert parts.converged.all()
    assert len(parts.n_iterations) == len(problems)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("shape", [NARROW, WIDE], ids=["narrow", "wide"])
def test_torch_solves_as_numpy(shape, n_classes):
    features, odds, rows = drawn(*shape)
    labels = np.digitize(odds, [0.0, 1.0][: n_classes - 1])[:, None]
    problems = [(part, 0, C) for C in STRENGTHS for part in range(3)]
    found, expected = (
        logistic.fit(logistic.scale_parts(features, rows, device), labels, problems, n_classes, EXACT)
        for device in ("torch", "cpu")
    )
    assert found.converged.all()
    np.testing.assert_allclose(found.values, expected.values, atol=1e-4, rtol=1e-4)
    default = logistic.fit(logistic.scale_parts(features, rows, "torch"), labels, problems, n_classes)
    assert np.isfinite(default.values).all()


def test_a_looser_tolerance_stops_earlier():
    features, odds, rows = drawn(*NARROW)
    scaled, labels = logistic.scale_parts(features, rows), (odds > 0).astype(int)[:, None]
    loose, fine = (logistic.fit(scaled, labels, [(0, 0, 1.0)], 2, tolerance) for tolerance in (1e-1, FINE))
    assert loose.n_iterations[0] < fine.n_iterations[0]


def test_what_is_not_solved_is_said(monkeypatch):
    monkeypatch.setattr(conjugate, "MAX_ITERATIONS", 1)
    features, odds, rows = drawn(*NARROW)
    scaled, labels = logistic.scale_parts(features, rows), (odds > 0).astype(int)[:, None]
    fits = logistic.fit(scaled, labels, [(0, 0, 100.0)], 2, FINE)
    assert not fits.converged.any()
    assert np.isfinite(fits.values).all()


@pytest.mark.parametrize("shape", [NARROW, pytest.param(WIDE, marks=pytest.mark.slow)], ids=["narrow", "wide"])
def test_problems_too_large_to_be_solved_together_are_solved_alone_from_what_is_known(shape, monkeypatch):
    monkeypatch.setattr(logistic, "CELLS", 1)
    monkeypatch.setattr(logistic, "LARGE", 1)
    features, odds, rows = drawn(*shape)
    rows[:20] = False  # as a test part
    labels = np.digitize(odds, np.quantile(odds, [0.2, 0.4, 0.6, 0.8]))
    assert_agrees(features, labels, rows)
    scaled, problems = logistic.scale_parts(features, rows), [(part, 0, 0.1) for part in range(3)]
    near = logistic.fit(scaled, labels[:, None], problems, 5)
    cold, warm = (
        logistic.fit(scaled, labels[:, None], problems, 5, logistic.TIGHT, known) for known in (None, (problems, near))
    )
    assert warm.n_iterations[0] < cold.n_iterations[0]
    np.testing.assert_allclose(warm.values, cold.values, atol=1e-3)


def test_a_large_problem_of_a_class_that_does_not_train_lowers_it(monkeypatch):
    monkeypatch.setattr(logistic, "CELLS", 1)
    features, odds, rows = drawn(*NARROW)
    labels = np.digitize(odds, [-1.0, 1.0])
    rows[:, 0] &= labels != 2
    fits = logistic.fit(logistic.scale_parts(features, rows), labels[:, None], [(0, 0, 0.1), (0, 0, 1.0)], 3, FINE)
    assert (fits.values.argmax(axis=2) != 2).all()
    assert fits.converged.all()
