"""The paper: no number and no finding is typed in it, it reads whatever a study lacks, its bytes follow from inputs."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typst
from matplotlib.image import imsave

from linear_probing import paper, settings
from linear_probing.drawing import style
from linear_probing.estimation.columns import described
from linear_probing.settings import Bootstrap
from linear_probing.writing import numbers, real_model, rendering
from linear_probing.writing.evidence import TABLES
from linear_probing.writing.reading import PaperError


def mostly_slow(n_always, *cases):
    """Return cases of which all but the first few are of the slow tier: each writes a paper."""
    return [pytest.param(*case, marks=() if place < n_always else pytest.mark.slow) for place, case in enumerate(cases)]


@pytest.fixture(scope="module")
def atlas(root):
    return settings.load(root / "config" / "study.yaml")


def frame(name, rows):
    return pd.DataFrame(rows).reindex(columns=list(described(name)))


@pytest.fixture(scope="module")
def whole(root, tmp_path_factory):
    """Return all tables of the default study: the golden ones, and small ones by hand where none is kept."""
    folder, golden = tmp_path_factory.mktemp("tables"), root / "tests" / "golden" / "atlas"
    best = pd.read_csv(golden / "best_layer.csv").query("model == 'atlas' and split == 'group'")
    rows = best.to_dict("records")
    gain = {"gain": 0.05, "gain_lower": 0.01, "gain_upper": 0.09}
    made = {
        "embedding_gain.csv": [{**row, "gain_over_embedding": 0.4, "lower": 0.3, "upper": 0.5} for row in rows],
        "probes.csv": [{**row, "probe": "mlp", **gain} for row in rows],
        "learning.csv": [{**row, "share": share, "n_training_groups": 9} for row in rows for share in (0.1, 1.0)],
        "map_summary.csv": [
            {"model": "atlas", "task": "place.position", "layer": layer, "n": 9, "median_error_km": 3000 - 500 * layer}
            for layer in range(7)
        ],
        "causal_tests.csv": [
            {"model": "atlas", "task": task, "operation": operation, "direction": kind, "layer": 6, "estimate": effect}
            | {"control_95": 0.71, "n_tasks": 0, "n_layers": 0, "n_controls": 20}
            for task in ("cities.truth", "agreement.number")
            for operation, kind, effect in (
                ("shift", "logistic", 0.43),
                ("shift", "mean_difference", 0.94),
                ("remove", "mean_difference", 0.48),
            )
        ],
        "fits.csv": [{"model": "atlas", "n_fits": 5, "converged": 1.0, "max_iterations": 3, "n_notes": 2}],
        "notes.csv": [
            {"model": "atlas", "fold": 0, "n_iterations": 3, "converged": True, "note": note}
            for note in ("training lacks 1 of 7 classes; 160 constant features", "160 constant features")
        ],
    }
    for name in TABLES:
        if name in made:
            frame(name, made[name]).to_csv(folder / name, index=False)
        else:
            (folder / name).write_bytes((golden / name).read_bytes())
    (folder / "selectivity.csv").write_bytes((golden / "selectivity.csv").read_bytes())
    return folder


@pytest.fixture
def tables(whole, tmp_path):
    """Return a copy of the tables, to be changed."""
    folder = tmp_path / "statistics"
    folder.mkdir()
    for path in whole.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


@pytest.fixture
def figures(tmp_path):
    """Return a folder of figures: one as PDF, one as PNG, with the captions of both."""
    folder = tmp_path / "figures"
    folder.mkdir()
    with style.theme():
        style.save(style.message("curves"), folder, "layers")
    imsave(folder / "leakage.png", np.zeros((4, 9, 3)))
    captions = {name: {"caption": f"What {name} shows.", "category": "Curves"} for name in ("layers", "leakage")}
    (folder / "captions.json").write_text(json.dumps(captions))
    return folder


def change(folder, name, values, **where):
    table = pd.read_csv(folder / name)
    chosen = np.logical_and.reduce([np.isin(table[column], value) for column, value in where.items()])
    assert chosen.any()
    for column, value in values.items():
        table.loc[chosen, column] = value
    table.to_csv(folder / name, index=False)


def read(root, study, tables, figures, real=None):
    """Return the text of the paper, which Typst also writes as HTML from the same source and values.

    Without `real` it has no section on a real model, whose findings are of other tables.
    """
    work = figures.parent / "work"
    work.mkdir(exist_ok=True)
    content = paper.contents(study, tables, figures, rendering.write(study, tables, work))
    content |= {"figures": {}, "real": real}
    for source in paper.SOURCES[:2]:
        (work / Path(source).name).write_bytes((root / source).read_bytes())
    (work / "values.json").write_text(json.dumps(content))
    compiler = typst.Compiler(work / "paper.typ", root=work, ignore_system_fonts=True)
    html = compiler.compile_with_warnings(format="html")[0].decode()
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", re.sub(r"<(p|h\d|td|li)\b", r" <\1", html)))


@pytest.fixture(scope="module")
def usual(root, atlas, whole, tmp_path_factory):
    """Return the text of the default study's paper."""
    figures = tmp_path_factory.mktemp("usual") / "figures"
    figures.mkdir()
    imsave(figures / "layers.png", np.zeros((4, 9, 3)))
    return read(root, atlas, whole, figures)


