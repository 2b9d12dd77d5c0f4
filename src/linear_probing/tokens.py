"""Tokens: texts and a tokenizer in; token ids and the token position of every target out.

Out: tokens.safetensors with `ids` (all texts' ids end to end, special tokens as the tokenizer has them), `starts`
(n_texts + 1 bounds into `ids`), `target_text` and `target_position` (n_targets). A target's position is that of the
last token of its span, found by character offsets, never by counting from the end.
"""

import argparse
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from linear_probing import models, settings, tables
from linear_probing.stage import StudyError, replace_folder, run
from linear_probing.store import read_tensors, write_tensors
from linear_probing.tables import Tables

LOG = logging.getLogger("tokens")
FILE = "tokens.safetensors"


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
    target_text, target_position : np.ndarray
        Shape (n_targets,): row of the target's text, and position of its token in that text.
    """

    ids: Int[np.ndarray, " token"]
    starts: Int[np.ndarray, " bound"]
    target_text: Int[np.ndarray, " target"]
    target_position: Int[np.ndarray, " target"]


def last_token(offsets: Sequence[tuple[int, int]], start: int, end: int) -> int | None:
    """Return the position of the last token that covers a character of a span, None if no token does.

    Examples
    --------
    >>> last_token([(0, 0), (0, 3), (3, 7), (7, 8)], 3, 7)
    2
    """
    covering = [place for place, (first, last) in enumerate(offsets) if first < end and last > start and last > first]
    return covering[-1] if covering else None


def tokenize(data: Tables, tokenizer: Any, context: int) -> Tokens:
    """Tokenise all texts and place all targets.

    Parameters
    ----------
    data : Tables
        Checked tables.
    tokenizer : transformers.PreTrainedTokenizerFast
        Adds its own special tokens.
    context : int
        The greatest number of tokens that the model takes.

    Returns
    -------
    Tokens

    Raises
    ------
    TokenError
        If a text is longer than the context, or a span holds no token.
    """
    encoded = tokenizer(
        list(data.texts["text"]), return_offsets_mapping=True, add_special_tokens=True, truncation=False
    )
    lengths = np.array([len(ids) for ids in encoded["input_ids"]], dtype=np.int64)
    if lengths.max() > context:
        row = int(lengths.argmax())
        raise TokenError(
            f"text {data.texts['text_id'].iloc[row]} has {lengths[row]:,} tokens, the model's context is {context:,}",
            do="leave the text out or shorten it; texts are never cut in silence",
        )
    row_of = {text_id: row for row, text_id in enumerate(data.texts["text_id"])}
    target_text = np.array([row_of[text_id] for text_id in data.targets["text_id"]], dtype=np.int64)
    positions = []
    spans = zip(
        data.targets["target_id"],
        target_text,
        data.targets["span_start"],
        data.targets["span_end"],
        strict=True,
    )
    for target_id, text, start, end in spans:
        position = last_token(encoded["offset_mapping"][text], int(start), int(end))
        if position is None:
            raise TokenError(
                f"target {target_id}: no token covers its span",
                do="give the span a character that is not blank",
            )
        positions.append(position)
    return Tokens(
        ids=np.concatenate([np.asarray(ids, dtype=np.int64) for ids in encoded["input_ids"]]),
        starts=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        target_text=target_text,
        target_position=np.array(positions, dtype=np.int64),
    )


def read(folder: Path) -> Tokens:
    """Read what `main` wrote."""
    arrays = read_tensors(folder / FILE, ["ids", "starts", "target_text", "target_position"])
    return Tokens(**arrays)


def main() -> None:
    """Tokenise one data set for one tokenizer."""
    parser = argparse.ArgumentParser(description="Tokenise one data set for one model.")
    parser.add_argument("--config", type=Path, required=True, help="the study's configuration")
    parser.add_argument("--model", required=True, help="name of a model; twins share their original's tokens")
    parser.add_argument("--dataset", type=Path, required=True, help="folder of the datasets stage")
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    arguments = parser.parse_args()
    model = settings.load(arguments.config).model(arguments.model)
    data = tables.read(arguments.dataset)
    start = time.monotonic()
    LOG.info("%s: %d texts", arguments.dataset.name, len(data.texts))
    tokens = tokenize(data, models.load_tokenizer(model.folder), model.context())
    with replace_folder(arguments.output) as folder:
        write_tensors(folder / FILE, vars(tokens), {})
    LOG.info("%s: %d tokens, %.1f s", arguments.dataset.name, len(tokens.ids), time.monotonic() - start)


if __name__ == "__main__":
    run(main)
