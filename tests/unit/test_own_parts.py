"""A data set with training, development and test parts of its own: its cells, its fits, a study of it to the end."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from linear_probing import figures, gallery, probes, report, statistics, store, tables
from linear_probing.builders.draft import own_types
from linear_probing.drawing import tables as drawn
from linear_probing.drawing.plan import planned
from linear_probing.estimation.scores import Scores, StatisticsError
from linear_probing.probing import protocol
from linear_probing.probing.layer import Probed, plan_of, probe_layer
from linear_probing.probing.runs import runs_of
from linear_probing.probing.sweep import Run, sweep
from linear_probing.reporting import tables as reported
from linear_probing.solving import logistic
from linear_probing.tables import DatasetError, Tables

N, D, TASK = 480, 12, "word_class.word_class"
CLASSES = ("adjective", "noun", "verb")
LAYERS = (0, 3, 6)


def words():
    """Return words of 48 documents in three parts; a test word in four is of a type that stands nowhere else."""
    random = np.random.default_rng(0)
    document = np.arange(N) // 10
    fold = np.where(document % 4 == 0, "test", np.where(document % 4 == 1, "0", "train"))
    kind = random.integers(3, size=N)
    new = (fold == "test") & (np.arange(N) % 4 == 0)
    types = [f"{CLASSES[k]}{'new' if new[row] else ''}{row % 5}" for row, k in enumerate(kind)]
    table = pd.DataFrame(
        {
            "target_id": [f"w{row}" for row in range(N)],
            "text_id": [f"t{row}" for row in range(N)],
            "span_start": 0,
            "span_end": 4,
            "group": [f"d{number:02d}" for number in document],
            "type": types,
            "part": "",
            "fold": fold,
            "fold_types": own_types(types, list(fold)),
            "word_class": [CLASSES[k] for k in kind],
        }
    )
    return Tables(pd.DataFrame({"text_id": table["text_id"], "text": [f"{name} runs" for name in types]}), table)


def states_of(data, layer):
    random = np.random.default_rng(layer)
    labels = np.unique(data.targets["word_class"], return_inverse=True)[1]
    return (random.normal(size=(N, D)) + 0.1 * layer * np.eye(3, D)[labels] * 3).astype(np.float32)


@pytest.fixture(scope="module")
def study(tiny):
    """Return a study of words alone, by all that a study has."""
    task = replace(next(task for task in tiny.tasks if task.name == TASK), splits=("group", "types"))
    penalties = {**tiny.penalties, "logistic": (0.001, 0.03)}
    chosen = tuple(probe for probe in tiny.probes if probe.name == "mean_difference")
    dataset = tiny.dataset("word_class")
    return replace(
        tiny, tasks=(task,), datasets=(dataset,), penalties=penalties, probes=chosen, n_seeds=3, code_length=False
    )


@pytest.fixture(scope="module")
def probed(study):
    """Return what the stage of probes finds, by model."""
    data, found = words(), {"atlas": Probed(), "atlas-random": Probed()}
    plan = plan_of(study, study.tasks[0], data, full=True)
    for number, model in enumerate(found):
        for layer in LAYERS:
            probe_layer(found[model], states_of(data, layer * (1 - number)), layer, plan)
            found[model].checks.append({"dataset": "word_class", "features": store.layer_name(layer), "n_targets": N})
    return {**found, "text": probes.probe_baselines(study, data, "word_class")}


@pytest.fixture(scope="module")
def computed(study, probed):
    fits = [pd.DataFrame(one.fits).assign(model=model) for model, one in probed.items()]
    checks = pd.concat([pd.DataFrame(one.checks).assign(model=model) for model, one in probed.items()])
    checks = checks.assign(n_constant_features=0, n_in_two_groups=0)
    scores = Scores(
        {"word_class": words().targets},
        {model: one.scores for model, one in probed.items()},
        pd.concat(fits, ignore_index=True),
        {model: one.permuted for model, one in probed.items()},
        checks,
    )
    return statistics.compute(study, scores)


def with_cells(fold, group):
    data = words()
    return Tables(data.texts, data.targets.iloc[: len(fold)].assign(fold=list(fold), group=list(group)))


def test_a_test_row_of_a_type_that_never_trains_is_left_out_of_the_split_by_types(tmp_path):
    data = tables.validate(words(), tmp_path)
    by_part = pd.crosstab(data.targets["fold"], data.targets["fold_types"])
    assert by_part.loc["test"].to_dict() == {"0": 0, "test": 84, "train": 0, "unused": 36}
    (train, tested), (inner, development) = tables.fold_masks(data.targets["fold_types"])
    assert set(data.targets["type"][tested]) <= set(data.targets["type"][train])
    assert (train == inner | development).all()
    assert not (inner & development).any()


@pytest.mark.parametrize("other", ["0", "test"])
def test_a_group_in_two_parts_is_refused_but_for_rows_that_are_unused(tmp_path, other):
    cells = ["train", other, "0", "test"]
    with pytest.raises(DatasetError, match=r"group 'a' stands in 2 folds of split group"):
        tables.validate(with_cells(cells, "aabc"), tmp_path)
    tables.validate(with_cells(["train", "unused", "0", "test"], "aabc"), tmp_path)


def test_cells_that_say_nothing_are_refused(tmp_path):
    with pytest.raises(DatasetError, match="fold has the cell 'dev', expected a number"):
        tables.validate(with_cells(["train", "dev", "test"], "abc"), tmp_path)
    for cells in (["train", "train", "test"], ["train", "0", "0"]):
        with pytest.raises(DatasetError, match="fold has the cell train, but not both test and a fold"):
            tables.validate(with_cells(cells, "abc"), tmp_path)


def test_no_split_is_drawn(study):
    runs = runs_of(study, study.tasks[0], words(), drawn=True)
    assert study.n_seeds > 1
    assert study.learning
    assert [(run.split, run.labeling) for run in runs] == [("group", "true"), ("types", "true"), ("types", "control")]


@pytest.mark.parametrize(("probe", "penalties"), [("logistic", (0.001, 0.1)), ("ridge_classifier", (30.0, 3000.0))])
def test_the_test_part_alone_is_fitted_for_and_scored_as_by_the_protocol(probe, penalties):
    data = words()
    labels, masks = (
        np.unique(data.targets["word_class"], return_inverse=True)[1],
        tables.fold_masks(data.targets["fold"]),
    )
    states, run = states_of(data, 3), Run("group", "true", labels, masks)
    swept = sweep(states, [run], probe, penalties, 3)
    expected = protocol.probe_out_of_fold(states.astype(np.float64), labels, masks, probe, penalties)
    test = masks[0][1]
    for found in (swept.outcomes[0], expected):
        assert [fit.fold for fit in found.fits] == [0]
        assert (np.isfinite(found.scores).all(axis=1) == test).all()
    fitted = protocol.fit(probe, swept.outcomes[0].fits[0].penalty, states[~test].astype(np.float64), labels[~test])
    decision = protocol.outputs(fitted, states[test].astype(np.float64), 3)
    centred = (each - each.mean(axis=1, keepdims=True) for each in (swept.outcomes[0].scores[test], decision))
    np.testing.assert_allclose(*centred, atol=1e-2)
    assert expected.fits[0].penalty == swept.outcomes[0].fits[0].penalty
    assert [linear.fold for linear in swept.probes] == [0, None]
    assert np.array_equal(swept.probes[0].coefficients, swept.probes[1].coefficients), "the test part trains nothing"


def test_what_splits_share_is_solved_once(study, monkeypatch):
    asked = []
    fit = logistic.fit
    monkeypatch.setattr(logistic, "fit", lambda *given: asked.append(given[2]) or fit(*given))
    data = words()
    probe_layer(
        Probed(), states_of(data, 3), 3, replace(plan_of(study, study.tasks[0], data, full=True), shuffled=None)
    )
    assert [len(problems) for problems in asked] == [4, 2], "two labelings, two penalties; then one penalty each"


def test_scores_are_kept_of_the_test_part_and_found_in_their_place(study, probed):
    rows = np.flatnonzero(words().targets["fold_types"] == "test")
    kept = probed["atlas"].scores
    assert kept[f"rows|{TASK}|types"].tolist() == rows.tolist()
    key = f"{TASK}|types|control|mean_difference|layer_03"
    assert kept[key].shape == (84, 3)
    scores = Scores({"word_class": words().targets}, {"atlas": kept}, pd.DataFrame())
    found = scores.find("atlas", study.tasks[0], "types", "control", "mean_difference", "layer_03")
    assert np.array_equal(found[rows], kept[key])
    assert np.isnan(np.delete(found, rows, axis=0)).all()
    short = Scores({"word_class": words().targets}, {"atlas": {**kept, key: kept[key][:5]}}, pd.DataFrame())
    with pytest.raises(StatisticsError, match="have 5 rows, but there are 480 targets, of which 84 are scored"):
        short.find("atlas", study.tasks[0], "types", "control", "mean_difference", "layer_03")


def test_a_study_of_it_has_every_table(computed):
    for name in ("seeds.csv", "leakage.csv", "learning.csv"):
        assert computed[name].empty
    for name in ("layers.csv", "best_layer.csv", "selectivity.csv", "probes.csv", "metrics.csv", "significance.csv"):
        assert not computed[name].empty
    layers = computed["layers.csv"].set_index(["model", "split", "layer"])
    assert layers.loc["atlas", "group"][["n", "n_groups"]].drop_duplicates().to_numpy().tolist() == [[120, 12]]
    assert layers.loc[("atlas", "types", 6), "n"] == 84
    assert layers.loc[("atlas", "group", 6), "estimate"] > layers.loc[("atlas-random", "group", 6), "estimate"] + 0.2
    best = computed["best_layer.csv"].set_index(["model", "split"])
    assert best.loc[("atlas", "group"), "layer"] == 6, "chosen by the development part"
    assert set(computed["fits.csv"]["n_fits"]) == {1}


def test_it_is_summed_up(study, computed):
    names = ("best_layer.csv", "probes.csv", "best_layer_significance.csv")
    found = statistics.summaries(study, *(computed[name] for name in names))[f"atlas/{TASK}.json"]
    assert {"estimate", "random_weights", "text_baseline", "control", "p_holm", "interval", "layer"} <= set(found)


@pytest.mark.slow
def test_its_tables_are_drawn_shown_and_reported(study, computed, tmp_path):
    for name, table in computed.items():
        table.to_csv(tmp_path / name, index=False, float_format=statistics.PRECISION)
    output = tmp_path / "figures"
    output.mkdir()
    assert figures.save(study, drawn.read(tmp_path), output) > len(figures.names(study))
    order = [one.name for one in planned(study)]
    assert gallery.write(output, tmp_path / "page", study.name, "x.yaml", order) == len(order)
    assert "</html>" in report.make(study, reported.read(tmp_path))
