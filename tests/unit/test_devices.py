"""Devices: real processes take them, and no two ever hold one; a killed one holds none."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter

import pytest

from linear_probing import devices
from linear_probing.activations import gpus
from linear_probing.devices import DeviceError
from linear_probing.extraction.reading import ActivationError
from linear_probing.language_model import Model

# A device is in use while a folder of its name exists: mkdir fails if another process is there, whatever the locks say.
USE = """
import json, logging, os, sys, time
from pathlib import Path
from linear_probing import devices
logging.basicConfig(stream=sys.stderr, format="%(message)s", level=logging.INFO)
n, seconds, times, place = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
for _ in range(times):
    with devices.held(n) as names:
        assert os.environ["CUDA_VISIBLE_DEVICES"] == ",".join(names)
        for name in names:
            (place / name).mkdir()
        print(json.dumps(names), flush=True)
        time.sleep(seconds)
        for name in names:
            (place / name).rmdir()
"""
FOR_EVER = 600


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Return what starts processes on a machine of its own, with two devices; nothing outlives the test."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(devices.tempfile, "tempdir", None)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "fake-a,fake-b")
    place = tmp_path / "in use"
    place.mkdir()
    started = []

    def start(n, seconds=0.0, times=1):
        command = [sys.executable, "-c", USE, str(n), str(seconds), str(times), str(place)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def held_by(process):
    """Wait until a process holds devices and return their names."""
    return json.loads(process.stdout.readline())


def test_no_two_processes_ever_hold_one_device(machine):
    processes = [machine(n, 0.002, 15) for n in (1, 1, 1, 2)]
    taken = Counter()
    for process in processes:
        out, errors = process.communicate()
        assert process.returncode == 0, errors
        taken.update(name for line in out.splitlines() for name in json.loads(line))
    assert set(taken) == {"fake-a", "fake-b"}
    assert taken.total() == 15 * (1 + 1 + 1 + 2)


def test_each_process_has_its_own_and_a_third_waits_until_one_is_killed(machine):
    first, second = machine(1, FOR_EVER), machine(1, FOR_EVER)
    names = {id(process): held_by(process) for process in (first, second)}
    assert sorted(names[id(first)] + names[id(second)]) == ["fake-a", "fake-b"]
    third = machine(1)
    assert third.stderr.readline() == "waiting for 1 of the GPUs fake-a, fake-b: other jobs hold them\n"
    assert third.poll() is None
    (freed,) = names[id(second)]
    second.send_signal(signal.SIGKILL)
    second.wait()
    (devices.folder().parent / "in use" / freed).rmdir()
    assert held_by(third) == [freed]
    assert third.wait() == 0
    assert first.poll() is None


def test_one_that_wants_both_takes_none_while_one_is_taken(machine):
    """Else two that want both would each keep one for ever."""
    first = machine(1, FOR_EVER)
    (name,) = held_by(first)
    both = machine(2)
    assert both.stderr.readline().startswith("waiting for 2 of the GPUs")
    (other,) = held_by(machine(1))
    assert {name, other} == {"fake-a", "fake-b"}
    first.send_signal(signal.SIGKILL)
    first.wait()
    (devices.folder().parent / "in use" / name).rmdir()
    assert held_by(both) == ["fake-a", "fake-b"]


def test_more_than_there_are_is_an_error_and_not_a_wait(machine):
    with pytest.raises(DeviceError) as error, devices.held(3):
        pass
    assert str(error.value).startswith("3 GPUs asked for, this machine shows 2: fake-a, fake-b")
    assert "likely: CUDA_VISIBLE_DEVICES is 'fake-a,fake-b'" in str(error.value)
    assert "do:     set `gpus` of the model to what there is" in str(error.value)


def test_a_job_without_gpus_takes_nothing_and_hides_nothing(machine, tmp_path):
    with devices.held(0) as names:
        assert names == ()
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "fake-a,fake-b"
    assert [path.name for path in tmp_path.iterdir()] == ["in use"], "no lock either"


def test_what_was_visible_is_visible_again(machine):
    with devices.held(1) as names:
        assert os.environ["CUDA_VISIBLE_DEVICES"] == names[0] == "fake-a"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "fake-a,fake-b"
    with devices.held(2) as names:
        assert names == ("fake-a", "fake-b"), "the first was given back"


GPUS = ("GPU-aaaa", "GPU-bbbb")
SLICES = ("MIG-cccc", "MIG-dddd")
SMI = """#!/bin/sh
if [ "$1" = --list-gpus ]; then
  echo "GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aaaa)"
  {slices}
  echo "GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-bbbb)"
