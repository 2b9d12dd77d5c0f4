"""Paired differences: other probes against the task's own, layers against the embedding, row split against group split.

The resamples of both sides are the same draws, so that an interval is of the difference, not of two separate numbers.
"""

from typing import Any

import numpy as np

from linear_probing.estimation.views import Curves
from linear_probing.probing.runs import TYPES

PROBES = [
    "model",
    "task",
    "part",
    "split",
    "probe",
    "metric",
    "layer",
    "estimate",
    "lower",
    "upper",
    "control",
    "selectivity",
    "gain",
    "gain_lower",
    "gain_upper",
    "n",
    "n_groups",
]
EMBEDDING_GAIN = [
    "model",
    "task",
    "part",
    "split",
    "probe",
    "metric",
    "layer",
    "gain_over_embedding",
    "lower",
    "upper",
    "n",
    "n_groups",
]
LEAKAGE = [
    "model",
    "task",
    "part",
    "probe",
    "metric",
    "layer",
    "row_score",
    "group_score",
    "difference",
    "lower",
    "upper",
    "n",
    "n_groups",
]


def probe_rows(curves: Curves) -> list[dict[str, Any]]:
    """Return the rows of probes.csv for one view and model: each other probe, and its gain over the task's own.

    `control` and `selectivity` stand in the rows of the split by types; `fill_selectivity` copies them.
    """
    rows = []
    for probe in curves.scores.other_probes(curves.model, curves.task):
        for layer in curves.scores.layers(curves.model, curves.task, curves.view.split, probe):
            found, controlled = curves.values(probe, layer), curves.values(probe, layer, "control")
            if found is None:
                continue
            gain = curves.estimate(found - curves.own(layer))
            control = np.nan if controlled is None else float(controlled[0])
            rows.append(
                {
                    **curves.keys,
                    "probe": probe,
                    "layer": layer,
                    **vars(curves.estimate(found)),
                    "control": control,
                    "selectivity": float(found[0]) - control,
                    "gain": gain.estimate,
                    "gain_lower": gain.lower,
                    "gain_upper": gain.upper,
                    **curves.view.counts,
                }
            )
    return rows


def fill_selectivity(rows: list[dict[str, Any]]) -> None:
    """Write the control and selectivity of the split by types into the rows of the same probe under other splits."""
    keys = ("model", "task", "part", "probe", "layer")
    found = {tuple(row[key] for key in keys): row for row in rows if row["split"] == TYPES}
    for row in rows:
        of_types = found.get(tuple(row[key] for key in keys), {})
        row.update({name: of_types.get(name, np.nan) for name in ("control", "selectivity")})


def embedding_rows(curves: Curves) -> list[dict[str, Any]]:
    """Return the rows of embedding_gain.csv: what each layer has over layer 0, for the task's own probe.

    What a layer adds to what the word alone says (Pimentel et al. 2020). No rows where layer 0 was not probed.
    """
    layers = curves.layers
    if 0 not in layers:
        return []
    rows = []
    for layer in layers[1:]:
        gain = curves.estimate(curves.own(layer) - curves.own(0))
        row = {**curves.keys, "probe": curves.task.probe, "layer": layer, **curves.view.counts}
        rows.append({**row, **vars(gain), "gain_over_embedding": gain.estimate})
    return rows


def leakage_rows(grouped: Curves, by_row: Curves) -> list[dict[str, Any]]:
    """Return the rows of leakage.csv: how far a split by row is from the split by group, for the task's own probe.

    In either direction: what a probe remembers of a group may help, or mislead where its rows have opposite labels.
    Groups are drawn for both sides, though the split by row pays no heed to them.
    """
    rows = []
    for layer in grouped.layers:
        leaky = by_row.values(grouped.task.probe, layer)
        if leaky is None:
            continue
        held_out = grouped.own(layer)
        difference = grouped.estimate(leaky - held_out)
        both = {"row_score": float(leaky[0]), "group_score": float(held_out[0]), "difference": difference.estimate}
        row = {**grouped.keys, "probe": grouped.task.probe, "layer": layer, **grouped.view.counts}
        rows.append({**row, **both, **vars(difference)})
    return rows
