"""Golden tables: which differences are found, what is said of them, and when there is nothing to compare."""

import pytest
import yaml

from linear_probing import golden, provenance, records, settings
from linear_probing.golden import GoldenError
from linear_probing.provenance import ROOT
from linear_probing.records import RecordError

ALLOWED = {"estimate": 0.002, "n": 0}
KEYS = "model atlas task cities.truth layer"
ROWS = [
    ("atlas", "cities.truth", "0", "0.5", "720"),
    ("atlas", "cities.truth", "3", "0.912345", "720"),
    ("atlas", "cities.truth", "6", "", "720"),
]
STUDIES = {"tiny": "tiny.yaml", "atlas": "study.yaml"}


def table(*rows):
    return [dict(zip(("model", "task", "layer", "estimate", "n"), row, strict=True)) for row in rows or ROWS]


def changed(row, column, value):
    found = table()
    found[row][column] = value
    return found


def save(rows, path):
    path.write_text("\n".join(",".join(cells) for cells in (rows[0], *(row.values() for row in rows))) + "\n")


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (changed(1, "estimate", "0.915"), f"{KEYS} 3, estimate: found 0.915, expected 0.912345 within 0.002"),
        (changed(1, "estimate", "0.812345"), f"{KEYS} 3, estimate: found 0.812345, expected 0.912345 within 0.002"),
        (changed(1, "n", "721"), f"{KEYS} 3, n: found 721, expected 720 within 0"),
        (changed(1, "estimate", ""), f"{KEYS} 3, estimate: found an empty cell, expected 0.912345 within 0.002"),
        (changed(2, "estimate", "0.5"), f"{KEYS} 6, estimate: found 0.5, expected an empty cell within 0.002"),
        (table(*ROWS[:2]), f"{KEYS} 6: found no such row, expected one"),
        (table(*ROWS, ("atlas", "cities.truth", "7", "1", "720")), f"{KEYS} 7: found a row, expected none"),
        (table(*ROWS, ROWS[0]), f"{KEYS} 0 (again): found a row, expected none"),
        (
            [{key: row[key] for key in list(row)[:-1]} for row in table()],
            "columns: found model, task, layer, estimate, expected model, task, layer, estimate, n",
        ),
    ],
)
def test_a_difference_is_found_and_named(found, says):
    assert [str(one) for one in golden.compare("layers.csv", found, table(), ALLOWED)] == [f"layers.csv, {says}"]


@pytest.mark.parametrize("value", ["0.914345", "0.910345", "0.912345"])
def test_what_is_within_the_tolerance_is_no_difference(value):
    assert golden.compare("layers.csv", changed(1, "estimate", value), table(), ALLOWED) == []


@pytest.mark.parametrize(("metric", "n_found"), [("macro_f1", 0), ("auroc", 1), ("r2", 1)])
def test_a_tolerance_may_be_that_of_a_metric(metric, n_found):
    found, expected = ([{"metric": metric, "layer": "3", "estimate": value}] for value in ("0.91", "0.92"))
    allowed = {"estimate": {"macro_f1": 0.05, "auroc": 0.001}}
    assert len(golden.compare("layers.csv", found, expected, allowed)) == n_found


def test_the_order_of_rows_is_no_difference():
    assert golden.compare("layers.csv", table(*ROWS[::-1]), table(), ALLOWED) == []


@pytest.fixture
def folders(tmp_path):
    found, expected = tmp_path / "found", tmp_path / "golden"
    found.mkdir()
    save(table(), found / "layers.csv")
    golden.write(found, expected, {"layers.csv": ALLOWED}, "0123456789")
    return found, expected


def test_written_tables_are_golden(tiny, folders):
    assert golden.check(tiny, *folders, {"layers.csv": ALLOWED}) == 3


def test_edited_tables_are_not_taken_as_golden(folders):
    made = provenance.made("statistics", {})
    records.write(folders[0] / "record-0123456789.json", made, [folders[0] / "layers.csv"])
    save(changed(1, "estimate", "0.5"), folders[0] / "layers.csv")
    with pytest.raises(RecordError, match=r"layers\.csv is not what was written"):
        golden.write(*folders, {"layers.csv": ALLOWED}, "0123456789")


