"""Transfer: no group on both sides, names of groups that mean something else, and cosines by hand."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from linear_probing import directions, store, tables, transfer
from linear_probing.directions import Direction, DirectionError
from linear_probing.probing.discriminants import MeanDifference
from linear_probing.transfer import Side, TransferError

D, LAYERS = 5, (0, 3)


def side(groups, folds, meaning="the city", task="a.truth", path=None):
    return Side(pd.DataFrame({"group": groups, "fold": folds}), meaning, path, (task,))


def direction(vector, task="a.truth", probe="logistic", layer=3, fold="all", **parts):
    vector = np.array([vector], dtype=float)
    d = vector.shape[1]
    given = {"mean": np.zeros(d), "scale": np.ones(d), "coefficients": vector, "intercept": np.zeros(1)} | parts
    return Direction(task, probe, layer, fold, ("0", "1"), "auroc", 0.03, **given)


def test_a_group_is_scored_by_the_directions_that_it_did_not_train():
    train = side(["Rome", "Rome", "Oslo", "Lima"], ["0", "0", "1", "2"])
    test = side(["Oslo", "Rome", "Paris"], ["0", "1", "2"], task="b.truth")
    # Fold 0 was trained by Oslo and Lima, fold 1 by Rome and Lima, fold 2 by Rome and Oslo.
    assert transfer.may_score(train, test).tolist() == [[False, True, False], [True, False, False], [True, True, True]]


def test_groups_of_one_name_and_another_meaning_are_not_the_same():
    train = side(["key", "lamp"], ["0", "1"], meaning="the subject's lemma")
    test = side(["key", "Rome"], ["0", "1"])
    assert transfer.may_score(train, test).all()


def test_a_row_of_two_blocks_trains_no_fold_of_either():
    train = side(["1-5", "2-7", "3-9"], ["0|1", "2", "1"])
    assert transfer.may_score(train, train).tolist() == [
        [True, True, False],
        [False, False, True],
        [False, True, False],
    ]


@pytest.fixture
def layer_states(tmp_path):
    states = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], dtype=np.float32)
    store.write_tensors(tmp_path / "shard-0-of-1.safetensors", {"layer_03": states}, {})
    return tmp_path


def test_scores_by_hand(layer_states):
    one = side(["Rome", "Oslo", "Lima"], ["0", "1", "1"], task="a.truth", path=layer_states)
    two = side(["x", "y", "z"], ["0", "0", "1"], "the word", task="b.truth", path=layer_states)
    learnt = [
        direction([1.0, 0.0], fold="all"),
        direction([1.0, 0.0], fold="0", mean=np.array([1.0, 0.0]), scale=np.array([2.0, 1.0]), intercept=np.ones(1)),
        direction([0.0, 1.0], fold="1"),
    ]
    found = transfer.score_layer([one, two], learnt)
    assert list(found) == ["a.truth|a.truth|logistic|layer_03", "a.truth|b.truth|logistic|layer_03"]
    nan = float("nan")
    own, other = found.values()
    # Fold 0, trained by Oslo and Lima: (x - 1) / 2 + 1; fold 1, trained by Rome: y.
    assert own == pytest.approx(np.array([[1.0, nan], [nan, 4.0], [nan, 6.0]]), nan_ok=True)
    assert other == pytest.approx(np.array([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]]))
    assert own.dtype == np.float32


def test_a_fold_without_a_direction_scores_nothing(layer_states):
    one = side(["Rome", "Oslo", "Lima"], ["0", "1", "2"], path=layer_states)
    (found,) = transfer.score_layer([one], [direction([1.0, 0.0], fold="2")]).values()
    assert found == pytest.approx(np.array([[np.nan] * 3, [np.nan] * 3, [np.nan, np.nan, 5.0]]), nan_ok=True)


def test_directions_of_another_model_are_refused(layer_states):
    one = side(["Rome", "Oslo", "Lima"], ["0", "1", "2"], path=layer_states)
    with pytest.raises(TransferError, match=r"(?s)layer 3 have 3 dimensions, its states 2.*do:     name folders"):
        transfer.score_layer([one], [direction([1.0, 0.0, 0.0], fold="0")])


def test_cosines_by_hand_each_pair_once():
    learnt = [
        direction([1.0, 0.0], layer=3),
        direction([3.0, 4.0], layer=3, task="b.truth"),
        direction([2.0, 4.0], layer=3, probe="lda", scale=np.array([2.0, 1.0])),  # (1, 4) in the space of the states
        direction([0.0, 2.0], layer=0),
        direction([-1.0, 0.0], layer=0, task="b.truth"),
        direction([9.0, 9.0], layer=0, fold="0"),
    ]
    table = transfer.cosine_table(learnt)
    assert tuple(table.columns) == transfer.COLUMNS
    found = {tuple(row[:6]): row[6] for row in table.itertuples(index=False)}
    a, b, lda = ("a.truth", "logistic"), ("b.truth", "logistic"), ("a.truth", "lda")
    expected = {
        (0, *a, 0, *b): 0.0,
        (0, *a, 3, *a): 0.0,
        (0, *b, 3, *b): -0.6,
        (3, *a, 3, *b): 0.6,
        (3, *a, 3, *lda): 1 / np.sqrt(17),
        (3, *b, 3, *lda): 19 / (5 * np.sqrt(17)),
    }
    assert found == pytest.approx(expected)
    assert len(table) == len(expected)


def test_a_direction_of_no_length_has_no_cosine():
    table = transfer.cosine_table([direction([0.0, 0.0]), direction([1.0, 0.0], task="b.truth")])
    assert table["cosine"].isna().all()
    assert transfer.cosine_table([]).columns.tolist() == list(transfer.COLUMNS)


def put_tables(folder, meaning, groups, folds, labels):
    folder.mkdir(parents=True)
    ids = [f"t{row}" for row in range(len(groups))]
    pd.DataFrame({"text_id": ids, "text": "some words"}).to_csv(folder / "texts.csv", index=False)
    columns = {"target_id": ids, "text_id": ids, "span_start": 0, "span_end": 4, "group": groups, "type": groups}
    columns |= {"part": "all", "fold": folds, "truth": labels, "number": labels}
    pd.DataFrame(columns).to_csv(folder / "targets.csv", index=False)
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in tables.FILES}
    (folder / tables.CARD).write_text(json.dumps({"sha256": digests, "group_meaning": meaning}))


DATA = {"cities": ("cities.truth", "the city"), "neg_cities": ("neg_cities.truth", "the city")}
DATA |= {"agreement": ("agreement.number", "the lemma")}


@pytest.fixture
def built(tmp_path, root):
    """Return the folders of three data sets, of which two share their groups and one their names, and a configuration.

    What is true shows in one direction of the states; in neg_cities in the opposite one; number in another.
    """
    random = np.random.default_rng(0)
    groups = np.repeat([f"group{number}" for number in range(60)], 4)
    folds = np.repeat(np.arange(60) % 3, 4)
    for place, (name, (task, meaning)) in enumerate(DATA.items()):
        labels = random.integers(0, 2, len(groups))
        put_tables(tmp_path / "datasets" / f"{name}-0", meaning, groups, (folds + place) % 3, labels)
        axis, sign = {"cities": (0, 4.0), "neg_cities": (0, -4.0), "agreement": (1, 4.0)}[name]
        states = {}
        learnt = []
        for layer in LAYERS:
            drawn = random.normal(size=(len(groups), D))
            drawn[:, axis] += sign * labels * (layer > 0)
            states[store.layer_name(layer)] = drawn = (drawn * [1, 2, 3, 4, 500.0]).astype(np.float32)
            for probe, estimator in (("logistic", LogisticRegression()), ("mean_difference", MeanDifference())):
                for fold in ("all", 0, 1, 2):
                    trains = (folds + place) % 3 != fold if fold != "all" else slice(None)
                    fitted = make_pipeline(StandardScaler(), estimator).fit(drawn[trains], labels[trains])
                    given = {"task": task, "probe": probe, "layer": layer, "names": ("0", "1"), "metric": "auroc"}
                    learnt.append(directions.from_pipeline(fitted, fold=str(fold), **given))
        store.write_tensors(tmp_path / "activations" / f"{name}-0" / "shard-0-of-1.safetensors", states, {})
        (tmp_path / "probes" / f"{name}-0").mkdir(parents=True)
        directions.write(tmp_path / "probes" / f"{name}-0", learnt)
    content = yaml.safe_load((root / "config" / "tiny.yaml").read_text())
    content["datasets"] |= {
        "neg_cities": {"builder": "city_statements", "n_cities": 60, "n_false": 3, "negated": True},
        "agreement": {"builder": "agreement", "n_draws": 2},
    }
    task = {"kind": "binary", "probe": "logistic", "splits": ["group"]}
    content["tasks"] |= {"neg_cities.truth": task, "agreement.number": task}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(content))
    return tmp_path


def command(folder, *names):
    named = [f"--{stage}" for stage in ("tables", "activations", "probes")]
    places = [[str(folder / stage / f"{name}-0") for name in names] for stage in ("datasets", "activations", "probes")]
    words = [word for option, paths in zip(named, places, strict=True) for word in (option, *paths)]
    given = ["--config", str(folder / "study.yaml"), "--model", "atlas", "--output", str(folder / "out"), *words]
    return [sys.executable, "-m", "linear_probing.transfer", *given]


def test_the_stage_scores_every_task_by_every_other_without_a_shared_group(built):
    done = subprocess.run(command(built, *DATA), check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    scores = store.read_tensors(built / "out" / transfer.SCORES)
    tasks = [task for task, _ in DATA.values()]
    probes = ("logistic", "mean_difference")
    assert set(scores) == {
        f"{a}|{b}|{probe}|layer_{n:02d}" for a in tasks for b in tasks for probe in probes for n in LAYERS
    }
    labels = {
        task: pd.read_csv(built / "datasets" / f"{name}-0" / "targets.csv")["truth"].to_numpy()
        for name, (task, _) in DATA.items()
    }

    def auroc(train, test, layer=3):
        found = scores[f"{train}|{test}|logistic|layer_{layer:02d}"]
        rows = ~np.isnan(found)
        return np.mean([roc_auc_score(labels[test][rows[:, k]], found[rows[:, k], k]) for k in range(3)])

    own = scores["cities.truth|cities.truth|logistic|layer_03"]
    assert (np.isnan(own).sum(axis=1) == 2).all(), "each target by the one fold that it did not train"
    shared = scores["cities.truth|neg_cities.truth|logistic|layer_03"]
    assert (np.isnan(shared).sum(axis=1) == 2).all()
    assert not np.isnan(scores["cities.truth|agreement.number|logistic|layer_03"]).any(), "names alone are alike"
    assert auroc("cities.truth", "cities.truth") > 0.95
    assert auroc("cities.truth", "neg_cities.truth") < 0.05
    assert 0.35 < auroc("cities.truth", "agreement.number") < 0.65
    assert 0.35 < auroc("cities.truth", "cities.truth", 0) < 0.65
    cosines = pd.read_csv(built / "out" / transfer.COSINES)
    n_items = len(tasks) * len(probes)
    assert len(cosines) == len(LAYERS) * n_items * (n_items - 1) // 2 + n_items
    pair = cosines.query("layer == 3 and other_layer == 3 and probe == 'logistic' and other_probe == 'logistic'")
    pair = pair.set_index(["task", "other_task"])["cosine"]
    assert pair["cities.truth", "neg_cities.truth"] < -0.7


def test_scores_are_those_of_the_direction(built):
    subprocess.run(command(built, *DATA), check=True, capture_output=True)
    found = store.read_tensors(built / "out" / transfer.SCORES)[
        "cities.truth|agreement.number|mean_difference|layer_03"
    ]
    states = store.read_layer(built / "activations" / "agreement-0", 3, len(found))
    for fold in range(3):
        one = directions.load(built / "probes" / "cities-0", "cities.truth", 3, "mean_difference", fold)
        assert found[:, fold] == pytest.approx(one.score(states)[:, 0], rel=1e-5, abs=1e-5)


def test_without_binary_tasks_the_tables_are_empty(built):
    done = subprocess.run(command(built), check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert store.read_tensors(built / "out" / transfer.SCORES) == {}
    assert (built / "out" / transfer.COSINES).read_text() == ",".join(transfer.COLUMNS) + "\n"


def test_a_data_set_without_activations_or_directions_is_an_error(built):
    words = command(built, "cities", "agreement")
    words.remove(str(built / "activations" / "agreement-0"))
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "TransferError: no activations were given for agreement" in done.stderr
    assert "do:     name the folders of the same data sets" in done.stderr
    (built / "probes" / "cities-0" / directions.WORDS).unlink()
    sides = {"cities": Side(pd.DataFrame(), "", built, ("cities.truth",))}
    with pytest.raises(DirectionError, match=r"directions.json cannot be read"):
        transfer.compute(sides, [built / "probes" / "cities-0"])
