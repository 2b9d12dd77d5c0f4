"""The one way to read a file of data, whichever format its name says."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from linear_probing.formats import conllu_trees, delimited, json_lines, parquet
from linear_probing.formats.rows import FormatError, Problem, Rows

READERS: Mapping[str, Callable[[Path], Rows]] = {
    ".csv": partial(delimited.read, separator=","),
    ".tsv": partial(delimited.read, separator="\t"),
    ".jsonl": json_lines.read,
    ".ndjson": json_lines.read,
    ".parquet": parquet.read,
    ".conllu": conllu_trees.read,
}
TREEBANK = ".conllu"


def read(path: Path) -> Rows:
    """Return a file's rows by the reader that the end of its name says, in capitals or not.

    Raises
    ------
    FormatError
        If no reader has that end, or as the reader does, with every line at fault.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        what = f"files named *{path.suffix or path.name} are not read"
        raise FormatError(path, [Problem(None, what, do=f"give a file named {', '.join(READERS)}")])
    return reader(path)


def is_treebank(path: Path) -> bool:
    """Return whether a file has a row per word, several of which stand in one text."""
    return path.suffix.lower() == TREEBANK
