"""Readers of data files: what was written comes back cell by cell, and any bytes are rows or an error that helps."""

import csv
import json
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from linear_probing.formats import files
from linear_probing.stage import StudyError

LINE_END = re.compile("\r\n|\r|\n")
SPECIAL = st.sampled_from(
    ['"', '""', ",", "\t", "\r", "\n", "\r\n", "\ufeff", "\u2028", "\x85", "\x1c", " ", "'", "\\"]
)
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
TEXT = st.lists(CHARACTERS | SPECIAL, max_size=12).map("".join)
NAMES = st.lists(TEXT.map(str.strip).filter(bool), min_size=2, max_size=4, unique=True)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])


@st.composite
def tables(draw):
    """Return names of columns, and rows of as many cells."""
    names = draw(NAMES)
    return names, draw(st.lists(st.lists(TEXT, min_size=len(names), max_size=len(names)), min_size=1, max_size=5))


def cell(draw, text, separator):
    must = any(mark in text for mark in (separator, '"', "\r", "\n"))
    return '"' + text.replace('"', '""') + '"' if must or draw(st.booleans()) else text


@pytest.mark.examples(short=40, nightly=1200)
@given(data=st.data(), table=tables(), separator=st.sampled_from([",", "\t"]), end=ENDS, mark=st.booleans())
def test_cells_come_back_from_csv_with_their_lines(folder, data, table, separator, end, mark):
    names, rows = table
    text, lines = "", []
    for row in (names, *rows):
        lines.append(len(LINE_END.findall(text)) + 1)
        written = separator.join(cell(data.draw, one, separator) for one in row)
        # A mark in front of the file is the encoding's, one in the first name is the name's.
        assume(written[:1] != "\ufeff" or row is not names or mark)
        text += written + end
    path = folder / ("a.csv" if separator == "," else "a.tsv")
    path.write_bytes(b"\xef\xbb\xbf" * mark + text.encode())
    found = files.read(path)
    assert list(found.cells) == names
    assert found.cells.to_numpy().tolist() == rows
    assert list(found.lines) == lines[1:]


VALUES = TEXT | st.booleans() | st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.examples(short=40, nightly=1200)
@given(
    rows=st.lists(st.dictionaries(TEXT.filter(bool), VALUES, min_size=1, max_size=4), min_size=1, max_size=5),
    escaped=st.booleans(),
    end=ENDS,
)
def test_values_come_back_from_json_lines_as_they_are_written(folder, rows, escaped, end):
    path = folder / "a.jsonl"
    path.write_bytes("".join(json.dumps(row, ensure_ascii=escaped) + end for row in rows).encode())
    found = files.read(path)
    names = list(dict.fromkeys(name for row in rows for name in row))
    assert list(found.cells) == names
    for row, cells in zip(rows, found.cells.to_numpy().tolist(), strict=True):
        for name, text in zip(names, cells, strict=True):
            value = row.get(name)
            expected = "" if value is None else value if isinstance(value, str) else json.dumps(value)
            assert text == expected


FORMS = st.text(CHARACTERS, min_size=1, max_size=6).filter(lambda form: not any(map(str.isspace, form)))


@st.composite
def sentences(draw):
    """Return the units of a sentence: the words of each, one or a token's several, and whether no blank follows."""
    units = draw(st.lists(st.tuples(st.lists(FORMS, min_size=1, max_size=3), st.booleans()), min_size=1, max_size=4))
    return [(words, glued) for words, glued in units]


