"""docs/own-data.md does what it says: its file, commands and configuration, taken from it and run in a clone."""

import re

import pandas as pd
import pytest

pytestmark = [pytest.mark.workflow, pytest.mark.slow]


@pytest.fixture
def document(root):
    """Return the document's blocks of a language, in their order."""
    text = (root / "docs" / "own-data.md").read_text(encoding="utf-8")
    return lambda language: re.findall(rf"```{language}\n(.*?)```\n", text, re.S)


def test_the_walk_through_ends_with_tables(bare, document):
    (data,), (shown,), (configuration,) = (document(kind) for kind in ("csv", "text", "yaml"))
    check, more, run = document("sh")
    (bare.folder / "mydata.csv").write_text(data)
    (bare.folder / "config" / "mine.yaml").write_text(configuration)
    before = bare.files(".")
    checked = bare.run("bash", "-c", check)
    assert (checked.returncode, checked.stdout) == (0, shown), checked.stderr
    assert not {name for name in bare.files(".") if "__pycache__" not in name} - set(before)

    hundred = bare.done("bash", "-e", "-c", more)
    assert "mydata.csv: 100 rows; columns: statement, label, city" in hundred
    assert "label truth: 2 classes, with their rows: 1 (50), 0 (50)" in hundred
    assert "group city: 50 groups of 2 rows" in hundred
    assert "look at" not in hundred
    assert "mydata.csv: a study can use it" in hundred

    bare.done("bash", "-c", run)
    folder = bare.folder / "results" / "studies" / "mine" / "statistics"
    layers = pd.read_csv(folder / "layers.csv")
    headline = layers[(layers["part"] == "all") & (layers["split"] == "group") & (layers["probe"] == "logistic")]
    assert set(headline["layer"]) == {0, 2, 4, 6}
    assert (headline["n"] == 100).all()
    assert (headline["n_groups"] == 50).all()
    # What the document says of them: read from layer 2 on, better with every layer, and by the twin at none.
    curves = headline.pivot_table(index="layer", columns="model", values="estimate")
    assert curves["atlas"].is_monotonic_increasing
    assert curves.loc[2:, "atlas"].min() > 0.8
    assert curves["atlas-random"].max() <= 0.5
    best = pd.read_csv(folder / "best_layer.csv").set_index("model")
    best = best[(best["part"] == "all") & (best["split"] == "group")]
    assert best.loc["atlas", "lower"] > best.loc["atlas-random", "estimate"]
    assert best.loc["atlas", "text_baseline"] < 0.3
    assert all((folder / name).is_file() for name in ("best_layer_significance.csv", "checks.csv", "notes.csv"))


def test_an_empty_label_is_named_before_and_by_the_study(bare, document):
    (data,), (configuration,) = (document(kind) for kind in ("csv", "yaml"))
    check, _, run = document("sh")
    (bare.folder / "mydata.csv").write_text(data.replace("Iran.,0,", "Iran.,,"))
    (bare.folder / "config" / "mine.yaml").write_text(configuration)
    checked = bare.run("bash", "-c", check)
    assert checked.returncode == 1
    assert "wrong: line 5: the label 'label' is empty\n" in checked.stdout
    failed = bare.run("bash", "-c", run)
    assert failed.returncode == 1
    assert "line 5: the label 'label' is empty" in failed.stdout + failed.stderr
    assert not list((bare.folder / "results").glob("datasets/*/targets.csv"))
