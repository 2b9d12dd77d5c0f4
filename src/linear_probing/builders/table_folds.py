"""Groups, folds and splits of a table: what is held out together, and whether anything leaks."""

from collections import Counter
from collections.abc import Mapping, Sequence

from linear_probing.builders.draft import deal, divide_types, generator, numbered, own_types
from linear_probing.builders.table_cells import filled
from linear_probing.builders.table_rows import Table
from linear_probing.tables import TEST, TRAIN, UNUSED, DatasetError

OWN_CELLS = {"train": TRAIN, "dev": "0", "test": TEST}
LEAST_GROUPS = 3
"""In which at least two classes must stand: one is tested, one is in the inner test, one trains."""


def groups(table: Table, columns: Sequence[str], texts: Sequence[Sequence[str]]) -> list[str]:
    """Return each row's group: its cells in the columns, or the row on its own where no column is named.

    Parameters
    ----------
    table : Table
        The rows, before pairs become two targets.
    columns : Sequence[str]
        May be empty.
    texts : Sequence[Sequence[str]]
        The texts of each row.

    Raises
    ------
    FormatError
        With every row that has no group.
    DatasetError
        If no column is named and rows leak: words of one sentence, or the same text in two rows.
    """
    if columns:
        return filled(table, columns, "group")
    if table.is_treebank:
        raise DatasetError(
            "group: none is named, and the words of a sentence would stand on both sides of a split",
            file=table.files[0].path,
            do="name document, sentence, lemma or form_lower",
        )
    seen: dict[str, int] = {}
    for row, own in enumerate(texts):
        for text in set(own):
            if text in seen:
                raise DatasetError(
                    f"group: none is named, and one text stands twice: {table.where(seen[text])}, "
                    f"and {table.where(row)}",
                    file=table.files[table.file[row]].path,
                    likely="rows that belong together: a split by row would train on what it tests",
                    do="name the column of what they share as group (the text's own, for equal texts)",
                )
            seen[text] = row
    return numbered("row", len(texts))


def strata(names: Sequence[str], labels: Sequence[str]) -> list[str]:
    """Return for each row the label that most rows of its group have; the first by name of equally frequent ones.

    Examples
    --------
    >>> strata(["a", "a", "a", "b"], ["1", "0", "1", "0"])
    ['1', '1', '1', '0']
    """
    counted: dict[str, Counter[str]] = {}
    for name, label in zip(names, labels, strict=True):
        counted.setdefault(name, Counter())[label] += 1
    most = {name: min(found, key=lambda label: (-found[label], label)) for name, found in counted.items()}
    return [most[name] for name in names]


def folds(table: Table, names: Sequence[str], labels: Sequence[str], n_folds: int, seed: int) -> list[str]:
    """Return each row's cell of the split by group.

    Without a split of its own, groups are dealt to folds. With one: `train`, `0` for the development part, `test`;
    where there is no development part, the training groups are dealt to folds, which choose penalties and layers.

    Raises
    ------
    DatasetError
        If there are too few groups, or one stands in two parts of the data set's own split.
    """
    parts = table.part
    absent = sorted({one for one in table.parts if one} - set(parts))
    if absent:
        subject = f"files: no row of the part {absent[0]} is left"
        raise DatasetError(subject, file=table.files[0].path, do="admit or draw more rows")
    _apart(table, names)
    if "dev" in parts:
        return [OWN_CELLS[part] for part in parts]
    free = [row for row, part in enumerate(parts) if part != "test"]
    own = [names[row] for row in free]
    _enough(table, own, n_folds)
    stratum = strata(own, [labels[row] for row in free])
    dealt = deal(own, stratum, n_folds, generator(seed, "table folds"))
    return [TEST if part == "test" else dealt[name] for part, name in zip(parts, names, strict=True)]


def _apart(table: Table, names: Sequence[str]) -> None:
    first: dict[str, int] = {}
    parts = table.part
    for row, (name, part) in enumerate(zip(names, parts, strict=True)):
        other = first.setdefault(name, row)
        if parts[other] != part:
            raise DatasetError(
                f"the group {name!r} stands in {parts[other]} ({table.where(other)}) and in {part} "
                f"({table.where(row)})",
                file=table.files[table.file[row]].path,
                likely="the data set's own split does not keep these groups apart",
                do="name a group that it does, or give all files as one list, to be dealt to folds by this group",
            )


