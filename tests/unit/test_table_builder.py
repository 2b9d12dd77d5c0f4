"""The builder of tables: spans, labels, groups, folds and draws by hand; what leaks or cannot be probed is refused."""

import inspect
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from linear_probing import datasets, tables
from linear_probing.builders import draft, table, table_folds
from linear_probing.formats.rows import FormatError
from linear_probing.settings import Dataset, Task
from linear_probing.tables import DatasetError, Tables

CITIES = ["Rome", "Oslo", "Lima", "Cairo", "Paris", "Tokyo", "Quito", "Delhi", "Accra", "Minsk"]
HEADER = "statement,label,city,land,lat,lon"
ROWS = [
    f"{city} is in {land}.,{label},{city},{land},{10 * place - 45},{place}"
    for place, city in enumerate(CITIES)
    for label, land in ((1, f"its land {place % 4}"), (0, f"a wrong land {place % 3}"))
]
USUAL = {"text": "statement", "labels": {"truth": "label"}, "group": "city"}
PLACE = {"latitude": "lat", "longitude": "lon"}
SUBJECT = {"from": "statement", "match": "^(.+?) is in"}
OF_CONLLU = {"labels": {"upos": "upos"}, "group": "document"}


@pytest.fixture
def file(tmp_path):
    def write(rows=ROWS, header=HEADER, name="data.csv"):
        (tmp_path / name).write_text("\n".join([header, *rows]) + "\n")
        return tmp_path / name

    return write


@pytest.fixture
def build(file):
    def one(rows=ROWS, header=HEADER, files=None, **changes):
        given = {"n_folds": 5, "seed": 0, **USUAL, **changes}
        return table.build(files=files or [file(rows, header)], **given)

    return one


@pytest.fixture
def own(file):
    """Return the files of a data set with a split of its own: two cities test, two develop."""
    parts = {"train": ROWS[:12], "dev": ROWS[12:16], "test": ROWS[16:]}
    return {part: [file(rows, name=f"{part}.csv")] for part, rows in parts.items()}


def words(n_sentences=6):
    """Return a treebank of small sentences: a, dog, barks and a stop."""
    text = ""
    for number in range(n_sentences):
        noun = ("dog", "cat", "cow")[number % 3]
        text += f"# sent_id = d{number // 2}-{number}\n# text = A {noun} barks.\n"
        forms = (("A", "DET"), (noun, "NOUN"), ("barks", "VERB"), (".", "PUNCT"))
        for place, (form, tag) in enumerate(forms, start=1):
            glue = "SpaceAfter=No" if form == "barks" else "_"
            text += f"{place}\t{form}\t{form.lower()}\t{tag}\t_\t_\t0\troot\t_\t{glue}\n"
        text += "\n"
    return text


@pytest.fixture
def treebank(tmp_path):
    (tmp_path / "words.conllu").write_text(words())
    return [tmp_path / "words.conllu"]


def test_the_target_is_the_last_character_and_every_row_has_its_cells(build):
    made = build([*ROWS[:-1], ROWS[-1].replace("wrong land 0.", "wrong land 0. ")], columns=["lat"], type="city")
    targets = made.targets
    assert list(targets) == [*tables.REQUIRED, "fold_types", "truth", "lat"]
    spans = zip(made.texts["text"], targets["span_start"], targets["span_end"], strict=True)
    assert [text[start:end] for text, start, end in spans] == ["."] * 20
    assert targets["truth"].tolist() == ["1", "0"] * 10
    assert targets["group"].tolist() == [city for city in CITIES for _ in "01"]
    assert targets["lat"].tolist()[:3] == ["-45", "-45", "-35"]
    assert targets["target_id"].tolist()[:2] == ["row-00000", "row-00001"]
    assert set(targets["part"]) == {""}
    assert (made.splits["group"], made.group_meaning) == ("groups of one city held out", "the cell of city")


def test_a_span_is_where_its_cell_stands_last_or_from_start_to_end(build):
    rows = ["Rome or Rome,0,Rome,x,8,12", *ROWS[2:]]
    last = build(rows, span="city").targets
    assert last.loc[0, ["span_start", "span_end"]].tolist() == [8, 12]
    assert last.loc[1, ["span_start", "span_end"]].tolist() == [0, 4]
    given = build([f"{city} is,{place % 2},{city},x,0,4" for place, city in enumerate(CITIES)], span=["lat", "lon"])
    assert given.targets["span_end"].tolist() == [4] * 10


