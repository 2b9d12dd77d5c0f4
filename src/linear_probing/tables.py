"""Text and target tables of a data set: written whole, read and checked before anything is computed from them.

A target is a character span in a text, with labels. What becomes of it is said by its cell in a split's fold column:

| cell | trains | is tested |
|---|---|---|
| a number k | in every fold but k | in fold k |
| two numbers joined by a bar (a pair that belongs to two blocks) | in every fold but these | in none |
| `test`: the data set's own test part | in none | in the fold `test`, the only one that is scored |
| `train`: the data set's own training part | in every fold | in none |
| `unused` | in none | in none |

So `train`, 0 and `test` are a data set's own training, development and test part: the fold `test` trains on the first
two, and its penalty is chosen by fold 0, which trains on the first alone.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from linear_probing.settings import Task
from linear_probing.stage import StudyError

FILES = ("texts.csv", "targets.csv")
CARD = "card.json"
TEST, TRAIN, UNUSED = "test", "train", "unused"
"""Cells of a fold column beside numbers."""
CELL = re.compile(rf"{TEST}|{TRAIN}|{UNUSED}|\d+(\|\d+)*")
REQUIRED = ("target_id", "text_id", "span_start", "span_end", "group", "type", "part", "fold")


class DatasetError(StudyError):
    """A data set that must not be probed."""


@dataclass(frozen=True)
class Tables:
    """Texts (text_id, text) and targets (see REQUIRED, and a column per label)."""

    texts: pd.DataFrame
    targets: pd.DataFrame


def dataset_name(folder: Path) -> str:
    """Return the data set of a folder named `{dataset}-{digest}`.

    Examples
    --------
    >>> dataset_name(Path("results/datasets/neg_cities-0123456789"))
    'neg_cities'
    """
    return folder.name.rpartition("-")[0]


def read(folder: Path) -> Tables:
    """Read the tables of a data set's folder and check them.

    Raises
    ------
    DatasetError
        If a table is missing or cut, or as `validate` does.
    """
    frames = []
    digests = _digests_of_card(folder / CARD)
    for name in FILES:
        try:
            if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digests.get(name):
                raise ValueError("its content is not what the card was written for")
            frames.append(pd.read_csv(folder / name, dtype=str, keep_default_na=False))
        except (OSError, ValueError) as error:
            raise DatasetError(
                f"{name} cannot be read: {error}",
                file=folder / name,
                likely="the file is missing, was cut short, or was edited after it was written",
                do="delete the folder and run snakemake again",
            ) from error
    texts, targets = frames
    for column in {"span_start", "span_end"} & set(targets.columns):
        targets[column] = pd.to_numeric(targets[column], errors="coerce")
    return validate(Tables(texts, targets), folder)


def _digests_of_card(path: Path) -> dict[str, str]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))["sha256"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DatasetError(
            f"{path.name} cannot be read: {error}",
            file=path,
            likely="the folder was not written by the datasets stage, or the file was cut short",
            do="delete the folder and run snakemake again",
        ) from error


def validate(tables: Tables, folder: Path) -> Tables:
    """Check what no later stage may meet: emptiness, missing columns, double ids, spans outside texts, split groups.

    Raises
    ------
    DatasetError
        With the first target at fault.
    """
    texts, targets = tables.texts, tables.targets

    def fail(subject: str, likely: str | None = None) -> None:
        raise DatasetError(subject, file=folder / "targets.csv", likely=likely, do="correct the data set's builder")

    absent = [c for c in REQUIRED if c not in targets] + [c for c in ("text_id", "text") if c not in texts]
    if absent:
        fail(f"the tables lack the column {absent[0]}")
    if targets.empty or texts.empty:
        fail(f"the data set is empty: {len(texts)} texts, {len(targets)} targets")
    for frame, column in ((texts, "text_id"), (targets, "target_id")):
        double = frame[column][frame[column].duplicated()]
        if len(double):
            fail(f"{column} {double.iloc[0]} occurs twice")
    unknown = targets.loc[~targets["text_id"].isin(texts["text_id"]), "target_id"]
    if len(unknown):
        fail(f"target {unknown.iloc[0]} names a text that does not exist")
    length = targets["text_id"].map(texts.set_index("text_id")["text"].str.len())
    start, end = targets["span_start"], targets["span_end"]
    outside = ~((start >= 0) & (start < end) & (end <= length))
    if outside.any():
        row = targets[outside].iloc[0]
        found = f"{row['span_start']} to {row['span_end']}"
        fail(f"target {row['target_id']}: span {found} is outside its text of {length[outside].iloc[0]} characters")
    named = [str(column) for column in targets if str(column).startswith("group_")]
    splits = ["group", *(name.removeprefix("group_") for name in named)]
    for name in (str(column) for column in targets if column == "fold" or str(column).startswith("fold_")):
        cells = sorted(set(targets[name].astype(str)))
        odd = [cell for cell in cells if not CELL.fullmatch(cell)]
        if odd:
            fail(f"{name} has the cell {odd[0]!r}, expected a number, two joined by |, {TEST}, {TRAIN} or {UNUSED}")
        if TRAIN in cells and not (TEST in cells and any(cell[0].isdigit() for cell in cells)):
            fail(f"{name} has the cell {TRAIN}, but not both {TEST} and a fold to choose penalties by")
    for split in splits:
        used = targets[targets[fold_column(split)] != UNUSED]
        folds = used.groupby(cluster_column(targets, split), sort=True)[fold_column(split)].nunique()
        if (folds > 1).any():
            group = folds.index[folds > 1][0]
            fail(
                f"group {group!r} stands in {folds[group]} folds of split {split}, expected 1",
                "folds were drawn by row, not by group",
            )
    return tables


def check_labels(tables: Tables, tasks: tuple[Task, ...], folder: Path) -> None:
    """Check that every task's label, splits and baseline columns can be used.

    Raises
    ------
    DatasetError
        If a column is absent, a label is empty or not finite, or has one class only.
    """
    for task in tasks:
        columns = task.label_columns
        folds = tuple(fold_column(split) for split in task.splits)
        absent = [c for c in (*columns, *folds, *task.baselines) if c not in tables.targets]
        if absent:
            raise DatasetError(
                f"task {task.name} needs the column {absent[0]}, which its data set does not have",
                file=folder / "targets.csv",
                do="name labels, splits and baselines of the data set's card in the configuration",
            )
        for column in columns:
            values = tables.targets[column]
            empty = values.astype(str).str.strip().str.lower().isin(["", "nan", "none"])
            if task.kind == "position" or set(values[~empty]) <= {"0", "1"}:
                empty |= ~np.isfinite(pd.to_numeric(values, errors="coerce").to_numpy(float))
            if empty.any():
                target = tables.targets.loc[empty, "target_id"].iloc[0]
                subject = f"task {task.name}: the label {column} of target {target} is NaN or empty"
                raise DatasetError(subject, file=folder / "targets.csv", do="label every target, or leave it out")
            n_classes = values.nunique()
            least = {"binary": 2, "multiclass": 3}.get(task.kind, 2)
            if n_classes < least or (task.kind == "binary" and n_classes != 2):
                expected = "2" if task.kind == "binary" else f"at least {least}"
                subject = (
                    f"task {task.name}: the label {column} has {n_classes} class{'es' * (n_classes != 1)}, expected"
                )
                do = "name its kind binary" if n_classes == 2 else "probe a label that varies"
                raise DatasetError(f"{subject} {expected}", file=folder / "targets.csv", do=do)
        for column in task.baselines:
            numbers = pd.to_numeric(tables.targets[column], errors="coerce").to_numpy(float)
            if not np.isfinite(numbers).all():
                target = tables.targets["target_id"][~np.isfinite(numbers)].iloc[0]
                subject = f"task {task.name}: the baseline {column} of target {target} is no finite number"
                raise DatasetError(subject, file=folder / "targets.csv", do="fill it, or leave the baseline out")


def fold_column(split: str) -> str:
    """Return the column that holds a split's folds, with the module's cells: `fold` for the split by group."""
    return "fold" if split == "group" else f"fold_{split}"


def cluster_column(targets: pd.DataFrame, split: str) -> str:
    """Return the column of the split's clusters: what is resampled, and what inner folds keep together."""
    return f"group_{split}" if f"group_{split}" in targets else "group"


