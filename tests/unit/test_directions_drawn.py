"""Transfer and cosines: axes hold what the tables hold, and a study that has little still gets a figure."""

import numpy as np
import pandas as pd
import pytest

from linear_probing.drawing import cells, cosines, names, style, transfer
from linear_probing.drawing.tables import COLUMNS
from linear_probing.settings import Bootstrap

BOOTSTRAP = Bootstrap(100, 0.9)
TASKS = ("cities.truth", "agreement.number")
MODELS = ("atlas", "atlas-random")
LAYERS = (0, 3, 6)
PROBES = ("lda", "logistic")


@pytest.fixture(autouse=True)
def look():
    with style.theme():
        yield


def score(model, train, test, layer):
    """Return a number that no other cell has."""
    return 0.3 + 0.3 * (model == "atlas") + 0.1 * TASKS.index(train) + 0.03 * TASKS.index(test) + 0.01 * layer


@pytest.fixture
def layers():
    rows = [("atlas", task, "all", "group", "logistic", "auroc", 0) for task in TASKS]
    table = pd.DataFrame(rows, columns=["model", "task", "part", "split", "probe", "metric", "layer"])
    return table.assign(n=80, n_groups=20)


@pytest.fixture
def moved():
    rows = [
        (model, train, test, probe, layer, "auroc", value, value - 0.1, value + 0.1, 80, 20)
        for model in MODELS
        for train in TASKS
        for test in TASKS
        for probe in PROBES
        for layer in LAYERS
        for value in [score(model, train, test, layer) - 0.3 * (probe == "lda")]
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS["transfer.csv"]))


@pytest.fixture
def angles():
    sides = [(layer, task, probe) for layer in LAYERS for task in TASKS for probe in PROBES]
    rows = [
        (model, *one, *other, round(np.cos(7 * number) * (1 if model == "atlas" else 0.5), 3))
        for model in MODELS
        for number, (one, other) in enumerate((a, b) for n, a in enumerate(sides) for b in sides[n + 1 :])
        if one[0] == other[0] or one[1:] == other[1:]
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS["cosines.csv"]))


def texts(figure):
    return [[text.get_text() for text in axes.texts] for axes in figure.axes]


def test_a_matrix_holds_the_tables_scores_of_the_tasks_own_probe(moved, layers):
    figure = transfer.draw(moved, layers, "atlas", "atlas-random")
    panels = figure.axes[:4]
    assert [axes.get_title(loc="left") for axes in panels] == [
        *(f"atlas, layer {layer}" for layer in LAYERS),
        "atlas-random, layer 6",
    ]
    for axes, (model, layer) in zip(
        panels, [*(("atlas", layer) for layer in LAYERS), ("atlas-random", 6)], strict=True
    ):
        held = {tuple(map(round, text.get_position())): text.get_text() for text in axes.texts}
        assert held == {
            (column, row): style.score(round(score(model, train, test, layer), 9))
            for row, train in enumerate(TASKS)
            for column, test in enumerate(TASKS)
        }
        assert [label.get_text() for label in axes.get_xticklabels()] == ["cities", "agreement"]
        assert (axes.get_xlim(), axes.get_ylim()) == ((-0.5, 1.5), (1.5, -0.5))
    assert [label.get_text() for label in panels[0].get_yticklabels()] == ["cities", "agreement"]
    assert figure.axes[4].get_xlim() == (0, 1)
    assert figure.axes[4].get_xlabel().startswith("AUROC")


def test_bold_is_where_the_interval_excludes_chance(moved, layers):
    moved["lower"], moved["upper"] = 0.4, 0.6
    first = (moved["train_task"] == TASKS[0]) & (moved["test_task"] == TASKS[1])
    moved.loc[first, "lower"] = 0.51
    moved.loc[(moved["train_task"] == TASKS[1]) & (moved["test_task"] == TASKS[0]), "upper"] = 0.49
    axes = transfer.draw(moved, layers, "atlas", None).axes[0]
    assert {text.get_position(): text.get_weight() for text in axes.texts} == {
        (0, 0): "normal",
        (1, 0): "bold",
        (0, 1): "bold",
        (1, 1): "normal",
    }


def test_the_diagonal_is_framed(moved, layers):
    axes = transfer.draw(moved, layers, "atlas", None).axes[0]
    framed = [patch.get_xy() for patch in axes.patches if not patch.get_fill()]
    assert [tuple(np.round(place)) for place in framed] == [(-0, -0), (1, 1)]


