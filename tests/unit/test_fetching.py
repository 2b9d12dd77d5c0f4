"""Fetching from a server on loopback: files by digest, resumed, and what goes wrong; models by commit, gated or not."""

import hashlib
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from linear_probing import downloads, settings, sources
from linear_probing.fetching import files, packages
from linear_probing.fetching.hub import FetchError
from linear_probing.language_model import Package
from linear_probing.sources import Source, SourceError

COMMIT = "0123456789" * 4
PATH = "owner/repository/commit/words.csv"
BODY = b"text,label\n" + b"some words,1\n" * 15_000


@pytest.fixture
def public(tmp_path, monkeypatch):
    """Return a source, the folder of a server that has it, and the folder to fetch into."""
    served = tmp_path / "served"
    (served / PATH).parent.mkdir(parents=True)
    (served / PATH).write_bytes(BODY)
    monkeypatch.setattr(files, "PARTS", tmp_path / "parts")
    monkeypatch.delenv(files.MIRROR, raising=False)
    (tmp_path / "target").mkdir()
    digest = hashlib.sha256(BODY).hexdigest()
    url = f"https://raw.githubusercontent.com/{PATH}"
    return Source("words", url, digest, "MIT", "", "", 15_000, 150_000, len(BODY)), served, tmp_path / "target"


def test_a_file_is_fetched_from_a_server(public, serving, monkeypatch):
    source, served, target = public
    with serving(served) as server:
        monkeypatch.setenv(files.MIRROR, server.url)
        assert files.fetch(source, target).read_bytes() == BODY
    assert [path.name for path in target.iterdir()] == ["words.csv"]


def test_a_mirror_may_be_a_folder(public, monkeypatch):
    source, served, target = public
    monkeypatch.setenv(files.MIRROR, str(served))
    assert files.fetch(source, target).read_bytes() == BODY


def test_a_cut_download_goes_on_where_it_was_cut(public, serving, monkeypatch):
    source, served, target = public
    with serving(served, faults=["cut"]) as server:
        monkeypatch.setenv(files.MIRROR, server.url)
        assert files.fetch(source, target).read_bytes() == BODY
    ranges = [asked for _, _, asked in server.asked]
    assert ranges[0] is None
    assert ranges[1].startswith("bytes=")
    assert ranges[1] != "bytes=0-"


def test_what_was_fetched_before_the_end_of_a_run_is_not_fetched_again(public, serving, monkeypatch):
    source, served, target = public
    with serving(served, faults=["cut"] * files.ATTEMPTS) as server:
        monkeypatch.setenv(files.MIRROR, server.url)
        with pytest.raises(FetchError, match=r"(?s)words cannot be fetched.*do:     fetch it where there is a network"):
            files.fetch(source, target)
        assert not list(target.iterdir())
        n_asked = len(server.asked)
        files.fetch(source, target)
    assert (target / "words.csv").read_bytes() == BODY
    assert all(asked is not None for _, _, asked in server.asked[n_asked:])


def test_two_downloads_of_one_file_at_once_both_get_it(public, serving, tmp_path, monkeypatch):
    """One stops after its first piece until the other, which begins after it, is done."""
    source, served, target = public
    begun, other_done = threading.Event(), threading.Event()

    class Stopping(files.tqdm):
        def update(self, n=1):
            if threading.current_thread() is first:
                begun.set()
                other_done.wait(30)
            return super().update(n)

    monkeypatch.setattr(files, "tqdm", Stopping)
    got = []
    first = threading.Thread(target=lambda: got.append(files.fetch(source, target).read_bytes()))
    (tmp_path / "other").mkdir()
    with serving(served) as server:
        monkeypatch.setenv(files.MIRROR, server.url)
        first.start()
        assert begun.wait(30)
        try:
            assert files.fetch(source, tmp_path / "other").read_bytes() == BODY
        finally:
            other_done.set()
            first.join()
    assert got == [BODY]
    assert [path.suffix for path in files.PARTS.iterdir()] == [".lock"]


