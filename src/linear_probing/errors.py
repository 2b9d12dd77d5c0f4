"""Errors: the form that a person can act on, and the machine's own troubles in that form.

A full disk, a folder that cannot be written to and memory that ran out reach a stage as exceptions of Python, of
numpy, of torch and of libraries in Rust, none of which says what to do. Standard library only.
"""

import errno
import os
import re
from concurrent.futures import BrokenExecutor
from pathlib import Path

MESSAGE_INDENT = "\n  "
WRITING = "while writing "
UNFINISHED = ".tmp"
AGAIN = "run snakemake: what is finished stays"
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NO_ACCESS = (errno.EROFS, errno.EACCES, errno.EPERM)
NO_DISK = (errno.EIO, errno.ESTALE)
RUST = re.compile(r"\bos error (\d+)|\bcode: (\d+), kind:")
"""How libraries in Rust name the system's error, in the two ways in which they print it."""
NO_MEMORY = re.compile(r"bad_alloc|(can't|cannot|unable to) allocate (memory|\d)|failed to map segment", re.I)
"""How torch, the loader of shared libraries and these libraries say that memory ran out."""


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


class MachineError(StudyError):
    """A trouble of the machine and not of the study: its disk, its memory, or who may write where."""


def explained(error: BaseException) -> MachineError | None:
    """Return an exception in our form if the machine is the cause; None for one that is a fault of the code.

    None too for one of our errors, whose words quote what users wrote: of those what they were raised from is asked.

    Examples
    --------
    >>> print(explained(OSError(28, "No space left on device", "results/a")))
    no room left to write: No space left on device
      file:   results/a
      likely: the disk is full, or a quota is used up
      do:     make room there (`make prune` removes what no study asks for) and run snakemake: what is finished stays
    >>> explained(FileNotFoundError(2, "No such file or directory", "results/a"))
    """
    if isinstance(error, StudyError):
        cause = None if isinstance(error, MachineError) else error.__cause__
        if cause is None or _quotes(cause):
            return None
        for note in getattr(error, "__notes__", ()):  # what was being written
            cause.add_note(note)
        return explained(cause)
    number, text, file = _number(error), _text(error), _file(error)
    if is_of_memory(error):
        return MachineError(
            f"memory ran out: {text or type(error).__name__}",
            file=file,
            likely="the machine, a limit or the scheduler gives this job less than it needs",
            do=f"run fewer jobs at once (--cores 1) or raise the limit (`make plan` says what it needs), and {AGAIN}",
        )
    if isinstance(error, BrokenExecutor):
        return MachineError(
            "a process that shared this stage's work ended in the middle of it",
            likely="the kernel killed it since memory ran out, or a person did",
            do=f"run fewer jobs at once (--cores 1), and {AGAIN}",
        )
    if number in NO_ROOM:
        return MachineError(
            f"no room left to write: {text}",
            file=file,
            likely="the disk is full, or a quota is used up",
            do=f"make room there (`make prune` removes what no study asks for) and {AGAIN}",
        )
    if number in NO_ACCESS:
        return _no_access(text, file, _denied(error, file))
    if number in NO_DISK:
        return MachineError(
            f"the disk failed: {text}",
            file=file,
            likely="a disk that is broken, or a server of files that is away",
            do=f"see what the system's log says of it; `make verify` reads all that is there; and {AGAIN}",
        )
    return None


def _no_access(text: str, file: str | None, denied: str) -> MachineError:
    if denied == "write":
        likely = "it is mounted read-only, or belongs to another user"
        do = "let this user write there, or make results a link to where it may"
    else:
        likely, do = "it, or a folder above it, belongs to another user", f"let this user {denied} it"
    return MachineError(f"no access: {text}", file=file, likely=likely, do=f"{do}, and {AGAIN}")


def _denied(error: BaseException, file: str | None) -> str:
    """Return what was not allowed, as far as can be told: the system says neither."""
    if not isinstance(file, str) or file != getattr(error, "filename", None) or _number(error) == errno.EROFS:
        return "write"  # the place of what was being written, or a file that is open
    if os.access(file, os.F_OK):
        return "write" if os.access(file, os.R_OK) else "read"
    # What is not there, in a folder that can be looked into, was to be made.
    return "write" if os.access(Path(file).parent, os.X_OK) else "read or write"


def is_of_memory(error: BaseException) -> bool:
    """Return whether an exception says that memory ran out; one of our errors, whether what it was raised from does.

    Examples
    --------
    >>> is_of_memory(ImportError("libc.so: failed to map segment from shared object"))
    True
    >>> is_of_memory(StudyError("the label 'cannot allocate memory' has 1 row"))
    False
    """
    if isinstance(error, StudyError):
        return error.__cause__ is not None and not _quotes(error.__cause__) and is_of_memory(error.__cause__)
    return isinstance(error, MemoryError) or _number(error) == errno.ENOMEM or bool(NO_MEMORY.search(_text(error)))


def _quotes(error: BaseException) -> bool:
    """Return whether the words of what an error was raised from may be a user's.

    As in `invalid literal: 'cannot allocate memory'`, and in the traceback of another process, which Python gives an
    error of that process as its cause.
    """
    return isinstance(error, ValueError | LookupError) or type(error).__name__.endswith("RemoteTraceback")


def _text(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error)


def _number(error: BaseException) -> int | None:
    """Return the system's number of an error; Rust's is in its words alone."""
    if isinstance(error, OSError):
        return error.errno
    found = RUST.search(str(error))
    return int(found[1] or found[2]) if found else None


def _file(error: BaseException) -> str | None:
    """Return the file in question: as the system named it, or the place of what was being written."""
    named = getattr(error, "filename", None)
    notes = [note.removeprefix(WRITING) for note in getattr(error, "__notes__", []) if note.startswith(WRITING)]
    return notes[-1] if notes and (named is None or f"{UNFINISHED}/" in f"{named}/") else named
