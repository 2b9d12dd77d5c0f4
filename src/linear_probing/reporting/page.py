"""One page from its content: markup, style, plotly's script, ours, and the data, in one file that asks no host.

Markup, style and script are files of this folder (page.html, page.css, page.js), so that an editor knows them for what
they are; report.py names them as its sources, by which they count in the report's digest. Data stands in a script
element as JSON in which no character can end that element; all other text is escaped where it enters the markup. The
page's own security policy forbids requests, so that nothing in it can make one.
"""

import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

from plotly.offline import get_plotlyjs

from linear_probing.reporting import causal

FOLDER = Path(__file__).parent
SCORE_BELOW_ONE = ">0.999"
UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
HEADS = (
    "Model",
    "Task",
    "Metric",
    "Best layer",
    "Score [interval]",
    "Random weights",
    "Text alone",
    "Control task",
    "p (Holm)",
    "n (groups)",
)


def embedded(content: Any) -> str:
    r"""Return JSON that may stand in a script element: no character of it can end the element.

    Examples
    --------
    >>> embedded({"task": "</script>"})
    '{"task":"\\u003c/script\\u003e"}'
    """
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return "".join(UNSAFE.get(character, character) for character in text)


def score(value: float | None) -> str:
    """Return a score in three digits, a dash where it is undefined; only 1 is called 1."""
    if value is None:
        return "–"
    return SCORE_BELOW_ONE if value < 1 and f"{value:.3f}" == "1.000" else f"{value:.3f}"


def _p_value(value: float | None) -> str:
    return "–" if value is None else f"{value:.2g}"


def summary_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the table of the best layers as markup; a sentence where there is no row."""
    if not rows:
        return "<p>best_layer.csv has no row.</p>"
    head = "".join(f'<th scope="col">{title}</th>' for title in HEADS)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(map(_summary_row, rows))}</tbody></table>"


def _summary_row(row: Mapping[str, Any]) -> str:
    counts = [f"{row[key]:,}" if row[key] is not None else "–" for key in ("n", "groups")]
    interval = "undefined" if row["lower"] is None else f"{score(row['lower'])}, {score(row['upper'])}"
    cells = [
        row["metric"],
        str(row["layer"]),
        f"{score(row['estimate'])} [{interval}]",
        *(score(row[key]) for key in ("random", "text", "control")),
        _p_value(row["p"]),
        f"{counts[0]} ({counts[1]})",
    ]
    heads = f'<td>{html.escape(row["model"])}</td><th scope="row">{html.escape(row["task"])}</th>'
    return f"<tr>{heads}{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>"


def render(
    name: str,
    content: Mapping[str, Any],
    summary: Sequence[Mapping[str, Any]],
    edits: Sequence[Mapping[str, Any]],
    words: Mapping[str, str],
) -> str:
    """Return the page.

    Parameters
    ----------
    name : str
        The study's.
    content : Mapping[str, Any]
        What the script draws, as JSON can hold it.
    summary : Sequence[Mapping[str, Any]]
        Rows of the table of best layers.
    edits : Sequence[Mapping[str, Any]]
        Rows of the table of interventions.
    words : Mapping[str, str]
        Further text for the page's places, by the place's name; not yet escaped.

    Returns
    -------
    str
        HTML; equal content gives equal text.
    """
    template = Template((FOLDER / "page.html").read_text(encoding="utf-8"))
    return template.substitute(
        {key: html.escape(value) for key, value in words.items()},
        name=html.escape(name),
        summary=summary_table(summary),
        causal=causal.table(edits),
        style=(FOLDER / "page.css").read_text(encoding="utf-8"),
        plotly=get_plotlyjs(),
        data=embedded(content),
        script=(FOLDER / "page.js").read_text(encoding="utf-8"),
    )
