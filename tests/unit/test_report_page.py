"""The page in a real browser: it asks no host, does what its controls say, by keyboard too, and can be read aloud.

Chromium is the system's; `make setup-browser` installs it. Each test fails on whatever the page's script complains of.
"""

import re
import shutil
from itertools import pairwise

import numpy as np
import pytest
from playwright.sync_api import expect, sync_playwright

from linear_probing import report, settings
from linear_probing.reporting import tables

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
HOSTILE = 'a </script><b class="injected">&"<!--'
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 800}
ROLES = {"button", "combobox", "slider", "link", "image", "img", "region", "navigation", "form", "table", "heading"}
# Text below this ratio of luminances is hard to read (WCAG 2, level AA).
CONTRAST = """
() => {
  const luminance = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map((v) => v / 255)
      .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (node) => {
    for (let one = node; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (!/, 0\\)$/.test(colour) && colour !== "transparent") return colour;
    }
    return "rgb(255, 255, 255)";
  };
  return [...document.querySelectorAll("body *:not(svg *):not(script):not(style):not(noscript)")]
    .filter((one) => one.offsetParent)
    .filter((one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()))
    .map((one) => {
      const pair = [luminance(getComputedStyle(one).color), luminance(ground(one))].sort((a, b) => b - a);
      return [one.tagName, one.textContent.trim().slice(0, 30), (pair[0] + 0.05) / (pair[1] + 0.05)];
    })
    .filter(([, , ratio]) => ratio < 4.5);
}
"""
FOCUSED = """
(({ id, dataset, textContent }) => id || (dataset.column ? `sorts by ${dataset.column}` : textContent))
(document.activeElement)
"""

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="the page is not tested: there is no Chromium; do: make setup-browser"
)


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM)
        yield started
        started.close()


@pytest.fixture(scope="module")
def made(root, small, tmp_path_factory):
    """Return what writes the page of a study's tables into a folder of its own."""
    study = settings.load(root / "config" / "tiny.yaml")

    def make(found):
        folder = small.write(found, tmp_path_factory.mktemp("page"))
        (folder / "report.html").write_text(report.make(study, tables.read(folder)), encoding="utf-8")
        return folder / "report.html"

    return make


@pytest.fixture(scope="module")
def whole(made, small):
    return made(small.study())


