"""The permutation test: what is permuted, the score of each labeling by other means, p-values on known truth."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from linear_probing import tables
from linear_probing.estimation.metrics import evaluate
from linear_probing.estimation.scoring import Sample
from linear_probing.probing import labelings, permutations, protocol
from linear_probing.probing.permutations import PermutationError, null_scores

N_FOLDS = 4


def generator(seed=0):
    return np.random.default_rng(seed)


def masks_of(groups):
    return tables.fold_masks(pd.Series((groups % N_FOLDS).astype(str)))


def test_labels_constant_in_a_group_move_between_groups_whole():
    groups = np.array([0, 0, 0, 1, 2, 2, 3, 3])
    labels = np.array([5, 5, 5, 6, 7, 7, 8, 8])
    seen = set()
    for row in permutations.permutations(labels, groups, 200, generator()):
        moved = labels[row]
        by_group = [moved[groups == group] for group in range(4)]
        assert all(len(set(found)) == 1 for found in by_group)
        assert sorted(found[0] for found in by_group) == [5, 6, 7, 8]
        seen.add(tuple(found[0] for found in by_group))
    assert len(seen) == 24, "all orders of four groups"


def test_labels_that_vary_move_within_their_group_and_never_to_constant_groups():
    groups = np.array(["b", "a", "b", "c", "a", "d", "c", "b"])
    labels = np.array([0, 1, 1, 3, 1, 2, 3, 0])  # a, c and d are constant: 1, 3 and 2; b holds 0, 1, 0
    seen = set()
    for row in permutations.permutations(labels, groups, 300, generator()):
        moved = labels[row]
        assert sorted(moved[groups == "b"]) == [0, 0, 1]
        constant = [set(moved[groups == group]) for group in "acd"]
        assert sorted(min(found) for found in constant) == [1, 2, 3]
        assert all(len(found) == 1 for found in constant)
        seen.add(tuple(moved))
    assert len(seen) == 3 * 6


def test_labels_of_groups_stay_in_their_fold():
    """Six classes, each in every fold once: a permutation keeps that, so folds stay as even as they were dealt."""
    groups = np.repeat(np.arange(30), 2)
    labels, folds = groups % 6, groups // 6
    rows = permutations.permutations(labels, groups, 50, np.random.default_rng(0), folds)
    for moved in labels[rows]:
        assert all(np.array_equal(np.bincount(moved[folds == fold]), [2] * 6) for fold in range(5))
    assert len({tuple(moved) for moved in labels[rows]}) == 50
    across = permutations.permutations(labels, groups, 50, np.random.default_rng(0))
    assert any((np.bincount(moved[folds == 0], minlength=6) != 2).any() for moved in labels[across])


def test_labels_that_are_equal_in_every_fold_cannot_be_permuted():
    labels, random = np.array([0, 0, 1, 1]), np.random.default_rng(0)
    with pytest.raises(permutations.PermutationError, match="4 groups cannot be permuted"):
        permutations.permutations(labels, np.arange(4), 9, random, folds=labels)


def test_positions_move_as_rows_and_the_draw_is_the_generators():
    places = generator(1).normal(size=(6, 3)).repeat(2, axis=0)
    groups = np.arange(6).repeat(2)
    moved = permutations.permute(places, groups, generator(4))
    assert {tuple(place) for place in moved} == {tuple(place) for place in places}
    assert not np.array_equal(moved, places)
    assert np.array_equal(moved[0::2], moved[1::2])
    assert np.array_equal(moved, places[permutations.permutations(places, groups, 1, generator(4))[0]])


def test_labels_that_no_permutation_changes_are_an_error():
    with pytest.raises(PermutationError, match=r"(?s)labels of 3 groups.*do:     test a label that varies"):
        permutations.permutations(np.zeros(6, int), np.arange(6) // 2, 10, generator())


def test_areas_are_those_of_evaluate_ties_included():
    random = generator(2)
    scores = random.normal(size=(40, 50)).round(1).astype(np.float32)  # ties, and both zeros
    scores[0] = 0.25
    labels = random.random((40, 50)) < 0.4
    labels[1] = True
    found = labelings.auroc(scores, labels)
    expected = [
        by_evaluate("auroc", one[:, None], truth.astype(int)) for one, truth in zip(scores, labels, strict=True)
    ]
    assert (scores == 0).any()
    assert np.signbit(scores[scores == 0]).any()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14)
    assert found[0] == 0.5, "all tied: exactly one half"
    assert np.isnan(found[1])


def by_evaluate(metric, scores, labels, folds=None):
    folds = np.zeros(len(labels), int) if folds is None else folds
    sample = Sample(labels, folds, np.arange(len(labels)), np.ones((1, len(labels))))
    return evaluate(metric, scores, sample)[0]


def test_macro_f1_is_that_of_evaluate_classes_that_do_not_occur_included():
    random = generator(3)
    scores = random.normal(size=(30, 25, 5)).round(1)
    labels = random.integers(0, 4, size=(30, 25))
    found = labelings.macro_f1(scores.argmax(axis=-1), labels, 5)
    expected = [by_evaluate("macro_f1", one, truth) for one, truth in zip(scores, labels, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14)


def test_r2_is_that_of_evaluate():
    random = generator(4)
    labels = random.normal(size=(20, 3, 30)).astype(np.float32)
    scores = (labels + random.normal(size=labels.shape)).astype(np.float32)
    parts = [np.ones(30, bool), np.arange(30) < 7]
    errors, variation = (
        f(*given, parts)
        for f, given in ((labelings.squared_errors, (scores, labels)), (labelings.variations, (labels,)))
    )
    for place, part in enumerate(parts):
        expected = [by_evaluate("r2", s.T[part], y.T[part]) for s, y in zip(scores, labels, strict=True)]
        # The unexplained share: R² is 1 less it, and where that is near 0, one rounding is all of its digits.
        unexplained = 1.0 - labelings.r2(errors[place], variation[place])
        np.testing.assert_allclose(unexplained, 1.0 - np.array(expected), rtol=1e-12)


def case(metric, n_classes=3, d=6, n_groups=40):
    """Return features, labels, groups, masks and parts; some rows are tested in no fold."""
    random = generator(6)
    groups = np.arange(n_groups).repeat(3)
    features = random.normal(size=(len(groups), d)).astype(np.float32)
    features[10:20] = features[0]
    if metric == "auroc":
        labels = (features[:, 0] + random.normal(size=len(groups)) > 0.3).astype(int)
    elif metric == "macro_f1":
        labels = random.permutation(np.arange(n_groups) % n_classes)[groups]
    else:
        labels = features[:, :3] + random.normal(size=(len(groups), 3)) + 3.0
    masks = [(train, tested & (np.arange(len(groups)) % 11 > 0)) for train, tested in masks_of(groups)]
    return features, labels, groups, masks, {"all": np.ones(len(groups), bool), "few": groups < 9}


@pytest.mark.parametrize("d", [6, 150])
@pytest.mark.parametrize(("metric", "probe"), [("auroc", "ridge"), ("r2", "ridge"), ("macro_f1", "ridge_classifier")])
def test_every_labeling_is_scored_as_the_protocol_scores_its_labels(metric, probe, d, monkeypatch):
    features, labels, groups, masks, parts = case(metric, d=d)
    rows = permutations.permutations(labels, groups, 6, generator())
    monkeypatch.setattr(permutations, "CACHED_BYTES", 20_000)  # several chunks
    monkeypatch.setattr(permutations, "LARGE_BYTES", 20_000)
    found = null_scores(features, labels, masks, metric, [1.0, 30.0, 900.0], rows, parts)
    folds = np.full(len(labels), -1)
    for fold, (_, tested) in enumerate(masks):
        folds[tested] = fold
    for place, row in enumerate([np.arange(len(labels)), *rows]):
        drawn = labels[row]
        given = 2.0 * drawn[:, None] - 1.0 if metric == "auroc" else drawn
        scores = protocol.probe_out_of_fold(features.astype(float), given, masks, probe, [1.0, 30.0, 900.0]).scores
        for name, part in parts.items():
            kept = part & (folds >= 0)
            expected = by_evaluate(metric, scores[kept].astype(float), drawn[kept], folds[kept])
            assert found[name][place] == pytest.approx(expected, abs=2e-5)


def test_many_classes_are_scored_at_the_middle_penalty():
    features, labels, groups, masks, parts = case("macro_f1", n_classes=21, n_groups=80)
    rows = permutations.permutations(labels, groups, 2, generator())
    found = null_scores(features, labels, masks, "macro_f1", [1.0, 30.0, 900.0], rows, parts)
    for place, row in enumerate([np.arange(len(labels)), *rows]):
        codes, predicted = np.eye(21)[labels[row]], np.full(len(labels), -1)
        for train, tested in masks:
            probe = make_pipeline(StandardScaler(), Ridge(alpha=30.0)).fit(features[train].astype(float), codes[train])
            predicted[tested] = probe.predict(features[tested].astype(float)).argmax(axis=1)
        kept = predicted >= 0
        expected = by_evaluate("macro_f1", np.eye(21)[predicted[kept]], labels[row][kept])
        assert found["all"][place] == pytest.approx(expected, abs=1e-9)


def test_a_larger_score_means_class_1():
    features, _, groups, masks, parts = case("auroc")
    labels = (features[:, 0] > 0).astype(int)
    rows = permutations.permutations(labels, groups, 3, generator())
    assert null_scores(features, labels, masks, "auroc", [1.0], rows, parts)["all"][0] > 0.95


@pytest.mark.parametrize("d", [4, 200])
def test_equal_states_score_exactly_one_half_under_every_labeling(d):
    _, labels, groups, masks, parts = case("auroc")
    rows = permutations.permutations(labels, groups, 20, generator())
    states = np.full((len(labels), d), 0.1, np.float32)
    found = null_scores(states, labels, masks, "auroc", [1.0, 30.0], rows, parts)
    assert (found["all"] == 0.5).all()


def test_a_part_without_a_tested_target_is_not_a_number():
    for metric in ("auroc", "r2", "macro_f1"):
        features, labels, groups, masks, _ = case(metric)
        rows = permutations.permutations(labels, groups, 2, generator())
        found = null_scores(features, labels, masks, metric, [1.0], rows, {"none": np.zeros(len(labels), bool)})
        assert np.isnan(found["none"]).all()


def p_value(scores):
    return (1 + (scores[1:] >= scores[0]).sum()) / len(scores)


def simulated(labels_of, signal, seed, metric="auroc", n_permutations=99, between_rows=False):
    """Return the p-value of one small study; states of a group are alike, as sentences about one city are."""
    random = generator([9, seed])
    groups = np.arange(24).repeat(4)
    labels = labels_of(random, groups)
    features = 2.0 * random.normal(size=(24, 5))[groups] + random.normal(size=(len(groups), 5))
    features[:, 0] += signal * (labels if labels.ndim == 1 else labels[:, 0])
    permuted = np.arange(len(groups)) if between_rows else groups
    rows = permutations.permutations(labels, permuted, n_permutations, random)
    parts = {"all": np.ones(len(groups), bool)}
    return p_value(null_scores(features, labels, masks_of(groups), metric, [3.0, 300.0], rows, parts)["all"])


def constant(random, groups):
    return random.permutation(np.arange(24) % 2)[groups]


def varying(random, groups):
    return random.random(len(groups)).argsort().argsort() % 2


def both(random, groups):
    return np.where(groups < 12, constant(random, groups), varying(random, groups))


def of_three(random, groups):
    return random.permutation(np.arange(24) % 3)[groups]


def places(random, groups):
    return random.normal(size=(24, 2))[groups]


@pytest.mark.parametrize(
    ("labels_of", "metric"),
    [
        pytest.param(constant, "auroc", marks=pytest.mark.slow),
        pytest.param(varying, "auroc", marks=pytest.mark.slow),
        (both, "auroc"),
        (of_three, "macro_f1"),
        (places, "r2"),
    ],
)
def test_p_values_are_uniform_under_noise(labels_of, metric):
    found = [simulated(labels_of, 0.0, seed, metric) for seed in range(200)]
    assert kstest(found, "uniform").pvalue > 0.001
    assert np.mean(np.array(found) <= 0.05) <= 0.1


def test_permuting_rows_of_correlated_groups_would_find_what_is_not_there():
    """The test above can fail: with rows in place of groups, noise is called a finding far too often."""
    found = [simulated(constant, 0.0, seed, between_rows=True) for seed in range(200)]
    assert kstest(found, "uniform").pvalue < 0.001


@pytest.mark.parametrize(
    ("labels_of", "metric"), [(constant, "auroc"), (varying, "auroc"), (of_three, "macro_f1"), (places, "r2")]
)
def test_a_signal_has_the_least_possible_p(labels_of, metric):
    assert simulated(labels_of, 12.0, 0, metric) == 1 / 100