def test_where_the_file_system_knows_no_locks_a_file_is_fetched_all_the_same(public, serving, monkeypatch):
    source, served, target = public

    def none(*arguments, **named):
        raise NotImplementedError("no flock")

    monkeypatch.setattr(files, "FileLock", none)
    with serving(served, faults=["cut"]) as server:
        monkeypatch.setenv(files.MIRROR, server.url)
        assert files.fetch(source, target).read_bytes() == BODY
    assert not list(files.PARTS.iterdir())


def test_a_busy_server_is_asked_again(public, serving, monkeypatch):
    source, served, target = public
    with serving(served, faults=["busy", "busy"]) as server:
        monkeypatch.setenv(files.MIRROR, server.url)
        files.fetch(source, target)
    assert len(server.asked) == 3


def test_a_server_that_hangs_is_given_up(public, serving, monkeypatch):
    source, served, target = public
    monkeypatch.setattr(files, "TIMEOUT", 0.2)
    with serving(served, faults=["hang"] * files.ATTEMPTS, patience=1.0) as server:
        monkeypatch.setenv(files.MIRROR, server.url)
        with pytest.raises(FetchError, match=r"(?s)words: the server has not answered for 0.2 s.*likely: the server h"):
            files.fetch(source, target)


@pytest.mark.parametrize("through", ["server", "folder"])
def test_another_file_under_its_name_is_refused_and_not_kept(public, serving, monkeypatch, through):
    source, served, target = public
    (served / PATH).write_bytes(BODY.replace(b"1", b"0"))
    with serving(served) as server:
        monkeypatch.setenv(files.MIRROR, server.url if through == "server" else str(served))
        with pytest.raises(
            FetchError, match=rf"(?s)words: the file has not the SHA-256 {source.sha256}.*do:     compare"
        ):
            files.fetch(source, target)
        assert not list(target.iterdir())
        (served / PATH).write_bytes(BODY)
        assert files.fetch(source, target).read_bytes() == BODY


@pytest.mark.parametrize("through", ["server", "folder"])
def test_a_file_that_is_not_there_names_the_answer(public, serving, monkeypatch, through):
    source, served, target = public
    (served / PATH).unlink()
    says = "the server answers 404" if through == "server" else "the mirror that PROBING_MIRROR names does not have it"
    with serving(served) as server:
        monkeypatch.setenv(files.MIRROR, server.url if through == "server" else str(served))
        with pytest.raises(FetchError, match=says):
            files.fetch(source, target)


@pytest.mark.parametrize(
    ("mirror", "says"),
    [
        ("/no/such/folder", "PROBING_MIRROR names a folder that is not there"),
        ("file:///tmp", "expected a folder or the beginning of a URL of http or https"),
    ],
)
def test_a_mirror_that_is_none_is_refused(public, monkeypatch, mirror, says):
    source, _, target = public
    monkeypatch.setenv(files.MIRROR, mirror)
    with pytest.raises(FetchError, match=says):
        files.fetch(source, target)


def test_a_mirrors_password_is_not_shown(public, monkeypatch):
    source, _, target = public
    monkeypatch.setenv(files.MIRROR, "http://someone:secret@127.0.0.1:9")
    with pytest.raises(FetchError) as error:
        files.fetch(source, target)
    assert "secret" not in str(error.value)
    assert "127.0.0.1:9" in str(error.value)


def test_files_are_asked_for_as_they_are(public, serving, monkeypatch):
    """A server that compresses sends other bytes than those that are counted when a download goes on."""
    source, served, target = public
    with serving(served) as server:
        monkeypatch.setenv(files.MIRROR, server.url)
        files.fetch(source, target)
    assert server.encodings == ["identity"]


