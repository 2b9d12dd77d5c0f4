"""Spans over all of Unicode: which tokens stand for a span, against the bytes that each token is.

The oracle knows no offsets. The embedded model's tokens are made of bytes: end to end they are the text's UTF-8, and a
token covers a character if it holds one of its bytes.
"""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linear_probing import models, tokens
from linear_probing.tables import Tables
from linear_probing.tokens import TokenError

PIECES = [
    "e\u0301",
    "n\u0303\u0323",
    "👩\u200d👩\u200d👧",
    "🏳\ufe0f\u200d🌈",
    "🇫🇷",
    "👍🏽",
    "مرحبا",
    "שלום",
    "नि",
    "하",
    "\u1112\u1161",
]
PIECES += [
    "\u202eabc\u202c",
    "\u200b",
    "\u200d",
    "\ufeff",
    "\u00ad",
    "\u2028",
    "\x85",
    "\u3000",
    "\u00a0",
    "\U0010ffff",
]
PIECES += ["ﷺ", "ǆ", "ß", "İ", "ﬁ", "Ġ", " ", "  ", "\n", "\t", "the", " city", " is in", ".", "don't", "1,000"]
PIECES += ["</s>", "<s>", "<pad>"]
CHARACTERS = st.characters(exclude_categories=["Cs"])
TEXTS = st.lists(st.sampled_from(PIECES) | CHARACTERS, min_size=1, max_size=12).map("".join)
POSITIONS = {"first": (0, 0), "last": (1, 1), "mean": (0, 1)}


def byte_of():
    """Return the byte of every character in which a byte-level vocabulary is written (Radford et al. 2019).

    Bytes that are printable in Latin-1 are written as themselves, the others as the characters from 256 on, in order.
    """
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {chr(byte): byte for byte in shown} | {chr(256 + place): byte for place, byte in enumerate(hidden)}


BYTES = byte_of()


@st.composite
def spans(draw):
    """Return a text and one to three spans in it that are not empty."""
    text = draw(TEXTS)
    starts = draw(st.lists(st.integers(0, len(text) - 1), min_size=1, max_size=3))
    return text, [(start, draw(st.integers(start + 1, len(text)))) for start in starts]


def tables_of(text, places):
    """Return the tables of one text and its targets."""
    ids = [str(number) for number in range(len(places))]
    starts, ends = zip(*places, strict=True)
    targets = {"target_id": ids, "text_id": "0", "span_start": starts, "span_end": ends}
    return Tables(pd.DataFrame({"text_id": ["0"], "text": [text]}), pd.DataFrame(targets))


@pytest.fixture(scope="session")
def tokenizer():
    from linear_probing.settings import ROOT

    return models.load_tokenizer(ROOT / "data" / "models" / "atlas")


@pytest.mark.examples(short=150, nightly=3000)
@given(case=spans(), position=st.sampled_from([*POSITIONS]))
def test_a_span_is_the_tokens_that_hold_its_bytes(tokenizer, case, position):
    text, places = case
    try:
        found = tokens.tokenize(tables_of(text, places), tokenizer, None, position="mean")
    except TokenError:
        # Blanks between words are no token of their own; nothing else is passed over.
        assert any(not text[start:end].strip(" ") for start, end in places)
        return
    written = tokenizer.convert_ids_to_tokens(found.text(0).tolist())
    assert written[0] == "<s>"
    pieces = [b""] + [bytes(BYTES[character] for character in token) for token in written[1:]]
    assert b"".join(pieces) == text.encode()
    bounds = np.cumsum([0, *map(len, pieces)])
    ends = np.cumsum([0, *(len(character.encode()) for character in text)])

    def holding(character):
        """Return the tokens that hold a byte of a character."""
        return {n for n in range(len(pieces)) if bounds[n] < ends[character + 1] and bounds[n + 1] > ends[character]}

    for (start, end), first, last in zip(places, found.target_first, found.target_last, strict=True):
        inside = range(start, end)
        must = set().union(*(holding(character) for character in inside if text[character] != " "))
        may = set().union(*map(holding, inside))
        assert must <= set(range(first, last + 1)) <= may
    ends_of = tokens.tokenize(tables_of(text, places), tokenizer, None, position=position)
    both = (found.target_first, found.target_last)
    chosen = [both[one] for one in POSITIONS[position]]
    assert np.array_equal([ends_of.target_first, ends_of.target_last], chosen)


OFFSETS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 4)), max_size=8).map(
    lambda pairs: sorted((start, start + length) for start, length in pairs)
)


@pytest.mark.examples(short=100, nightly=2000)
@given(offsets=OFFSETS, start=st.integers(0, 12), length=st.integers(0, 6))
def test_covering_tokens_share_a_character_with_the_span(offsets, start, length):
    span = set(range(start, start + length))
    sharing = [place for place, (first, last) in enumerate(offsets) if span & set(range(first, last))]
    assert tokens.covering(offsets, start, start + length) == ((sharing[0], sharing[-1]) if sharing else None)
