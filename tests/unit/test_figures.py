"""Figures: what a panel shows, that bytes follow from the tables, and what damaged tables say."""

import json
import re
import subprocess
import sys
from io import BytesIO
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from linear_probing import figures, settings
from linear_probing.drawing import curves, globe, layers, plan, plane, style, tables
from linear_probing.drawing import map as world
from linear_probing.drawing.tables import COLUMNS, FigureError

CURVES = {"atlas": [0.5, 0.7, 0.99], "atlas-random": [0.5, 0.55, 0.52]}

# Figures are drawn once for the tests that read their files.
pytestmark = pytest.mark.xdist_group("figures")


def layer_rows(curves):
    rows = []
    for model, values in curves.items():
        for split in ("group", "types"):
            for part in ("all", "seen", "unseen"):
                for layer, value in zip((0, 3, 6), values, strict=True):
                    name = (model, "cities.truth", part, split, "logistic", "auroc", layer)
                    rows.append((*name, value, value - 0.05, min(1, value + 0.05), 720, 180, 0.5, 0.6, 0.55))
    return pd.DataFrame(rows, columns=list(COLUMNS["layers.csv"]))


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path)


def write(tmp_path):
    random = np.random.default_rng(0)
    layer_rows(CURVES).to_csv(tmp_path / "layers.csv", index=False)
    pd.DataFrame([("text", "cities.truth", "unseen", "group", 0.6)], columns=list(COLUMNS["baselines.csv"])).to_csv(
        tmp_path / "baselines.csv", index=False
    )
    places = [
        ("atlas", "place.position", layer, f"t{n}", f"city{n}", "seen", *random.uniform(-60, 60, 4))
        for layer in (0, 3, 6)
        for n in range(30)
    ]
    pd.DataFrame(places, columns=list(COLUMNS["map.csv"])).to_csv(tmp_path / "map.csv", index=False)
    errors = [("atlas", "place.position", layer, 30, 1234.5) for layer in (0, 3, 6)]
    pd.DataFrame(errors, columns=list(COLUMNS["map_summary.csv"])).to_csv(tmp_path / "map_summary.csv", index=False)
    points = [
        ("atlas", "cities.truth", layer, f"t{n}", str(n % 2), "seen", *random.normal(size=2))
        for layer in (0, 3, 6)
        for n in range(40)
    ]
    pd.DataFrame(points, columns=list(COLUMNS["plane.csv"])).to_csv(tmp_path / "plane.csv", index=False)
    for name in COLUMNS:  # what a study did not ask for
        if not (tmp_path / name).exists():
            (tmp_path / name).write_text(",".join(COLUMNS[name]) + "\n")
    return tmp_path


def drawn_all(study, folder):
    read = tables.read(folder)
    return (figures.draw(study, read, one) for one in plan.planned(study))


def saved(study, folder, output, n_jobs=1):
    output.mkdir()
    figures.save(study, tables.read(folder), output, n_jobs)
    return {path.name: path.read_bytes() for path in output.iterdir()}


@pytest.fixture(scope="module")
def files(tiny, tmp_path_factory):
    """Return what is written for the tables of `folder`: a run draws them once, and once more for equal bytes."""
    return saved(tiny, write(tmp_path_factory.mktemp("tables")), tmp_path_factory.mktemp("drawn") / "out")


@pytest.mark.slow
def test_the_same_tables_give_the_same_bytes(tiny, files, folder, tmp_path):
    named = {f"{name}.{ending}" for name in figures.names(tiny) for ending in ("pdf", "png", "svg")}
    assert set(files) == named | {"captions.json"}
    assert files == saved(tiny, folder, tmp_path / "again")


def test_figures_are_not_blank(files):
    for name in ("layers", "overview", "map", "plane"):
        assert 0.005 < (imread(BytesIO(files[f"{name}.png"]))[..., :3].min(axis=2) < 0.9).mean() < 0.6


def test_no_file_says_when_it_was_made(files):
    for name, content in files.items():
        assert not re.search(rb"dc:date|CreationDate|ModDate|tIME|20\d\d-\d\d-\d\d", content), name


