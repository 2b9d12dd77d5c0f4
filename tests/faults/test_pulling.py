"""kill -9 of a pull while DVC writes a file, with a real DVC and a folder for its remote."""

import os
import subprocess
import sys

import pytest

from clones import Clone
from faults.harm import bytes_of
from linear_probing import records
from linear_probing.provenance import Made

pytestmark = pytest.mark.faults
PLACE = "results/activations/atlas/cities-0123456789"
SHARD, RECORD = f"{PLACE}/shard-0-of-1.safetensors", f"{PLACE}/shard-0-of-1.json"
STAGES = "stages:\n  activations:\n    cmd: 'true'\n    outs:\n    - results/activations:\n        persist: true\n"
KILLED = f"""
import os, signal, sys

def hook(name, arguments):
    if name == "os.rename" and str(arguments[1]).endswith("{SHARD}"):
        os.truncate(arguments[0], 1000)
        os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(hook)
from dvc.cli import main
main(["pull"])
"""


@pytest.fixture
def pulled_in_part(tmp_path, monkeypatch):
    """Return a repository whose pull was killed, and what a whole one has."""
    repository = Clone(tmp_path / "repository")
    folder = repository.folder / PLACE
    folder.mkdir(parents=True)
    (repository.folder / SHARD).write_bytes(os.urandom(100_000))
    records.write(repository.folder / RECORD, Made("activations", {}, {}, {}), [repository.folder / SHARD])
    (repository.folder / "dvc.yaml").write_text(STAGES)
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    environment = repository.environment | {"PYTHONPATH": os.pathsep.join(sys.path)}
    monkeypatch.setattr(Clone, "environment", environment)
    repository.done("git", "init", "--quiet")
    repository.done("dvc", "init", "--quiet")
    repository.done("dvc", "remote", "add", "--local", "--default", "store", str(tmp_path / "store"))
    repository.done("dvc", "commit", "--force", "--quiet")
    repository.done("dvc", "push", "--quiet")
    whole = bytes_of(repository)
    repository.done("rm", "-rf", "results/activations", ".dvc/cache")
    killed = subprocess.run([sys.executable, "-c", KILLED], cwd=repository.folder, check=False, timeout=120)
    assert killed.returncode == -9
    left = [path.name for path in folder.iterdir() if path.suffix == ".tmp"]
    assert len(left) == 1, "what DVC has not finished"
    # Which of several files comes first is not said: here the record.
    (repository.folder / RECORD).write_bytes(whole[RECORD])
    return repository, whole


def test_a_pull_that_was_killed_is_ended_by_the_next(pulled_in_part, tell):
    repository, whole = pulled_in_part
    refused = repository.run("dvc", "pull")
    assert "Can't remove the following unsaved files" in refused.stderr, "what DVC itself says"
    done = repository.run("python", "-m", "linear_probing.pulling")
    assert done.returncode == 0, done.stderr
    assert bytes_of(repository) == whole
    tell("kill -9 of a pull", "what was not there yet", {}, "nothing: the next `make pull` ends it")


def test_a_pull_that_was_killed_is_believed_by_nobody_where_the_rest_is_lost(pulled_in_part):
    repository, _ = pulled_in_part
    for path in (repository.folder / ".dvc" / "cache", repository.folder.parent / "store"):
        for large in (one for one in path.rglob("*") if one.is_file() and one.stat().st_size == 100_000):
            large.unlink()
    done = repository.run("python", "-m", "linear_probing.pulling")
    assert done.returncode == 1
    assert f"PullError: not whole in the remote: {PLACE}" in done.stderr
    assert not (repository.folder / PLACE).exists()
