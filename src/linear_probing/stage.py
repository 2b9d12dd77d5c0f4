"""What every stage shares: the form of an error, how a command ends, and files that appear whole or not at all."""

import hashlib
import json
import logging
import os
import resource
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

MESSAGE_INDENT = "\n  "
STAMP = ".made-of-unknown.json"


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


def run(main: Callable[[], None]) -> None:
    """Run a stage's `main` as a command: log to standard error; an error of ours without a traceback, exit 1."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(name)s: %(message)s", datefmt="%H:%M:%S"
    )
    for talkative in ("httpx", "fontTools"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    try:
        main()
        logging.getLogger("stage").info("%.2f GB of memory at most", peak_memory_gb())
    except StudyError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        sys.exit(1)


def peak_memory_gb() -> float:
    """Return the greatest resident memory of this process so far; Linux counts in kB, macOS in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, read piece by piece."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_stamp(folder: Path, name: str) -> None:
    """Write the file that lists what a folder holds, by name and SHA-256; its own name says what made the folder."""
    digests = {path.name: sha256(path) for path in sorted(folder.iterdir())}
    (folder / name).write_text(json.dumps(digests, indent=2) + "\n", encoding="utf-8")


def check_stamp(folder: Path) -> None:
    """Check that a folder holds what its stamp lists; one without a stamp was written by hand and passes.

    Raises
    ------
    StudyError
        With the first file that is missing or was changed.
    """
    for stamp in sorted(folder.glob(".made-of-*.json")):
        for name, digest in json.loads(stamp.read_text(encoding="utf-8")).items():
            found = sha256(folder / name) if (folder / name).is_file() else None
            if found != digest:
                raise StudyError(
                    f"{name} is {'missing' if found is None else 'not what was written'}",
                    file=folder / name,
                    likely="the file was deleted, cut short, or edited",
                    do=f"delete the folder {folder} and run snakemake again",
                )


def record_of(artefact: Path) -> Path:
    """Return where the record of an artefact stands: beside all results, since it differs between identical runs.

    Examples
    --------
    >>> record_of(Path("results/activations/atlas/place-0123456789")).as_posix()
    'results/records/activations/atlas/place-0123456789'
    """
    for folder in artefact.parents:
        if folder.name == "results":
            return folder / "records" / artefact.relative_to(folder)
    return artefact.parent / "records" / artefact.name


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
