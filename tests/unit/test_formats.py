"""Readers of data files: every cell and line as by hand, and every bad input refused at its line."""

import os
import re
import subprocess
import sys

import duckdb
import pytest

from linear_probing.formats import files
from linear_probing.formats.rows import LONGEST_CELL, FormatError

WORD = "\t".join
SENTENCE = (
    "# newdoc id = weblog-1\n# sent_id = weblog-1-0001\n# text = Don't  go.\n"
    + "1-2\tDon't\t_\t_\t_\t_\t_\t_\t_\t_\n"
    + "1\tDo\tdo\tAUX\tVB\tMood=Imp|VerbForm=Fin\t3\taux\t_\t_\n"
    + "2\tn't\tnot\tPART\tRB\t_\t3\tadvmod\t_\t_\n"
    + "3\tgo\tgo\tVERB\tVB\tVerbForm=Inf\t0\troot\t_\tSpaceAfter=No\n"
    + "3.1\tgone\tgo\tVERB\t_\t_\t_\t_\t_\t_\n"
    + "4\t.\t.\tPUNCT\t.\t_\t3\tpunct\t_\t_\n\n"
)
FRENCH = "1-2\tdu\t_\t_\t_\t_\t_\t_\t_\t_\n1\tde\tde\tADP\t_\t_\t3\tcase\t_\t_\n2\tle\tle\tDET\t_\t_\t3\tdet\t_\t_\n"
FRENCH += "3\tlac\tlac\tNOUN\t_\tNumber=Sing\t0\troot\t_\tSpaceAfter=No\n4\t!\t!\tPUNCT\t_\t_\t3\tpunct\t_\t_\n\n"


@pytest.fixture
def read(tmp_path):
    def one(content, name="data.csv"):
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return files.read(tmp_path / name)

    return one


@pytest.fixture
def parquet(tmp_path):
    def write(query, name="data.parquet"):
        path = tmp_path / name
        with duckdb.connect() as connection:
            connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
        return path

    return write


@pytest.mark.parametrize(
    ("name", "content", "cells", "lines"),
    [
        ("a.csv", "text,label\nA b.,1\nC,0\n", [["A b.", "1"], ["C", "0"]], (2, 3)),
        ("a.csv", b"\xef\xbb\xbftext,label\r\nA,1\nB,0\rC,1", [["A", "1"], ["B", "0"], ["C", "1"]], (2, 3, 4)),
        ("a.csv", '\ntext,label\n\n"A, ""b""\nc",1\n  \nD,\n', [['A, "b"\nc', "1"], ["D", ""]], (4, 7)),
        ("a.csv", "text,label\nA\u2028b,1\n", [["A\u2028b", "1"]], (2,)),
        ("a.CSV", "text , label\n a ,1\n", [[" a ", "1"]], (2,)),
        ("a.tsv", 'text\tlabel\nA, b\t1\n"c\td"\t0\n', [["A, b", "1"], ["c\td", "0"]], (2, 3)),
        (
            "a.jsonl",
            '{"text": "A", "n": 0.10}\n\n{"n": true, "more": null}\n',
            [["A", "0.10", ""], ["", "true", ""]],
            (1, 3),
        ),
        ("a.ndjson", '\ufeff{"text": "\u00e9"}\r\n{"text": 7}', [["\u00e9"], ["7"]], (1, 2)),
    ],
)
def test_a_text_file_is_read_cell_by_cell(read, name, content, cells, lines):
    rows = read(content, name)
    assert rows.cells.to_numpy().tolist() == cells
    assert rows.lines == lines
    assert {str(kind) for kind in rows.cells.dtypes} == {"str"}


def test_names_are_the_headers_or_all_keys_in_order(read):
    assert list(read("text , label\na,1\n").cells) == ["text", "label"]
    assert list(read('{"b": 1}\n{"a": 2, "b": 3}\n', "a.jsonl").cells) == ["b", "a"]


