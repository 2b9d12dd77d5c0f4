"""What fuzzing found in the readers of the stages' own files, each as a file by hand: refused, without a traceback."""

import json

import numpy as np
import pytest

from linear_probing import artefacts, directions, identity, records, settings, store, tables, tokens
from linear_probing.directions import DirectionError
from linear_probing.records import RecordError
from linear_probing.settings import SettingsError
from linear_probing.stage import StudyError
from linear_probing.store import StoreError

DEEP = "[" * 20_000
ROWS = np.zeros((3, 4), dtype=np.float32)
NUMBERS = {name: np.zeros(1, dtype=np.int64) for name in tokens.NUMBERS}


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("record.json", records.check),
        (tables.CARD, tables.read),
        (directions.WORDS, directions.contents),
    ],
)
def test_json_that_is_deeper_than_pythons_stack_is_refused(tmp_path, name, read):
    (tmp_path / name).write_text(DEEP)
    with pytest.raises(StudyError, match=r"(?s)cannot be read|is no record.*do:     delete the folder"):
        read(tmp_path)


def test_a_manifest_that_is_deeper_than_pythons_stack_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    manifest = tmp_path / "results" / "studies" / "tiny" / artefacts.MANIFEST
    manifest.parent.mkdir(parents=True)
    manifest.write_text(DEEP)
    with pytest.raises(StudyError, match=r"(?s)manifest.json cannot be read.*do:     run snakemake"):
        artefacts.manifests()


def test_a_models_shape_that_is_deeper_than_pythons_stack_is_refused(tmp_path):
    (tmp_path / "config.json").write_text(DEEP)
    model = settings.Model("some", tmp_path, "float32")
    with pytest.raises(SettingsError, match=r"no readable config\.json"):
        model.context()
    assert identity.classes(model) == {}


@pytest.mark.parametrize(
    "content",
    [DEEP, json.dumps({**dict.fromkeys(sorted(records.RUN_FIELDS), ""), "digest": "0", "files": []})],
    ids=["deep", "files that are a list"],
)
def test_a_damaged_record_of_a_making_is_none(tmp_path, content):
    file = tmp_path / "results" / "tokens" / "made-0" / "a.safetensors"
    records.run_of(file).parent.mkdir(parents=True)
    records.run_of(file).write_text(content)
    assert records.read_run(file, "0") is None


@pytest.mark.parametrize("name", ["", "ayer_06", "layer_0x"])
def test_a_shard_with_an_array_that_is_no_layer_is_refused(tmp_path, name):
    store.write_tensors(tmp_path / "shard-0-of-1.safetensors", {"layer_00": ROWS, name: ROWS}, {})
    with pytest.raises(StoreError, match=r"(?s)shard-0-of-1.safetensors cannot be read.*do:     delete the folder"):
        store.layers(tmp_path)


@pytest.mark.parametrize(("shape", "n_targets"), [((2, 6), 5), ((4,), 7), ((2, 2, 2), 5)])
def test_shards_of_other_shapes_are_refused(tmp_path, shape, n_targets):
    store.write_tensors(tmp_path / "shard-0-of-2.safetensors", {"layer_06": ROWS}, {})
    store.write_tensors(tmp_path / "shard-1-of-2.safetensors", {"layer_06": np.zeros(shape, dtype=np.float32)}, {})
    with pytest.raises(StoreError, match=r"(?s)layer 06 has the shape \(3, 4\) and .*do:     delete the folder"):
        store.read_layer(tmp_path, 6, n_targets)


@pytest.mark.parametrize("names", [np.full((1, 2), 0xFF, np.uint8), np.zeros(3, np.uint8), np.zeros((1, 0), np.uint8)])
def test_names_of_tokens_that_are_no_text_are_refused(tmp_path, names):
    arrays = {**NUMBERS, "text_id": names, "target_id": names}
    store.write_tensors(tmp_path / tokens.FILE, arrays, {"osition": "last"})
    with pytest.raises(StoreError, match=r"(?s)tokens.safetensors cannot be read.*do:     delete the folder"):
        tokens.read(tmp_path)
    with pytest.raises(StoreError, match="its header names no position"):
        tokens.read_position(tmp_path)


@pytest.mark.parametrize(
    "entry", [{"cities.truth|logistic": {}}, {"a|b|layer_06|all": []}, {"a|b|layer_06|all": {"names": []}}]
)
def test_an_entry_that_is_none_of_a_direction_is_refused(tmp_path, entry):
    (tmp_path / directions.WORDS).write_text(json.dumps(entry))
    with pytest.raises(DirectionError, match=r"(?s)is none of a direction.*do:     delete the folder"):
        directions.load(tmp_path, "cities.truth", 6)


def test_a_class_of_pythons_own_core_is_refused():
    """It has no file whose digest could stand for it."""
    for path in ("os.system", "builtins.exec", "sys.exit"):
        with pytest.raises(SettingsError, match="is no module that has a file"):
            identity.package_of(path)


def test_a_record_names_its_file(tmp_path):
    (tmp_path / "record.json").write_text("{}")
    with pytest.raises(RecordError, match=r"record.json is no record"):
        records.read(tmp_path / "record.json")
