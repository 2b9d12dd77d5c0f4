"""JSON lines: an object a line, by the standard library. Numbers stay as they are written; nested values are refused.

Columns are the keys of all objects, in the order in which they first stand; an absent key and null are empty cells.
"""

import json
from pathlib import Path
from typing import Any

from linear_probing.formats.rows import FormatError, Problem, Rows, check_names, lines_of, made, text_of

KINDS: dict[type, str] = {list: "a list", dict: "an object"}
VALUES = "text, a number, true, false or null"


def read(path: Path) -> Rows:
    """Return the objects of a file; empty lines are passed over.

    Raises
    ------
    FormatError
        With every line that is no JSON, no object, or holds a key twice or a nested value.
    """
    objects, lines, problems = [], [], []
    for number, line in enumerate(lines_of(text_of(path)), start=1):
        if not line.strip():
            continue
        try:
            objects.append(_cells(line))
            lines.append(number)
        except json.JSONDecodeError as error:
            what = f"broken JSON at character {error.pos + 1}: {error.msg}"
            problems.append(Problem(number, what, "the line was cut, or an object goes over several lines"))
        except (ValueError, RecursionError) as error:
            problems.append(Problem(number, str(error), do="give each line one flat object"))
    if problems:
        raise FormatError(path, problems)
    names = list(dict.fromkeys(key for cells in objects for key in cells))
    check_names(names, path, None)
    return made(path, names, [[cells.get(name, "") for name in names] for cells in objects], lines, "line")


def _cells(line: str) -> dict[str, str]:
    content = json.loads(line, parse_int=str, parse_float=str, parse_constant=_constant, object_pairs_hook=_once)
    if not isinstance(content, dict):
        raise ValueError(f"{KINDS.get(type(content), 'a single value')}, expected an object")
    return {key: _cell(key, value) for key, value in content.items()}


def _cell(key: str, value: Any) -> str:
    if isinstance(value, list | dict):
        raise ValueError(f"the key {key!r} holds {KINDS[type(value)]}, expected {VALUES}")
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON, expected {VALUES}")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} stands twice")
    return content