def test_parquet_is_read_as_text_in_the_order_of_its_rows(parquet):
    values = "('A', 1, 0.5, true, DATE '2024-07-26'), (NULL, 2, NULL, false, NULL)"
    path = parquet(f"SELECT * FROM (VALUES {values}) AS t(text, n, x, yes, day)", "data[1].parquet")
    rows = files.read(path)
    assert list(rows.cells) == ["text", "n", "x", "yes", "day"]
    assert rows.cells.to_numpy().tolist() == [["A", "1", "0.5", "true", "2024-07-26"], ["", "2", "", "false", ""]]
    assert (rows.lines, rows.unit) == ((1, 2), "row")


def test_a_time_in_parquet_is_the_same_text_on_every_machine(parquet):
    path = parquet("SELECT TIMESTAMPTZ '2024-07-26 23:30:00+02' AS at, 1 AS n")
    code = "import sys, pathlib; from linear_probing.formats import files; "
    code += "print(files.read(pathlib.Path(sys.argv[1])).cells.at[0, 'at'])"
    for zone in ("Asia/Tokyo", "America/New_York"):
        command = [sys.executable, "-c", code, str(path)]
        told = subprocess.run(command, env={**os.environ, "TZ": zone}, capture_output=True, text=True, check=True)
        assert told.stdout == "2024-07-26 21:30:00+00\n", zone


def test_a_folder_named_as_a_key_and_a_value_is_no_column_of_parquet(parquet, tmp_path):
    (tmp_path / "label=1").mkdir()
    cells = files.read(parquet("SELECT 'A' AS text, 0 AS n", "label=1/a.parquet")).cells
    assert list(cells) == ["text", "n"]
    assert cells.to_numpy().tolist() == [["A", "0"]]


def test_ten_thousand_rows_of_parquet_keep_their_order(parquet):
    rows = files.read(parquet("SELECT range AS n FROM range(300000)"))
    assert rows.cells["n"].tolist() == [str(number) for number in range(300_000)]


def test_a_treebank_gives_each_word_its_place(read):
    rows = read(SENTENCE, "a.conllu")
    spans = [(row.start, row.end, row.text[int(row.start) : int(row.end)]) for row in rows.cells.itertuples()]
    assert spans == [("0", "2", "Do"), ("2", "5", "n't"), ("7", "9", "go"), ("9", "10", ".")]
    assert rows.lines == (5, 6, 7, 9)
    first = rows.cells.iloc[0]
    assert [first[name] for name in ("sentence", "document", "form_lower", "lemma", "upos", "xpos", "deprel")] == [
        "weblog-1-0001",
        "weblog-1",
        "do",
        "do",
        "AUX",
        "VB",
        "aux",
    ]
    assert list(rows.cells)[-2:] == ["feat_Mood", "feat_VerbForm"]
    assert rows.cells["feat_Mood"].tolist() == ["Imp", "", "", ""]


def test_words_that_do_not_make_up_their_token_have_all_of_it_and_a_text_is_rebuilt(read):
    rows = read(FRENCH, "a.conllu")
    assert set(rows.cells["text"]) == {"du lac!"}
    assert list(zip(rows.cells["start"], rows.cells["end"], strict=True)) == [
        ("0", "2"),
        ("0", "2"),
        ("3", "6"),
        ("6", "7"),
    ]


def test_what_a_treebank_leaves_unspecified_is_empty_and_an_underscore_is_one(read):
    unsaid = "1\ta\t_\t_\t_\t_\t0\t_\t_\t_\n2\t_\t_\tPUNCT\t_\t_\t1\tpunct\t_\t_\n\n"
    cells = read(unsaid, "a.conllu").cells[["form", "lemma", "upos", "xpos", "deprel"]]
    assert cells.to_numpy().tolist() == [["a", "", "", "", ""], ["_", "_", "PUNCT", "", "punct"]]


def test_blanks_within_a_cell_of_a_treebank_divide_nothing(read):
    """The package conllu would take two of them for a tab, and shift all cells behind."""
    blanks = "# text = go  on\n1\tgo  on\tgo   on\tVERB\tV B\tMood=Imp\t0\troot\t_\t_\n\n"
    (row,) = read(blanks, "a.conllu").cells.itertuples()
    assert (row.form, row.lemma, row.upos, row.xpos, row.deprel) == ("go  on", "go   on", "VERB", "V B", "root")
    assert (row.start, row.end, row.feat_Mood) == ("0", "6", "Imp")


