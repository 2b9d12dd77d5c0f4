"""The gallery: a study's figures and captions in, docs/figures out, at the size of a web page.

    python -m linear_probing.gallery --config FILE --output docs/figures

Each figure is made smaller until it is below `MOST_BYTES`: 256 colours, then fewer pixels. Other pictures that stand in
the folder stay, as long as none has a figure's name. The same figures give the same bytes.
"""

import argparse
import io
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from linear_probing import records, settings
from linear_probing.drawing.plan import planned
from linear_probing.stage import StudyError, replace_file, run

LOG = logging.getLogger("gallery")
CAPTIONS, PAGE = "captions.json", "README.md"
MOST_BYTES = 200_000
WIDTHS = (1600, 1440, 1280, 1120, 960, 800, 640)
"""In pixels, tried from the left."""

N_COLOURS = 256
HEAD = """# Figures of {name}

Written by `make gallery CONFIG={config}` from the figures that `make figures CONFIG={config}` draws from the tables,
which `snakemake --cores 2 --configfile {config}` makes. Results hold each as PDF, SVG and PNG at 300 dots an inch.
"""

Told = Mapping[str, Mapping[str, str]]


class GalleryError(StudyError):
    """Figures that cannot be read, or that no page can show."""


def small(image: Image.Image) -> bytes:
    """Return a picture as PNG below `MOST_BYTES`, as wide as that allows.

    Raises
    ------
    GalleryError
        If it is too large at the least width.
    """
    flat = Image.new("RGB", image.size, "white")
    flat.paste(image.convert("RGB"), mask=image.convert("RGBA").getchannel("A"))
    for width in WIDTHS:
        height = round(image.height * width / image.width)
        scaled = flat.resize((width, height), Image.Resampling.LANCZOS) if width < image.width else flat
        held = io.BytesIO()
        # Other methods mix a rare colour, as that of one kind of marks, with its neighbours.
        few = scaled.quantize(N_COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        few.save(held, format="png", optimize=True)
        if held.tell() <= MOST_BYTES:
            return held.getvalue()
    raise GalleryError(
        f"a picture of {image.width} x {image.height} pixels has {held.tell():,} bytes at a width of {WIDTHS[-1]}",
        likely="it is much higher than wide",
        do="draw fewer panels",
    )


def page(name: str, config: str, told: Told) -> str:
    """Return the page: a heading for each category, and below it its figures with their captions.

    Parameters
    ----------
    name, config : str
        Of the study, and its configuration's path.
    told : Mapping
        By figure, its caption and its category.
    """
    parts = [HEAD.format(name=name, config=config)]
    for category in dict.fromkeys(one["category"] for one in told.values()):
        parts.append(f"## {category}\n")
        parts += [_entry(figure, one["caption"]) for figure, one in told.items() if one["category"] == category]
    return "\n".join(parts)


def _entry(figure: str, caption: str) -> str:
    return f"### {figure}\n\n![{figure}]({figure}.png)\n\n{caption}\n"


def write(folder: Path, output: Path, name: str, config: str, order: Sequence[str]) -> int:
    """Write the pictures and the page of a folder of figures; return the number of pictures.

    Parameters
    ----------
    folder : Path
        With a PNG of each figure and captions.json.
    output : Path
        Made where it is not there; only files of the figures' names and README.md are replaced.
    name, config : str
        As of `page`.
    order : Sequence[str]
        The figures, as the page shows them.

    Raises
    ------
    GalleryError
        If captions.json or a figure is missing.
    """
    path = folder / CAPTIONS
    try:
        captions = json.loads(path.read_text(encoding="utf-8"))
        told: Told = {figure: captions[figure] for figure in order}
        images = {figure: Image.open(folder / f"{figure}.png") for figure in told}
    except (OSError, ValueError, KeyError) as error:
        raise GalleryError(
            f"the figures cannot be read: {type(error).__name__}: {error}",
            file=path,
            likely="they were drawn by another version, or a file was deleted",
            do=f"make figures CONFIG={config}",
        ) from error
    output.mkdir(parents=True, exist_ok=True)
    for figure, image in images.items():
        with image, replace_file(output / f"{figure}.png") as temporary:
            temporary.write_bytes(small(image))
    with replace_file(output / PAGE) as temporary:
        temporary.write_text(page(name, config, told), encoding="utf-8")
    return len(images)


def main() -> None:
    """Write the gallery of a study."""
    parser = argparse.ArgumentParser(description="Write a study's figures at the size of a web page, with captions.")
    parser.add_argument("--config", type=Path, required=True, help="the study's configuration")
    parser.add_argument("--output", type=Path, required=True, help="folder to write into")
    arguments = parser.parse_args()
    study = settings.load(arguments.config)
    order = [one.name for one in planned(study)]
    folder = records.current(study, "figures")
    records.check(folder)
    n_pictures = write(folder, arguments.output, study.name, arguments.config.as_posix(), order)
    LOG.info("%s: %d pictures in %s", study.name, n_pictures, arguments.output)


if __name__ == "__main__":
    run(main)
