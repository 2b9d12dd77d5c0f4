"""What the tables say of the headline's robustness: splits, transfer, folds, other probes, fewer groups, code, places.

As in `findings`, None where the study has no such rows, and nothing but cells of the tables is compared.
"""

from typing import Any

import pandas as pd

from linear_probing.drawing.curves import CLOSE
from linear_probing.writing.controls import CHANCE
from linear_probing.writing.evidence import Evidence, phrase
from linear_probing.writing.findings import Finding, by_metric, estimate, metric, named
from linear_probing.writing.main_table import Row
from linear_probing.writing.numbers import ABSENT, count, enough, interval, score, spelt

STRICTER = {"country": ("place.position", "world_places.position"), "numbers": ("larger_than.truth",)}
"""Splits that hold out more than groups, with the tasks that the paper may name for each."""
ORDERS = {"same": "in their own order", "opposite": "in the opposite order", "neither": "in neither order"}
THERE, BACK = "cities.truth", "neg_cities.truth"


def leakage(evidence: Evidence) -> Finding:
    """Return where a split by row would have misled most, downwards and upwards, with intervals that leave out zero."""
    parts = {row.task: row.part for row in evidence.rows}
    table = evidence.find("leakage.csv")
    table = table[table["part"] == table["task"].map(parts)]
    table = table[table["lower"].notna()]
    if table.empty:
        return None
    down, up = table[table["upper"] < 0], table[table["lower"] > 0]
    return {
        "down": None if down.empty else _leak(down.sort_values("difference").iloc[0]),
        "up": None if up.empty else _leak(up.sort_values("difference").iloc[-1]),
        "at_best": _at_best(evidence),
    }


def _leak(row: pd.Series) -> dict[str, str]:
    places = enough(row["difference"])
    by = score(abs(row["difference"]), places)
    ends = sorted(abs(row[end]) for end in ("lower", "upper"))
    sides = {"row": score(row["row_score"]), "group": score(row["group_score"]), "layer": str(row["layer"])}
    size = {"by": by, "interval": interval(ends[0], ends[1], places), "metric": metric(row["metric"])}
    return {"task": phrase(row["task"]), **size, **sides}


def _at_best(evidence: Evidence) -> list[dict[str, str]]:
    """Return in each metric the greatest difference at the best layers."""
    found = _defined(evidence, "leakage.csv", "difference")
    return [_leak(one) for one in by_metric(found, _metric, lambda one: abs(float(one["difference"])))]


def _defined(evidence: Evidence, name: str, column: str) -> list[pd.Series]:
    """Return the rows of a table beside those of the main table, of which a column is defined."""
    found = [one for row in evidence.rows if (one := evidence.at_best(name, row)) is not None]
    return [one for one in found if one[column] == one[column]]


def _metric(row: pd.Series) -> str:
    return str(row["metric"])


def stricter(evidence: Evidence) -> Finding:
    """Return, by split, what is left where more than groups is held out."""
    found = {}
    for split, tasks in STRICTER.items():
        row = next((one for task in tasks if (one := evidence.row(task)) is not None), None)
        task = "" if row is None else row.task
        table = evidence.find("best_layer.csv", task=task, split=split)
        if row is None or table.empty:
            continue
        table = table[table["part"] == row.part] if row.part in set(table["part"]) else table
        strict = table.iloc[0]
        if any(end != end for end in (row.lower, row.upper, strict["lower"], strict["upper"])):
            continue  # without an interval nothing can be said of a difference
        apart = strict["upper"] < row.lower or strict["lower"] > row.upper
        shown = [score(value) for value in (row.estimate, strict["estimate"])]
        below = strict["estimate"] < row.estimate
        found[split] = {
            "task": phrase(task),
            "group": estimate(row),
            "strict": estimate(strict),
            "text": score(strict["text_baseline"]),
            "word": "same" if shown[0] == shown[1] else "lower" if below else "higher",
            "apart": bool(apart),
            "blocks": spelt(int(strict["n_groups"])),
        }
    return found or None


def order(row: Any) -> str:
    """Return how a direction orders another task's classes: as its own, the other way round, or neither."""
    if row["lower"] > CHANCE:
        return "same"
    return "opposite" if row["upper"] < CHANCE else "neither"


def transfer(evidence: Evidence) -> Finding:
    """Return how directions of affirmed and negated statements tell each other, and of how many pairs it holds."""
    row = evidence.row(THERE)
    if row is None:
        return None
    probe = next(task.probe for task in evidence.study.tasks if task.name == THERE)
    table = evidence.find("transfer.csv", layer=row.layer, probe=probe)
    others = table[(table["train_task"] != table["test_task"]) & table["lower"].notna()]
    if others.empty:
        return None
    words = [order(one) for _, one in others.iterrows()]
    return {
        "layer": str(row.layer),
        "pairs": spelt(len(words)),
        "counts": [{"n": spelt(words.count(word)), "words": said} for word, said in ORDERS.items() if word in words],
        "there": _pair(others, THERE, BACK),
        "back": _pair(others, BACK, THERE),
    }


