"""All tables of estimates of a study, in one walk over tasks, views and models.

A task's resamples are drawn from its own name, so tasks go to several processes where there are several cores, to the
same bytes.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import pandas as pd
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from linear_probing import processes
from linear_probing.estimation import contrasts, estimates, refolding
from linear_probing.estimation.scores import Scores
from linear_probing.estimation.secondary import METRICS_TABLE, metric_rows
from linear_probing.estimation.views import Curves, View, folds_of, views
from linear_probing.settings import Study, Task
from linear_probing.splits import GROUP, ROW, SEED, TRAIN

COLUMNS = {
    "layers.csv": estimates.LAYERS,
    "best_layer.csv": estimates.LAYERS,
    "selectivity.csv": estimates.SELECTIVITY,
    "baselines.csv": estimates.BASELINES,
    "metrics.csv": METRICS_TABLE,
    "probes.csv": contrasts.PROBES,
    "embedding_gain.csv": contrasts.EMBEDDING_GAIN,
    "leakage.csv": contrasts.LEAKAGE,
    "seeds.csv": refolding.SEEDS,
    "learning.csv": refolding.LEARNING,
}

Rows = dict[str, list[dict[str, Any]]]


def estimate_tables(study: Study, scores: Scores, n_jobs: int = 1) -> dict[str, pd.DataFrame]:
    """Return the tables of `COLUMNS`, sorted by model, then as the configuration has tasks and splits.

    `n_jobs` is the number of processes; with 1, the work is done in this one.
    """
    rows: Rows = {name: [] for name in COLUMNS}
    for found in _by_task(study, scores, n_jobs):
        for name in COLUMNS:
            rows[name] += found[name]
    estimates.fill_controls(rows["layers.csv"], rows["layers.csv"])
    estimates.fill_controls(rows["best_layer.csv"], rows["layers.csv"])
    contrasts.fill_selectivity(rows["probes.csv"])
    place = {model.name: number for number, model in enumerate(study.models)}

    def table(name: str) -> pd.DataFrame:
        # A stable sort: within a model the order is that of the loops above.
        ordered = sorted(rows[name], key=lambda row: place.get(row.get("model", ""), 0))
        return pd.DataFrame.from_records(ordered, columns=COLUMNS[name])

    return {name: table(name) for name in COLUMNS}


def _by_task(study: Study, scores: Scores, n_jobs: int) -> Iterable[Rows]:
    bar = partial(tqdm, total=len(study.tasks), unit="task", disable=None)
    given = [(study, scores.of(task), task) for task in study.tasks]
    n_jobs = min(n_jobs, len(given))
    if n_jobs == 1:
        with threadpool_limits(1):
            yield from bar(map(_of_task, *zip(*given, strict=True)))
        return
    with processes.fresh(n_jobs) as pool:
        yield from bar(pool.map(_of_task, *zip(*given, strict=True)))


def _of_task(study: Study, scores: Scores, task: Task) -> Rows:
    rows: Rows = {name: [] for name in COLUMNS}
    drawn = drawn_folds(study, scores, task)
    for view in views(study, scores, task):
        _add_view(rows, study, scores, view, drawn if view.split == GROUP else {})
    return rows


def drawn_folds(study: Study, scores: Scores, task: Task) -> dict[str, Any]:
    """Return the fold of each target under every drawn split that has scores of a task, by the split's name."""
    targets = scores.targets[task.dataset]
    names = [n for n in sorted(scores.splits(task)) if n == ROW or SEED.fullmatch(n) or TRAIN.fullmatch(n)]
    return {name: folds_of(study, task, targets, name) for name in names}


def _add_view(rows: Rows, study: Study, scores: Scores, view: View, drawn: Mapping[str, Any]) -> None:
    flat = estimates.baseline_rows(study, scores, view)
    rows["baselines.csv"] += flat
    level = {"majority": flat[0]["estimate"], "text_baseline": flat[1]["estimate"]}
    # Seeds tell a spread of estimates, for which no resample is needed.
    others = {name: view.under(name, folds, not SEED.fullmatch(name)) for name, folds in drawn.items()}
    for model in study.models:
        curves = Curves(study, scores, model.name, view)
        rows["layers.csv"] += estimates.layer_rows(curves, level)
        rows["selectivity.csv"] += estimates.selectivity_rows(curves)
        rows["best_layer.csv"].append(estimates.best_layer_row(curves, level))
        rows["probes.csv"] += contrasts.probe_rows(curves)
        rows["embedding_gain.csv"] += contrasts.embedding_rows(curves)
        if view.split != GROUP:
            continue
        if not study.is_later_twin(model):
            rows["metrics.csv"] += metric_rows(curves)
        redrawn = {name: Curves(study, scores, model.name, other) for name, other in others.items()}
        if ROW in redrawn:
            rows["leakage.csv"] += contrasts.leakage_rows(curves, redrawn[ROW])
        by_seed = [redrawn[name] for name in redrawn if SEED.fullmatch(name)]
        rows["seeds.csv"] += refolding.seed_rows([curves, *by_seed])
        by_share = [redrawn[name] for name in redrawn if TRAIN.fullmatch(name)]
        rows["learning.csv"] += refolding.learning_rows([*by_share, curves])
