"""How fast this machine is beside the one that the seconds of `rates` were measured on.

In every core at once, as a study runs: products of float32 matrices, and a small sweep by the study's own solver.
Seconds of the processor count, not of the clock, so that other programs are not taken for a slow machine.
"""

import time
from dataclasses import dataclass

import numpy as np

from linear_probing import processes
from linear_probing.solving import logistic

REFERENCE = 0.205
"""Seconds of `work` on the reference machine, with another beside it."""
ROUNDS = 3
"""Of which the fastest counts: others are late for want of a cache."""


@dataclass(frozen=True)
class Speed:
    """How fast this machine is.

    Parameters
    ----------
    rate : float
        Its processor's speed over the reference machine's: 2 is twice as fast.
    crowding : float
        Seconds of the clock over seconds of the processor: above 1 where other programs run beside.
    """

    rate: float
    crowding: float = 1.0


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


def measure(n_cores: int) -> Speed:
    """Return how fast this machine is with `n_cores` jobs at once."""
    with processes.fresh(n_cores) as pool:
        timed = np.array(list(pool.map(_timed, range(n_cores))))
    return Speed(REFERENCE / float(timed[:, 0].mean()), max(1.0, float((timed[:, 1] / timed[:, 2]).mean())))


def _timed(_: int) -> tuple[float, float, float]:
    """Return the least seconds of the processor of a round, and the clock's and the processor's of all rounds."""
    rounds = []
    for _ in range(ROUNDS):
        clock, processor = time.perf_counter(), time.process_time()
        work()
        rounds.append((time.perf_counter() - clock, time.process_time() - processor))
    by_clock, by_processor = zip(*rounds, strict=True)
    return min(by_processor), sum(by_clock), sum(by_processor)
