"""Permutation p-values by hand, corrections against their definitions, and families of tasks."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import false_discovery_control, kstest

from linear_probing.estimation.scores import Scores
from linear_probing.estimation.significance import (
    benjamini_hochberg,
    families,
    greatest,
    holm,
    p_value,
    significance_tables,
)


def test_a_p_value_counts_the_observed_score_and_ties():
    assert p_value(np.array([0.9, 0.1, 0.2, 0.3])) == 1 / 4
    assert p_value(np.array([0.9, 0.1, 0.9 - 1e-12, 0.95])) == 3 / 4


def test_an_undefined_permutation_makes_no_p_value_smaller():
    assert p_value(np.array([0.9, 0.1, np.nan, 0.2])) == 2 / 4
    assert np.isnan(p_value(np.array([np.nan, 0.1])))


def test_the_greatest_over_layers_is_taken_in_each_permutation():
    by_layer = {0: np.array([0.5, 0.6, 0.4]), 3: np.array([0.7, 0.3, 0.8]), 6: np.array([np.nan, 9.0, 9.0])}
    assert greatest(by_layer).tolist() == [0.7, 0.6, 0.8]
    assert p_value(greatest(by_layer)) == 2 / 3


def test_holm_by_hand():
    # In order .005, .01, .03, .04 times 4, 3, 2, 1: .02, .03, .06, .04, and never less than the one before.
    found = holm(np.array([0.01, 0.04, np.nan, 0.03, 0.005]))
    assert found == pytest.approx([0.03, 0.06, np.nan, 0.06, 0.02], nan_ok=True)
    assert holm(np.array([0.6, 0.7])).tolist() == [1.0, 1.0]


def test_benjamini_hochberg_equals_that_of_scipy():
    p_values = np.random.default_rng(0).random(20)
    assert benjamini_hochberg(p_values) == pytest.approx(false_discovery_control(p_values))
    with_nan = benjamini_hochberg(np.array([np.nan, *p_values]))
    assert np.isnan(with_nan[0])
    assert with_nan[1:] == pytest.approx(false_discovery_control(p_values))


def test_the_headline_family_has_each_task_once():
    keys = [("m", "a", "all"), ("m", "a", "seen"), ("m", "a", "unseen"), ("m", "b", "all"), ("n", "a", "all")]
    found = families(keys)
    assert found["m", "headline"] == [("m", "a", "unseen"), ("m", "b", "all")]
    assert found["m", "all"] == [("m", "a", "all"), ("m", "b", "all")]
    assert found["n", "headline"] == [("n", "a", "all")]


def test_p_values_of_the_best_layer_are_uniform_under_the_null_though_layers_are_correlated():
    random = np.random.default_rng(1)
    found = []
    for _ in range(500):
        shared, own = random.normal(size=100), random.normal(size=(5, 100))
        found.append(p_value(greatest(dict(enumerate(shared + own)))))
    assert kstest(np.array(found) - random.random(500) / 100, "uniform").pvalue > 0.01


@pytest.fixture
def scores():
    permutations = {
        "cities.truth|all|layer_00": [0.5, 0.4, 0.6, 0.45],
        "cities.truth|all|layer_06": [0.9, 0.5, 0.5, 0.95],
        "cities.truth|unseen|layer_00": [0.8, 0.4, 0.6, 0.5],
        "cities.truth|unseen|layer_06": [0.8, 0.5, 0.5, 0.55],
        "word_class.word_class|all|layer_06": [0.7, 0.1, 0.2, 0.8],
    }
    arrays = {"atlas": {key: np.array(values) for key, values in permutations.items()}}
    return Scores({}, {}, pd.DataFrame(), permutations=arrays)


def test_tables_hold_each_layer_and_the_best_with_corrections(tiny, scores):
    per_layer, best = significance_tables(tiny, scores)
    assert per_layer.set_index(["task", "part", "layer"])["p_value"].to_dict() == {
        ("cities.truth", "all", 0): 2 / 4,
        ("cities.truth", "all", 6): 2 / 4,
        ("cities.truth", "unseen", 0): 1 / 4,
        ("cities.truth", "unseen", 6): 1 / 4,
        ("word_class.word_class", "all", 6): 2 / 4,
    }
    headline = best[best["family"] == "headline"].set_index("task")
    assert headline.loc["cities.truth", ["part", "layer", "score", "p_value"]].tolist() == ["unseen", 0, 0.8, 1 / 4]
    assert headline["p_holm"].tolist() == [2 / 4, 2 / 4]
    assert headline["p_bh"].tolist() == [2 / 4, 2 / 4]
    assert set(headline["n_tasks"]) == {2}
    assert set(best["family"]) == {"headline", "all", "unseen"}


def test_a_study_without_permutations_has_tables_without_rows(tiny, scores):
    for table in significance_tables(tiny, replace(scores, permutations={})):
        assert table.empty
        assert "p_value" in table
