"""All that is fitted to one layer: which runs there are, what is written of them, and what bad input does."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from linear_probing import directions, probes, settings, store
from linear_probing.probing import code_length
from linear_probing.probing.layer import Probed, fit_portions, plan_of, probe_layer
from linear_probing.probing.protocol import ProbeError
from linear_probing.probing.runs import runs_of
from linear_probing.tables import Tables

N_GROUPS, D = 36, 6


@pytest.fixture
def study(tiny_content, root):
    tiny_content["models"]["atlas-random-1"] = {"twin_of": "atlas", "seed": 1}
    tiny_content |= {"permutations": 39, "probes": {"mean_difference": {}}, "learning": [0.3], "seeds": 2}
    return settings.parse(tiny_content, root / "config" / "tiny.yaml")


@pytest.fixture
def data():
    """Statements of 36 cities, two true and two false; folds of cities, and of a city's rows."""
    groups = np.repeat([f"city{number:02d}" for number in range(N_GROUPS)], 4)
    truth = np.tile([0, 1, 1, 0], N_GROUPS)
    targets = pd.DataFrame(
        {
            "target_id": [f"t{row}" for row in range(len(groups))],
            "text_id": [f"t{row}" for row in range(len(groups))],
            "group": groups,
            "type": groups,
            "part": np.where(np.arange(len(groups)) < 100, "seen", "unseen"),
            "fold": [str(int(group[4:]) % 3) for group in groups],
            "fold_types": [str(row % 3) for row in range(len(groups))],
            "truth": truth.astype(str),
        }
    )
    return Tables(targets[["text_id"]], targets)


@pytest.fixture
def states(data):
    random = np.random.default_rng(0)
    found = random.normal(size=(len(data.targets), D)).astype(np.float32)
    found[:, 0] += 1.5 * (data.targets["truth"] == "1")
    return found


@pytest.fixture
def task(study):
    return next(task for task in study.tasks if task.name == "cities.truth")


@pytest.fixture
def probed(study, task, data, states):
    found = Probed()
    probe_layer(found, states, 3, plan_of(study, task, data, full=True))
    return found


def test_the_headline_stands_first_and_every_drawn_split_follows(study, task, data):
    names = [(run.split, run.labeling) for run in runs_of(study, task, data, drawn=True)]
    stored = [("group", "true"), ("types", "true"), ("types", "control")]
    assert names == [*stored, ("group~seed1", "true"), ("row", "true"), ("group~train30", "true")]
    assert [(run.split, run.labeling) for run in runs_of(study, task, data, drawn=False)] == stored


def test_control_labels_are_one_for_each_type_and_the_same_for_every_layer(study, task, data):
    one, other = (runs_of(study, task, data, drawn=False)[2].labels for _ in range(2))
    assert np.array_equal(one, other)
    assert pd.Series(one).groupby(data.targets["type"]).nunique().eq(1).all()


def test_scores_fits_and_controls_of_a_layer_are_all_there(probed):
    keys = {key for key in probed.scores if key.count("|") == 4}
    own = [f"cities.truth|{split}|true|logistic|layer_03" for split in ("group", "types", "row", "group~seed1")]
    others = [
        f"cities.truth|{split}|mean_difference|layer_03" for split in ("group|true", "types|true", "types|control")
    ]
    expected = {
        *own,
        "cities.truth|types|control|logistic|layer_03",
        "cities.truth|group~train30|true|logistic|layer_03",
    }
    assert keys == expected | set(others)
    assert all(np.isfinite(probed.scores[key]).all() for key in keys)
    assert len(probed.fits) == 3 * len(keys)
    assert {row["converged"] for row in probed.fits} == {True}
    assert set(probed.permuted) == {f"cities.truth|{part}|layer_03" for part in ("all", "seen", "unseen")}
    assert {len(scores) for scores in probed.permuted.values()} == {40}


def test_the_signal_is_found_and_no_permutation_reaches_it(probed, data):
    truth = data.targets["truth"] == "1"
    scores = probed.scores["cities.truth|group|true|logistic|layer_03"][:, 0]
    assert roc_auc_score(truth, scores) > 0.8
    permuted = probed.permuted["cities.truth|all|layer_03"]
    assert permuted[0] > 0.8
    assert permuted[1:].max() < permuted[0]
    assert abs(permuted[1:].mean() - 0.5) < 0.05


