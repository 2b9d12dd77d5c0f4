"""Splits that are drawn: groups stay whole, rows do not, training shares are nested, and classes keep their shares."""

import numpy as np
import pandas as pd
import pytest

from linear_probing import splits, tables

N_FOLDS = 4


@pytest.fixture
def targets():
    """Return 40 groups of 3 rows in 4 folds, a quarter unseen, one group in five of the rare class."""
    groups = np.repeat(np.arange(40), 3)
    return pd.DataFrame(
        {
            "group": [f"g{group}" for group in groups],
            "part": np.where(groups % 4 == 3, "unseen", "seen"),
            "fold": [str(group // 10) for group in groups],
            "fold_types": [str(row % N_FOLDS) for row in range(120)],
            "label": np.where(groups % 5 == 0, "rare", "frequent"),
        }
    )


def each_row_once(masks):
    return (np.sum([tested for _, tested in masks], axis=0) == 1).all()


@pytest.mark.parametrize("split", ["group", "types"])
def test_a_stored_split_is_its_column(targets, split):
    found = splits.masks_of(targets, split, 0, N_FOLDS)
    expected = tables.fold_masks(targets[tables.fold_column(split)])
    for one, other in zip(found, expected, strict=True):
        assert (one[0] == other[0]).all()
        assert (one[1] == other[1]).all()


def test_another_seed_deals_whole_groups_anew_evenly_in_part_and_class(targets):
    first, second = (splits.masks_of(targets, f"group~seed{k}", 0, N_FOLDS, "label") for k in (1, 2))
    for masks in (first, second):
        assert each_row_once(masks)
        for train, tested in masks:
            assert not set(targets["group"][train]) & set(targets["group"][tested])
            assert targets["group"][tested].nunique() == 10
            # Of 6 + 2 rare groups and 24 + 8 frequent ones, evenly within each stratum.
            assert 1 <= (targets["label"][tested] == "rare").sum() / 3 <= 3
            assert 2 <= (targets["part"][tested] == "unseen").sum() / 3 <= 3
    assert any((one[1] != other[1]).any() for one, other in zip(first, second, strict=True))
    again = splits.masks_of(targets, "group~seed1", 0, N_FOLDS, "label")
    assert all((one[1] == other[1]).all() for one, other in zip(first, again, strict=True))


def test_the_order_of_rows_does_not_change_which_groups_are_dealt_where(targets):
    shuffled = targets.sample(frac=1, random_state=0)
    for split in ("group~seed1", "group~train30"):
        ours, theirs = (splits.masks_of(table, split, 0, N_FOLDS, "label") for table in (targets, shuffled))
        for one, other in zip(ours, theirs, strict=True):
            for side in (0, 1):
                assert set(targets["group"][one[side]]) == set(shuffled["group"][other[side]])


def test_rows_are_dealt_without_regard_to_groups(targets):
    masks = splits.masks_of(targets, "row", 0, N_FOLDS)
    assert each_row_once(masks)
    assert [int(tested.sum()) for _, tested in masks] == [30] * 4
    train, tested = masks[0]
    assert (train == ~tested).all()
    assert len(set(targets["group"][train]) & set(targets["group"][tested])) > 15


def test_training_shares_are_nested_and_leave_groups_to_every_inner_fold(targets):
    whole, most, few = (splits.masks_of(targets, s, 0, N_FOLDS) for s in ("group", "group~train30", "group~train10"))
    for fold in range(N_FOLDS):
        assert (whole[fold][1] == few[fold][1]).all()
        sizes = [targets["group"][masks[fold][0]].nunique() for masks in (whole, most, few)]
        # 10 groups a fold, 3 folds train: 3 of 10 are kept, and of 10 percent at least 2, so that n_folds groups train.
        assert sizes == [30, 9, 6]
        assert not (few[fold][0] & ~most[fold][0]).any()
        assert not (most[fold][0] & ~whole[fold][0]).any()
        for inner in set(range(N_FOLDS)) - {fold}:
            assert (few[fold][0] & few[inner][1]).any()


def test_training_shares_keep_classes(targets):
    for train, _ in splits.masks_of(targets, "group~train30", 0, N_FOLDS, "label"):
        assert set(targets["label"][train]) == {"rare", "frequent"}


def test_a_task_of_places_has_no_classes_to_keep(tiny, targets):
    position = next(task for task in tiny.tasks if task.kind == "position")
    ours = splits.masks_for(tiny, position, targets, "group~seed1")
    plain = splits.masks_of(targets, "group~seed1", tiny.seed, tiny.n_folds)
    assert all((one[1] == other[1]).all() for one, other in zip(ours, plain, strict=True))
