"""Whom the tests on a real Slurm stop: what they have started, and never another cluster, nor a person's program."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SLURM = Path(__file__).parents[1] / "slurm"
WAITS = "print(flush=True); input()"


def load(name):
    spec = importlib.util.spec_from_file_location(f"slurm_{name}", SLURM / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Return the tests' module where Slurm's programs are, and its link stands in a folder of the test."""
    module = load("conftest")
    monkeypatch.setattr(module, "LINK", tmp_path / "etc" / "slurm.conf")
    module.LINK.parent.mkdir()
    found = shutil.which
    monkeypatch.setattr(module.shutil, "which", lambda name: name if name in module.PROGRAMS else found(name))
    monkeypatch.setattr(module.os, "getuid", lambda: 0)
    return module


@pytest.fixture
def started():
    """Start programs that wait; they are ended with the test."""
    processes = []

    def start(folder, program=sys.executable, **environment):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        command = [program, "-c", WAITS]
        process = subprocess.Popen(command, cwd=folder, env={**os.environ, **environment}, **pipes)
        processes.append(process)
        process.stdout.readline()
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_a_link_that_leads_nowhere_is_nobodys_and_stays(machine, tmp_path, started):
    """As another cluster's on a disk that is not mounted now."""
    shared = tmp_path / "shared" / "slurm"
    shared.mkdir(parents=True)
    machine.LINK.symlink_to(shared / "slurm.conf")
    mine = started(shared)
    with pytest.raises(pytest.fail.Exception, match=r"nobody can tell whose it is; do: .* rm "):
        machine.check_machine()
    assert machine.LINK.is_symlink()
    assert mine.poll() is None


@pytest.mark.parametrize("text", ["ClusterName=ours\n", "ClusterName=ours\n# as that started by tests/slurm\n"])
@pytest.mark.parametrize("linked", [True, False])
def test_another_clusters_configuration_is_left_alone(machine, tmp_path, text, linked):
    place = tmp_path / "slurm.conf" if linked else machine.LINK
    place.write_text(text)
    if linked:
        machine.LINK.symlink_to(place)
    with pytest.raises(pytest.fail.Exception, match="another cluster's; do: run it on a machine that has none"):
        machine.check_machine()
    assert machine.LINK.read_text() == text


def test_what_a_killed_test_left_is_ended_and_nothing_else(machine, tmp_path, started):
    folder = tmp_path / "basetemp" / "slurm0"
    folder.mkdir(parents=True)
    (folder / "slurm.conf").write_text(
        machine.CONFIGURATION.format_map(
            dict.fromkeys(("host", "controller", "node", "folder", "memory"), "x") | {"mark": machine.MARK}
        )
    )
    machine.LINK.symlink_to(folder / "slurm.conf")
    job = started(folder, **{machine.VARIABLE: str(folder)})
    elsewhere = started(tmp_path, **{machine.VARIABLE: str(folder)})
    mine, another = started(folder), started(folder, **{machine.VARIABLE: f"{folder}0"})
    (folder / "slurmd.pid").write_text(f"{mine.pid}\n")  # an id that was given anew
    machine.check_machine()
    assert not machine.LINK.is_symlink()
    assert (job.wait(10), elsewhere.wait(10)) == (-9, -9)
    assert (mine.poll(), another.poll()) == (None, None)


def test_a_daemon_is_known_by_its_name_and_its_program(machine, tmp_path, started, monkeypatch):
    program = tmp_path / "slurmd"
    shutil.copy("/bin/sh", program)
    daemon = subprocess.Popen([program, "-c", "echo; read x"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    daemon.stdout.readline()
    for name in machine.DAEMONS:
        (tmp_path / f"{name}.pid").write_text(f"{daemon.pid}\n")
    monkeypatch.setattr(machine.shutil, "which", lambda name: "/bin/sh")
    assert machine.daemons(tmp_path) == [], "it has the name, and is another program"
    monkeypatch.setattr(machine.shutil, "which", lambda name: str(program))
    assert machine.daemons(tmp_path) == [daemon.pid]
    daemon.communicate(b"\n")
    assert machine.daemons(tmp_path) == []


@pytest.mark.parametrize(
    ("size", "expected"), [("500M", 500), ("2G", 2048), ("1.50G", 1536), ("2049M", 2049), ("1T", 2**20), ("300", 300)]
)
def test_memory_is_read_with_its_unit(size, expected):
    assert load("cluster").megabytes(size) == expected
