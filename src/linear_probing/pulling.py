"""Pulling: the results of a commit, from the remote storage that DVC knows, in part where not all of it is there.

    python -m linear_probing.pulling

`dvc pull` alone restores nothing of a folder one of whose files is missing in the remote, and an extraction would run
again for all of it. Here every artefact that is complete is restored, and those that are not are named.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import yaml

from linear_probing.artefacts import FLAT, RESULTS, STAGES
from linear_probing.stage import StudyError, run

LOCK = Path("dvc.lock")
DEPTHS = {f"{RESULTS}/{stage}": 1 if stage in FLAT else 2 for stage in STAGES}
"""How many folders below an output an artefact's own is."""
KEYS = (
    "say the key in the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY of a bucket), or by dvc remote modify"
    " --local; docs/sharing.md says where, and `make setup-storage` installs what s3 needs"
)
ADD = "dvc remote add --local --default NAME PLACE (a folder, s3://..., ssh://...); or make study, which makes all anew"


class PullError(StudyError):
    """Results that cannot be had from a remote."""


def dvc(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run dvc of this environment, and return what it printed."""
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def tracked() -> tuple[list[str], list[str]]:
    """Return the artefacts' folders that dvc.lock tracks, and the outputs whose list of files is missing itself."""
    stages = yaml.safe_load(LOCK.read_text(encoding="utf-8"))["stages"].values()
    outputs = [out["path"] for stage in stages for out in stage["outs"]]
    found: set[str] = set()
    unknown: list[str] = []
    for output in outputs:
        if Path(output).name == "figures":  # drawn, not kept
            continue
        listed = dvc("list", ".", output, "--recursive", "--dvc-only", "--json")
        if listed.returncode:
            unknown.append(output)
        else:
            parents = (Path(entry["path"]).parts[: DEPTHS.get(output, 0)] for entry in json.loads(listed.stdout))
            found |= {str(Path(output, *parts)) for parts in parents}
    return sorted(found), unknown


def restore() -> list[str]:
    """Restore every artefact whose files are all in the cache; return those of which some are not.

    Twice over what is not there: where one cannot be restored, dvc removes its neighbours again.
    """
    dvc("checkout", "--allow-missing")
    places, missing = tracked()
    for _ in range(2):
        absent = [place for place in places if place not in missing and not Path(place).is_dir()]
        missing += [place for place in absent if dvc("checkout", place).returncode]
    return missing


def problem() -> tuple[str, str] | None:
    """Return why the remote gives nothing at all, and the likely cause; None if it holds something.

    DVC calls files missing where it is the bucket that is, and names no remote where it is refused.
    """
    from dvc.repo import Repo  # type: ignore[import-untyped]

    name = dvc("config", "core.remote").stdout.strip()
    url = dvc("config", f"remote.{name}.url").stdout.strip()
    try:
        with Repo() as repo:
            store = repo.cloud.get_remote_odb(name)
            if store.fs.exists(store.path):
                return None
    except Exception as error:  # of whatever library speaks to such a remote
        return (
            f"the remote {name} ({url}) cannot be read: {error}",
            "a wrong key or none, a wrong address, or no network",
        )
    return f"the remote {name} ({url}) holds nothing", "no such bucket or folder, or nothing was pushed to it"


def main() -> None:
    """Pull what DVC tracks; where a part is missing, restore the rest and say which."""
    argparse.ArgumentParser(description="Pull the results that DVC tracks, in part if need be.").parse_args()
    if not LOCK.is_file():
        raise PullError("there is no dvc.lock, so nothing is tracked", do="run it at the top of the repository")
    if not dvc("config", "core.remote").stdout.strip():
        raise PullError(
            "there is no remote to pull from",
            file=".dvc/config",
            likely="the repository names none, since a remote is private",
            do=ADD,
        )
    if subprocess.run([sys.executable, "-m", "dvc", "pull"], check=False).returncode:
        found = problem()
        if found is not None:
            dvc("checkout", "--allow-missing")  # what the cache has
            raise PullError(found[0], likely=found[1], do=f"compare its address with dvc remote list; {KEYS}")
        missing = restore()
        raise PullError(
            f"not whole in the remote: {', '.join(missing) or 'something that has no name here'}",
            likely="they were never pushed, or the remote lost files (what is whole there was restored); or files of"
            " yours or of another study are in the way: --force would remove them",
            do="dvc push where they were made, and pull again; or make study, which makes what a study lacks anew",
        )


if __name__ == "__main__":
    run(main)
