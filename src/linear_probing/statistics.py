"""Statistics: out-of-fold scores in, tables with estimates, intervals and controls out; nothing is fitted here.

In: the folders of all data sets and probes of a study, named `{dataset}-{digest}` and, for probes, standing in a
folder named after their model; and those of the stages transfer and interventions. Out: a table for each question
(results/README.md), columns.csv with what every column means, summary.json and summary/. Intervals are bootstraps over
clusters, expanded for their number, with the same draws for all models, layers and probes of a task, so that
differences are paired. What is undefined is an empty cell; what a study did not ask for is a table without rows.
Cost: a minute for the default study.
"""

import argparse
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from linear_probing import processes, records, settings
from linear_probing.estimation.causal import Intervened, causal_tables, read_intervened
from linear_probing.estimation.columns import DICTIONARY, dictionary
from linear_probing.estimation.diagnostics import code_lengths, count_fits, note_table
from linear_probing.estimation.places import map_table, plane_table, summarise_map
from linear_probing.estimation.scores import Scores, read_scores
from linear_probing.estimation.significance import HEADLINE, significance_tables
from linear_probing.estimation.study_tables import estimate_tables
from linear_probing.estimation.transfers import transfer_table
from linear_probing.probes import FITS
from linear_probing.settings import Study
from linear_probing.stage import count, run

LOG = logging.getLogger("statistics")
PRECISION = "%.6g"
SUMMARY_DIGITS = 4
MLP = "mlp"


