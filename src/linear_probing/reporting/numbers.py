"""Numbers and columns as the page holds them: four digits, nothing that JSON has no word for, text once."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

DIGITS = 4


def number(value: float) -> float | int | None:
    """Return a number in four digits; None where it is undefined. What is below 1 stays below 1.

    Examples
    --------
    >>> number(0.123456), number(1234.56), number(float("nan")), number(0.99999), number(3.0)
    (0.1235, 1235, None, 0.9999, 3)
    """
    if not math.isfinite(value):
        return None
    rounded = float(f"{value:.{DIGITS}g}")
    if value < 1 <= rounded:
        rounded = 1 - 10**-DIGITS
    return int(rounded) if rounded == int(rounded) else rounded


def numbers(values: Iterable[float]) -> list[float | int | None]:
    """Return `number` of each."""
    return [number(float(value)) for value in values]


def columns(frame: pd.DataFrame) -> dict[str, Any]:
    """Return a table by column: numbers as they are, and of text each word once, with the place of each row's word.

    Examples
    --------
    >>> columns(pd.DataFrame({"model": ["a", "b", "a"], "layer": [0, 0, 1]}))
    {'model': {'words': ['a', 'b'], 'rows': [0, 1, 0]}, 'layer': [0, 0, 1]}
    """
    return {str(name): _column(frame[name]) for name in frame}


def _column(values: pd.Series) -> Any:
    if pd.api.types.is_numeric_dtype(values):
        return numbers(values.to_numpy(dtype=float))
    rows, words = pd.factorize(values)
    return {"words": [str(word) for word in words], "rows": np.asarray(rows).tolist()}
