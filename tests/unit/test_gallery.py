"""The gallery: small pictures of what was drawn, a page with their captions, and figures that are redrawn or missed."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from linear_probing import gallery
from linear_probing.gallery import GalleryError

TOLD = {
    "layers": {"caption": "Scores by layer.", "category": "Curves"},
    "effort": {"caption": "Bits.", "category": "Curves"},
    "map": {"caption": "Places.", "category": "Places"},
}
ORDER = ("layers", "effort", "map")


@pytest.fixture
def drawn(tmp_path):
    folder = tmp_path / "figures"
    folder.mkdir()
    (folder / "captions.json").write_text(json.dumps(TOLD))
    for number, name in enumerate(TOLD):
        shades = np.linspace(0, 255, 2160 * 400).reshape(400, 2160) if number else np.full((400, 2160), 200)
        Image.fromarray(shades.astype(np.uint8)).save(folder / f"{name}.png")
    return folder


def test_every_figure_is_shown_small_with_its_caption(drawn, tmp_path):
    output = tmp_path / "docs"
    assert gallery.write(drawn, output, "small", "config/small.yaml", ORDER) == 3
    assert {path.name for path in output.iterdir()} == {"README.md", *(f"{name}.png" for name in TOLD)}
    for name in TOLD:
        image = Image.open(output / f"{name}.png")
        assert image.size == (1600, 296)
        assert (output / f"{name}.png").stat().st_size < gallery.MOST_BYTES
    text = (output / "README.md").read_text()
    assert text.index("## Curves") < text.index("layers.png") < text.index("effort.png") < text.index("## Places")
    assert "![map](map.png)\n\nPlaces.\n" in text
    assert "make gallery CONFIG=config/small.yaml" in text


def test_the_same_figures_give_the_same_bytes_and_other_pictures_stay(drawn, tmp_path):
    output = tmp_path / "docs"
    output.mkdir()
    (output / "mine.png").write_bytes(b"mine")
    gallery.write(drawn, output, "small", "x", ORDER)
    first = {path.name: path.read_bytes() for path in output.iterdir()}
    gallery.write(drawn, output, "small", "x", ORDER)
    assert {path.name: path.read_bytes() for path in output.iterdir()} == first
    assert first["mine.png"] == b"mine"


def test_a_picture_that_is_too_large_loses_pixels():
    noise = np.random.default_rng(0).integers(0, 256, (300, 2160), dtype=np.uint8)
    found = gallery.small(Image.fromarray(noise))
    assert len(found) <= gallery.MOST_BYTES


def test_rare_colours_stay_what_they_are():
    """A palette of what is frequent would have the blues of the ground, and mix the marks."""
    ground = np.stack(np.broadcast_arrays(np.arange(640) // 5, np.arange(300)[:, None] // 3, 200), axis=2)
    marks = [(230, 159 - 3 * n, 4 * n) for n in range(40)]
    for n, colour in enumerate(marks):
        ground[4:6, 10 * n : 10 * n + 2] = colour
    found = np.asarray(Image.open(io.BytesIO(gallery.small(Image.fromarray(ground.astype(np.uint8))))).convert("RGB"))
    assert max(np.abs(found[5, 10 * n].astype(int) - colour).max() for n, colour in enumerate(marks)) < 25


def test_a_picture_that_cannot_be_small_is_refused():
    noise = np.random.default_rng(0).integers(0, 256, (2000, 700), dtype=np.uint8)
    with pytest.raises(GalleryError, match="bytes at a width of 640"):
        gallery.small(Image.fromarray(noise))


@pytest.mark.parametrize("gone", ["captions.json", "map.png"])
def test_a_missing_file_is_named(drawn, tmp_path, gone):
    (drawn / gone).unlink()
    with pytest.raises(GalleryError, match=rf"(?s){gone}.*do:     make figures CONFIG=config/x.yaml"):
        gallery.write(drawn, tmp_path / "docs", "small", "config/x.yaml", ORDER)


@pytest.mark.parametrize(
    ("module", "says", "do"),
    [
        ("figures", "RecordError: tiny has no tables of today's code and configuration", "snakemake --cores 2"),
        ("gallery", "RecordError: tiny has no figures of today's code and configuration", "make figures CONFIG="),
    ],
)
def test_what_is_missing_is_named_with_the_command_that_makes_it(root, tmp_path, called, module, says, do):
    config = root / "config" / "tiny.yaml"
    more = ["--output", tmp_path / "docs"] if module == "gallery" else []
    done = called(module, "--config", config, *more, cwd=tmp_path)
    assert done.returncode == 1
    assert says in done.stderr
    assert f"do:     {do}" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "results").exists()
