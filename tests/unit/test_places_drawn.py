"""Map and plane: errors at all layers beside the twin's, two tasks with places, and what their captions say."""

import pandas as pd
import pytest

from linear_probing.drawing import map as world
from linear_probing.drawing import plane, style
from linear_probing.drawing.tables import COLUMNS

MODELS = ("atlas", "atlas-random")
LAYERS = (0, 3, 6)


@pytest.fixture(autouse=True)
def look():
    with style.theme():
        yield


@pytest.fixture
def layers():
    tasks = (("place.position", "ridge"), ("cities.truth", "logistic"))
    rows = [("atlas", task, "all", "group", probe, "auroc", k, 0.7, 80, 20) for task, probe in tasks for k in LAYERS]
    columns = ["model", "task", "part", "split", "probe", "metric", "layer", "estimate", "n", "n_groups"]
    return pd.DataFrame(rows, columns=columns)


@pytest.fixture
def places():
    rows = [
        (m, "place.position", k, f"t{n}", f"c{n}", "seen", 9.0 * n, 5.0, 9.0 * n, 15.0)
        for m in MODELS
        for k in LAYERS
        for n in range(8)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS["map.csv"]))


@pytest.fixture
def errors():
    rows = [(m, "place.position", k, 32, 4600.0 - 500 * k * (m == "atlas")) for m in MODELS for k in LAYERS]
    return pd.DataFrame(rows, columns=list(COLUMNS["map_summary.csv"]))


def test_the_errors_of_all_layers_stand_beside_the_twins(places, errors):
    axes = world.draw(places, errors, "atlas", "atlas-random").axes[-1]
    assert [line.get_xdata().tolist() for line in axes.lines] == [[0, 3, 6]] * 2
    assert [line.get_ydata().tolist() for line in axes.lines] == [[4600, 3100, 1600], [4600, 4600, 4600]]
    assert (axes.get_ylabel(), axes.get_ylim()[0]) == ("km", 0)


def test_a_study_of_one_layer_has_a_map_alone(places, errors):
    one = places[places["layer"] == 3], errors[errors["layer"] == 3]
    figure = world.draw(*one, "atlas", "atlas-random")
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["Layer 3: median error 3,100 km"]


def test_a_second_task_with_places_is_not_mixed_in(places, errors, layers):
    both = pd.concat([places, places.assign(task="home.position", pred_lat=-50.0)])
    more = pd.concat([errors.assign(task="home.position", median_error_km=1.0), errors])
    assert world.caption(both, more, layers, "atlas", None) == world.caption(places, errors, layers, "atlas", None)
    axes = world.draw(both, more, "atlas", None).axes
    assert len(axes[0].collections[-1].get_offsets()) == 8
    assert axes[0].get_title(loc="left").endswith("4,600 km")


def test_a_caption_of_the_map_takes_its_numbers_from_the_tables(places, errors, layers):
    told = world.caption(places, errors, layers, "atlas", "atlas-random")
    assert "Drawn: 8 of 8 places" in told
    assert "over all 32 mentions of seen places" in told
    assert "Median error at layer 6: atlas 1,600 km and atlas-random 4,600 km, without an interval." in told
    assert told.endswith("Probe: ridge regression.")


def test_a_caption_of_the_plane_counts_statements_and_names_the_probe(layers):
    rows = [("atlas", "cities.truth", k, f"t{n}", str(int(n < 3)), "seen", n, k) for k in LAYERS for n in range(9)]
    told = plane.caption(pd.DataFrame(rows, columns=list(COLUMNS["plane.csv"])), layers, "atlas")
    assert "at layers 0, 3 and 6" in told
    assert "In all: 3 true, 6 false of cities." in told
    assert "n = 80 targets in 20 groups. Probe: logistic regression." in told
    assert "\n" not in told


def test_a_study_without_places_or_statements_says_so(places, errors, layers):
    none = plane.caption(pd.DataFrame(columns=list(COLUMNS["plane.csv"])), layers, "atlas")
    assert none == "No plane: the study has no true and false statements for atlas."
    assert world.caption(places.iloc[:0], errors, layers, "atlas", None).startswith("No map: ")