@pytest.mark.parametrize(
    ("comments", "document"),
    [
        ("# sent_id = a-b-7\n", "a-b"),
        ("# sent_id = s7\n", "s7"),
        ("# newdoc id = d\n# sent_id = a-7\n", "d"),
        ("", "sentence"),
    ],
)
def test_a_document_is_named_or_taken_from_the_sentences_id(read, comments, document):
    assert set(read(comments + FRENCH, "a.conllu").cells["document"]) == {document}


BAD = [
    ("a.csv", b"", "the file is empty"),
    ("a.csv", b"\n \n", "the file is empty"),
    ("a.csv", b"text,label\n", "a header and no rows"),
    (
        "a.csv",
        b"text,label\nA,1\nB\nC,0\nD,1,2\n",
        r"line 3: 1 cell, expected 2 \(text, label\) \(and 1 more like it\)",
    ),
    ("a.csv", b"text,label\nA,b,1\n", r"(?s)line 2: 3 cells.*likely: a comma within a cell that is not in quotes"),
    ("a.csv", b"text,text\nA,1\n", "line 1: the column 'text' stands twice"),
    ("a.csv", b",text\n0,A\n", r"(?s)line 1: column 1 has no name.*to_csv\(index=False\)"),
    ("a.csv", b"text;label\nA;1\n", r"(?s)line 1: one column, 'text;label'.*likely: a semicolon divides the cells"),
    ("a.csv", b'text,label\nA,1\n"B,\n0\nC,1\n', "line 3: the quote that opens here is never closed"),
    ("a.csv", b'text,label\n"x\ny","B,1\nC,0\n', "line 3: the quote that opens here is never closed"),
    ("a.csv", b'text,label\n"A,1\n"B",0\n', "line 2: the quote that opens here is closed in line 3, and more text"),
    (
        "a.csv",
        b"text,label\nA,1\nM\xfcller,0\nB\xe9,1\n",
        r"(?s)line 3: byte 2 of the line \(0xfc\) is not UTF-8.*and 1 more",
    ),
    ("a.csv", "text,label\nA,1\n".encode("utf-16"), "line 1: the file is UTF-16, expected UTF-8"),
    ("a.csv", b"text,label\r\nA,1\r\nB\x00,0\r\n", "line 3: NUL byte at byte 2 of the line"),
    (
        "a.csv",
        b"text,label\n" + b"a" * (LONGEST_CELL + 1) + b",1\n",
        "line 2: the cell 'text' has 1,000,001 characters, the limit is 1,000,000",
    ),
    ("a.csv", b'text,label\n"' + b"a\n" * 5_000_000 + b'",1\n', "line 2: the cell 'text' has 10,000,000 characters"),
    ("a.jsonl", b"", "the file is empty"),
    ("a.jsonl", b'{"a": 1}\n{"a": \n', "line 2: broken JSON at character 8: Expecting value"),
    ("a.jsonl", b'{"a": 1}\n\n[1]\n"b"\n', r"line 3: a list, expected an object \(and 1 more like it\)"),
    ("a.jsonl", b'{"a": {"b": 1}}\n', "line 1: the key 'a' holds an object, expected text, a number"),
    ("a.jsonl", b'{"a": [1]}\n', "line 1: the key 'a' holds a list"),
    ("a.jsonl", b'{"a": 1, "a": 2}\n', "line 1: the key 'a' stands twice"),
    ("a.jsonl", b'{"a": NaN}\n', "line 1: NaN is no JSON"),
    ("a.jsonl", b'{"": 1}\n', "column 1 has no name"),
    ("a.jsonl", b'{"a": "\\u0000"}\n', "line 1: the cell 'a' holds a NUL character"),
    ("a.jsonl", b'{"a": "\\ud800"}\n', "line 1: the cell 'a' holds half of a surrogate pair"),
    ("a.jsonl", b"[" * 100_000 + b"\n", "line 1: (maximum recursion|broken JSON)"),
    ("a.parquet", b"", "cannot be read as Parquet: .* too small"),
    ("a.parquet", b"PAR1" + b"x" * 100, "cannot be read as Parquet: .*No magic bytes"),
    (
        "a.txt",
        b"A\n",
        r"(?s)files named \*.txt are not.*do:     give a file named .csv, .tsv, .jsonl, .ndjson, .parquet, .conllu",
    ),
    ("data", b"A\n", r"files named \*data are not read"),
    ("a.conllu", b"", "the file is empty"),
    ("a.conllu", SENTENCE[:-1].encode(), "line 9: no empty line ends the last sentence"),
    ("a.conllu", SENTENCE.encode()[:-20], "line 9: 4 cells, expected 10 with tabs between"),
    (
        "a.conllu",
        (FRENCH + SENTENCE.replace("Don't  go.", "Don't go now.")).encode(),
        "line 15: the form '.' does not stand in the text, which goes on with 'now.'",
    ),
    (
        "a.conllu",
        SENTENCE.replace("go.\n", "go. Now\n").encode(),
        "line 9: the text goes on with ' Now', the words do not",
    ),
    ("a.conllu", SENTENCE.replace("3\tgo", "5\tgo").encode(), "line 7: word number 5, expected 3"),
    (
        "a.conllu",
        SENTENCE.replace("1-2\t", "1-9\t").encode(),
        'line 4: the multiword token "Don\'t" lacks its last words',
    ),
    (
        "a.conllu",
        SENTENCE.replace("1-2\t", "2-3\t").encode(),
        "line 4: the multiword token 2-3 does not stand before its words",
    ),
    ("a.conllu", SENTENCE.replace("3.1\t", "x\t").encode(), "line 8: the cell id, 'x', cannot be read as one"),
    (
        "a.conllu",
        SENTENCE.replace("3.1\t", "9" * 5000 + "\t").encode(),
        "line 8: the cell id, '9{12}[.]{3}', cannot be read as one",
    ),
    ("a.conllu", b"# text = A\n\n" + SENTENCE.encode(), "line 1: a sentence without words"),
]


