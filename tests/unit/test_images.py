"""Every figure, drawn from small tables, looks as it did when tests/golden/figures was written.

After a change that was meant to be seen, look at what this writes:

    pytest tests/unit/test_images.py --write-figures

Pictures are small and blurred. The difference of two is that of the worst square of 24 pixels, each pixel compared with
those up to three away, as a share of the reference's difference from white paper. `LIMIT` lies between what was
measured of what may differ and of what may not, on all figures, least to greatest:

    another family (DejaVu Serif)                   0.01 to 0.05
    other hints of letters (none, forced)           0.01 to 0.12
    two curves that change places                   0.25 to 0.50 in leakage, effort and map
    numbers under the wrong model's name            0.26 to 0.89
    a panel that is missing                         0.33 to 1.00

A family of another width moves whole axes and is not tolerated: STIX has 0.04 to 0.35. Nor is every wrong line seen: a
thin curve among many (layers, cosines) makes 0.05 to 0.19 if its band stays; tests of axes hold those.
"""

import io
from itertools import combinations, product

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageFilter

from linear_probing import figures, settings
from linear_probing.drawing import plan, style, tables
from linear_probing.drawing.tables import COLUMNS

# Pictures are drawn once for the tests that compare them.
pytestmark = pytest.mark.xdist_group("images")
WIDTH, BLUR = 240, 1.5
"""Of a picture and of what blurs it, in pixels."""

PLAY, SQUARE = 3, 24
LIMIT = 0.2
MOST_BYTES = 30_000
FONTS = {"another family": {"font.family": "DejaVu Serif"}, "other hints": {"text.hinting": "force_autohint"}}
# Where a curve stands for a model or a split by itself.
EXCHANGED = ("leakage", "effort", "map")
MODELS = ("atlas", "atlas-random")
LAYERS = (0, 1, 2, 3)
TASKS = {
    "place.position": ("ridge", "r2"),
    "cities.truth": ("logistic", "auroc"),
    "agreement.number": ("logistic", "auroc"),
}
BINARY = ("cities.truth", "agreement.number")
PROBES = ("logistic", "lda")


def score(model, task, layer):
    """Return a score that rises with the layers in the model and hardly in its twin."""
    low = 0.1 if task == "place.position" else 0.5
    slope = 0.14 if model == "atlas" else 0.03
    return low + slope * layer - 0.02 * list(TASKS).index(task)


def frame(name, rows):
    return pd.DataFrame(rows, columns=list(COLUMNS[name]))


def small_tables():
    """Return all tables of a study of two models, three tasks and four layers, without chance."""
    keys = [(m, t, part, *TASKS[t], k) for m, t, part, k in product(MODELS, TASKS, ("all", "unseen"), LAYERS)]
    rows = [(*key, score(key[0], key[1], key[-1])) for key in keys]
    sizes = (80, 20)
    found = {
        "layers.csv": [
            (m, t, part, split, probe, metric, k, s, s - 0.05, s + 0.05, *sizes, 0.5, 0.55, 0.4 + 0.02 * k)
            for m, t, part, probe, metric, k, s in rows
            for split in ("group", "types")
        ],
        "baselines.csv": [("text", t, "unseen", "group", 0.55) for t in TASKS],
        "selectivity.csv": [(*row[:6], row[6] - 0.4, row[6] - 0.46, row[6] - 0.34, *sizes) for row in rows],
        "probes.csv": [
            (m, t, part, probe, metric, k, split, s - 0.1, s - 0.15, s - 0.05, 0.5, s - 0.6, *sizes)
            for m, t, part, _, metric, k, s in rows
            for split, probe in product(("group", "types"), ("lda", "mean_difference"))
        ],
        "leakage.csv": [
            (*row[:6], row[6] + 0.1 * row[5], row[6], 0.1 * row[5], 0.1 * row[5] - 0.03, 0.1 * row[5] + 0.03, *sizes)
            for row in rows
        ],
        "learning.csv": [
            (*row[:6], share, 20 * share, s, s - 0.06, s + 0.06, *sizes)
            for row in rows
            for share in (0.1, 0.3, 1.0)
            for s in [row[6] + 0.08 * np.log(share)]
        ],
        "code_length.csv": [
            (m, t, f"layer_{k:02d}", k, 2, 10, 80, 1 + 4 * (score(m, t, k) - 0.4))
            for m, t, k in product(MODELS, BINARY, LAYERS)
        ],
        "best_layer_significance.csv": [
            (m, t, "headline", "unseen", 3, 0.01, 3, 99) for m, t in product(MODELS, TASKS)
        ],
        "transfer.csv": [
            (m, one, other, probe, k, "auroc", s, s - 0.1, s + 0.1, *sizes)
            for m, one, other, probe, k in product(MODELS, BINARY, BINARY, PROBES, LAYERS)
            for s in [0.5 + (score(m, one, k) - 0.5) * (1 if one == other else -0.6)]
        ],
        "cosines.csv": small_cosines(),
        **small_interventions(),
        **small_points(),
    }
    return {name: frame(name, rows) for name, rows in found.items()}


