"""The main table as files: CSV with the numbers, Markdown and LaTeX (booktabs) as a reader sees them; and for Typst."""

import re
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

from linear_probing.settings import Study
from linear_probing.writing import numbers
from linear_probing.writing.main_table import HEADER, RANDOM, Row, cells, frame, rows
from linear_probing.writing.note import note

PRECISION = "%.6g"
WIDTH = 120
"""Characters in a line of a note."""
LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    numbers.ABSENT: "--",
    numbers.MINUS: "$-$",
    "²": r"\textsuperscript{2}",
    "“": "``",
    "”": "''",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}
COLUMNS = "l l r l l r r r r r r"


def markdown(found: Sequence[Row], words: str) -> str:
    """Return the table as Markdown, with its note below."""
    lines = [_line(HEADER), _line(["---"] * len(HEADER)), *(_line(_marked(row, "**{}**")) for row in found)]
    return "\n".join([*lines, "", fill(words, WIDTH), ""])


def typst(found: Sequence[Row], words: str) -> dict[str, Any]:
    """Return the table as a Typst source reads it from JSON: header, cells as text, which are bold, and its note."""
    return {
        "header": list(HEADER),
        "rows": [cells(row) for row in found],
        "bold": [[row.random_is_close and place == RANDOM for place in range(len(HEADER))] for row in found],
        "note": words,
    }


def _line(texts: Sequence[str]) -> str:
    return f"| {' | '.join(text.replace('|', chr(92) + '|') for text in texts)} |"


def _marked(row: Row, bold: str) -> list[str]:
    texts = cells(row)
    if row.random_is_close:
        texts[RANDOM] = bold.format(texts[RANDOM])
    return texts


def latex(found: Sequence[Row], words: str) -> str:
    r"""Return a floating table, which wants `\usepackage{booktabs}` and UTF-8."""
    lines = []
    for row in found:
        texts = [escaped(text) for text in cells(row)]
        if row.random_is_close:
            texts[RANDOM] = f"\\textbf{{{texts[RANDOM]}}}"
        lines.append(f"{' & '.join(texts)} \\\\")
    head = f"{' & '.join(escaped(text) for text in HEADER)} \\\\"
    top = [r"\begin{table}", r"\centering", r"\footnotesize", f"\\caption{{{escaped(words)}}}", r"\label{tab:main}"]
    body = [f"\\begin{{tabular}}{{@{{}}{COLUMNS}@{{}}}}", r"\toprule", head, r"\midrule", *lines, r"\bottomrule"]
    return "\n".join(
        ["% Written from the statistics stage's tables.", *top, *body, r"\end{tabular}", r"\end{table}", ""]
    )


def escaped(text: str) -> str:
    r"""Return text as LaTeX sets it.

    Examples
    --------
    >>> escaped("R² of a_b: 5 % – −.01")
    'R\\textsuperscript{2} of a\\_b: 5 \\% -- $-$.01'
    """
    return re.sub("|".join(map(re.escape, LATEX)), lambda found: LATEX[found.group()], text)


def write(study: Study, statistics: Path, folder: Path) -> list[Row]:
    """Write main.csv, main.md and main.tex of the first model, and of each further one with its name appended.

    Parameters
    ----------
    study : Study
        Its models with weights have a table each.
    statistics : Path
        Output folder of the statistics stage.
    folder : Path
        Exists already.

    Returns
    -------
    list[Row]
        The first model's.
    """
    tables = [rows(study, statistics, model.name) for model in study.models if model.seed is None]
    for number, found in enumerate(tables):
        name, words = f"main-{found[0].model}" if number else "main", note(study, found)
        frame(found).to_csv(folder / f"{name}.csv", index=False, float_format=PRECISION, lineterminator="\n")
        (folder / f"{name}.md").write_text(markdown(found, words), encoding="utf-8")
        (folder / f"{name}.tex").write_text(latex(found, words), encoding="utf-8")
    return tables[0]
