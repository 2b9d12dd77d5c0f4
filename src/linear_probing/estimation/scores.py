"""Read what the stages probes and transfer wrote, for all models and data sets of a study, into one place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from linear_probing import store, tables
from linear_probing.probes import CHECKS, CODE, FITS, PERMUTED, SCORES
from linear_probing.settings import TEXT_MODEL, Study, Task
from linear_probing.stage import StudyError
from linear_probing.transfer import COSINES
from linear_probing.transfer import SCORES as TRANSFER

DO = "run snakemake again; it makes what is missing"
CHECKS_COLUMNS = ["model", "dataset", "features", "n_targets", "n_constant_features", "n_in_two_groups"]
CODE_COLUMNS = ["model", "task", "features", "portion", "n_train", "n_coded", "n_classes", "bits", "uniform_bits"]


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
    permutations : Mapping[str, Mapping[str, np.ndarray]]
        By model, then by `TASK|PART|layer_06`: the score on the true labels, then under each permutation.
    checks : pd.DataFrame
        One row per data set and layer: what is odd about its features, with their model.
    code : pd.DataFrame
        One row per portion of a code, with its model.
    transfer : Mapping[str, Mapping[str, np.ndarray]]
        By model, then by `TRAINTASK|TESTTASK|PROBE|layer_06`; see `transfers`.
    cosines : pd.DataFrame
        Between directions, as the transfer stage wrote them, with their model.
    """

    targets: Mapping[str, pd.DataFrame]
    arrays: Mapping[str, Mapping[str, np.ndarray]]
    fits: pd.DataFrame
    permutations: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)
    checks: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=CHECKS_COLUMNS))
    code: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=CODE_COLUMNS))
    transfer: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)
    cosines: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["model"]))

    def moved(self) -> "Scores":
        """Return the scores of directions on other tasks alone, and all targets."""
        return Scores(self.targets, {}, self.fits.iloc[:0], transfer=self.transfer)

    def of(self, task: Task) -> "Scores":
        """Return a task's out-of-fold scores and control labels alone, and the targets of its data set."""

        def asked(key: str) -> bool:
            return key.startswith((f"{task.name}|", f"rows|{task.name}|")) or key == f"control|{task.name}"

        arrays = {
            model: {key: scores for key, scores in own.items() if asked(key)} for model, own in self.arrays.items()
        }
        fits = self.fits[self.fits["task"] == task.name]
        return Scores({task.dataset: self.targets[task.dataset]}, arrays, fits)

    @cached_property
    def keys(self) -> Mapping[tuple[str, str], frozenset[tuple[str, str, str, str]]]:
        """By model and task: the split, labeling, probe and features of all scores there are."""
        found: dict[tuple[str, str], set[tuple[str, str, str, str]]] = {}
        for model, arrays in self.arrays.items():
            for key in arrays:
                task, *others = key.split("|")
                if len(others) == 4:
                    split, labeling, probe, features = others
                    found.setdefault((model, task), set()).add((split, labeling, probe, features))
        return {key: frozenset(names) for key, names in found.items()}

    def layers(self, model: str, task: Task, split: str | None = None, probe: str | None = None) -> list[int]:
        """Return the layers at which a task was probed, ascending; its own probe, its first split by default."""
        wanted = (split or task.splits[0], "true", probe or task.probe)
        names = [key[3] for key in self.keys.get((model, task.name), frozenset()) if key[:3] == wanted]
        return sorted(int(name.removeprefix("layer_")) for name in names if name.startswith("layer_"))

    def other_probes(self, model: str, task: Task) -> list[str]:
        """Return the probes other than the task's own, by name."""
        found = {
            probe for _, labeling, probe, _ in self.keys.get((model, task.name), frozenset()) if labeling == "true"
        }
        return sorted(found - {task.probe})

    def splits(self, task: Task) -> set[str]:
        """Return the splits under which some model has scores of a task."""
        return {split for (_, name), keys in self.keys.items() if name == task.name for split, *_ in keys}

    def get(self, model: str, task: Task, split: str, labeling: str, features: str) -> np.ndarray:
        """Return scores of shape (n_targets, n_outputs) by the task's own probe.

        Raises
        ------
        StatisticsError
            If they are not there, or have another number of rows than the target table.
        """
        found = self.find(model, task, split, labeling, task.probe, features)
        if found is None:
            key = "|".join((task.name, split, labeling, task.probe, features))
            raise StatisticsError(
                f"scores of {model} for {key} are missing", likely="another configuration made them", do=DO
            )
        return found

    def find(self, model: str, task: Task, split: str, labeling: str, probe: str, features: str) -> np.ndarray | None:
        """Return scores of shape (n_targets, n_outputs) by any probe, NaN where none is; None if they are not there.

        Raises
        ------
        StatisticsError
            If they have another number of rows than the target table, or than the targets that they name.
        """
        key = "|".join((task.name, split, labeling, probe, features))
        own = self.arrays.get(model, {})
        found, rows = own.get(key), own.get(f"rows|{task.name}|{split}")
        if found is None:
            return None
        n_targets = len(self.targets[task.dataset])
        n_scored = n_targets if rows is None else len(rows)
        if len(found) != n_scored or (rows is not None and rows.max(initial=-1) >= n_targets):
            whose = f"{n_targets:,} targets" + ("" if rows is None else f", of which {n_scored:,} are scored")
            subject = f"scores of {model} for {key} have {len(found):,} rows, but there are {whose}"
            raise StatisticsError(subject, likely="another configuration made them", do=DO)
        if rows is None:
            return found
        of_all = np.full((n_targets, found.shape[1]), np.nan, dtype=found.dtype)
        of_all[rows] = found
        return of_all


