"""Typesetting: a Typst source, its values and figures in, a PDF out; the same inputs give the same bytes.

All that the source reads is copied into one empty folder, which is all that the compiler may read; fonts are those that
it brings, so that another machine's fonts change nothing. Cost: a second or two.
"""

import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import typst

from linear_probing.writing.reading import PaperError

LOG = logging.getLogger("paper")
VALUES, CAPTIONS = "values.json", "captions.json"
FORMATS = (".pdf", ".svg", ".png")
"""Of a figure, the first that is there: vectors with fonts of their own, vectors, dots."""
NO_TIME = 0
"""The time that is written into the document if it asks for one, which it does not."""


def figures(folder: Path, names: Sequence[str], needed: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return file and caption of the figures that are there, by name, in the order asked for.

    Parameters
    ----------
    folder : Path
        Output folder of the figures stage.
    names : Sequence[str]
        Those to look for; a study that has nothing for one lacks its file.
    needed : Sequence[str]
        Those without which there is no paper.

    Raises
    ------
    PaperError
        If one that is needed is not there, or captions.json is no JSON of captions.
    """
    captions = _captions(folder / CAPTIONS)
    found = {}
    for name in names:
        file = next((folder / f"{name}{end}" for end in FORMATS if (folder / f"{name}{end}").is_file()), None)
        if file is not None:
            found[name] = {"file": file.name, "caption": captions.get(name, "")}
        elif name in needed:
            raise PaperError(
                f"the figure {name} is not there, but the paper shows it",
                file=folder / f"{name}{FORMATS[0]}",
                likely="the figures stage has not run, or it wrote into another folder",
                do="make figures, or python -m linear_probing.figures by hand",
            )
    return found


def _captions(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {name: str(entry["caption"]) for name, entry in content.items()}
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise PaperError(
            f"{path.name} holds no captions: {error!r}",
            file=path,
            likely="the file was cut short or edited",
            do="make figures: it is written anew",
        ) from error


def text_of(values: Mapping[str, Any]) -> str:
    """Return values as the JSON that the source reads."""
    return json.dumps(values, indent=1, ensure_ascii=False) + "\n"


def compile_pdf(sources: Sequence[Path], values: Mapping[str, Any], pictures: Sequence[Path]) -> bytes:
    """Return a paper.

    Parameters
    ----------
    sources : Sequence[Path]
        The Typst source, then what else it reads by name.
    values : Mapping[str, Any]
        What it reads as values.json.
    pictures : Sequence[Path]
        Files that it shows, by name.

    Raises
    ------
    PaperError
        If the source cannot be set, or only with a warning, as of a value or a font that is not there.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        for path in (*sources, *pictures):
            shutil.copyfile(path, folder / path.name)
        (folder / VALUES).write_text(text_of(values), encoding="utf-8")
        try:
            compiler = typst.Compiler(folder / sources[0].name, root=folder, ignore_system_fonts=True)
            pdf, warnings = compiler.compile_with_warnings(format="pdf", timestamp=NO_TIME)
        except typst.TypstError as error:
            raise _error(sources[0], f"{error.message} {error.diagnostic}".strip()) from error
    if warnings:
        raise _error(sources[0], "; ".join(str(warning.message) for warning in warnings))
    if not isinstance(pdf, bytes):
        raise _error(sources[0], "no page came out")
    return pdf


def _error(source: Path, found: str) -> PaperError:
    return PaperError(
        f"{source.name} cannot be set: {found}",
        file=source,
        likely="the source asks for a value that values.json does not have",
        do="compare the two; writing/values.py names the values",
    )
