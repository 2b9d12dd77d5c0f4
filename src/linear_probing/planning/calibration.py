"""How fast this machine is beside the one that the seconds of `rates` were measured on.

In every core at once, as a study runs: products of float32 matrices, and a small sweep by the study's own solver.
Seconds of the processor count, not of the clock, so that other programs are not taken for a slow machine.
"""

import time
from collections.abc import Callable

import numpy as np

from linear_probing import processes
from linear_probing.solving import logistic

REFERENCE = 0.205
"""Seconds of `work` on the reference machine, with another beside it."""
ROUNDS = 3
"""Of which the fastest counts: others are late for want of a cache or of a core."""


def work() -> None:
    """Do what is timed."""
    random = np.random.default_rng(0)
    features = random.normal(size=(1500, 160)).astype(np.float32)
    weights = random.normal(size=(160, 640)).astype(np.float32)
    for _ in range(60):
        features @ weights
    labels = (features[:, 0] + random.normal(size=len(features)) > 0).astype(np.int64)
    rows = np.arange(len(features))[:, None] % 10 != np.arange(10)
    scaled = logistic.scale_parts(features, rows)
    problems = [(part, 0, penalty) for part in range(10) for penalty in (0.001, 0.03, 1.0)]
    logistic.fit(scaled, labels[:, None], problems, 2)


def seconds(clock: Callable[[], float] = time.process_time) -> float:
    """Return the least seconds that `work` takes in several rounds."""
    found = []
    for _ in range(ROUNDS):
        start = clock()
        work()
        found.append(clock() - start)
    return min(found)


def _timed(_: int) -> float:
    return seconds()


def rate(n_cores: int) -> float:
    """Return this machine's speed with `n_cores` jobs at once, over the reference machine's: 2 is twice as fast."""
    with processes.fresh(n_cores) as pool:
        return REFERENCE / float(np.mean(list(pool.map(_timed, range(n_cores)))))
