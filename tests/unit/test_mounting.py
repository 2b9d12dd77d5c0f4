"""A machine on which nothing can be mounted: the tests of faults that mount are skipped, and say why."""

import os

import pytest

from faults import conftest


def mount(folder, code, says=""):
    program = folder / "mount"
    program.write_text(f"#!/bin/sh\necho '{says}' >&2\nexit {code}\n")
    program.chmod(0o755)


@pytest.mark.parametrize(
    ("user", "code", "expected"),
    [
        (1000, 0, "mounting needs root: run `make test-faults` as root"),
        (0, 32, "mounting is refused: mount: tmpfs: permission denied.; run `make test-faults` where root has"),
    ],
)
def test_a_user_who_may_not_mount_is_told_why(tmp_path, monkeypatch, user, code, expected):
    mount(tmp_path, code, "mount: tmpfs: permission denied.")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(conftest.os, "geteuid", lambda: user)
    assert conftest.mounting(tmp_path).startswith(expected)


def test_a_machine_without_mount_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(conftest.os, "geteuid", lambda: 0)
    assert conftest.mounting(tmp_path).startswith("there is no mount: ")
