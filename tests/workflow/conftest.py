"""Clones of the working tree: one in which the tiny study has run, and two that share its results through DVC.

`finished` is a copy of the files, for what runs again after which change. `origin` is a git repository whose default
study is of the tiny one's size, made by `dvc repro` and pushed to a folder; `pulled` is a git clone of it, with an
environment of its own that `make setup` made, and nothing but what `dvc pull` brought.
"""

import sys

import pytest

from clones import Clone, copy_working_tree


@pytest.fixture
def bare(tmp_path):
    """Return a copy of the working tree without results, free to be edited."""
    return copy_working_tree(tmp_path / "repository")


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    clone = copy_working_tree(tmp_path_factory.mktemp("clone") / "repository")
    done = clone.snakemake()
    assert done.returncode == 0, done.stderr[-3000:]
    return clone


def commit(clone, message):
    clone.done("git", "add", "--all")
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    clone.done("git", *identity, "commit", "--quiet", "--message", message)


@pytest.fixture(scope="session")
def origin(tmp_path_factory):
    clone = copy_working_tree(tmp_path_factory.mktemp("origin") / "repository")
    lines = (clone.folder / "config" / "tiny.yaml").read_text().replace("name: tiny", "name: atlas").splitlines()
    small = [line for line in lines if not line.lstrip().startswith("cities")]
    (clone.folder / "config" / "study.yaml").write_text("\n".join(small) + "\n")
    clone.done("git", "init", "--quiet", "--initial-branch=main")
    commit(clone, "the project, with a small default study")
    clone.done("dvc", "repro")
    clone.done("dvc", "remote", "add", "--local", "--default", "store", str(clone.folder.parent / "store"))
    clone.done("dvc", "push")
    commit(clone, "its results")
    return clone


@pytest.fixture(scope="session")
def pulled(origin, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pulled") / "repository"
    origin.done("git", "clone", "--quiet", str(origin.folder), str(folder))
    clone = Clone(folder, folder / ".venv" / "bin")
    clone.done("make", "setup", f"PYTHON={sys.base_exec_prefix}/bin/python3")
    clone.done("dvc", "remote", "add", "--local", "--default", "store", str(origin.folder.parent / "store"))
    clone.done("dvc", "pull")
    return clone


@pytest.fixture
def second(pulled, tmp_path):
    """Return a copy of the pulled clone, with its environment, free to be edited; Snakemake remembers nothing there."""
    return pulled.copy(tmp_path / "repository")


@pytest.fixture
def clone(finished, tmp_path):
    """Return a copy of the finished clone, free to be edited."""
    return finished.copy(tmp_path / "repository")
