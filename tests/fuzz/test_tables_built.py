"""The builder `table` on files of a person's own: texts come back to the letter, and odd cells are refused by line."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linear_probing import datasets
from linear_probing.builders import table
from linear_probing.settings import Dataset
from linear_probing.stage import StudyError

CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
SPECIAL = st.sampled_from(["\r\n", '""', *"\",\t\r\n\ufeff\u2028\x85\x1c '\\"])
TEXT = st.lists(CHARACTERS | SPECIAL, min_size=1, max_size=10).map("".join).filter(str.strip)
USUAL = {"text": "text", "labels": {"truth": "label"}, "group": "group", "n_folds": 3, "seed": 0}


def written(path, rows):
    """Write rows as CSV, all cells in quotes, and return the file."""
    held = io.StringIO()
    csv.writer(held, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    path.write_bytes(held.getvalue().encode())
    return path


@pytest.mark.examples(short=25, nightly=1000)
@given(texts=st.lists(TEXT, min_size=8, max_size=8), groups=st.lists(TEXT, min_size=4, max_size=4, unique_by=str.strip))
def test_texts_of_all_of_unicode_come_back_from_a_data_set(folder, texts, groups):
    rows = [(text, str(place % 2), groups[place // 2]) for place, text in enumerate(texts)]
    file = written(folder / "own.csv", [("text", "label", "group"), *rows])
    draft = table.build(files=[file], **USUAL)
    place = folder / "own-0123456789"
    place.mkdir(exist_ok=True)
    datasets.write(place, Dataset("own", "table", {}), draft)
    found = datasets.read_back(place, draft)
    assert found.texts["text"].tolist() == texts
    assert found.targets["truth"].tolist() == ["0", "1"] * 4
    assert found.targets["group"].tolist() == [group.strip() for group in groups for _ in "01"]
    spans = zip(texts, found.targets["span_start"], found.targets["span_end"], strict=True)
    assert [text[start:end] for text, start, end in spans] == [text.rstrip()[-1] for text in texts]


NAMES = ("text", "label", "group", "start", "end", "lat", "lon")
ODD = [
    "",
    " ",
    "-1",
    "0",
    "1",
    "3",
    "99",
    "9" * 5000,
    "²",
    "٣",
    "1_0",
    "1e400",
    "nan",
    "inf",
    "0x1",
    "x|y",
    "NaN",
    "None",
]
CELLS = st.sampled_from(ODD) | st.text(CHARACTERS, max_size=3)
CHANGES = {
    "span": st.sampled_from([None, "group", "end", ["start", "end"], ["end", "start"]]),
    "labels": st.sampled_from(
        [{"truth": "label"}, {"place": {"latitude": "lat", "longitude": "lon"}}, {}, {"fold": "lat"}]
    ),
    "group": st.sampled_from([None, "group", ["lat", "lon"], "none", "text"]),
    "type": st.sampled_from([None, "lat", "text"]),
    "splits": st.sampled_from([{}, {"country": "lat"}, {"both": ["lat", "lon"]}, {"row": "lat"}]),
    "where": st.sampled_from([{}, {"label": [0, 1]}, {"lat": [True]}, {"none": ["x"]}]),
    "columns": st.sampled_from([[], ["lat"], ["text"], ["group"]]),
    "n_groups": st.sampled_from([None, 1, 3, 99]),
    "n_rows": st.sampled_from([None, 1, 5, 99]),
    "n_folds": st.integers(3, 6),
}
MATCHES = st.sampled_from(
    ["(.)", "^(", "(.*)", "x", "(a{99999999999})", "(" * 300 + ")" * 300, "(?P<a>.)", "(?i)(A)", "(a|(b))"]
)


@pytest.mark.examples(short=40, nightly=2000)
@given(
    data=st.data(),
    changes=st.fixed_dictionaries({}, optional=CHANGES),
    match=st.none() | MATCHES | st.text("()[]{}?*+.^$|\\ab01,-", max_size=8).filter(lambda match: match.count("*") < 2),
)
def test_odd_cells_and_odd_configurations_are_a_data_set_or_refused(folder, data, changes, match):
    rows = [[f"text {row}", str(row % 2), f"g{row // 2}", "0", "4", str(row), str(row)] for row in range(12)]
    for row, column in data.draw(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 6)), max_size=3)):
        rows[row][column] = data.draw(CELLS)
    file = written(folder / "odd.csv", [NAMES, *rows])
    derive = {} if match is None else {"made": {"from": "text", "match": match}}
    try:
        draft = table.build(files=[file], **{**USUAL, **changes}, derive=derive)
    except StudyError as error:
        assert "\n  do: " in str(error)
        return
    texts = draft.targets["text_id"].map(draft.texts.set_index("text_id")["text"])
    spans = zip(texts, draft.targets["span_start"], draft.targets["span_end"], strict=True)
    assert all(text[start:end].strip() for text, start, end in spans)