def headlines(best: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of best_layer.csv that sum the study up: held-out groups, `unseen` where there is one."""
    rows = best[best["split"] == "group"]
    with_unseen = set(rows.loc[rows["part"] == "unseen", "task"])
    return rows[(rows["part"] == "unseen") | ((rows["part"] == "all") & ~rows["task"].isin(with_unseen))]


def summaries(
    study: Study, best: pd.DataFrame, probes: pd.DataFrame, significance: pd.DataFrame
) -> dict[str, dict[str, Any]]:
    """Return what sums up each task of each model that is no twin, by file name.

    DVC shows a file as a row, its keys as columns in the order of the alphabet, and differences file by file: so a task
    is a file, the names are chosen to stand well beside each other, and what is undefined is left out.

    Parameters
    ----------
    study : Study
        Its models and tasks.
    best, probes, significance : pd.DataFrame
        best_layer.csv, probes.csv and best_layer_significance.csv.

    Returns
    -------
    dict[str, dict[str, Any]]
        Under `{model}/{task}.json`: the estimate at the best layer, its interval, that layer, and, by the same
        protocol, the text baseline, the control task and the MLP at that layer, and the first twin at its own best
        layer; `p_holm` is of the ridge probe's best layer, corrected over the model's tasks.
    """
    rows = {(row["model"], row["task"]): row for row in headlines(best).to_dict("records")}
    keys = ["model", "task", "part", "split", "layer"]
    bounds = probes[probes["probe"] == MLP].set_index(keys)["estimate"].to_dict()
    p_values = significance[significance["family"] == HEADLINE].set_index(["model", "task"])["p_holm"].to_dict()
    found = {}
    for model, task in rows:
        twins = study.twins_of(study.model(model))
        if study.model(model).seed is None:
            twin = rows.get((twins[0].name, task), {}) if twins else {}
            row = rows[model, task]
            more = {
                "mlp": bounds.get(tuple(row[key] for key in keys), float("nan")),
                "p_holm": p_values.get((model, task), float("nan")),
            }
            found[f"{model}/{task}.json"] = _summary(row, twin, more)
    return found


def _summary(row: Mapping[Any, Any], twin: Mapping[Any, Any], more: Mapping[str, float]) -> dict[str, Any]:
    def rounded(numbers: Mapping[str, float]) -> dict[str, float]:
        return {name: round(value, SUMMARY_DIGITS) for name, value in numbers.items() if value == value}

    scores = {
        "control": row["control"],
        "estimate": row["estimate"],
        "random_weights": twin.get("estimate", float("nan")),
        "text_baseline": row["text_baseline"],
        **more,
    }
    interval = rounded({"lower": row["lower"], "upper": row["upper"]})
    return {**rounded(scores), "interval": interval, "layer": int(row["layer"])}


def write_summaries(folder: Path, content: Mapping[str, Mapping[str, Any]]) -> None:
    """Write what `summaries` returns: all of it as summary.json, and a file a task under summary/, for DVC."""
    files = {f"summary/{name}": numbers for name, numbers in content.items()} | {"summary.json": nested(content)}
    for name, numbers in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(numbers, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def nested(content: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Mapping[str, Any]]]:
    """Return summaries by model and task.

    Examples
    --------
    >>> nested({"atlas/cities.truth.json": {"estimate": 0.9}})
    {'atlas': {'cities.truth': {'estimate': 0.9}}}
    """
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for name, numbers in content.items():
        model, task = name.removesuffix(".json").split("/")
        found.setdefault(model, {})[task] = numbers
    return found


def compute(
    study: Study, results: Scores, n_jobs: int = 1, intervened: Sequence[Intervened] = ()
) -> dict[str, pd.DataFrame]:
    """Return all tables by file name."""
    causal, causal_tests = causal_tables(study, intervened)
    places = map_table(results, study)
    per_layer, best_layer = significance_tables(study, results)
    with _beside(n_jobs, transfer_table, study, results.moved()) as transfers:
        estimated = estimate_tables(study, results, n_jobs)
        moved = transfers()
    return {
        **estimated,
        "significance.csv": per_layer,
        "best_layer_significance.csv": best_layer,
        "transfer.csv": moved,
        "cosines.csv": results.cosines,
        "causal.csv": causal,
        "causal_tests.csv": causal_tests,
        "code_length.csv": code_lengths(results),
        "map.csv": places,
        "map_summary.csv": summarise_map(places),
        "plane.csv": plane_table(results, study),
        "fits.csv": count_fits(results),
        "notes.csv": note_table(results),
        "checks.csv": results.checks,
        DICTIONARY: dictionary(),
    }


@contextmanager
def _beside(n_jobs: int, function: Callable[..., Any], *arguments: Any) -> Iterator[Callable[[], Any]]:
    """Give what returns a function's result, for which a process works meanwhile where there may be several."""
    if n_jobs == 1:
        yield partial(function, *arguments)
        return
    with processes.fresh(1) as pool:
        yield pool.submit(function, *arguments).result


def main() -> None:
    """Compute all tables of a study."""
    parser = argparse.ArgumentParser(description="Turn out-of-fold scores into tables with intervals and controls.")
    parser.add_argument("--config", type=Path, required=True, help="the study's configuration")
    parser.add_argument("--datasets", type=Path, nargs="+", required=True, help="folders of the datasets stage")
    parser.add_argument(
        "--probes", type=Path, nargs="+", required=True, help=f"folders of the probes stage, with {FITS}"
    )
    parser.add_argument("--transfer", type=Path, nargs="*", default=[], help="folders of the transfer stage")
    parser.add_argument("--interventions", type=Path, nargs="*", default=[], help="folders of the interventions stage")
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    parser.add_argument("--threads", type=count, default=1, help="processes; the numbers are the same for any")
    arguments = parser.parse_args()
    study = settings.load(arguments.config)
    start = time.monotonic()
    LOG.info("%s: %d data sets, %d probe folders", study.name, len(arguments.datasets), len(arguments.probes))
    inputs = arguments.datasets + arguments.probes + arguments.transfer + arguments.interventions
    with records.making(study, "statistics", arguments.output, inputs, threads=arguments.threads) as folder:
        scores = read_scores(study, arguments.datasets, arguments.probes, arguments.transfer)
        tables = compute(study, scores, arguments.threads, read_intervened(arguments.interventions))
        for name, table in tables.items():
            table.to_csv(folder / name, index=False, float_format=PRECISION, lineterminator="\n")
        names = ("best_layer.csv", "probes.csv", "best_layer_significance.csv")
        write_summaries(folder, summaries(study, *(tables[name] for name in names)))
    LOG.info("%s: %d rows of layers.csv, %.1f s", study.name, len(tables["layers.csv"]), time.monotonic() - start)


if __name__ == "__main__":
    run(main)
