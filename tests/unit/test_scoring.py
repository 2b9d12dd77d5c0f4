"""Metrics under weights against values by hand, against scikit-learn, and intervals against a known truth."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import balanced_accuracy_score, brier_score_loss, f1_score, log_loss, r2_score, roc_auc_score

from linear_probing.estimation.estimates import assemble, best_layers, most_frequent
from linear_probing.estimation.intervals import interval, interval_of, tail
from linear_probing.estimation.metrics import METRICS, evaluate
from linear_probing.estimation.places import degrees, distance_km
from linear_probing.estimation.scoring import Pairing, Sample, cluster_weights, draw


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


def scored(metric, n_targets, random):
    """Return labels and scores of the kind that a metric takes; scores tie with each other, labels do too."""
    if metric in ("r2", "spearman", "median_km"):
        return random.normal(size=(n_targets, 3)).round(1), random.normal(size=(n_targets, 3)).round(1)
    n_classes, n_outputs = (2, 1) if metric == "auroc" else (4, 4)
    return random.integers(0, n_classes, n_targets), random.normal(size=(n_targets, n_outputs)).round(1)


@pytest.mark.parametrize("metric", METRICS)
def test_clusters_are_drawn_whole(metric):
    random = np.random.default_rng(2)
    clusters = np.repeat(np.arange(10), 3)
    labels, scores = scored(metric, 30, random)
    times = random.integers(0, 3, 10)
    rows = np.repeat(np.arange(30), times[clusters])
    weighted = evaluate(metric, scores, sample(labels, clusters=clusters, weights=[np.ones(10), times]))[1]
    assert weighted == pytest.approx(evaluate(metric, scores[rows], sample(labels[rows]))[0])


def test_an_area_is_the_same_where_weights_outgrow_float32():
    random = np.random.default_rng(3)
    labels, scores, times = random.integers(0, 2, 40), column(random.normal(size=40)), random.integers(0, 4, 40)
    small, great = sample(labels, weights=[times]), sample(labels, weights=[times * 1000])
    assert Pairing.of(small, small.folds == 0).of_positives.dtype == np.float32
    assert Pairing.of(great, great.folds == 0).of_positives.dtype == np.float64
    assert evaluate("auroc", scores, small)[0] == pytest.approx(evaluate("auroc", scores, great)[0], abs=1e-12)


def test_metrics_of_decisions_and_probabilities_equal_those_of_scikit_learn():
    random = np.random.default_rng(4)
    labels, odds = random.integers(0, 2, 60), random.normal(size=60)
    probability, names = 1 / (1 + np.exp(-odds)), ("balanced_accuracy", "log_loss", "brier")
    found = {metric: evaluate(metric, column(odds), sample(labels))[0] for metric in names}
    assert found["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(labels, odds > 0))
    assert found["log_loss"] == pytest.approx(log_loss(labels, probability))
    assert found["brier"] == pytest.approx(brier_score_loss(labels, probability))


def test_metrics_of_several_classes_equal_those_of_scikit_learn():
    random = np.random.default_rng(5)
    labels, logits = random.integers(0, 3, 60), random.normal(size=(60, 3))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    names = ("balanced_accuracy", "log_loss", "brier")
    found = {metric: evaluate(metric, logits, sample(labels))[0] for metric in names}
    assert found["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(labels, logits.argmax(axis=1)))
    assert found["log_loss"] == pytest.approx(log_loss(labels, probabilities))
    assert found["brier"] == pytest.approx(((probabilities - np.eye(3)[labels]) ** 2).sum(axis=1).mean())


def test_certain_and_wrong_is_a_great_loss_and_no_infinity():
    assert evaluate("log_loss", column([800.0]), sample([0]))[0] == pytest.approx(800.0)


def test_calibration_error_by_hand():
    # .15 twice, once of class 1: .35 apart. .95 twice, both of class 1: .05 apart. Half of the targets in each bin.
    odds = np.log(np.array([0.15, 0.15, 0.95, 0.95]) / np.array([0.85, 0.85, 0.05, 0.05]))
    labels = sample([1, 0, 1, 1])
    assert evaluate("calibration_error", column(odds), labels)[0] == pytest.approx((0.35 + 0.05) / 2)
    # Two columns say the same as one; the predicted class of the first two is 0, at .85, and right once.
    both = np.stack([np.zeros(4), odds], axis=1)
    assert evaluate("calibration_error", both, labels)[0] == pytest.approx((0.35 + 0.05) / 2)


def test_rank_correlation_equals_that_of_scipy():
    random = np.random.default_rng(6)
    labels, scores = scored("spearman", 50, random)
    expected = np.mean([spearmanr(labels[:, axis], scores[:, axis])[0] for axis in range(3)])
    assert evaluate("spearman", scores, sample(labels))[0] == pytest.approx(expected)


def test_median_error_by_hand():
    # On the equator: a quarter of the globe off, then none, then half of it.
    true = np.array([[1.0, 0, 0]] * 4)
    predicted = np.array([[0, 2.0, 0], [1, 0, 0], [-1, 0, 0], [-3, 0, 0]])
    quarter = 6371 * np.pi / 2
    found = evaluate("median_km", predicted, sample(true, weights=[[1, 1, 1, 1], [1, 2, 0, 0], [1, 1, 1, 0]]))
    assert found == pytest.approx([1.5 * quarter, 0.0, quarter])


def test_blocks_are_drawn_and_a_pair_weighs_their_product():
    cells = np.array(["1|2", "2|3", "1|3", "1|2", "4"])
    clusters, weights, n_groups = draw(cells, 40, np.random.default_rng(0))
    blocks = cluster_weights(4, 40, np.random.default_rng(0))
    assert n_groups == 4
    expected = np.stack([blocks[:, 0] * blocks[:, 1], blocks[:, 1] * blocks[:, 2], blocks[:, 0] * blocks[:, 2]], axis=1)
    assert (weights[:, clusters[:3]] == expected).all()
    assert (weights[:, clusters[3]] == weights[:, clusters[0]]).all()
    assert (weights[:, clusters[4]] == blocks[:, 3]).all()
    assert (weights[0] == 1).all()


def test_pairs_that_share_numbers_vary_more_than_pairs_drawn_alone():
    # Each number is easy or hard, and with it all its pairs: the mean over pairs varies as that over numbers does.
    random = np.random.default_rng(7)
    pairs = [(one, other) for one in range(30) for other in range(one + 1, 30)]
    effect = random.normal(size=30)
    values = np.array([[effect[one] + effect[other]] for one, other in pairs])
    spread = {}
    for name, cells in (("numbers", [f"{a}|{b}" for a, b in pairs]), ("pairs", [f"{a}-{b}" for a, b in pairs])):
        clusters, weights, _ = draw(np.array(cells), 2000, random)
        spread[name] = ((weights[:, clusters] @ values)[:, 0] / weights[:, clusters].sum(axis=1))[1:].std()
    # The variance of the mean of 30 effects, twice over, as every pair has two.
    assert spread["numbers"] == pytest.approx(2 * effect.std() / np.sqrt(30), rel=0.1)
    assert spread["pairs"] < spread["numbers"] / 2


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
        found = interval(evaluate("r2", scores, sample(labels, clusters=clusters, weights=weights)), 0.9, 60)
        covered.append(found.lower <= 0.5 <= found.upper)
    assert 0.83 <= np.mean(covered) <= 0.95


@pytest.mark.parametrize(
    ("n_groups", "confidence", "expected"),
    [
        # t(.975, 4) = 2.7764, times sqrt(5 / 4) = 3.1042, beyond which a normal distribution has .000954.
        (5, 0.95, 0.000954),
        # t(.95, 9) = 1.8331, times sqrt(10 / 9) = 1.9323: .0267.
        (10, 0.9, 0.0267),
        (10**6, 0.95, 0.025),
    ],
)
def test_the_tail_left_out_is_less_for_few_groups(n_groups, confidence, expected):
    assert tail(n_groups, confidence) == pytest.approx(expected, rel=2e-3)


def test_an_expanded_interval_covers_the_mean_of_few_groups_where_the_plain_one_does_not():
    # The mean of 8 normal values: 2,000 samples, and their bootstraps' exact normal shape in place of resamples.
    random = np.random.default_rng(8)
    values, shape = random.normal(size=(2000, 8)), random.normal(size=2000)
    covered = {"expanded": [], "plain": []}
    for row in values:
        resamples = np.concatenate([[row.mean()], row.mean() + row.std() / np.sqrt(8) * shape])
        found = interval(resamples, 0.9, 8)
        covered["expanded"].append(found.lower <= 0 <= found.upper)
        lower, upper = np.quantile(resamples[1:], [0.05, 0.95])
        covered["plain"].append(lower <= 0 <= upper)
    assert np.mean(covered["expanded"]) == pytest.approx(0.9, abs=0.02)
    assert np.mean(covered["plain"]) < 0.86


def test_an_interval_of_mostly_undefined_resamples_or_of_one_group_is_undefined():
    found = interval(np.array([0.5, np.nan, np.nan, 0.4]), 0.9, 20)
    assert found.estimate == 0.5
    assert np.isnan(found.lower)
    assert np.isnan(interval(np.array([0.5, 0.5, 0.5]), 0.9, 1).upper)


def test_an_interval_of_calibration_errors_is_mirrored_at_its_estimate():
    resampled = np.array([0.1, *np.linspace(0.1, 0.3, 1001)])
    assert interval_of("auroc", resampled, 0.9, 10**6).upper == pytest.approx(0.29, abs=1e-4)
    found = interval_of("calibration_error", resampled, 0.9, 10**6)
    assert (found.lower, found.upper) == (0.0, pytest.approx(0.09, abs=1e-4))


def test_a_layer_is_chosen_for_each_fold_by_its_inner_loss():
    labels, folds = np.tile([0, 1], 6), np.repeat([0, 1, 2], 4)
    right, wrong = column(labels), column(1 - labels)
    chosen = best_layers({1: {0: 0.7, 1: 0.2, 2: 0.3}, 2: {0: 0.6, 1: 0.4, 2: 0.9}})
    assert chosen == {0: 2, 1: 1, 2: 1}
    found = assemble({1: right, 2: wrong}, chosen, sample(labels, folds=folds))
    assert np.array_equal(found, np.where(folds[:, None] == 0, wrong, right))


def test_equal_layers_give_the_lowest():
    assert best_layers({5: {0: 0.5}, 3: {0: 0.5}}) == {0: 3}
    assert most_frequent([4, 2, 4, 2, 6]) == 2


def test_degrees_and_distances():
    london, quito = np.array([[0.623, 0.0, 0.783]]), np.array([[0.2, -0.98, 0.0]])
    assert [round(float(v[0]), 1) for v in degrees(london)] == [0.0, 51.5]
    assert [round(float(v[0]), 1) for v in degrees(5.0 * quito)] == [-78.5, 0.0]
    assert distance_km(np.array([[1.0, 0, 0]]), np.array([[0, 0, 2.0]]))[0] == pytest.approx(6371 * np.pi / 2)
