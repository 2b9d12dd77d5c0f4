"""Results shared through an S3 bucket: pushed, pulled by a clone, drawn there; and who does not get them, and why."""

import pytest

pytestmark = [pytest.mark.storage, pytest.mark.workflow, pytest.mark.xdist_group("storage")]
FIGURES = "results/studies/atlas/figures"
LOCAL = ".dvc/config.local"


def shards(clone):
    return {path: path.stat().st_mtime_ns for path in (clone.folder / "results").rglob("shard-*.safetensors")}


def keys_in(clone, key):
    """Return the files of a clone, those of its commits included, in which a part of the key stands."""
    parts = [value.encode() for value in key.values()]
    found = {name for name, content in clone.files(".").items() if any(part in content for part in parts)}
    commits = clone.done("git", "rev-list", "--all").split()
    named = [clone.run("git", "grep", "--text", "--files-with-matches", value, *commits) for value in key.values()]
    assert all(one.returncode in (0, 1) for one in named)
    return found | {line for one in named for line in one.stdout.splitlines()}


def test_a_clone_pulls_from_the_bucket_and_draws_the_same_figures_without_extraction(origin, clone):
    pulled = clone.pull()
    assert pulled.returncode == 0, pulled.stderr
    before = shards(clone)
    assert len(before) == 2
    assert clone.planned(config=None) == {"figures": 1}
    drawn = clone.snakemake(config=None)
    assert drawn.returncode == 0, drawn.stderr
    assert shards(clone) == before
    assert clone.files(FIGURES) == origin.files(FIGURES)


def test_the_key_stands_in_no_file(origin, clone, key):
    assert clone.pull().returncode == 0
    assert keys_in(origin, key) == set()
    assert keys_in(clone, key) == set()


def test_a_key_of_ones_own_file_serves_and_goes_nowhere(clone, key):
    own = clone.without_a_key()
    own.dvc("remote", "modify", "--local", "store", "access_key_id", key["AWS_ACCESS_KEY_ID"])
    own.dvc("remote", "modify", "--local", "store", "secret_access_key", key["AWS_SECRET_ACCESS_KEY"])
    pulled = own.pull()
    assert pulled.returncode == 0, pulled.stderr
    assert keys_in(own, key) == {LOCAL}
    assert LOCAL in own.done("git", "check-ignore", LOCAL)
    assert own.done("git", "status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "another"}, "cannot be read: Forbidden"),
        ({"AWS_ACCESS_KEY_ID": "another"}, "cannot be read: Forbidden"),
        (None, "cannot be read: Unable to locate credentials"),
    ],
)
def test_a_wrong_key_is_told(clone, key, variables, says):
    wrong = clone.without_a_key() if variables is None else type(clone)(clone.folder, clone.programs, key | variables)
    pulled = wrong.pull()
    assert pulled.returncode == 1
    assert f"PullError: the remote store (s3://results/study) {says}" in pulled.stderr
    assert "likely: a wrong key or none" in pulled.stderr
    assert "do:     compare its address with dvc remote list; say the key in the environment" in pulled.stderr
    assert shards(wrong) == {}


def test_a_bucket_that_is_not_there_is_told(clone):
    clone.dvc("remote", "modify", "--local", "store", "url", "s3://nowhere/study")
    pulled = clone.pull()
    assert pulled.returncode == 1
    assert "PullError: the remote store (s3://nowhere/study) holds nothing" in pulled.stderr
    assert "likely: no such bucket or folder, or nothing was pushed to it" in pulled.stderr
    # A push says so itself, and ends with an error.
    (clone.folder / "mine.csv").write_text("text,label\n")
    clone.dvc("add", "mine.csv")
    pushed = clone.run("python", "-m", "dvc", "push", "mine.csv")
    assert pushed.returncode != 0
    assert "The specified bucket does not exist" in pushed.stderr