def _pair(table: pd.DataFrame, train: str, test: str) -> Finding:
    found = table[(table["train_task"] == train) & (table["test_task"] == test)]
    return None if found.empty else {"estimate": estimate(found.iloc[0]), "order": order(found.iloc[0])}


def seeds(evidence: Evidence) -> Finding:
    """Return, in each metric, the greatest spread over dealings of the groups to folds, at the best layers."""
    found = _defined(evidence, "seeds.csv", "sd")
    if not found:
        return None
    most = by_metric(found, _metric, lambda one: float(one["sd"]))
    return {
        "n": spelt(int(found[0]["n_seeds"])),
        "most": [
            {"task": phrase(one["task"]), "sd": score(one["sd"], enough(one["sd"], 3)), "metric": metric(one["metric"])}
            for one in most
        ],
    }


def other_probes(evidence: Evidence) -> Finding:
    """Return, by probe, which tasks it reads better or worse than the task's own probe, at the same layer."""
    found = {}
    for probe in dict.fromkeys(evidence.find("probes.csv")["probe"]):
        pairs = [(row, evidence.at_best("probes.csv", row, probe=probe)) for row in evidence.rows]
        gains = [(row, one) for row, one in pairs if one is not None and one["gain_lower"] == one["gain_lower"]]
        if gains:
            better = [pair for pair in gains if pair[1]["gain_lower"] > 0]
            worse = [pair for pair in gains if pair[1]["gain_upper"] < 0]
            found[str(probe)] = {
                "better": named([row for row, _ in better]),
                "worse": named([row for row, _ in worse]),
                "most": _gains(better),
                "least": _gains(worse),
            }
    return found or None


def _gains(pairs: list[tuple[Row, pd.Series]]) -> list[dict[str, str]]:
    """Return in each metric the gain, or loss, that is furthest from none."""
    return [_gain(*pair) for pair in by_metric(pairs, lambda one: one[0].metric, lambda one: abs(one[1]["gain"]))]


def _gain(row: Row, one: pd.Series) -> dict[str, str]:
    ends = sorted(abs(one[end]) for end in ("gain_lower", "gain_upper"))
    places = enough(one["gain"])
    return {
        "task": phrase(row.task),
        "by": f"{score(abs(one['gain']), places)} {interval(ends[0], ends[1], places)}",
        "metric": metric(row.metric),
    }


def learning(evidence: Evidence) -> Finding:
    """Return what is left of the estimates after the least share of the training groups."""
    shares = evidence.find("learning.csv")["share"]
    if shares.empty:
        return None
    pairs = [(row, evidence.at_best("learning.csv", row, share=shares.min())) for row in evidence.rows]
    found = [(row, one) for row, one in pairs if one is not None and one["estimate"] == one["estimate"]]
    if not found:
        return None
    row, least = max(found, key=lambda pair: pair[0].estimate - pair[1]["estimate"])
    near = [row for row, one in found if one["estimate"] >= row.estimate - CLOSE]
    return {
        "share": f"{100 * shares.min():g} %",
        "near": named(near),
        "near_one": len(near) == 1,
        "all_near": len(near) == len(found),
        "close": score(CLOSE),
        "most": {"task": phrase(row.task), "few": score(least["estimate"]), "all": score(row.estimate)},
    }


def code_length(evidence: Evidence) -> Finding:
    """Return the compression of the labels at the best layers, beside that of the first twin at the same layer."""
    found = []
    for row in evidence.rows:
        own = evidence.find("code_length.csv", task=row.task, layer=row.layer)
        twin = evidence.find("code_length.csv", model=(evidence.twins or [""])[0], task=row.task, layer=row.layer)
        if not own.empty:
            shown = ["" if table.empty else _compression(table.iloc[0]["compression"]) for table in (own, twin)]
            found.append({"task": phrase(row.task), "own": shown[0], "twin": shown[1]})
    return {"tasks": found} if found else None


def _compression(value: float) -> str:
    return ABSENT if value != value else f"{value:.2f}" if value < 2 else f"{value:.1f}"


def places(evidence: Evidence) -> Finding:
    """Return the median error of predicted places at the best layer and at the embedding."""
    row = evidence.row("place.position")
    table = evidence.find("map_summary.csv")
    if row is None or table.empty:
        return None
    by_layer = {one["layer"]: one["median_error_km"] for _, one in table.iterrows()}
    if row.layer not in by_layer:
        return None
    first = by_layer.get(0) if row.layer else None
    return {
        "layer": str(row.layer),
        "km": count(by_layer[row.layer]),
        "first_km": "" if first is None else count(first),
        "smaller": first is not None and by_layer[row.layer] < first,
    }
