"""What the tables say of the headline: significance, depth and what it has over the embedding.

Each function returns what a paragraph of the paper is chosen by and filled with, None where the study has no such rows.
Only cells that stand in the tables are compared.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from linear_probing.drawing.captions import level
from linear_probing.drawing.curves import METRICS
from linear_probing.writing.evidence import Evidence, phrase
from linear_probing.writing.main_table import GROUP, HEADLINE, Row
from linear_probing.writing.numbers import digits, interval, listed, probability, score, spelt

Finding = dict[str, Any] | None
One = TypeVar("One")


def named(rows: list[Row]) -> str:
    """Return the tasks of some rows as a sentence has them; an empty string for none."""
    return listed([phrase(row.task) for row in rows])


def metric(name: str) -> str:
    """Return a metric as a sentence has it."""
    return METRICS.get(name, name)


def by_metric(found: Sequence[One], metric_of: Callable[[One], str], size: Callable[[One], float]) -> list[One]:
    """Return of each metric the greatest, in the order in which metrics appear: two metrics cannot be compared.

    Examples
    --------
    >>> by_metric(["r2 .1", "auroc .7", "r2 .3"], lambda one: one.split()[0], lambda one: float(one.split()[1]))
    ['r2 .3', 'auroc .7']
    """
    held: dict[str, list[One]] = {}
    for one in found:
        held.setdefault(metric_of(one), []).append(one)
    return [max(own, key=size) for own in held.values()]


def estimate(row: Any) -> str:
    """Return an estimate with its interval, both in the same digits."""
    values = (float(row.estimate), float(row.lower), float(row.upper))
    places = digits(*(value for value in values if value == value))
    return f"{score(values[0], places)} {interval(values[1], values[2], places)}"


def significance(evidence: Evidence) -> Finding:
    """Return which tasks are significant after correction, in the model and in its first twin."""
    tested = [row for row in evidence.rows if row.p_holm == row.p_holm]
    if not tested:
        return None
    alpha = level(evidence.study.bootstrap)
    found = [row for row in tested if row.p_holm < alpha]
    others = [row for row in tested if row.p_holm >= alpha]
    return {
        "alpha": f"{alpha:g}".removeprefix("0"),
        "total": spelt(len(tested)),
        "n": spelt(len(found)),
        "all": not others,
        "none": not found,
        "others": named(others),
        "greatest": probability(max(row.p_holm for row in (found or tested))),
        "twin": _twin(evidence, alpha),
    }


def _twin(evidence: Evidence, alpha: float) -> Finding:
    table = evidence.find("best_layer_significance.csv", model=(evidence.twins or [""])[0], family=HEADLINE)
    table = table[table["p_holm"].notna()]
    if table.empty:
        return None
    order = [row.task for row in evidence.rows]
    found = {task for task, p in zip(table["task"], table["p_holm"], strict=True) if p < alpha}
    others = [task for task in order if task in set(table["task"]) - found]
    kept = [task for task in order if task in found]
    return {
        "others": listed([phrase(task) for task in others]),
        "none": not kept,
        "n": spelt(len(kept)),
        "found": listed([phrase(task) for task in kept]),
    }


def depth(evidence: Evidence) -> Finding:
    """Return the best layers from the embedding up, and whether place stands before or behind truth."""
    layers = sorted({row.layer for row in evidence.rows})
    by_layer = [{"layer": str(n), "tasks": named([row for row in evidence.rows if row.layer == n])} for n in layers]
    return {"by_layer": by_layer, "one": len(layers) == 1, "order": _order(evidence)}


def _order(evidence: Evidence) -> Finding:
    place, truth = evidence.row("place.position"), evidence.row("cities.truth")
    if place is None or truth is None:
        return None
    keys = {"task": truth.task, "part": truth.part, "split": GROUP, "layer": place.layer}
    there = evidence.find("layers.csv", **keys)
    word = "earlier" if place.layer < truth.layer else "later" if place.layer > truth.layer else "same"
    last = evidence.study.model(evidence.model).n_layers()
    return {
        "word": word,
        "place_layer": str(place.layer),
        "truth_layer": str(truth.layer),
        # Of the model, not of the layers that the study looked at: behind these there may be others.
        "truth_is_last": truth.layer == last,
        "truth_there": "" if there.empty else estimate(there.iloc[0]),
    }


def embedding(evidence: Evidence) -> Finding:
    """Return whether the best layer has more than the embedding has, and where the gain is greatest in each metric."""
    found = [(row, evidence.at_best("embedding_gain.csv", row)) for row in evidence.rows]
    gains = [(row, gain) for row, gain in found if gain is not None and gain["lower"] == gain["lower"]]
    if not gains:
        return None
    above = [row for row, gain in gains if gain["lower"] > 0]
    greatest = by_metric(gains, lambda one: one[0].metric, lambda one: float(one[1]["gain_over_embedding"]))
    return {
        "n": spelt(len(gains)),
        "all_above": len(above) == len(gains),
        "none_above": not above,
        "above": named(above),
        "greatest": [_gain(row, gain) for row, gain in greatest],
    }


def _gain(row: Row, gain: Any) -> dict[str, str]:
    text = f"{score(gain['gain_over_embedding'])} {interval(gain['lower'], gain['upper'])}"
    return {"task": phrase(row.task), "gain": text, "metric": metric(row.metric)}


def fewest(evidence: Evidence) -> dict[str, str]:
    """Return the task with the fewest groups to resample."""
    row = min(evidence.rows, key=lambda row: row.n_groups)
    return {"task": phrase(row.task), "groups": spelt(row.n_groups)}