def small_interventions():
    """Return edits that act from layer to layer more, a difference of means most, and what is removed least."""
    kinds = [("shift", "mean_difference", 1.0), ("shift", "logistic", 0.5), ("remove", "mean_difference", 0.45)]
    kinds.append(("swap", "whole_state", 0.9))
    rows, tests = [], []
    for m, t in product(MODELS[:1], BINARY):
        for (operation, kind, most), k in product(kinds, LAYERS):
            effect, controls = most * (k / LAYERS[-1]) ** 2, kind != "whole_state"
            found = (effect, effect - 0.08, effect + 0.08, 80, 20)
            p = (0.001 if effect > 0.4 else 0.5) if controls else np.nan
            rows.append((m, t, operation, kind, t, k, k, 1.0, *found, 0.3 * k / LAYERS[-1], p, 1000 * controls))
        tests += [(m, t, operation, kind, most, 2, 3, 2) for operation, kind, most in kinds[:3]]
    return {"causal.csv": rows, "causal_tests.csv": tests}


def small_cosines():
    sides = list(product(LAYERS, BINARY, PROBES))
    return [
        (m, *one, *other, strength * (1 - 0.3 * abs(one[0] - other[0])) - 0.5 * (one[1] != other[1]))
        for m, strength in zip(MODELS, (0.9, 0.4), strict=True)
        for one, other in combinations(sides, 2)
        if one[0] == other[0] or one[1:] == other[1:]
    ]


def small_points():
    """Return places that draw near the truth layer by layer, and statements that part."""
    places, errors, points = [], [], []
    for m, k in product(MODELS, LAYERS):
        near = 0.3 * k if m == "atlas" else 0.05 * k
        errors.append((m, "place.position", k, 60, 5000 * (1 - near) + 300))
        for n in range(60):
            lon, lat = -120 + 4.3 * n, 45 * np.sin(1.7 * n)
            places.append((m, "place.position", k, f"t{n}", f"c{n}", "seen", lon, lat, near * lon, near * lat))
        for task, n in product(BINARY, range(40)):
            x, y = np.sin(5.1 * n) + (2 * (n % 2) - 1) * k, np.cos(3.3 * n)
            points.append((m, task, k, f"t{n}", str(n % 2), "seen", *((x, y) if m == "atlas" else (y, -x))))
    return {"map.csv": places, "map_summary.csv": errors, "plane.csv": points}


def written(folder, content):
    for name, table in content.items():
        table.to_csv(folder / name, index=False)
    return tables.read(folder)


def picture(figure):
    """Return a figure as an array of (height, width, 3) in 0 to 1, `WIDTH` pixels wide and blurred."""
    style.settle(figure)
    held = io.BytesIO()
    figure.savefig(held, format="png", dpi=2 * WIDTH / style.DOUBLE_COLUMN)
    image = Image.open(held).convert("RGB").filter(ImageFilter.GaussianBlur(2 * BLUR))
    return image.resize((WIDTH, round(image.height * WIDTH / image.width)), Image.Resampling.BOX)


def farthest(one, other):
    """Return how far each pixel of one is from the nearest colour up to `PLAY` pixels away in the other."""
    height, width, _ = one.shape
    around = np.pad(other, ((PLAY, PLAY), (PLAY, PLAY), (0, 0)), mode="edge")
    places = product(range(2 * PLAY + 1), repeat=2)
    return np.min([np.abs(one - around[y : y + height, x : x + width]).max(axis=2) for y, x in places], axis=0)


