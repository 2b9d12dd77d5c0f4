"""Folders of probes and transfer are read into one place; what is optional may be absent, what is cut may not."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from linear_probing import datasets
from linear_probing.estimation.scores import StatisticsError, read_scores
from linear_probing.store import write_tensors

TASK = "larger_than.truth"
FITS = "task,split,labeling,probe,features,fold,penalty,n_iterations,converged,note\n"


@pytest.fixture
def study(tiny):
    return replace(
        tiny,
        datasets=tuple(one for one in tiny.datasets if one.name == "larger_than"),
        tasks=tuple(task for task in tiny.tasks if task.name == TASK),
        models=tiny.models[:1],
    )


@pytest.fixture
def folders(study, tmp_path):
    """Return folders of a data set and of the probes of the baselines and of a model."""
    dataset = tmp_path / "datasets" / "larger_than-0123456789"
    dataset.mkdir(parents=True)
    draft = datasets.build(study, study.dataset("larger_than"))
    datasets.write(dataset, study.dataset("larger_than"), draft)
    probes = [tmp_path / "probes" / model / "larger_than-0123456789" for model in ("text", "atlas")]
    for folder in probes:
        folder.mkdir(parents=True)
        key = "|".join((TASK, "group", "true", "logistic", "layer_06" if folder.parent.name == "atlas" else "text"))
        write_tensors(folder / "scores.safetensors", {key: np.zeros((len(draft.targets), 1), np.float32)}, {})
        (folder / "fits.csv").write_text(FITS + f"{TASK},group,true,logistic,layer_06,0,,0,True,\n")
    return dataset, probes


def test_what_is_optional_may_be_absent(study, folders):
    found = read_scores(study, [folders[0]], folders[1])
    assert found.layers("atlas", study.tasks[0]) == [6]
    assert found.other_probes("atlas", study.tasks[0]) == []
    assert found.code.empty
    assert found.permutations == {}
    assert found.cosines.empty
    assert found.fits["labeling"].tolist() == ["true", "true"]


def test_permutations_codes_and_transfer_are_read_with_their_model(study, folders, tmp_path):
    dataset, probes = folders
    write_tensors(probes[1] / "permutations.safetensors", {f"{TASK}|all|layer_06": np.arange(3.0)}, {})
    header = "task,features,portion,n_train,n_coded,n_classes,penalty,bits,uniform_bits\n"
    (probes[1] / "code.csv").write_text(header + f"{TASK},layer_06,0,0,10,2,,10,10\n")
    transfer = tmp_path / "transfer" / "atlas" / "tasks-0123456789"
    transfer.mkdir(parents=True)
    name = f"{TASK}|{TASK}|logistic|layer_06"
    write_tensors(transfer / "transfer.safetensors", {name: np.zeros((240, 3), np.float32)}, {})
    (transfer / "cosines.csv").write_text("layer,task,cosine\n6,larger_than.truth,0.5\n")
    found = read_scores(study, [dataset], probes, [transfer])
    assert found.permutations["atlas"][f"{TASK}|all|layer_06"].tolist() == [0.0, 1.0, 2.0]
    assert found.code[["model", "bits"]].values.tolist() == [["atlas", 10]]
    assert found.transfer["atlas"].keys() == {name}
    assert found.cosines.to_dict("records") == [{"model": "atlas", "layer": 6, "task": TASK, "cosine": 0.5}]


def test_what_is_there_but_cut_is_refused(study, folders):
    (folders[1][1] / "code.csv").write_text('task,bits\n"larger')
    with pytest.raises(StatisticsError, match=r"code.csv cannot be read") as error:
        read_scores(study, [folders[0]], folders[1])
    assert "do:     delete the folder and run snakemake again" in str(error.value)


def test_scores_of_another_table_are_refused(study, folders):
    found = read_scores(study, [folders[0]], folders[1])
    short = replace(found, targets={"larger_than": pd.DataFrame(index=range(5))})
    with pytest.raises(StatisticsError, match=r"have 240 rows, but there are 5 targets"):
        short.find("atlas", study.tasks[0], "group", "true", "logistic", "layer_06")
    assert found.find("atlas", study.tasks[0], "group", "true", "mlp", "layer_06") is None
