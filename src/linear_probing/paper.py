"""Paper: tables and figures in, a PDF out in which no number and no finding was typed by hand.

Out: paper.pdf; values.json, which has every number of it by name; and the main table as main.csv, main.md and main.tex,
of each further model with its name appended. paper/paper.typ is about the embedded model: sentences on a task that the
study lacks are left out, another model needs another paper. Cost: seconds, no network.
"""

import argparse
import json
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from linear_probing import records, settings
from linear_probing.provenance import ROOT
from linear_probing.settings import Study
from linear_probing.stage import run
from linear_probing.writing import numbers, rendering, typesetting
from linear_probing.writing.main_table import Row
from linear_probing.writing.reading import PaperError
from linear_probing.writing.values import values

LOG = logging.getLogger("paper")
SOURCES = (
    "paper/paper.typ",
    "paper/references.bib",
    "data/models/atlas/record.json",
)
"""Files of the repository that it is made of: the text, what it cites, and how the model was trained."""
OPTIONAL = (
    "config/minilm.yaml",
    "tests/golden/minilm/configuration.digest",
    "tests/golden/minilm/baselines.csv",
    "tests/golden/minilm/best_layer.csv",
    "tests/golden/minilm/best_layer_significance.csv",
    "tests/golden/minilm/layers.csv",
    "tests/golden/minilm/leakage.csv",
    "tests/golden/minilm/selectivity.csv",
)
"""The tables of a real model's study, without which the paper has no section on it; see writing/real_model.py."""
EMBEDDED = "data/models/atlas"
FIGURES = ("overview", "layers", "map", "leakage", "transfer", "causal")
NEEDED = ("layers",)
PDF = "paper.pdf"


def check_model(study: Study) -> None:
    """Check that the paper's text is about the model in front.

    Raises
    ------
    PaperError
        If the study's first model is not the embedded one.
    """
    first = study.models[0]
    if first.seed is not None or first.folder.resolve() != (ROOT / EMBEDDED).resolve():
        raise PaperError(
            f"{SOURCES[0]} is about the embedded model, but the first model of {study.name} is {first.name}",
            file=study.file,
            likely="the paper was asked for another study than the default one",
            do="make paper CONFIG=config/study.yaml; for the main table alone, python -m linear_probing.writing --help",
        )


def training(path: Path) -> dict[str, str]:
    """Return how the embedded model was trained, from its record."""
    record = json.loads(path.read_text(encoding="utf-8"))
    counts = {name: numbers.count(record[name]) for name in ("parameters", "steps", "tokens")}
    return {**counts, "minutes": f"{record['minutes']:.0f}"}


def contents(study: Study, statistics: Path, figures: Path, rows: Sequence[Row]) -> dict[str, Any]:
    """Return all that the paper reads.

    Raises
    ------
    PaperError, FigureError
        If a table or a figure that it needs is missing or cannot be read.
    """
    shown = typesetting.figures(figures, FIGURES, NEEDED)
    return {**values(study, statistics, rows), "training": training(ROOT / SOURCES[2]), "figures": shown}


def write(study: Study, statistics: Path, figures: Path, folder: Path) -> None:
    """Write the main table, values.json and paper.pdf into a folder that exists.

    Raises
    ------
    PaperError, FigureError
        If the study has another model in front, or something that the paper needs is missing.
    """
    check_model(study)
    content = contents(study, statistics, figures, rendering.write(study, statistics, folder))
    (folder / typesetting.VALUES).write_text(typesetting.text_of(content), encoding="utf-8")
    sources = [ROOT / source for source in SOURCES[:2]]
    pictures = [figures / one["file"] for one in content["figures"].values()]
    (folder / PDF).write_bytes(typesetting.compile_pdf(sources, content, pictures))


def main() -> None:
    """Write the paper of a study."""
    parser = argparse.ArgumentParser(description="Write the paper from the tables and figures of a study.")
    parser.add_argument("--config", type=Path, required=True, help="the study's configuration")
    parser.add_argument("--statistics", type=Path, required=True, help="folder of the statistics stage")
    parser.add_argument("--figures", type=Path, required=True, help="folder of the figures stage")
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    arguments = parser.parse_args()
    study = settings.load(arguments.config)
    start = time.monotonic()
    LOG.info("%s: writing from %s and %s", study.name, arguments.statistics, arguments.figures)
    inputs = [arguments.statistics, arguments.figures]
    with records.making(study, "paper", arguments.output, inputs) as folder:
        write(study, arguments.statistics, arguments.figures, folder)
    LOG.info("%s: %s, %.1f s", study.name, PDF, time.monotonic() - start)


if __name__ == "__main__":
    run(main)
