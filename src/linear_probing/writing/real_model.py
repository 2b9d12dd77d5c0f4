"""What the paper says of a real model: the committed tables of its study in, the values of that section out.

The paper is of the default study and must not want the results of another: what it says of a real encoder it takes
from the golden tables of that study, which its own run compares. A configuration that was edited since has other
numbers; then the section is left out, and a line says so.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from linear_probing import golden, settings
from linear_probing.drawing.curves import CLOSE
from linear_probing.provenance import ROOT
from linear_probing.writing import checks, controls, evidence, findings, numbers, rendering
from linear_probing.writing.evidence import Evidence
from linear_probing.writing.main_table import Row, rows
from linear_probing.writing.note import note

LOG = logging.getLogger("paper")
CONFIG, TABLES = ROOT / "config" / "minilm.yaml", ROOT / "tests" / "golden" / "minilm"
NAMES = ("layers.csv", "best_layer.csv", "baselines.csv", "best_layer_significance.csv", "leakage.csv")
SPLIT_BY_ROW = "cities.truth"
"""The task whose rows are a true and a false statement on each city."""


def values(config: Path = CONFIG, tables: Path = TABLES) -> dict[str, Any] | None:
    """Return what the section says, None where there are no tables of today's configuration.

    Raises
    ------
    SettingsError, PaperError, FigureError
        If the configuration or a table cannot be read.
    """
    study = settings.load(config)
    reason = golden.not_compared(study, tables, golden.configuration_digest(config))
    if reason:
        LOG.warning("the section on a real model is left out: %s", reason)
        return None
    model = next(model for model in study.models if model.seed is None)
    found = rows(study, tables, model.name)
    known = evidence.read(study, tables, found, NAMES)
    return {
        "model": model.name,
        "n_blocks": numbers.spelt(model.n_layers()),
        "table": rendering.typst(found, note(study, found)),
        "significance": findings.significance(known),
        "random": controls.random_weights(known),
        "misled_text": controls.misled_text(known),
        "control": controls.control(known),
        "depth": findings.depth(known),
        "text_close": text_close(found),
        "by_row": split_by_row(known, SPLIT_BY_ROW),
        "stricter": checks.stricter(known),
    }


def text_close(found: Sequence[Row]) -> list[dict[str, str]]:
    """Return the tasks that text alone reads about as well as the states, or better."""
    close = [row for row in found if row.text_baseline > row.estimate - CLOSE]
    return [
        {"task": evidence.phrase(row.task), "text": numbers.score(row.text_baseline), "own": findings.estimate(row)}
        for row in close
    ]


def split_by_row(known: Evidence, task: str) -> dict[str, Any] | None:
    """Return how far a split by row is off at a model's layers and at its first twin's, and to which side.

    Only layers whose interval leaves out zero have a side.
    """
    own = known.row(task)
    part = {} if own is None else {"part": own.part}
    names = (known.model, *known.twins[:1])
    tables = {name: known.find("leakage.csv", model=name, task=task, **part) for name in names}
    found = {name: _sides(table) for name, table in tables.items() if not table.empty}
    if known.model not in found:
        return None
    twin = found.get(known.twins[0]) if known.twins else None
    return {"task": evidence.phrase(task), **found[known.model], "twin": twin}


def _sides(table: pd.DataFrame) -> dict[str, Any]:
    lower, higher = table[table["upper"] < 0], table[table["lower"] > 0]
    word = "mixed" if len(lower) and len(higher) else "lower" if len(lower) else "higher" if len(higher) else "neither"
    sided = pd.concat([lower, higher]) if len(lower) or len(higher) else table
    # Of layers with a side alone: only their intervals can be told as so much to that side.
    most = sided.sort_values("difference", key=abs).iloc[-1]
    places = numbers.enough(most["difference"])
    sizes = sided["difference"].abs()
    ends = sorted(abs(float(most[end])) for end in ("lower", "upper"))
    return {
        "word": word,
        "n": numbers.spelt(len(lower) + len(higher)),
        "total": numbers.spelt(len(table)),
        "all": len(lower) + len(higher) == len(table),
        "least": numbers.score(float(sizes.min()), places),
        "most": numbers.score(float(sizes.max()), places),
        "layer": str(most["layer"]),
        "row": numbers.score(most["row_score"]),
        "group": numbers.score(most["group_score"]),
        "interval": numbers.interval(ends[0], ends[1], places),
        "below_chance": bool((table["row_score"] < controls.CHANCE).all()),
    }