@pytest.fixture
def visit(browser):
    """Return what opens a file, offline; afterwards the page must have asked for nothing and complained of nothing."""
    contexts, complaints, asked = [], [], []

    def open_page(path, viewport=WIDE, **options):
        contexts.append(browser.new_context(viewport=viewport, offline=True, **options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type != "log" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        expect(page.locator("#status")).not_to_be_empty()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith(("file://", "data:"))] == []
    assert len([url for url in asked if url.startswith("file://")]) == len(contexts), "one file is all"


def data_of(page, plot):
    return page.evaluate(f"document.getElementById('{plot}').data.map(({{name, x, y}}) => ({{name, x, y}}))")


def marks_of(page, plot):
    """Return the path of every mark that is drawn in a plot, as the browser has it."""
    return page.evaluate(
        f"[...document.querySelectorAll('#{plot} .point')].map((one) => one.getAttribute('transform'))"
    )


def column(page, name):
    names = page.locator("#table thead button").evaluate_all("all => all.map((one) => one.dataset.column)")
    cells = page.locator(f"#table tbody td:nth-child({names.index(name) + 1})")
    return cells.all_inner_texts()


def test_the_page_draws_what_the_tables_hold(visit, whole, small, tmp_path):
    page = visit(whole)
    curves = {one["name"]: one for one in data_of(page, "curve") if one["name"]}
    assert curves["atlas, unseen"]["y"] == small.curves["atlas"]
    assert curves["atlas-random (random weights)"]["y"] == small.curves["atlas-random"]
    assert page.locator("#curve .scatterlayer .js-line").count() > 5
    assert page.title() == "Linear probes of the study tiny"
    page.screenshot(path=tmp_path / "page.png", full_page=True)


def test_the_slider_changes_map_scatter_and_words(visit, whole):
    page = visit(whole)
    slider = page.get_by_role("slider", name="Layer")
    assert page.locator("#layer-value").inner_text() == "6 of 6", "the layer that inner folds chose"
    before = {plot: (data_of(page, plot), marks_of(page, plot)) for plot in ("map", "plane")}
    slider.press("ArrowLeft")
    assert page.locator("#layer-value").inner_text() == "3 of 6"
    assert slider.get_attribute("aria-valuetext") == "layer 3"
    for plot, (data, marks) in before.items():
        assert data_of(page, plot) != data
        assert marks_of(page, plot) != marks
    assert "0.700 [0.650, 0.750]" in page.locator("#status").inner_text()
    assert "median error 934 km" in page.locator("#status").inner_text()
    assert "at layer 3" in page.locator("#map-title").inner_text()


def test_a_choice_changes_the_curve_and_says_so(visit, whole, small):
    page = visit(whole)
    before = data_of(page, "curve")
    page.get_by_label("Task").select_option(label="Place of a city")
    assert data_of(page, "curve") != before
    assert page.locator("#curve-title").inner_text() == "Place of a city: R² by layer"
    assert "R²" in page.locator("#status").inner_text()
    page.get_by_label("Task").select_option("cities.truth")
    page.get_by_label("Probe").select_option("lda")
    assert {"atlas, unseen": [0.5, 0.6, 0.8]}.items() <= {
        one["name"]: one["y"] for one in data_of(page, "curve")
    }.items()
    page.get_by_label("Model").select_option("atlas-random")
    assert [one["y"] for one in data_of(page, "curve") if one["name"] == "atlas-random, unseen"] == [
        small.curves["atlas-random"]
    ]
    assert page.get_by_label("Probe").input_value() == "logistic", "the probe that the twin has not is left"


def test_a_number_is_shown_under_the_pointer(visit, whole):
    page = visit(whole)
    mark = page.locator("#map .point").last
    mark.scroll_into_view_if_needed()
    mark.hover(force=True)
    expect(page.locator("#map .hoverlayer")).to_contain_text(re.compile(r"city\d+.*error: [\d,]+ km"))


def test_numbers_are_sorted_as_numbers(visit, made, small):
    found = small.study()
    found["probes.csv"]["layer"] = found["probes.csv"]["layer"].replace({3: 12})
    page = visit(made(found))
    page.get_by_role("columnheader", name="layer").get_by_role("button").click()
    assert list(dict.fromkeys(column(page, "layer"))) == ["0", "3", "6", "12"]


@pytest.mark.slow
def test_a_heading_sorts_and_turns(visit, whole):
    page = visit(whole)
    page.get_by_label("Rows").select_option("all")
    head = page.get_by_role("columnheader", name="estimate")
    head.get_by_role("button").click()
    rising = [float(cell) for cell in column(page, "estimate")]
    assert rising == sorted(rising)
    assert len(set(rising)) > 5
    assert head.get_attribute("aria-sort") == "ascending"
    head.get_by_role("button").press("Enter")
    assert [float(cell) for cell in column(page, "estimate")] == sorted(rising, reverse=True)
    assert head.get_attribute("aria-sort") == "descending"
    page.get_by_role("columnheader", name="model").get_by_role("button").press("Space")
    assert column(page, "model") == sorted(column(page, "model"))
    assert page.locator("#table th[aria-sort]").count() == 1
    assert "by model, ascending" in page.locator("#table-status").inner_text()


@pytest.mark.slow
def test_what_is_undefined_stands_last_either_way(visit, made, small):
    found = small.study()
    table = found["layers.csv"]
    found["layers.csv"] = table.assign(lower=table["lower"].mask(table["layer"] == 3))
    page = visit(made(found))
    page.get_by_label("Rows").select_option("all")
    for _ in range(2):
        page.get_by_role("columnheader", name="lower").get_by_role("button").click()
        cells = column(page, "lower")
        n_undefined = cells.count("–")
        assert n_undefined == 24
        assert cells[-n_undefined:] == ["–"] * n_undefined
    page.get_by_role("slider", name="Layer").press("ArrowLeft")
    assert "[interval undefined]" in page.locator("#status").inner_text()


def test_the_keyboard_alone_reaches_and_moves_everything(visit, whole):
    page = visit(whole)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    expect(page.locator(".skip")).to_be_in_viewport()
    page.keyboard.press("Enter")
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(FOCUSED))
        style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert style != "none", f"focus on {reached[-1]} is not to be seen"
        if reached[-1] == "task":
            before = data_of(page, "curve")
            page.keyboard.press("ArrowDown")
            assert data_of(page, "curve") != before
        if reached[-1] == "layer":
            page.keyboard.press("Home")
            assert page.locator("#layer-value").inner_text() == "0 of 6"
        if reached[-1] == "sorts by estimate":
            page.keyboard.press("Enter")
            assert page.get_by_role("columnheader", name="estimate").get_attribute("aria-sort") == "ascending"
            break
    assert [one for one in reached if one in ("task", "model", "probe", "layer", "rows")] == [
        "task", "model", "probe", "layer", "rows",
    ]  # fmt: skip


