"""Tables from scores made by hand: 24 groups of a true and a false row, in 3 folds, by two models."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from linear_probing.estimation.scores import Scores, StatisticsError
from linear_probing.estimation.study_tables import COLUMNS, estimate_tables
from linear_probing.settings import Bootstrap
from linear_probing.splits import masks_of

TASK = "cities.truth"
N_GROUPS, N_ROWS = 24, 48
TRUTH = np.tile([1, 0], N_GROUPS)
RIGHT = np.where(TRUTH == 1, 3.0, -3.0)[:, None]


@pytest.fixture
def study(tiny):
    tasks = tuple(task for task in tiny.tasks if task.name == TASK)
    return replace(tiny, tasks=tasks, bootstrap=Bootstrap(n_resamples=60, confidence=0.9))


@pytest.fixture
def targets():
    groups = np.repeat(np.arange(N_GROUPS), 2)
    return pd.DataFrame(
        {
            "group": [f"g{group:02d}" for group in groups],
            "part": np.where(groups % 4 == 0, "unseen", "seen"),
            "fold": [str(group % 3) for group in groups],
            "fold_types": [str(row % 3) for row in range(N_ROWS)],
            "truth": TRUTH.astype(str),
        }
    )


def halved(wrong):
    """Return scores that are right but in a share of the groups, whose two rows stand the wrong way round."""
    groups = np.repeat(np.arange(N_GROUPS), 2)
    return np.where((groups % wrong == 0)[:, None], -RIGHT, RIGHT)


@pytest.fixture
def arrays():
    """Return the scores a study must have: layers 0 and 6, the split by group and that by types with its control."""
    flat = {f"{TASK}|{split}|true|logistic|text": np.zeros((N_ROWS, 1)) for split in ("group", "types")}
    of_layers = {"layer_00": halved(2), "layer_06": halved(4)}
    found = {}
    for name, values in of_layers.items():
        for split in ("group", "types"):
            found[f"{TASK}|{split}|true|logistic|{name}"] = values
        found[f"{TASK}|types|control|logistic|{name}"] = np.zeros((N_ROWS, 1))
    found[f"control|{TASK}"] = TRUTH[:, None].astype(np.float32)
    return {"text": flat, "atlas": found, "atlas-random": dict(found)}


def fits_of(arrays):
    """Return fits whose inner loss is less in layer 6, in each of three folds."""
    keys = [(model, *key.split("|")) for model, found in arrays.items() for key in found if key.count("|") == 4]
    fits = pd.DataFrame(keys, columns=["model", "task", "split", "labeling", "probe", "features"])
    fits["inner_loss"] = np.where(fits["features"] == "layer_06", 0.3, 0.6)
    return fits.merge(pd.DataFrame({"fold": [0, 1, 2]}), how="cross")


def tables(study, targets, arrays):
    return estimate_tables(study, Scores({"cities": targets}, arrays, fits_of(arrays)))


def row(table, **wanted):
    for column, value in wanted.items():
        table = table[table[column] == value]
    (found,) = table.to_dict("records")
    return found


def test_the_best_layer_is_that_of_the_least_inner_loss(study, targets, arrays):
    found = row(tables(study, targets, arrays)["best_layer.csv"], model="atlas", split="group", part="all")
    assert (found["layer"], found["estimate"]) == (6, pytest.approx(0.75, abs=0.1))


@pytest.mark.parametrize("change", [lambda fits: fits.drop(columns="inner_loss"), lambda fits: fits[fits["fold"] != 1]])
def test_a_fold_without_an_inner_loss_is_an_error(study, targets, arrays, change):
    scores = Scores({"cities": targets}, arrays, change(fits_of(arrays)))
    with pytest.raises(StatisticsError, match=r"(?s)atlas for cities.truth, group, layer_00: a fold has no inner loss"):
        estimate_tables(study, scores)


def test_processes_change_no_number(study, targets, arrays):
    """Two tasks, so that both of two processes get one; the control's labels stand under a key of another form."""
    twice = replace(study, tasks=(*study.tasks, replace(study.tasks[0], name="neg_cities.truth")))
    doubled = {
        model: {**own, **{key.replace(TASK, "neg_cities.truth"): scores for key, scores in own.items()}}
        for model, own in arrays.items()
    }
    scores = Scores({"cities": targets, "neg_cities": targets}, doubled, fits_of(doubled))
    alone, together = (estimate_tables(twice, scores, n_jobs) for n_jobs in (1, 2))
    assert not alone["selectivity.csv"].empty
    for name in COLUMNS:
        pd.testing.assert_frame_equal(alone[name], together[name], check_exact=True)


@pytest.mark.slow
def test_an_error_in_another_process_is_said_as_in_this_one(study, targets, arrays):
    twice = replace(study, tasks=(*study.tasks, replace(study.tasks[0], name="neg_cities.truth")))
    with pytest.raises(StatisticsError, match=r"(?s)scores of .*neg_cities.truth.*are missing"):
        estimate_tables(twice, Scores({"cities": targets, "neg_cities": targets}, arrays, fits_of(arrays)), 2)


