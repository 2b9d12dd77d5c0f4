"""Numbers as a reader sees them, in one place: the main table, README.md and the paper say the same of the same cell.

Scores are written without the zero before the point. A row has two digits, or three where two would read 1.00 for what
is less; only 1 is called 1. What is not defined is an en dash.
"""

from collections.abc import Sequence

ABSENT = "–"
MINUS = "−"
WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def digits(*values: float) -> int:
    """Return how many digits a row of scores needs: three where one of them would read 1.00 for less, else two.

    Examples
    --------
    >>> digits(0.91, 0.82, 1.0), digits(0.98, 0.9962)
    (2, 3)
    """
    return 3 if any(value < 1 and f"{value:.2f}" == "1.00" for value in values) else 2


def enough(value: float, places: int = 2) -> int:
    """Return how many digits a difference needs, at least so many and at most six, so that only zero reads as zero.

    Examples
    --------
    >>> enough(0.018), enough(-0.004), enough(0.0004, 3), enough(0.0)
    (2, 3, 4, 2)
    """
    while places < 6 and value and float(f"{value:.{places}f}") == 0:
        places += 1
    return places


def score(value: float, places: int | None = None) -> str:
    """Return a score.

    Parameters
    ----------
    value : float
        NaN where it is not defined.
    places : int, optional
        Digits behind the point; those that it needs by default.

    Examples
    --------
    >>> score(0.5), score(0.9967), score(0.99996), score(1.0), score(-0.012), score(float("nan"))
    ('.50', '.997', '>.999', '1.00', '−.01', '–')
    """
    if value != value:
        return ABSENT
    places = digits(value) if places is None else places
    text = f"{abs(value):.{places}f}"
    if value < 1 and text == f"{1:.{places}f}":
        return ">." + "9" * places
    # A negative number that rounds to zero is zero.
    negative = value < 0 and float(text) != 0
    return (MINUS if negative else "") + text.removeprefix("0")


def interval(lower: float, upper: float, places: int | None = None) -> str:
    """Return an interval in brackets; a dash where an end is not defined.

    Examples
    --------
    >>> interval(0.8216, 0.8587), interval(0.9952, 0.9997), interval(float("nan"), 0.9)
    ('[.82, .86]', '[.995, >.999]', '–')
    """
    if lower != lower or upper != upper:
        return ABSENT
    places = digits(lower, upper) if places is None else places
    return f"[{score(lower, places)}, {score(upper, places)}]"


def spread(values: Sequence[float]) -> str:
    """Return the least and the greatest of some scores, or the one there is; NaN is passed over.

    Examples
    --------
    >>> spread([0.04, -0.012, 0.01]), spread([0.5, 0.5]), spread([])
    ('−.01 to .04', '.50', '–')
    """
    defined = [value for value in values if value == value]
    if not defined:
        return ABSENT
    places = digits(*defined)
    ends = [score(end, places) for end in (min(defined), max(defined))]
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)


def probability(value: float) -> str:
    """Return a p-value in three digits; 1 is 1.

    Examples
    --------
    >>> probability(0.00799), probability(1.0), probability(0.0002), probability(float("nan"))
    ('.008', '1', '<.001', '–')
    """
    if value != value:
        return ABSENT
    if value >= 0.9995:
        return "1"
    return "<.001" if value < 0.0005 else f"{value:.3f}".removeprefix("0")


def count(value: float) -> str:
    """Return a whole number with commas; a dash for NaN.

    Examples
    --------
    >>> count(1192), count(float("nan"))
    ('1,192', '–')
    """
    return ABSENT if value != value else f"{round(value):,}"


def spelt(value: int) -> str:
    """Return a count in words up to twelve, else in digits.

    Examples
    --------
    >>> spelt(8), spelt(0), spelt(1000)
    ('eight', 'no', '1,000')
    """
    return WORDS[value] if 0 <= value < len(WORDS) else count(value)


def listed(words: Sequence[str]) -> str:
    """Return words as a sentence has them.

    Examples
    --------
    >>> listed([]), listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])
    ('', 'a', 'a and b', 'a, b and c')
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