def fixed_test(cells: pd.Series) -> np.ndarray | None:
    """Return which targets a data set's own test part holds, shape (n_targets,); None where it has none."""
    found = (cells == TEST).to_numpy()
    return found if found.any() else None


def own_parts(targets: pd.DataFrame) -> bool:
    """Return whether a data set comes with a test part of its own: then no split is drawn, which would train on it."""
    return fixed_test(targets[fold_column("group")]) is not None


def fold_masks(cells: pd.Series) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return (trains, is tested) of shape (n_targets,) for every fold of a fold column, `test` first.

    The module's table says what each cell does.

    Examples
    --------
    >>> [(t.tolist(), s.tolist()) for t, s in fold_masks(pd.Series(["0", "1", "0|1"]))]
    [([False, True, False], [True, False, False]), ([True, False, False], [False, True, False])]
    >>> [(t.tolist(), s.tolist()) for t, s in fold_masks(pd.Series(["0", "1", "test"]))][:2]
    [([True, True, False], [False, False, True]), ([False, True, False], [True, False, False])]
    >>> [(t.tolist(), s.tolist()) for t, s in fold_masks(pd.Series(["train", "0", "test"]))]
    [([True, True, False], [False, False, True]), ([True, False, False], [False, True, False])]
    """
    kinds, kind = np.unique(cells.to_numpy(str), return_inverse=True)
    parts = [frozenset(cell.split("|")) for cell in kinds]
    folds = set().union(*parts) - {TRAIN, UNUSED}
    names = sorted(folds, key=lambda name: (name != TEST, name if name == TEST else int(name)))
    return [
        (
            np.array([not part & {name, TEST, UNUSED} for part in parts])[kind],
            np.array([part == {name} for part in parts])[kind],
        )
        for name in names
    ]