def test_what_was_not_asked_for_is_a_table_without_rows(study, targets, arrays):
    found = tables(study, targets, arrays)
    assert found.keys() == COLUMNS.keys()
    for name in ("probes.csv", "leakage.csv", "seeds.csv", "learning.csv"):
        assert found[name].empty
        assert list(found[name]) == COLUMNS[name]
    # 2 models x 2 splits x 3 parts x 2 layers.
    assert len(found["layers.csv"]) == 24
    assert set(found["layers.csv"]["probe"]) == {"logistic"}


def test_a_tasks_own_scores_must_be_there(study, targets, arrays):
    del arrays["atlas"][f"{TASK}|types|control|logistic|layer_06"]
    with pytest.raises(StatisticsError, match=r"scores of atlas for cities.truth\|types\|control.*are missing"):
        tables(study, targets, arrays)


def test_a_tested_target_without_a_score_is_refused(study, targets, arrays):
    arrays["atlas"][f"{TASK}|group|true|logistic|layer_06"] = np.where(np.arange(N_ROWS)[:, None] < 2, np.nan, RIGHT)
    with pytest.raises(StatisticsError, match=r"2 of 48 tested targets have none") as error:
        tables(study, targets, arrays)
    assert "do:     run snakemake again" in str(error.value)


def test_other_probes_stand_in_their_own_table_with_a_paired_gain(study, targets, arrays):
    arrays["atlas"] |= {
        f"{TASK}|group|true|mlp|layer_06": RIGHT,
        f"{TASK}|types|true|mlp|layer_06": RIGHT,
        f"{TASK}|types|control|mlp|layer_06": np.zeros((N_ROWS, 1)),
        f"{TASK}|group|true|mean_difference|layer_06": halved(4),
    }
    found = tables(study, targets, arrays)
    assert set(found["layers.csv"]["probe"]) == {"logistic"}
    mlp = row(found["probes.csv"], model="atlas", probe="mlp", split="group", part="all")
    own = row(found["layers.csv"], model="atlas", layer=6, split="group", part="all")
    assert (mlp["estimate"], mlp["control"], mlp["selectivity"], mlp["n_groups"]) == (1.0, 0.5, 0.5, 24)
    assert mlp["gain"] == pytest.approx(1.0 - own["estimate"])
    assert mlp["gain_upper"] == pytest.approx(1.0 - own["lower"]), "the other side does not vary"
    same = row(found["probes.csv"], model="atlas", probe="mean_difference", split="group", part="all")
    assert (same["gain"], same["gain_lower"], same["gain_upper"]) == (0.0, 0.0, 0.0)
    assert np.isnan(same["selectivity"])


def test_secondary_metrics_are_of_all_probes_and_of_probabilities_where_there_are_some(study, targets, arrays):
    arrays["atlas"] |= {f"{TASK}|group|true|{probe}|layer_06": RIGHT for probe in ("mlp", "mean_difference")}
    table = tables(study, targets, arrays)["metrics.csv"]
    of_probabilities = {"log_loss", "brier", "calibration_error"}
    for probe, expected in (("mlp", of_probabilities), ("logistic", of_probabilities), ("mean_difference", set())):
        assert set(table.loc[table["probe"] == probe, "metric"]) == expected | {"balanced_accuracy"}
    found = row(table, model="atlas", probe="mlp", part="all", layer=6, metric="log_loss")
    assert found["estimate"] == pytest.approx(np.log1p(np.exp(-3)))
    own = row(table, model="atlas", probe="logistic", part="all", layer=6, metric="balanced_accuracy")
    assert own["estimate"] == 0.75


def test_a_later_twin_has_no_secondary_metrics_but_all_else(study, targets, arrays):
    first = study.model("atlas-random")
    study = replace(study, models=(*study.models, replace(first, name="atlas-random-1", seed=1)))
    found = tables(study, targets, {**arrays, "atlas-random-1": dict(arrays["atlas-random"])})
    assert set(found["metrics.csv"]["model"]) == {"atlas", "atlas-random"}
    for name in ("layers.csv", "best_layer.csv", "selectivity.csv"):
        assert set(found[name]["model"]) == {"atlas", "atlas-random", "atlas-random-1"}


def test_the_gain_over_the_embedding_is_paired(study, targets, arrays):
    found = tables(study, targets, arrays)
    layers, gains = found["layers.csv"], found["embedding_gain.csv"]
    both = [row(layers, model="atlas", layer=n, split="group", part="all")["estimate"] for n in (0, 6)]
    gain = row(gains, model="atlas", split="group", part="all")
    assert gain["layer"] == 6
    assert gain["gain_over_embedding"] == pytest.approx(both[1] - both[0])
    assert gain["lower"] < gain["gain_over_embedding"] < gain["upper"]