def _enough(table: Table, names: Sequence[str], n_folds: int) -> None:
    found = len(set(names))
    if found < n_folds:
        subject = f"{found} group{'s' * (found != 1)}, expected at least as many as folds, {n_folds}"
        do = "add rows of other groups, or set n_folds lower (3 or more)"
        raise DatasetError(subject, file=table.files[0].path, do=do)


def check_classes(table: Table, names: Sequence[str], labels: Sequence[str], label: str) -> None:
    """Check that two classes stand in enough groups, and that no part of the data set's own split holds one alone.

    Of more than two classes others may be rare.

    Raises
    ------
    DatasetError
        With the class that does not.
    """
    for part in sorted(set(table.part) - {""}):
        within = {one for one, of in zip(labels, table.part, strict=True) if of == part}
        if len(within) == 1:
            raise DatasetError(
                f"label {label}: the part {part} holds the class {min(within)!r} alone",
                file=table.files[table.parts.index(part)].path,
                do="probe a label that varies in every part",
            )
    of = {name: {group for group, one in zip(names, labels, strict=True) if one == name} for name in set(labels)}
    rare = sorted(name for name in of if len(of[name]) < LEAST_GROUPS)
    if len(of) - len(rare) < 2:
        found = len(of[rare[0]])
        raise DatasetError(
            f"label {label}: the class {rare[0]!r} stands in {found} group{'s' * (found != 1)}, "
            f"expected at least {LEAST_GROUPS}",
            file=table.files[0].path,
            likely="a fold would train or test one class only",
            do="add rows of this class in other groups, or name a finer group",
        )


def type_folds(table: Table, types: Sequence[str], cells: Sequence[str], n_folds: int, seed: int) -> list[str]:
    """Return the cells of the split `types`, under which the type of a tested row stands in training too.

    Raises
    ------
    DatasetError
        If no type allows that.
    """
    if table.own_split:
        found = own_types(types, cells)
        lacks = TEST not in found
    else:
        count = Counter(types)
        divided = divide_types(types, n_folds, generator(seed, "table types"))
        found = [fold if count[name] > 1 else UNUSED for name, fold in zip(types, divided, strict=True)]
        lacks = set(found) == {UNUSED}
    if lacks:
        raise DatasetError(
            "type: no type of a tested row stands in another row, so a control task has nothing to learn",
            file=table.files[0].path,
            do="name a column whose cells recur, as the word form, or leave type out",
        )
    return found


def held_out(
    table: Table, columns: str | Sequence[str], key: str, labels: Sequence[str], n_folds: int, seed: int
) -> tuple[list[str], list[str]]:
    """Return each row's blocks and folds of a further split, `|` between two.

    Parameters
    ----------
    table : Table
        The rows.
    columns : str or sequence of two str
        The column whose groups are held out as wholes; or two, whose cells are of one kind, both held out.
    key : str
        The split's name.
    labels : Sequence[str]
        Of each row; the folds keep their proportions as far as blocks allow.
    n_folds, seed : int
        Of the study.

    Raises
    ------
    FormatError
        With every row that has no block.
    DatasetError
        If there are fewer blocks than folds.
    """
    named = [columns] if isinstance(columns, str) else list(columns)
    each = [filled(table, [name], f"splits: {key}") for name in named]
    blocks = [block for cells in each for block in cells]
    if any("|" in block for block in blocks):
        block = next(block for block in blocks if "|" in block)
        subject = f"splits: {key}: the cell {block!r} holds |, which stands between blocks"
        raise DatasetError(subject, file=table.files[0].path, do="write it with another character")
    _enough(table, blocks, n_folds)
    stratum = strata(blocks, list(labels) * len(each))
    dealt = deal(blocks, stratum, n_folds, generator(seed, f"table {key} folds"))
    pairs = [sorted(set(row)) for row in zip(*each, strict=True)]
    return ["|".join(row) for row in pairs], ["|".join(sorted({dealt[block] for block in row})) for row in pairs]


def meanings(
    splits: Mapping[str, str | Sequence[str]], group: Sequence[str], own: bool, has_types: bool
) -> dict[str, str]:
    """Return what the card says of each split."""
    if own:
        of_group = "the data set's own test part, tested once"
    else:
        of_group = f"groups of one {' and '.join(group)} held out" if group else "rows held out"
    found = {"group": of_group}
    for name, columns in splits.items():
        one = isinstance(columns, str)
        found[name] = f"every {columns} held out whole" if one else f"both of {' and '.join(columns)} held out"
    if has_types:
        how = "rows of the test part" if own else "rows of a type divided between folds"
        found["types"] = how + ", where the type of every tested row is trained on; for selectivity"
    return found
