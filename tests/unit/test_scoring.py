"""Metrics under weights against values by hand, against scikit-learn, and intervals against a known truth."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, r2_score, roc_auc_score

from linear_probing.estimation.estimates import assemble, best_layers, interval, most_frequent
from linear_probing.estimation.places import degrees, distance_km
from linear_probing.estimation.scoring import Sample, cluster_weights, evaluate


def sample(labels, folds=None, clusters=None, weights=None):
    n = len(labels)
    clusters = np.arange(n) if clusters is None else np.asarray(clusters)
    weights = np.ones((1, clusters.max() + 1)) if weights is None else np.asarray(weights, float)
    return Sample(np.asarray(labels), np.zeros(n, int) if folds is None else np.asarray(folds), clusters, weights)


def column(values):
    return np.asarray(values, float)[:, None]


def test_auroc_by_hand():
    # Positives .8 and .4 against negatives .6 and .4: wins 2, then 0 and a tie: 2.5 of 4.
    assert evaluate("auroc", column([0.8, 0.4, 0.6, 0.4]), sample([1, 1, 0, 0]))[0] == pytest.approx(2.5 / 4)


def test_auroc_is_averaged_within_folds_never_pooled():
    # Each fold is perfect, but the second is shifted far up: pooled, it would be 3/4.
    scores, labels = column([0, 1, 10, 11]), [0, 1, 0, 1]
    assert evaluate("auroc", scores, sample(labels, folds=[0, 0, 1, 1]))[0] == 1.0
    assert evaluate("auroc", scores, sample(labels))[0] == 0.75


def test_a_fold_with_one_class_is_left_out_and_none_is_nan():
    assert evaluate("auroc", column([0, 1, 5]), sample([0, 1, 1], folds=[0, 0, 1]))[0] == 1.0
    assert np.isnan(evaluate("auroc", column([0, 1]), sample([1, 1]))[0])


def test_weights_equal_repeated_rows():
    random = np.random.default_rng(0)
    labels, scores, times = random.integers(0, 2, 40), column(random.normal(size=40)), random.integers(0, 4, 40)
    repeated = np.repeat(np.arange(40), times)
    weighted = evaluate("auroc", scores, sample(labels, weights=[times]))[0]
    assert weighted == pytest.approx(roc_auc_score(labels[repeated], scores[repeated, 0]))


def test_metrics_equal_those_of_scikit_learn():
    random = np.random.default_rng(1)
    places, predicted = random.normal(size=(50, 3)), random.normal(size=(50, 3))
    assert evaluate("r2", predicted, sample(places))[0] == pytest.approx(r2_score(places, predicted))
    classes, decided = random.integers(0, 4, 50), random.normal(size=(50, 5))
    expected = f1_score(classes, decided.argmax(axis=1), average="macro", labels=np.unique(classes))
    assert evaluate("macro_f1", decided, sample(classes))[0] == pytest.approx(expected)


@pytest.mark.parametrize(("metric", "n_outputs"), [("r2", 3), ("macro_f1", 4)])
def test_clusters_are_drawn_whole(metric, n_outputs):
    random = np.random.default_rng(2)
    clusters = np.repeat(np.arange(10), 3)
    labels = random.normal(size=(30, 3)) if metric == "r2" else random.integers(0, 4, 30)
    scores, times = random.normal(size=(30, n_outputs)), random.integers(0, 3, 10)
    rows = np.repeat(np.arange(30), times[clusters])
    weighted = evaluate(metric, scores, sample(labels, clusters=clusters, weights=[times]))[0]
    assert weighted == pytest.approx(evaluate(metric, scores[rows], sample(labels[rows]))[0])


def test_the_first_weights_are_the_sample_and_each_resample_draws_as_many_clusters():
    weights = cluster_weights(12, 50, np.random.default_rng(0))
    assert (weights[0] == 1).all()
    assert (weights.sum(axis=1) == 12).all()


def test_intervals_of_r2_cover_the_truth_under_clusters():
    # Scores equal the truth plus noise shared within clusters; the population's R2 is 1 - .5 / 1.
    random = np.random.default_rng(3)
    clusters, covered = np.repeat(np.arange(60), 4), []
    for _ in range(200):
        labels = np.repeat(random.normal(size=60), 4)[:, None]
        scores = labels + np.repeat(random.normal(size=60), 4)[:, None] * np.sqrt(0.5)
        weights = cluster_weights(60, 200, random)
        found = interval(evaluate("r2", scores, sample(labels, clusters=clusters, weights=weights)), 0.9)
        covered.append(found.lower <= 0.5 <= found.upper)
    assert 0.83 <= np.mean(covered) <= 0.95


def test_an_interval_of_mostly_undefined_resamples_is_undefined():
    found = interval(np.array([0.5, np.nan, np.nan, 0.4]), 0.9)
    assert found.estimate == 0.5
    assert np.isnan(found.lower)


def test_a_layer_is_chosen_on_other_folds_than_it_is_scored_on():
    labels, folds = np.tile([0, 1], 6), np.repeat([0, 1, 2], 4)
    right, wrong = column(labels), column(1 - labels)
    # Layer 1 is perfect in fold 0 and wrong elsewhere, layer 2 the reverse: fold 0 must get layer 2.
    first = np.where(folds[:, None] == 0, right, wrong)
    second = np.where(folds[:, None] == 0, wrong, right)
    chosen = best_layers("auroc", {1: first, 2: second}, sample(labels, folds=folds))
    assert chosen[0] == 2
    assert (assemble({1: first, 2: second}, chosen, sample(labels, folds=folds))[:4] == second[:4]).all()


def test_equal_layers_give_the_lowest():
    labels, folds = np.tile([0, 1], 6), np.repeat([0, 1, 2], 4)
    assert set(best_layers("auroc", {3: column(labels), 5: column(labels)}, sample(labels, folds=folds)).values()) == {
        3
    }
    assert most_frequent([4, 2, 4, 2, 6]) == 2


def test_degrees_and_distances():
    london, quito = np.array([[0.623, 0.0, 0.783]]), np.array([[0.2, -0.98, 0.0]])
    assert [round(float(v[0]), 1) for v in degrees(london)] == [0.0, 51.5]
    assert [round(float(v[0]), 1) for v in degrees(5.0 * quito)] == [-78.5, 0.0]
    assert distance_km(np.array([[1.0, 0, 0]]), np.array([[0, 0, 2.0]]))[0] == pytest.approx(6371 * np.pi / 2)
