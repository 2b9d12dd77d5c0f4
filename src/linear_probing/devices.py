"""Devices: how many GPUs a job needs in; which of this machine's it holds, out, so that no two jobs share one.

Snakemake counts GPUs and Slurm hands them out, but on one machine nobody says which job takes which. So each device is
a lock file in this machine's folder for temporary files, which all checkouts of a user share. The lock is the kernel's:
it ends with the process that holds it, however that ends. Standard library and filelock only.
"""

import logging
import os
import re
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
LIST = ("nvidia-smi", "--list-gpus")
LISTED = re.compile(r"\(UUID: ((?:GPU|MIG)-[^)]+)\)")
"""In `GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5d5b...)` and, below it, `  MIG 1g.5gb Device 0: (UUID: MIG-c738...)`."""
POLL = 0.5
"""Seconds between two looks at devices that are all taken."""


class DeviceError(StudyError):
    """GPUs that a job asks for and cannot have."""


def visible() -> tuple[str, ...]:
    """Return the names of the devices that this process may use, in their order.

    Those that CUDA_VISIBLE_DEVICES names, as a user or Slurm sets it, else all that nvidia-smi lists. A number, or the
    beginning of a UUID, becomes the device's UUID where nvidia-smi knows it: in a container or a job of Slurm's, 0 may
    be any device. A number or UUID that it does not know ends the list, as CUDA reads no further. A GPU that is cut
    into slices (MIG) is never one device: its slices stand for it, so that nobody holds the whole while another holds a
    slice.

    Not covered: without nvidia-smi each name stands for itself, so one device under two names can be held twice.
    Numbers are nvidia-smi's; CUDA's own are others where devices differ, unless CUDA_DEVICE_ORDER is PCI_BUS_ID. A job
    that holds two slices sees one of them: CUDA shows a process no more.
    """
    known, slices = _known(), _slices()
    named = os.environ.get(VISIBLE)
    names = list(known.values())
    if named is not None:
        uuids = [*names, *(one for parts in slices.values() for one in parts)]
        names = []
        for part in named.split(","):
            name = _whole(part.strip(), known, uuids)
            if name is None:
                break
            names.append(name)
    return tuple(dict.fromkeys(one for name in names for one in slices.get(name, [name])))


def _whole(name: str, known: dict[str, str], uuids: Sequence[str]) -> str | None:
    """Return the whole name of what CUDA_VISIBLE_DEVICES calls `name`, or None where CUDA reads no further."""
    if name in ("", "-1"):
        return None
    if name in known:
        return known[name]
    alike = [uuid for uuid in uuids if uuid.startswith(name)]
    if len(alike) == 1:
        return alike[0]
    none = name.lstrip("-").isdigit() or name.startswith("GPU-")
    return None if known and none else name


def _known() -> dict[str, str]:
    """Return the UUIDs of this machine's devices by number; nothing where there is no nvidia-smi."""
    rows = (line.split(",") for line in _lines(QUERY) if line.count(",") == 1)
    return {index.strip(): uuid.strip() for index, uuid in rows}


def _slices() -> dict[str, list[str]]:
    """Return the UUIDs of the slices of each device that is cut into some, by its UUID."""
    found: dict[str, list[str]] = {}
    device = ""
    for line in _lines(LIST):
        named = LISTED.search(line)
        if named and named[1].startswith("MIG-"):
            found.setdefault(device, []).append(named[1])
        elif named:
            device = named[1]
    return found


def _lines(command: Sequence[str]) -> list[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        return []


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
            do="set `gpus` of the model to what there is, its device to cpu, or run it where there are more; "
            f"where nvidia-smi is missing, as in some containers, name them in {VISIBLE}, as 0,1",
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
