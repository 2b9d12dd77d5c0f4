"""Transfer: how well directions trained on one task tell another's labels, with intervals over test groups."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from tqdm import tqdm

from linear_probing.estimation.intervals import interval
from linear_probing.estimation.scores import DO, Scores, StatisticsError
from linear_probing.estimation.scoring import Pairing, Sample, draw, mean_of_defined
from linear_probing.probing.runs import labels_of
from linear_probing.settings import Study
from linear_probing.tables import cluster_column

TRANSFER = [
    "model",
    "train_task",
    "test_task",
    "probe",
    "layer",
    "metric",
    "estimate",
    "lower",
    "upper",
    "n",
    "n_groups",
]


@dataclass(frozen=True)
class Target:
    """A task to transfer to.

    Parameters
    ----------
    rows : np.ndarray
        The targets that some direction is scored on.
    sample : Sample
        Of these targets.
    n_groups : int
        Groups drawn from.
    pairings : dict[bytes, Pairing]
        By which of the rows a direction is scored on; made when first needed, as many directions have the same.
    """

    rows: Int[np.ndarray, " tested"]
    sample: Sample
    n_groups: int
    pairings: dict[bytes, Pairing] = field(default_factory=dict)

    def auroc(self, scores: Float[np.ndarray, "target fold"]) -> Float[np.ndarray, " resample"]:
        """Return the AUROC of each fold's direction on the targets it scores, averaged over folds, for all resamples.

        As in the task's own AUROC, scores of different directions are never pooled.
        """
        areas = []
        for column in scores[self.rows].T.astype(float):
            scored = np.isfinite(column)
            pairing = self.pairings.get(scored.tobytes())
            if pairing is None:
                pairing = self.pairings.setdefault(scored.tobytes(), Pairing.of(self.sample, scored))
            areas.append(pairing.area(column))
        return mean_of_defined(areas)


def transfer_table(study: Study, scores: Scores) -> pd.DataFrame:
    """Return transfer.csv: every direction there is, by model, training task, test task, probe and layer.

    Raises
    ------
    StatisticsError
        If scores have another number of rows than the test task's target table.
    """
    named: dict[tuple[str, str, str, str, str], np.ndarray] = {}
    for model in study.models:
        for key, values in scores.transfer.get(model.name, {}).items():
            train, test, probe, layer = key.split("|")
            named[train, test, model.name, probe, layer] = values
    known: dict[tuple[str, str], Target] = {}
    rows = []
    for (train, test, name, probe, layer), values in tqdm(sorted(named.items(), key=lambda one: one[0]), disable=None):
        scored = np.flatnonzero(np.isfinite(values).any(axis=1))
        if (train, test) not in known or not np.array_equal(known[train, test].rows, scored):
            # In this order, what was made for other tasks is of no more use.
            known = {(train, test): _target(study, scores, train, test, values)}
        target = known[train, test]
        # Where each target has one direction, as on the diagonal, folds have means of their own; see `intervals.tail`.
        n_scoring = int(np.isfinite(values).any(axis=0).sum())
        n_folds = n_scoring if (np.isfinite(values).sum(axis=1) <= 1).all() else 1
        estimate = interval(target.auroc(values), study.bootstrap.confidence, target.n_groups, n_folds)
        row = {"model": name, "train_task": train, "test_task": test, "probe": probe, "metric": "auroc"}
        counts = {"n": len(target.rows), "n_groups": target.n_groups}
        rows.append({**row, "layer": int(layer.removeprefix("layer_")), **vars(estimate), **counts})
    place = {model.name: number for number, model in enumerate(study.models)}
    order = {task.name: number for number, task in enumerate(study.tasks)}
    rows.sort(key=lambda row: (place[row["model"]], order[row["train_task"]], order[row["test_task"]]))
    return pd.DataFrame.from_records(rows, columns=TRANSFER)


def _target(study: Study, scores: Scores, train: str, test: str, values: Float[np.ndarray, "target fold"]) -> Target:
    task = next(task for task in study.tasks if task.name == test)
    table = scores.targets[task.dataset]
    if len(values) != len(table):
        raise StatisticsError(
            f"transfer from {train} to {test} has {len(values):,} rows, but there are {len(table):,} targets",
            likely="another configuration made it",
            do=DO,
        )
    rows = np.flatnonzero(np.isfinite(values).any(axis=1))
    # The draws are the test task's, whatever was trained on, so that two training tasks can be compared.
    random = np.random.default_rng([study.seed, *f"transfer|{task.name}".encode()])
    cells = table[cluster_column(table, "group")].to_numpy(str)[rows]
    clusters, weights, n_groups = draw(cells, study.bootstrap.n_resamples, random)
    sample = Sample(labels_of(task, table)[rows], np.zeros(len(rows), int), clusters, weights)
    return Target(rows, sample, n_groups)
