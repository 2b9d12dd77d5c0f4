"""Fetching: a model's name and commit in, the folder of its files out; from the hub's cache, or from the hub.

Only safetensors, configurations and tokenizers are fetched. A commit is asked for in full, since a branch names other
weights tomorrow. The download runs as a process of its own: everything else in the package is offline from the start.
"""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from linear_probing.stage import StudyError

COMMIT = re.compile(r"[0-9a-f]{40}")
WANTED = ("*.safetensors", "*.safetensors.index.json", "*.json", "*.txt", "*.jinja", "*.model")
ON_REQUEST = {"pickled_weights": ("*.bin",), "remote_code": ("*.py",)}
CODE = (
    "import json, sys; from huggingface_hub import snapshot_download; "
    "print(snapshot_download(sys.argv[1], revision=sys.argv[2], allow_patterns=sys.argv[3:]))"
)


class FetchError(StudyError):
    """A model that cannot be fetched."""


def model_folder(name: str, revision: str | None, allow: Sequence[str] = ()) -> Path:
    """Return the folder of a model: `name` itself if it is one, else that of the hub's model of this name.

    Parameters
    ----------
    name : str
        A folder, or an id as 'openai-community/gpt2'.
    revision : str or None
        The commit's 40 hexadecimal digits, for an id.
    allow : Sequence[str]
        What is fetched besides, if it is named: 'pickled_weights', 'remote_code'.

    Raises
    ------
    FetchError
        If the commit is absent or short, or the hub cannot be reached and has not been asked before.
    """
    if Path(name).is_dir():
        return Path(name)
    if revision is None or not COMMIT.fullmatch(revision):
        raise FetchError(
            f"model {name}: expected a folder, or a model of the hub with the commit's 40 hexadecimal digits, "
            f"found revision {revision!r}",
            likely="the folder does not exist" if name.startswith((".", "/")) else "a branch or a short commit",
            do=f"copy the commit from the model's page, Files, History, and add --revision COMMIT to {name}",
        )
    more = [pattern for key in allow for pattern in ON_REQUEST[key]]
    command = [sys.executable, "-c", CODE, name, revision, *WANTED, *more]
    environment = {**os.environ, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_PROGRESS_BARS": "0"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise FetchError(
            f"model {name} at {revision} cannot be fetched: {lines[-1]}",
            likely="no network, no such commit, or a licence that has not been accepted",
            do="fetch it where there is a network (hf download), or accept its licence and set HF_TOKEN",
        )
    return Path(done.stdout.strip().splitlines()[-1])
