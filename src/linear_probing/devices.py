"""Devices: how many GPUs a job needs in; which of this machine's it holds, out, so that no two jobs share one.

Snakemake counts GPUs and Slurm hands them out, but on one machine nobody says which job takes which. So each device is
a lock file in this machine's folder for temporary files, which all checkouts of a user share. The lock is the kernel's:
it ends with the process that holds it, however that ends. Standard library and filelock only.
"""

import logging
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from filelock import FileLock, Timeout

from linear_probing.stage import StudyError

LOG = logging.getLogger("devices")
VISIBLE = "CUDA_VISIBLE_DEVICES"
QUERY = ("nvidia-smi", "--query-gpu=index,uuid", "--format=csv,noheader")
POLL = 0.5
"""Seconds between two looks at devices that are all taken."""


class DeviceError(StudyError):
    """GPUs that a job asks for and cannot have."""


def visible() -> tuple[str, ...]:
    """Return the names of the devices that this process may use, in their order.

    Those that CUDA_VISIBLE_DEVICES names, as a user or Slurm sets it, else all that nvidia-smi lists. A number becomes
    the device's UUID where nvidia-smi knows it: in a container or a job of Slurm's, 0 may be any device.
    """
    known = _known()
    named = os.environ.get(VISIBLE)
    if named is None:
        return tuple(known.values())
    names = []
    for name in (part.strip() for part in named.split(",")):
        if name in ("", "-1"):  # CUDA reads no further than the first name that is none
            break
        names.append(known.get(name, name))
    return tuple(dict.fromkeys(names))


def _known() -> dict[str, str]:
    """Return the UUIDs of this machine's devices by number; nothing where there is no nvidia-smi."""
    try:
        done = subprocess.run(QUERY, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return {}
    rows = (line.split(",") for line in done.stdout.splitlines() if line.count(",") == 1)
    return {index.strip(): uuid.strip() for index, uuid in rows}


def folder() -> Path:
    """Return the folder of this user's locks on this machine, made if it is not there.

    Raises
    ------
    DeviceError
        If it is another user's, who could keep locks from us.
    """
    path = Path(tempfile.gettempdir(), f"linear-probing-devices-{os.getuid()}")
    path.mkdir(mode=0o700, exist_ok=True)
    if path.is_symlink() or path.stat().st_uid != os.getuid():
        raise DeviceError(
            "the folder of device locks belongs to another user",
            file=path,
            likely="someone made it, by mistake or not",
            do="have it deleted, or set TMPDIR to a folder that all your jobs on this machine share",
        )
    return path


def _lock(name: str) -> FileLock:
    """Return the lock of this name. A soft lock, which a killed job would leave behind, is refused."""
    return FileLock(folder() / f"{quote(name, safe='')}.lock", fallback_to_soft=False)


def _take(names: Sequence[str], n: int) -> tuple[list[str], ExitStack]:
    """Take the first n devices that are free, or none; return their names, and what frees them."""
    # One process tries at a time: two that each hold one of two devices would wait for each other for ever.
    with ExitStack() as locks, _lock("taking"):
        taken: list[str] = []
        for name in names:
            lock = _lock(f"device-{name}")
            with suppress(Timeout):
                locks.enter_context(lock.acquire(blocking=False))
                taken.append(name)
            if len(taken) == n:
                return taken, locks.pop_all()
    return [], ExitStack()


@contextmanager
def held(n: int) -> Iterator[tuple[str, ...]]:
    """Hold n devices that no other job holds, and let CUDA see these alone; wait while too many are taken.

    To be entered before torch asks CUDA for anything: CUDA reads the variable once.

    Parameters
    ----------
    n : int
        How many; with 0 nothing is taken and CUDA_VISIBLE_DEVICES stays as it is.

    Yields
    ------
    tuple[str, ...]
        Their names: UUIDs, or as CUDA_VISIBLE_DEVICES has them.

    Raises
    ------
    DeviceError
        If there are fewer than n, taken or not.
    """
    if not n:
        yield ()
        return
    names = visible()
    if len(names) < n:
        raise DeviceError(
            f"{n} GPU{'s' * (n > 1)} asked for, this machine shows {len(names)}: {', '.join(names) or 'none'}",
            likely=f"{VISIBLE} is {os.environ[VISIBLE]!r}" if VISIBLE in os.environ else "nvidia-smi lists no more",
            do="set `gpus` of the model to what there is, its device to cpu, or run it where there are more",
        )
    taken, locks = _take(names, n)
    if not taken:
        LOG.info("waiting for %d of the GPUs %s: other jobs hold them", n, ", ".join(names))
    while not taken:
        time.sleep(POLL)
        taken, locks = _take(names, n)
    with locks, _only(taken):
        LOG.info("holding the GPUs %s", ", ".join(taken))
        yield tuple(taken)


@contextmanager
def _only(names: Sequence[str]) -> Iterator[None]:
    """Let CUDA see these devices alone while the block runs."""
    before = os.environ.get(VISIBLE)
    os.environ[VISIBLE] = ",".join(names)
    try:
        yield
    finally:
        if before is None:
            del os.environ[VISIBLE]
        else:
            os.environ[VISIBLE] = before