def test_a_table_that_has_become_empty_or_was_always_is_compared():
    assert golden.compare("layers.csv", [], [], ALLOWED) == []
    assert len(golden.compare("layers.csv", [], table(), ALLOWED)) == len(ROWS)
    assert len(golden.compare("layers.csv", table(), [], ALLOWED)) == len(ROWS)


def test_an_error_names_the_difference_and_what_to_do(tiny, folders):
    save(changed(1, "estimate", "0.5"), folders[0] / "layers.csv")
    with pytest.raises(GoldenError, match=r"tiny differs from its golden tables \(differences: 1\)") as error:
        golden.check(tiny, *folders, {"layers.csv": ALLOWED})
    assert f"layers.csv, {KEYS} 3, estimate: found 0.5, expected 0.912345 within 0.002" in str(error.value)
    assert "do:     find the change; if it was meant to change them, python -m linear_probing.golden" in str(
        error.value
    )
    assert str(error.value).endswith(f"--config {tiny.file} --write")


def test_many_differences_are_counted(tiny, folders):
    rows = [("atlas", "cities.truth", str(layer), "0.5", "720") for layer in range(10, 30)]
    save(table(*ROWS, *rows), folders[0] / "layers.csv")
    with pytest.raises(GoldenError, match="differences: 20") as error:
        golden.check(tiny, *folders, {"layers.csv": ALLOWED})
    assert "and 10 more" in str(error.value)


@pytest.mark.parametrize(("which", "do"), [(0, "run snakemake again"), (1, "take it from the repository's history")])
def test_a_missing_table_is_named(tiny, folders, which, do):
    (folders[which] / "layers.csv").unlink()
    with pytest.raises(GoldenError, match=r"layers\.csv cannot be read") as error:
        golden.check(tiny, *folders, {"layers.csv": ALLOWED})
    assert f"do:     {do}" in str(error.value)


def test_another_configuration_is_not_compared_and_says_so(tiny, folders, tmp_path):
    assert golden.not_compared(tiny, folders[1], "0123456789") is None
    assert "(digest 9876543210) is not the configuration of the golden tables (0123456789)" in golden.not_compared(
        tiny, folders[1], "9876543210"
    )
    assert golden.not_compared(tiny, tmp_path / "nothing", "0123456789") == "there are no golden tables of tiny"


def test_the_command_says_that_it_does_not_compare(root, tiny_content, tmp_path, monkeypatch, capsys):
    tiny_content["n_folds"] = 4
    path = tmp_path / "other.yaml"
    path.write_text(yaml.safe_dump(tiny_content))
    monkeypatch.setattr("sys.argv", ["golden", "--config", str(path)])
    golden.main()
    assert capsys.readouterr().out.startswith(f"tiny: not compared, since {path} (digest ")


def test_statistics_of_other_code_are_not_compared(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["golden", "--config", str(tiny.file)])
    with pytest.raises(RecordError, match="tiny has no tables of today's code") as error:
        golden.main()
    assert f"do:     snakemake --cores 2 --configfile {tiny.file}" in str(error.value)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (lambda c: c.update(name="other"), True),
        (lambda c: c["bootstrap"].update(n_resamples=60), False),
        (lambda c: c["models"]["atlas"].update(device="cuda"), False),
    ],
)
def test_a_configuration_counts_by_all_but_its_name(tiny_content, tmp_path, change, same):
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(tiny_content))
    before = golden.configuration_digest(path)
    change(tiny_content)
    path.write_text("# Words.\n" + yaml.safe_dump(tiny_content, sort_keys=False))
    assert (golden.configuration_digest(path) == before) is same


@pytest.mark.parametrize("name", STUDIES)
def test_the_golden_tables_are_those_of_the_committed_configuration(name):
    study = settings.load(ROOT / "config" / STUDIES[name])
    assert golden.not_compared(study, golden.GOLDEN / name, golden.configuration_digest(study.file)) is None


@pytest.mark.parametrize("name", STUDIES)
def test_tolerances_are_of_columns_that_the_golden_tables_have(name):
    for file, allowed in yaml.safe_load((golden.GOLDEN / golden.TOLERANCES).read_text()).items():
        expected = golden.read_table(golden.GOLDEN / name / file, do="")
        assert set(allowed) < set(expected[0])
        assert golden.compare(file, expected, expected, allowed) == []
