"""Read what the probes stage wrote, for all models and data sets of a study, into one place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from linear_probing import store, tables
from linear_probing.probes import FITS, SCORES
from linear_probing.settings import TEXT_MODEL, Study, Task
from linear_probing.stage import StudyError

DO = "run snakemake again; it makes what is missing"


class StatisticsError(StudyError):
    """Scores that are missing or do not fit their target table."""


@dataclass(frozen=True)
class Scores:
    """All out-of-fold scores of a study.

    Parameters
    ----------
    targets : Mapping[str, pd.DataFrame]
        Target table by data set.
    arrays : Mapping[str, Mapping[str, np.ndarray]]
        By model (the baselines under `text`), then by key; see probes.py.
    fits : pd.DataFrame
        One row per fit, with its model.
    """

    targets: Mapping[str, pd.DataFrame]
    arrays: Mapping[str, Mapping[str, np.ndarray]]
    fits: pd.DataFrame

    def layers(self, model: str, task: Task) -> list[int]:
        """Return the layers at which a task was probed, ascending."""
        prefix = f"{task.name}|{task.splits[0]}|true|{task.probe}|layer_"
        return sorted(int(key.removeprefix(prefix)) for key in self.arrays.get(model, {}) if key.startswith(prefix))

    def get(self, model: str, task: Task, split: str, labeling: str, features: str) -> np.ndarray:
        """Return scores of shape (n_targets, n_outputs).

        Raises
        ------
        StatisticsError
            If they are not there, or have another number of rows than the target table.
        """
        key = "|".join((task.name, split, labeling, task.probe, features))
        found = self.arrays.get(model, {}).get(key)
        n_targets = len(self.targets[task.dataset])
        if found is None or len(found) != n_targets:
            subject = (
                "are missing" if found is None else f"have {len(found):,} rows, but there are {n_targets:,} targets"
            )
            raise StatisticsError(
                f"scores of {model} for {key} {subject}", likely="another configuration made them", do=DO
            )
        return found


def read_scores(study: Study, datasets: Sequence[Path], probes: Sequence[Path]) -> Scores:
    """Read target tables and scores.

    Raises
    ------
    StatisticsError
        If a file is missing or cut, or a data set or model of the study was not given.
    """
    targets = {}
    for folder in datasets:
        name = study.dataset(tables.dataset_name(folder)).name
        data = tables.read(folder)
        tables.check_labels(data, study.tasks_of(name), folder)
        targets[name] = data.targets
    arrays: dict[str, dict[str, np.ndarray]] = {}
    fits = []
    for folder in probes:
        model = folder.parent.name
        arrays.setdefault(model, {}).update(store.read_tensors(folder / SCORES))
        try:
            # As text: a column that holds nothing but `true` would be read as a truth value.
            fits.append(pd.read_csv(folder / FITS, dtype={"labeling": str}).assign(model=model))
        except (OSError, ValueError) as error:
            raise StatisticsError(f"{FITS} cannot be read: {error}", file=folder / FITS, do=store.DO) from error
    expected = {TEXT_MODEL, *(model.name for model in study.models)}
    absent = sorted(expected - set(arrays)) + sorted(set(study.probed) - set(targets))
    if absent:
        raise StatisticsError(f"no folder was given for {absent[0]}", file=study.file, do=DO)
    return Scores(targets, arrays, pd.concat(fits, ignore_index=True))
