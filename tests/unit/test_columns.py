"""The dictionary of columns: it names the columns that the tables have, no others, and what it says of cells holds."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from linear_probing import statistics, transfer
from linear_probing.drawing import tables as drawing
from linear_probing.estimation import columns
from linear_probing.estimation.causal import Intervened
from linear_probing.estimation.columns import NEVER, NUMBER, TEXT, TRUTH, WHOLE, described
from linear_probing.estimation.columns_document import document
from linear_probing.estimation.scores import CHECKS_COLUMNS, CODE_COLUMNS, Scores
from linear_probing.settings import Bootstrap

TASK, N_GROUPS, N_ROWS = "cities.truth", 24, 48
KEYS = ["model", "task", "split", "labeling", "probe", "features"]


def scores():
    """Return scores by hand that give a row to every table but the map's: a task, two models, two layers, 3 folds."""
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(N_GROUPS), 2)
    targets = pd.DataFrame(
        {
            "target_id": [f"t{row}" for row in range(N_ROWS)],
            "group": [f"g{group:02d}" for group in groups],
            "part": np.where(groups % 4 == 0, "unseen", "seen"),
            "fold": [str(group % 3) for group in groups],
            "fold_types": [str(row % 3) for row in range(N_ROWS)],
            "truth": np.tile(["1", "0"], N_GROUPS),
        }
    )
    drawn = {
        f"{TASK}|{split}|true|{probe}|{layer}": random.normal(size=(N_ROWS, 1))
        for split in ("group", "types", "row", "group~seed1", "group~train30")
        for probe in ("logistic", "mlp")
        for layer in ("layer_00", "layer_06")
    }
    drawn |= {f"{TASK}|types|control|logistic|{layer}": np.zeros((N_ROWS, 1)) for layer in ("layer_00", "layer_06")}
    drawn[f"control|{TASK}"] = np.tile([1.0, 0.0], N_GROUPS)[:, None].astype(np.float32)
    drawn |= {f"plane|cities|{layer}": random.normal(size=(N_ROWS, 2)) for layer in ("layer_00", "layer_06")}
    text = {f"{TASK}|{split}|true|logistic|text": np.zeros((N_ROWS, 1)) for split in ("group", "types")}
    arrays = {"text": text, "atlas": drawn, "atlas-random": dict(drawn)}
    fits = pd.DataFrame(
        [(model, *key.split("|")) for model, found in arrays.items() for key in found if key.count("|") == 4],
        columns=KEYS,
    ).merge(pd.DataFrame({"fold": [0, 1, 2]}), how="cross")
    fits = fits.assign(penalty=1.0, n_iterations=5, converged=fits["fold"] < 2, note="", inner_loss=0.5)
    moved = {f"{TASK}|{TASK}|logistic|layer_06": random.normal(size=(N_ROWS, 3)).astype(np.float32)}
    row = {"model": "atlas", "task": TASK, "features": "layer_06", "portion": 0, "n_train": 0}
    return Scores(
        {"cities": targets},
        arrays,
        fits,
        permutations={"atlas": {f"{TASK}|all|layer_06": np.array([0.9, 0.5, 0.4])}},
        checks=pd.DataFrame([("atlas", "cities", "layer_06", N_ROWS, 0, 0)], columns=CHECKS_COLUMNS),
        code=pd.DataFrame([{**row, "n_coded": 9, "n_classes": 2, "bits": 8.0, "uniform_bits": 9.0}])[CODE_COLUMNS],
        transfer={"atlas": moved},
        cosines=pd.DataFrame(
            [("atlas", 0, TASK, "logistic", 6, TASK, "logistic", 0.5)], columns=["model", *transfer.COLUMNS]
        ),
    )


