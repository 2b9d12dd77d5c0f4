"""What the tables say of interventions: which directions act on the answers, where, and beside which random ones."""

from typing import Any

import pandas as pd

from linear_probing.drawing.captions import probe_name
from linear_probing.drawing.causal import principal
from linear_probing.steering.layout import REMOVE
from linear_probing.writing.evidence import Evidence, phrase
from linear_probing.writing.findings import Finding
from linear_probing.writing.numbers import count, listed, probability, score

HALF = 0.5
"""An effect from which on the model answers more as to the counterfactual than as to the target."""


def causal(evidence: Evidence) -> Finding:
    """Return, by task, its first kind of direction, with its own probe's beside it, and what its removal takes."""
    tests = evidence.find("causal_tests.csv")
    known = [task.name for task in evidence.study.tasks]
    tests = tests[tests["estimate"].notna() & tests["task"].isin(known)]
    if tests.empty:
        return None
    tasks = [_task(evidence, str(task), rows) for task, rows in tests.groupby("task", sort=False)]
    n_controls = int(tests["n_controls"].max())
    tested = bool(tests["p_holm"].notna().any())
    return {
        "tasks": tasks,
        "n_controls": count(n_controls),
        "level": "95 %",
        "tested": tested,
        "read_only": listed([one["phrase"] for one in tasks if one["own_falls_short"]]),
    }


def _task(evidence: Evidence, task: str, tests: pd.DataFrame) -> dict[str, Any]:
    suffices = tests[tests["operation"] != REMOVE]
    best = principal(suffices)
    own_probe = next(one.probe for one in evidence.study.tasks if one.name == task)
    own = suffices[suffices["direction"] == own_probe]
    removed = tests[(tests["operation"] == REMOVE) & (tests["direction"] == best["direction"])]
    least = float(own["estimate"].iloc[0]) if len(own) else None
    return {
        "phrase": phrase(task),
        "direction": probe_name(str(best["direction"])),
        "layer": f"{best['layer']:.0f}",
        "estimate": score(best["estimate"]),
        "control": score(best["control_95"]),
        "p": probability(best["p_holm"]) if best["p_holm"] == best["p_holm"] else None,
        "acts": bool(best["n_layers"]),
        "layers": _span(best),
        "own": None if least is None or own_probe == best["direction"] else score(least),
        "own_name": probe_name(own_probe),
        "own_falls_short": least is not None and least < HALF <= float(best["estimate"]),
        "removed": score(removed["estimate"].iloc[0]) if len(removed) else None,
    }


def _span(row: pd.Series) -> str:
    if not row["n_layers"]:
        return ""
    first, last = int(row["acts_from"]), int(row["acts_to"])
    return f"layer {first}" if first == last else f"layers {first} to {last}"
