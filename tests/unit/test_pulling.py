"""What a pull that was killed left: removed where it is DVC's own, and never taken for a whole artefact."""

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from linear_probing import pulling, records
from linear_probing.provenance import Made

STATES = "results/activations"
PLACES = [f"{STATES}/atlas/{name}-0123456789" for name in ("cities", "place")]
SHARD = "shard-0-of-1.safetensors"
NAME = ".gC82RJH_C3VA187oL4CP0w.tmp"


def write(place):
    folder = Path(place)
    folder.mkdir(parents=True)
    (folder / SHARD).write_text(place)
    records.write(folder / "shard-0-of-1.json", Made("activations", {}, {}, {}), [folder / SHARD])


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Write two artefacts that dvc.lock tracks, and stand a DVC in that restores what the cache has."""
    monkeypatch.chdir(tmp_path)
    for place in PLACES:
        write(place)
    outs = [{"path": STATES}, {"path": "results/studies/tiny/figures"}]
    Path("dvc.lock").write_text(json.dumps({"stages": {"activations": {"outs": outs}}}))
    cache = {path.as_posix(): path.read_bytes() for path in sorted(Path(STATES).rglob("*")) if path.is_file()}
    listed = {name: hashlib.md5(content).hexdigest() for name, content in cache.items()}

    def dvc(command, *arguments):
        if command == "list":
            entries = [{"path": str(Path(name).relative_to(STATES)), "md5": md5} for name, md5 in listed.items()]
            return SimpleNamespace(returncode=0, stdout=json.dumps(entries))
        place = arguments[-1]
        of_place = {name for name in listed if Path(name).parent == Path(place)}
        if of_place <= cache.keys():
            for name in of_place:
                Path(name).parent.mkdir(parents=True, exist_ok=True)
                Path(name).write_bytes(cache[name])
        return SimpleNamespace(returncode=int(not of_place <= cache.keys()), stdout="")

    monkeypatch.setattr(pulling, "dvc", dvc)
    return cache


def standing():
    return {path.as_posix(): path.read_bytes() for path in Path(STATES).rglob("*") if path.is_file()}


def test_a_record_whose_files_a_kill_kept_away_is_not_taken_for_an_artefact(kept):
    (Path(PLACES[0]) / SHARD).unlink()
    assert pulling.restore() == []
    assert standing() == kept


def test_of_an_artefact_that_cannot_be_had_whole_no_record_stays(kept):
    shard = Path(PLACES[0], SHARD)
    shard.unlink()
    del kept[shard.as_posix()]
    assert pulling.restore() == [PLACES[0]]
    assert not shard.parent.exists()
    assert {path for path in kept if path.startswith(PLACES[1])} == standing().keys()


def test_what_a_record_calls_changed_is_not_whole_although_dvc_lists_it(kept):
    """As where it was damaged before it was pushed."""
    shard = Path(PLACES[0], SHARD)
    shard.write_text("damaged")
    kept[shard.as_posix()] = b"damaged"
    listed = {name: hashlib.md5(content).hexdigest() for name, content in kept.items() if name.startswith(PLACES[0])}
    assert not pulling.is_whole(PLACES[0], listed)
    assert not pulling.is_restored(PLACES[0], listed)
    assert not shard.parent.exists()


def test_what_was_edited_stays_with_all_that_stands_beside_it(kept):
    shard = Path(PLACES[0], SHARD)
    shard.write_text("my own")
    del kept[shard.as_posix()]
    before = standing()
    assert pulling.restore() == [PLACES[0]]
    assert standing() == before


def test_what_dvc_does_not_know_stays(kept):
    shard, mine = Path(PLACES[0], SHARD), Path(PLACES[0], "mine.txt")
    shard.unlink()
    del kept[shard.as_posix()]
    mine.touch()
    assert pulling.restore() == [PLACES[0]]
    assert list(shard.parent.iterdir()) == [mine]


@pytest.fixture
def lock(monkeypatch):
    """Stand a repository in whose lock is free, or held."""
    from dvc.lock import LockError

    state = SimpleNamespace(held=False)

    class Held:
        def __enter__(self):
            if state.held:
                raise LockError("Unable to acquire lock")

        def __exit__(self, *_):
            pass

    class Repository(Held):
        lock = Held()

        def __enter__(self):
            return self

    monkeypatch.setattr("dvc.repo.Repo", Repository)
    return state


def test_only_what_dvc_left_below_its_outputs_is_removed(kept, lock, tmp_path):
    (tmp_path / "mine").write_text("mine")
    folder = Path(PLACES[0])
    stay = [folder / name for name in (".short.tmp", f"a{NAME}", f"{NAME}.txt", NAME.replace("_", "+"))]
    stay += [Path("results/studies/tiny/figures") / NAME, Path(NAME)]
    for path in (*stay, folder / NAME):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    link, inner = folder / NAME.replace("g", "h"), folder.parent / NAME
    link.symlink_to(tmp_path / "mine")
    inner.mkdir()
    assert pulling.remove_unfinished(pulling.outputs()) == [folder / NAME]
    assert not (folder / NAME).exists()
    assert all(path.exists() for path in (*stay, link, inner))


def test_what_a_dvc_that_is_at_work_writes_stays(kept, lock):
    lock.held = True
    path = Path(PLACES[0], NAME)
    path.touch()
    with pytest.raises(pulling.PullError, match=r"(?s)another DVC is at work here.*do:     wait for it"):
        pulling.remove_unfinished(pulling.outputs())
    assert path.exists()
