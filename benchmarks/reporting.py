"""What the benchmarks write: Markdown tables of medians and of ratios taken within a round."""

import sys
from collections.abc import Mapping, Sequence

import numpy as np


def ratios(one: Mapping[int, float], other: Mapping[int, float]) -> np.ndarray:
    """Return one way's time over another's in every round that ran both.

    Examples
    --------
    >>> ratios({0: 3.0, 1: 5.0}, {0: 6.0}).tolist()
    [0.5]
    """
    return np.array([seconds / other[number] for number, seconds in one.items() if number in other])


def spread(values: np.ndarray, digits: int) -> str:
    """Return a median with the least and the greatest value.

    Examples
    --------
    >>> spread(np.array([1.0, 3.0, 2.0]), 1), spread(np.array([1.0]), 1)
    ('2.0 (1.0 to 3.0)', '1.0')
    """
    middle = f"{np.median(values):.{digits}f}"
    return middle if len(values) == 1 else f"{middle} ({values.min():.{digits}f} to {values.max():.{digits}f})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a Markdown table."""
    for line in (head, ["---"] * len(head), *rows):
        sys.stdout.write(f"| {' | '.join(line)} |\n")
    sys.stdout.write("\n")
    sys.stdout.flush()