@pytest.mark.examples(short=40, nightly=1200)
@given(parts=st.lists(sentences(), min_size=1, max_size=3), named=st.booleans())
def test_words_of_a_treebank_are_found_where_they_stand(folder, parts, named):
    content, expected = "", []
    for number, units in enumerate(parts):
        text, lines, place = "", [], 0
        for words, glued in units:
            surface = "".join(words)
            misc = "SpaceAfter=No" if glued else "_"
            if len(words) > 1:
                lines.append(f"{place + 1}-{place + len(words)}\t{surface}" + "\t_" * 7 + f"\t{misc}")
            for word in words:
                place += 1
                lines.append(f"{place}\t{word}" + "\t_" * 7 + f"\t{misc if len(words) == 1 else '_'}")
                expected.append((word, number, len(text)))
                text += word
            text += "" if glued else " "
        text = text.rstrip(" ")
        content += (f"# text = {text}\n" if named else "") + "\n".join(lines) + "\n\n"
    (folder / "a.conllu").write_bytes(content.encode())
    found = files.read(folder / "a.conllu").cells
    assert len(found) == len(expected)
    for (word, _, start), row in zip(expected, found.itertuples(), strict=True):
        assert row.form == word
        assert int(row.start) == start
        assert row.text[int(row.start) : int(row.end)] == word


SENTENCE = b"# newdoc id = d\n# sent_id = d-1\n# text = Don't go.\n1-2\tDon't\t_\t_\t_\t_\t_\t_\t_\t_\n"
SENTENCE += b"1\tDo\tdo\tAUX\tVB\tMood=Imp|VerbForm=Fin\t3\taux\t_\t_\n2\tn't\tnot\tPART\tRB\t_\t3\tadvmod\t_\t_\n"
SENTENCE += b"3\tgo\tgo\tVERB\tVB\t_\t0\troot\t_\tSpaceAfter=No\n3.1\tx\t_\t_\t_\t_\t_\t_\t_\t_\n"
SENTENCE += b"4\t.\t.\tPUNCT\t.\t_\t3\tpunct\t_\t_\n\n"
WHOLE = {
    ".csv": b'text,label\n"a ""b""\nc",1\nd,0\n',
    ".tsv": b'text\tlabel\n"a\tb"\t1\nd\t0\n',
    ".jsonl": b'{"text": "a", "n": 0.10}\n\n{"n": true, "text": null}\n',
    ".conllu": SENTENCE,
}


@st.composite
def damaged(draw, whole):
    """Return bytes of which up to three pieces were taken out, or replaced by any others."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(whole)))
        end = draw(st.integers(start, min(len(whole), start + 8)))
        whole = whole[:start] + draw(st.binary(max_size=6) | st.sampled_from([b"", b"\t", b"\n", b'"'])) + whole[end:]
    return whole


def rows_or_refusal(path):
    """Return a file's rows, None where it was refused in words that help; the reader leaves csv as it was."""
    before = csv.field_size_limit()
    try:
        rows = files.read(path)
    except StudyError as error:
        assert "\n  do: " in str(error)
        assert str(path) in str(error)
        return None
    finally:
        assert csv.field_size_limit() == before
    assert len(rows.lines) == len(rows.cells) > 0
    assert all(isinstance(cell, str) for cell in rows.cells.to_numpy().ravel())
    return rows


@pytest.mark.examples(short=80, nightly=2000)
@given(data=st.data(), ending=st.sampled_from([*WHOLE]))
def test_damaged_text_files_are_rows_or_refused(folder, data, ending):
    path = folder / f"damaged{ending}"
    path.write_bytes(data.draw(damaged(WHOLE[ending])))
    rows_or_refusal(path)


@pytest.mark.examples(short=60, nightly=1000)
@given(content=st.binary(max_size=60), ending=st.sampled_from([*WHOLE]))
def test_any_bytes_are_rows_or_refused(folder, content, ending):
    path = folder / f"any{ending}"
    path.write_bytes(content)
    rows_or_refusal(path)


@pytest.fixture(scope="session")
def parquet(folder):
    """Return the bytes of a small file of Parquet."""
    import duckdb

    with duckdb.connect() as connection:
        query = "SELECT range AS n, 'text ' || range AS text, range % 2 = 0 AS even FROM range(50)"
        connection.execute(f"COPY ({query}) TO '{folder / 'whole.parquet'}' (FORMAT parquet)")
    return (folder / "whole.parquet").read_bytes()


@pytest.mark.examples(short=15, nightly=400)
@given(data=st.data())
def test_damaged_parquet_is_rows_or_refused(folder, parquet, data):
    path = folder / "damaged.parquet"
    path.write_bytes(data.draw(damaged(parquet)))
    rows_or_refusal(path)
