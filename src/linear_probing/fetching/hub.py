"""A model's id and commit in, the folder of its files out; from the hub's cache, or from the hub.

    python -m linear_probing.fetching.hub ID COMMIT [--allow WHAT ...]

Only safetensors, configurations and tokenizers are fetched. A commit is asked for in full, since a branch names other
weights tomorrow. What was cut is resumed, since the hub's library keeps it in its cache. As a process of its own it
serves those whose other parts are offline from the start.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from linear_probing.identity import PICKLED, TOKENIZER, WEIGHTS
from linear_probing.language_model import COMMIT
from linear_probing.stage import StudyError, run, without_secrets

WANTED = tuple(f"*{name}" if name.startswith(".") else name for name in (*WEIGHTS, *TOKENIZER))
"""The files that name a model's content: what is in no digest is not fetched."""
UNWANTED = ("*/*", "consolidated*")
"""What stands in a folder of its own, or is consolidated, is another form of the same weights."""
ON_REQUEST = {"pickled_weights": tuple(f"*{ending}" for ending in PICKLED), "remote_code": ("*.py",)}
TOKEN = "HF_TOKEN"
SITE = "https://huggingface.co"


class FetchError(StudyError):
    """A model or a file that cannot be fetched."""


def wanted(allow: Sequence[str]) -> tuple[str, ...]:
    """Return the patterns of the files that are fetched: `WANTED`, and what is allowed besides."""
    return (*WANTED, *(pattern for key in allow for pattern in ON_REQUEST[key]))


def snapshot(repository: str, commit: str, allow: Sequence[str] = ()) -> Path:
    """Return the folder in the hub's cache that holds a model's files at a commit, fetched where they are not there.

    Parameters
    ----------
    repository : str
        As 'openai-community/gpt2'.
    commit : str
        40 hexadecimal digits.
    allow : Sequence[str]
        What is fetched besides, if it is named: 'pickled_weights', 'remote_code'.

    Raises
    ------
    FetchError
        If the hub has no such model or commit, wants a licence accepted, cannot be reached or stops answering. Neither
        message nor cause holds the token.
    """
    os.environ.update(HF_HUB_OFFLINE="0", HF_HUB_DISABLE_TELEMETRY="1")  # read when the library is imported
    try:
        from huggingface_hub import errors, snapshot_download
    except ValueError as error:  # it takes the address apart when it is imported
        raise FetchError(f"HF_ENDPOINT is no URL: {error}", do="correct or unset HF_ENDPOINT") from None

    page = f"{SITE}/{repository}"
    if not COMMIT.fullmatch(commit):
        raise FetchError(
            f"model {repository}: {commit!r} is not a commit's 40 hexadecimal digits",
            likely="a branch, a tag or a short commit: it may name other weights tomorrow",
            do=f"copy it from git ls-remote {page} {commit}, or from the model's page, Files, History",
        )
    try:
        return Path(
            snapshot_download(repository, revision=commit, allow_patterns=[*wanted(allow)], ignore_patterns=[*UNWANTED])
        )
    except errors.GatedRepoError:
        has = bool(os.environ.get(TOKEN))
        likely = "its licence is not accepted by the token's account" if has else f"{TOKEN} is not set"
        do = (
            f"accept the licence at {page}, make a token that may read at {SITE}/settings/tokens, and set {TOKEN} to it"
        )
        raise FetchError(f"model {repository} is gated", likely=likely, do=do) from None
    except errors.RevisionNotFoundError:
        what, likely = f"has no commit {commit}", "a commit of another model, or it was removed"
        do = f"copy the commit from {page}/commits/main"
    except errors.RepositoryNotFoundError:
        what, likely = "is not on the hub, or private", f"a misspelt id, or {TOKEN} is not set"
        do = f"open {page}; set {TOKEN} if the model is private"
    except Exception as error:  # the library's own, its HTTP client's, the operating system's
        what = f"at {commit} cannot be fetched: {_first_line(error)}"
        likely = "no network, or the hub does not answer"
        do = "run again where there is a network: what was fetched stays in the hub's cache (HF_HOME)"
    raise FetchError(f"model {repository} {what}", likely=likely, do=do) from None


def _first_line(error: BaseException) -> str:
    return without_secrets((str(error).strip() or type(error).__name__).splitlines()[0])


def model_folder(name: str, revision: str | None, allow: Sequence[str] = ()) -> Path:
    """Return the folder of a model: `name` itself if it is one, else that of the hub's model of this name.

    Parameters
    ----------
    name : str
        A folder, or an id as 'openai-community/gpt2'.
    revision : str or None
        The commit's 40 hexadecimal digits, for an id.
    allow : Sequence[str]
        As of `snapshot`, which runs in a process of its own.

    Raises
    ------
    FetchError
        If the commit is absent or short, or as `snapshot` does, whose words come before it.
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
    command = [sys.executable, "-m", "linear_probing.fetching.hub", name, revision, "--allow", *allow]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise FetchError(
            f"model {name} at {revision} cannot be fetched, as said above",
            do="fetch it where there is a network (hf download), or accept its licence and set HF_TOKEN",
        )
    return Path(done.stdout.strip().splitlines()[-1])


def main() -> None:
    """Fetch one model into the hub's cache and print its folder."""
    parser = argparse.ArgumentParser(description="Fetch a model's files at a commit and print their folder.")
    parser.add_argument("repository", help="as openai-community/gpt2")
    parser.add_argument("commit", help="40 hexadecimal digits")
    parser.add_argument("--allow", nargs="*", default=[], choices=[*ON_REQUEST], help="what is fetched besides")
    arguments = parser.parse_args()
    sys.stdout.write(f"{snapshot(arguments.repository, arguments.commit, arguments.allow)}\n")


if __name__ == "__main__":
    run(main)