def worst(distances):
    """Return the mean of the worst square; those at the edges are filled up with noughts."""
    height, width = (-(-size // SQUARE) * SQUARE for size in distances.shape)
    full = np.zeros((height, width))
    full[: distances.shape[0], : distances.shape[1]] = distances
    return full.reshape(height // SQUARE, SQUARE, width // SQUARE, SQUARE).mean(axis=(1, 3)).max()


def difference(found, reference):
    """Return how unlike a picture is to a reference: 0 for the same, 1 for white paper or another size."""
    one, other = (np.asarray(image, dtype=float) / 255 for image in (found, reference))
    if one.shape != other.shape:
        return 1.0
    unlike, white = (worst(np.maximum(farthest(a, other), farthest(other, a))) for a in (one, np.ones_like(other)))
    return unlike / white


def swapped(content):
    """Return the tables with every model's numbers under the other's name."""
    names = dict(zip(MODELS, MODELS[::-1], strict=True))
    return {
        name: table.assign(model=table["model"].map(names)) if "model" in table else table
        for name, table in content.items()
    }


def exchange(figure):
    """Let the two curves of one panel that are farthest apart change places."""
    curves = [line for axes in figure.axes for line in axes.lines if len(line.get_xdata()) == len(LAYERS)]
    pairs = [(a, b) for a, b in combinations(curves, 2) if a.axes is b.axes]
    one, other = max(pairs, key=lambda pair: np.abs(np.subtract(*(line.get_ydata() for line in pair))).max())
    numbers = one.get_ydata(), other.get_ydata()
    one.set_ydata(numbers[1])
    other.set_ydata(numbers[0])


@pytest.fixture(scope="module")
def tiny_study(root):
    return settings.load(root / "config" / "tiny.yaml")


def drawn_all(study, read):
    return (figures.draw(study, read, one) for one in plan.planned(study))


@pytest.fixture(scope="module")
def drawn(tiny_study, tmp_path_factory):
    """Return a function that draws all figures of tables and makes pictures of them."""

    def draw(content, look=None):
        read = written(tmp_path_factory.mktemp("tables"), content)
        with style.theme(), mpl.rc_context(look):
            return {one.name: picture(one.figure) for one in drawn_all(tiny_study, read)}

    return draw


@pytest.fixture(scope="module")
def today(tiny_study, tmp_path_factory):
    """Return pictures of all figures: `whole`, with a panel `lacking`, and with two curves `exchanged`."""
    read = written(tmp_path_factory.mktemp("tables"), small_tables())
    found = {"whole": {}, "exchanged": {}, "lacking": {}}
    with style.theme():
        for one in drawn_all(tiny_study, read):
            found["whole"][one.name] = picture(one.figure)
            one.figure.axes[1].set_visible(False)
            found["lacking"][one.name] = picture(one.figure)
            one.figure.axes[1].set_visible(True)
            if one.name in EXCHANGED:
                exchange(one.figure)
                found["exchanged"][one.name] = picture(one.figure)
    return found


@pytest.fixture(scope="module")
def references(root, today, request):
    folder = root / "tests" / "golden" / "figures"
    if request.config.getoption("--write-figures"):
        folder.mkdir(exist_ok=True)
        for path in folder.glob("*.png"):
            path.unlink()
        for name, image in today["whole"].items():
            image.save(folder / f"{name}.png", optimize=True)
    return {path.stem: Image.open(path).convert("RGB") for path in sorted(folder.glob("*.png"))}


def differences(found, references):
    return {name: round(float(difference(found[name], one)), 3) for name, one in references.items() if name in found}


def test_every_figure_has_a_reference_of_few_bytes(tiny_study, references, root):
    assert set(references) == set(figures.names(tiny_study))
    assert all(path.stat().st_size <= MOST_BYTES for path in (root / "tests" / "golden" / "figures").iterdir())


def test_every_figure_looks_as_its_reference(today, references):
    unlike = {name: share for name, share in differences(today["whole"], references).items() if share > LIMIT}
    assert not unlike, "look at them, and if they are as they should be: --write-figures"


@pytest.mark.slow
@pytest.mark.parametrize("look", FONTS.values(), ids=FONTS)
def test_another_font_is_no_difference(drawn, references, look):
    found = differences(drawn(small_tables(), look), references)
    assert max(found.values()) < LIMIT, found
    assert max(found.values()) > 0.01, "the font was not another one"


@pytest.mark.slow
def test_numbers_under_the_wrong_models_name_are_a_difference(drawn, references):
    found = differences(drawn(swapped(small_tables())), references)
    assert min(found.values()) > LIMIT, found


def test_a_panel_that_is_missing_is_a_difference(today, references):
    found = differences(today["lacking"], references)
    assert min(found.values()) > LIMIT, found


def test_an_empty_figure_is_a_difference(references):
    blank = {name: Image.new("RGB", one.size, "white") for name, one in references.items()}
    assert set(differences(blank, references).values()) == {1.0}


def test_two_curves_that_change_places_are_a_difference(today, references):
    found = differences(today["exchanged"], references)
    assert tuple(found) == tuple(sorted(EXCHANGED))
    assert min(found.values()) > LIMIT, found


def test_a_picture_of_another_size_is_a_difference(references):
    one = references["layers"]
    assert difference(one.resize((WIDTH, one.height + 1)), one) == 1.0
