"""What the page says of interventions: a row for each task and kind of direction, at the layer where it acts most."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from linear_probing.drawing import captions, curves
from linear_probing.reporting.numbers import number
from linear_probing.steering.layout import LEAST_CONTROLS

HEADS = (
    "Model",
    "Task",
    "Edit",
    "Direction",
    "Layer",
    "Effect",
    "Random, 95 %",
    "p (Holm)",
    "of log odds",
    "Acts at layers",
)
EDITS = {"shift": "shift towards the other class", "swap": "swap with the counterfactual", "remove": "removal"}
NONE = "<p>The study asked for no interventions: it says what can be read from states, and not what the model uses.</p>"


def rows(tests: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of the table, of models that were compared with random directions."""
    return [
        {
            "model": row["model"],
            "task": curves.title(row["task"]),
            "edit": EDITS.get(row["operation"], row["operation"]),
            "direction": captions.probe_name(row["direction"]),
            "layer": number(row["layer"]),
            **{key: number(row[key]) for key in ("estimate", "control_95", "p_holm", "p_log_odds_holm")},
            "acts": _layers(row["acts_from"], row["acts_to"], row["n_controls"]),
        }
        for row in tests.to_dict("records")
    ]


def _layers(first: float, last: float, n_controls: float) -> str:
    """Return the layers where a direction acts beyond all random ones, in words.

    Examples
    --------
    >>> _layers(3.0, 5.0, 1000), _layers(5.0, 5.0, 1000), _layers(float("nan"), float("nan"), 1000)
    ('3 to 5', '5', 'none')
    """
    if first != first:
        return "none" if n_controls >= LEAST_CONTROLS else "not tested"
    return f"{first:.0f}" if first == last else f"{first:.0f} to {last:.0f}"


def table(found: Sequence[Mapping[str, Any]]) -> str:
    """Return the table as markup; a sentence where there is no row."""
    if not found:
        return NONE
    head = "".join(f'<th scope="col">{title}</th>' for title in HEADS)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(map(_row, found))}</tbody></table>"


def _row(row: Mapping[str, Any]) -> str:
    numbers = [_shown(row[key], ".2f") for key in ("estimate", "control_95")]
    numbers += [_shown(row[key], ".2g") for key in ("p_holm", "p_log_odds_holm")]
    cells = [row["edit"], row["direction"], _shown(row["layer"], ".0f"), *numbers, row["acts"]]
    heads = f'<td>{html.escape(row["model"])}</td><th scope="row">{html.escape(row["task"])}</th>'
    return f"<tr>{heads}{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>"


def _shown(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)
