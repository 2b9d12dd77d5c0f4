"""What the tables say of the headline's controls: random weights, text alone and the control task.

As in `findings`, None where the study has no such rows, and nothing but cells of the tables is compared.
"""

from typing import Any

from linear_probing.drawing.curves import CLOSE
from linear_probing.writing.evidence import Evidence, phrase
from linear_probing.writing.findings import Finding, by_metric, estimate, metric, named
from linear_probing.writing.main_table import GROUP, Row
from linear_probing.writing.numbers import interval, score, spelt, spread

CHANCE = 0.5
"""The AUROC of a score that tells nothing."""

OF_CITIES = ("cities.truth", "neg_cities.truth")
"""Tasks whose false statements take another city's country."""


def random_weights(evidence: Evidence) -> Finding:
    """Return for which tasks random weights do about as well, and where text alone does better than these."""
    with_twins = [row for row in evidence.rows if any(value == value for value in row.random)]
    if not with_twins:
        return None
    close = [row for row in with_twins if row.random_is_close]
    clear = [row for row in with_twins if row.lower == row.lower and row.random_greatest < row.lower]
    text = [row for row in with_twins if row.text_baseline > row.random_greatest]
    return {
        "n_twins": spelt(len(evidence.twins)),
        "one_twin": len(evidence.twins) == 1,
        "close": [{"task": phrase(row.task), "random": spread(row.random), "own": estimate(row)} for row in close],
        "any_close": bool(close),
        "one_close": len(close) == 1,
        "all_clear": len(clear) == len(with_twins),
        "n_clear": spelt(len(clear)),
        "total": spelt(len(with_twins)),
        "text_above": [
            {"task": phrase(row.task), "text": score(row.text_baseline), "random": spread(row.random)} for row in text
        ],
    }


def misled_text(evidence: Evidence) -> Finding:
    """Return the binary tasks that text alone gets wrong more often than right: the whole interval is below chance."""
    rows, found = [], []
    for row in evidence.rows:
        keys = {"task": row.task, "part": row.part, "split": GROUP, "metric": "auroc", "baseline": "text"}
        table = evidence.find("baselines.csv", **keys)
        if not table.empty and table.iloc[0]["upper"] < CHANCE:
            rows.append(row)
            found.append({"task": phrase(row.task), "text": estimate(table.iloc[0])})
    of_cities = all(row.task in OF_CITIES for row in rows)
    return {"tasks": found, "of_cities": of_cities} if found else None


def control(evidence: Evidence) -> Finding:
    """Return the range of selectivity, and how well the control task itself is learnt, in each metric."""
    rows = [row for row in evidence.rows if row.selectivity == row.selectivity]
    if not rows:
        return None
    with_control = [row for row in rows if row.control == row.control]
    learnt = by_metric(with_control, lambda row: row.metric, lambda row: row.control)
    above = [row for row in rows if row.selectivity_lower > 0]
    return {
        "n": spelt(len(rows)),
        "ranges": _ranges(rows),
        "all_above": len(above) == len(rows),
        "none_above": not above,
        "above": named(above),
        "learnt": [
            {"task": phrase(row.task), "control": score(row.control), "metric": metric(row.metric)} for row in learnt
        ],
        "without": named([row for row in evidence.rows if row.selectivity != row.selectivity]),
        "text": [found for row in rows if (found := _text_by_type(evidence, row)) is not None],
    }


def _text_by_type(evidence: Evidence, row: Row) -> Finding:
    """Return the scores of a task under the split by types where text alone does about as well as the states do."""
    found = evidence.find("best_layer.csv", task=row.task, part=row.part, split="types")
    if found.empty or not found.iloc[0]["text_baseline"] > found.iloc[0]["estimate"] - CLOSE:
        return None
    one = found.iloc[0]
    return {"task": phrase(row.task), "text": score(one["text_baseline"]), "own": score(one["estimate"])}


def _ranges(rows: list[Row]) -> list[dict[str, Any]]:
    """Return by metric the least and the greatest selectivity, which may be the same task's."""
    least = by_metric(rows, lambda row: row.metric, lambda row: -row.selectivity)
    greatest = by_metric(rows, lambda row: row.metric, lambda row: row.selectivity)
    return [
        {"metric": metric(low.metric), "one": low == high, "least": _selective(low), "greatest": _selective(high)}
        for low, high in zip(least, greatest, strict=True)
    ]


def _selective(row: Row) -> dict[str, str]:
    text = f"{score(row.selectivity)} {interval(row.selectivity_lower, row.selectivity_upper)}"
    return {"task": phrase(row.task), "selectivity": text}
