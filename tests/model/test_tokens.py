"""Tokens: spans found by offsets at their first, last or all tokens, also in a rendered chat."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from linear_probing import chat, models, tokens
from linear_probing.chat import ChatError
from linear_probing.tables import Tables
from linear_probing.tokens import TokenError, covering

CHAT = (
    "{{ bos_token }}{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] | trim }}"
    "{{ eos_token }}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def tables_of(spans):
    """Return tables of one target per (text, start, end)."""
    ids = [str(number) for number in range(len(spans))]
    texts = pd.DataFrame({"text_id": ids, "text": [text for text, _, _ in spans]})
    places = {"span_start": [start for _, start, _ in spans], "span_end": [end for _, _, end in spans]}
    return Tables(texts, pd.DataFrame({"target_id": ids, "text_id": ids, **places}))


@pytest.fixture(scope="module")
def bytewise(root):
    return models.load_tokenizer(root / "data" / "models" / "atlas")


def read(data, tokenizer, target=0):
    ids = data.text(data.target_text[target])
    return tokenizer.decode(ids[data.target_first[target] : data.target_last[target] + 1])


@pytest.mark.parametrize(("position", "expected"), [("last", " Ababa"), ("first", " Addis"), ("mean", " Addis Ababa")])
def test_a_span_is_its_last_first_or_all_tokens(bytewise, position, expected):
    data = tokens.tokenize(tables_of([("The people of Addis Ababa sing.", 14, 25)]), bytewise, 128, position=position)
    found = read(data, bytewise)
    assert found in expected
    assert found.strip()
    whole = bytewise.decode(data.text(0)[1 : data.target_last[0] + 1])
    assert position == "first" or whole == "The people of Addis Ababa"


@pytest.mark.parametrize("text", ["São Paulo 東京 🏳️‍🌈 e\u0301", "مرحبا \u200b world", "a\u0000b"])
def test_every_character_of_any_script_is_found(bytewise, text):
    spans = [(text, place, place + 1) for place, character in enumerate(text) if not character.isspace()]
    data = tokens.tokenize(tables_of(spans), bytewise, 128, position="mean")
    assert (data.target_first <= data.target_last).all()
    assert (np.diff(data.target_last) >= 0).all()
    assert (data.target_first > 0).all(), "never the token that begins the text"


def test_tokens_that_cover_nothing_do_not_count():
    offsets = [(0, 0), (0, 2), (2, 2), (2, 4), (4, 4)]
    assert [covering(offsets, *span) for span in [(0, 1), (1, 3), (2, 4), (4, 5)]] == [(1, 1), (1, 3), (3, 3), None]


def test_a_span_that_no_token_covers_is_named(tokenizer_of_characters):
    with pytest.raises(TokenError, match=r"(?s)target 0: no token covers its span.*do:     give the span a character"):
        tokens.tokenize(tables_of([("ab", 2, 5)]), tokenizer_of_characters(), 128)


def test_a_text_longer_than_the_context_is_named(bytewise):
    with pytest.raises(TokenError, match=r"text 0 has \d+ tokens, the model's context is 128"):
        tokens.tokenize(tables_of([("key " * 300, 0, 3)]), bytewise, 128)
    assert len(tokens.tokenize(tables_of([("key " * 300, 0, 3)]), bytewise, None).ids) > 300


@pytest.mark.parametrize(("text", "start", "end"), [("the city", 4, 8), ("  the city ", 6, 10), ("user", 0, 4)])
def test_a_span_is_found_in_the_rendered_chat(tokenizer_of_characters, text, start, end):
    tokenizer = tokenizer_of_characters(chat_template=CHAT)
    data = tokens.tokenize(tables_of([(text, start, end)]), tokenizer, 128, position="mean", through_chat=True)
    wanted = text[start:end]
    assert read(data, tokenizer).replace(" ", "") == wanted
    ids = data.text(0).tolist()
    assert ids[0] == tokenizer.bos_token_id
    assert ids.count(tokenizer.bos_token_id) == 1, "a template has its own beginning; the tokenizer adds no second one"
    assert ids[-1] == tokenizer.eos_token_id
    assert data.target_first[0] > len("<|user|>") - 1


def test_a_tokenizer_without_a_template_is_refused(tokenizer_of_characters):
    with pytest.raises(ChatError, match=r"(?s)has no chat template.*do:     leave `chat` out"):
        tokens.tokenize(tables_of([("ab", 0, 1)]), tokenizer_of_characters(), 128, through_chat=True)


@pytest.mark.parametrize(
    "template",
    [
        "{{ messages[0]['content'] | upper }}",
        "{{ bos_token }}nothing",
        "{{ messages[0]['content'] | replace('c', '') }}",
    ],
)
def test_a_template_that_changes_the_text_is_refused(tokenizer_of_characters, template):
    tokenizer = tokenizer_of_characters(chat_template=template)
    with pytest.raises(ChatError, match=r"text 0 is not found in its rendered message"):
        chat.render(tokenizer, ["the city"], ["0"])


@pytest.mark.parametrize(
    "template",
    [
        "{% if not date_string %}{% set date_string = strftime_now('%d %b %Y') %}{% endif %}{{ date_string }}",
        "{{ strftime_now('%d %b %Y') }}",
    ],
)
def test_a_template_with_a_date_does_not_depend_on_the_day(tokenizer_of_characters, template):
    tokenizer = tokenizer_of_characters(chat_template=template + "|{{ messages[0]['content'] }}")
    assert chat.render(tokenizer, ["ab"], ["0"])[0] == [f"{chat.DATE}|ab"]


def test_the_fixed_day_is_written_as_a_template_asks(tokenizer_of_characters):
    codes = " ".join(chat.DAY)
    tokenizer = tokenizer_of_characters(
        chat_template=f"{{{{ strftime_now('{codes}') }}}}|{{{{ messages[0]['content'] }}}}"
    )
    day = datetime(2024, 7, 26, 12, tzinfo=UTC)
    assert chat.render(tokenizer, ["ab"], ["0"])[0] == [f"{day.strftime(codes)}|ab"]


def test_what_is_written_is_read_back(bytewise, tmp_path):
    names = tables_of([("one key", 4, 7), ("two lämps", 4, 9)])
    names.texts["text_id"] = names.targets["text_id"] = ["kéy", "lamp-2"]
    data = tokens.tokenize(names, bytewise, 128, position="mean")
    tokens.write(tmp_path, data, "mean")
    again = tokens.read(tmp_path)
    assert tokens.read_position(tmp_path) == "mean"
    for name in (*tokens.NUMBERS, *tokens.NAMES):
        assert np.array_equal(getattr(again, name), getattr(data, name)), name


@pytest.mark.parametrize(
    ("text", "start", "end", "read_as"),
    [("  ab cd", 0, 4, "ab"), ("ab cd  ", 3, 7, "cd"), (" ab ", 0, 4, "ab")],
)
def test_blanks_that_a_template_strips_are_not_its_own_tokens(tokenizer_of_characters, text, start, end, read_as):
    tokenizer = tokenizer_of_characters(chat_template=CHAT)
    data = tokens.tokenize(tables_of([(text, start, end)]), tokenizer, 128, position="mean", through_chat=True)
    assert read(data, tokenizer).replace(" ", "") == read_as


@pytest.mark.parametrize(("text", "start", "end"), [("  ab", 0, 2), ("ab  ", 2, 4), ("   ", 0, 3)])
def test_a_span_of_stripped_blanks_has_no_token(tokenizer_of_characters, text, start, end):
    with pytest.raises(TokenError, match="no token covers its span"):
        tokens.tokenize(
            tables_of([(text, start, end)]), tokenizer_of_characters(chat_template=CHAT), 128, through_chat=True
        )
