"""Selectivity, leakage and effort: the axes hold the tables' numbers, and what is absent is said."""

import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PolyCollection

from linear_probing.drawing import effort, leakage, selectivity, style
from linear_probing.drawing.tables import COLUMNS

LAYERS = (0, 3, 6)
TASKS = {"place.position": ("ridge", "r2"), "cities.truth": ("logistic", "auroc")}
SIZES = {"n": 720, "n_groups": 180}


@pytest.fixture(autouse=True)
def look():
    with style.theme():
        yield


def table(name, **changing):
    """Return a table with a row for each combination of what changes; numbers grow with model, task, part and layer."""
    rows = []
    keys = {
        "model": ["atlas", "atlas-random"],
        "task": list(TASKS),
        "part": ["all", "unseen"],
        "layer": LAYERS,
    } | changing
    for values in itertools.product(*keys.values()):
        row = dict(zip(keys, values, strict=True))
        probe, metric = TASKS[row["task"]]
        rank = sum(
            list(keys[key]).index(row[key]) * weight for key, weight in zip(keys, (0.3, 0.1, 0.05, 0.02), strict=False)
        )
        numbers = {kind: rank for kind, of in COLUMNS[name].items() if of == "number"}
        bounds = {"lower": rank - 0.1, "upper": rank + 0.1}
        rows.append({"probe": probe, "metric": metric, **SIZES, **numbers, **bounds, **row})
    return pd.DataFrame(rows)[list(COLUMNS[name])]


@pytest.fixture
def selective():
    return table("selectivity.csv")


@pytest.fixture
def probes():
    found = table("probes.csv", probe=["mean_difference", "mlp"], split=["group", "types"])
    return found.assign(selectivity=found["selectivity"] + found["probe"].map({"mean_difference": 0.2, "mlp": 0.25}))


@pytest.fixture
def leaky():
    found = table("leakage.csv")
    return found.assign(row_score=found["group_score"] + 0.1, difference=0.1, lower=0.05, upper=0.15)


@pytest.fixture
def learning():
    found = table("learning.csv", share=[0.1, 0.3, 1.0])
    return found.assign(estimate=found["layer"] / 10 + found["share"] / 5)


@pytest.fixture
def code():
    rows = [
        (model, "cities.truth", f"layer_{layer:02}", layer, 2, 10, 2800, 1.2 + layer * (model == "atlas"))
        for model in ("atlas", "atlas-random")
        for layer in LAYERS
    ]
    return pd.DataFrame(
        [*rows, ("atlas", "cities.truth", "text", np.nan, 2, 10, 2800, 9.0)], columns=list(COLUMNS["code_length.csv"])
    )


def lines(axes):
    return [np.asarray(line.get_ydata(), dtype=float).round(9).tolist() for line in axes.lines]


def of(rows, column, **wanted):
    for name, value in wanted.items():
        rows = rows[rows[name] == value]
    return rows[column].round(9).tolist()


def words(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts if text.get_text()]


def entries(figure):
    inside = [axes.get_legend() for axes in figure.axes if axes.get_legend()]
    legends = [*inside, *(one for part in (figure, *figure.subfigs) for one in part.legends)]
    return [text.get_text() for legend in legends for text in legend.get_texts()]


def test_selectivity_is_drawn_with_intervals_zero_twin_and_further_probes(selective, probes):
    figure = selectivity.draw(selective, probes, "atlas", "atlas-random")
    place, truth = figure.axes
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["Place of a city", "Truth of “X is in C”"]
    assert [axes.get_ylabel() for axes in figure.axes] == ["difference of R²", "difference of AUROC"]
    for axes, task in ((place, "place.position"), (truth, "cities.truth")):
        where = {"task": task, "part": "unseen"}
        assert lines(axes) == [
            [0, 0],
            of(selective, "selectivity", model="atlas", **where),
            of(selective, "selectivity", model="atlas-random", **where),
            of(probes, "selectivity", model="atlas", probe="mean_difference", split="types", **where),
            of(probes, "selectivity", model="atlas", probe="mlp", split="types", **where),
        ]
        bands = [shape for shape in axes.collections if isinstance(shape, PolyCollection)]
        assert len(bands) == 2
        low = min(of(selective, "lower", task=task, part="unseen"))
        assert axes.get_ylim()[0] < min(low, 0)
        assert axes.get_ylim()[1] > max(of(probes, "selectivity", model="atlas", split="types", **where))
        assert axes.get_xlim() == pytest.approx((-0.75, 6.75))
    assert entries(figure) == [
        "atlas, the task’s own probe",
        "atlas-random (random weights)",
        "difference of means",
        "multilayer perceptron",
        "band: bootstrap interval",
    ]