def test_a_position_is_a_unit_vector_by_hand(build):
    rows = [row.rsplit(",", 2)[0] + ",30,60" for row in ROWS]
    made = build(rows, labels={"place": {"latitude": "lat", "longitude": "lon"}}).targets
    assert list(made)[-3:] == ["place_x", "place_y", "place_z"]
    assert np.allclose(made.loc[0, ["place_x", "place_y", "place_z"]].astype(float), [3**0.5 / 4, 0.75, 0.5])


def test_pairs_are_two_texts_of_one_group_with_the_label_of_their_column(build):
    rows = [f"Good {city},Bad {city},{place // 2}" for place, city in enumerate(CITIES)]
    header, text = "good,bad,pair", {"good": 1, "bad": 0}
    made = build(rows, header, text=text, pair_label="fine", labels=None, group=None)
    assert made.texts["text"].tolist()[:4] == ["Good Rome", "Bad Rome", "Good Oslo", "Bad Oslo"]
    assert made.targets["fine"].tolist() == ["1", "0"] * 10
    assert made.targets["group"].tolist()[:4] == ["row-00000", "row-00000", "row-00001", "row-00001"]
    assert "no text stands twice" in made.group_meaning
    by_pair = build(rows, header, text=text, pair_label="fine", labels=None, group="pair").targets
    assert (by_pair.groupby("group").size() == 4).all()


def test_groups_and_blocks_are_held_apart_and_their_classes_dealt_evenly(build):
    rows = [f"A{a} and B{b},{a % 2},{a},{b},0,0" for a in range(10) for b in range(10) if a != b]
    made = build(rows, group=["city", "land"], splits={"first": "city", "both": ["city", "land"]})
    targets = made.targets
    assert targets.loc[0, ["group", "group_first", "group_both"]].tolist() == ["0 1", "0", "0|1"]
    tables.validate(Tables(made.texts, targets), Path("data"))
    assert (targets.groupby("group").size() == 2).all()  # both orders of a pair
    assert (targets.groupby("fold").size() == 18).all()
    odd = targets.groupby("group")["truth"].transform("min") == "1"
    assert (targets[odd].groupby("fold")["group"].nunique() == 2).all()  # of the ten pairs of odd numbers
    assert (targets.groupby("group_first")["fold_first"].nunique() == 1).all()
    for train, tested in tables.fold_masks(targets["fold_both"]):
        ends = [set("|".join(targets["group_both"][mask]).split("|")) for mask in (train, tested)]
        assert tested.any()
        assert not ends[0] & ends[1]


def test_types_are_divided_between_folds_and_one_that_stands_once_is_not_used(build):
    rows = [*ROWS, "Bonn is far.,0,Bonn,x,0,0"]
    targets = build(rows, type="city").targets
    assert targets["fold_types"].tolist()[-1] == "unused"
    assert (targets[:-1].groupby("type")["fold_types"].nunique() == 2).all()


def test_a_split_of_its_own_trains_develops_and_tests(build, own):
    targets = build(files=own, type="label").targets
    assert targets["fold"].tolist() == ["train"] * 12 + ["0"] * 4 + ["test"] * 4
    assert targets["fold_types"].tolist() == targets["fold"].tolist()
    del own["dev"]
    dealt = build(files=own).targets["fold"]
    assert sorted(set(dealt[:12])) == ["0", "1", "2", "3", "4"]
    assert set(dealt[12:]) == {"test"}


def test_a_test_row_whose_type_is_not_trained_on_is_not_used():
    assert draft.own_types(["a", "b", "a", "c"], ["0", "1", "test", "test"]) == ["0", "1", "test", "unused"]


def test_words_of_a_sentence_share_its_text(treebank):
    made = table.build(files=treebank, n_folds=3, seed=0, where={"upos": ["DET", "NOUN", "VERB"]}, **OF_CONLLU)
    assert (len(made.texts), len(made.targets)) == (6, 18)
    text = made.texts.set_index("text_id")["text"]
    forms = [text[row.text_id][row.span_start : row.span_end] for row in made.targets.itertuples()]
    assert forms[:6] == ["A", "dog", "barks", "A", "cat", "barks"]
    assert made.targets["upos"].tolist() == ["DET", "NOUN", "VERB"] * 6


