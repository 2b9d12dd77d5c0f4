"""The sweep of a layer against the protocol fitted by scikit-learn, fold by fold: scores, penalties, notes, probes."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from linear_probing import tables
from linear_probing.probing import protocol
from linear_probing.probing.protocol import ProbeError
from linear_probing.probing.sweep import Run, log_loss, sweep

N = 160
PENALTIES = (1e-3, 0.03, 1.0)
ALPHAS = (3000.0, 300.0, 30.0)


def drawn(d, seed=0):
    random = np.random.default_rng(seed)
    hidden = random.normal(size=(N, d)) / np.sqrt(np.arange(1, d + 1))
    features = (hidden @ np.linalg.qr(random.normal(size=(d, d)))[0]).astype(np.float32)
    features[:, 1] = 500.0 + 100.0 * features[:, 1]
    odds = hidden @ random.normal(size=d)
    return features, 2.0 * odds / odds.std() + random.logistic(size=N)


def plain():
    return tables.fold_masks(pd.Series([str(row // 4 % 5) for row in range(N)]))


def numbers():
    """Return masks of rows of two numbers: some neither train nor are tested in a fold."""
    random = np.random.default_rng(5)
    cells = [sorted({str(one), str(other)}) for one, other in random.integers(0, 4, size=(N, 2))]
    return tables.fold_masks(pd.Series(["|".join(cell) for cell in cells]))


def reduced():
    """Return masks of which each trains on a random half of what it may."""
    random = np.random.default_rng(6)
    return [(train & (random.random(N) < 0.5), test) for train, test in plain()]


def inner_losses(features, labels, masks, fold, penalties, n_classes=2):
    """Return an outer fold's inner log loss per penalty, by scikit-learn: the inner folds are the other outer folds."""
    losses = np.zeros(len(penalties))
    for other, (inner_train, inner_test) in enumerate(masks):
        train, held = masks[fold][0] & inner_train, inner_test & masks[fold][0]
        for place, penalty in enumerate(penalties if other != fold and held.any() else []):
            fitted = protocol.fit("logistic", penalty, features[train], labels[train])
            losses[place] += protocol.loss(fitted, features[held], labels[held], n_classes) / masks[fold][0].sum()
    return losses


def assert_same_scores(found, features, labels, masks, n_classes):
    """Compare each fold's scores with those of scikit-learn's pipeline at the penalty that the sweep chose."""
    for fit in found.fits:
        train, test = masks[fit.fold]
        fitted = protocol.fit("logistic", fit.penalty, features[train].astype(np.float64), labels[train])
        expected = protocol.outputs(fitted, features[test].astype(np.float64), n_classes)
        own = found.scores[test]
        for column in range(expected.shape[1]):
            assert np.corrcoef(own[:, column], expected[:, column])[0, 1] > 0.9999
        if n_classes == 2 and len(np.unique(labels[test])) == 2:
            apart = roc_auc_score(labels[test], own[:, 0]) - roc_auc_score(labels[test], expected[:, 0])
            assert abs(apart) <= 0.002


@pytest.mark.parametrize("masks_of", [plain, numbers])
@pytest.mark.parametrize("d", [20, 400], ids=["narrow", "wide"])
def test_two_classes_are_probed_as_by_the_protocol(d, masks_of):
    features, odds = drawn(d)
    labels, masks = (odds > 0).astype(int), masks_of()
    found = sweep(features, [Run("group", "true", labels, masks)], "logistic", PENALTIES, 2).outcomes[0]
    expected = protocol.probe_out_of_fold(features, labels, masks, "logistic", PENALTIES)
    assert np.array_equal(np.isnan(found.scores), np.isnan(expected.scores))
    assert np.isnan(found.scores).any() == (masks_of is numbers)
    for own, other in zip(found.fits, expected.fits, strict=True):
        losses = inner_losses(features, labels, masks, own.fold, PENALTIES)
        assert own.penalty == other.penalty or losses[PENALTIES.index(own.penalty)] - losses.min() < 1e-4
        assert own.converged
    assert_same_scores(found, features, labels, masks, 2)


@pytest.mark.parametrize("d", [20, 400], ids=["narrow", "wide"])
def test_five_classes_are_probed_as_by_the_protocol(d):
    features, odds = drawn(d)
    labels, masks = np.digitize(odds, np.quantile(odds, [0.2, 0.4, 0.6, 0.8])), plain()
    found = sweep(features, [Run("group", "true", labels, masks)], "logistic", PENALTIES, 5).outcomes[0]
    for fit in found.fits:
        losses = inner_losses(features, labels, masks, fit.fold, PENALTIES, 5)
        assert losses[PENALTIES.index(fit.penalty)] - losses.min() < 1e-4
    expected = protocol.probe_out_of_fold(features, labels, masks, "logistic", PENALTIES)
    assert (found.scores.argmax(axis=1) == expected.scores.argmax(axis=1)).mean() > 0.98
    assert_same_scores(found, features, labels, masks, 5)


