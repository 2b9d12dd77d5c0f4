"""Statistics: out-of-fold scores in, tables with estimates, intervals and controls out; nothing is fitted here.

In: the folders of all data sets and probes of a study, named `{dataset}-{digest}` and, for probes, standing in a
folder named after their model. Out: layers.csv, best_layer.csv, selectivity.csv, baselines.csv, map.csv,
map_summary.csv, plane.csv, fits.csv and summary.json. Intervals are percentile bootstraps over clusters, with the
same draws for all models and layers of a task, so that differences are paired. What is undefined is an empty cell.
Cost: half a minute for the default study.
"""

import argparse
import json
import logging
import time
from pathlib import Path

import pandas as pd

from linear_probing import records, settings
from linear_probing.estimation.estimates import estimate_tables
from linear_probing.estimation.places import map_table, plane_table, summarise_map
from linear_probing.estimation.scores import Scores, read_scores
from linear_probing.probes import FITS
from linear_probing.settings import Study
from linear_probing.stage import run

LOG = logging.getLogger("statistics")
PRECISION = "%.6g"


def count_fits(results: Scores) -> pd.DataFrame:
    """Return, per model, task, split, labeling and features, how many fits there were and what share converged."""
    keys = ["model", "task", "split", "labeling", "probe", "features"]
    grouped = results.fits.groupby(keys, sort=False)
    counted = grouped.agg(
        n_fits=("fold", "size"), converged=("converged", "mean"), max_iterations=("n_iterations", "max")
    )
    return counted.reset_index()


def headlines(best: pd.DataFrame) -> list[dict[str, object]]:
    """Return the rows of best_layer.csv that sum the study up: held-out groups, `unseen` where there is one."""
    rows = best[best["split"] == "group"]
    with_unseen = set(rows.loc[rows["part"] == "unseen", "task"])
    kept = rows[(rows["part"] == "unseen") | ((rows["part"] == "all") & ~rows["task"].isin(with_unseen))]
    return json.loads(kept.to_json(orient="records", double_precision=6))


def compute(study: Study, results: Scores) -> dict[str, pd.DataFrame]:
    """Return all tables by file name."""
    found = estimate_tables(study, results)
    places = map_table(results, study)
    return {
        "layers.csv": found.layers,
        "best_layer.csv": found.best_layer,
        "selectivity.csv": found.selectivity,
        "baselines.csv": found.baselines,
        "map.csv": places,
        "map_summary.csv": summarise_map(places),
        "plane.csv": plane_table(results, study),
        "fits.csv": count_fits(results),
    }


def main() -> None:
    """Compute all tables of a study."""
    parser = argparse.ArgumentParser(description="Turn out-of-fold scores into tables with intervals and controls.")
    parser.add_argument("--config", type=Path, required=True, help="the study's configuration")
    parser.add_argument("--datasets", type=Path, nargs="+", required=True, help="folders of the datasets stage")
    parser.add_argument(
        "--probes", type=Path, nargs="+", required=True, help=f"folders of the probes stage, with {FITS}"
    )
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    arguments = parser.parse_args()
    study = settings.load(arguments.config)
    start = time.monotonic()
    LOG.info("%s: %d data sets, %d probe folders", study.name, len(arguments.datasets), len(arguments.probes))
    with records.making(study, "statistics", arguments.output, arguments.datasets + arguments.probes) as folder:
        tables = compute(study, read_scores(study, arguments.datasets, arguments.probes))
        for name, table in tables.items():
            table.to_csv(folder / name, index=False, float_format=PRECISION, lineterminator="\n")
        text = json.dumps(headlines(tables["best_layer.csv"]), indent=2)
        (folder / "summary.json").write_text(text + "\n", encoding="utf-8")
    LOG.info("%s: %d rows of layers.csv, %.1f s", study.name, len(tables["layers.csv"]), time.monotonic() - start)


if __name__ == "__main__":
    run(main)
