"""The command that compares a model's states with transformers' own."""

import os
import subprocess
import sys

import pytest
from transformers import dynamic_module_utils

from linear_probing.fetching import hub
from linear_probing.fetching.hub import FetchError, model_folder

COMMIT = "0" * 39 + "1"


def test_a_good_model_passes_with_a_line_per_layer(root, called):
    done = called("parity", "--model", root / "data" / "models" / "atlas")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["layer", *map(str, range(7)), "prefix"]
    assert lines[-1] == "prefix trees: hold"


def test_a_model_that_differs_fails(saved, called, monkeypatch):
    """A model whose own code shifts its states where a batch has more than one text."""
    folder = saved()
    (folder / "own.py").write_text(
        "from transformers import LlamaConfig, LlamaModel\n"
        "class OwnConfig(LlamaConfig):\n    model_type = 'own'\n"
        "class OwnModel(LlamaModel):\n    config_class = OwnConfig\n"
        "    def forward(self, input_ids=None, **named):\n"
        "        if len(input_ids) > 1:\n            input_ids = input_ids.roll(1, dims=1)\n"
        "        return super().forward(input_ids=input_ids, **named)\n"
    )
    text = (folder / "config.json").read_text().replace('"model_type": "llama"', '"model_type": "own"')
    names = '{"auto_map": {"AutoConfig": "own.OwnConfig", "AutoModel": "own.OwnModel"}, '
    (folder / "config.json").write_text(text.replace("{", names, 1))
    modules = str(folder.parent / "modules")
    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", modules)
    monkeypatch.syspath_prepend(modules)
    done = called("parity", "--model", folder, "--allow", "remote_code")
    assert done.returncode == 1
    assert "differs" in done.stdout
    assert "ParityError" in done.stderr
    assert "of the layer's greatest, expected at most 2e-05" in done.stderr


def test_texts_of_a_file_are_compared(saved, tmp_path, called):
    (tmp_path / "texts.txt").write_text("one text\n\nanother one\n")
    done = called("parity", "--model", saved("bert"), "--texts", tmp_path / "texts.txt")
    assert done.returncode == 0, done.stderr
    assert "prefix trees: a later token changes the states before it" in done.stdout
    assert "2 texts" in done.stderr


@pytest.mark.parametrize("content", [None, "\n \n"])
def test_no_texts_are_refused(saved, tmp_path, called, content):
    if content:
        (tmp_path / "texts.txt").write_text(content)
    done = called("parity", "--model", saved(), "--texts", tmp_path / "texts.txt")
    assert done.returncode == 1
    assert "do:     name a text file, one text a line" in done.stderr


@pytest.mark.parametrize("revision", [None, "main", "0123abc"])
def test_a_branch_is_no_commit(revision):
    with pytest.raises(FetchError, match=r"(?s)40 hexadecimal digits.*do:     copy the commit from the model's page"):
        model_folder("some/model", revision)


# The hub's library tries again for half a minute.
@pytest.mark.slow
def test_a_model_in_the_hubs_cache_is_used_without_a_network(saved, tmp_path):
    cache = tmp_path / "cache" / "models--some--model" / "snapshots"
    cache.mkdir(parents=True)
    saved().rename(cache / COMMIT)
    environment = {**os.environ, "HF_HUB_CACHE": str(tmp_path / "cache"), "HF_ENDPOINT": "http://127.0.0.1:9"}
    command = [sys.executable, "-m", "linear_probing.parity", "--model", "some/model", "--revision", COMMIT]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_model_that_cannot_be_fetched_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_TOKEN", "hf_secretsecret")
    with pytest.raises(FetchError, match=r"(?s)some/model at 0+1 cannot be fetched.*do:") as error:
        model_folder("some/model", COMMIT)
    assert "secret" not in str(error.value)


def test_only_safetensors_configurations_and_tokenizers_are_fetched():
    assert not {"*.bin", "*.pt", "*.py", "*.h5"} & set(hub.WANTED)
