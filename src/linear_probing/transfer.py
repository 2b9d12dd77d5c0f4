"""Transfer: one model's directions and states in; scores of each binary task's targets by every other's directions out.

In: of every data set of a model that has a binary task, its tables, activations and probes (their directions). Out:
transfer.safetensors with one array per 'TRAINTASK|TESTTASK|PROBE|layer_06' of shape (n_test_targets, n_train_folds),
column k by the direction that was trained without outer fold k of the training task; and cosines.csv.
Where two data sets have the same groups (by their cards' `group_meaning`: a noun and a city of one name are not the
same), a score is NaN if the target's group had trained the direction: cities and neg_cities are about the same cities.
Groups that the training data set does not have are scored by all folds. The diagonal holds the out-of-fold scores.
Source: Marks & Tegmark 2023, who compare in this way what truth has in common between data sets.
Cost: seconds a model; one product of states and directions a data set and layer.
"""

import argparse
import json
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from threadpoolctl import threadpool_limits

from linear_probing import directions, records, settings, store, tables
from linear_probing.directions import ALL, SPLIT, Direction
from linear_probing.settings import Study
from linear_probing.stage import StudyError, count, run
from linear_probing.store import layer_name, write_tensors

LOG = logging.getLogger("transfer")
SCORES, COSINES = "transfer.safetensors", "cosines.csv"
COLUMNS = ("layer", "task", "probe", "other_layer", "other_task", "other_probe", "cosine")
PRECISION = "%.6g"
AXES = {"axes": "test target, training fold"}
"""Header of the file, which a file without arrays could not be read without."""


class TransferError(StudyError):
    """Folders from which no transfer can be computed."""


@dataclass(frozen=True)
class Side:
    """A data set with binary tasks, to train on and to test on.

    Parameters
    ----------
    targets : pd.DataFrame
        Its target table.
    group_meaning : str
        What a group is, as its card says.
    activations : Path
        Folder of the model's states.
    tasks : tuple[str, ...]
        Its binary tasks.
    """

    targets: pd.DataFrame
    group_meaning: str
    activations: Path
    tasks: tuple[str, ...]


def may_score(train: Side, test: Side) -> Bool[np.ndarray, "target fold"]:
    """Return, per test target and training fold, whether the target's group had no part in training.

    Parameters
    ----------
    train, test : Side
        If their groups mean the same, those of equal name are the same.

    Returns
    -------
    np.ndarray
        Shape (n_test_targets, n_train_folds).
    """
    masks = tables.fold_masks(train.targets[tables.fold_column(SPLIT)])
    groups = test.targets["group"]
    if train.group_meaning != test.group_meaning:
        return np.ones((len(groups), len(masks)), dtype=bool)
    return np.stack([~groups.isin(set(train.targets.loc[trains, "group"])).to_numpy() for trains, _ in masks], axis=1)


def score_layer(sides: Sequence[Side], learnt: Sequence[Direction]) -> dict[str, Float[np.ndarray, "target fold"]]:
    """Return the scores of all sides' targets by the directions of one layer, by 'TRAINTASK|TESTTASK|PROBE|layer_06'.

    Raises
    ------
    StoreError
        If the states cannot be read.
    TransferError
        If states and directions do not fit.
    """
    folds = [one for one in learnt if one.fold != ALL]
    found: dict[str, np.ndarray] = {}
    for test in sides if folds else ():
        layer = folds[0].layer
        states = store.read_layer(test.activations, layer, len(test.targets)).astype(np.float64)
        vectors = np.concatenate([one.vector for one in folds])
        if vectors.shape[1] != states.shape[1]:
            raise TransferError(
                f"directions of layer {layer} have {vectors.shape[1]} dimensions, its states {states.shape[1]}",
                file=test.activations,
                likely="the probes are of another model",
                do="name folders of one model",
            )
        scores = states @ vectors.T + np.concatenate([one.offset for one in folds])
        of_task = {task: allowed for train in sides for allowed in [may_score(train, test)] for task in train.tasks}
        for place, one in enumerate(folds):
            allowed, fold = of_task[one.task], int(one.fold)
            for task in test.tasks:
                key = "|".join((one.task, task, one.probe, layer_name(layer)))
                table = found.setdefault(key, np.full(allowed.shape, np.nan, dtype=np.float32))
                table[:, fold] = np.where(allowed[:, fold], scores[:, place], np.nan)
    return found