def written(study, tables, figures, folder):
    folder.mkdir()
    paper.write(study, tables, figures, folder)
    return (folder / paper.PDF).read_bytes()


# What comes out.


def test_the_same_inputs_give_the_same_bytes_and_no_date(atlas, tables, figures, tmp_path):
    first, second = (written(atlas, tables, figures, tmp_path / name) for name in ("one", "two"))
    assert first[:5] == b"%PDF-"
    assert first == second
    assert not re.search(rb"CreationDate|ModDate|CreateDate|ModifyDate", first)
    names = {"paper.pdf", "values.json", "main.csv", "main.md", "main.tex"}
    assert {path.name for path in (tmp_path / "one").iterdir()} == names


def test_a_changed_table_changes_the_text_and_the_pdf(root, atlas, tables, figures, tmp_path):
    before = read(root, atlas, tables, figures), written(atlas, tables, figures, tmp_path / "one")
    assert ".84 [.82, .86]" in before[0]
    change(
        tables,
        "best_layer.csv",
        {"estimate": 0.8512},
        model="atlas",
        task="place.position",
        part="unseen",
        split="group",
    )
    after = read(root, atlas, tables, figures), written(atlas, tables, figures, tmp_path / "two")
    assert ".84 [.82, .86]" not in after[0]
    assert ".85 [.82, .86]" in after[0]
    assert before[1] != after[1]


def test_the_text_is_clean(usual):
    body = usual.partition("Abstract")[2].partition("References")[0]
    found = re.findall(r".{20}(?: [.,;:)]|\( |,,|\.\.|#|\bauto\b|\bv\.).{20}", body)
    found = [one for one in found if not re.search(r" \.\d| – ", one)]
    assert not found
    assert "six are significant too" in body
    assert "All eight tasks are significant at .05" in body


def test_interventions_without_p_values_are_a_first_look(root, atlas, tables, figures):
    text = read(root, atlas, tables, figures)
    assert "edits along difference of means do .94 at layer 6" in text
    assert "as long a shift along logistic regression makes .43, and the direction’s removal .48" in text
    assert "What reads best need not be what is used" in text
    assert "this is a first look, without p-values" in text


def test_a_study_that_intervenes_on_nothing_says_so(root, atlas, tables, figures):
    pd.read_csv(tables / "causal_tests.csv").head(0).to_csv(tables / "causal_tests.csv", index=False)
    assert "The study intervened on nothing" in read(root, atlas, tables, figures)


UNSEEN = {"model": "atlas", "part": "unseen"}
GROUPED = {**UNSEEN, "split": "group"}
PAIRS = {"model": "atlas", "layer": 6, "probe": "logistic"}


