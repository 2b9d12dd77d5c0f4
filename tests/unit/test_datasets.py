"""Builders: spans, folds, groups, balance; and that nothing held out stands on the wrong side."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from linear_probing import datasets, settings, sources, tables
from linear_probing.atlas import lexicon
from linear_probing.builders import word_class
from linear_probing.builders.city_statements import derange
from linear_probing.builders.draft import Draft
from linear_probing.settings import Dataset
from linear_probing.stage import StudyError
from linear_probing.tables import DatasetError, Tables

NAMES = ["place", "cities", "neg_cities", "larger_than", "agreement", "word_class"]


@pytest.fixture(scope="module")
def study(root):
    return settings.load(root / "config" / "study.yaml")


@pytest.fixture(scope="module")
def built(study):
    return {name: datasets.build(study, study.dataset(name)) for name in NAMES}


@pytest.fixture
def written(study, built, tmp_path):
    def write(name):
        datasets.write(tmp_path, study.dataset(name), built[name])
        return tables.read(tmp_path)

    return write


@pytest.mark.parametrize("name", NAMES)
def test_a_data_set_is_read_back_and_fits_its_tasks(study, built, written, tmp_path, name):
    data = written(name)
    datasets.read_back(tmp_path, built[name])
    tables.check_labels(data, study.tasks_of(name), tmp_path)
    assert set(data.targets["part"]) == {"seen", "unseen"}


ODD = 'alpha\rbeta, "gamma"\r\n\ndelta\u2028\x85\x0b\t '


def drafted(text, label="odd"):
    """Return a data set of six rows, two of this text."""
    ids = [str(row) for row in range(6)]
    texts = pd.DataFrame({"text_id": ids, "text": [text, " ", "NA", text, "-0.50", "x"]})
    fixed = {"target_id": ids, "text_id": ids, "span_start": 0, "span_end": 1, "group": ids, "type": "", "part": ""}
    targets = pd.DataFrame({**fixed, "fold": ids, "odd": label, "real": 0.1 + 0.2})
    return Draft(texts, targets, "", "", "", {}, {}, "", "")


def test_any_character_of_a_text_or_a_label_is_read_back(tmp_path):
    draft = drafted(ODD, ODD)
    datasets.write(tmp_path, Dataset("odd", "table", {}), draft)
    data = datasets.read_back(tmp_path, draft)
    assert data.texts["text"].tolist() == draft.texts["text"].tolist()
    assert data.targets["odd"].tolist() == [ODD] * 6
    assert data.targets["real"].tolist() == ["0.30000000000000004"] * 6


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("text", "meant", "texts.csv does not give back .*: text of row 0 is 'found', not 'meant'"),
        ("span_start", 2, "targets.csv does not give back .*: span_start of row 0 is '0', not '2'"),
        ("odd", "meant", "targets.csv does not give back .*: odd of row 0 is 'odd', not 'meant'"),
        ("more", "", "targets.csv does not give back .*: 6 rows of target_id"),
    ],
)
def test_a_table_that_does_not_give_back_what_was_meant_is_refused(tmp_path, column, value, says):
    draft = drafted("found")
    datasets.write(tmp_path, Dataset("odd", "table", {}), draft)
    frame = draft.texts if column == "text" else draft.targets
    frame.loc[0, column] = value
    with pytest.raises(DatasetError, match=says):
        datasets.read_back(tmp_path, draft)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_data_set(study, built, name):
    again = datasets.build(study, study.dataset(name))
    pd.testing.assert_frame_equal(again.targets, built[name].targets)
    pd.testing.assert_frame_equal(again.texts, built[name].texts)


@pytest.mark.parametrize("name", NAMES)
def test_folds_hold_groups_apart_and_every_fold_has_both_parts(built, name):
    targets = built[name].targets
    assert (targets.groupby("group")["fold"].nunique() == 1).all()
    assert (targets.groupby("fold")["part"].nunique() == 2).all()
    assert targets["fold"].nunique() == 5


@pytest.mark.parametrize("name", ["place", "cities", "neg_cities", "word_class"])
def test_every_type_has_four_contexts_and_its_test_rows_have_others_in_training(built, name):
    targets = built[name].targets
    assert targets.groupby("type").size().min() >= 4
    for train, tested in tables.fold_masks(targets["fold_types"]):
        assert set(targets["type"][tested]) <= set(targets["type"][train])


def test_spans_of_places_are_their_cities(built):
    draft = built["place"]
    for row, text in zip(draft.targets.itertuples(), draft.texts["text"], strict=True):
        assert text[row.span_start : row.span_end] == row.group


def test_positions_are_unit_vectors_that_point_where_the_city_is(built):
    targets = built["place"].targets.drop_duplicates("group").set_index("group")
    vectors = targets[["position_x", "position_y", "position_z"]].to_numpy()
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0)
    x, y, z = targets.loc["Nairobi", ["position_x", "position_y", "position_z"]]
    assert (round(x, 2), round(y, 2), round(z, 2)) == (0.8, 0.6, -0.02)  # 1.3 south, 36.8 east


def test_countries_are_held_out_whole(built):
    assert (built["place"].targets.groupby("country")["fold_country"].nunique() == 1).all()


@pytest.mark.parametrize(("name", "true_share"), [("cities", 0.25), ("neg_cities", 0.75)])
def test_a_country_is_stated_truly_and_falsely_in_one_proportion(built, name, true_share):
    targets = built[name].targets
    assert np.allclose(targets.groupby("stated_country")["truth"].mean(), true_share)


def test_affirmed_and_negated_statements_are_pairs_with_opposite_truth(built):
    affirmed, negated = built["cities"].targets, built["neg_cities"].targets
    assert (affirmed["group"] == negated["group"]).all()
    assert (affirmed["stated_country"] == negated["stated_country"]).all()
    assert (affirmed["truth"] + negated["truth"] == 1).all()


def test_derange_gives_nobody_what_is_barred():
    values = [f"{number % 7}" for number in range(70)]
    barred = [{value} for value in values]
    dealt = derange(values, barred, np.random.default_rng(0))
    assert sorted(dealt) == sorted(values)
    assert all(value not in bar for value, bar in zip(dealt, barred, strict=True))


def test_held_out_numbers_stand_on_one_side_only(built):
    targets = built["larger_than"].targets
    numbers = targets["group"].str.split("-").map(set)
    for train, tested in tables.fold_masks(targets["fold_numbers"]):
        assert tested.any()
        assert not set().union(*numbers[train]) & set().union(*numbers[tested])


def test_a_pair_names_both_its_numbers_as_blocks(built):
    targets = built["larger_than"].targets
    assert (targets["group_numbers"].str.replace("|", "-") == targets["group"]).all()


def test_both_orders_of_a_pair_stand_together_with_opposite_truth(built):
    grouped = built["larger_than"].targets.groupby("group")
    assert (grouped.size() == 2).all()
    assert (grouped["truth"].sum() == 1).all()


def test_attractors_do_not_tell_the_number_of_their_subject(built):
    draft = built["agreement"]
    plurals = {noun.plural for noun in lexicon.nouns()}
    last = draft.texts["text"].str.split().str[-1].isin(plurals).astype(int)
    crossed = draft.targets["n_attractors"] > 0
    assert abs(np.corrcoef(last[crossed], draft.targets["number"][crossed])[0, 1]) < 0.1


def test_unseen_sentences_hold_unseen_nouns_only(built):
    part = {noun.singular: noun.part for noun in lexicon.nouns()}
    targets = built["word_class"].targets
    nouns = targets[targets["word_class"] == "noun"]
    assert (nouns["group"].map(part) == nouns["part"]).all()


def broken(data, column, value):
    targets = data.targets.copy()
    targets.loc[1, column] = value
    return Tables(data.texts, targets)


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("span_end", 900, "span 0 to 900 is outside its text of 20 characters"),
        ("span_start", float("nan"), "outside its text"),
        ("fold", "4", "stands in 2 folds of split group, expected 1"),
        ("fold_country", "9", "stands in 2 folds of split country, expected 1"),
        ("target_id", "place-00000", "target_id place-00000 occurs twice"),
        ("text_id", "nothing", "names a text that does not exist"),
    ],
)
def test_a_broken_table_is_refused(written, tmp_path, column, value, says):
    data = written("place")
    data.targets.loc[1, "span_start"] = 0
    with pytest.raises(DatasetError, match=says) as error:
        tables.validate(broken(data, column, value), tmp_path)
    assert "do:     correct the data set's builder" in str(error.value)


def test_an_empty_table_is_refused(written, tmp_path):
    data = written("place")
    with pytest.raises(DatasetError, match="the data set is empty: 4768 texts, 0 targets"):
        tables.validate(Tables(data.texts, data.targets.iloc[:0]), tmp_path)


@pytest.mark.parametrize(
    ("value", "says"), [("1", "has 1 class, expected 2"), ("", "is NaN or empty"), ("nan", "is NaN or empty")]
)
def test_a_label_that_cannot_be_probed_is_refused(study, written, tmp_path, value, says):
    data = written("cities")
    data.targets["truth"] = "1" if value == "1" else data.targets["truth"].where(data.targets.index != 7, value)
    with pytest.raises(DatasetError, match=says):
        tables.check_labels(data, study.tasks_of("cities"), tmp_path)


def test_two_classes_are_no_multiclass_label_and_a_baseline_is_a_number(study, written, tmp_path):
    data = written("larger_than")
    (task,) = study.tasks_of("larger_than")
    with pytest.raises(DatasetError, match=r"(?s)has 2 classes, expected at least 3.*do:     name its kind binary"):
        tables.check_labels(data, (replace(task, kind="multiclass"),), tmp_path)
    data.targets.loc[3, "first_number"] = ""
    with pytest.raises(DatasetError, match="first_number of target larger_than-00003 is no finite number"):
        tables.check_labels(data, (task,), tmp_path)


@pytest.mark.parametrize("name", ["texts.csv", "targets.csv", "card.json"])
@pytest.mark.parametrize("damage", ["missing", "cut", "cut by a byte"])
def test_a_cut_or_missing_table_is_refused(written, tmp_path, name, damage):
    written("place")
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).unlink()
    if damage != "missing":
        (tmp_path / name).write_bytes(content[:1000] if damage == "cut" else content[:-3])
    with pytest.raises(DatasetError, match=rf"{name} cannot be read") as error:
        tables.read(tmp_path)
    assert "do:     delete the folder and run snakemake again" in str(error.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read"),
        (b"", "expected the columns singular, plural and rows"),
        (b"singular,plural\n", "expected the columns singular, plural and rows"),
        (b"singular;plural\nkey;keys\n", "found 'singular;plural'"),
        (b"singular,plural\nkey,keys\nlamp\n", "line 3: expected 2 cells, none empty"),
        (b"singular,plural\nkey,keys,more\n", "line 2: expected 2 cells"),
        (b"singular,plural\nkey,ke", "the last line has no end"),
        (b"singular,plural\nk\xff,keys\n", "cannot be read"),
    ],
)
def test_a_damaged_word_list_is_refused(tmp_path, content, says):
    path = tmp_path / "nouns.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(lexicon.LexiconError, match=says) as error:
        lexicon.read_rows(path)
    assert "do:     restore it: git checkout -- data/lexicons/nouns.csv" in str(error.value)


def test_a_source_that_a_builder_does_not_name_is_refused(tiny, monkeypatch):
    monkeypatch.setattr(word_class, "SOURCES", ("data/lexicons/nouns.csv", "data/lexicons/words.csv"))
    for function in (lexicon.nouns, lexicon.verbs, lexicon.words, lexicon.probed_nouns):
        function.cache_clear()
    with pytest.raises(StudyError, match=r"word_class reads data/lexicons/verbs.csv, which its SOURCES do not name"):
        datasets.build(tiny, tiny.dataset("word_class"))


def test_what_the_stage_reads_to_find_files_is_not_the_builders(study, tmp_path):
    """Whoever builds a data set first of all reads the list of public data on the way."""
    file = tmp_path / "own.csv"
    file.write_text("statement,label,city\n" + "".join(f"X{n} is so.,{n % 2},X{n}\n" for n in range(20)))
    own = {"files": [str(file)], "text": "statement", "labels": {"truth": "label"}, "group": "city"}
    sources.known.cache_clear()
    assert len(datasets.build(study, Dataset("own", "table", own)).targets) == 20
