"""Transfer: each fold's direction is scored on the targets it may be scored on, and folds are averaged."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from linear_probing.estimation.scores import Scores, StatisticsError
from linear_probing.estimation.transfers import transfer_table

LABELS = [0, 1, 0, 1, 0, 1, 0, 1]


@pytest.fixture
def scores():
    n = len(LABELS)
    targets = pd.DataFrame({"group": [f"g{row // 2}" for row in range(n)], "truth": [str(label) for label in LABELS]})
    forward = np.array(LABELS, float)
    # The first fold's direction is right on the first half and not scored on the rest; the second is wrong, then right.
    columns = np.stack([np.where(np.arange(n) < 4, forward, np.nan), np.where(np.arange(n) < 6, 1 - forward, 5.0)], 1)
    found = {"cities.truth|larger_than.truth|logistic|layer_06": columns.astype(np.float32)}
    return Scores({"larger_than": targets}, {}, pd.DataFrame(), transfer={"atlas": found})


def test_folds_are_scored_apart_and_averaged(tiny, scores):
    (row,) = transfer_table(tiny, scores).to_dict("records")
    # The second: of 16 pairs of a 1 and a 0, three 1 lie below all 0; the last is equal to one 0 and above three.
    assert row["estimate"] == pytest.approx((1.0 + 3.5 / 16) / 2)
    assert (row["train_task"], row["test_task"], row["layer"], row["n"], row["n_groups"]) == (
        "cities.truth",
        "larger_than.truth",
        6,
        8,
        4,
    )
    assert row["lower"] <= row["estimate"] <= row["upper"]


def test_what_no_direction_is_scored_on_does_not_count(tiny, scores):
    columns = scores.transfer["atlas"]["cities.truth|larger_than.truth|logistic|layer_06"].copy()
    columns[6:] = np.nan
    partly = replace(scores, transfer={"atlas": {"cities.truth|larger_than.truth|logistic|layer_06": columns}})
    (row,) = transfer_table(tiny, partly).to_dict("records")
    assert (row["n"], row["n_groups"], row["estimate"]) == (6, 3, 0.5)


def test_rows_are_in_the_order_of_the_configuration(tiny, scores):
    columns = next(iter(scores.transfer["atlas"].values()))
    names = ["larger_than.truth|larger_than.truth", "cities.truth|larger_than.truth"]
    many = {f"{name}|{probe}|layer_00": columns for name in names for probe in ("logistic", "mean_difference")}
    found = transfer_table(tiny, replace(scores, transfer={"atlas-random": many, "atlas": many}))
    assert found["model"].tolist() == ["atlas"] * 4 + ["atlas-random"] * 4
    assert found["train_task"].tolist()[:4] == ["cities.truth"] * 2 + ["larger_than.truth"] * 2


def test_scores_of_another_table_are_refused(tiny, scores):
    cut = {key: values[:-1] for key, values in scores.transfer["atlas"].items()}
    with pytest.raises(StatisticsError, match=r"has 7 rows, but there are 8 targets") as error:
        transfer_table(tiny, replace(scores, transfer={"atlas": cut}))
    assert "do:     run snakemake again" in str(error.value)
