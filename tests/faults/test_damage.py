"""Files that are cut short, that have one other byte, or are empty: named, refused by who reads them, made anew."""

import pytest

from faults.harm import jobs, message, told

pytestmark = pytest.mark.faults


def cut(content):
    return content[: len(content) // 2]


def flip(content):
    return content[:-5] + bytes([content[-5] ^ 1]) + content[-4:]


def empty(content):
    return b""


HARMS = {"cut short": cut, "with one flipped bit": flip, "that is empty": empty}
FILES = {
    "datasets/*/targets.csv": ("probes/text/*", {"datasets": 1, "baselines": 1}),
    "tokens/atlas/*/tokens.safetensors": ("activations/atlas/*", {"tokens": 1, "activations": 2}),
    "tokens/atlas/*/record.json": ("activations/atlas/*", {"tokens": 1, "activations": 2}),
    "activations/atlas/*/shard-1-of-2.safetensors": ("probes/atlas/*", {"activations": 2, "probes": 1}),
    "probes/atlas/*/scores.safetensors": ("transfer/atlas/*", {"probes": 1, "transfer": 1}),
}
"""By file: what is made from it, and the jobs that both take."""


def goal_of(study, reader):
    """Lose what reads a file, and return the target that makes it."""
    goal = "activations" if reader.startswith("activations") else study.record(reader)
    study.lose(reader)
    return goal


@pytest.mark.parametrize("file", FILES)
def test_a_damaged_file_is_named_refused_and_made_anew(study, tell, file):
    path = study.place(file)
    content = path.read_bytes()
    for harm in HARMS.values():
        path.write_bytes(harm(content))
        found = study.verified()
        assert {kind for kind, _ in found} >= {"damaged"}
        assert any(path.name in place for _, place in found)
    path.write_bytes(empty(content) if path.suffix == ".json" else flip(content))
    reader, expected = FILES[file]
    goal = goal_of(study, reader)
    code, said = study.make(goal)
    assert code == 1
    subject, do = message(said)
    assert subject.startswith(f"{path.name} is ")
    assert do.startswith("delete the folder results/")
    assert do.endswith("/cities and run snakemake again")
    study.lose(path.parent.relative_to(study.folder / "results").as_posix())
    code, again = study.make(goal)
    assert code == 0, again
    assert jobs(again) == expected
    study.is_as_undisturbed()
    for name in HARMS:
        tell(f"a file {name}", "the artefact that it stands in", alone(expected, reader), told(said))


def alone(expected, reader):
    """Return the jobs without that which the test itself asked for, to have a reader."""
    own = {"probes/text/*": "baselines"}.get(reader, reader.split("/")[0])
    return {stage: count for stage, count in expected.items() if stage != own}


def test_a_damaged_table_is_named_and_made_anew(study, tell):
    path = study.place("studies/small/statistics/layers.csv")
    content = path.read_bytes()
    for harm in HARMS.values():
        path.write_bytes(harm(content))
        assert study.verified() == [("damaged", "studies/small/statistics/layers.csv")]
    says = told(study.verification().stderr)
    study.lose("studies/small/statistics")
    code, again = study.make()
    assert code == 0, again
    assert jobs(again) == {"figures": 1, "statistics": 1}, "figures are drawn from what is newer"
    study.is_as_undisturbed()
    for name in HARMS:
        tell(f"a file {name}", "the artefact that it stands in", jobs(again), says)


def test_an_empty_manifest_is_written_anew(study, tell):
    study.place("studies/small/manifest.json").write_bytes(b"")
    done = study.run("python", "-m", "linear_probing.pruning")
    assert done.returncode == 1
    assert message(done.stderr)[1] == "run snakemake on that study's configuration: it is written anew"
    code, again = study.make()
    assert code == 0, again
    assert jobs(again) == {}
    study.is_as_undisturbed()
    tell("an empty manifest", "the list of what the study needs", jobs(again), told(done.stderr))
