"""kill -9 at every moment at which a writer asks something of the file system, one after the other."""

import os
import signal
import subprocess
import sys

import pytest

from faults.harm import HERE
from linear_probing import replacing

WRITE = """
import os, pathlib, sys
from linear_probing.replacing import replace_file, replace_folder
final, kind = pathlib.Path("out"), sys.argv[1]
def fill(folder):
    for name in ("a", "b"):
        with replace_file(folder / name) as path:
            path.write_text("new " + name)
if kind == "file":
    with replace_file(final) as path:
        path.write_text("new")
else:
    with replace_folder(final) as folder:
        fill(folder)
"""
EVENTS = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "open", "tempfile.mkdtemp", "shutil.rmtree")
NEW = {"a": "new a", "b": "new b"}
OLD = {"a": "old a", "c": "old c"}


def state(folder):
    """Return what stands under the name: None, or what is in it."""
    final = folder / "out"
    if not final.exists():
        return None
    return final.read_text() if final.is_file() else {path.name: path.read_text() for path in final.iterdir()}


def write(folder, kind, *fault):
    """Write; return the exit code."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE / "moments"), *sys.path])}
    if fault:
        environment["FAULT"] = " ".join(["replacing", *map(str, fault), "kill"])
    command = [sys.executable, "-c", WRITE, kind, "linear_probing.replacing"]
    return subprocess.run(command, cwd=folder, env=environment, check=False).returncode


def killed_at_every(folder, kind, event, old, new):
    """Kill a writer at the first, second, ... of its events until it ends alive; return how often it was killed."""
    for number in range(1, 100):
        place = folder / f"{event}-{number}"
        place.mkdir()
        if isinstance(old, dict):
            (place / "out").mkdir()
            for name, text in old.items():
                (place / "out" / name).write_text(text)
        elif old is not None:
            (place / "out").write_text(old)
        if write(place, kind, event, "out", number) != -signal.SIGKILL:
            assert state(place) == new
            return number - 1
        assert state(place) in ((old, new) if event != "os.rename" else (old, new, None))
        assert replacing.remove_dead([place]) == []
        assert state(place) in (old, new), "after the next run has looked there is the one or the other"
        assert {path.name for path in place.iterdir()} <= {"out"}
        assert write(place, kind) == 0
        assert state(place) == new
    raise AssertionError("the writer never ended alive")


@pytest.mark.faults
@pytest.mark.core
def test_a_file_is_the_old_or_the_new_one_whenever_its_writer_is_killed(tmp_path):
    assert killed_at_every(tmp_path, "file", "os.rename", "old", "new") == 1
    assert killed_at_every(tmp_path, "file", "os.mkdir", None, "new") >= 1


@pytest.mark.faults
@pytest.mark.parametrize("old", [None, OLD], ids=["where nothing was", "where another was"])
def test_a_folder_is_the_old_or_the_new_one_whenever_its_writer_is_killed(tmp_path, tell, old):
    n = sum(killed_at_every(tmp_path, "folder", event, old, NEW) for event in EVENTS)
    assert n > 20
    for _ in range(n):
        tell(
            "kill -9 at each call to the file system in turn",
            "the write: what stood there, or the new, is whole",
            {},
            "–",
        )