def read_scores(
    study: Study, datasets: Sequence[Path], probes: Sequence[Path], transfer: Sequence[Path] = ()
) -> Scores:
    """Read target tables and scores.

    Permutations, codes and transfer are read where they are: not every folder of probes has them.

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
    permutations: dict[str, dict[str, np.ndarray]] = {}
    fits, codes, checks = [], [], []
    for folder in probes:
        model = folder.parent.name
        arrays.setdefault(model, {}).update(store.read_tensors(folder / SCORES))
        fits.append(_read_table(folder / FITS, model))
        if (folder / PERMUTED).exists():
            permutations.setdefault(model, {}).update(store.read_tensors(folder / PERMUTED))
        if (folder / CODE).exists():
            codes.append(_read_table(folder / CODE, model))
        if (folder / CHECKS).exists():
            checks.append(_read_table(folder / CHECKS, model)[CHECKS_COLUMNS])
    expected = {TEXT_MODEL, *(model.name for model in study.models)}
    absent = sorted(expected - set(arrays)) + sorted(set(study.probed) - set(targets))
    if absent:
        raise StatisticsError(f"no folder was given for {absent[0]}", file=study.file, do=DO)
    code = pd.concat(codes, ignore_index=True) if codes else pd.DataFrame(columns=CODE_COLUMNS)
    transferred, cosines = read_transfer(transfer)
    checked = pd.concat(checks, ignore_index=True) if checks else pd.DataFrame(columns=CHECKS_COLUMNS)
    fitted = pd.concat(fits, ignore_index=True)
    return Scores(targets, arrays, fitted, permutations, checked, code, transferred, cosines)


def read_transfer(folders: Sequence[Path]) -> tuple[dict[str, dict[str, np.ndarray]], pd.DataFrame]:
    """Read the transfer stage's scores by model, then key, and its cosines, of folders standing in one of their model.

    Raises
    ------
    StatisticsError
        If a file is missing or cut.
    """
    arrays: dict[str, dict[str, np.ndarray]] = {}
    cosines = []
    for folder in folders:
        model = folder.parent.name
        arrays.setdefault(model, {}).update(store.read_tensors(folder / TRANSFER))
        found = _read_table(folder / COSINES, model)
        cosines.append(found[["model", *(column for column in found if column != "model")]])
    return arrays, pd.concat(cosines, ignore_index=True) if cosines else pd.DataFrame(columns=["model"])


def _read_table(path: Path, model: str) -> pd.DataFrame:
    try:
        # As text: a column that holds nothing but `true` would be read as a truth value, and an empty one as numbers.
        text = {"labeling": str, "note": str}
        return pd.read_csv(path, dtype=text).assign(model=model)
    except pd.errors.EmptyDataError:
        return pd.DataFrame({"model": []})
    except (OSError, ValueError) as error:
        raise StatisticsError(f"{path.name} cannot be read: {error}", file=path, do=store.DO) from error
