"""The page's content: what it says is what the tables hold, whatever the study lacks."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from docutils.core import publish_parts

from linear_probing import jobs, report
from linear_probing.drawing.tables import FigureError
from linear_probing.reporting import numbers, page, scores, statements, tables, world
from linear_probing.reporting.tables import COLUMNS

HOSTILE = 'a </script><b class="injected">&"<!--'


@pytest.fixture
def folder(small, tmp_path):
    return small.write(small.study(), tmp_path / "statistics")


def data_of(text):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])


def test_the_same_tables_give_the_same_bytes(tiny, folder):
    first, second = (report.make(tiny, tables.read(folder)) for _ in range(2))
    assert first == second
    assert len(first.encode()) < 8_000_000


def test_the_page_holds_the_tables_numbers(tiny, small, folder):
    data = data_of(report.make(tiny, tables.read(folder)))
    panel = data["curves"]["cities.truth"]["atlas"]["logistic"]
    by_look = {one["look"]: one for one in panel["series"]}
    assert by_look["headline"]["estimate"] == small.curves["atlas"]
    assert by_look["headline"]["lower"] == pytest.approx([0.45, 0.65, 0.94])
    assert by_look["twin"]["estimate"] == small.curves["atlas-random"]
    assert by_look["control"]["estimate"] == [0.55] * 3
    assert (panel["n"], panel["groups"], panel["part"], panel["split"]) == (1200, 300, "unseen", "group")
    assert panel["best"] == {"layer": 6, "estimate": 0.99, "lower": None, "upper": 1}
    assert list(data["curves"]["cities.truth"]["atlas"]) == ["logistic", "lda"]
    assert data["tests"]["atlas"]["cities.truth"] == {"p": 0.001, "holm": 0.002, "tasks": 2, "permutations": 1000}
    assert len(data["estimates"]["layer"]) == 2 * 36 + 18
    assert data["places"]["models"]["atlas"]["layers"]["3"]["median"] == 934


def test_a_probe_beside_the_own_has_the_levels_that_need_no_probe(tiny, folder):
    panel = data_of(report.make(tiny, tables.read(folder)))["curves"]["cities.truth"]["atlas"]["lda"]
    by_look = {one["look"]: one for one in panel["series"]}
    assert by_look["headline"]["estimate"] == [0.5, 0.6, 0.8]
    assert by_look["text"]["estimate"] == [0.6] * 3
    assert "twin" not in by_look
    assert panel["best"] is None


def test_errors_are_of_the_city_that_they_stand_at(folder):
    read = tables.read(folder)
    here = world.content(read.map, read.map_summary)["models"]["atlas"]
    assert here["layers"]["3"]["km"] == [100 * int(name.removeprefix("city")) for name in here["name"]]
    assert len(set(here["name"])) == here["groups"] == 30


def test_the_scatter_shows_the_same_statements_at_every_layer(folder):
    read = tables.read(folder)
    here = statements.content(read.plane)["models"]["atlas"]["cities.truth"]
    of_layer = read.plane[(read.plane["model"] == "atlas") & (read.plane["layer"] == 6)].set_index("target_id")
    assert here["layers"]["6"]["x"] == pytest.approx(of_layer.loc[here["name"], "x"].tolist(), rel=1e-3)
    assert sorted(set(here["label"])) == ["false", "true"]


@pytest.mark.parametrize("name", sorted(COLUMNS))
def test_a_missing_table_is_named_with_the_command_that_makes_it(folder, name):
    (folder / name).unlink()
    with pytest.raises(FigureError, match=f"{name} is not there") as error:
        tables.read(folder)
    assert "do:     run snakemake" in str(error.value)


def test_a_study_without_estimates_is_refused(folder):
    path = folder / "layers.csv"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    with pytest.raises(FigureError, match=r"layers\.csv has a header and no row"):
        tables.read(folder)


def test_nothing_in_the_data_ends_the_script(tiny, small, tmp_path):
    found = small.study()
    for table in found.values():
        for column in {"task", "train_task", "note"} & set(table.columns):
            table[column] = table[column].str.replace("cities.truth", HOSTILE)
    found["map.csv"] = small.places(name=HOSTILE)
    text = report.make(tiny, tables.read(small.write(found, tmp_path / "hostile")))
    assert HOSTILE in data_of(text)["tasks"]
    assert data_of(text)["places"]["models"]["atlas"]["name"][0].startswith(HOSTILE)
    assert '<b class="injected">' not in text


def test_a_page_names_no_host_in_what_is_ours(tiny, folder):
    text = report.make(tiny, tables.read(folder)).replace(page.get_plotlyjs(), "")
    # The name of SVG's vocabulary is no address that anything asks.
    assert re.findall(r"(?:https?:)?//[a-z][^\"' ]*", text.replace("http://www.w3.org/2000/svg", "")) == []
    assert "default-src 'none'" in text


def test_what_is_below_one_is_not_called_one():
    assert numbers.numbers([0.99999, 1.0, 0.12345, -0.5, np.nan, np.inf]) == [0.9999, 1, 0.1235, -0.5, None, None]
    assert page.score(0.9999) == ">0.999"
    assert page.score(1) == "1.000"


@pytest.mark.parametrize(
    "changed",
    [
        lambda small, found: small.empty(found, "map.csv", "map_summary.csv"),
        lambda small, found: small.empty(found, "plane.csv"),
        lambda small, found: small.empty(
            found, "probes.csv", "best_layer_significance.csv", "notes.csv", "fits.csv", "baselines.csv"
        ),
        lambda small, found: small.empty(found, "best_layer.csv"),
        lambda small, found: {
            name: rows[rows["layer"] == 6] if "layer" in rows else rows for name, rows in found.items()
        },
        lambda small, found: {**found, "layers.csv": found["layers.csv"].assign(lower=np.nan, upper=np.nan)},
        lambda small, found: {
            **found,
            "layers.csv": found["layers.csv"].assign(estimate=np.nan, lower=np.nan, upper=np.nan),
        },
    ],
    ids=["no places", "no statements", "no controls", "no best layer", "one layer", "no intervals", "nothing defined"],
)
def test_a_study_that_lacks_something_has_a_page(tiny, small, tmp_path, changed):
    text = report.make(tiny, tables.read(small.write(changed(small, small.study()), tmp_path / "changed")))
    assert "NaN" not in text.replace(page.get_plotlyjs(), "")
    assert data_of(text)["tasks"] == {"cities.truth": "Truth of “X is in C”", "place.position": "Place of a city"}


@pytest.mark.slow
def test_thirty_models_stay_light(tiny, small, tmp_path):
    found = small.study()
    names = [f"model-{n:02}" for n in range(30)]
    columns, values = COLUMNS["layers.csv"], list(np.linspace(0.5, 0.99, 33))
    found["layers.csv"] = small.estimates(columns, dict.fromkeys(names, values), layers=range(33))
    found["map.csv"] = small.places(layers=range(33), models=names)
    found["plane.csv"] = small.statements(layers=range(33), models=names)
    text = report.make(tiny, tables.read(small.write(found, tmp_path / "thirty")))
    assert list(data_of(text)["models"])[:30] == names
    assert len(text.encode()) < 8_000_000


def test_notes_count_the_fits_of_one_kind(folder):
    counted = report.notes(tables.read(folder).notes)
    assert counted[["layers", "fits", "note"]].to_numpy().tolist() == [["03", 2, "did not converge"]]


def test_the_report_names_all_that_it_is_made_from(root):
    files = sorted((root / "src" / "linear_probing" / "reporting").glob("page.*"))
    assert list(report.SOURCES) == [file.relative_to(root).as_posix() for file in files if file.suffix != ".py"]


def test_looks_are_those_of_the_figure():
    found = scores.looks()
    assert found["headline"] == {"color": "#0072B2", "dash": "solid", "symbol": "circle", "width": 2.56}
    assert found["seen"]["symbol"] == "circle-open"
    assert found["text"]["symbol"] is None


def test_a_caption_is_text_in_snakemakes_report(tmp_path):
    captions = jobs.Captions(tmp_path / "captions.json")
    assert (captions.caption("layers"), captions.category("layers")) == ("", "Figures")
    captions.file.write_text(json.dumps({"layers": {"caption": "a_ *b* `c` |d| x\\y", "category": "Curves"}}))
    assert captions.category("layers") == "Curves"
    shown = publish_parts(captions.caption("layers"), writer="html")["body"]
    assert shown == "<p>a_ *b* `c` |d| x\\y</p>\n"


@pytest.mark.parametrize("written", ["name: tiny", 'name: "tiny"', "name: 'tiny' # words", "name:\n  tiny"])
def test_make_report_writes_into_the_studys_folder_however_its_name_is_written(root, tmp_path, written):
    text = (root / "config" / "tiny.yaml").read_text()
    assert text.count("\nname: tiny\n") == 1
    config = tmp_path / "tiny.yaml"
    config.write_text(text.replace("\nname: tiny\n", f"\n{written}\n"))
    binaries = Path(sys.executable).parent
    command = ["make", "--dry-run", "report", f"CONFIG={config}", f"BIN={binaries}"]
    done = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)
    assert '--report "results/studies/tiny/snakemake.html"' in done.stdout
