"""Fits that went wrong are seen, penalties are counted, and bits are summed."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from linear_probing.estimation.diagnostics import code_lengths, count_fits, note_table
from linear_probing.estimation.scores import Scores

KEYS = {"model": "atlas", "task": "cities.truth", "split": "group", "labeling": "true"}


def fits(**columns):
    return pd.DataFrame({**KEYS, "probe": "logistic", "features": "layer_06", "fold": range(4), **columns})


@pytest.fixture
def scores():
    tuned = fits(penalty=[0.1, 1.0, 10.0, 10.0], n_iterations=[5, 9, 7, 200], converged=[True] * 3 + [False])
    closed = fits(penalty=np.nan, n_iterations=0, converged=True).assign(probe="mean_difference")
    closed["note"] = [np.nan, "", "fold 2 holds one class", np.nan]
    return Scores({}, {}, pd.concat([tuned, closed], ignore_index=True))


def test_fits_are_counted_with_their_penalties(scores):
    logistic, closed = count_fits(scores).to_dict("records")
    assert (logistic["n_fits"], logistic["converged"], logistic["max_iterations"]) == (4, 0.75, 200)
    chosen = [logistic[f"penalty_{name}"] for name in ("least", "median", "greatest")]
    assert chosen == [0.1, 1.0, 10.0], "of the two in the middle the lower, so that it was chosen"
    assert np.isnan(closed["penalty_median"])
    assert (closed["converged"], closed["n_notes"]) == (1.0, 1)


def test_a_fit_that_did_not_converge_or_was_degraded_is_a_row(scores):
    found = note_table(scores)[["probe", "fold", "converged", "note"]].values.tolist()
    assert found == [
        ["logistic", 3, False, "did not converge"],
        ["mean_difference", 2, True, "fold 2 holds one class"],
    ]


def test_fits_without_notes_have_none(scores):
    whole = replace(scores, fits=scores.fits.iloc[:3].drop(columns="note"))
    assert note_table(whole).empty
    assert count_fits(whole)["n_notes"].tolist() == [0]


def test_a_code_is_the_bits_of_its_portions(scores):
    # Ten labels of two classes at a bit each, then twenty at a quarter: 15 bits for what is 30 uniformly.
    portion = {"portion": [0, 1], "n_train": [0, 10], "n_coded": [10, 20], "n_classes": 2, "penalty": [np.nan, 1.0]}
    rows = {"model": "atlas", "task": "cities.truth", **portion, "bits": [10.0, 5.0], "uniform_bits": [10.0, 20.0]}
    code = pd.concat([pd.DataFrame({**rows, "features": name}) for name in ("layer_06", "text")])
    layer, text = code_lengths(replace(scores, code=code)).to_dict("records")
    assert (layer["layer"], layer["bits"], layer["compression"], layer["bits_per_label"]) == (6, 15.0, 2.0, 0.5)
    assert pd.isna(text["layer"])


def test_a_study_without_codes_has_no_row(scores):
    assert code_lengths(scores).empty