def test_a_split_by_row_is_scored_in_its_own_folds_against_that_by_group(study, targets, arrays):
    # Right within each fold of rows, but each fold's scores far from the others': pooled they would be no better.
    folds = np.sum([k * tested for k, (_, tested) in enumerate(masks_of(targets, "row", study.seed, 3))], axis=0)
    arrays["atlas"][f"{TASK}|row|true|logistic|layer_06"] = RIGHT + 100.0 * folds[:, None]
    found = tables(study, targets, arrays)
    leak = row(found["leakage.csv"], part="all")
    own = row(found["layers.csv"], model="atlas", layer=6, split="group", part="all")
    assert (leak["model"], leak["row_score"], leak["group_score"]) == ("atlas", 1.0, own["estimate"])
    assert leak["difference"] == pytest.approx(1.0 - own["estimate"])
    assert leak["upper"] == pytest.approx(1.0 - own["lower"])


def test_seeds_are_scored_in_their_own_folds_and_their_spread_told(study, targets, arrays):
    for seed in (1, 2):
        masks = masks_of(targets, f"group~seed{seed}", study.seed, 3, "truth")
        folds = np.sum([k * tested for k, (_, tested) in enumerate(masks)], axis=0)
        sign = 1.0 if seed == 1 else -1.0
        arrays["atlas"][f"{TASK}|group~seed{seed}|true|logistic|layer_06"] = sign * RIGHT + 100.0 * folds[:, None]
    found = tables(study, targets, arrays)
    own = row(found["layers.csv"], model="atlas", layer=6, split="group", part="all")["estimate"]
    spread = row(found["seeds.csv"], part="all")
    assert (spread["n_seeds"], spread["least"], spread["greatest"]) == (3, 0.0, 1.0)
    assert spread["mean"] == pytest.approx((own + 1.0 + 0.0) / 3)
    assert spread["sd"] == pytest.approx(np.std([own, 1.0, 0.0], ddof=1))


def test_a_learning_curve_ends_with_all_training_groups(study, targets, arrays):
    for share, values in ((10, -RIGHT), (30, halved(2))):
        arrays["atlas"][f"{TASK}|group~train{share}|true|logistic|layer_06"] = values
    table = tables(study, targets, arrays)["learning.csv"]
    curve = table[(table["part"] == "all") & (table["layer"] == 6)]
    assert curve["model"].tolist() == ["atlas"] * 3
    assert curve["share"].tolist() == [0.1, 0.3, 1.0]
    assert curve["estimate"].iloc[0] == 0.0
    assert curve["estimate"].is_monotonic_increasing


def test_pairs_are_resampled_by_the_blocks_they_share(study, targets, arrays):
    numbers = np.repeat(np.arange(N_GROUPS), 2)
    blocks = targets.assign(group_numbers=[f"{n % 7}|{7 + n % 5}" for n in numbers], fold_numbers=targets["fold"])
    task = replace(study.tasks[0], splits=("group", "numbers"))
    for model, names in (("text", ["text"]), ("atlas", ["layer_06"]), ("atlas-random", ["layer_06"])):
        for name in names:
            values = arrays[model][f"{TASK}|group|true|logistic|{name}"]
            arrays[model] = {f"{TASK}|{split}|true|logistic|{name}": values for split in task.splits}
    found = tables(replace(study, tasks=(task,)), blocks, arrays)["layers.csv"]
    by_split = {split: row(found, model="atlas", part="all", split=split) for split in task.splits}
    assert [by_split[split]["n_groups"] for split in task.splits] == [24, 12]
    assert by_split["group"]["estimate"] == by_split["numbers"]["estimate"]


def test_a_test_part_of_its_own_is_scored_alone_and_its_layer_chosen_in_training(study, targets, arrays):
    held = (np.repeat(np.arange(N_GROUPS), 2) % 3 == 0)[:, None]
    targets["fold"] = np.where(held[:, 0], "test", targets["fold"])
    # By the inner losses of `fits_of` layer 6 is the better one, in the test part layer 0.
    arrays["atlas"] |= {
        f"{TASK}|group|true|logistic|layer_00": np.where(held, RIGHT, -RIGHT),
        f"{TASK}|group|true|logistic|layer_06": np.where(held, -RIGHT, RIGHT),
    }
    found = tables(study, targets, arrays)
    by_layer = [row(found["layers.csv"], model="atlas", layer=k, split="group", part="all") for k in (0, 6)]
    assert [(one["estimate"], one["n"], one["n_groups"]) for one in by_layer] == [(1.0, 16, 8), (0.0, 16, 8)]
    best = row(found["best_layer.csv"], model="atlas", split="group", part="all")
    assert (best["layer"], best["estimate"]) == (6, 0.0), "the test part has no say in the choice"