@pytest.mark.parametrize(
    ("name", "values", "where", "says", "says_no_more"),
    mostly_slow(
        4,
        (
            "best_layer_significance.csv",
            {"p_holm": 0.2},
            {"model": "atlas", "task": "cities.truth"},
            ["Of eight tasks, seven are significant", "A signal in the truth of “X is in C”, after correction"],
            ["All eight"],
        ),
        (
            "best_layer_significance.csv",
            {"p_holm": 0.2},
            {"model": "atlas"},
            ["No task is significant", "None of eight properties is decodable"],
            ["All eight"],
        ),
        (
            "best_layer_significance.csv",
            {"p_holm": 0.2},
            {"model": "atlas-random"},
            ["From random weights none is."],
            ["significant too"],
        ),
        (
            "best_layer.csv",
            {"layer": 1},
            {**GROUPED, "task": "cities.truth"},
            ["Truth thus stands before place", "read best at layer 1, before the city’s place, at layer 2"],
            ["Place thus stands before truth", "A layer behind truth"],
        ),
        (
            "best_layer.csv",
            {"layer": 2},
            {**GROUPED, "task": "cities.truth"},
            ["Place and truth thus stand together"],
            ["thus stands before"],
        ),
        (
            "best_layer.csv",
            {"estimate": 0.5},
            {"model": ["atlas-random", "atlas-random-1", "atlas-random-2"], "task": "larger_than.truth"},
            ["No task comes near from random weights"],
            ["would pass for knowledge", "Learning, where random weights"],
        ),
        (
            "best_layer.csv",
            {"upper": 0.3},
            {"model": "atlas", "task": "place.position", "split": "country"},
            ["the place of a city is read worse"],
            ["A loss by holding out countries"],
        ),
        (
            "leakage.csv",
            {"lower": -0.1, "upper": 0.1},
            {"model": "atlas"},
            ["No interval tells a split by row"],
            ["would have put", "Had rows been split"],
        ),
        (
            "leakage.csv",
            {"lower": 0.01, "upper": 0.3, "difference": 0.2},
            {"model": "atlas"},
            ["too high by up to .20 of"],
            ["too low", "no single direction"],
        ),
        (
            "transfer.csv",
            {"estimate": 0.9, "lower": 0.8, "upper": 0.95},
            PAIRS,
            ["Each tells the truth of the other’s statements", "in their own order in twelve"],
            ["A direction of truth", "opposite order"],
        ),
        (
            "transfer.csv",
            {"estimate": 0.5, "lower": 0.4, "upper": 0.6},
            PAIRS,
            ["Neither tells the truth", "in neither order in twelve", "A direction of truth that tells"],
            ["in their own order in"],
        ),
        (
            "causal_tests.csv",
            {"p_holm": 0.004, "p_value": 0.002, "n_layers": 2, "acts_from": 5, "acts_to": 6, "n_controls": 1000},
            {"direction": "mean_difference", "task": "cities.truth"},
            ["(p .004, corrected)", "It acts beyond random directions at layers 5 to 6", "At no layer does it act"],
            ["first look"],
        ),
        (
            "selectivity.csv",
            {"lower": -0.1},
            {"model": "atlas"},
            ["Nowhere is selectivity above zero"],
            ["Selectivity is above zero"],
        ),
        (
            "baselines.csv",
            {"upper": 0.6},
            {"baseline": "text"},
            ["Selectivity is above"],
            ["Below chance stand", "That is no knowledge"],
        ),
        (
            "embedding_gain.csv",
            {"lower": -0.1},
            {"task": "cities.truth"},
            ["More than the embedding gives is found"],
            ["every task has more than the embedding"],
        ),
        (
            "probes.csv",
            {"gain_lower": -0.1},
            {"probe": "mlp"},
            ["has nowhere more than the linear probe"],
            ["misses something"],
        ),
        (
            "seeds.csv",
            {"sd": np.nan},
            {"model": "atlas"},
            ["How firm this is A multilayer"],
            ["dealings of the groups"],
        ),
        ("fits.csv", {"converged": 0.6}, {"model": "atlas"}, ["Of 5 fits, two did not converge"], ["fits converged"]),
    ),
)
def test_a_sentence_is_chosen_by_the_tables(
    root, atlas, usual, tables, figures, name, values, where, says, says_no_more
):
    change(tables, name, values, **where)
    text = read(root, atlas, tables, figures)
    assert not [words for words in says if words not in text]
    assert not [words for words in says_no_more if words in text]
    assert [words for words in says_no_more if words in usual], "else the second line would hold of any paper"


def test_notes_are_counted_by_what_they_say(root, atlas, usual, tables, figures):
    assert "On two the study keeps a note: of features that are constant (two) and a class that the training" in usual
    change(tables, "notes.csv", {"note": "did not converge"}, note="160 constant features")
    changed = read(root, atlas, tables, figures)
    assert "lacks (one) and a fit that did not converge (one)." in changed
    pd.read_csv(tables / "notes.csv").head(0).to_csv(tables / "notes.csv", index=False)
    assert "keeps a note" not in read(root, atlas, tables, figures)


@pytest.mark.parametrize(
    "says",
    [
        "learnt up to .11 of R² (the place of a city), .48 of macro F1 (the word class) and .72 of AUROC (the truth",
        ": .76 [.72, .81] of R² for the place of a city; from .43 [.37, .50] of macro F1 for the country of a city to",
        "gain goes up to .40 [.30, .50] of R² (the place of a city), .40 [.30, .50] of macro F1 (the continent of a",
        "the difference is at most .02 of R² (the place of a city), .11 of macro F1 (the country of a city) and .003",
        "by up to .05 [.01, .09] of R² (the place of a city), .05 [.01, .09] of macro F1 (the continent of a city)",
        "at most .0003 of R² (the place of a city), .018 of macro F1 (the country of a city) and .008 of AUROC (the",
    ],
)
def test_the_greatest_of_several_numbers_is_that_of_one_metric(usual, says):
    assert says in usual


