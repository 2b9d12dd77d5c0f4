"""Files that appear whole or not at all, and what a damaged one says."""

import importlib
import subprocess
import sys

import numpy as np
import pytest

from linear_probing import stage, store
from linear_probing.stage import StudyError
from linear_probing.store import StoreError

SHARD = "shard-0-of-1.safetensors"


def test_a_failed_block_leaves_what_was_there(tmp_path):
    final = tmp_path / "out"
    with stage.replace_folder(final) as folder:
        (folder / "a").write_text("old")
    with pytest.raises(RuntimeError, match="midway"), stage.replace_folder(final) as folder:
        (folder / "a").write_text("half")
        raise RuntimeError("midway")
    assert (final / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_killed_block_leaves_nothing_that_looks_finished(tmp_path):
    code = f"""
import os, pathlib
from linear_probing import stage
with stage.replace_folder(pathlib.Path({str(tmp_path / "out")!r})) as folder:
    (folder / "a").write_text("half")
    os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert not (tmp_path / "out").exists()


def test_a_folder_is_replaced_whole(tmp_path):
    for name in ("a", "b"):
        with stage.replace_folder(tmp_path / "out") as folder:
            (folder / name).touch()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b"]


def test_an_error_has_the_form_that_a_person_can_act_on():
    error = StudyError("what is wrong", file="a/b", likely="a cause", do="this")
    assert str(error) == "what is wrong\n  file:   a/b\n  likely: a cause\n  do:     this"


@pytest.mark.parametrize(
    "stage_name",
    ["datasets", "tokens", "activations", "probes", "transfer", "statistics", "figures", "report", "paper"],
)
def test_every_command_ends_with_an_error_of_ours_and_exit_1(tmp_path, called, stage_name):
    arguments = {
        "datasets": ["--dataset", "x"],
        "tokens": ["--model", "x", "--dataset", "x"],
        "activations": ["--model", "x", "--tokens", "x"],
        "probes": ["--dataset", "x", "--tables", "x"],
        "transfer": ["--model", "x", "--tables", "x", "--activations", "x", "--probes", "x"],
        "statistics": ["--datasets", "x", "--probes", "x"],
        "figures": ["--statistics", "x"],
        "report": ["--statistics", "x"],
        "paper": ["--statistics", "x", "--figures", "x"],
    }[stage_name]
    output = tmp_path / "out"
    done = called(stage_name, "--config", tmp_path / "none.yaml", "--output", output, *arguments)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-3:] == [
        "SettingsError: no configuration: No such file or directory",
        f"  file:   {tmp_path / 'none.yaml'}",
        "  do:     name a file in config/",
    ]
    assert not output.exists()


@pytest.mark.parametrize("module", ["activations", "probes", "transfer", "statistics", "figures", "validation"])
@pytest.mark.parametrize("number", ["0", "-3"])
def test_no_thread_is_refused_before_anything_is_read(monkeypatch, capsys, module, number):
    main = importlib.import_module(f"linear_probing.{module}" + (".__main__" if module == "validation" else "")).main
    option = "--cores" if module == "validation" else "--threads"
    monkeypatch.setattr("sys.argv", [module, f"{option}={number}"])
    with pytest.raises(SystemExit, match="1"):
        stage.run(main)
    assert f"StudyError: threads or cores: {number}, expected 1 or more" in capsys.readouterr().err


def test_what_is_alive_at_the_end_is_left_to_the_operating_system_and_not_before():
    code = """
import atexit, gc
from linear_probing import stage
atexit.register(lambda: print(gc.get_freeze_count() > 10_000))
stage.run(lambda: print(gc.get_freeze_count()))
print(gc.get_freeze_count())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "0", "True"]


def test_threads_are_counted_in_whole_numbers():
    assert stage.count("2") == 2
    with pytest.raises(ValueError, match="invalid literal"):
        stage.count("x")


@pytest.fixture
def stored(tmp_path):
    store.write_tensors(tmp_path / SHARD, {"layer_00": np.zeros((4, 2)), "layer_06": np.ones((4, 2))}, {})
    return tmp_path


def test_a_layer_is_read_back(stored):
    assert store.layers(stored) == (0, 6)
    assert np.array_equal(store.read_layer(stored, 6, 4), np.ones((4, 2), np.float32))


def test_rows_that_do_not_fit_the_table_are_refused(stored):
    with pytest.raises(StoreError, match="layer 06 holds 4 rows, but its target table has 5"):
        store.read_layer(stored, 6, 5)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_cut_file_is_refused(stored, share):
    path = stored / SHARD
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(StoreError, match="do:     delete the folder and run snakemake again"):
        store.read_layer(stored, 0, 4)


def test_a_missing_file_and_a_missing_layer_are_refused(stored, tmp_path):
    with pytest.raises(StoreError, match="cannot be read"):
        store.read_layer(stored, 3, 4)
    with pytest.raises(StoreError, match="none holds 0 shards, expected all of one division"):
        store.layers(tmp_path / "none")


def test_numbers_that_are_not_finite_are_refused(tmp_path):
    store.write_tensors(tmp_path / SHARD, {"layer_00": np.array([[np.inf], [0.0]])}, {})
    with pytest.raises(StoreError, match="not finite"):
        store.read_layer(tmp_path, 0, 2)


def test_shards_end_to_end_are_one_layer(tmp_path):
    for number in (1, 0):
        store.write_tensors(tmp_path / f"shard-{number}-of-2.safetensors", {"layer_00": np.full((2, 3), number)}, {})
    assert store.read_layer(tmp_path, 0, 4)[:, 0].tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("others", [["shard-1-of-2"], ["shard-0-of-1", "shard-0-of-2", "shard-1-of-2"]])
def test_shards_that_are_missing_or_mixed_are_refused(tmp_path, others):
    for name in others:
        store.write_tensors(tmp_path / f"{name}.safetensors", {"layer_00": np.zeros((2, 3))}, {})
    with pytest.raises(StoreError, match=f"holds {len(others)} shards, expected all of one division"):
        store.read_layer(tmp_path, 0, 4)


def test_bfloat16_is_kept_on_disk_and_read_as_float32(tmp_path):
    written = np.array([[1.0, -3.14, 1e30]], dtype="bfloat16")
    store.write_tensors(tmp_path / SHARD, {"layer_00": written}, {})
    assert (tmp_path / SHARD).read_bytes().count(b'"BF16"') == 1
    read = store.read_layer(tmp_path, 0, 1)
    assert read.dtype == np.float32
    assert np.array_equal(read, written.astype(np.float32))


def test_a_header_of_several_strings_is_refused(tmp_path):
    """Their order in the file is that of a hash table with a random seed."""
    with pytest.raises(ValueError, match="at most one string for the header, found a, b"):
        store.write_tensors(tmp_path / SHARD, {}, {"a": "1", "b": "2"})
