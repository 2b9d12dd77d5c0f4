"""What every stage shares: the form of an error, how a command ends, and files that appear whole or not at all."""

import atexit
import gc
import hashlib
import logging
import os
import re
import resource
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

from linear_probing.errors import AGAIN, StudyError, explained
from linear_probing.replacing import replace_file, replace_folder

__all__ = ["StudyError", "count", "peak_memory_gb", "replace_file", "replace_folder", "run", "sha256"]
"""Stages take errors and files from here, which no digest counts."""
LOGIN = re.compile(r"(?<=://)[^/\s'\"]+@")
SECRET = re.compile("TOKEN(?!IZER)|PASSW|PASSPHRASE|_PASS$|SECRET|CREDENTIAL|(_|API|ACCESS)KEYS?(?![A-Z])")
"""What in the name of an environment variable means that its value is said nowhere, beside logins in URLs."""
LEAST_SECRET = 6
"""Characters: what is shorter, as 1 or true, stands in any text."""
SETTINGS = ("default", "disable", "disabled", "enable", "enabled", "optional", "required", "unlimited")
"""Longer values that are no secret either."""


class StoppedError(StudyError):
    """A command that was told to end before it was done."""


class _Told(BaseException):
    """Raised where the work stands when SIGTERM arrives; no `Exception`, so that no stage takes it for an error."""


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

    Values that any text may hold stay: short ones, words of settings, and paths that exist on this machine.

    Examples
    --------
    >>> without_secrets("from http://someone:word@host/path")
    'from http://***@host/path'
    """
    for value in _secrets():
        text = text.replace(value, "***").replace(repr(value)[1:-1], "***")
    return LOGIN.sub("***@", text)


def _secrets() -> list[str]:
    """Return the longest first: one may be the beginning of another."""
    values = {value.strip() for name, value in os.environ.items() if SECRET.search(name.upper())}
    said = {one for one in values if len(one) < LEAST_SECRET or one.lower() in SETTINGS or _is_path(one)}
    return sorted(values - said, key=len, reverse=True)


def _is_path(value: str) -> bool:
    try:
        return value.startswith("/") and Path(value).exists()
    except OSError:  # longer than a path can be, or in a folder that is closed to us
        return False


@cache
def _hide_secrets() -> None:
    """Let no logger or warning of a library say one: pooch and the hub's client log URLs with a mirror's password.

    In the record, not in a handler: libraries have handlers of their own. These take a traceback that was written out.
    """
    made, warned = logging.getLogRecordFactory(), warnings.formatwarning

    def record(*arguments: Any, **named: Any) -> logging.LogRecord:
        one = made(*arguments, **named)
        one.msg, one.args = without_secrets(_said(one)), ()
        if one.exc_info:
            one.exc_text = without_secrets(logging.Formatter().formatException(one.exc_info))
        return one

    def warning(*arguments: Any, **named: Any) -> str:
        return without_secrets(warned(*arguments, **named))

    logging.setLogRecordFactory(record)
    warnings.formatwarning = warning


def _said(record: logging.LogRecord) -> str:
    """Return a record's text. A library whose words do not fit its format string must not end the stage."""
    try:
        return record.getMessage()
    except Exception:  # of any kind: the values' own code writes them
        return f"{record.msg!r} with values that do not fit it"


def run(main: Callable[[], None]) -> None:
    """Run a stage's `main` as a command: log to standard error; errors of ours and of the machine without traceback.

    Exit codes are those of a shell: 1 after an error, 130 after SIGINT and 143 after SIGTERM, which a scheduler sends
    before it kills. Both end the command in order: what is being written is removed. Neither log nor warning nor error
    nor traceback says a secret of the environment: they go to files that are shared.
    """
    # At exit Python looks through all that is alive, most of it made by imports; what is frozen it leaves alone.
    atexit.register(gc.freeze)
    _hide_secrets()
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(name)s: %(message)s", datefmt="%H:%M:%S"
    )
    for talkative in ("httpx", "httpx2", "fontTools"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    before = signal.signal(signal.SIGTERM, _told)
    try:
        main()
    except StudyError as error:
        _end(error, 1)
    except _Told:
        _end(_stopped("SIGTERM", "a scheduler, as time or memory was used up, or a person ended it"), 143)
    except KeyboardInterrupt:
        _end(_stopped("SIGINT", "Ctrl-C"), 130)
    except Exception as error:
        told = explained(error)
        _end(told or traceback.format_exc(), 1)
    finally:
        signal.signal(signal.SIGTERM, before)


def _told(number: int, frame: FrameType | None) -> Any:
    """Take SIGTERM once: a second one must not stop the removal of what the first one ended."""
    signal.signal(number, signal.SIG_IGN)
    raise _Told


def _stopped(name: str, likely: str) -> StoppedError:
    return StoppedError(f"told to end by {name} before it was done", likely=likely, do=AGAIN)


def _end(error: StudyError | str, code: int) -> None:
    text = error if isinstance(error, str) else f"{type(error).__name__}: {error}\n"
    sys.stderr.write(without_secrets(text))
    sys.exit(code)


def peak_memory_gb() -> float:
    """Return the greatest resident memory of this process so far; Linux counts in kB, macOS in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, read piece by piece."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
