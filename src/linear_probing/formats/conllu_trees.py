"""Treebanks in CoNLL-U, by the package conllu: a row per syntactic word, with its place in the sentence's text.

Words of a multiword token (2-3 don't) get their own part of its form where they make it up, letter by letter but for
case; where they do not (French `du` is `de` and `le`), each gets the whole token. Empty nodes (8.1) stand in no text
and are left out. See universaldependencies.org/format.html.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conllu.exceptions import ParseException
from conllu.parser import DEFAULT_FIELD_PARSERS, DEFAULT_FIELDS, parse_comment_line

from linear_probing.formats.rows import FormatError, Problem, Rows, lines_of, made, text_of

OWN = ("sentence", "document", "text", "start", "end", "form", "form_lower", "lemma", "upos", "xpos", "deprel")
PARSERS = {name: DEFAULT_FIELD_PARSERS[name] for name in ("id", "xpos", "feats", "misc")}
"""Heads and enhanced dependencies are not asked for, and take half of the time."""
UNSPECIFIED = "_"
"""What stands in a cell that says nothing."""
LONGEST_SHOWN = 12
"""Characters of a cell that an error shows."""
CUT = "the file was cut short"
Parsed = list[tuple[int, Any]]


@dataclass(frozen=True)
class Sentence:
    """A sentence's comments by name, and its token lines with their numbers in the file."""

    line: int
    comments: dict[str, str]
    tokens: Parsed


class _SentenceError(Exception):
    """A sentence that cannot be used, at a line."""

    def __init__(self, line: int, what: str, likely: str | None = None) -> None:
        super().__init__(what)
        self.problem = Problem(line, what, likely)


def read(path: Path) -> Rows:
    """Return one row per syntactic word: `OWN`, and `feat_NAME` for each feature of the file, by name.

    `document` is what `newdoc id` says, else the sentence's id before its last hyphen, else the sentence's id.

    Raises
    ------
    FormatError
        With a line of every sentence that cannot be used: a line without ten cells, words that are not numbered 1, 2,
        3, a form that does not stand in the text; a file that ends within a sentence.
    """
    found: list[dict[str, str]] = []
    lines: list[int] = []
    problems, document = [], ""
    for block in _blocks(text_of(path)):
        try:
            sentence = _parsed(block)
            document = sentence.comments.get("newdoc id", document)
            for line, word in _words(sentence, document):
                found.append(word)
                lines.append(line)
        except _SentenceError as error:
            problems.append(error.problem)
    if problems:
        raise FormatError(path, problems)
    names = [*OWN, *sorted({name for word in found for name in word} - set(OWN))]
    return made(path, names, [[word.get(name, "") for name in names] for word in found], lines, "line")


def _blocks(text: str) -> Iterator[list[tuple[int, str]]]:
    """Give the numbered lines of each sentence; the last item of the last one is empty if no empty line ends it."""
    block: list[tuple[int, str]] = []
    for number, line in enumerate(lines_of(text), start=1):
        if line.strip():
            block.append((number, line.rstrip("\r\n")))
        elif block:
            yield block
            block = []
    if block:
        yield [*block, (block[-1][0], "")]


def _parsed(block: Sequence[tuple[int, str]]) -> Sentence:
    comments: dict[str, str] = {}
    tokens: Parsed = []
    for number, line in block:
        if not line:
            raise _SentenceError(number, "no empty line ends the last sentence", CUT + "; if not, add an empty line")
        if line.startswith("#"):
            comments |= {key: value or "" for key, value in parse_comment_line(line)}
            continue
        tokens.append((number, _token(number, line)))
    if not tokens:
        raise _SentenceError(block[0][0], "a sentence without words", "an empty line behind the comments")
    return Sentence(block[0][0], comments, tokens)


