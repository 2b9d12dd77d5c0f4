"""An S3 server that knows one key, a small study whose results were pushed to it, and clones with the key or without.

The server and DVC's client for it have environments of their own, which `make test-storage` makes.
"""

import importlib.util
import json
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SERVER, PROGRAMS = ROOT / ".venv-s3" / "bin" / "python", ROOT / ".venv-storage" / "bin"
CLONES = ROOT / "tests" / "workflow" / "conftest.py"
"""Where copies and clones of the repository are made for tests."""


def _clones():
    spec = importlib.util.spec_from_file_location("clones", CLONES)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


clones = _clones()


@dataclass(frozen=True)
class Member(clones.Clone):
    """A clone whose user has these variables, and no other way to a key: no file at home, no cloud's own address."""

    variables: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self):
        own = {name: value for name, value in super().environment.items() if not name.startswith("AWS_")}
        nowhere = str(self.folder.parent / "nowhere")
        own |= {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": nowhere, "AWS_SHARED_CREDENTIALS_FILE": nowhere}
        return {**own, **self.variables}

    def dvc(self, *arguments):
        return self.done("python", "-m", "dvc", *arguments)

    def pull(self):
        return self.run("python", "-m", "linear_probing.pulling")

    def without_a_key(self):
        return replace(self, variables={})


@pytest.fixture(scope="session")
def server():
    for path in (SERVER, PROGRAMS / "python"):
        if not path.exists():
            pytest.skip(f"there is no {path.relative_to(ROOT)}: make test-storage makes it and runs this")
    program = Path(__file__).with_name("s3_server.py")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([str(SERVER), str(program)], text=True, **pipes) as running:
        line = running.stdout.readline()
        assert line, "the server said nothing: make test-storage makes its environment"
        yield json.loads(line)
        running.stdin.close()


@pytest.fixture(scope="session")
def key(server):
    """Return the variables by which a member of the group says the key."""
    return {"AWS_ACCESS_KEY_ID": server["key"], "AWS_SECRET_ACCESS_KEY": server["secret"]}


@pytest.fixture(scope="session")
def origin(server, key, tmp_path_factory):
    """Return a repository whose small default study was made by `dvc repro` and pushed; its commits name the bucket."""
    made = clones.copy_working_tree(tmp_path_factory.mktemp("origin") / "repository")
    member = Member(made.folder, PROGRAMS, key)
    content = yaml.safe_load((member.folder / "config" / "tiny.yaml").read_text())
    content |= {"name": "atlas", "datasets": {"larger_than": content["datasets"]["larger_than"]}}
    del content["interventions"]["elsewhere"]
    content["tasks"] = {name: task for name, task in content["tasks"].items() if name.startswith("larger_than")}
    (member.folder / "config" / "study.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    member.done("git", "init", "--quiet", "--initial-branch=main")
    member.dvc("remote", "add", "--default", "store", f"s3://{server['bucket']}/study")
    member.dvc("remote", "modify", "store", "endpointurl", server["endpoint"])
    clones.commit(member, "the project, with a small default study and the address of a bucket")
    member.dvc("repro")
    member.dvc("push")
    clones.commit(member, "its results")
    return member


@pytest.fixture
def clone(origin, tmp_path):
    """Return a git clone of it, whose user has the key."""
    folder = tmp_path / "repository"
    origin.done("git", "clone", "--quiet", str(origin.folder), str(folder))
    return replace(origin, folder=folder)