def intervened():
    """Return what the interventions stage would have written of the task: a shift and its random directions."""
    random = np.random.default_rng(1)
    groups = [f"g{row:02d}" for row in range(12)]
    named = {"task": TASK, "group": groups, "counterfactual_group": groups, "fold": [0, 1, 2] * 4}
    pairs = pd.DataFrame(named)
    clean = np.tile([-0.8, -3.0, 0.9], (12, 1))
    effects = {f"{TASK}|counterfactual": -clean}
    controls = {}
    for layer in ("layer_00", "layer_06"):
        run = f"shift|logistic|{TASK}|{layer}|1"
        effects[f"{TASK}|{layer}|clean"] = clean
        effects[f"{TASK}|{layer}|{run}"] = clean + random.uniform(0.1, 1.0, (12, 3))
        effects[f"{TASK}|{layer}|elsewhere|{run}"] = random.normal(size=8)
        controls[f"{TASK}|{layer}|shift"] = 0.05 * random.normal(size=(1000, 3))
        controls[f"{TASK}|{layer}|elsewhere|shift"] = random.normal(size=20)
    return [Intervened("atlas", pairs, effects, controls)]


@pytest.fixture(scope="module")
def computed(tiny):
    tasks = tuple(task for task in tiny.tasks if task.name == TASK)
    asked = replace(tiny.interventions, behaviours=(replace(tiny.interventions.behaviours[0], task=TASK),))
    few = Bootstrap(n_resamples=20, confidence=0.9)
    study = replace(tiny, tasks=tasks, bootstrap=few, interventions=asked)
    return statistics.compute(study, scores(), intervened=intervened())


def test_every_table_of_a_study_has_the_columns_that_are_described_and_no_others(computed):
    assert {name: list(table.columns) for name, table in computed.items()} == {
        name: list(described(name)) for name in columns.TABLES
    }


def test_the_small_study_has_rows_to_speak_of(computed):
    assert {name for name, table in computed.items() if table.empty} == {"map.csv", "map_summary.csv"}


def kind_of(cells):
    """Return the narrowest kind of some cells."""
    numbers = pd.to_numeric(cells, errors="coerce")
    if set(cells) <= {"True", "False"}:
        return {TRUTH}
    if numbers.isna().any():
        return {TEXT}
    return {WHOLE, NUMBER} if (numbers % 1 == 0).all() else {NUMBER}


def check(name, path):
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    for column, said in described(name).items():
        filled = table[column][table[column] != ""]
        assert said.empty != NEVER or len(filled) == len(table), f"{name}, {column} has an empty cell"
        assert said.kind == TEXT or filled.empty or said.kind in kind_of(filled), f"{name}, {column} is no {said.kind}"


def test_cells_are_what_their_column_is_said_to_hold(computed, tmp_path):
    for name, table in computed.items():
        table.to_csv(tmp_path / name, index=False)
        check(name, tmp_path / name)


@pytest.mark.parametrize("study", ["atlas", "tiny"])
def test_so_are_those_of_the_golden_tables(root, study):
    paths = sorted((root / "tests" / "golden" / study).glob("*.csv"))
    assert paths
    for path in paths:
        check(path.name, path)


def test_the_figures_take_columns_for_what_the_dictionary_says(computed):
    for name, needed in drawing.COLUMNS.items():
        for column, kind in needed.items():
            said = described(name)[column]
            read_as = {said.kind} | ({NUMBER} if said.kind == WHOLE and said.empty != NEVER else set())
            assert kind in read_as, f"{name}, {column}: drawn as {kind}, described as {said.kind}"


def test_every_description_is_a_text_of_its_own():
    for row in columns.dictionary().to_dict("records"):
        assert "" not in (row["meaning"], row["empty"]), row
        assert "|" not in "".join(row.values()), row


def test_what_was_read_in_training_is_said_of_the_embedded_model_alone():
    """Of another model nobody knows it, and the parts of a data set are the same for all."""
    meanings = [row["meaning"] for row in columns.dictionary().to_dict("records") if row["column"] == "part"]
    assert meanings
    assert not [meaning for meaning in meanings if "embedded model" not in meaning]


def test_docs_tables_is_what_the_command_writes(root):
    found = (root / "docs" / "tables.md").read_text(encoding="utf-8")
    assert found == document(), "python -m linear_probing.estimation.columns_document --output docs/tables.md"