@pytest.mark.parametrize("absent", [True, False])
def test_an_undefined_cell_says_so(moved, layers, absent):
    gap = (moved["train_task"] == TASKS[0]) & (moved["test_task"] == TASKS[1]) & (moved["layer"] == 3)
    moved = moved[~gap] if absent else moved.assign(estimate=moved["estimate"].mask(gap))
    figure = transfer.draw(moved, layers, "atlas", "atlas-random")
    assert ["no\nscore" in panel for panel in texts(figure)[:4]] == [False, True, False, False]
    assert "no score: not defined" in [text.get_text() for text in figure.legends[0].get_texts()]
    assert "Hatched: 1 cell without a defined score." in transfer.caption(moved, layers, "atlas", None, BOOTSTRAP)


def test_one_layer_is_one_matrix_and_its_twin(moved, layers):
    figure = transfer.draw(moved[moved["layer"] == 3], layers, "atlas", "atlas-random")
    assert [axes.get_title(loc="left") for axes in figure.axes[:-1]] == ["atlas, layer 3", "atlas-random, layer 3"]


@pytest.mark.parametrize(
    ("tasks", "says"),
    [
        ((), "No transfer: the study has no binary task for atlas."),
        (
            TASKS[:1],
            "No transfer for atlas: the study has one binary task, cities.truth, and no other to test its direction "
            "on.",
        ),
    ],
)
def test_a_study_without_transfer_says_so(moved, layers, tasks, says):
    few = moved[moved["train_task"].isin(tasks) & moved["test_task"].isin(tasks)]
    figure = transfer.draw(few, layers, "atlas", "atlas-random")
    assert (figure.axes, [text.get_text() for text in figure.texts]) == ([], [says])
    assert transfer.caption(few, layers, "atlas", "atlas-random", BOOTSTRAP) == says


def test_many_tasks_have_fewer_layers_and_numbers_that_fit(moved, layers):
    tasks = [f"set_{number:02d}.truth" for number in range(12)]
    rows = [
        moved.iloc[[0]].assign(train_task=one, test_task=other, layer=k)
        for one in tasks
        for other in tasks
        for k in (0, 1)
    ]
    figure = transfer.draw(pd.concat(rows), layers, "atlas", None)
    assert [axes.get_title(loc="left") for axes in figure.axes[:-1]] == ["atlas, layer 1"]
    figure.draw_without_rendering()
    axes = figure.axes[0]
    cell = axes.transData.transform((1, 0))[0] - axes.transData.transform((0, 0))[0]
    assert max(text.get_window_extent().width for text in axes.texts) < cell


def test_a_caption_of_transfer_takes_its_numbers_from_the_table(moved, layers):
    moved.loc[moved["test_task"] == TASKS[1], ["n", "n_groups"]] = (1480, 148)
    told = transfer.caption(moved, layers, "atlas", "atlas-random", BOOTSTRAP)
    assert told.startswith("Transfer between the 2 binary tasks of atlas at layers 0, 3 and 6: AUROC")
    assert "n = 80 targets in 20 groups of cities; 1,480 targets in 148 groups of agreement." in told
    assert "Probe: logistic regression." in told
    assert "90 % intervals, bootstrap over groups (100 resamples)." in told
    assert "no correction for their number" in told
    assert "\n" not in told


def test_a_task_whose_own_probe_has_no_direction_is_drawn_by_its_first(moved, layers):
    rows = transfer.own_probes(moved, layers.assign(probe=["logistic", "mlp"]))
    assert rows.groupby("train_task")["probe"].unique().map(list).to_dict() == {
        TASKS[0]: ["logistic"],
        TASKS[1]: ["lda"],
    }


def cosine_of(angles, model, one, other):
    sides = ["layer", "task", "probe", "other_layer", "other_task", "other_probe"]
    of_model = angles[angles["model"] == model].set_index(sides)["cosine"]
    return of_model[(*one, *other)] if (*one, *other) in of_model.index else of_model[(*other, *one)]


def test_below_the_diagonal_is_the_model_and_above_its_twin(angles, layers):
    figure = cosines.draw(angles, layers, "atlas", "atlas-random")
    axes = figure.axes[0]
    assert axes.get_title(loc="left") == "cities"
    held = {text.get_position(): text.get_text() for text in axes.texts}
    assert held == {
        (column, row): cosines.cosine(
            cosine_of(
                angles,
                "atlas" if row > column else "atlas-random",
                (LAYERS[row], TASKS[0], "logistic"),
                (LAYERS[column], TASKS[0], "logistic"),
            )
        )
        for row in range(3)
        for column in range(3)
        if row != column
    }
    assert [label.get_text() for label in axes.get_yticklabels()] == ["0", "3", "6"]
    assert axes.get_ylabel() == "layer"