def test_the_limits_of_selectivity_hold_no_number_that_is_not_drawn(selective, probes):
    """In probes.csv, lower and upper are of the estimate."""
    far = probes.assign(lower=-9.0, upper=9.0)
    limits = [selectivity.draw(selective, rows, "atlas", None).axes[0].get_ylim() for rows in (probes, far)]
    assert limits[0] == limits[1]


def test_selectivity_says_what_it_shows_and_which_tasks_have_none(selective, probes, tiny):
    layers = pd.DataFrame({"model": "atlas", "task": ["place.position", "cities.truth", "agreement.number"]})
    assert selectivity.caption(selective, probes, layers, "atlas", "atlas-random", tiny) == (
        "Selectivity of atlas by layer, beside that of atlas-random (random weights): the score on the task minus"
        " that on its control task, which gives each type one random label; both under a split whose test types "
        "occur in training as well. Not drawn, for want of a control task: Number of the subject. Scores are on "
        "unseen groups. Bands: 90 % intervals, bootstrap over groups (50 resamples). Further probes, without "
        "intervals: difference of means and multilayer perceptron. n = 720 targets in 180 groups. Probe: ridge "
        "regression (Place of a city); logistic regression (Truth of “X is in C”)."
    )


def test_a_study_without_control_tasks_says_so(selective, probes, tiny):
    figure = selectivity.draw(selective.iloc[:0], probes, "atlas", None)
    assert [text.get_text() for text in figure.texts] == ["No selectivity: no task of atlas has a control task."]
    layers = pd.DataFrame({"model": "atlas", "task": ["cities.truth"]})
    told = selectivity.caption(selective.iloc[:0], probes, layers, "atlas", None, tiny)
    assert told == "No selectivity: no task of atlas has a control task."


def test_one_layer_sets_its_probes_side_by_side_with_bars(selective, probes):
    one, other = selective[selective["layer"] == 3], probes[probes["layer"] == 3]
    axes = selectivity.draw(one, other, "atlas", "atlas-random").axes[0]
    places = [float(line.get_xdata()[0]) for line in axes.lines[1:]]
    assert len(set(places)) == 4
    assert np.mean(places) == pytest.approx(3)
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["3"]
    assert sum(isinstance(shape, LineCollection) for shape in axes.collections) == 2


def test_what_is_undefined_is_counted_and_an_empty_panel_says_so(selective, probes, tiny):
    selective.loc[selective["layer"] == 0, ["lower", "upper"]] = np.nan
    layers = pd.DataFrame({"model": "atlas", "task": list(TASKS)})
    told = selectivity.caption(selective, probes, layers, "atlas", None, tiny)
    assert "; 2 of 6 are undefined and not drawn." in told
    selective.loc[selective["task"] == "cities.truth", "selectivity"] = np.nan
    figure = selectivity.draw(selective, probes.iloc[:0], "atlas", None)
    assert [words_of.get_text() for words_of in figure.axes[1].texts] == ["no score is defined"]
    assert figure.axes[0].texts[:] == []


def test_a_probe_of_ones_own_is_drawn_by_its_name(selective, probes):
    mine = probes.assign(probe=probes["probe"].replace("mlp", "forest"))
    assert "forest" in entries(selectivity.draw(selective, mine, "atlas", None))


