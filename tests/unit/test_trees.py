"""Prefix trees: every text's tokens stand in one row, once per shared beginning, and see their ancestors alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linear_probing.extraction import batches, trees

TEXTS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=9).map(np.array), min_size=1, max_size=12)


def ancestors(one):
    """Return, per node, the nodes that it sees, by the definition of the ends."""
    nodes = range(len(one.ids))
    return [[j for j in nodes if j <= i < one.ends[j]] for i in nodes]


@given(TEXTS, st.integers(1, 20))
def test_every_text_is_the_path_to_its_last_token(sequences, capacity):
    packs = list(trees.pack(sequences, capacity))
    assert sorted(text for one in packs for text in one.texts) == list(range(len(sequences)))
    for one in packs:
        seen = ancestors(one)
        for text, columns in zip(one.texts, one.columns, strict=True):
            assert one.ids[columns].tolist() == sequences[text].tolist()
            assert one.positions[columns].tolist() == list(range(len(columns)))
            assert seen[columns[-1]] == columns.tolist(), "a token sees its own beginning, and nothing else"


@given(TEXTS, st.integers(1, 20))
def test_rows_keep_to_the_capacity_unless_a_text_is_longer(sequences, capacity):
    for one in trees.pack(sequences, capacity):
        assert len(one.ids) <= max(capacity, *(len(sequences[text]) for text in one.texts))


@given(TEXTS)
def test_in_one_row_every_beginning_stands_once(sequences):
    (one,) = trees.pack(sequences, 1000)
    assert len(one.ids) == len({tuple(s[: n + 1]) for s in map(list, sequences) for n in range(len(s))})


def test_a_tree_by_hand():
    (one,) = trees.pack([np.array([5, 6, 7]), np.array([5, 8]), np.array([9]), np.array([5, 6])], 10)
    assert one.ids.tolist() == [5, 6, 7, 8, 9]
    assert one.positions.tolist() == [0, 1, 2, 1, 0]
    assert one.ends.tolist() == [4, 3, 3, 4, 5]
    assert dict(zip(one.texts, map(list, one.columns), strict=True)) == {3: [0, 1], 0: [0, 1, 2], 1: [0, 3], 2: [4]}


def test_a_row_that_begins_within_a_tree_repeats_the_path():
    one, other = trees.pack([np.array([5, 6, 7]), np.array([5, 6, 8])], 3)
    assert [one.ids.tolist(), other.ids.tolist()] == [[5, 6, 7], [5, 6, 8]]


@pytest.mark.parametrize(("budget", "expected"), [(12, [1, 2, 1]), (1, [1, 1, 1, 1]), (100, [4])])
def test_a_batch_holds_as_many_units_as_the_budget_takes(budget, expected):
    lengths, first, found = [9, 5, 5, 5], 0, []
    while first < len(lengths):
        found.append(batches.n_units(lengths, first, budget))
        first += found[-1]
    assert found == expected


def test_what_is_computed_counts_padding():
    assert batches.n_computed([9, 5, 4, 2], 10) == 9 + 2 * 5 + 2
