"""The report on a file of data: what it holds, what may leak, every line that is wrong; and the command."""

import sys
import time
from dataclasses import replace

import pytest

from linear_probing import checking, datasets
from linear_probing.checking import Asked, Reader

CITIES = ["Rome", "Oslo", "Lima", "Cairo", "Paris", "Tokyo"]
ROWS = [f"{city} is {word}.,{label},{city}" for city in CITIES for label, word in ((1, "here"), (0, "far away"))]
TOLD = [f"{city} is {word}.,{place % 2},{city}" for place, city in enumerate(CITIES) for word in ("here", "far away")]
USUAL = Asked(text="statement", labels={"truth": "label"}, group=("city",))
READER = Reader(lambda texts: [len(text.split()) for text in texts], 5)


@pytest.fixture
def file(tmp_path):
    def write(rows=ROWS, header="statement,label,city", name="mine.csv"):
        (tmp_path / name).write_text("\n".join([header, *rows]) + "\n")
        return tmp_path / name

    return write


def test_a_good_file_is_described_line_by_line(file):
    report = checking.check(file(), USUAL, READER)
    assert report.usable
    assert report.lines == (
        "mine.csv: 12 rows; columns: statement, label, city",
        "text: 13 to 18 (median 16) characters, 3 to 4 (median 4) tokens; 0 longer than the model's context of 5",
        "label truth: 2 classes, with their rows: 1 (6), 0 (6)",
        "group city: 6 groups of 2 rows",
        "mine.csv: a study can use it",
    )


def test_columns_of_the_usual_names_need_not_be_named(file):
    report = checking.check(file(header="text,label,group"), Asked(), READER)
    assert report.usable
    assert report.lines[2:4] == (
        "label label: 2 classes, with their rows: 1 (6), 0 (6)",
        "group group: 6 groups of 2 rows",
    )


@pytest.mark.parametrize(
    ("rows", "asked", "line"),
    [
        ([*ROWS, ROWS[0], ROWS[3], ROWS[0]], USUAL, "look at: the same text twice: lines 2, 14 and 16; lines 5 and 15"),
        ([*ROWS, "Rome is here.,0,Rome"], USUAL, "look at: the same text with different labels truth: lines 2 and 14"),
        (
            [*ROWS, "Rome is here.,1,Oslo"],
            USUAL,
            "look at: the same text in different groups, which may train and be tested: lines 2 and 14",
        ),
        ([*ROWS, "Bonn is here.,1,Bonn"], USUAL, "look at: 1 of 7 groups with one row only"),
        (ROWS, Asked("statement", None, {"truth": "label"}, ("statement",)), "look at: every group has one row"),
        (TOLD, USUAL, "look at: the group tells the label truth"),
        (
            ROWS,
            Asked("statement", None, {"p": {"latitude": "label", "longitude": "label"}}, ("city",)),
            "label p: 2 positions",
        ),
        (ROWS, Asked("statement", None, {"truth": "label"}, ("city",), "label"), "type label: 2 types of 6 rows"),
    ],
)
def test_what_a_person_must_judge_is_shown_and_is_no_error(file, rows, asked, line):
    report = checking.check(file(rows), asked, READER)
    assert report.usable, report.lines
    assert [one for one in report.lines if one.startswith(line)]
    assert not [one for one in checking.check(file(), USUAL, READER).lines if one.startswith(line)]