def test_no_network_is_said(public, monkeypatch):
    source, _, target = public
    monkeypatch.setenv(files.MIRROR, "http://127.0.0.1:9")
    with pytest.raises(FetchError, match=rf"(?s)words cannot be fetched: ConnectionError.*{files.MIRROR}"):
        files.fetch(source, target)


def test_the_list_of_public_data_is_whole():
    known = sources.known()
    assert all(len(source.sha256) == 64 and source.licence for source in known.values())
    assert all(source.url.split("/")[5] and len(source.url.split("/")[5]) == 40 for source in known.values())
    assert len({source.folder for source in known.values()}) == len(known)
    assert known["truth_cities"].notice


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [(",n_rows,", ",rows,", "line 2: expected the columns"), (",1496,", ",many,", "invalid literal")],
)
def test_a_broken_list_names_the_line(root, tmp_path, old, new, says):
    text = (root / "data" / "sources.csv").read_text().replace(old, new, 1)
    (tmp_path / "sources.csv").write_text(text)
    with pytest.raises(SourceError, match=says):
        sources.known(tmp_path / "sources.csv")


def fetch_model(server, home, *more, token="", commit=COMMIT, repository="someone/model"):
    environment = {**os.environ, "HF_ENDPOINT": server.url, "HF_HOME": str(home), "HF_HUB_DOWNLOAD_TIMEOUT": "1"}
    environment.pop("HF_HUB_OFFLINE", None)
    environment.pop("HF_HUB_CACHE", None)
    environment |= {"HF_TOKEN": token} if token else {}
    command = [sys.executable, "-m", "linear_probing.fetching.hub", repository, commit, *more]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@pytest.fixture
def model(root, tmp_path):
    """Return the embedded model with what a hub's repository holds besides."""
    folder = tmp_path / "model"
    shutil.copytree(root / "data" / "models" / "atlas", folder)
    (folder / "pytorch_model.bin").write_bytes(b"a pickle")
    (folder / "modeling.py").write_text("raise SystemExit\n")
    return folder


def test_of_a_model_only_weights_configuration_and_tokenizer_are_fetched(model, serving, tmp_path):
    with serving(model) as server:
        done = fetch_model(server, tmp_path / "home")
    assert done.returncode == 0, done.stderr
    found = {path.name for path in os.scandir(done.stdout.strip())}
    assert found == {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}


def test_code_is_fetched_where_it_is_allowed(model, serving, tmp_path):
    with serving(model) as server:
        done = fetch_model(server, tmp_path / "home", "--allow", "remote_code")
    assert "modeling.py" in {path.name for path in os.scandir(done.stdout.strip())}


def test_a_gated_model_says_where_to_accept_its_licence(model, serving, tmp_path):
    with serving(model, token="hf_right") as server:
        without = fetch_model(server, tmp_path / "home")
        wrong = fetch_model(server, tmp_path / "home", token="hf_wrongwrong")
        right = fetch_model(server, tmp_path / "home", token="hf_right")
    for done, likely in ((without, "HF_TOKEN is not set"), (wrong, "its licence is not accepted")):
        assert done.returncode == 1
        assert "model someone/model is gated" in done.stderr
        assert likely in done.stderr
        assert "accept the licence at https://huggingface.co/someone/model" in done.stderr
        assert "set HF_TOKEN" in done.stderr
    assert right.returncode == 0, right.stderr
    assert "hf_" not in without.stderr + wrong.stderr + right.stderr + right.stdout


def test_a_branch_is_not_asked_for(model, serving, tmp_path):
    with serving(model) as server:
        done = fetch_model(server, tmp_path / "home", commit="main")
    assert done.returncode == 1
    assert "'main' is not a commit's 40 hexadecimal digits" in done.stderr
    assert not server.asked


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"commit": "f" * 40}, f"model someone/model has no commit {'f' * 40}"),
        ({"repository": "someone/else"}, "model someone/else is not on the hub, or private"),
    ],
)
def test_a_model_that_is_not_there_is_named(model, serving, tmp_path, change, says):
    with serving(model) as server:
        done = fetch_model(server, tmp_path / "home", **change)
    assert done.returncode == 1
    assert says in done.stderr
    assert "  do:     " in done.stderr


