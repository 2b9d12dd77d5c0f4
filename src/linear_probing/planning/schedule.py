"""How long jobs take on several cores: one after the other as they become ready, by priority, as Snakemake does."""

from collections.abc import Mapping
from heapq import heappop, heappush

from linear_probing.planning.work import CORES, Job


def together(jobs: Mapping[str, Job]) -> dict[str, list[str]]:
    """Return which folders one job writes, by the first: an extraction loads its model once for all its data sets."""
    found: dict[str, list[str]] = {}
    for folder, job in jobs.items():
        key = folder.rpartition("/")[0] if job.stage == "activations" else folder
        found.setdefault(key, []).append(folder)
    return {folders[0]: folders for folders in found.values()}


def duration(jobs: Mapping[str, Job], n_cores: int, per_job: float = 0.0) -> float:
    """Return the seconds until all jobs are done.

    Parameters
    ----------
    jobs : Mapping[str, Job]
        That are to be run, by folder; what others read and is not among them is there.
    n_cores : int
        At least 1. One job at a time has the GPU.
    per_job : float
        Seconds that each takes besides.

    Examples
    --------
    Three jobs of 3 s on two cores, the last of which reads the first:

    >>> a, b = (Job(name, "probes", 3.0, 0.0, None, (), False) for name in "ab")
    >>> duration({"a": a, "b": b, "c": Job("c", "transfer", 3.0, 0.0, None, ("a",), False)}, 2)
    6.0
    """
    groups = together(jobs)
    of = {folder: first for first, folders in groups.items() for folder in folders}
    waits = {
        first: {of[read] for folder in folders for read in jobs[folder].reads if read in of}
        for first, folders in groups.items()
    }
    running: list[tuple[float, str]] = []
    now, free, gpu_free, done = 0.0, n_cores, True, set[str]()
    waiting = sorted(groups, key=lambda first: -max(jobs[folder].priority for folder in groups[first]))
    while waiting or running:
        for first in list(waiting):
            job = jobs[first]
            # What may have several cores takes what there are, and so waits for all of them.
            n_taken = min(CORES.get(job.stage, 1), n_cores)
            if waits[first] <= done and free >= n_taken and (gpu_free or not job.gpu):
                work = sum(jobs[folder].seconds for folder in groups[first])
                heappush(running, (now + per_job + job.start + work / n_taken, first))
                waiting.remove(first)
                free, gpu_free = free - n_taken, gpu_free and not job.gpu
        now, first = heappop(running)
        done.add(first)
        free += min(CORES.get(jobs[first].stage, 1), n_cores)
        gpu_free |= jobs[first].gpu
    return now