@pytest.mark.parametrize(
    ("rows", "asked", "lines"),
    [
        (
            ["Bonn,,Bonn", *ROWS, "Kiel,,Kiel"],
            USUAL,
            ["wrong: line 2: the label 'label' is empty", "wrong: line 15: the label 'label' is empty"],
        ),
        (
            ["Bonn,1", *ROWS, "Kiel,1,Kiel,x"],
            USUAL,
            [
                "wrong: line 2: 2 cells, expected 3 (statement, label, city)",
                "wrong: line 15: 4 cells, expected 3 (statement, label, city)",
            ],
        ),
        (
            ["Bonn,,Bonn", *ROWS, " ,1,Kiel", "Kiel,1,"],
            USUAL,
            [
                "wrong: line 2: the label 'label' is empty",
                "wrong: line 15: the text is empty",
                "wrong: line 16: group: the cell 'city' is empty",
            ],
        ),
        (
            [*ROWS, "A B C D E F,1,Bonn", "A B C D E F,1,Bonn"],
            USUAL,
            ["wrong: line 14: 6 tokens, the model's context is 5", "  do:     " + checking.TOO_LONG],
        ),
        (ROWS[::2], USUAL, ["wrong: the label 'label' is '1' in all 6 rows"]),
        (ROWS[:8], USUAL, ["wrong: 4 groups, expected at least as many as folds, 5"]),
        (
            ROWS,
            Asked(None, None, {"truth": "label"}),
            ["wrong: no column is named text; columns are: statement, label, city"],
        ),
        (
            [*ROWS, ROWS[0]],
            Asked("statement", None, {"t": "label"}),
            ["wrong: group: none is named, and one text stands twice: mine.csv, line 2, and mine.csv, line 14"],
        ),
        (
            ROWS,
            Asked("statement", "city", {"t": "label"}, ("label",)),
            ["wrong: label t: the class '0' stands in 1 group, expected at least 3"],
        ),
        (
            ROWS,
            Asked("statement", None, {"p": {"latitude": "label", "longitude": "city"}}, ("city",)),
            ["wrong: line 13: the longitude is 'Tokyo', expected -180 to 180 degrees"],
        ),
    ],
)
def test_what_a_study_cannot_use_is_named_with_all_its_lines(file, rows, asked, lines):
    report = checking.check(file(rows), asked, READER)
    assert not report.usable
    shown = [line for one in report.lines for line in one.split("\n")]
    assert set(lines) <= set(shown), shown
    assert shown[-1] == "mine.csv: a study cannot use it as it is"


PAIRED = [
    f"{city} lies in the {side}.,{label},{city}" for city in CITIES for label, side in ((1, "north"), (0, "south"))
]
APART = [f"{row}{number}" for number, row in enumerate(PAIRED)]
DERIVED = {"subject": {"from": "statement", "match": "^(.+?) lies"}}


def near(report):
    return [line for line in report.lines if line.startswith("look at") and "differ from another" in line]


def test_near_twins_of_other_labels_in_other_groups_are_shown(file):
    (line,) = near(checking.check(file(APART), USUAL, READER))
    assert line.startswith(
        "look at: 12 texts differ from another in their last word alone and have another label truth, in another "
        "group (lines 2 and 3; 4 and 5; 6 and 7; "
    )
    assert line.endswith(
        "; 12 and 13): if they belong together, name a group that both share (derive makes one of the text)"
    )
    assert near(checking.check(file(APART), replace(USUAL, group=()), READER)) == [line]
    derived = checking.check(file(APART), replace(USUAL, derive=DERIVED, group=("subject",)), READER)
    assert derived.usable
    assert not near(derived)
    assert "group subject: 6 groups of 2 rows" in derived.lines
    assert not near(checking.check(file(PAIRED), USUAL, READER))


def test_a_not_makes_near_twins_too(file):
    rows = [
        *PAIRED,
        "Rome does lie here now.,1,Bonn",
        "Rome does not  lie here now.,0,Kiel",
        "Rome doesn't lie here now.,0,Ulm",
    ]
    (line,) = near(checking.check(file(rows), USUAL, READER))
    assert line.startswith(
        "look at: 3 texts differ from another in a not alone and have another label truth, in another"
    )
    assert "(lines 14 and 15)" in line


@pytest.mark.parametrize(
    "rows",
    [
        ["It is A,1,a", "It is B,1,b"],  # one label
        ["It is A,1,a", "It is A,0,b"],  # one text, which is told elsewhere
        ["It is A,1,a", "It is B,0,a"],  # one group
        ["It is A,1,a", "It is B,0,a", "It is B,1,b", "It is A,0,b"],  # no two rows differ in all three
        ["A,1,a", "B,0,b"],  # nothing is alike
    ],
)
def test_what_is_no_near_twin_is_not_shown(file, rows):
    assert not near(checking.check(file([*PAIRED, *rows]), USUAL, READER))


@pytest.mark.slow
def test_near_twins_of_one_long_list_are_counted_in_time(file):
    rows = [f"It is {number},{number % 2},{number}" for number in range(20_000)]
    start = time.perf_counter()
    (line,) = near(checking.check(file([*rows, "It is odd,1,20000"]), USUAL, READER))
    assert time.perf_counter() - start < 20
    assert line.startswith("look at: 20,001 texts differ")
    assert "(lines 2 and 3)" in line


