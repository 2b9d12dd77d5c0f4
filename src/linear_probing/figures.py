"""Figures: tables of the statistics stage in, PDF, PNG and SVG out; no statistic is computed, no model is loaded.

Out, for the study's first model, the figures that drawing/plan.py names, and for each further model the same with its
name appended; captions.json has what each shows, of how many targets, by which probe and with which intervals. The same
tables give the same bytes.
"""

import argparse
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure

from linear_probing import artefacts, processes, records, settings
from linear_probing.drawing import (
    causal,
    cosines,
    effort,
    layers,
    leakage,
    models,
    overview,
    plane,
    selectivity,
    style,
    transfer,
)
from linear_probing.drawing import map as world
from linear_probing.drawing.plan import Planned, planned
from linear_probing.drawing.tables import Tables, read
from linear_probing.settings import Study
from linear_probing.stage import count, run

LOG = logging.getLogger("figures")
CAPTIONS = "captions.json"

Draw = Callable[[Study, Tables, Planned], tuple[Figure, str]]


@dataclass(frozen=True)
class Drawn:
    """A figure with its file name (without ending), its caption in plain text and its heading in reports."""

    name: str
    figure: Figure
    caption: str
    category: str


def _overview(study: Study, tables: Tables, one: Planned) -> tuple[Figure, str]:
    (model,) = one.models
    twin = _first_twin(study, model)
    drawn = (tables.layers, tables.best_layer_significance, model, twin, study.bootstrap)
    return overview.draw(*drawn), overview.caption(*drawn)


def _layers(study: Study, tables: Tables, one: Planned) -> tuple[Figure, str]:
    (model,) = one.models
    return layers.draw(tables.layers, tables.baselines, model, _twins(study, model)), layers.caption(
        tables.layers, model, _twins(study, model), study.bootstrap
    )


def _selectivity(study: Study, tables: Tables, one: Planned) -> tuple[Figure, str]:
    (model,) = one.models
    twin = _first_twin(study, model)
    figure = selectivity.draw(tables.selectivity, tables.probes, model, twin)
    return figure, selectivity.caption(tables.selectivity, tables.probes, tables.layers, model, twin, study)


def _leakage(study: Study, tables: Tables, one: Planned) -> tuple[Figure, str]:
    (model,) = one.models
    return leakage.draw(tables.leakage, model), leakage.caption(tables.leakage, model, study)


def _effort(study: Study, tables: Tables, one: Planned) -> tuple[Figure, str]:
    (model,) = one.models
    drawn = (tables.code_length, tables.learning, model, _first_twin(study, model))
    return effort.draw(*drawn), effort.caption(*drawn, study)


def _map(study: Study, tables: Tables, one: Planned) -> tuple[Figure, str]:
    (model,) = one.models
    twin = _first_twin(study, model)
    return world.draw(tables.map, tables.map_summary, model, twin), world.caption(
        tables.map, tables.map_summary, tables.layers, model, twin
    )


def _plane(study: Study, tables: Tables, one: Planned) -> tuple[Figure, str]:
    (model,) = one.models
    return plane.draw(tables.plane, tables.layers, model), plane.caption(tables.plane, tables.layers, model)


def _transfer(study: Study, tables: Tables, one: Planned) -> tuple[Figure, str]:
    (model,) = one.models
    twin = _first_twin(study, model)
    return transfer.draw(tables.transfer, tables.layers, model, twin), transfer.caption(
        tables.transfer, tables.layers, model, twin, study.bootstrap
    )


def _cosines(study: Study, tables: Tables, one: Planned) -> tuple[Figure, str]:
    (model,) = one.models
    twin = _first_twin(study, model)
    return cosines.draw(tables.cosines, tables.layers, model, twin), cosines.caption(
        tables.cosines, tables.layers, model, twin
    )