def _token(number: int, line: str) -> dict[str, Any]:
    """Return a line's cells by name. The package's own division of a line takes two blanks for a tab."""
    cells = line.split("\t")
    if len(cells) != len(DEFAULT_FIELDS):
        raise _SentenceError(number, f"{len(cells)} cells, expected {len(DEFAULT_FIELDS)} with tabs between", CUT)
    token: dict[str, Any] = dict(zip(DEFAULT_FIELDS, cells, strict=True))
    for place, name in enumerate(DEFAULT_FIELDS):
        if name in PARSERS:
            try:
                token[name] = PARSERS[name](cells, place)
            except (ParseException, ValueError) as error:  # Python reads no number of more than 4,300 digits
                shown = cells[place] if len(cells[place]) <= LONGEST_SHOWN else f"{cells[place][:LONGEST_SHOWN]}..."
                raise _SentenceError(number, f"the cell {name}, {shown!r}, cannot be read as one") from error
    return token


def _words(sentence: Sentence, document: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Give each syntactic word's line and cells."""
    units = list(_units(sentence))
    text = sentence.comments.get("text") or _rebuilt(units)
    name = sentence.comments.get("sent_id") or f"sentence-{sentence.line}"
    shared = {"sentence": name, "document": document or name.rpartition("-")[0] or name, "text": text}
    at = 0
    for line, surface, words in units:
        at = _next(text, at)
        form = surface["form"]
        if not text.startswith(form, at):
            what = f"the form {form!r} does not stand in the text, which goes on with {text[at : at + 20]!r}"
            raise _SentenceError(line, what, "the text was edited, or a word is missing")
        for (number, word), (start, end) in zip(words, _parts(form, [w["form"] for _, w in words]), strict=True):
            yield number, {**shared, "start": str(at + start), "end": str(at + end), **_cells(word)}
        at += len(form)
    if text[at:].strip():
        raise _SentenceError(
            sentence.tokens[-1][0], f"the text goes on with {text[at : at + 20]!r}, the words do not", CUT
        )


def _units(sentence: Sentence) -> Iterator[tuple[int, Any, Parsed]]:
    """Give what stands in the text, word by word or as a multiword token, with the syntactic words of each."""
    expected, last, held = 1, 0, None
    words: Parsed = []
    for line, token in sentence.tokens:
        number = token["id"]
        if isinstance(number, tuple):
            if number[1] == "-":
                if number[0] != expected or held:
                    raise _SentenceError(
                        line, f"the multiword token {number[0]}-{number[2]} does not stand before its words"
                    )
                last, held = number[2], (line, token)
            continue
        if number != expected:
            raise _SentenceError(
                line, f"word number {number}, expected {expected}", "a line is missing or stands twice"
            )
        expected += 1
        words.append((line, token))
        if number >= last:
            surface = held or (line, token)
            yield *surface, words
            words, held = [], None
    if held:
        raise _SentenceError(held[0], f"the multiword token {held[1]['form']!r} lacks its last words", CUT)


def _rebuilt(units: Sequence[tuple[int, Any, Parsed]]) -> str:
    surfaces = [surface for _, surface, _ in units]
    glued = [(one["misc"] or {}).get("SpaceAfter") == "No" for one in surfaces]
    return "".join(one["form"] + " " * (not no) for one, no in zip(surfaces, glued, strict=True)).rstrip()


def _next(text: str, at: int) -> int:
    found = re.compile(r"\S").search(text, at)
    return found.start() if found else len(text)


def _parts(form: str, words: Sequence[str]) -> list[tuple[int, int]]:
    """Return where each word stands in its token's form.

    Examples
    --------
    >>> _parts("Don't", ["Do", "n't"])
    [(0, 2), (2, 5)]
    >>> _parts("du", ["de", "le"])
    [(0, 2), (0, 2)]
    """
    joined = "".join(words)
    if joined.lower() != form.lower() or len(joined) != len(form):
        return [(0, len(form))] * len(words)
    ends = [sum(map(len, words[: place + 1])) for place in range(len(words))]
    return list(zip([0, *ends[:-1]], ends, strict=True))


def _cells(word: Any) -> dict[str, str]:
    said = {name: word[name] or "" for name in ("lemma", "upos", "xpos", "deprel")}
    named = {name: "" if cell == UNSPECIFIED else cell for name, cell in said.items()}
    if word["form"] == UNSPECIFIED:  # an underscore of the text, whose lemma is one too
        named["lemma"] = said["lemma"]
    features = {f"feat_{key}": value or "" for key, value in (word["feats"] or {}).items()}
    return {"form": word["form"], **named, "form_lower": word["form"].lower(), **features}