def test_it_can_be_read_aloud(visit, whole):
    page = visit(whole)
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.locator("h1").count() == page.locator("main").count() == 1
    levels = page.locator("h1, h2, h3").evaluate_all("all => all.map((one) => Number(one.tagName[1]))")
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    named = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in tree if not node["ignored"]]
    assert {"combobox", "slider", "button", "navigation", "region"} <= {role for role, _ in named}
    assert [role for role, name in named if role in ROLES - {"table"} and not name.strip()] == []
    for plot in ("curve", "map", "plane"):
        described = page.locator(f"#{plot}").get_attribute("aria-describedby")
        assert len(page.locator(f"#{described}").inner_text()) > 40
    page.get_by_text("The numbers of these curves").click()
    assert "0.990 [0.940, 1.000]" in page.locator("#curve-numbers").inner_text()
    assert page.locator("[role=status][aria-live=polite]").count() == 2


def test_text_stands_out_from_its_ground(visit, whole):
    assert visit(whole).evaluate(CONTRAST) == []


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_nothing_moves_for_who_wants_no_motion(visit, whole, motion):
    page = visit(whole, reduced_motion=motion)
    expected = {"reduce": "auto", "no-preference": "smooth"}[motion]
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == expected


def test_a_narrow_page_needs_no_sideways_scrolling(visit, whole):
    page = visit(whole, viewport=NARROW)
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    assert page.locator("#curve .main-svg").first.bounding_box()["width"] <= NARROW["width"]


@pytest.mark.slow
def test_names_are_shown_as_they_are(visit, made, small):
    found = small.study()
    for table in found.values():
        if "task" in table:
            table["task"] = table["task"].str.replace("cities.truth", HOSTILE)
    found["map.csv"] = small.places(name=HOSTILE)
    page = visit(made(found))
    assert page.locator(".injected").count() == 0
    assert page.locator("#task option").first.inner_text() == HOSTILE
    assert page.locator("#curve-title").inner_text() == f"{HOSTILE}: AUROC by layer"
    page.locator("#map .point").last.hover(force=True)
    expect(page.locator("#map .hoverlayer")).to_contain_text(HOSTILE)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (
            lambda small, found: small.empty(found, "map.csv", "map_summary.csv"),
            {"map": "No map", "plane": "first component"},
        ),
        (lambda small, found: small.empty(found, "plane.csv"), {"plane": "No scatter"}),
        (lambda small, found: small.empty(found, "notes.csv"), {"notes": "All 90 fits converged"}),
        (
            lambda small, found: {
                name: rows[rows["layer"] == 6] if "layer" in rows else rows for name, rows in found.items()
            },
            {"choices": "6 (the only one)"},
        ),
        (
            lambda small, found: {
                **found,
                "layers.csv": found["layers.csv"].assign(estimate=np.nan, lower=np.nan, upper=np.nan),
            },
            {"curve": "majority", "curve-text": "undefined at every layer", "status": "undefined"},
        ),
    ],
    ids=["no places", "no statements", "no notes", "one layer", "nothing defined"],
)
def test_a_page_says_what_its_study_lacks(visit, made, small, changed, says):
    page = visit(made(changed(small, small.study())))
    for place, words in says.items():
        expect(page.locator(f"#{place}")).to_contain_text(words)


@pytest.mark.slow
def test_rows_come_in_portions(visit, made, small):
    found = small.study()
    models = {f"model-{n:02}": small.curves["atlas"] for n in range(30)}
    found["probes.csv"] = small.estimates(tables.COLUMNS["probes.csv"], models, probe="lda")
    page = visit(made(found))
    assert page.locator("#model option").count() == 32
    assert page.locator("#more").is_hidden()
    page.get_by_label("Rows").select_option("all")
    assert page.locator("#table tbody tr").count() == 200
    page.get_by_role("button", name="Show more rows").click()
    assert page.locator("#table tbody tr").count() == 400