def test_labels_of_an_svg_are_text(files):
    drawn = ElementTree.fromstring(files["layers.svg"])
    assert drawn.tag == "{http://www.w3.org/2000/svg}svg"
    labels = [element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert {"text baseline", "layer (0: embedding)"} <= set(labels)


def test_a_panel_draws_the_tables_numbers_with_all_controls(folder):
    read = tables.read(folder)
    series = curves.panel_series(read.layers, read.baselines, "cities.truth", "atlas", ["atlas-random"])
    looks = {one.look: one for one in series}
    assert set(looks) == {"headline", "seen", "twin", "types", "control", "text", "majority"}
    assert looks["headline"].estimate.tolist() == CURVES["atlas"]
    assert looks["twin"].estimate.tolist() == CURVES["atlas-random"]
    assert looks["headline"].lower.tolist() == pytest.approx([0.45, 0.65, 0.94])
    assert looks["control"].estimate.tolist() == [0.55] * 3


@pytest.mark.parametrize(
    ("twin", "says"),
    [
        ([0.5, 0.9, 0.98], "caution: random weights reach 0.98"),
        ([0.5, 0.9, 0.997], "caution: random weights reach 0.997"),
        ([0.5, 0.5, 0.6], ""),
    ],
)
def test_a_panel_says_when_random_weights_do_as_well(folder, twin, says):
    rows = layer_rows({"atlas": CURVES["atlas"], "atlas-random": twin})
    series = curves.panel_series(rows, tables.read(folder).baselines, "cities.truth", "atlas", ["atlas-random"])
    assert curves.caution(series) == says


@pytest.mark.parametrize(
    ("majority", "says"), [(0.1, "caution: random weights reach 0.28"), (0.25, ""), (np.nan, "caution: random weights")]
)
def test_how_well_random_weights_do_is_measured_by_the_majority_in_any_metric(folder, majority, says):
    """An R² or macro F1 of .3 may be much: no one number is a floor for all metrics."""
    rows = layer_rows({"atlas": [0.1, 0.2, 0.3], "atlas-random": [0.1, 0.2, 0.28]}).assign(majority=majority)
    series = curves.panel_series(rows, tables.read(folder).baselines, "cities.truth", "atlas", ["atlas-random"])
    assert curves.caution(series)[: len(says) or None] == says


@pytest.mark.parametrize(("values", "height"), [([0.5, 0.97, 0.98], 0.06), ([0.06, 0.1, 0.12], 0.98)])
def test_a_caution_stands_where_fewer_curves_are(folder, values, height):
    rows = layer_rows({"atlas": values, "atlas-random": values}).assign(majority=0.0, control=np.nan, metric="macro_f1")
    figure = layers.draw(rows, tables.read(folder).baselines, "atlas", ["atlas-random"])
    (words,) = [text for text in figure.axes[0].texts if text.get_text().startswith("caution")]
    assert words.get_position()[1] == height


def test_no_two_entries_of_a_legend_look_alike(tiny, folder):
    read = tables.read(folder)
    own = read.layers[(read.layers["model"] == "atlas") & (read.layers["split"] == "group")]
    stricter = [own.assign(split=split) for split in ("country", "numbers")]
    figure = layers.draw(pd.concat([read.layers, *stricter]), read.baselines, "atlas", ["atlas-random"])
    entries = [
        (line.get_color(), line.get_marker(), str(line._dash_pattern), line.get_markerfacecolor())
        for legend in figure.legends
        for line in legend.get_lines()
    ]
    assert len(entries) == len(set(entries)) == 9
    assert figure.axes[0].get_ylabel() == "AUROC"


def crowded(*curves_):
    return [curves.Series(str(n), "headline", np.arange(4), np.array(one)) for n, one in enumerate(curves_)]


@pytest.mark.parametrize(
    ("third", "found"),
    [([0.5, 0.97, 0.99, 0.98], ([1, 2, 3], 0.97, 1.0)), ([0.5, 0.6, 0.6, 0.6], None)],
)
def test_curves_that_hide_each_other_are_found(third, found):
    series = crowded([0.5, 0.99, 1, 1], [0.5, 0.98, 1, 0.99], third)
    assert curves.crowd(series) == found
    assert curves.crowd(series[:2]) is None
    assert series[0].at([1, 3]).estimate.tolist() == [0.99, 1]


def test_crowded_curves_are_magnified(folder):
    read = tables.read(folder)
    near = layer_rows({"atlas": [0.5, 0.99, 1.0], "atlas-random": [0.5, 0.98, 0.99]}).assign(control=0.97)
    near = near[near["split"] == "group"]
    (inset,) = layers.draw(near, read.baselines, "atlas", ["atlas-random"]).axes[0].child_axes
    assert inset.get_ylim() == pytest.approx((0.97 - 0.0036, 1.0036))
    plain = layers.draw(read.layers, read.baselines, "atlas", ["atlas-random"])
    assert plain.axes[0].child_axes == []


@pytest.mark.parametrize(
    ("score", "says"), [(0.994, "0.99"), (0.9967, "0.997"), (0.99996, ">0.999"), (1.0, "1.00"), (-0.5, "-0.50")]
)
def test_only_one_is_called_one(score, says):
    assert style.score(score) == says


def test_a_settled_figure_is_drawn_once_a_format(tmp_path):
    drawn = []
    with style.theme():
        figure = style.message("nothing")
        figure.texts[0].draw = lambda *_, draw=figure.texts[0].draw: (drawn.append(True), draw(*_))
        style.settle(figure)
        drawn.clear()
        for ending in style.METADATA:
            figure.savefig(tmp_path / f"one.{ending}")
    assert len(drawn) == len(style.METADATA)


def test_a_study_without_places_or_statements_says_so(tiny, folder):
    for name in ("map.csv", "plane.csv"):
        path = folder / name
        path.write_text(path.read_text().splitlines()[0] + "\n")
    drawn = {one.name: one for one in drawn_all(tiny, folder)}
    assert list(drawn) == figures.names(tiny)
    assert [text.get_text() for text in drawn["map"].figure.texts] == [
        "No map: the study has no task place.position for atlas."
    ]


def test_the_projection_keeps_poles_and_equator():
    x, y = globe.project(np.array([0.0, 180.0, 0.0]), np.array([0.0, 0.0, 90.0]))
    assert np.allclose(x, [0, 2.7066, 0], atol=1e-4)
    assert np.allclose(y, [0, 0, 1.3173], atol=1e-4)


def test_the_nearest_city_names_the_continent():
    found = globe.continents(np.array([2.35, -58.4, 36.8, 151.2]), np.array([48.9, -34.6, -1.3, -33.9]))
    assert found.tolist() == ["EU", "SA", "AF", "OC"]


def test_a_map_draws_true_places_predicted_places_and_their_lines(folder):
    read = tables.read(folder)
    with style.theme():
        figure = world.draw(read.map, read.map_summary, "atlas", None)
    rows = read.map[read.map["layer"] == 0]
    true, predicted = globe.project(rows["lon"], rows["lat"]), globe.project(rows["pred_lon"], rows["pred_lat"])
    axes = figure.axes[0]
    rings = axes.lines[-1].get_xydata()
    marks = axes.collections[-1].get_offsets()
    assert np.allclose(sorted(rings.tolist()), sorted(np.column_stack(true).tolist()))
    assert np.allclose(sorted(marks.tolist()), sorted(np.column_stack(predicted).tolist()))
    assert axes.get_title(loc="left") == "Layer 0, the embedding: median error 1,234 km"


def test_a_map_says_what_it_draws_and_what_its_errors_are_of(folder):
    read = tables.read(folder)
    own = pd.concat([read.map, read.map.assign(part="unseen")])
    assert world.note(own, read.map_summary.assign(n=1200), 20) == (
        "Drawn: 20 of 30 places, one mention of each, the same at every layer. "
        "Median error: over all 1,200 mentions of seen and unseen places."
    )


def test_a_city_is_drawn_once():
    rows = pd.DataFrame({"target_id": [f"t{n}" for n in range(2000)], "group": np.repeat(np.arange(500), 4)})
    drawn = world.drawn_cities(rows.assign(lon=2.35, lat=48.9))
    assert len(drawn) == world.N_CITIES == rows.loc[drawn.index, "group"].nunique()
    assert set(drawn.index % 4) == {0, 1, 2, 3}


def test_an_error_over_the_date_line_goes_the_short_way():
    rows = pd.DataFrame({"lon": [170.0, 10.0], "lat": [0.0, 0.0], "pred_lon": [-170.0, 20.0], "pred_lat": [0.0, 0.0]})
    x = [(line[:, 0] / globe.project(np.array(1.0), np.array(0.0))[0]).tolist() for line in world.error_lines(rows)]
    assert np.allclose(x, [[170, 190], [10, 20], [-190, -170]])


def test_the_plane_shows_equally_many_of_each_label():
    labels = ["true"] * 30 + ["false"] * 90
    rows = pd.DataFrame({"target_id": [f"t{n}" for n in range(120)], "label": labels})
    assert plane.balanced(rows)["label"].value_counts().to_dict() == {"true": 30, "false": 30}
    assert plane.counts(rows) == "30 true, 90 false"


def test_a_panel_of_one_state_says_so(folder):
    read = tables.read(folder)
    at_zero = read.plane["layer"] == 0
    figure = plane.draw(
        read.plane.assign(x=read.plane["x"].mask(at_zero, 0), y=read.plane["y"].mask(at_zero, 0)), read.layers, "atlas"
    )
    assert [[text.get_text() for text in axes.texts] for axes in figure.axes] == [
        ["all statements\nhave one state"],
        [],
        [],
    ]
    assert [axes.get_xlabel() for axes in figure.axes] == ["AUROC 0.50", "AUROC 0.70", "AUROC 0.99"]


def test_every_layer_shows_the_same_sample_of_targets():
    rows = pd.DataFrame({"target_id": [f"t{n}" for n in range(100)]})
    chosen = tables.sample(rows, 10)["target_id"].tolist()
    assert chosen == tables.sample(rows.iloc[::-1], 10)["target_id"].tolist()
    assert len(chosen) == 10


def test_further_twins_are_thin_lines_that_the_legend_does_not_name(folder):
    read = tables.read(folder)
    other = read.layers[read.layers["model"] == "atlas-random"].assign(model="atlas-random-1")
    more = pd.concat([read.layers, other.assign(estimate=0.53)])
    one, two = (
        layers.draw(rows, read.baselines, "atlas", ["atlas-random", "atlas-random-1"]) for rows in (read.layers, more)
    )
    assert len(two.axes[0].lines) == len(one.axes[0].lines) + 1
    (thin,) = [line for line in two.axes[0].lines if list(line.get_ydata()) == [0.53] * 3]
    assert thin.get_linewidth() < 1
    entries = [[text.get_text() for text in figure.legends[0].get_texts()] for figure in (one, two)]
    assert entries[0] == entries[1]
    assert "thin lines: further seeds, atlas-random-1" in layers.caption(
        more, "atlas", ["atlas-random", "atlas-random-1"], settings.Bootstrap(100, 0.95)
    )


def test_a_task_without_a_defined_score_says_so(folder):
    read = tables.read(folder)
    undefined = ["estimate", "lower", "upper", "control", "text_baseline", "majority"]
    other = read.layers.assign(task="agreement.number", **dict.fromkeys(undefined, np.nan))
    figure = layers.draw(pd.concat([read.layers, other]), read.baselines, "atlas", [])
    assert [[text.get_text() for text in axes.texts if text.get_text()] for axes in figure.axes] == [
        [],
        ["no score is defined"],
    ]
    told = layers.caption(pd.concat([read.layers, other]), "atlas", [], settings.Bootstrap(100, 0.95))
    assert "3 of 6 are undefined and not drawn" in told


def test_a_table_without_rows_needs_no_columns(folder):
    (folder / "cosines.csv").write_text("model\n")
    assert list(tables.read(folder).cosines.columns) == list(COLUMNS["cosines.csv"])


@pytest.mark.parametrize("name", sorted(COLUMNS))
def test_a_missing_table_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(FigureError, match=f"{name} is not there") as error:
        tables.read(folder)
    assert "do:     run snakemake" in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("estimate", "guess", "lacks the column estimate"),
        ("0.99", "much", "column estimate holds 'much', but a number was expected"),
        (",6,", ",6.5,", "column layer holds '6.5', but a whole number was expected"),
    ],
)
def test_a_damaged_table_is_named_with_its_cell(folder, old, new, says):
    path = folder / "layers.csv"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(FigureError, match=says):
        tables.read(folder)