def test_lines_are_the_tables_cosines_with_other_tasks_and_probes(angles, layers):
    figure = cosines.draw(angles, layers, "atlas", "atlas-random")
    of_tasks, of_probes = figure.axes[2], figure.axes[4]
    own, other = (TASKS[0], "logistic"), ((TASKS[1], "logistic"), (TASKS[0], "lda"))
    for axes, compared in zip((of_tasks, of_probes), other, strict=True):
        drawn = [line.get_ydata().tolist() for line in axes.lines if len(line.get_xdata()) == 3]
        expected = [[cosine_of(angles, model, (k, *own), (k, *compared)) for k in LAYERS] for model in MODELS[::-1]]
        assert drawn == expected
    assert [axes.get_ylabel() for axes in (of_tasks, of_probes)] == [
        "cosine with\nother tasks",
        "cosine with\nother probes",
    ]
    assert of_tasks.get_ylim() == of_probes.get_ylim() == (-1.08, 1.08)
    assert of_probes.get_xlabel() == "layer"


def test_cosines_that_are_all_above_nought_need_no_room_below(angles, layers):
    figure = cosines.draw(angles.assign(cosine=angles["cosine"].abs()), layers, "atlas", None)
    assert figure.axes[2].get_ylim() == (-0.08, 1.08)


def test_an_undefined_cosine_is_hatched_and_named(angles, layers):
    assert not any(patch.get_hatch() for patch in cosines.draw(angles, layers, "atlas", None).axes[0].patches)
    angles["cosine"] = angles["cosine"].mask(angles["layer"] == 0)
    figure = cosines.draw(angles, layers, "atlas", "atlas-random")
    hatched = [patch.get_xy() for patch in figure.axes[0].patches if patch.get_hatch()]
    assert sorted(hatched) == [(-0.5, 0.5), (-0.5, 1.5), (0.5, -0.5), (1.5, -0.5)]
    assert "undefined: a direction of length 0" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_a_panel_without_a_defined_cosine_says_so(angles, layers):
    figure = cosines.draw(angles.assign(cosine=np.nan), layers, "atlas", None)
    assert [panel == ["undefined"] for panel in texts(figure)] == [False, False, True, True, True, True]


@pytest.mark.parametrize(
    ("keep", "n_rows"),
    [
        (lambda rows: rows["layer"] == rows["other_layer"], 2),
        (lambda rows: (rows["task"] == TASKS[0]) & (rows["other_task"] == TASKS[0]), 2),
        (lambda rows: (rows["probe"] == "logistic") & (rows["other_probe"] == "logistic"), 2),
    ],
)
def test_a_comparison_that_a_study_does_not_have_takes_no_room(angles, layers, keep, n_rows):
    figure = cosines.draw(angles[keep(angles)], layers, "atlas", "atlas-random")
    assert figure.axes[0].get_gridspec().nrows == n_rows


def test_one_layer_is_named_below_its_marks(angles, layers):
    one = angles[(angles["layer"] == 3) & (angles["other_layer"] == 3)]
    axes = cosines.draw(one, layers, "atlas", "atlas-random").axes[0]
    assert axes.get_xticks().tolist() == [3]


def test_a_study_without_directions_says_so(angles, layers):
    figure = cosines.draw(angles.iloc[:0], layers, "atlas", "atlas-random")
    assert [text.get_text() for text in figure.texts] == [cosines.caption(angles.iloc[:0], layers, "atlas", None)]
    assert figure.texts[0].get_text() == "No cosines: the study has no two directions of binary tasks for atlas."


def test_a_caption_of_cosines_says_that_they_have_no_interval(angles, layers):
    told = cosines.caption(angles, layers, "atlas", "atlas-random")
    assert "Each direction is one fit on all targets, so that a cosine has no interval." in told
    assert "n = 80 targets in 20 groups." in told
    assert "Other probes: linear discriminant analysis." in told


def test_a_print_in_grey_tells_the_ends_apart():
    scale = cells.colours(0, 0.5, 1)
    low, middle, high = (
        np.dot(scale.to_rgba(np.array([[value]]))[0, 0, :3], (0.299, 0.587, 0.114)) for value in (0, 0.5, 1)
    )
    assert middle > low + 0.2
    assert low > high + 0.2


def test_names_are_short_only_where_they_stay_distinct():
    assert names.short(["a.x", "b.x", "b.y"]) == {"a.x": "a", "b.x": "b.x", "b.y": "b.y"}