def test_a_model_whose_download_was_cut_is_whole_after_the_next_run(model, serving, tmp_path):
    with serving(model, faults=["cut"] * 40) as server:
        fetch_model(server, tmp_path / "home")
        assert len(server.faults) < 40
        server.faults.clear()
        done = fetch_model(server, tmp_path / "home")
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip(), "model.safetensors").read_bytes() == (model / "model.safetensors").read_bytes()


def hub_content(content, **changes):
    shape = {"n_layers": 6, "d_model": 160, "context": 128, "n_parameters": 1}
    entry = {"repository": "someone/model", "commit": COMMIT, "shape": shape, "dtype": "float32", **changes}
    content["models"]["atlas"] = {key: value for key, value in entry.items() if value is not None}
    return content


@pytest.mark.parametrize("commit", ["main", "0123abc", "v1.0"])
def test_a_branch_is_refused_with_the_way_to_its_commit(tiny_content, root, commit):
    with pytest.raises(settings.SettingsError) as error:
        settings.parse(hub_content(tiny_content, commit=commit), root / "config" / "tiny.yaml")
    assert f"models.atlas.commit: '{commit}' is not a commit's 40 hexadecimal digits" in str(error.value)
    assert f"git ls-remote https://huggingface.co/someone/model {commit}" in str(error.value)


@pytest.mark.parametrize(("key", "value"), [("shape", None), ("folder", "data/models/atlas"), ("repository", "a/b/c")])
def test_a_model_comes_from_one_place_and_has_a_shape(tiny_content, root, key, value):
    with pytest.raises(settings.SettingsError, match=r"models.atlas"):
        settings.parse(hub_content(tiny_content, **{key: value}), root / "config" / "tiny.yaml")


def test_a_fetched_model_with_other_bytes_is_refused(tiny_content, root, model, tmp_path):
    content = hub_content(tiny_content, sha256={"model.safetensors": "0" * 64})
    study = settings.parse(content, root / "config" / "tiny.yaml")
    with pytest.raises(FetchError, match=r"(?s)model atlas: model.safetensors has the SHA-256 .*expected 000"):
        downloads.check_model(study.models[0], model)


def test_a_model_without_safetensors_is_refused(tiny_content, root, tmp_path):
    study = settings.parse(hub_content(tiny_content), root / "config" / "tiny.yaml")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(FetchError, match=r"(?s)expected config.json and \*.safetensors, found config.json.*pickles"):
        downloads.check_model(study.models[0], tmp_path)


def test_a_package_that_is_not_installed_says_how_to_install_it():
    with pytest.raises(
        FetchError, match=r"(?s)no-such-package is not installed.*pip install --no-deps no-such-package==1"
    ):
        packages.package_folder(Package("no-such-package", "1", "model"))


def test_another_version_of_a_package_is_refused():
    with pytest.raises(FetchError, match=r"package pytest has version .*, expected 0"):
        packages.package_folder(Package("pytest", "0", "model"))


def test_a_package_without_a_model_is_refused():
    version = packages.installed("pytest").version
    with pytest.raises(FetchError, match="package pytest has no model in the folder model, but in: none"):
        packages.package_folder(Package("pytest", version, "model"))


def test_nothing_of_how_it_is_fetched_is_in_a_path(tiny_content, root):
    """A better downloader, or another mirror, does not fetch sixteen gigabytes again."""
    study = settings.parse(hub_content(tiny_content), root / "config" / "tiny.yaml")
    made = study.models[0].download
    assert (made.code, made.pins) == ({}, {})
    assert set(made.made_of) == {"repository", "commit", "allow", "sha256"}