def test_where_keeps_rows_and_knows_true_from_its_spellings(build):
    rows = [f"{row},{'True' if place < 16 else 'False'}" for place, row in enumerate(ROWS)]
    targets = build(rows, HEADER + ",kept", where={"kept": [True], "label": [0, 1]}).targets
    assert targets["group"].unique().tolist() == CITIES[:8]


def test_a_derived_column_is_the_first_group_and_stands_wherever_a_column_can(build):
    derive = {
        "subject": SUBJECT,
        "first": {"from": "subject", "match": "(.)"},
        "kind": {"from": "land", "match": "(its|a)"},
    }
    targets = build(derive=derive, group="subject", type="first", columns=["kind"]).targets
    assert targets["group"].tolist() == [city for city in CITIES for _ in "01"]
    assert targets["type"].tolist() == [city[0] for city in CITIES for _ in "01"]
    assert targets["kind"].tolist() == ["its", "a"] * 10
    labelled = build(derive=derive, labels={"own": "kind"}, splits={"whole": "subject"}, span="subject").targets
    assert labelled["own"].tolist() == ["its", "a"] * 10
    assert labelled["group_whole"].tolist() == labelled["group"].tolist()
    assert labelled["span_end"].tolist() == [len(city) for city in CITIES for _ in "01"]
    kept = build(derive=derive, where={"subject": CITIES[:6]}, group="subject").targets
    assert kept["group"].unique().tolist() == CITIES[:6]


def test_every_cell_that_a_derived_column_is_made_of_must_match(build, file):
    odd = ["Bonn has no land.,1,Bonn,x,0,0", "  is in,1,,x,0,0"]
    with pytest.raises(
        FormatError, match=r"line 22: derive: s: the cell 'Bonn has no land.' of statement does"
    ) as error:
        build([*ROWS, *odd], derive={"s": SUBJECT})
    assert [problem.line for problem in error.value.problems] == [22, 23]
    of = {"s": {"from": "statement", "match": "(Rome)?"}}
    with pytest.raises(
        FormatError, match=r"line 4: derive: s: the cell 'Oslo is in its land 1.' of statement does not"
    ):
        build(derive=of)
    made = build(
        [*ROWS, *odd], derive={"s": SUBJECT}, group="s", where={"land": sorted({row.split(",")[3] for row in ROWS})}
    )
    assert len(made.targets) == 20
    again = build(
        files=[file(ROWS[:10], name="a.csv"), file(ROWS[10:], name="b.csv")], derive={"s": SUBJECT}, group="s"
    )
    assert again.targets["group"].tolist() == made.targets["group"].tolist()


def test_draws_take_whole_groups_and_do_not_depend_on_the_order_of_rows(build):
    first = build(n_groups=6, n_rows=9)
    again = build(list(reversed(ROWS)), n_groups=6, n_rows=9)
    other = build(n_groups=6, n_rows=9, seed=1)
    assert len(first.targets) == 9
    assert sorted(first.texts["text"]) == sorted(again.texts["text"]) != sorted(other.texts["text"])
    assert (build(n_groups=6).targets.groupby("group").size() == 2).all()
    whole = set(build(n_groups=6).targets["group"])
    assert set(first.targets["group"]) <= whole
    assert len(whole) == 6


def test_folds_do_not_depend_on_the_order_of_rows(build):
    first, again = build().targets, build(list(reversed(ROWS))).targets
    assert dict(zip(first["group"], first["fold"], strict=True)) == dict(
        zip(again["group"], again["fold"], strict=True)
    )


def test_groups_are_dealt_by_their_most_frequent_label():
    assert table_folds.strata(["a", "a", "a", "b", "b"], ["1", "0", "1", "1", "0"]) == ["1", "1", "1", "0", "0"]