def test_the_penalty_of_a_reduced_training_part_is_chosen_within_it():
    features, odds = drawn(400)
    labels, masks = (odds > 0).astype(int), reduced()
    found = sweep(features, [Run("group~train50", "true", labels, masks)], "logistic", PENALTIES, 2).outcomes[0]
    for fit in found.fits:
        losses = inner_losses(features, labels, masks, fit.fold, PENALTIES)
        assert losses[PENALTIES.index(fit.penalty)] - losses.min() < 1e-4
    assert_same_scores(found, features, labels, masks, 2)
    outside = ~masks[0][0] & ~masks[0][1]
    changed = np.where(outside, 1 - labels, labels)
    again = sweep(features, [Run("group~train50", "true", changed, masks)], "logistic", PENALTIES, 2).outcomes[0]
    assert again.fits[0].penalty == found.fits[0].penalty
    np.testing.assert_allclose(again.scores[masks[0][1]], found.scores[masks[0][1]], atol=1e-3)


@pytest.mark.parametrize("masks_of", [plain, numbers])
@pytest.mark.parametrize("probe", ["ridge", "ridge_classifier"])
def test_ridge_is_probed_as_by_the_protocol(probe, masks_of):
    features, odds = drawn(30)
    masks = masks_of()
    labels = np.digitize(odds, [-1.0, 1.0]) if probe == "ridge_classifier" else np.stack([odds, odds**2], axis=1)
    n_classes = 3 if probe == "ridge_classifier" else 0
    found = sweep(features, [Run("group", "true", labels, masks)], probe, ALPHAS, n_classes).outcomes[0]
    expected = protocol.probe_out_of_fold(features.astype(np.float64), labels, masks, probe, ALPHAS)
    assert [fit.penalty for fit in found.fits] == [fit.penalty for fit in expected.fits]
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-3)


def test_runs_do_not_see_each_other():
    features, odds = drawn(400)
    labels = (odds > 0).astype(int)
    control = np.random.default_rng(1).permutation(labels)
    runs = [
        Run("group", "true", labels, plain()),
        Run("group", "control", control, plain()),
        Run("numbers", "true", labels, numbers()),
    ]
    together = sweep(features, runs, "logistic", PENALTIES, 2).outcomes
    for run, found in zip(runs, together, strict=True):
        alone = sweep(features, [run], "logistic", PENALTIES, 2).outcomes[0]
        assert [fit.penalty for fit in alone.fits] == [fit.penalty for fit in found.fits]
        np.testing.assert_allclose(alone.scores, found.scores, atol=2e-3)


@pytest.mark.parametrize(
    ("probe", "n_classes"), [("logistic", 2), ("logistic", 3), ("ridge_classifier", 3), ("ridge", 0)]
)
@pytest.mark.parametrize("d", [20, 400], ids=["narrow", "wide"])
def test_the_probes_returned_give_the_scores(d, probe, n_classes):
    features, odds = drawn(d)
    labels = np.digitize(odds, [0.0, 1.0][: n_classes - 1]) if n_classes else odds[:, None]
    run, penalties = Run("group", "true", labels, plain()), PENALTIES if probe == "logistic" else ALPHAS
    swept = sweep(features, [run], probe, penalties, n_classes)
    assert [linear.fold for linear in swept.probes] == [0, 1, 2, 3, 4, None]
    for linear, fit in zip(swept.probes[:-1], swept.outcomes[0].fits, strict=True):
        test = run.masks[fit.fold][1]
        scores = (features[test] - linear.mean) / linear.scale @ linear.coefficients.T + linear.intercept
        np.testing.assert_allclose(scores, swept.outcomes[0].scores[test], atol=1e-3)
        assert linear.penalty == fit.penalty
    overall = swept.probes[-1]
    fitted = protocol.fit(probe, overall.penalty, features.astype(np.float64), labels)
    expected = protocol.outputs(fitted, features.astype(np.float64), n_classes)
    found = (features - overall.mean) / overall.scale @ overall.coefficients.T + overall.intercept
    if probe == "logistic" and n_classes > 2:  # a constant added to all logits changes no probability
        found, expected = (each - each.mean(axis=1, keepdims=True) for each in (found, expected))
    np.testing.assert_allclose(found, expected, atol=5e-3)


@pytest.mark.parametrize("probe", ["logistic", "ridge_classifier"])
def test_a_training_part_of_one_class_is_an_error(probe):
    features, _ = drawn(20)
    masks = plain()
    labels = masks[2][1].astype(int)
    with pytest.raises(ProbeError, match=r"(?s)group without fold 2: .* holds 1 class.*do:     use a larger"):
        sweep(features, [Run("group", "true", labels, masks)], probe, PENALTIES, 2)


def test_what_a_fold_lacks_is_noted():
    features, odds = drawn(20)
    masks = plain()
    labels = np.where(masks[2][1], 2, (odds > 0).astype(int))
    found = sweep(features, [Run("group", "true", labels, masks)], "logistic", PENALTIES, 3).outcomes[0]
    assert [fit.note for fit in found.fits] == ["", "", "training lacks 1 of 3 classes; one class is tested", "", ""]
    assert (found.scores[masks[2][1]].argmax(axis=1) != 2).all()


def test_log_loss_is_that_of_the_words():
    odds = np.array([[[2.0]], [[-1.0]]])
    expected = np.log(1 + np.exp(-2.0)) + np.log(1 + np.exp(-1.0))
    assert log_loss(odds, np.array([1, 0]))[0] == pytest.approx(expected)
    logits = np.array([[[1.0, 2.0, 3.0]]])
    assert log_loss(logits, np.array([2]))[0] == pytest.approx(-np.log(np.exp(3) / np.exp([1, 2, 3]).sum()))