def test_exported_directions_give_the_out_of_fold_scores_again(probed, data, states, tmp_path):
    directions.write(tmp_path, probed.directions)
    for probe in ("logistic", "mean_difference"):
        expected = probed.scores[f"cities.truth|group|true|{probe}|layer_03"]
        for fold in range(3):
            tested = (data.targets["fold"] == str(fold)).to_numpy()
            direction = directions.load(tmp_path, "cities.truth", layer=3, probe=probe, fold=fold)
            assert np.allclose(direction.score(states[tested]), expected[tested], atol=1e-4)
    assert directions.load(tmp_path, "cities.truth", layer=3).probe == "logistic"


def test_a_later_twin_has_the_main_probe_and_nothing_else(study, task, data, states):
    assert [study.is_later_twin(model) for model in study.models] == [False, False, True]
    found = Probed()
    probe_layer(found, states, 3, plan_of(study, task, data, full=False))
    keys = [key for key in found.scores if key.count("|") == 4]
    assert {key.split("|")[3] for key in keys} == {"logistic"}
    assert {key.split("|")[1] for key in keys} == {"group", "types"}
    assert [len(one) for one in (found.permuted, found.code, found.directions)] == [0, 0, 0]


def test_codes_by_all_fits_at_once_are_those_of_one_fit_after_the_other(data, states):
    labels, groups = data.targets["truth"].astype(int).to_numpy(), data.targets["group"].to_numpy(str)
    one, other = (
        code_length.code_length(states, labels, groups, [0.01, 1.0], np.random.default_rng(0), fit)
        for fit in (fit_portions, code_length.by_protocol)
    )
    assert len(one) > 3
    assert np.allclose([code.bits for code in one], [code.bits for code in other], rtol=2e-3)


def test_a_training_part_of_one_class_is_refused_by_name(study, task, data, states):
    targets = data.targets.assign(truth=np.where(data.targets["fold"] == "0", "1", "0"))
    plan = plan_of(study, task, replace(data, targets=targets), full=False)
    with pytest.raises(ProbeError) as error:
        probe_layer(Probed(), states, 0, plan)
    said = "split group without fold 0: a training part of 96 targets holds 1 class, expected at least 2"
    assert said in str(error.value)
    assert "do:     use a larger data set or fewer folds" in str(error.value)


def test_a_class_of_few_groups_and_a_fold_of_one_class_are_noted_in_every_fit(study, task, data, states):
    rare = (data.targets["group"].isin(["city00", "city01", "city02"]) & (data.targets["truth"] == "1")).to_numpy()
    folds = [str(int(group[4:]) % 5) for group in data.targets["group"]]
    changed = replace(data, targets=data.targets.assign(truth=np.where(rare, "1", "0"), fold=folds))
    found, plan = Probed(), plan_of(replace(study, n_folds=5), task, changed, full=False)
    probe_layer(found, states, 0, replace(plan, runs=plan.runs[:1]))
    notes = [row["note"] for row in found.fits]
    few = "class 1 stands in 3 of at least 5 groups"
    assert notes == [few] * 3 + [f"{few}; one class is tested"] * 2


def test_constant_features_and_states_that_two_groups_share_are_counted():
    states = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 2.0], [1.0, 2.0]], dtype=np.float32)
    found = probes.check_features(states, pd.Series(["a", "b", "b", "b"]))
    assert found == {"n_targets": 4, "n_constant_features": 1, "n_in_two_groups": 2}


def test_states_that_are_all_equal_say_nothing(study, task, data):
    """As at layer 0, where every statement ends in the same token."""
    found = Probed()
    states = np.ones((len(data.targets), D), dtype=np.float32)
    probe_layer(found, states, 0, plan_of(study, task, data, full=True))
    scores = found.scores["cities.truth|group|true|logistic|layer_00"]
    assert all(len(set(scores[data.targets["fold"] == fold, 0])) == 1 for fold in "012")
    assert set(found.permuted["cities.truth|all|layer_00"]) == {0.5}


def test_every_table_is_written_whole(probed, tmp_path):
    probes.write(tmp_path, replace(probed, checks=[{"dataset": "cities"}]), baselines=False)
    names = {path.name for path in tmp_path.iterdir()}
    tables = {"fits.csv", "checks.csv", "code.csv"}
    arrays = {"scores.safetensors", "permutations.safetensors", "directions.safetensors", "directions.json"}
    assert names == tables | arrays
    assert set(store.read_tensors(tmp_path / "permutations.safetensors")) == set(probed.permuted)
    named = ["task", "split", "labeling", "probe", "features"]
    columns = [*named, "penalty", "fold", "n_iterations", "converged", "note", "inner_loss"]
    assert list(pd.read_csv(tmp_path / "fits.csv")) == columns
