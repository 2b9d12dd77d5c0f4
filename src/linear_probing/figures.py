"""Figures: tables of the statistics stage in, PDF, PNG and SVG out; no statistic is computed, no model is loaded.

Out, for the study's first model: layers (curves beside their controls), map (predicted places) and plane (true and
false statements); for each further model the same with its name appended. The same tables give the same bytes.
"""

import argparse
import logging
import time
from collections.abc import Iterator
from pathlib import Path

from matplotlib.figure import Figure

from linear_probing import records, settings
from linear_probing.drawing import layers, plane, style
from linear_probing.drawing import map as world
from linear_probing.drawing.tables import Tables, read
from linear_probing.settings import Study
from linear_probing.stage import run

LOG = logging.getLogger("figures")


def draw(study: Study, tables: Tables) -> Iterator[tuple[str, Figure]]:
    """Yield name and figure, model by model; a twin with random weights stands beside its original, never alone."""
    originals = [model for model in study.models if model.seed is None]
    for number, model in enumerate(originals):
        twins = study.twins_of(model)
        ending = f"-{model.name}" if number else ""
        yield (
            f"layers{ending}",
            layers.draw(tables.layers, tables.baselines, model.name, twins[0].name if twins else None),
        )
        yield f"map{ending}", world.draw(tables.map, tables.map_summary, model.name)
        yield f"plane{ending}", plane.draw(tables.plane, tables.layers, model.name)


def main() -> None:
    """Draw all figures of a study."""
    parser = argparse.ArgumentParser(description="Draw the figures from the statistics stage's tables.")
    parser.add_argument("--config", type=Path, required=True, help="the study's configuration")
    parser.add_argument("--statistics", type=Path, required=True, help="folder of the statistics stage")
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    arguments = parser.parse_args()
    study = settings.load(arguments.config)
    start = time.monotonic()
    LOG.info("%s: drawing from %s", study.name, arguments.statistics)
    n_files = 0
    inputs = [arguments.statistics]
    with records.making(study, "figures", arguments.output, inputs) as folder, style.theme():
        tables = read(arguments.statistics)
        for name, figure in draw(study, tables):
            n_files += len(style.save(figure, folder, name))
    LOG.info("%s: %d files, %.1f s", study.name, n_files, time.monotonic() - start)


if __name__ == "__main__":
    run(main)
