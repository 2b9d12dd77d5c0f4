"""Processes that share a stage's work, and end with it."""

import multiprocessing
import os
import threading
from concurrent.futures import ProcessPoolExecutor

from threadpoolctl import threadpool_limits


def fresh(n: int) -> ProcessPoolExecutor:
    """Return processes of one thread each that begin afresh: a forked one inherits the locks of threads it has not."""
    return ProcessPoolExecutor(n, multiprocessing.get_context("spawn"), _begin)


def _begin() -> None:
    threadpool_limits(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process at once when the one that started it has ended, however: after kill -9, nobody else would."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
