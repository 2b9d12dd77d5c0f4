"""Tokens: texts and a tokenizer in; token ids and the tokens of every target out.

Out: tokens.safetensors with `ids` (all texts' ids end to end, special tokens as the tokenizer has them), `starts`
(n_texts + 1 bounds into `ids`), `target_text`, `target_first` and `target_last` (n_targets), and the ids of texts and
targets as bytes, for messages. A target's tokens are those that cover its span, found by character offsets, never by
counting from the end; one of them stands for it (its last or first), or the mean of their states does.
"""

import argparse
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int, Shaped

from linear_probing import chat, models, records, settings, tables
from linear_probing.stage import StudyError, run
from linear_probing.store import read_metadata, read_tensors, unreadable, write_tensors
from linear_probing.tables import Tables

LOG = logging.getLogger("tokens")
FILE = "tokens.safetensors"
NUMBERS = ("ids", "starts", "target_text", "target_first", "target_last")
NAMES = ("text_id", "target_id")


class TokenError(StudyError):
    """A text that cannot be given to the model as it is."""


@dataclass(frozen=True)
class Tokens:
    """Token ids of all texts, and where each target stands.

    Parameters
    ----------
    ids : np.ndarray
        Shape (n_tokens,); text t has ids[starts[t]:starts[t + 1]].
    starts : np.ndarray
        Shape (n_texts + 1,).
    target_text : np.ndarray
        Shape (n_targets,): row of the target's text.
    target_first, target_last : np.ndarray
        Shape (n_targets,): the tokens whose states are averaged, counted from the text's first, both inclusive; equal
        where one token stands for the target.
    text_id, target_id : np.ndarray
        Their names, of shapes (n_texts,) and (n_targets,), for messages.
    """

    ids: Int[np.ndarray, " token"]
    starts: Int[np.ndarray, " bound"]
    target_text: Int[np.ndarray, " target"]
    target_first: Int[np.ndarray, " target"]
    target_last: Int[np.ndarray, " target"]
    text_id: Shaped[np.ndarray, " text"]
    target_id: Shaped[np.ndarray, " target"]

    @property
    def lengths(self) -> Int[np.ndarray, " text"]:
        """Number of tokens of every text."""
        return np.diff(self.starts)

    def text(self, row: int) -> Int[np.ndarray, " token"]:
        """Return the ids of one text."""
        return self.ids[self.starts[row] : self.starts[row + 1]]

    def select(self, targets: Int[np.ndarray, " chosen"]) -> "Tokens":
        """Return the targets of these rows, in this order, with the texts they stand in and no others."""
        texts, of_target = np.unique(self.target_text[targets], return_inverse=True)
        parts = [self.text(row) for row in texts]
        return Tokens(
            ids=np.concatenate([self.ids[:0], *parts]),
            starts=np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64),
            target_text=of_target.astype(np.int64),
            target_first=self.target_first[targets],
            target_last=self.target_last[targets],
            text_id=self.text_id[texts],
            target_id=self.target_id[targets],
        )

    def shard(self, number: int, n_shards: int) -> "Tokens":
        """Return one of `n_shards` parts of equal size (to one target), which end to end are all targets."""
        n_targets = len(self.target_text)
        return self.select(np.arange(n_targets * number // n_shards, n_targets * (number + 1) // n_shards))


def covering(offsets: Sequence[tuple[int, int]], start: int, end: int) -> tuple[int, int] | None:
    """Return the first and the last token that cover a character of a span, None if no token does.

    Examples
    --------
    >>> covering([(0, 0), (0, 3), (3, 5), (5, 7), (7, 8)], 3, 7)
    (2, 3)
    """
    found = [
        place
        for place, (first, last) in enumerate(offsets)
        if start < end and first < end and last > start and last > first
    ]
    return (found[0], found[-1]) if found else None


def tokenize(
    data: Tables, tokenizer: Any, context: int | None, *, position: str = "last", through_chat: bool = False
) -> Tokens:
    """Tokenise all texts and place all targets.

    Parameters
    ----------
    data : Tables
        Checked tables.
    tokenizer : transformers.PreTrainedTokenizerFast
        Adds its own special tokens, except to a rendered chat, which holds them already.
    context : int or None
        The greatest number of tokens that the model takes; None for no bound.
    position : str
        Which token of a span stands for it: 'last', 'first' or 'mean' (all of them).
    through_chat : bool
        Whether each text is put into the tokenizer's chat template; see `chat.render`.

    Returns
    -------
    Tokens

    Raises
    ------
    TokenError
        If a text is longer than the context, or a span holds no token.
    ChatError
        If the tokenizer has no chat template, or its template changes the text.
    """
    texts = list(data.texts["text"])
    shifts, inside = np.zeros(len(texts), dtype=np.int64), [(0, len(text)) for text in texts]
    if through_chat:
        # A template strips a message: what stands there instead of its blanks is the template's own.
        inside = [(len(text) - len(text.lstrip()), len(text.rstrip())) for text in texts]
        texts, shifts = chat.render(tokenizer, texts, list(data.texts["text_id"]))
    encoded = tokenizer(texts, return_offsets_mapping=True, add_special_tokens=not through_chat, truncation=False)
    lengths = np.array([len(ids) for ids in encoded["input_ids"]], dtype=np.int64)
    if context is not None and lengths.max() > context:
        row = int(lengths.argmax())
        raise TokenError(
            f"text {data.texts['text_id'].iloc[row]} has {lengths[row]:,} tokens, the model's context is {context:,}",
            do="leave the text out or shorten it; texts are never cut in silence",
        )
    row_of = {text_id: row for row, text_id in enumerate(data.texts["text_id"])}
    target_text = np.array([row_of[text_id] for text_id in data.targets["text_id"]], dtype=np.int64)
    places = []
    columns = (data.targets[name] for name in ("target_id", "span_start", "span_end"))
    for text, target_id, start, end in zip(target_text, *columns, strict=True):
        first, last = max(int(start), inside[text][0]), min(int(end), inside[text][1])
        found = covering(encoded["offset_mapping"][text], first + shifts[text], last + shifts[text])
        if found is None:
            raise TokenError(
                f"target {target_id}: no token covers its span",
                do="give the span a character that is not blank",
            )
        places.append(found)
    firsts, lasts = np.array(places, dtype=np.int64).T
    return Tokens(
        ids=np.concatenate([np.asarray(ids, dtype=np.int64) for ids in encoded["input_ids"]]),
        starts=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        target_text=target_text,
        target_first=lasts if position == "last" else firsts,
        target_last=firsts if position == "first" else lasts,
        text_id=data.texts["text_id"].to_numpy(str),
        target_id=data.targets["target_id"].to_numpy(str),
    )


def write(folder: Path, tokens: Tokens, position: str) -> None:
    """Write tokens; names go as rows of UTF-8 bytes, since the format holds numbers alone."""
    arrays = {name: getattr(tokens, name) for name in NUMBERS}
    for name in NAMES:
        encoded = np.char.encode(getattr(tokens, name), "utf-8")
        arrays[name] = encoded.view(np.uint8).reshape(len(encoded), -1)
    write_tensors(folder / FILE, arrays, {"position": position})


def read(folder: Path) -> Tokens:
    """Read what `write` wrote.

    Raises
    ------
    StoreError
        If the file is missing, cut, or lacks an array.
    """
    arrays = read_tensors(folder / FILE, [*NUMBERS, *NAMES])
    try:
        for name in NAMES:
            rows = np.ascontiguousarray(arrays[name])
            arrays[name] = np.char.decode(rows.view(f"S{rows.shape[1]}")[:, 0], "utf-8")
    except (ValueError, TypeError, IndexError) as error:
        raise unreadable(folder / FILE, error) from error
    return Tokens(**arrays)


def read_position(folder: Path) -> str:
    """Return which token of a span stands for it: 'last', 'first' or 'mean'."""
    found = read_metadata(folder / FILE)
    if "position" not in found:
        raise unreadable(folder / FILE, ValueError("its header names no position"))
    return found["position"]


def main() -> None:
    """Tokenise one data set for one tokenizer."""
    parser = argparse.ArgumentParser(description="Tokenise one data set for one model.")
    parser.add_argument("--config", type=Path, required=True, help="the study's configuration")
    parser.add_argument("--model", required=True, help="name of a model; twins share their original's tokens")
    parser.add_argument("--dataset", type=Path, required=True, help="folder of the datasets stage")
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    arguments = parser.parse_args()
    study = settings.load(arguments.config)
    model = study.model(arguments.model)
    position = study.dataset(tables.dataset_name(arguments.dataset)).position
    start = time.monotonic()
    with records.making(study, "tokens", arguments.output, [arguments.dataset]) as folder:
        data = tables.read(arguments.dataset)
        LOG.info("%s: %d texts", arguments.dataset.name, len(data.texts))
        models.check_fetched(model)
        tokenizer = models.load_tokenizer(model.folder, model.allow)
        tokens = tokenize(data, tokenizer, model.context(), position=position, through_chat=model.chat)
        write(folder, tokens, position)
    LOG.info("%s: %d tokens, %.1f s", arguments.dataset.name, len(tokens.ids), time.monotonic() - start)


if __name__ == "__main__":
    run(main)
