"""The main table: the tables' numbers in every form, a dash for what is not defined; README.md's is the golden one."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from linear_probing import artefacts, records, settings
from linear_probing.drawing.curves import CLOSE
from linear_probing.drawing.tables import FigureError
from linear_probing.records import RecordError
from linear_probing.writing import __main__ as command
from linear_probing.writing import main_table, numbers, rendering
from linear_probing.writing.note import note
from linear_probing.writing.reading import PaperError

NEEDED = ("best_layer.csv", "selectivity.csv", "best_layer_significance.csv")


@pytest.fixture(scope="module")
def atlas(root):
    return settings.load(root / "config" / "study.yaml")


@pytest.fixture
def folder(root, tmp_path):
    """Return a folder with the three tables of the default study, to be changed."""
    for name in NEEDED:
        (tmp_path / name).write_bytes((root / "tests" / "golden" / "atlas" / name).read_bytes())
    return tmp_path


def change(folder, name, values, **where):
    table = pd.read_csv(folder / name)
    chosen = np.logical_and.reduce([table[column] == value for column, value in where.items()])
    assert chosen.any()
    for column, value in values.items():
        table[column] = table[column].astype(float if column != "layer" else object)
        table.loc[chosen, column] = value
    table.to_csv(folder / name, index=False)


def shown(study, folder, task):
    (row,) = [row for row in main_table.rows(study, folder, "atlas") if row.task == task]
    return dict(zip(main_table.HEADER, main_table.cells(row), strict=True))


def test_a_row_has_the_tables_numbers(atlas, folder):
    change(folder, "best_layer.csv", {"estimate": 0.414}, model="atlas-random-1", task="cities.truth", part="unseen")
    assert shown(atlas, folder, "cities.truth") == {
        "decodable": "Truth of “X is in C”",
        "metric": "AUROC",
        "best layer": "6",
        "estimate": ".997 [.993, .999]",
        "random weights": ".41 to .50",
        "text alone": ".35",
        "control task": ".72",
        "selectivity": ".27",
        "p (Holm)": ".008",
        "n": "720",
        "groups": "180",
    }


def test_an_undefined_number_is_a_dash_and_the_note_says_why(atlas, folder):
    where = {"model": "atlas", "task": "place.position", "part": "unseen"}
    assert numbers.ABSENT not in shown(atlas, folder, "place.position").values()
    rows = main_table.rows(atlas, folder, "atlas")
    assert note(atlas, rows).endswith(" –: no control task, which needs types that recur.")
    assert "–:" not in note(atlas, [row for row in rows if row.control == row.control])
    change(folder, "best_layer.csv", {"lower": np.nan, "upper": np.nan}, **where)
    change(folder, "best_layer_significance.csv", {"p_holm": np.nan}, **where)
    found = shown(atlas, folder, "place.position")
    assert (found["estimate"], found["p (Holm)"]) == (".84 –", "–")
    assert note(atlas, main_table.rows(atlas, folder, "atlas")).endswith(
        " –: no interval, for want of groups or of defined resamples; no control task, which needs types that recur; "
        "a score that is not defined."
    )


def test_the_note_says_nothing_of_what_the_table_lacks(atlas, folder):
    for name in NEEDED[1:]:
        header = (folder / name).read_text().splitlines()[0]
        (folder / name).write_text(header + "\n")
    tasks = tuple(replace(task, splits=("group",)) for task in atlas.tasks)
    study = replace(atlas, models=atlas.models[:1], tasks=tasks, n_permutations=0)
    found = shown(study, folder, "cities.truth")
    assert [found[name] for name in ("random weights", "selectivity", "p (Holm)")] == ["–"] * 3
    plain = {"control": np.nan, "lower": np.nan, "upper": np.nan, "part": "all"}
    rows = [replace(row, **plain) for row in main_table.rows(study, folder, "atlas")]
    assert note(study, rows) == (
        "Every task beside its controls. Estimates of atlas, groups held out, at the layer that inner folds chose. "
        "Text alone: words and character 3-grams. –: no interval, for want of groups or of defined resamples; "
        "no twin with random weights; no control task, which needs types that recur; no permutations."
    )


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        (("unseen", "unseen"), "On the unseen part: cities, pairs and nouns of which the embedded model read no "),
        (("unseen", "all"), "On the unseen part, where there is one: cities, pairs and nouns of which the embedded "),
        (("all", "all"), "controls. Estimates of atlas"),
    ],
)
def test_the_note_says_of_whom_nothing_was_read_where_there_is_such_a_part(atlas, folder, parts, says):
    """What another model read is not known: the parts are those of the embedded model."""
    rows = main_table.rows(atlas, folder, "atlas")
    assert says in note(atlas, [replace(row, part=part) for row, part in zip(rows, parts, strict=False)])


@pytest.mark.parametrize(
    ("n_twins", "says"), [(1, "Random weights: one twin at its"), (2, "least and greatest of 2 twins, each at its")]
)
def test_the_note_counts_the_twins_that_the_table_has(atlas, folder, n_twins, says):
    rows = [replace(row, random=row.random[:n_twins]) for row in main_table.rows(atlas, folder, "atlas")]
    assert says in note(atlas, rows)


def test_random_weights_that_come_close_are_in_bold(atlas, folder):
    def bold():
        text = rendering.markdown(main_table.rows(atlas, folder, "atlas"), "")
        return re.findall(r"\| ([^|]+) \|[^\n]*\*\*", text)

    assert bold() == ["Truth of “A is larger than B”"]
    change(folder, "best_layer.csv", {"estimate": 0.94}, model="atlas-random-2", task="word_class.word_class")
    assert bold() == ["Truth of “A is larger than B”", "Word class"]


def test_a_task_that_a_study_lacks_has_no_row(atlas, folder):
    study = replace(atlas, tasks=atlas.tasks[3:])
    assert [row.task for row in main_table.rows(study, folder, "atlas")] == [task.name for task in atlas.tasks[3:]]


def test_files_have_the_numbers_in_three_forms(atlas, folder, tmp_path):
    output = tmp_path / "out"
    output.mkdir()
    rendering.write(atlas, folder, output)
    assert {path.name for path in output.iterdir()} == {"main.csv", "main.md", "main.tex"}
    table = pd.read_csv(output / "main.csv").set_index("task")
    best = pd.read_csv(folder / "best_layer.csv").query("model == 'atlas' and part == 'unseen' and split == 'group'")
    assert table["estimate"].to_dict() == best.set_index("task")["estimate"].to_dict()
    assert np.isnan(table.loc["larger_than.truth", "control"])
    for form in ("main.md", "main.tex"):
        assert "[.82, .86]" in (output / form).read_text(encoding="utf-8")


def test_every_further_model_has_files_of_its_own(atlas, folder, tmp_path):
    other = replace(atlas.models[0], name="other", folder=tmp_path)
    for name in NEEDED:
        table = pd.read_csv(folder / name)
        pd.concat([table, table[table["model"] == "atlas"].assign(model="other")]).to_csv(folder / name, index=False)
    output = tmp_path / "out"
    output.mkdir()
    rendering.write(replace(atlas, models=(*atlas.models, other)), folder, output)
    assert {path.stem for path in output.iterdir()} == {"main", "main-other"}
    assert "–" in (output / "main-other.md").read_text(encoding="utf-8").split("\n")[2], "it has no twin"


def test_latex_is_whole_and_escaped(atlas, folder):
    rows = main_table.rows(atlas, folder, "atlas")
    odd = replace(rows[0], task="a_b & c%", control=float("nan"))
    text = rendering.latex([odd, *rows], "5 % of R² #1")
    lines = text.splitlines()
    body = lines[lines.index(r"\midrule") + 1 : lines.index(r"\bottomrule")]
    assert body[0].startswith(r"a\_b \& c\% & R\textsuperscript{2} & 2 & .84")
    assert {len(re.findall(r"(?<!\\)&", line)) for line in body} == {len(main_table.HEADER) - 1}
    assert len(rendering.COLUMNS.split()) == len(main_table.HEADER)
    assert r"\caption{5 \% of R\textsuperscript{2} \#1}" in text
    assert text.count(r"\begin") == text.count(r"\end")
    assert not re.search("[–−“”²<>]", text)


def test_a_markdown_row_is_one_row_whatever_its_text(atlas, folder):
    rows = main_table.rows(atlas, folder, "atlas")
    text = rendering.markdown([replace(rows[0], task="a|b")], "")
    assert text.splitlines()[2].startswith(r"| a\|b |")


@pytest.mark.parametrize("name", NEEDED)
def test_a_missing_table_says_what_makes_it(atlas, folder, name):
    (folder / name).unlink()
    with pytest.raises(PaperError, match=rf"(?s){name} is not there.*do:     run snakemake --cores 2"):
        main_table.rows(atlas, folder, "atlas")


def test_a_cut_table_and_one_of_another_study_are_told(atlas, folder):
    text = (folder / "best_layer.csv").read_text()
    (folder / "best_layer.csv").write_text(text.replace(",0.841509,", ",high,"))
    with pytest.raises(FigureError, match="column estimate holds 'high'"):
        main_table.rows(atlas, folder, "atlas")
    (folder / "best_layer.csv").write_text(text.replace("atlas,", "other,"))
    with pytest.raises(PaperError, match="no row of atlas with groups held out"):
        main_table.rows(atlas, folder, "atlas")


@pytest.mark.parametrize("name", NEEDED)
def test_a_row_that_stands_twice_is_told(atlas, folder, name):
    table = pd.read_csv(folder / name)
    chosen = table[(table["model"] == "atlas") & (table["task"] == "place.position")]
    pd.concat([table, chosen]).to_csv(folder / name, index=False)
    says = rf"(?s){name} has \d+ of its rows again, expected each once.*model atlas, task place.*do:     run snakemake"
    with pytest.raises(PaperError, match=says):
        main_table.rows(atlas, folder, "atlas")


def test_readme_shows_the_golden_table(root, atlas):
    expected = command.first_table(atlas, root / "tests" / "golden" / "atlas")
    text = (root / "README.md").read_text(encoding="utf-8")
    found = text.partition(command.BEGIN)[2].partition(command.END)[0]
    do = "--config config/study.yaml --statistics tests/golden/atlas --into README.md"
    assert found.strip() == expected.strip(), f"python -m linear_probing.writing {do}"


def test_readme_says_where_selectivity_does_not_speak_for_the_states(root):
    best = pd.read_csv(root / "tests" / "golden" / "atlas" / "best_layer.csv")
    best = best[(best["model"] == "atlas") & (best["part"] == "unseen") & (best["split"] == "types")]
    by_text = best[best["text_baseline"] > best["estimate"] - CLOSE].set_index("task")
    assert list(by_text.index) == ["place.country", "word_class.word_class"]
    country, words = (
        tuple(numbers.score(row[name]) for name in ("text_baseline", "estimate")) for _, row in by_text.iterrows()
    )
    text = " ".join((root / "README.md").read_text(encoding="utf-8").split())
    said = f"the country of a city (macro F1 {country[0]}; the states {country[1]})"
    assert f"{said} and the word class ({words[0]}; the states {words[1]})" in text


def test_a_table_replaces_what_stood_between_the_marks_and_nothing_else(tmp_path):
    text = f"one\n{command.BEGIN}\nold\n{command.END}\ntwo\n"
    found = command.replaced(text, "new\n", tmp_path / "README.md")
    assert found == f"one\n{command.BEGIN}\n\nnew\n\n{command.END}\ntwo\n"
    assert command.replaced(found, "new\n", tmp_path / "README.md") == found
    for wrong in ("no marks", text + text, f"{command.END} {command.BEGIN}"):
        with pytest.raises(
            PaperError, match=r"(?s)README.md has no place for the main table.*do:     write these lines"
        ):
            command.replaced(wrong, "new\n", tmp_path / "README.md")


def write_into(monkeypatch, config, statistics, file):
    arguments = {"--config": config, "--statistics": statistics, "--into": file}
    monkeypatch.setattr("sys.argv", ["writing", *(str(part) for pair in arguments.items() for part in pair)])
    command.main()


@pytest.fixture
def marked(tmp_path):
    path = tmp_path / "README.md"
    path.write_text(f"{command.BEGIN}\n{command.END}\n")
    return path


def test_golden_tables_are_written_with_their_own_configuration_alone(root, marked, monkeypatch):
    golden = root / "tests" / "golden" / "atlas"
    with pytest.raises(PaperError, match=r"(?s)tables are not those of tiny: .*digest.*do:     name the tables and"):
        write_into(monkeypatch, root / "config" / "tiny.yaml", golden, marked)
    write_into(monkeypatch, root / "config" / "study.yaml", golden, marked)
    assert "| Place of a city | R² | 2 |" in marked.read_text(encoding="utf-8")


def test_tables_with_a_record_are_written_if_it_is_todays_and_they_are_as_it_says(root, folder, marked, monkeypatch):
    monkeypatch.chdir(folder)
    config = root / "config" / "study.yaml"
    paths = artefacts.Artefacts(settings.load(config))
    made, files = paths.made[paths.statistics], [folder / name for name in NEEDED]
    other = folder / "record-0123456789.json"
    records.write(other, made, files)
    with pytest.raises(RecordError, match=r"(?s)atlas has no tables of today's code.*do:     snakemake --cores 2"):
        write_into(monkeypatch, config, folder, marked)
    other.rename(folder / f"record-{made.digest}.json")
    write_into(monkeypatch, config, folder, marked)
    change(folder, "best_layer.csv", {"estimate": 0.4}, model="atlas")
    with pytest.raises(RecordError, match=r"best_layer\.csv is not what was written"):
        write_into(monkeypatch, config, folder, marked)


def test_tables_by_hand_have_nothing_to_be_compared_with(root, folder, marked, monkeypatch):
    write_into(monkeypatch, root / "config" / "study.yaml", folder, marked)
    assert "Every task beside its controls" in marked.read_text(encoding="utf-8")


def test_a_file_that_is_not_there_is_told(root, folder, tmp_path, monkeypatch):
    with pytest.raises(PaperError, match=r"(?s)absent\.md cannot be read.*do:     name a Markdown file"):
        write_into(monkeypatch, root / "config" / "study.yaml", folder, tmp_path / "absent.md")