def test_what_is_built_is_read_back_and_fits_its_task(build, tmp_path):
    made = build(type="city", source="the test", licence="CC0")
    dataset = Dataset("mine", "table", {"text": "statement"})
    datasets.write(tmp_path, dataset, made)
    data = tables.read(tmp_path)
    task = Task("mine.truth", "binary", "logistic", ("group", "types"), ())
    tables.check_labels(data, (task,), tmp_path)
    pd.testing.assert_frame_equal(data.texts, made.texts, check_dtype=False)
    card = datasets.card(dataset, made, {})
    assert (card["source"], card["licence"], card["description"]) == ("the test", "CC0", "Rows of data.csv.")
    assert inspect.signature(table.build).parameters["source"].default == ""


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"text": None}, "text: no column is named"),
        (
            {"text": "statment"},
            r"(?s)text: there is no column 'statment'; columns are: statement, label.*do:     name statement",
        ),
        ({"labels": {"truth": "lable"}}, r"(?s)labels: truth: there is no column 'lable'.*do:     name label"),
        ({"group": "town"}, r"group: there is no column 'town'; columns are: statement, label, city, land, lat, lon"),
        ({"type": "kind"}, "type: there is no column 'kind'"),
        ({"splits": {"land": "country"}}, "splits: land: there is no column 'country'"),
        ({"columns": ["size"]}, "columns: there is no column 'size'"),
        ({"labels": None}, "labels: none is named"),
        ({"labels": {"fold": "label"}}, "the name 'fold' is taken by the study's own columns"),
        ({"labels": {"group_x": "label"}}, "the name 'group_x' is taken"),
        (
            {"splits": {"group": "land"}},
            r"(?s)splits: the name 'group' is the study's own.*other than group, row, types",
        ),
        ({"splits": {"row": "land"}}, "splits: the name 'row' is the study's own"),
        ({"splits": {"types": "land"}, "type": "city"}, "splits: the name 'types' is the study's own"),
        (
            {"labels": {"y": PLACE, "y_x": "label"}},
            "the column 'y_x' of the target table would be of the position y and the label y_x",
        ),
        (
            {"labels": {"y_x": "label", "y": PLACE}},
            "the column 'y_x' of the target table would be the label y_x and of",
        ),
        ({"labels": {"city": "label"}, "columns": ["city"]}, "would be the label city and the column city of the file"),
        (
            {"text": {"statement": 1, "land": 0}, "pair_label": "truth"},
            "the column 'truth' of the target table would be the label truth and the pair_label",
        ),
        ({"pair_label": "fine"}, r"pair_label: fine is named, and text has the one column 'statement'"),
        ({"derive": {"city": SUBJECT}}, "derive: city: there is a column of that name"),
        (
            {"derive": {"s": {**SUBJECT, "from": "statment"}}},
            "(?s)derive: s: there is no column 'statment'.*name statem",
        ),
        ({"derive": {"s": {**SUBJECT, "match": "^("}}}, r"derive: s: \^\( is no regular expression: missing"),
        (
            {"derive": {"s": {**SUBJECT, "match": "(a{99999999999})"}}},
            "no regular expression: the repetition number is",
        ),
        ({"derive": {"s": {**SUBJECT, "match": "(" * 9000 + ")" * 9000}}}, "is no regular expression"),
        ({"derive": {"s": {**SUBJECT, "match": "^.+ is"}}}, r"(?s)derive: s: \^.\+ is has no group.*do:     put round"),
        ({"where": {"label": [1]}}, r"the label 'label' is '1' in all 10 rows"),
        ({"where": {"city": ["Romme"]}}, r"(?s)no cell of the column 'city' is 'Romme'.*did you mean Rome"),
        ({"where": {"city": ["Rome"], "land": ["its land 1"]}}, "where: none of 20 rows is left"),
        ({"span": "land", "text": "city"}, r"line 2: the span 'its land 0' does not stand in the text \(and 19 more"),
        ({"span": ["lat", "lon"]}, r"line 2: the span '-45' to '0' is not within the text's 22 characters"),
        (
            {"labels": {"p": {"latitude": "city", "longitude": "lon"}}},
            "line 2: the latitude is 'Rome', expected -90 to 90 degrees",
        ),
        ({"text": {"statement": 1, "city": 0}}, "text: several columns, and no pair_label"),
        ({"text": {"statement": 1, "city": 1}, "pair_label": "x"}, "no pair_label with a different value for each"),
        ({"n_folds": 11}, "10 groups, expected at least as many as folds, 11"),
        ({"splits": {"land": "land"}, "n_folds": 8}, "7 groups, expected at least as many as folds, 8"),
        ({"group": "label"}, "the class '0' stands in 1 group, expected at least 3"),
        ({"labels": {"name": "city"}}, "label name: the class 'Accra' stands in 1 group, expected at least 3"),
        ({"n_groups": 11}, "n_groups: 11 are asked for, there are 10"),
        ({"n_rows": 21}, "n_rows: 21 are asked for, there are 20"),
        ({"type": "statement"}, "type: no type of a tested row stands in another row"),
    ],
)
def test_a_wrong_configuration_is_refused(build, changes, says):
    with pytest.raises(DatasetError, match=says) as error:
        build(**changes)
    assert "do:     " in str(error.value)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (" ,1,Bonn,x,0,0", "line 22: the text is empty"),
        ("Bonn,,Bonn,x,0,0", "line 22: the label 'label' is empty"),
        ("Bonn,NaN,Bonn,x,0,0", "line 22: the label 'label' is NaN"),
        ("Bonn,1, ,x,0,0", "line 22: group: the cell 'city' is empty"),
        ("Bonn,1,Bonn,,0,0", "line 22: splits: land: the cell 'land' is empty"),
        ("Bonn,1,Bonn,x|y,0,0", r"splits: land: the cell 'x\|y' holds |"),
        ("Bonn,1,Bonn,x,91,0", "line 22: the latitude is '91', expected -90 to 90 degrees"),
        ("Bonn,1,Bonn,x,0,-181", "line 22: the longitude is '-181', expected -180 to 180 degrees"),
        ("Bonn,1,Bonn,x,nan,0", "line 22: the latitude is 'nan'"),
        ('Bonn,1,Bonn,x,"4,5",0', "line 22: the latitude is '4,5'"),
        ("Bonn,1,Bonn,x,1_0,0", "line 22: the latitude is '1_0'"),
    ],
)
def test_a_wrong_row_is_refused_at_its_line(build, row, says):
    labels = {"truth": "label", "place": {"latitude": "lat", "longitude": "lon"}}
    build(labels=labels, splits={"land": "land"})
    with pytest.raises(DatasetError, match=says):
        build([*ROWS, row], labels=labels, splits={"land": "land"})