def cosine_table(learnt: Iterable[Direction]) -> pd.DataFrame:
    """Return cosines between the directions that all targets trained, in the space of the states as they are.

    Parameters
    ----------
    learnt : iterable of Direction
        Of binary tasks; those of single folds are passed over.

    Returns
    -------
    pd.DataFrame
        `COLUMNS`: every pair of one layer, and every pair of layers of one task and probe, once each. A direction of
        length 0 has no cosine (NaN).
    """
    chosen = sorted((one for one in learnt if one.fold == ALL), key=lambda one: one.layer)
    if not chosen:
        return pd.DataFrame(columns=list(COLUMNS))
    vectors = np.concatenate([one.vector for one in chosen])
    with np.errstate(invalid="ignore", divide="ignore"):
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = np.clip(vectors @ vectors.T, -1.0, 1.0)
    rows = []
    for (i, one), (j, other) in combinations(enumerate(chosen), 2):
        if one.layer == other.layer or (one.task, one.probe) == (other.task, other.probe):
            sides = (one.layer, one.task, one.probe, other.layer, other.task, other.probe)
            rows.append((*sides, cosines[i, j]))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def read_sides(study: Study, datasets: Sequence[Path], activations: Sequence[Path]) -> dict[str, Side]:
    """Return every data set with its tables, activations and binary tasks, by name.

    Raises
    ------
    TransferError
        If a data set was given without activations.
    DatasetError
        If a table cannot be read.
    """
    states = {tables.dataset_name(folder): folder for folder in activations}
    found = {}
    for folder in datasets:
        name = tables.dataset_name(folder)
        if name not in states:
            raise TransferError(
                f"no activations were given for {name}",
                file=folder,
                likely="the folders named are not of the same data sets",
                do="name the folders of the same data sets for tables, activations and probes",
            )
        binary = tuple(task.name for task in study.tasks_of(name) if task.kind == "binary")
        card = json.loads((folder / tables.CARD).read_text(encoding="utf-8"))
        found[name] = Side(tables.read(folder).targets, card.get("group_meaning", ""), states[name], binary)
    return found


def compute(
    sides: Mapping[str, Side], probes: Sequence[Path]
) -> tuple[dict[str, Float[np.ndarray, "target fold"]], pd.DataFrame]:
    """Return the scores by key, and the table of cosines, of all directions in the folders of probes."""
    learnt = [one for folder in probes for one in directions.read(folder, _tasks_of(sides, folder))]
    scores: dict[str, np.ndarray] = {}
    for layer in sorted({one.layer for one in learnt}):
        scores |= score_layer([*sides.values()], [one for one in learnt if one.layer == layer])
    return scores, cosine_table(learnt)


def _tasks_of(sides: Mapping[str, Side], probes: Path) -> tuple[str, ...]:
    name = tables.dataset_name(probes)
    return sides[name].tasks if name in sides else ()


def main() -> None:
    """Score every binary task's targets by the directions of every other, for one model."""
    parser = argparse.ArgumentParser(description="Score each binary task's targets by the directions of every other.")
    parser.add_argument("--config", type=Path, required=True, help="the study's configuration")
    parser.add_argument("--model", required=True, help="its name in the configuration")
    parser.add_argument("--tables", type=Path, nargs="*", default=[], help="folders of the datasets stage")
    parser.add_argument("--activations", type=Path, nargs="*", default=[], help="folders of the activations stage")
    parser.add_argument("--probes", type=Path, nargs="*", default=[], help="folders of the probes stage")
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    parser.add_argument("--threads", type=count, default=1, help="CPU threads")
    arguments = parser.parse_args()
    study, start = settings.load(arguments.config), time.monotonic()
    name, threads = study.model(arguments.model).name, arguments.threads
    inputs = [*arguments.tables, *arguments.activations, *arguments.probes]
    with records.making(study, "transfer", arguments.output, inputs, threads=threads) as folder:
        sides = read_sides(study, arguments.tables, arguments.activations)
        LOG.info("%s: %d data sets, %d tasks", name, len(sides), sum(len(side.tasks) for side in sides.values()))
        with threadpool_limits(threads):
            scores, cosines = compute(sides, arguments.probes)
        write_tensors(folder / SCORES, scores, AXES)
        cosines.to_csv(folder / COSINES, index=False, float_format=PRECISION, lineterminator="\n")
    LOG.info("%s: %d arrays, %d cosines, %.1f s", name, len(scores), len(cosines), time.monotonic() - start)


if __name__ == "__main__":
    run(main)
