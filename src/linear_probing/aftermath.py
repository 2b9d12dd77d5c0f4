"""The logs of a run of snakemake that failed in; what to say of jobs that were killed and so said nothing themselves.

A job that fails says why in its own log, which snakemake shows. One that the kernel kills leaves an exit status alone.
"""

import re
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path

from linear_probing.stage import StoppedError

FAILED = re.compile(
    r"Command '(?:[^']|'(?! returned))*?-m linear_probing\.(?P<stage>\w+)(?:[^']|'(?! returned))*' "
    r"(?:returned non-zero exit status (?P<status>\d+)|died with <Signals\.(?P<name>\w+))"
)
SPEAKS = ("SIGTERM", "SIGINT")
"""Signals after which a stage says itself what has happened."""


def killed(logs: Iterable[Path]) -> Iterator[StoppedError]:
    """Yield what a person can do, for each job that a signal ended without a word, in the order of the run's logs."""
    for log in logs:
        yield from killed_in(log.read_text(encoding="utf-8", errors="replace"))


def killed_in(log: str) -> Iterator[StoppedError]:
    """Yield the same for the text of one log.

    Examples
    --------
    >>> text = "Command 'set -e; python -m linear_probing.probes --threads 1 2> a.log' returned non-zero exit status "
    >>> [error.subject for error in killed_in(text + "137.")]
    ['a job of the stage probes was killed by SIGKILL before it was done']
    >>> list(killed_in(text + "1.")), list(killed_in(text + "143."))
    ([], [])
    """
    for found in FAILED.finditer(log):
        status = int(found["status"] or 0)
        known = {int(one): one.name for one in signal.Signals}
        name = found["name"] or known.get(status - 128)
        if name is None or name in SPEAKS:
            continue
        yield StoppedError(
            f"a job of the stage {found['stage']} was killed by {name} before it was done",
            likely="memory ran out and the kernel or a scheduler ended it (its log says so), or a person did",
            do="run snakemake again: what is finished stays; if memory ran out, with fewer jobs at once (--cores 1)",
        )
