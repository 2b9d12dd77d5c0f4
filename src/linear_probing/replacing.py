"""Files and folders that appear whole or not at all, and what a killed job leaves beside them.

What is being written stands in a folder of its own beside its place, .NAME.HOST.PROCESS.xxxxxxxx.tmp, so that whatever
a library leaves there goes with it. When it is whole and on the disk it gets its name, and the folder goes. A job that
is killed leaves the folder; the next writer of the same name removes it, and so do a run of snakemake and pruning. Only
where its process is surely dead: on this host, and no process holds the lock of a file in it, which the kernel lets go
with the process, however that ends. Where the file system has no locks, or the host is another, it stays, and
verification names it. Standard library only.
"""

import errno
import fcntl
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from linear_probing.errors import AGAIN, WRITING, MachineError, explained

LEFT = re.compile(r"\.(?P<name>.+)\.(?P<host>[^.]+)\.(?P<process>\d+)\.[a-z0-9_]{8}\.tmp")
LOCK, OLD, LEAVING = ".lock", ".old-", ".leaving-"
BACKUPS = Path(".snakemake", "backups")
TAKEN = (errno.ENOTEMPTY, errno.EEXIST)
NO_SYNC = (errno.EINVAL, errno.ENOTSUP)


def host() -> str:
    """Return this machine's name as it stands in the name of what is not finished."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", platform.node()) or "unnamed"


@dataclass(frozen=True)
class Leftover:
    """The folder of something that is being written, or was when its process was killed."""

    folder: Path
    host: str
    process: int
    final: Path

    @property
    def writer(self) -> str:
        """Who writes it, or did."""
        return f"process {self.process} of {self.host}"

    def remove(self) -> bool:
        """Remove it if its process is surely dead; return whether it is gone.

        What stood in the place, and had been moved away for what was written, is moved back where the place is empty.
        """
        if self.host != host():
            return False
        try:
            lock = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT)
        except OSError:
            return not self.folder.exists()
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _clear(self.folder, self.final)
        except OSError:
            return False
        finally:
            os.close(lock)
        with suppress(OSError):  # where a file that is open cannot be removed, as on NFS
            self.folder.rmdir()
        return not self.folder.exists()


def leftover(folder: Path) -> Leftover | None:
    """Return what a folder's name says of it; None if it is not that of something unfinished."""
    found = LEFT.fullmatch(folder.name)
    if found is None or folder.is_symlink():
        return None
    return Leftover(folder, found["host"], int(found["process"]), folder.parent / found["name"])


def leftovers(top: Path) -> list[Leftover]:
    """Return all below a folder, links to other folders not followed, by path."""
    found = []
    for root, folders, _ in os.walk(top):
        own = {name: one for name in folders if (one := leftover(Path(root, name))) is not None}
        folders[:] = [name for name in folders if name not in own]
        found += list(own.values())
    return sorted(found, key=lambda one: one.folder)


def remove_dead(tops: list[Path]) -> list[Leftover]:
    """Remove what killed jobs left below some folders; return what may still be written."""
    return [one for top in tops for one in leftovers(top) if not one.remove()]


def remove_backups(folder: Path) -> None:
    """Remove the copies that Snakemake has made of outputs below a folder, and not of their folders.

    It makes one of an `update` output before a job, removes it when the job is done, and puts it in the place when the
    job fails. One that a killed snakemake has left would come back, as the record of a folder that is gone, after
    any later failure. Where another run still has a use for one, its failing job only warns that there is none: the
    profile keeps records of failed jobs where they are.
    """
    for path in BACKUPS.joinpath(folder).rglob("*"):
        if path.is_symlink() or path.is_file():
            path.unlink(missing_ok=True)


def unwritable(places: Iterable[Path]) -> list[MachineError]:
    """Return the folders in which nothing can be made, of those in which something is to be."""
    parents = {next((one for one in place.absolute().parents if one.exists()), Path("/")): place for place in places}
    return [
        MachineError(
            f"no access: {place} cannot be made",
            file=parent,
            likely="it is mounted read-only, or belongs to another user",
            do=f"let this user write there, or make results a link to where it may, and {AGAIN}",
        )
        for parent, place in parents.items()
        if not os.access(parent, os.W_OK | os.X_OK)
    ]


