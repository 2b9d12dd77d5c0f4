"""Statistics on known truth, as `make validate` checks them, with fewer simulations and as much wider limits."""

import numpy as np
import pytest

from linear_probing.validation import choice, codes, coverage, p_values, selectivity, simulation
from linear_probing.validation.__main__ import ValidationError, report
from linear_probing.validation.check import Check, table

FEW = 30
SLACK = 0.1
"""With 30 simulations a coverage of 95 % has a standard error of 4 points: limits of 83 and 100 %."""


def kept(checks):
    assert all(one.kept for one in checks), table(checks)
    return checks


def test_intervals_hold_the_truth_as_often_as_they_say():
    checks = kept(coverage.coverage(FEW, 1, SLACK, coverage.SETTINGS[:4]))
    assert [one.subject.split()[-1] for one in checks] == ["auroc", "auroc", "r2", "macro_f1"]


@pytest.mark.slow
def test_p_values_are_uniform_under_the_null_and_those_of_a_wrong_test_are_not():
    kept(p_values.uniformity(100, 1))


@pytest.mark.slow
def test_random_labels_are_not_compressed_unless_portions_cut_groups():
    kept(codes.lengths(100, 1))


@pytest.mark.slow
def test_selectivity_of_noise_holds_zero():
    kept(selectivity.of_noise(60, 1, 0.06))


@pytest.mark.slow
def test_the_best_layer_is_not_better_for_having_been_looked_for():
    """Of noise only: with a signal few simulations do not show the bias of the wrong ways."""
    kept(choice.bias(40, 1, {"noise": choice.CASES["noise"]}))


def test_groups_have_their_share_of_the_variance():
    groups = np.repeat(np.arange(2000), 5)
    values = simulation.correlated(groups, 1, 0.3, np.random.default_rng(0))[:, 0]
    assert np.var(values) == pytest.approx(1.0, abs=0.03)
    # The variance of a mean of five: .3 of the group and a fifth of .7.
    assert np.var(values.reshape(2000, 5).mean(axis=1)) == pytest.approx(0.3 + 0.7 / 5, abs=0.04)


def test_three_classes_are_equally_frequent_and_folds_equal_in_size():
    data = simulation.draw(simulation.Design(), "macro_f1", 2000, np.random.default_rng(0))
    assert np.bincount(data.labels) / len(data.labels) == pytest.approx([1 / 3] * 3, abs=0.03)
    folds = simulation.deal_folds(data.groups, np.random.default_rng(0))
    assert set(np.bincount(folds)) == {len(folds) // simulation.N_FOLDS}


def test_a_simulation_is_its_seeds_own_whatever_the_processes():
    alone, together = (simulation.repeat(np.random.Generator.random, "a", 12, n_jobs) for n_jobs in (1, 2))
    assert np.array_equal(alone, together)
    assert len(set(alone)) == 12


def test_a_broken_limit_is_written_and_is_an_error(tmp_path):
    lines = [Check("a", "data", "coverage", 9, found, 0.93, 0.97, "0.95") for found in (0.95, 0.9, float("nan"))]
    report(lines[:1], tmp_path / "validation.md")
    with pytest.raises(ValidationError, match=r"(?s)2 of 3 limits.*found 0.9, expected 0.93 to 0.97.*do:     find"):
        report(lines, tmp_path / "validation.md")
    text = (tmp_path / "validation.md").read_text()
    assert "| a | data | coverage | 9 | 0.95 | 0.9 | 0.93 to 0.97 | **no** |" in text
    assert text.count("**no**") == 2
