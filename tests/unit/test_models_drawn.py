"""Overview and models: every number of the headline is in a cell, tests are marked, models stand by relative depth."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from linear_probing import figures, settings
from linear_probing.drawing import captions, models, overview, style
from linear_probing.drawing.plan import N_COMPARED, planned
from linear_probing.drawing.tables import COLUMNS, FigureError
from linear_probing.settings import Bootstrap

BOOTSTRAP = Bootstrap(n_resamples=1000, confidence=0.95)
TASKS = {"cities.truth": ("logistic", "auroc", 0.5), "place.position": ("ridge", "r2", 0.0)}


@pytest.fixture(autouse=True)
def look():
    with style.theme():
        yield


def scores(model, layers, tasks=tuple(TASKS), shift=0.0):
    rows = []
    for task in tasks:
        probe, metric, majority = TASKS[task]
        for number, layer in enumerate(layers):
            value = 0.4 + shift + 0.5 * number / max(1, len(layers) - 1)
            key = (model, task, "all", "group", probe, metric, layer)
            rows.append((*key, value, value - 0.05, value + 0.05, 720, 180, majority, np.nan, np.nan))
    return pd.DataFrame(rows, columns=list(COLUMNS["layers.csv"]))


def permuted(model, layer):
    rows = [(model, task, "headline", "all", layer, p, 2, 1000) for task, p in zip(TASKS, (0.002, 0.7), strict=True)]
    return pd.DataFrame(rows, columns=list(COLUMNS["best_layer_significance.csv"]))


@pytest.fixture
def layers():
    return pd.concat([scores("atlas", (0, 3, 6)), scores("atlas-random", (0, 3, 6), shift=-0.1)])


@pytest.fixture
def tested():
    return pd.concat([permuted("atlas", 6.0), permuted("atlas-random", 0.0)])


def words(axes):
    return [text.get_text() for text in axes.texts]


def frames(axes):
    return [patch for patch in axes.patches if isinstance(patch, Rectangle) and not patch.get_fill()]


def test_each_cell_of_the_overview_says_its_score_and_its_twin_stands_beside(layers, tested):
    own, twin, bar = overview.draw(layers, tested, "atlas", "atlas-random", BOOTSTRAP).axes
    assert words(own) == [".40", ".65", ".90", ".40", ".65", ".90", "0.002", "0.7", "p"]
    assert words(twin)[:6] == [".30", ".55", ".80", ".30", ".55", ".80"]
    assert [tick.get_text() for tick in own.get_yticklabels()] == [
        "Truth of “X is in C” (AUROC)",
        "Place of a city (R²)",
    ]
    assert [tick.get_text() for tick in own.get_xticklabels()] == ["0", "3", "6"]
    assert twin.get_title(loc="left") == "atlas-random (random weights)"
    assert [tick.get_text() for tick in bar.get_yticklabels()] == ["majority", "1"]


def test_colours_run_from_the_majority_to_one(layers, tested):
    mesh = overview.draw(layers, tested, "atlas", None, BOOTSTRAP).axes[0].collections[0]
    assert np.asarray(mesh.get_array()).ravel() == pytest.approx([0, 0.3, 0.8, 0.4, 0.65, 0.9])
    assert mesh.get_clim() == (0, 1)
    shades = [np.dot(to_rgb(overview.COLOURS(share)), (0.299, 0.587, 0.114)) for share in np.linspace(0, 1, 11)]
    assert (np.diff(shades) < -0.01).all(), "a print in grey keeps their order"


def test_the_best_layer_is_framed_by_its_significance(layers, tested):
    own = overview.draw(layers, tested, "atlas", None, BOOTSTRAP).axes[0]
    significant, other = frames(own)
    assert [(int(one.get_x()), int(one.get_y())) for one in (significant, other)] == [(2, 0), (2, 1)]
    assert significant.get_linestyle() in ("-", "solid")
    assert other.get_linestyle() not in ("-", "solid")


def test_a_cell_without_a_score_is_hatched_and_told(layers, tested):
    layers.loc[(layers["layer"] == 3) & (layers["task"] == "cities.truth"), ["estimate", "lower", "upper"]] = np.nan
    own = overview.draw(layers, tested, "atlas", None, BOOTSTRAP).axes[0]
    assert words(own)[:5] == [".40", ".90", ".40", ".65", ".90"]
    assert np.ma.getmaskarray(own.collections[0].get_array()).sum() == 1
    assert own.patches[0].get_hatch()
    assert "Hatched: no score is defined." in overview.caption(layers, tested, "atlas", None, BOOTSTRAP)


def test_the_overview_says_how_it_is_scaled_and_corrected(layers, tested):
    assert overview.caption(layers, tested, "atlas", "atlas-random", BOOTSTRAP) == (
        "Scores of atlas and of atlas-random (random weights) by task and layer, groups held out. Numbers are the"
        " scores in each task’s metric. Colour makes metrics comparable: (score - majority) / (1 - majority), "
        "white where a score is no better than the majority baseline, darkest at 1. p of the ridge probe’s "
        "greatest score over layers by 1,000 label permutations, with Holm’s correction over 2 tasks. Frames: the"
        " layer of that score, solid where p < 0.05, else dotted. n = 720 targets in 180 groups. Probe: logistic "
        "regression (Truth of “X is in C”); ridge regression (Place of a city)."
    )


def test_a_study_without_permutations_has_an_overview_without_frames(layers, tested):
    own = overview.draw(layers, tested.iloc[:0], "atlas", None, BOOTSTRAP).axes[0]
    assert frames(own) == []
    assert words(own) == [".40", ".65", ".90", ".40", ".65", ".90"]
    told = overview.caption(layers, tested.iloc[:0], "atlas", None, BOOTSTRAP)
    assert "No p-values: the study asked for no permutation test." in told


def test_many_layers_stand_over_each_other_and_the_framed_ones_stay(layers):
    deep = pd.concat([scores("deep", range(81)), scores("deep-random", range(81))])
    figure = overview.draw(deep, permuted("deep", 1.0), "deep", "deep-random", BOOTSTRAP)
    own, twin, _ = figure.axes
    assert own.get_position().y0 > twin.get_position().y1
    assert own.get_xlim() == (0, overview.MAX_LAYERS + 1), "layer 1 is none of those chosen evenly"
    assert {text.get_rotation() for text in own.texts[:80]} == {90.0}
    assert len(frames(own)) == 2
    assert "41 of 81 layers, chosen evenly, and those with a frame" in overview.caption(
        deep, permuted("deep", 1.0), "deep", "deep-random", BOOTSTRAP
    )


def test_one_layer_and_a_twin_without_a_task_still_read(tested):
    rows = pd.concat([scores("atlas", [3]), scores("atlas-random", [3], tasks=["cities.truth"])])
    own, twin, _ = overview.draw(rows, tested, "atlas", "atlas-random", BOOTSTRAP).axes
    assert words(own)[:2] == [".40", ".40"]
    assert words(twin)[0] == ".40"
    assert np.ma.getmaskarray(twin.collections[0].get_array()).ravel().tolist() == [False, True]


def test_a_model_that_is_not_there_is_named(layers, tested):
    with pytest.raises(FigureError, match=r"layers\.csv has no row of stranger; it has atlas, atlas-random"):
        overview.draw(layers, tested, "stranger", None, BOOTSTRAP)
    with pytest.raises(FigureError, match=r"layers\.csv has no row of stranger; it has atlas, atlas-random"):
        models.draw(layers, ["atlas", "stranger"], {"atlas": 6, "stranger": 6})


def test_models_of_two_depths_stand_by_their_share_of_it():
    rows = pd.concat([scores("small", (0, 3, 6)), scores("large", (0, 6, 12, 24), shift=0.02)])
    figure = models.draw(rows, ["small", "large"], {"small": 6, "large": 24})
    for axes in figure.axes:
        small, large = axes.lines
        assert small.get_xdata().tolist() == [0, 0.5, 1]
        assert large.get_xdata().tolist() == [0, 0.25, 0.5, 1]
        assert small.get_ydata().tolist() == pytest.approx([0.4, 0.65, 0.9])
        assert len(axes.collections) == 2
        assert axes.get_xlabel() == "layer / number of layers (0: embedding)"


def test_models_of_one_depth_stand_by_layer(tiny):
    rows = pd.concat([scores("one", (0, 3, 6)), scores("two", (0, 3, 6))])
    axes = models.draw(rows, ["one", "two"], {"one": 6, "two": 6}).axes[0]
    assert axes.lines[0].get_xdata().tolist() == [0, 3, 6]
    assert axes.get_xlabel() == "layer (0: embedding)"
    assert "Numbers of layers" not in models.caption(rows, ["one", "two"], {"one": 6, "two": 6}, tiny)


def test_a_model_without_one_task_is_named(tiny):
    rows = pd.concat([scores("one", (0, 3, 6)), scores("two", (0, 3), tasks=["cities.truth"])])
    figure = models.draw(rows, ["one", "two"], {"one": 6, "two": 3})
    assert [len(axes.lines) for axes in figure.axes] == [2, 1]
    told = models.caption(rows, ["one", "two"], {"one": 6, "two": 3}, tiny)
    assert told.startswith(
        "Scores of one and two by relative depth, groups held out. Numbers of layers: one 6, two 3. two has no "
        "Place of a city. Bands: 90 % intervals"
    )


def test_thirty_models_are_spread_over_figures_with_the_others_behind(tiny):
    names = [f"model{number}" for number in range(30)]
    rows = pd.concat([scores(name, (0, 3, 6), shift=number / 300) for number, name in enumerate(names)])
    front = names[:N_COMPARED]
    figure = models.draw(rows, front, dict.fromkeys(names, 6))
    for axes in figure.axes:
        assert len(axes.lines) == 30
        assert len({line.get_color() for line in axes.lines}) == N_COMPARED + 1
        assert axes.collections[:] == [], "seven bands would hide each other"
    told = models.caption(rows, front, dict.fromkeys(names, 6), tiny)
    assert "before 23 other models of the study in grey" in told
    assert "Intervals are in each model’s layer curves." in told


def test_thirty_models_have_names_of_their_own_for_each_figure(root, tiny_content):
    for number in range(29):
        tiny_content["models"][f"model{number}"] = {"folder": "data/models/atlas", "dtype": "float32"}
    study = settings.parse(tiny_content, root / "config" / "tiny.yaml")
    names = figures.names(study)
    assert len(names) == len(set(names))
    assert [name for name in names if name.startswith("models")] == ["models", *(f"models-{n}" for n in range(2, 6))]
    fronts = [one.models for one in planned(study) if one.kind == "models"]
    assert sum(fronts, ()) == tuple(model.name for model in study.models if model.seed is None)
    assert max(map(len, fronts)) <= len(models.LOOKS) == N_COMPARED


def test_a_sentence_tells_tasks_of_the_same_together():
    rows = pd.DataFrame({"task": ["a.x", "b.x", "c.x", "d.x"], "n": [9, 9, 9, 1], "n_groups": [3, 3, 3, 1]})
    assert captions.sizes(rows) == "n = 1 target in 1 group (d.x); 9 targets in 3 groups (all others)."
    assert captions.sizes(rows.iloc[:3]) == "n = 9 targets in 3 groups."
    assert captions.sizes(rows.iloc[:0]) == ""


def test_a_family_without_a_defined_p_has_no_correction(tested):
    assert captions.correction(tested.assign(p_holm=np.nan)) == ""
