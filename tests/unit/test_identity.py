"""What names the content of what a study reads: a change of it changes paths, and names that mislead are refused."""

import shutil

import pytest

from linear_probing import artefacts, records, settings, verification
from linear_probing.settings import SettingsError

COMMIT = "0123456789" * 4
SHAPE = {"n_layers": 6, "d_model": 160, "context": 128, "n_parameters": 1}
HUB = {"repository": "someone/model", "commit": COMMIT, "shape": SHAPE}


def parsed(content, root):
    return settings.parse(content, root / "config" / "tiny.yaml")


def states(content, root):
    return artefacts.Artefacts(parsed(content, root)).activations["atlas", "cities"]


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.safetensors", "config.json", "tokenizer.json"])
def test_any_file_of_a_model_changes_its_states_path(tiny_content, root, tmp_path, name):
    folder = tmp_path / "model"
    shutil.copytree(root / "data" / "models" / "atlas", folder)
    (folder / "pytorch_model.bin").write_bytes(b"one")
    tiny_content["models"]["atlas"] |= {"folder": str(folder), "allow": ["pickled_weights"]}
    before = states(tiny_content, root)
    file = folder / name
    file.write_bytes(file.read_bytes() + b" ")
    artefacts.identity.file_digest.cache_clear()
    assert states(tiny_content, root) != before


def test_a_fetched_models_commit_changes_its_states_path_and_a_device_does_not(tiny_content, root):
    tiny_content["models"]["atlas"] = {**HUB, "dtype": "float32"}
    before = states(tiny_content, root)
    tiny_content["models"]["atlas"]["device"] = "cuda"
    assert states(tiny_content, root) == before
    tiny_content["models"]["atlas"]["commit"] = COMMIT[::-1]
    assert states(tiny_content, root) != before


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"folder": "data/models/atlas", **HUB}, "folder and repository says where it comes from, expected one of"),
        ({}, "nothing says where it comes from"),
        ({"repository": "someone/model", "commit": COMMIT}, "a model by repository lacks shape"),
        ({"repository": "someone/model", "shape": SHAPE}, "a model by repository lacks commit"),
        ({"folder": "data/models/atlas", "commit": COMMIT}, "a model by folder has commit, which means nothing there"),
        ({"folder": "data/models/atlas", "version": "1"}, "a model by folder has version, which means nothing there"),
        ({"package": "one", "version": "1", "shape": SHAPE}, "a model by package lacks sha256"),
    ],
)
def test_a_model_comes_from_one_place(tiny_content, root, entry, says):
    tiny_content["models"]["atlas"] = {"dtype": "float32", **entry}
    with pytest.raises(SettingsError, match=rf"(?s)models.atlas: .*{says}.*do:     correct the configuration"):
        parsed(tiny_content, root)


def test_a_models_folder_is_read_once_for_all_data_sets(tiny_content, root, monkeypatch):
    """A hundred data sets would else read it a hundred times, whenever a job or Snakemake looks at a study."""
    asked, read = [], artefacts.identity.weights
    monkeypatch.setattr(artefacts.identity, "weights", lambda model: asked.append(model.name) or read(model))
    artefacts.Artefacts(parsed(tiny_content, root))
    assert asked == ["atlas", "atlas-random"]


def test_a_twin_reads_texts_as_its_original_does(tiny_content, root):
    model = tiny_content["models"]["atlas"]
    del tiny_content["interventions"]  # of a chat there are none
    tiny_content["models"] |= {"chat": {**model, "chat": True}, "chat-random": {"twin_of": "chat", "seed": 0}}
    study = parsed(tiny_content, root)
    twins = {name: [twin.name for twin in study.twins_of(study.model(name))] for name in ("atlas", "chat")}
    assert twins == {"atlas": ["atlas-random"], "chat": ["chat-random"]}


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (["README.md", "docs/../README.md"], "docs/../README.md is README.md once more"),
        (["data/{b}.csv"], "has a brace in its path"),
        (["truth_citys"], "no name of data/sources.csv, and no file"),
        (["nowhere.csv"], "no name of data/sources.csv, and no file"),
    ],
)
def test_a_file_is_named_once_and_is_there(tiny_content, root, files, says):
    tiny_content["datasets"]["cities"] = {"builder": "table", "files": files, "labels": {"truth": "label"}}
    with pytest.raises(SettingsError) as error:
        artefacts.Artefacts(parsed(tiny_content, root))
    assert says in str(error.value)
    assert "\n  do: " in str(error.value)


def test_a_near_name_is_suggested(tiny_content, root):
    tiny_content["datasets"]["cities"] = {"builder": "table", "files": ["truth_citys"], "labels": {"truth": "label"}}
    with pytest.raises(SettingsError, match="truth_cities was meant"):
        artefacts.Artefacts(parsed(tiny_content, root))


def test_no_study_needs_the_tables_of_another(tiny_content, root, monkeypatch, tmp_path):
    monkeypatch.setattr(
        artefacts.identity, "constant", lambda module, name: ("no/such/file",) if name == "OPTIONAL" else ()
    )
    assert artefacts.identity.sources_of("paper") == {}


def test_what_is_fetched_is_the_projects_own_and_may_be_absent(tiny_content, root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny_content["models"]["atlas"] = {**HUB, "dtype": "float32"}
    paths = artefacts.Artefacts(parsed(tiny_content, root))
    (folder,) = paths.downloads
    (tmp_path / folder).mkdir(parents=True)
    file = tmp_path / folder / "config.json"
    file.write_text("{}")
    records.write(tmp_path / paths.record(folder), paths.made[folder], [file])
    assert [path.as_posix() for path in verification.folders()] == [folder]
    assert not list(verification.unlisted_files(set(verification.folders())))
    missing = {found.path for found in verification.check_current(paths, {})}
    assert folder not in missing
    assert missing >= set(paths.tables.values())
