"""`table`: rows of a person's own files, or of public ones, as the configuration says; no code for a data set.

Each row is a text with a target in it and labels. What would make a study wrong is refused, with file and line: empty
labels, spans outside texts, groups that stand in two parts of a split. docs/own-data.md is the way in.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from linear_probing.builders import table_cells, table_folds, table_rows
from linear_probing.builders.draft import Draft, numbered
from linear_probing.builders.table_rows import Table
from linear_probing.tables import REQUIRED, DatasetError

POSITION = "place on the unit sphere: x = cos lat cos lon, y = cos lat sin lon, z = sin lat"
TREEBANK_TEXT, TREEBANK_SPAN = "text", ("start", "end")
OWN_SPLITS = ("group", "row", "types")
"""Splits that the study itself makes: see `linear_probing.splits`."""


def build(
    *,
    files: Sequence[Path] | Mapping[str, Sequence[Path]],
    n_folds: int,
    seed: int,
    text: str | Mapping[str, Any] | None = None,
    pair_label: str | None = None,
    span: str | Sequence[str] | None = None,
    labels: Mapping[str, str | Mapping[str, str]] | None = None,
    group: str | Sequence[str] | None = None,
    type: str | None = None,
    splits: Mapping[str, str | Sequence[str]] | None = None,
    where: Mapping[str, Sequence[Any]] | None = None,
    derive: Mapping[str, Mapping[str, str]] | None = None,
    columns: Sequence[str] = (),
    n_groups: int | None = None,
    n_rows: int | None = None,
    source: str = "",
    licence: str = "",
) -> Draft:
    """Return the data set that files and configuration make.

    Parameters
    ----------
    files : sequence of Path, or mapping of str to sequence of Path
        Files that exist; under `train`, `dev` (or none) and `test` where the data set has a split of its own.
    n_folds, seed : int
        Of the study.
    text : str or mapping, optional
        The column of texts; or columns of paired texts, each with its cell of the label `pair_label`. A treebank's is
        known.
    pair_label : str, optional
        The label that paired texts have.
    span : str or sequence of two str, optional
        See `table_cells.spans`. A treebank's words have theirs.
    labels : mapping, optional
        Label to column, or to the columns of latitude and longitude of a position.
    group : str or sequence of str, optional
        What is held out together; several columns count as one name, whatever their order. Without it each row is a
        group, if none leaks.
    type : str, optional
        What control tasks draw labels for: gives the split `types`.
    splits : mapping, optional
        Split to the column, or the two columns, whose blocks are held out as wholes.
    where : mapping, optional
        Column to the cells of rows that are kept.
    derive : mapping, optional
        Further column to `from`, a column, and `match`, a regular expression, whose first group there is its cell.
        It can be named wherever a column can.
    columns : sequence of str
        Further columns that the target table carries, as baselines.
    n_groups, n_rows : int, optional
        Groups drawn whole, then rows drawn from what is left; all of them without it.
    source, licence : str
        What the card says.

    Raises
    ------
    DatasetError
        If the data cannot be probed as configured; FormatError, which is one, with all rows at fault.
    """
    labels, splits, where, derive = labels or {}, splits or {}, where or {}, derive or {}
    _check_keys(labels, pair_label, columns, splits)
    # Rows that other columns exclude need not match.
    table = table_rows.admitted(table_rows.read(files), {name: of for name, of in where.items() if name not in derive})
    table = table_rows.derived(table, derive)
    table = table_rows.admitted(table, {name: of for name, of in where.items() if name in derive})
    if table.own_split and splits:
        raise DatasetError(
            f"splits: {next(iter(splits))} is named, and the data set has a split of its own",
            file=table.files[0].path,
            likely="folds of a further split would train on the data set's own test part",
            do="leave splits out, or give all files as one list, to be dealt to folds",
        )
    if table.is_treebank:
        text, span = text or TREEBANK_TEXT, span or TREEBANK_SPAN
    pairs = _pairs(text, pair_label)
    texts = [list(row) for row in zip(*(_texts(table, name) for name in pairs), strict=True)]
    grouped = [group] if isinstance(group, str) else list(group or ())
    if n_groups is not None or n_rows is not None:
        table = table_rows.draw(table, table_folds.groups(table, grouped, texts), n_groups, n_rows, seed)
        texts = [list(row) for row in zip(*(_texts(table, name) for name in pairs), strict=True)]
    names = [name for name in table_folds.groups(table, grouped, texts) for _ in pairs]
    items = table.select([row for row in range(len(texts)) for _ in pairs])
    each = [one for row in texts for one in row]
    starts, ends = table_cells.spans(items, each, span)
    found = _labels(items, labels)
    if pair_label is not None:
        found[pair_label] = [str(value) for value in pairs.values()] * len(texts)
    classes = {name: cells for name, cells in found.items() if cells and isinstance(cells[0], str)}
    for name, cells in classes.items():
        table_folds.check_classes(items, names, cells, name)
    leading = next(iter(classes.values()), [""] * len(each))
    blocks = {name: table_folds.held_out(items, of, name, leading, n_folds, seed) for name, of in splits.items()}
    folds = table_folds.folds(items, names, leading, n_folds, seed)
    types = table_cells.filled(items, [type], "type") if type else [""] * len(each)
    ids = numbered("row", len(each))
    text_ids, kept = _text_ids(items, ids)
    targets = {
        "target_id": ids,
        "text_id": text_ids,
        "span_start": starts,
        "span_end": ends,
        "group": names,
        **{f"group_{name}": of for name, (of, _) in blocks.items()},
        "type": types,
        "part": [""] * len(each),
        "fold": folds,
        **{f"fold_{name}": of for name, (_, of) in blocks.items()},
        **({"fold_types": table_folds.type_folds(items, types, folds, n_folds, seed)} if type else {}),
    }
    further = {name: items.column(name, "columns") for name in columns if name not in found}
    _check_names([*found, *further], set(targets), items)
    stems = ", ".join(dict.fromkeys(rows.path.name for rows in table.files))
    return Draft(
        pd.DataFrame({"text_id": [text_ids[row] for row in kept], "text": [each[row] for row in kept]}),
        pd.DataFrame({**targets, **found, **further}),
        description=f"{'Words' if table.is_treebank else 'Rows'} of {stems}.",
        source=source,
        licence=licence,
        labels=_meanings(labels, pair_label),
        splits=table_folds.meanings(splits, grouped, table.own_split, bool(type)),
        group_meaning=_group_meaning(grouped),
        type_meaning=f"the cell of {type}" if type else "",
    )


def _pairs(text: str | Mapping[str, Any] | None, pair_label: str | None) -> dict[str, Any]:
    """Return the columns of texts, with the pair label's cell of each."""
    if text is None:
        raise DatasetError("text: no column is named", do="name the column of texts, as `text: statement`")
    if isinstance(text, str):
        if pair_label is not None:
            subject = f"pair_label: {pair_label} is named, and text has the one column {text!r}"
            raise DatasetError(subject, do="leave pair_label out, or give text as {good: 1, bad: 0}")
        return {text: None}
    if pair_label is None or len(set(map(str, text.values()))) < 2:
        subject = "text: several columns, and no pair_label with a different value for each"
        raise DatasetError(subject, do="give text as {good: 1, bad: 0}, and pair_label the name of that label")
    return dict(text)


