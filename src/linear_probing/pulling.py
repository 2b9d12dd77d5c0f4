"""Pulling: the results of a commit, from the remote storage that DVC knows, in part where not all of it is there.

    python -m linear_probing.pulling

`dvc pull` alone restores nothing of a folder one of whose files is missing in the remote, and an extraction would run
again for all of it. Here every artefact that is complete is restored, and those that are not are named. What a pull
that was killed left half written is removed first: DVC takes it for a file of yours, and would refuse for its sake.
"""

import argparse
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import yaml

from linear_probing import records
from linear_probing.artefacts import FLAT, RESULTS, STAGES
from linear_probing.stage import StudyError, run

LOCK = Path("dvc.lock")
DEPTHS = {f"{RESULTS}/{stage}": 1 if stage in FLAT else 2 for stage in STAGES}
"""How many folders below an output an artefact's own is."""
TEMPORARY = re.compile(r"\.[A-Za-z0-9_-]{22}\.tmp")
"""The name, beside its place, of a file that DVC is writing or was when it was killed."""
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


def outputs() -> list[str]:
    """Return the folders that DVC keeps, as dvc.lock has them; figures are drawn, and not kept."""
    stages = yaml.safe_load(LOCK.read_text(encoding="utf-8"))["stages"].values()
    found = [out["path"] for stage in stages for out in stage["outs"]]
    return [output for output in found if Path(output).name != "figures"]


def remove_unfinished(places: Iterable[str]) -> list[Path]:
    """Remove and return what a killed DVC left half written below its outputs.

    Raises
    ------
    PullError
        If another DVC is at work here, whose files they may be.
    """
    below = (path for place in places for path in records.entries(Path(place)))
    found = [path for path in below if TEMPORARY.fullmatch(path.name) and path.is_file() and not path.is_symlink()]
    if found:
        from dvc.lock import LockError  # type: ignore[import-untyped]
        from dvc.repo import Repo  # type: ignore[import-untyped]

        try:
            with Repo() as repo, repo.lock:
                for path in found:
                    path.unlink(missing_ok=True)
        except LockError as error:
            raise PullError("another DVC is at work here", file=found[0], do="wait for it, and pull again") from error
    return found


def tracked() -> tuple[dict[str, dict[str, str]], list[str]]:
    """Return the artefacts' folders that dvc.lock tracks, and the outputs whose list of files is missing itself.

    Of each folder, the MD5 of every file in it by its path.
    """
    found: dict[str, dict[str, str]] = {}
    unknown: list[str] = []
    for output in outputs():
        listed = dvc("list", ".", output, "--recursive", "--dvc-only", "--json", "--show-hash")
        if listed.returncode:
            unknown.append(output)
            continue
        for entry in json.loads(listed.stdout):
            path = Path(output, entry["path"])
            place = Path(output, *Path(entry["path"]).parts[: DEPTHS.get(output, 0)])
            found.setdefault(place.as_posix(), {})[path.as_posix()] = entry["md5"]
    return dict(sorted(found.items())), unknown


def is_there(place: str, listed: Mapping[str, str]) -> bool:
    """Return whether every file of an artefact that dvc.lock lists stands in its place."""
    return all(Path(name).is_file() for name in listed)


def is_whole(place: str, listed: Mapping[str, str]) -> bool:
    """Return whether an artefact is all there, and as its records say: a kill leaves a record without its files."""
    if not is_there(place, listed):
        return False
    try:
        records.check(Path(place))
    except records.RecordError:
        return False
    return True


def take_out(place: str, listed: Mapping[str, str]) -> None:
    """Remove the files of an artefact that is there in part: by its record alone the workflow would believe it.

    Of what dvc.lock lists, only what has the bytes that it lists; where one was edited, nothing.
    """
    there = {name: digest for name, digest in listed.items() if Path(name).is_file()}
    if all(_md5(Path(name)) == digest for name, digest in there.items()):
        for name in there:
            Path(name).unlink()
        with suppress(OSError):  # files that DVC does not know, or no folder at all
            Path(place).rmdir()


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def is_restored(place: str, listed: Mapping[str, str]) -> bool:
    """Check an artefact out and return whether it is whole; of one that is not nothing stays, but what was edited."""
    dvc("checkout", place)
    if is_whole(place, listed):
        return True
    take_out(place, listed)
    return False


def restore() -> list[str]:
    """Restore every artefact whose files are all in the cache; return those of which some are not.

    Twice over what is not there: where one cannot be restored, dvc removes its neighbours again.
    """
    dvc("checkout", "--allow-missing")
    places, missing = tracked()
    for has in (is_whole, is_there):
        absent = [place for place, listed in places.items() if place not in missing and not has(place, listed)]
        missing += [place for place in absent if not is_restored(place, places[place])]
    return missing


def problem() -> tuple[str, str] | None:
    """Return why the remote gives nothing at all, and the likely cause; None if it holds something.

    DVC calls files missing where it is the bucket that is, and names no remote where it is refused.
    """
    from dvc.repo import Repo

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
    remove_unfinished(outputs())
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
