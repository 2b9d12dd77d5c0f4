"""What the tables say of the headline: significance, depth, random weights, text, control task and embedding.

Each function returns what a paragraph of the paper is chosen by and filled with, None where the study has no such rows.
Only cells that stand in the tables are compared.
"""

from typing import Any

from linear_probing.drawing.captions import level
from linear_probing.drawing.curves import CLOSE, METRICS
from linear_probing.writing.evidence import Evidence, phrase
from linear_probing.writing.main_table import GROUP, HEADLINE, Row
from linear_probing.writing.numbers import digits, interval, listed, probability, score, spelt, spread

CHANCE = 0.5
"""The AUROC of a score that tells nothing."""

OF_CITIES = ("cities.truth", "neg_cities.truth")
"""Tasks whose false statements take another city's country."""

Finding = dict[str, Any] | None


def named(rows: list[Row]) -> str:
    """Return the tasks of some rows as a sentence has them; an empty string for none."""
    return listed([phrase(row.task) for row in rows])


def metric(name: str) -> str:
    """Return a metric as a sentence has it."""
    return METRICS.get(name, name)


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
        "text_above": named(text),
        "strongest_text": _strongest(text),
    }


def _strongest(rows: list[Row]) -> Finding:
    if not rows:
        return None
    row = max(rows, key=lambda row: row.text_baseline)
    return {"task": phrase(row.task), "text": score(row.text_baseline), "random": spread(row.random)}


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
    """Return the range of selectivity, and how well the control task itself is learnt."""
    rows = [row for row in evidence.rows if row.selectivity == row.selectivity]
    if not rows:
        return None
    least, greatest = (pick(rows, key=lambda row: row.selectivity) for pick in (min, max))
    learnt = max(rows, key=lambda row: row.control)
    above = [row for row in rows if row.selectivity_lower > 0]
    return {
        "n": spelt(len(rows)),
        "one": len(rows) == 1,
        "least": _selective(least),
        "greatest": _selective(greatest),
        "all_above": len(above) == len(rows),
        "none_above": not above,
        "above": named(above),
        "learnt": {"task": phrase(learnt.task), "control": score(learnt.control), "metric": metric(learnt.metric)},
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


def _selective(row: Row) -> dict[str, str]:
    text = f"{score(row.selectivity)} {interval(row.selectivity_lower, row.selectivity_upper)}"
    return {"task": phrase(row.task), "selectivity": text}


def embedding(evidence: Evidence) -> Finding:
    """Return whether the best layer has more than the embedding has, and where the gain is greatest."""
    found = [(row, evidence.at_best("embedding_gain.csv", row)) for row in evidence.rows]
    gains = [(row, gain) for row, gain in found if gain is not None and gain["lower"] == gain["lower"]]
    if not gains:
        return None
    row, greatest = max(gains, key=lambda one: one[1]["gain_over_embedding"])
    above = [row for row, gain in gains if gain["lower"] > 0]
    text = f"{score(greatest['gain_over_embedding'])} {interval(greatest['lower'], greatest['upper'])}"
    return {
        "n": spelt(len(gains)),
        "all_above": len(above) == len(gains),
        "none_above": not above,
        "above": named(above),
        "greatest": {"task": phrase(row.task), "gain": text, "metric": metric(row.metric)},
    }


def fewest(evidence: Evidence) -> dict[str, str]:
    """Return the task with the fewest groups to resample."""
    row = min(evidence.rows, key=lambda row: row.n_groups)
    return {"task": phrase(row.task), "groups": spelt(row.n_groups)}
