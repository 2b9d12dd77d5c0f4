"""Online code length: portions between groups, codes by hand, uniform labels not compressed."""

import numpy as np
import pytest

from linear_probing.probing import code_length
from linear_probing.probing.code_length import CodeLengthError

GROUPS = np.repeat(np.arange(40), 5)


def known(probability):
    """Return a fit whose every probe gives class 1 this probability, by penalty, and remembers what it was given."""
    given = []

    def fit(features, labels, trained, coded, penalties, n_classes):
        given.append((trained, coded, penalties))
        ones = [np.array([probability[penalty] for penalty in penalties])[:, None].repeat(len(c), 1) for c in coded]
        return [np.stack([1 - p, p], axis=2) for p in ones]

    return fit, given


def test_portions_hold_every_row_once_and_cut_no_group():
    parts = code_length.portions(GROUPS, np.random.default_rng(0))
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(200))
    of_groups = [set(GROUPS[rows]) for rows in parts]
    assert sum(map(len, of_groups)) == 40


def test_portions_end_at_the_shares_of_voita_and_titov():
    """6.25 % of 200 is 12.5, so three groups of five; the shares below hold fewer than 8 targets or two groups."""
    parts = code_length.portions(GROUPS, np.random.default_rng(0))
    assert np.cumsum([len(rows) for rows in parts]).tolist() == [10, 15, 25, 50, 100, 200]


def test_the_order_of_groups_is_the_seeds():
    first, again, other = (code_length.portions(GROUPS, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert all(np.array_equal(one, two) for one, two in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_large_groups_of_unequal_size_stay_whole():
    groups = np.repeat(["a", "b", "c", "d"], [1, 50, 3, 7])
    parts = code_length.portions(groups, np.random.default_rng(3))
    assert sum(len(set(groups[rows])) for rows in parts) == 4
    assert len(parts[0]) >= 8
    assert len(set(groups[parts[0]])) >= 2


def test_a_code_by_hand():
    """Each later target has probability 3/4 of its class: (15 / 20) (n) + 1 over n + 2."""
    labels = np.tile([0, 1, 1, 1, 1], 40)
    fit, _ = known({1.0: 0.75})
    codes = code_length.code_length(np.zeros((200, 1)), labels, GROUPS, [1.0], np.random.default_rng(0), fit)
    assert (codes[0].bits, codes[0].uniform_bits, codes[0].n_train) == (10.0, 10.0, 0)
    assert np.isnan(codes[0].penalty)
    # Portion 1: one group of five after ten: four of class 1 and one of class 0.
    right, wrong = (0.75 * 10 + 1) / 12, (0.25 * 10 + 1) / 12
    assert codes[1].bits == pytest.approx(-4 * np.log2(right) - np.log2(wrong))
    assert (codes[1].n_train, codes[1].n_coded, codes[1].n_classes, codes[1].penalty) == (10, 5, 2, 1.0)
    assert sum(code.uniform_bits for code in codes) == 200.0


def test_the_penalty_of_most_weight_is_the_best_of_the_portions_before():
    """The weak one (C = 9) is always better, which is known only after the first probe's portion."""
    labels = np.tile([0, 1, 1, 1, 1], 40)
    fit, given = known({9.0: 0.8, 0.1: 0.3})
    codes = code_length.code_length(np.zeros((200, 1)), labels, GROUPS, [9.0, 0.1], np.random.default_rng(0), fit)
    assert [code.penalty for code in codes[1:]] == [0.1, 9.0, 9.0, 9.0, 9.0]
    assert given[0][2] == [0.1, 9.0]
    for before, now in zip(*given[0][:2], strict=True):
        assert not set(GROUPS[before]) & set(GROUPS[now])


def test_two_penalties_are_mixed_by_hand():
    """All targets together: the mean of what either penalty gives them; each portion, what it adds."""
    labels = np.tile([0, 1, 1, 1, 1], 40)
    sides = ({9.0: 0.8}, {0.1: 0.3}, {9.0: 0.8, 0.1: 0.3})
    weak, strong, mixed = (
        [
            code.bits
            for code in code_length.code_length(
                np.zeros((200, 1)), labels, GROUPS, list(side), np.random.default_rng(0), known(side)[0]
            )
        ]
        for side in sides
    )
    for n in range(2, 5):  # further on, the powers are too small for numbers of double precision
        expected = -np.log2((2.0 ** -sum(weak[1:n]) + 2.0 ** -sum(strong[1:n])) / 2.0)
        assert sum(mixed[1:n]) == pytest.approx(expected)
    assert min(sum(weak), sum(strong)) <= sum(mixed) <= min(sum(weak), sum(strong)) + 1.0 + 1e-9


def test_a_near_tie_of_penalties_changes_nothing_by_a_jump():
    labels = np.tile([0, 1, 1, 1, 1], 40)

    def bits(p):
        fit, _ = known({9.0: 0.6, 0.1: p})
        codes = code_length.code_length(np.zeros((200, 1)), labels, GROUPS, [9.0, 0.1], np.random.default_rng(0), fit)
        return sum(code.bits for code in codes)

    assert bits(0.6 + 1e-9) == pytest.approx(bits(0.6 - 1e-9), rel=1e-7)


def test_a_class_that_training_lacks_can_be_coded():
    """Of one class only there is no probe: a target of the other costs log2 of n + 2."""
    groups = np.repeat(np.arange(4), 10)
    order = np.random.default_rng(0).permutation(4)
    labels = (groups == order[2]).astype(int)
    codes = code_length.code_length(np.zeros((40, 1)), labels, groups, [1.0], np.random.default_rng(0))
    assert [(code.n_train, code.n_coded) for code in codes] == [(0, 20), (20, 20)]
    assert np.isnan(codes[1].penalty)
    assert codes[1].bits == pytest.approx(10 * np.log2(22) + 10 * np.log2(22 / 21))


def test_three_classes_of_which_two_are_trained():
    random = np.random.default_rng(0)
    features = random.normal(size=(200, 3))
    labels = np.where(features[:, 0] > 0, 1, 0)
    labels[-1] = 2
    codes = code_length.code_length(features, labels, GROUPS, [0.1, 1.0], np.random.default_rng(0))
    assert all(np.isfinite(code.bits) for code in codes)
    assert codes[-1].uniform_bits == pytest.approx(100 * np.log2(3))
    assert sum(code.bits for code in codes) < 0.5 * sum(code.uniform_bits for code in codes)


def test_what_cannot_be_coded_is_an_error():
    with pytest.raises(CodeLengthError, match=r"(?s)2 targets in 1 groups make one portion.*do:     use a larger"):
        code_length.portions(np.array(["a", "a"]), np.random.default_rng(0))
    with pytest.raises(CodeLengthError, match=r"(?s)hold one class.*do:     probe a label that varies"):
        code_length.code_length(np.zeros((200, 1)), np.zeros(200, int), GROUPS, [1.0], np.random.default_rng(0))
