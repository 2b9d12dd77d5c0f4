"""The logs of a run of snakemake that failed in; what to do out, where neither the jobs nor snakemake have said it.

A job that fails says why in its own log, which snakemake shows. One that the kernel kills leaves an exit status alone;
what snakemake itself meets on a disk, before a job begins or after it has ended, it says in its own words.
"""

import re
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path

from linear_probing.errors import MachineError, explained
from linear_probing.stage import StoppedError, StudyError

FAILED = re.compile(
    r"Command '(?:[^']|'(?! returned| died))*?-m linear_probing\.(?P<stage>\w+)(?:[^']|'(?! returned| died))*' "
    r"(?:returned non-zero exit status (?P<status>\d+)|died with <Signals\.(?P<name>\w+))"
)
DISK = re.compile(
    r"^(?:OS|Permission)Error: \[Errno (?P<number>\d+)\] (?P<text>[^:\n]+)(?:: '(?P<file>[^'\n]+)')?", re.M
)
"""What snakemake says of a disk; that of an open file, as it is written to, has no name."""
SKEW = re.compile(r"^ *Output (?P<output>\S+) has older modification time \(.*?\) than input (?P<input>\S+) \(", re.M)
SPEAKS = ("SIGTERM", "SIGINT")
"""Signals after which a stage says itself what has happened."""


def unsaid(logs: Iterable[Path]) -> list[StudyError]:
    """Return what a person can do, each thing once, in the order of a run's logs."""
    texts = [log.read_text(encoding="utf-8", errors="replace") for log in logs]
    found = [one for text in texts for one in (*killed(text), *refused(text), *skewed(text))]
    return list({str(one): one for one in found}.values())


def killed(log: str) -> Iterator[StoppedError]:
    """Yield the jobs that a signal ended without a word.

    Examples
    --------
    >>> text = "Command 'set -e; python -m linear_probing.probes --threads 1 2> a.log' returned non-zero exit status "
    >>> [error.subject for error in killed(text + "137.")]
    ['a job of the stage probes was killed by SIGKILL before it was done']
    >>> list(killed(text + "1.")), list(killed(text + "143."))
    ([], [])
    """
    known = {int(one): one.name for one in signal.Signals}
    for found in FAILED.finditer(log):
        name = found["name"] or known.get(int(found["status"]) - 128)
        if name is not None and name not in SPEAKS:
            yield StoppedError(
                f"a job of the stage {found['stage']} was killed by {name} before it was done",
                likely="memory ran out and the kernel or a scheduler ended it (its log says so), or a person did",
                do="run snakemake again: what is finished stays; if memory ran out, fewer jobs at once (--cores 1)",
            )


def refused(log: str) -> Iterator[MachineError]:
    """Yield what snakemake itself could not write."""
    for found in DISK.finditer(log):
        told = explained(OSError(int(found["number"]), found["text"], found["file"]))
        if told is not None:
            yield told


def skewed(log: str) -> Iterator[MachineError]:
    """Yield the inputs whose times lie in the future: snakemake fails a job that is done, and whose output stays."""
    for found in SKEW.finditer(log):
        yield MachineError(
            f"{found['input']} has a time in the future",
            file=found["output"],
            likely="a clock jumped, or clocks of several machines differ; the job is done all the same",
            do="set the clock right, `find results data config -newermt now -exec touch {} +`, and run snakemake again",
        )