def test_a_table_without_rows_is_refused(folder):
    path = folder / "layers.csv"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    with pytest.raises(FigureError, match="has a header and no row"):
        tables.read(folder)


def test_a_second_model_gets_figures_of_its_own(root, tiny_content, folder):
    path = folder / "layers.csv"
    table = pd.read_csv(path)
    pd.concat([table, table[table["model"] == "atlas"].assign(model="other")]).to_csv(path, index=False)
    tiny_content["models"]["other"] = {"folder": "data/models/atlas", "dtype": "float32"}
    study = settings.parse(tiny_content, root / "config" / "tiny.yaml")
    drawn = [one.name for one in drawn_all(study, folder)]
    assert drawn == figures.names(study)
    assert {"layers", "map", "plane", "layers-other", "map-other", "plane-other"} <= set(drawn)


def test_each_figure_has_a_caption_and_a_heading(tiny, files):
    told = json.loads(files["captions.json"])
    assert list(told) == sorted(figures.names(tiny))
    for name, one in told.items():
        assert set(one) == {"caption", "category"}, name
        assert "\n" not in one["caption"], name
        assert one["caption"].endswith("."), name
    assert told["layers"] == {
        "category": "Curves",
        "caption": "Scores of linear probes on atlas by layer, groups held out, beside the same architecture with "
        "random weights (atlas-random) and the other controls. Scores are on unseen groups. Bands: 90 % intervals, "
        "bootstrap over groups (50 resamples). n = 720 targets in 180 groups. Probe: logistic regression.",
    }


def test_every_kind_of_figure_is_drawn():
    assert set(figures.DRAW) == {*plan.CATEGORIES, *plan.CAUSAL, *plan.COMPARED}


def test_names_need_no_library_that_draws():
    code = (
        "import sys; from linear_probing.drawing import plan; sys.exit(bool({'matplotlib', 'pandas'} & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_model_without_rows_is_an_error_not_a_crash(root, tiny_content, folder):
    tiny_content["models"] = {"stranger": {"folder": "data/models/atlas", "dtype": "float32"}}
    study = settings.parse(tiny_content, root / "config" / "tiny.yaml")
    with pytest.raises(FigureError, match=r"layers\.csv has no row of stranger"):
        list(drawn_all(study, folder))