def _texts(table: Table, name: str) -> list[str]:
    """Return a column of texts, blanks and all: spans count them."""
    table.column(name, "text")
    return list(table.cells[name])


def _labels(table: Table, labels: Mapping[str, str | Mapping[str, str]]) -> dict[str, Sequence[Any]]:
    """Return the columns of all labels; those of a position hold numbers."""
    found: dict[str, Sequence[Any]] = {}
    for name, column in labels.items():
        if isinstance(column, str):
            found[name] = table_cells.classes(table, column, name)
        else:
            vectors = table_cells.unit_vectors(table, column, name)
            found |= {f"{name}_{axis}": list(map(float, vectors[:, place])) for place, axis in enumerate("xyz")}
    return found


def _text_ids(table: Table, ids: Sequence[str]) -> tuple[list[str], list[int]]:
    """Return each target's text, and the first target of each text: words of a sentence share theirs."""
    if not table.is_treebank:
        return list(ids), list(range(len(ids)))
    sentences = list(zip(table.file.tolist(), table.cells["sentence"], table.cells["text"], strict=True))
    first: dict[tuple[int, str, str], int] = {}
    for row, sentence in enumerate(sentences):
        first.setdefault(sentence, row)
    named = dict(zip(first, numbered("sentence", len(first)), strict=True))
    return [named[sentence] for sentence in sentences], list(first.values())


def _check_keys(
    labels: Mapping[str, str | Mapping[str, str]],
    pair_label: str | None,
    columns: Sequence[str],
    splits: Mapping[str, str | Sequence[str]],
) -> None:
    """Check that no split is called as the study's own, and that no two columns of the target table are to be one."""
    for name in splits:
        if name in OWN_SPLITS:
            raise DatasetError(
                f"splits: the name {name!r} is the study's own", do=f"give it another than {', '.join(OWN_SPLITS)}"
            )
    found: dict[str, str] = {}

    def enter(name: str, what: str) -> None:
        if name in found:
            subject = f"the column {name!r} of the target table would be {found[name]} and {what}"
            raise DatasetError(subject, do="give one of them another name")
        found[name] = what

    for name, of in labels.items():
        if isinstance(of, str):
            enter(name, f"the label {name}")
        else:
            for axis in "xyz":
                enter(f"{name}_{axis}", f"of the position {name}")
    if pair_label is not None:
        enter(pair_label, "the pair_label")
    for name in dict.fromkeys(columns):
        if labels.get(name) != name:  # a label of its own column is carried already
            enter(name, f"the column {name} of the file")


def _check_names(names: Sequence[str], taken: set[str], table: Table) -> None:
    for name in names:
        if name in taken or name in REQUIRED or name.startswith(("fold_", "group_")):
            subject = f"the name {name!r} is taken by the study's own columns"
            raise DatasetError(
                subject, file=table.files[0].path, do="give the label another name, or rename the column"
            )
    if not names:
        raise DatasetError(
            "labels: none is named", file=table.files[0].path, do="name one, as `labels: {truth: label}`"
        )


def _meanings(labels: Mapping[str, str | Mapping[str, str]], pair_label: str | None) -> dict[str, str]:
    found = {name: f"the cell of {of}" if isinstance(of, str) else POSITION for name, of in labels.items()}
    return found if pair_label is None else {**found, pair_label: "which text of the pair it is"}


def _group_meaning(columns: Sequence[str]) -> str:
    if columns:
        return f"the cell of {' and '.join(columns)}"
    return "the row itself: no group is named, and no text stands twice"
