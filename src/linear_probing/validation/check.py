"""A check: what was found, and the limits that it must keep."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One line of the table.

    Parameters
    ----------
    subject : str
        What is checked.
    setting : str
        On which data.
    quantity : str
        What was measured.
    n : int
        Simulations.
    found, least, greatest : float
        The number, and the closed limits within which it must be; infinite where there is none on that side.
    truth : str
        What it would be if the statistics were right.
    """

    subject: str
    setting: str
    quantity: str
    n: int
    found: float
    least: float
    greatest: float
    truth: str

    @property
    def kept(self) -> bool:
        """Whether the number is within its limits; a NaN never is."""
        return self.least <= self.found <= self.greatest

    @property
    def limits(self) -> str:
        """The limits in words."""
        if self.greatest == float("inf"):
            return f"at least {self.least:.4g}"
        if self.least == -float("inf"):
            return f"at most {self.greatest:.4g}"
        return f"{self.least:.4g} to {self.greatest:.4g}"


def table(checks: Sequence[Check]) -> str:
    """Return checks as a table in Markdown.

    Examples
    --------
    >>> print(table([Check("a", "b", "c", 10, 0.5, 0.4, 0.6, "0.5")]).splitlines()[2])
    | a | b | c | 10 | 0.5 | 0.5 | 0.4 to 0.6 | yes |
    """
    lines = [
        "| what | data | number | simulations | if right | found | limit | kept |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in checks:
        cells = [one.subject, one.setting, one.quantity, f"{one.n:,}", one.truth, f"{one.found:.4g}", one.limits]
        lines.append("| " + " | ".join([*cells, "yes" if one.kept else "**no**"]) + " |")
    return "\n".join(lines) + "\n"
