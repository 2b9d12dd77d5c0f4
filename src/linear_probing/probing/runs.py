"""Which labelings a task is probed under, and by which splits: the task, its control task, and the drawn splits."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from linear_probing import tables
from linear_probing.probing import controls
from linear_probing.probing.sweep import Run
from linear_probing.settings import Study, Task
from linear_probing.splits import ROW, masks_for, seed_split, train_split
from linear_probing.tables import Tables

TYPES = "types"


def labels_of(task: Task, targets: pd.DataFrame) -> np.ndarray:
    """Return numbers (n_targets, 3) of a position, or class indices (n_targets,) in the sorted order of the names."""
    if task.kind == "position":
        return targets[list(task.label_columns)].astype(float).to_numpy()
    return np.unique(targets[task.label].to_numpy(str), return_inverse=True)[1]


def names_of(task: Task, targets: pd.DataFrame) -> tuple[str, ...]:
    """Return the names of the outputs: the classes, sorted, or the axes of a position."""
    return ("x", "y", "z") if task.kind == "position" else tuple(sorted(set(targets[task.label].astype(str))))


def control_of(task: Task, data: Tables, seed: int) -> np.ndarray:
    """Return the labels of a task's control task, the same for every model, layer and probe."""
    random = np.random.default_rng([seed, *task.name.encode()])
    return controls.control_labels(labels_of(task, data.targets), data.targets["type"], random)


def scarcity(task: Task, targets: pd.DataFrame, n_folds: int) -> str:
    """Return which class stands in fewer groups than there are folds, so that some fold cannot test it; empty if none.

    Examples
    --------
    >>> task = Task("words.kind", "multiclass", "logistic", ("group",), ())
    >>> scarcity(task, pd.DataFrame({"kind": ["verb", "noun", "noun"], "group": ["a", "b", "c"]}), 2)
    'class verb stands in 1 of at least 2 groups'
    """
    if task.kind == "position":
        return ""
    n_groups = targets.groupby(targets[task.label].astype(str))["group"].nunique()
    least = str(n_groups.idxmin())
    scarce = n_groups[least] < n_folds
    return f"class {least} stands in {n_groups[least]} of at least {n_folds} groups" if scarce else ""


def runs_of(study: Study, task: Task, data: Tables, drawn: bool) -> list[Run]:
    """Return the runs of a task's own probe, the headline first.

    Parameters
    ----------
    study, task, data
        What is probed.
    drawn : bool
        Whether the drawn splits are among them: the seeds of the folds, the split by row and the learning curve. Of a
        data set that comes with a test part of its own nothing is drawn: its parts are what others compare with.
    """
    own = tables.own_parts(data.targets)
    labels, note = labels_of(task, data.targets), "" if own else scarcity(task, data.targets, study.n_folds)
    names: Sequence[str] = task.splits
    if drawn and not own:
        seeds = [seed_split(number) for number in range(1, study.n_seeds)]
        names = [*task.splits, *seeds, ROW, *(train_split(share) for share in study.learning)]
    runs = []
    for split in names:
        masks = masks_for(study, task, data.targets, split)
        runs.append(Run(split, "true", labels, masks, note))
        if split == TYPES:
            runs.append(Run(split, "control", control_of(task, data, study.seed), masks))
    return runs