@pytest.mark.parametrize(
    ("confidence", "says"),
    [
        (0.9, "All eight tasks are significant at .1 after"),
        (0.95, "Of eight tasks, seven are significant at .05 after"),
    ],
)
def test_significance_is_at_what_the_intervals_confidence_leaves(root, atlas, tables, figures, confidence, says):
    change(tables, "best_layer_significance.csv", {"p_holm": 0.07}, model="atlas", task="cities.truth")
    study = replace(atlas, bootstrap=Bootstrap(n_resamples=50, confidence=confidence))
    assert says in read(root, study, tables, figures)


def test_the_last_layer_is_the_models_and_not_the_last_that_was_looked_at(root, atlas, usual, tables, figures):
    table = pd.read_csv(tables / "layers.csv")
    table[table["layer"] <= 4].to_csv(tables / "layers.csv", index=False)
    change(tables, "best_layer.csv", {"layer": 4}, **GROUPED, task="cities.truth")
    text = read(root, replace(atlas, layers=(0, 2, 4)), tables, figures)
    assert "at all seven layers, counted" in usual
    assert "at layers 0, 2 and 4, counted" in text
    for words in ("the last layer there is", "A layer behind truth"):
        assert words in usual
        assert words not in text


# What a study lacks.


@pytest.mark.parametrize("number", mostly_slow(2, *((number,) for number in (0, 4, 1, 2, 3, 5, 6, 7))))
def test_a_study_without_one_task_has_a_paper_without_it(root, atlas, tables, figures, tmp_path, number):
    missing = atlas.tasks[number].name
    for path in tables.iterdir():
        table = pd.read_csv(path)
        for column in {"task", "train_task", "test_task"} & set(table):
            table = table[table[column] != missing]
        table.to_csv(path, index=False)
    study = replace(atlas, tasks=tuple(task for task in atlas.tasks if task.name != missing))
    text = read(root, study, tables, figures)
    assert "All seven tasks are significant" in text
    assert paper.values(study, tables, rendering.write(study, tables, tmp_path))["tasks"].keys() == {
        task.name for task in study.tasks
    }
    assert written(study, tables, figures, tmp_path / "out")


def test_a_study_of_one_task_without_twins_and_controls_has_a_paper(root, atlas, tables, figures, tmp_path):
    kept = "word_class.word_class"
    for path in tables.iterdir():
        table = pd.read_csv(path)
        if path.name not in ("best_layer.csv", "layers.csv", "baselines.csv"):
            table = table.head(0)
        table = table[table["task"] == kept] if "task" in table else table
        table = table.assign(lower=np.nan, upper=np.nan) if "lower" in table else table
        table.to_csv(path, index=False)
    tasks = tuple(task for task in atlas.tasks if task.name == kept)
    study = replace(atlas, tasks=tasks, models=atlas.models[:1], probes=(), n_permutations=0)
    text = read(root, study, tables, figures)
    assert "has the scores of all tasks" in text
    assert "[" not in text.partition("= Results")[2]
    assert written(study, tables, figures, tmp_path / "out")


def test_the_tiny_study_has_a_paper_too(root, tiny, whole, tables, figures, tmp_path):
    for path in (root / "tests" / "golden" / "tiny").glob("*.csv"):
        (tables / path.name).write_bytes(path.read_bytes())
    assert "No task is significant at .1" in read(root, tiny, tables, figures)
    assert written(tiny, tables, figures, tmp_path / "out")


def test_a_figure_has_the_caption_of_the_figures_stage_and_none_that_is_not_there(atlas, tables, figures):
    found = paper.contents(atlas, tables, figures, rendering.write(atlas, tables, figures.parent))["figures"]
    assert found == {
        "layers": {"file": "layers.pdf", "caption": "What layers shows."},
        "leakage": {"file": "leakage.png", "caption": "What leakage shows."},
    }


def test_without_captions_there_is_a_paper(atlas, tables, figures, tmp_path):
    (figures / "captions.json").unlink()
    assert written(atlas, tables, figures, tmp_path / "out")


# What is refused.


def test_another_model_needs_another_paper(atlas, tables, figures, tmp_path):
    study = replace(atlas, models=(replace(atlas.models[0], name="other", folder=tmp_path),))
    with pytest.raises(PaperError, match=r"(?s)first model of atlas is other.*do:     make paper CONFIG=config/study"):
        paper.write(study, tables, figures, tmp_path)