def test_a_place_of_thousands_of_digits_is_refused_at_its_line(build):
    with pytest.raises(DatasetError, match=r"line 2: the span '0' to '9{5000}' is not within"):
        build([f"Bonn,0,Bonn,x,0,{'9' * 5000}", *ROWS], span=["lat", "lon"])


def test_all_wrong_rows_of_a_file_are_named(build):
    with pytest.raises(FormatError) as error:
        build(["Bonn,,Bonn,x,0,0", *ROWS, "Kiel,,Kiel,x,0,0"])
    assert [problem.line for problem in error.value.problems] == [2, 23]


def test_rows_that_leak_need_a_group(build, treebank):
    assert len(build(group=None).targets) == 20
    with pytest.raises(DatasetError, match=r"one text stands twice: data.csv, line 2, and data.csv, line 22"):
        build([*ROWS, ROWS[0]], group=None)
    with pytest.raises(DatasetError, match=r"(?s)words of a sentence would stand on both sides.*do:     name document"):
        table.build(files=treebank, n_folds=3, seed=0, labels={"upos": "upos"})


def test_a_split_of_its_own_that_leaks_or_lacks_a_part_is_refused(build, own, file):
    leaky = {**own, "test": [file([ROWS[0], *ROWS[16:]], name="test.csv")]}
    with pytest.raises(
        DatasetError, match=r"'Rome' stands in train \(train.csv, line 2\) and in test \(test.csv, line 2\)"
    ):
        build(files=leaky)
    with pytest.raises(DatasetError, match=r"label truth: the part test holds the class '1' alone"):
        build(files={**own, "test": [file(ROWS[16::2], name="test.csv")]})
    with pytest.raises(DatasetError, match="files: no row of the part test is left"):
        build(files=own, where={"city": CITIES[:8]})
    with pytest.raises(DatasetError, match="the parts are train, validation, expected train and test"):
        build(files={"train": own["train"], "validation": own["dev"]})
    with pytest.raises(DatasetError, match="a list of files is empty"):
        build(files={"train": own["train"], "test": []})


def test_further_splits_of_a_data_set_with_a_split_of_its_own_are_refused(build, own):
    with pytest.raises(
        DatasetError, match=r"(?s)splits: land is named, and the data set has.*train on the data set's own"
    ):
        build(files=own, splits={"land": "city"})


def test_a_column_that_is_a_label_already_is_carried_once(build):
    made = build(labels={"label": "label"}, columns=["label", "lat"]).targets
    assert list(made)[-2:] == ["label", "lat"]


def test_files_of_two_kinds_or_with_other_columns_are_refused(build, treebank, file):
    with pytest.raises(DatasetError, match="treebanks beside other files"):
        build(files=[file(), *treebank])
    with pytest.raises(FormatError, match=r"(?s)there is no column 'city'.*file:   .*other.csv"):
        build(files=[file(), file(["x,1"], "statement,label", "other.csv")])
