"""Processes that share a stage's work."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

from threadpoolctl import threadpool_limits


def fresh(n: int) -> ProcessPoolExecutor:
    """Return processes of one thread each that begin afresh: a forked one inherits the locks of threads it has not."""
    return ProcessPoolExecutor(n, multiprocessing.get_context("spawn"), _one_thread)


def _one_thread() -> None:
    threadpool_limits(1)