@pytest.mark.parametrize("name", TABLES)
def test_a_missing_table_says_what_makes_it(atlas, tables, figures, tmp_path, name):
    (tables / name).unlink()
    with pytest.raises(PaperError, match=rf"(?s){name} is not there.*do:     run snakemake"):
        paper.write(atlas, tables, figures, tmp_path)


def test_a_table_of_layers_without_the_model_is_told(atlas, tables, figures, tmp_path):
    pd.read_csv(tables / "layers.csv").head(0).to_csv(tables / "layers.csv", index=False)
    with pytest.raises(PaperError, match=r"(?s)layers\.csv has no row of atlas.*do:     run snakemake"):
        paper.write(atlas, tables, figures, tmp_path)


def test_a_missing_figure_says_what_makes_it(atlas, tables, figures, tmp_path):
    for path in figures.glob("layers.*"):
        path.unlink()
    with pytest.raises(PaperError, match=r"(?s)the figure layers is not there.*do:     make figures"):
        paper.write(atlas, tables, figures, tmp_path)


@pytest.mark.parametrize("content", ['{"layers": ', '{"layers": "a caption"}', "[]"])
def test_damaged_captions_are_told(atlas, tables, figures, tmp_path, content):
    (figures / "captions.json").write_text(content)
    with pytest.raises(PaperError, match=r"(?s)captions\.json holds no captions.*do:     make figures"):
        paper.write(atlas, tables, figures, tmp_path)


@pytest.mark.parametrize(
    ("source", "says"), [("#json('values.json').absent", "absent"), ('#set text(font: "No")', "no")]
)
def test_a_value_or_a_font_that_is_not_there_is_an_error(tmp_path, source, says):
    path = tmp_path / "paper.typ"
    path.write_text(f"{source}\nwords", encoding="utf-8")
    with pytest.raises(PaperError, match=rf"(?s)paper\.typ cannot be set: .*{says}.*do:     compare the two"):
        paper.typesetting.compile_pdf([path], {}, [])


def test_the_paper_reads_nothing_but_its_folder(tmp_path):
    (tmp_path / "secret.txt").write_text("words")
    path = tmp_path / "paper.typ"
    path.write_text(f'#read("{tmp_path}/secret.txt")', encoding="utf-8")
    with pytest.raises(PaperError, match="cannot be set"):
        paper.typesetting.compile_pdf([path], {}, [])


def test_every_number_of_the_table_is_formatted_in_one_place(root, atlas, tables, figures):
    rows = rendering.write(atlas, tables, figures.parent)
    text = (figures.parent / "main.md").read_text(encoding="utf-8")
    for cells in paper.values(atlas, tables, rows)["table"]["rows"]:
        assert all(cell in text for cell in cells)
    assert numbers.score(rows[0].estimate) == paper.values(atlas, tables, rows)["tasks"][rows[0].task]["estimate"][:3]


# A real model.


def real_section(text):
    return text.partition("A real encoder")[2].partition("What was not found")[0]


def test_the_section_on_a_real_model_is_of_its_own_tables(root, atlas, tables, figures):
    real = real_model.values()
    text = real_section(read(root, atlas, tables, figures, real))
    assert "The same pipeline reads minilm" in text
    assert f"{real['by_row']['row']} instead of {real['by_row']['group']}" in text
    assert all(one["task"] in text for one in real["random"]["close"])


def test_without_tables_of_a_real_model_there_is_no_section(root, atlas, tables, figures, usual):
    assert not real_section(usual)


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("lower", "downwards: by up to"),
        ("higher", "upwards: by up to"),
        ("mixed", "to either side: by up to"),
        ("neither", "No interval tells a split by row from the split by group"),
    ],
)
def test_the_side_of_a_split_by_row_is_the_tables(root, atlas, tables, figures, word, says):
    real = real_model.values()
    real["by_row"] |= {"word": word, "twin": None}
    text = real_section(read(root, atlas, tables, figures, real))
    assert says in text
    assert ("misleads it about the other" in text) is (word == "lower")
    assert "The random twin is off" not in text


def test_a_study_with_nothing_found_says_so(root, atlas, tables, figures):
    real = real_model.values()
    real["significance"] |= {"all": False, "none": True, "twin": None}
    real |= {"random": None, "by_row": None, "control": None, "text_close": [], "stricter": None, "misled_text": None}
    text = real_section(read(root, atlas, tables, figures, real))
    assert f"None of {real['significance']['total']} tasks is significant after correction" in text
    assert not [word for word in ("split by row", "Selectivity", "Text alone comes", "countries held") if word in text]