def test_a_cell_that_no_column_can_be_derived_of_is_named(file):
    asked = replace(USUAL, derive=DERIVED, group=("subject",))
    report = checking.check(file([*PAIRED, "Bonn lay there.,1,Bonn"]), asked, READER)
    assert [line for line in report.lines if line.startswith("wrong")] == [
        "wrong: line 14: derive: subject: the cell 'Bonn lay there.' of statement does not match ^(.+?) lies"
    ]


def test_a_file_without_a_label_or_a_group_is_told_so(file):
    report = checking.check(file(header="text,truth,city"), Asked(), READER)
    assert "group: none is named, each row stands for itself" in report.lines
    assert report.lines[-2].startswith("wrong: labels: none is named")
    assert not report.usable


def test_a_long_text_is_named_once(file):
    report = checking.check(file([*ROWS, *["A B C D E F,1,Bonn"] * 2]), USUAL, READER)
    assert "; 2 longer than the model's context of 5" in report.lines[1]
    assert [line for line in report.lines if line.startswith("wrong")] == [
        "wrong: line 14: 6 tokens, the model's context is 5"
    ]


def test_findings_beyond_a_number_are_counted(file):
    extra = [f"Bonn {number} is here.,,Bonn" for number in range(checking.SHOWN + 3)]
    report = checking.check(file([*ROWS, *extra]), USUAL, READER)
    wrong = [line for line in report.lines if line.startswith("wrong: ")]
    assert len(wrong) == checking.SHOWN + 1
    assert wrong[-1] == "wrong: and 3 lines more like it"
    many = [f"Bonn {number} is here.,1,Bonn" for number in range(checking.SHOWN + 3)]
    report = checking.check(file([*ROWS, *many, *many]), USUAL, READER)
    (twice,) = [line for line in report.lines if line.startswith("look at: the same text twice")]
    assert twice.endswith("; and 3 more")
    assert twice.count(" and ") == checking.SHOWN + 1


def test_no_context_bounds_nothing(file):
    report = checking.check(file(), USUAL, Reader(READER.count, None))
    assert report.lines[1].endswith("tokens; the model's context has no bound")


@pytest.fixture
def command(monkeypatch, capsys):
    def run(*words):
        monkeypatch.setattr(sys, "argv", ["datasets", "check", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            datasets.main()
        return ended.value.code, capsys.readouterr().out

    return run


def test_the_command_reports_in_tokens_of_the_embedded_model_and_ends_with_0(command, file, root):
    words = ["--text", "statement", "--label", "truth=label", "--group", "city", "--type", "city", "--span", "city"]
    code, shown = command(file(), *words)
    assert code == 0
    assert "longer than the model's context of 128" in shown
    assert shown.endswith("mine.csv: a study can use it\n")
    assert command(file(), *words, "--tokenizer", root / "data" / "models" / "atlas") == (code, shown)


def test_the_command_ends_with_1_if_a_study_cannot_use_the_file(command, file):
    code, shown = command(file(), "--text", "statement", "--label", "label")
    assert (code, "wrong: " in shown) == (0, False)
    code, shown = command(file(), "--text", "statement", "--label", "label", "--group", "city", "--folds", "7")
    assert code == 1
    assert "wrong: 6 groups, expected at least as many as folds, 7" in shown


def test_the_command_derives_a_column(command, file):
    words = ["--text", "statement", "--label", "label", "--group", "subject"]
    code, shown = command(file(APART), *words, "--derive", "subject=statement:^(.+?) lies in the")
    assert code == 0
    assert "group subject: 6 groups of 2 rows" in shown


@pytest.mark.parametrize("words", [["--folds", "2"], ["--span", "a", "b", "c"], ["--derive", "a=b"]])
def test_options_that_mean_nothing_are_refused(command, file, words):
    assert command(file(), *words)[0] == 2


@pytest.mark.parametrize("name", ["none.csv", "mine.txt"])
def test_a_file_that_cannot_be_read_is_a_report_too(command, file, tmp_path, name):
    file(name="mine.txt")
    code, shown = command(tmp_path / name)
    assert code == 1
    assert shown.startswith("wrong: ")
    assert shown.endswith(f"{name}: a study cannot use it as it is\n")
