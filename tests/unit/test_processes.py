"""Processes that share a stage's work end with it, however it ends."""

import subprocess
import sys
import time
from pathlib import Path

CODE = """
import os
import time

from linear_probing import processes

if __name__ == "__main__":
    with processes.fresh(2) as pool:
        print(*pool.map(os.getpgid, [0, 0]), flush=True)
        list(pool.map(time.sleep, [{seconds}] * 2))
"""


def children(number):
    return [int(one) for one in Path(f"/proc/{number}/task/{number}/children").read_text().split()]


def lives(number):
    """Return whether a process runs; a zombie that nobody fetches does not."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def started(tmp_path, seconds):
    """Start a parent, and return it with its workers when they work."""
    program = tmp_path / "program.py"
    program.write_text(CODE.format(seconds=seconds))
    parent = subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout.readline()
    return parent, children(parent.pid)


def test_no_process_outlives_a_parent_that_is_killed(tmp_path):
    parent, workers = started(tmp_path, 300)
    assert len(workers) >= 2
    parent.kill()
    parent.wait()
    end = time.monotonic() + 20
    while any(map(lives, workers)) and time.monotonic() < end:
        time.sleep(0.05)
    assert [number for number in workers if lives(number)] == []


def test_a_parent_that_lives_keeps_its_processes(tmp_path):
    parent, _ = started(tmp_path, 0.5)
    assert parent.wait() == 0
