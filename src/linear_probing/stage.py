"""What every stage shares: the form of an error, how a command ends, and files that appear whole or not at all."""

import hashlib
import logging
import os
import re
import resource
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MESSAGE_INDENT = "\n  "
LOGIN = re.compile(r"(?<=://)[^/\s'\"]+@")
SECRET = re.compile(r".*(TOKEN|PASSWORD|SECRET|API_KEY|ACCESS_KEY)(_ID)?")
"""Names of environment variables whose values are said nowhere, beside logins in URLs."""
LEAST_SECRET = 6
"""Characters: what is shorter stands in any text."""


class StudyError(Exception):
    """An error that a person can act on.

    Parameters
    ----------
    subject : str
        What is wrong: its name, what was found, what was expected.
    file : Path or str, optional
        The file in question.
    likely : str, optional
        The likely cause.
    do : str, optional
        What to do now.
    """

    def __init__(
        self,
        subject: str,
        *,
        file: Path | str | None = None,
        likely: str | None = None,
        do: str | None = None,
    ) -> None:
        self.subject = subject
        named = (("file:  ", file), ("likely:", likely), ("do:    ", do))
        lines = [f"{name} {value}" for name, value in named if value is not None]
        super().__init__(MESSAGE_INDENT.join([subject, *lines]))


def count(text: str) -> int:
    """Return how many threads or cores an option asks for, as argparse's `type`.

    Raises
    ------
    StudyError
        If it is below 1.

    Examples
    --------
    >>> count("2")
    2
    """
    number = int(text)
    if number < 1:
        raise StudyError(
            f"threads or cores: {number}, expected 1 or more",
            likely="0 was meant as all that there are",
            do="say how many, as 2",
        )
    return number


def without_secrets(text: str) -> str:
    """Return a text without the logins of URLs and the values of environment variables that are secrets by their name.

    Examples
    --------
    >>> without_secrets("from http://someone:word@host/path")
    'from http://***@host/path'
    """
    for name, value in os.environ.items():
        if SECRET.fullmatch(name.upper()) and len(value.strip()) >= LEAST_SECRET:
            text = text.replace(value.strip(), "***")
    return LOGIN.sub("***@", text)


def _hide_secrets() -> None:
    """Let no logger of any library write one: pooch and the hub's client name whole URLs, with a mirror's password."""
    made = logging.getLogRecordFactory()

    def record(*arguments: Any, **named: Any) -> logging.LogRecord:
        one = made(*arguments, **named)
        one.msg, one.args = without_secrets(one.getMessage()), ()
        return one

    logging.setLogRecordFactory(record)


def run(main: Callable[[], None]) -> None:
    """Run a stage's `main` as a command: log to standard error; an error of ours without a traceback, exit 1.

    Neither log nor error nor traceback says a secret of the environment: they go to files that are shared.
    """
    _hide_secrets()
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(name)s: %(message)s", datefmt="%H:%M:%S"
    )
    for talkative in ("httpx", "httpx2", "fontTools"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    try:
        main()
    except StudyError as error:
        sys.stderr.write(without_secrets(f"{type(error).__name__}: {error}\n"))
        sys.exit(1)
    except Exception:
        sys.stderr.write(without_secrets(traceback.format_exc()))
        sys.exit(1)


def peak_memory_gb() -> float:
    """Return the greatest resident memory of this process so far; Linux counts in kB, macOS in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, read piece by piece."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _beside(final: Path) -> Path:
    final.parent.mkdir(parents=True, exist_ok=True)
    return final.parent / f".{final.name}.{os.getpid()}.tmp"


@contextmanager
def replace_folder(final: Path) -> Iterator[Path]:
    """Give an empty folder beside `final` and rename it to `final` if the block succeeds.

    A failed or killed block leaves `final` as it was; a failed one leaves nothing else behind.
    """
    temporary = _beside(final)
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
        if final.exists():
            old = final.parent / f".{final.name}.{os.getpid()}.old"
            final.rename(old)
            temporary.rename(final)
            shutil.rmtree(old)
        else:
            temporary.rename(final)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def replace_file(final: Path) -> Iterator[Path]:
    """Give a path beside `final` and rename what was written there to `final` if the block succeeds."""
    temporary = _beside(final)
    try:
        yield temporary
        temporary.replace(final)
    finally:
        temporary.unlink(missing_ok=True)