@contextmanager
def replace_folder(final: Path) -> Iterator[Path]:
    """Give an empty folder beside `final` and rename it to `final` if the block succeeds.

    A block that fails or is killed leaves `final` as it was. Between the two renames of one that replaces another
    there is nothing in its place; who finds that after a kill puts the old one back.
    """
    with _beside(final) as folder:
        new = folder / final.name
        new.mkdir()
        yield new
        _settle(new)
        for number in count():
            try:
                new.rename(final)
                break
            except OSError as error:
                if error.errno not in TAKEN:
                    raise
            with suppress(FileNotFoundError):  # another process does the same
                _move_away(final, folder, number)
        for old in folder.glob(f"{OLD}*"):
            old.rename(folder / f".gone{old.name}")  # at once: one that is removed in part must not come back
        _sync(final.parent)


@contextmanager
def replace_file(final: Path) -> Iterator[Path]:
    """Give a path beside `final` and rename what was written there to `final` if the block succeeds."""
    with _beside(final) as folder:
        new = folder / final.name
        yield new
        _settle(new)
        new.replace(final)
        _sync(final.parent)


@contextmanager
def _beside(final: Path) -> Iterator[Path]:
    """Give a folder beside `final` that others know to be in use; say of an error what was being written."""
    lock = None
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        for one in filter(None, map(leftover, final.parent.iterdir())):
            if one.final == final:
                one.remove()
        folder, lock = _claim(final)
        try:
            yield folder
        finally:
            _clear(folder, final)
    except Exception as error:
        error.add_note(f"{WRITING}{final}")
        told = explained(error)
        if told is None:
            raise
        raise told from error
    finally:
        if lock is not None:
            os.close(lock)
            with suppress(OSError):
                folder.rmdir()


def _claim(final: Path) -> tuple[Path, int]:
    """Make a folder and lock a file in it; anew where another took it for a dead one's before it was locked."""
    while True:
        prefix = f".{final.name}.{host()}.{os.getpid()}."
        folder = Path(tempfile.mkdtemp(prefix=prefix, suffix=".tmp", dir=final.parent))
        try:
            lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT)
        except FileNotFoundError:
            continue
        except OSError:
            folder.rmdir()
            raise
        with suppress(OSError):  # no locks on this file system: nobody will take it for dead
            fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / LOCK).exists():
            return folder, lock
        os.close(lock)


def _move_away(final: Path, folder: Path, number: int) -> None:
    """Move what stands in a place into the folder, so that the place is free.

    A folder of an overlay's lower layer, as of a container's image, cannot be renamed (EXDEV). It is copied, and while
    the original goes, the copy's name says so: who finds that after a failure or a kill puts the copy in its place.
    """
    old = folder / f"{OLD}{number}"
    try:
        final.rename(old)
        return
    except OSError as error:
        if error.errno != errno.EXDEV or not final.is_dir():
            raise
    copy, leaving = folder / f".copy{number}", folder / f"{LEAVING}{number}"
    shutil.copytree(final, copy, symlinks=True)
    _settle(copy)
    copy.rename(leaving)
    shutil.rmtree(final)
    leaving.rename(old)


def _clear(folder: Path, final: Path) -> None:
    """Put back what stood in the place if nothing does or it is half gone, and remove the folder."""
    for whole in folder.glob(f"{LEAVING}*"):
        shutil.rmtree(final, ignore_errors=True)
        try:
            whole.rename(final)
        except OSError:  # what cannot be put back stays, and is told of as left
            return
    old = sorted(folder.glob(f"{OLD}*"))
    if old and not final.exists():
        with suppress(OSError):  # another process was faster
            old[-1].rename(final)
    for entry in folder.iterdir() if folder.is_dir() else ():
        if entry.name == LOCK:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            with suppress(OSError):
                entry.unlink()
    shutil.rmtree(folder, ignore_errors=True)  # the lock last: until then nobody else removes it


def _settle(path: Path) -> None:
    """Have the disk hold a file, or all of a folder: a name must not outlive a power cut that its bytes do not."""
    for root, _, files in os.walk(path):
        for name in files:
            _sync(Path(root, name))
        _sync(Path(root))
    if path.is_file():
        _sync(path)


def _sync(path: Path) -> None:
    if path.is_symlink():  # weights that are linked, and not written here
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in NO_SYNC:
            raise
    finally:
        os.close(handle)