def test_leakage_draws_both_splits_and_their_difference_below(leaky):
    figure = leakage.draw(leaky, "atlas")
    assert len(figure.axes) == 4
    for column, task in enumerate(TASKS):
        scores, below = figure.axes[column], figure.axes[2 + column]
        where = {"model": "atlas", "task": task, "part": "unseen"}
        assert lines(scores) == [of(leaky, "group_score", **where), of(leaky, "row_score", **where)]
        assert lines(below) == [[0, 0], of(leaky, "difference", **where)]
        (band,) = below.collections
        assert band.get_paths()[0].vertices[:, 1].min() == pytest.approx(0.05)
        assert band.get_paths()[0].vertices[:, 1].max() == pytest.approx(0.15)
        assert scores.get_xlim() == below.get_xlim()
        assert below.get_xlabel() == "layer (0: embedding)"
    assert figure.axes[2].get_ylim() == figure.axes[3].get_ylim()


def test_leakage_says_what_it_shows(leaky, tiny):
    told = leakage.caption(leaky, "atlas", tiny)
    assert "Bands, of the paired difference: 90 % intervals, bootstrap over groups (50 resamples)." in told
    assert "n = 720 targets in 180 groups. Probe: ridge regression (Place of a city); logistic" in told


def test_a_model_without_a_split_by_row_says_so(leaky, tiny):
    figure = leakage.draw(leaky, "other")
    assert [text.get_text() for text in figure.texts] == [
        "No comparison of splits: other was not probed under a split by row."
    ]
    assert leakage.caption(leaky, "other", tiny) == figure.texts[0].get_text()


def test_effort_draws_compressions_of_layers_on_a_scale_of_ratios(code, learning):
    figure = effort.draw(code, learning, "atlas", "atlas-random")
    panel = figure.axes[0]
    assert lines(panel) == [[1, 1], [1.2, 4.2, 7.2], [1.2, 1.2, 1.2]]
    assert panel.get_yscale() == "log"
    assert panel.get_ylim()[1] > 7.2, "and not that of the text, 9"
    assert entries(figure)[:2] == ["Truth of “X is in C”", "thin: atlas-random (random weights)"]


def test_effort_draws_learning_curves_of_some_layers(code, learning):
    figure = effort.draw(code, learning, "atlas", "atlas-random")
    place = figure.axes[2]
    assert place.get_title(loc="left") == "Place of a city"
    assert lines(place) == [[round(layer / 10 + share / 5, 9) for share in (0.1, 0.3, 1)] for layer in LAYERS]
    assert place.get_xscale() == "log"
    assert [tick.get_text() for tick in place.get_xticklabels()] == ["10 %", "30 %", "100 %"]
    assert sum(isinstance(shape, LineCollection) for shape in place.collections) == 3
    assert entries(figure)[-3:] == ["layer 0", "layer 3", "layer 6"]
    middle = np.array([np.log(line.get_xdata()) for line in place.lines]).mean(axis=0)
    assert np.exp(middle) == pytest.approx([0.1, 0.3, 1.0]), "bars stand about the share, beside each other"


def test_effort_draws_what_there_is(code, learning, tiny):
    assert len(effort.draw(code, learning.iloc[:0], "atlas", None).axes) == 2
    assert len(effort.draw(code.iloc[:0], learning, "atlas", None).axes) == 2
    empty = (code.iloc[:0], learning.iloc[:0], "atlas", None)
    assert "the study asked for none of atlas" in effort.draw(*empty).texts[0].get_text()
    assert effort.caption(*empty, tiny) == "No code lengths and no learning curves: the study asked for none of atlas."


def test_effort_says_what_it_shows(code, learning, tiny):
    told = effort.caption(code, learning, "atlas", "atlas-random", tiny)
    assert "learns in 10 portions" in told
    assert "Coded: 2,800 labels." in told
    assert "the score after 10 %, 30 % and 100 % of the training groups, at layer 0, 3 and 6." in told
    assert "Bars: 90 % intervals" in told