@pytest.mark.parametrize(("name", "content", "says"), BAD, ids=[f"{name}-{says[:40]}" for name, _, says in BAD])
def test_a_bad_file_is_refused_at_its_line(read, name, content, says):
    with pytest.raises(FormatError) as error:
        read(content, name)
    assert re.search(says, str(error.value)), str(error.value)
    assert "do:" in str(error.value)
    assert str(error.value.path.name) == name


def test_all_lines_at_fault_are_named(read):
    with pytest.raises(FormatError) as error:
        read("a,b\n1\n1,2\n3\n1,2,3\n")
    assert [problem.line for problem in error.value.problems] == [2, 4, 5]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("SELECT [1] AS a", r"the column 'a' is of type INTEGER\[\]"),
        ("SELECT {'b': 1} AS a", "the column 'a' is of type STRUCT"),
        ("SELECT 'x'::BLOB AS a", "the column 'a' is of type BLOB"),
        ("SELECT 1 AS a WHERE false", "no rows"),
        ("SELECT 'a' AS a UNION ALL SELECT repeat('b', 1000001)", "row 2: the cell 'a' has 1,000,001 characters"),
    ],
)
def test_parquet_that_is_no_table_of_text_is_refused(parquet, query, says):
    with pytest.raises(FormatError, match=says):
        files.read(parquet(query))


@pytest.mark.parametrize("kept", [0.3, 0.9, 0.999])
def test_cut_parquet_is_refused(parquet, kept):
    path = parquet("SELECT range AS n, 'text ' || range AS text FROM range(1000)")
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(FormatError, match=r"(?s)cannot be read as Parquet.*likely: the file was cut short"):
        files.read(path)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(FormatError, match=r"cannot be opened: No such file"):
        files.read(tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(FormatError, match=r"cannot be opened: Is a directory"):
        files.read(tmp_path / "folder.csv")
