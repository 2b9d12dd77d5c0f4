"""Report: tables of the statistics stage in, one page out that a person explores; no statistic is computed.

Out: report.html, one file that needs no host and no further file: plotly's script (4.8 MB) and the data are in it.
What the figures draw for all layers side by side, the page draws for the layer that a reader chooses, with numbers
under the pointer, and all estimates as a table that sorts. The same tables give the same bytes.
Cost: seconds.
"""

import argparse
import logging
import time
from pathlib import Path
from typing import Any

import pandas as pd

from linear_probing import records, settings
from linear_probing.drawing import captions
from linear_probing.reporting import causal, page, scores, statements, world
from linear_probing.reporting.numbers import columns
from linear_probing.reporting.tables import Tables, read
from linear_probing.settings import Study
from linear_probing.stage import run

LOG = logging.getLogger("report")
PAGE = "report.html"
SOURCES = (
    "src/linear_probing/reporting/page.css",
    "src/linear_probing/reporting/page.html",
    "src/linear_probing/reporting/page.js",
)
"""What the page is made from besides code and tables; their bytes count in the report's digest."""
NOTE_KEYS = ["model", "task", "split", "labeling", "probe", "note"]


def notes(table: pd.DataFrame) -> pd.DataFrame:
    """Return notes.csv with the fits of one probe that went wrong in one way counted in a row."""
    counted = table.groupby(NOTE_KEYS, sort=False).agg(
        layers=("features", lambda names: ", ".join(dict.fromkeys(name.removeprefix("layer_") for name in names))),
        fits=("features", "size"),
    )
    return counted.reset_index() if len(table) else pd.DataFrame(columns=[*NOTE_KEYS, "layers", "fits"])


def words(study: Study, tables: Tables) -> dict[str, str]:
    """Return the sentences of the page that depend on the study."""
    n_fits, n_notes = int(tables.fits["n_fits"].sum()), len(tables.notes)
    what = "1 is" if n_notes == 1 else f"{n_notes:,} are"
    return {
        "confidence": captions.confidence(study.bootstrap),
        "resamples": f"{study.bootstrap.n_resamples:,}",
        "permutations": f"{study.n_permutations:,}",
        "noted": f"Of {n_fits:,} fits, {what} noted: what did not converge or lacked something, and what."
        if n_notes
        else f"All {n_fits:,} fits converged, and none lacked anything.",
    }


def make(study: Study, tables: Tables) -> str:
    """Return the page of a study."""
    content: dict[str, Any] = {
        **scores.content(study, tables),
        "places": world.content(tables.map, tables.map_summary),
        "statements": statements.content(tables.plane),
        "notes": columns(notes(tables.notes)),
    }
    edits = causal.rows(tables.causal_tests)
    return page.render(study.name, content, scores.summary(study, tables), edits, words(study, tables))


def main() -> None:
    """Make the page of a study."""
    parser = argparse.ArgumentParser(description="Make the page that a person explores, from the statistics' tables.")
    parser.add_argument("--config", type=Path, required=True, help="the study's configuration")
    parser.add_argument("--statistics", type=Path, required=True, help="folder of the statistics stage")
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    arguments = parser.parse_args()
    study = settings.load(arguments.config)
    start = time.monotonic()
    LOG.info("%s: page from %s", study.name, arguments.statistics)
    with records.making(study, "report", arguments.output, [arguments.statistics]) as folder:
        text = make(study, read(arguments.statistics))
        (folder / PAGE).write_text(text, encoding="utf-8")
    LOG.info("%s: %.1f MB, %.1f s", study.name, len(text.encode()) / 1e6, time.monotonic() - start)


if __name__ == "__main__":
    run(main)