def _causal(study: Study, tables: Tables, one: Planned) -> tuple[Figure, str]:
    (model,) = one.models
    twin = _first_twin(study, model)
    figure = causal.draw(tables.causal, tables.layers, model, twin)
    return figure, causal.caption(tables.causal, tables.causal_tests, model, study)


def _models(study: Study, tables: Tables, one: Planned) -> tuple[Figure, str]:
    depths = {model.name: model.n_layers() for model in study.models if model.seed is None}
    return models.draw(tables.layers, one.models, depths), models.caption(tables.layers, one.models, depths, study)


DRAW: dict[str, Draw] = {
    "overview": _overview,
    "layers": _layers,
    "selectivity": _selectivity,
    "leakage": _leakage,
    "effort": _effort,
    "map": _map,
    "plane": _plane,
    "transfer": _transfer,
    "cosines": _cosines,
    "causal": _causal,
    "models": _models,
}
"""How each kind of figure of drawing/plan.py is drawn."""


def names(study: Study) -> list[str]:
    """Return the names of the figures that a study has, known before there is a table."""
    return [one.name for one in planned(study)]


def draw(study: Study, tables: Tables, one: Planned) -> Drawn:
    """Draw one of the figures that `planned` names.

    Raises
    ------
    FigureError
        If layers.csv has no row of the figure's model.
    """
    figure, caption = DRAW[one.kind](study, tables, one)
    return Drawn(one.name, figure, caption, one.category)


def _twins(study: Study, model: str) -> list[str]:
    return [twin.name for twin in study.twins_of(study.model(model))]


def _first_twin(study: Study, model: str) -> str | None:
    return next(iter(_twins(study, model)), None)


def save(study: Study, tables: Tables, folder: Path, n_jobs: int = 1) -> int:
    """Draw and write each figure in all formats, captions and headings as captions.json; return the number of files.

    `n_jobs` is the number of processes; the bytes are the same for any.

    Raises
    ------
    FigureError
        As `draw` does.
    """
    saved = partial(_saved, study, tables, folder)
    if n_jobs == 1:
        found = [saved(one) for one in planned(study)]
    else:
        with processes.fresh(min(n_jobs, len(planned(study)))) as pool:
            found = list(pool.map(saved, planned(study)))
    told = {name: {"caption": caption, "category": category} for name, caption, category, _ in found}
    content = json.dumps(told, indent=2, sort_keys=True, ensure_ascii=False)
    (folder / CAPTIONS).write_text(content + "\n", encoding="utf-8")
    return 1 + sum(n_files for *_, n_files in found)


def _saved(study: Study, tables: Tables, folder: Path, one: Planned) -> tuple[str, str, str, int]:
    with style.theme():
        drawn = draw(study, tables, one)
        return drawn.name, drawn.caption, drawn.category, len(style.save(drawn.figure, folder, drawn.name))


def main() -> None:
    """Draw all figures of a study."""
    parser = argparse.ArgumentParser(description="Draw the figures from the statistics stage's tables.")
    parser.add_argument("--config", type=Path, required=True, help="the study's configuration")
    parser.add_argument("--statistics", type=Path, help="folder of the statistics stage (default: the study's)")
    parser.add_argument("--output", type=Path, help="folder to write (default: the study's)")
    parser.add_argument("--threads", type=count, default=1, help="processes; the bytes are the same for any")
    arguments = parser.parse_args()
    study, start = settings.load(arguments.config), time.monotonic()
    own = Path(artefacts.RESULTS, "studies", study.name)
    statistics, output = arguments.statistics or own / "statistics", arguments.output or own / "figures"
    LOG.info("%s: drawing from %s", study.name, statistics)
    with records.making(study, "figures", output, [statistics], threads=arguments.threads) as folder:
        n_files = save(study, read(statistics), folder, arguments.threads)
    LOG.info("%s: %d files, %.1f s", study.name, n_files, time.monotonic() - start)


if __name__ == "__main__":
    run(main)
