"""Pulling: the results of a commit, from the remote storage that DVC knows, in part where not all of it is there.

    python -m linear_probing.pulling

`dvc pull` alone leaves a folder out as a whole when one of its files is missing in the remote, and an extraction would
run again for all of it. Here every artefact that is complete is laid out, and those that are not are named.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from linear_probing.artefacts import LAST_STAGES, RESULTS, STAGES
from linear_probing.stage import StudyError, run

ADD = "dvc remote add -d NAME PLACE (a folder, s3://..., ssh://...); or make study, which makes all anew"


class PullError(StudyError):
    """Results that cannot be had from a remote."""


def dvc(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run dvc of this environment, and return what it printed."""
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def tracked() -> list[str]:
    """Return the folders of artefacts that the commit's dvc.lock lists, as far as their lists are in the cache."""
    places = [f"{RESULTS}/{stage}" for stage in STAGES]
    places += [f"{path}/{LAST_STAGES[0]}" for path in sorted(Path(RESULTS, "studies").glob("*"))]
    found = set()
    for place in places:
        listed = dvc("list", ".", place, "--recursive", "--dvc-only", "--json")
        for entry in json.loads(listed.stdout) if listed.returncode == 0 else []:
            found.add(str(Path(place, entry["path"]).parent))
    return sorted(found)


def lay_out() -> list[str]:
    """Lay out every artefact whose files are all in the cache; return those of which some are not.

    Twice over what is not there: where one cannot be laid out, dvc takes its neighbours back.
    """
    dvc("checkout", "--allow-missing")
    missing: list[str] = []
    for _ in range(2):
        absent = [place for place in tracked() if place not in missing and not Path(place).is_dir()]
        missing += [place for place in absent if dvc("checkout", place).returncode]
    return missing


def main() -> None:
    """Pull what DVC tracks; where a part is missing, lay out the rest and say which."""
    argparse.ArgumentParser(description="Pull the results that DVC tracks, in part if need be.").parse_args()
    if not dvc("config", "core.remote").stdout.strip():
        raise PullError(
            "there is no remote to pull from",
            file=".dvc/config",
            likely="the repository names none, since a remote is private",
            do=ADD,
        )
    done = dvc("pull")
    sys.stdout.write(done.stdout)
    if done.returncode == 0:
        return
    missing = lay_out()
    first = next((line for line in done.stderr.splitlines() if "ERROR" in line), "no message")
    what = (
        f"{len(missing)} artefacts are not whole in the remote, as {missing[0]}" if missing else "nothing was fetched"
    )
    raise PullError(
        f"{what}; dvc says: {first.removeprefix('ERROR: ')}",
        likely="they were never pushed, or the remote lost files; all others are laid out" if missing else None,
        do="dvc push where they were made, and pull again; or make study, which makes what a study lacks anew",
    )


if __name__ == "__main__":
    run(main)
