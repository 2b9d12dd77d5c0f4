"""The paper's section on a real model: what it takes from committed tables, and when it is left out."""

import shutil

import pandas as pd
import pytest
import yaml

from linear_probing.writing import real_model
from linear_probing.writing.numbers import score


@pytest.fixture
def study(root, tmp_path):
    """Return a configuration with its golden tables, free to be edited; any study's will do."""
    shutil.copytree(root / "tests" / "golden" / "atlas", tmp_path / "golden")
    return root / "config" / "study.yaml", tmp_path / "golden"


def edit(folder, name, change):
    table = pd.read_csv(folder / name)
    change(table)
    table.to_csv(folder / name, index=False)


def of_cities(table):
    return (table["task"] == "cities.truth") & (table["model"] == "atlas") & (table["part"] == "unseen")


def test_the_split_by_row_is_told_from_the_table(study):
    config, golden = study
    found = real_model.values(config, golden)["by_row"]
    table = pd.read_csv(golden / "leakage.csv")
    rows = table[of_cities(table)]
    most = rows.loc[rows["difference"].abs().idxmax()]
    assert found["layer"] == str(most["layer"])
    assert found["row"] == score(most["row_score"])
    assert found["group"] == score(most["group_score"])
    n_sided = int(((rows["upper"] < 0) | (rows["lower"] > 0)).sum())
    assert found["all"] is (n_sided == len(rows))
    assert found["twin"] is not None


@pytest.mark.parametrize(
    ("bounds", "word"),
    [
        ([(-0.2, -0.1)] * 7, "lower"),
        ([(0.1, 0.2)] * 7, "higher"),
        ([(-0.2, -0.1), (0.1, 0.2)] * 4, "mixed"),
        ([(-0.1, 0.1)] * 7, "neither"),
    ],
)
def test_its_direction_is_that_of_the_intervals(study, bounds, word):
    config, golden = study

    def change(table):
        own = table.index[of_cities(table)]
        for place, row in enumerate(own):
            table.loc[row, ["lower", "upper"]] = bounds[place]

    edit(golden, "leakage.csv", change)
    assert real_model.values(config, golden)["by_row"]["word"] == word


def test_below_chance_is_said_only_of_all_layers(study):
    config, golden = study

    def change(table):
        table["row_score"] = 0.4

    edit(golden, "leakage.csv", change)
    assert real_model.values(config, golden)["by_row"]["below_chance"] is True


def test_what_text_reads_as_well_is_named(study):
    config, golden = study
    assert not [one for one in real_model.values(config, golden)["text_close"] if "agreement" in one["task"]]

    def change(table):
        table.loc[table["task"] == "agreement.number", "text_baseline"] = 0.999

    edit(golden, "best_layer.csv", change)
    named = [one["task"] for one in real_model.values(config, golden)["text_close"]]
    assert "the number of the subject" in named


@pytest.mark.parametrize("why", ["no tables", "another configuration"])
def test_without_tables_of_the_configuration_there_is_no_section(study, tmp_path, caplog, why):
    config, golden = study
    if why == "no tables":
        golden = tmp_path / "elsewhere"
    else:
        content = yaml.safe_load(config.read_text()) | {"seed": 5}
        config = tmp_path / "other.yaml"
        config.write_text(yaml.safe_dump(content))
    assert real_model.values(config, golden) is None
    assert "the section on a real model is left out" in caplog.text


def test_the_section_is_of_the_committed_study():
    found = real_model.values()
    assert found is not None
    assert found["model"] == "minilm"
    assert {"header", "rows", "bold", "note"} == set(found["table"])