else
  printf '0, GPU-aaaa\\n1, GPU-bbbb\\n'
fi
"""


@pytest.fixture
def nvidia(tmp_path, monkeypatch):
    """Return what puts a program nvidia-smi before all others, which prints what a machine with two GPUs prints."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def put(*slices):
        lines = [f'echo "  MIG 1g.5gb     Device  {n}: (UUID: {uuid})"' for n, uuid in enumerate(slices)]
        program = tmp_path / "bin" / "nvidia-smi"
        program.parent.mkdir()
        program.write_text(SMI.format(slices="\n  ".join(lines) or ":"))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)

    return put


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        (None, GPUS),
        ("1", ("GPU-bbbb",)),
        ("1,0", ("GPU-bbbb", "GPU-aaaa")),
        ("GPU-bbbb, 1", ("GPU-bbbb",)),
        ("GPU-b, 1", ("GPU-bbbb",)),
        ("0,GPU-aa,GPU-bb", GPUS),
        ("MIG-cccc", ("MIG-cccc",)),
        ("0,-1,1", ("GPU-aaaa",)),
        ("0,7,1", ("GPU-aaaa",)),
        ("0,GPU-7,1", ("GPU-aaaa",)),
        ("1,GPU-,0", ("GPU-bbbb",)),
        ("", ()),
    ],
)
def test_a_device_has_one_name_however_it_is_called(nvidia, monkeypatch, named, expected):
    nvidia()
    if named is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert devices.visible() == expected


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        (None, (*SLICES, "GPU-bbbb")),
        ("GPU-aaaa,MIG-cccc", SLICES),
        ("MIG-d,0,1", ("MIG-dddd", "MIG-cccc", "GPU-bbbb")),
        ("MIG-eeee", ("MIG-eeee",)),
    ],
)
def test_a_gpu_that_is_cut_into_slices_is_held_slice_by_slice(nvidia, monkeypatch, named, expected):
    nvidia(*SLICES)
    if named is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert devices.visible() == expected


def test_without_nvidia_smi_names_stand_for_themselves_and_the_error_asks_for_them(machine, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,GPU-aaaa,-1,1")
    assert devices.visible() == ("0", "GPU-aaaa")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    says = r"do: .*where nvidia-smi is missing.* name them in CUDA_VISIBLE_DEVICES, as 0,1"
    with pytest.raises(DeviceError, match=says), devices.held(1):
        pass


def test_another_users_folder_is_refused(machine, tmp_path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / f"linear-probing-devices-{os.getuid()}").symlink_to(tmp_path / "theirs")
    with pytest.raises(DeviceError, match=r"(?s)belongs to another user.*do:     have it deleted"), devices.held(1):
        pass


def test_a_job_with_fewer_gpus_than_its_model_needs_is_refused(tmp_path):
    spread = Model("large", tmp_path, "float32", device="auto", gpus=2)
    assert [gpus(asked, spread) for asked in (None, 2, 3)] == [2, 2, 3]
    assert [gpus(asked, Model("small", tmp_path, "float32")) for asked in (None, 0, 1)] == [0, 0, 1]
    with pytest.raises(ActivationError, match=r"(?s)--gpus 1: large runs on device auto and needs 2.*gpu=2, or more"):
        gpus(1, spread)


@pytest.mark.slow
def test_importing_the_stage_asks_cuda_nothing():
    """CUDA reads which devices it may see when it is first asked; the stage says so after its imports."""
    code = """if True:
        import sys, torch
        def asked(*arguments, **named):
            sys.exit("CUDA was asked")
        for name in ("is_available", "device_count", "init", "_lazy_init", "current_device", "get_device_properties"):
            assert hasattr(torch.cuda, name)
            setattr(torch.cuda, name, asked)
        import linear_probing.activations
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
