"""The scatter of the page: statements of either kind in the plane of two components, as the figure samples them."""

from typing import Any

import pandas as pd

from linear_probing.drawing import plane as figure
from linear_probing.drawing.tables import sample
from linear_probing.reporting.numbers import numbers
from linear_probing.reporting.scores import SYMBOLS


def content(plane: pd.DataFrame) -> dict[str, Any]:
    """Return, by model and binary task, the same statements at each layer, equally many of each label.

    Parameters
    ----------
    plane : pd.DataFrame
        plane.csv; may hold no row.
    """
    known = plane[plane["x"].notna() & plane["y"].notna()]
    models: dict[str, Any] = {}
    for (model, task), rows in known.groupby(["model", "task"], sort=False):
        models.setdefault(str(model), {})[str(task)] = _task(rows.assign(label=figure.label_names(rows["label"])))
    looks = [{"color": color, "symbol": SYMBOLS[marker]} for color, marker in figure.LOOKS]
    return {"models": models, "looks": looks}


def _task(rows: pd.DataFrame) -> dict[str, Any]:
    shown = sorted(int(layer) for layer in rows["layer"].unique())
    first = rows[rows["layer"] == shown[0]]
    # A label that is alone has no other to be balanced with.
    chosen = figure.balanced(first) if len(set(first["label"])) > 1 else sample(first, figure.N_MARKS)
    layers = {}
    for layer in shown:
        here = rows[rows["layer"] == layer].drop_duplicates("target_id").set_index("target_id")
        here = here.reindex(chosen["target_id"])
        layers[str(layer)] = {"x": numbers(here["x"]), "y": numbers(here["y"])}
    return {
        "name": chosen["target_id"].tolist(),
        "label": chosen["label"].tolist(),
        "part": chosen["part"].tolist(),
        "labels": sorted(set(chosen["label"]), reverse=True),
        "counts": figure.counts(first),
        "layers": layers,
    }
