"""Parity: a model in; a table of how far its extracted states are from transformers' own, layer by layer, out.

The check to run before spending GPU hours:

    python -m linear_probing.parity --model FOLDER_OR_ID [--revision COMMIT] [--dtype D] [--device D]

Every token of the texts is compared, through the padded path and through prefix trees; the texts are authored ones of
unlike length with shared beginnings, or one a line of a file. The exit code is 1 when the padded path differs; a model
that does not take prefix trees is extracted without them. Every extraction makes the same comparison on its own texts.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from linear_probing import architecture, models
from linear_probing.extraction.batches import PaddedTexts
from linear_probing.extraction.choice import Trial, try_trees
from linear_probing.extraction.comparison import (
    TOLERANCES,
    Difference,
    Reference,
    check,
    differences,
    reference,
    tolerance,
)
from linear_probing.extraction.reading import Reader, extract, wrap
from linear_probing.fetching.hub import model_folder
from linear_probing.settings import Model
from linear_probing.stage import StudyError, run
from linear_probing.tokens import Tokens

LOG = logging.getLogger("parity")
BUDGET = 256
TEXTS = (
    "Quito",
    "The city of Lima is in Peru.",
    "The city of Lima is in Chile.",
    "The city of Lima is not in Chile.",
    "The city of Nairobi is in Kenya.",
    "Forty-one is larger than six.",
    "Forty-one is larger than sixty.",
    "The keys near the old door are rusty.",
    "The keys near the old doors of the houses by the river are rusty, and nobody has used them for years.",
    "São Paulo, Zürich and Kraków are cities; 東京 is one too.",
    "No.",
    "Water boils at a lower temperature on a mountain than at the sea, since there is less air above it.",
    "A",
    "A long sentence, which goes on, and on, and on, for it must be the longest of all of these texts, so that every "
    "shorter one that goes through the model beside it has to be filled up with padding to the same length, as it "
    "would be in a study of statements of unlike length.",
    "The dog that chased the cats is tired.",
    "The dogs that chased the cat are tired.",
)


class ParityInputError(StudyError):
    """Texts that cannot be compared."""


def every_token(texts: Sequence[str], tokenizer: Any) -> Tokens:
    """Return the tokens of texts with every token a target; a text without a token is left out.

    Raises
    ------
    ParityInputError
        If no text has a token.
    """
    encoded = [np.asarray(tokenizer(text)["input_ids"], dtype=np.int64) for text in texts]
    encoded = [ids for ids in encoded if len(ids)]
    if not encoded:
        raise ParityInputError("no token: the tokenizer makes none of these texts", do="name other texts by --texts")
    lengths = [len(ids) for ids in encoded]
    text = np.repeat(np.arange(len(encoded)), lengths)
    position = np.concatenate([np.arange(length) for length in lengths])
    names = np.array([f"{number + 1}" for number in range(len(encoded))])
    targets = np.array([f"token {place}" for place in position])
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Tokens(np.concatenate(encoded), starts, text, position, position, names, targets)


def compare(reader: Reader, data: Tokens) -> tuple[Reference, list[Difference], Trial]:
    """Return transformers' states, the padded path's differences from them by layer, and the trial of prefix trees.

    Raises
    ------
    ActivationError
        If a text is longer than the model's context, or states are not finite.
    """
    layers = range(reader.model.config.get_text_config().num_hidden_layers + 1)
    expected, dtype = reference(reader, data, layers), reader.model.dtype
    plan = PaddedTexts(data, architecture.length_of_change(reader.model))
    found = extract(reader, data, plan, layers, dtype, BUDGET)
    return expected, differences(reader, data, found, expected), try_trees(reader, data, expected, dtype, BUDGET)


def table(padded: Sequence[Difference], trial: Trial, limit: float) -> str:
    """Return the comparison as text, a line per layer.

    Differences are shares of the layer's greatest |state|; those under `own`, of each token's own greatest.
    """
    lines = [f"{'layer':>5}  {'greatest':>10}  {'padded':>9}  {'own':>9}  {'trees':>9}  {'tolerance':>9}"]
    for place, one in enumerate(padded):
        tree = f"{trial.differences[place].relative:.1e}" if trial.differences else "-"
        mark = "" if one.relative <= limit else "  differs"
        shares = f"{one.relative:>9.1e}  {one.own:>9.1e}  {tree:>9}  {limit:>9.0e}"
        lines.append(f"{one.layer:>5}  {one.greatest:>10.4g}  {shares}{mark}")
    failure = trial.failure(limit)
    return "\n".join([*lines, f"prefix trees: {failure or 'hold'}", ""])


def read_texts(path: Path | None) -> Sequence[str]:
    """Return the authored texts, or those of a file, one a line.

    Raises
    ------
    ParityInputError
        If the file cannot be read or holds no text.
    """
    if path is None:
        return TEXTS
    try:
        texts = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise ParityInputError(f"no texts: {error}", file=path, do="name a text file, one text a line") from error
    if not texts:
        raise ParityInputError("no texts: the file is empty", file=path, do="name a text file, one text a line")
    return texts


def main() -> None:
    """Compare one model's states and print the table."""
    parser = argparse.ArgumentParser(description="Compare extracted states with transformers' own, layer by layer.")
    parser.add_argument("--model", required=True, help="a folder, or an id of the hub")
    parser.add_argument("--revision", help="the commit's 40 digits, for an id")
    parser.add_argument("--dtype", choices=sorted(TOLERANCES), default="float32", help="in which the model runs")
    parser.add_argument("--device", choices=["cpu", "cuda", "auto"], default="cpu", help="as in a configuration")
    parser.add_argument("--blocks", help="dotted name of the module list of blocks, where structure does not tell it")
    parser.add_argument("--allow", nargs="*", default=[], choices=["pickled_weights", "remote_code"])
    parser.add_argument("--texts", type=Path, help="a file with a text a line, instead of the authored ones")
    arguments = parser.parse_args()
    allow = tuple(arguments.allow)
    folder = model_folder(arguments.model, arguments.revision, allow)
    settings = Model(arguments.model, folder, arguments.dtype, device=arguments.device, allow=allow)
    data = every_token(read_texts(arguments.texts), models.load_tokenizer(folder, allow))
    reader = wrap(models.load(settings), arguments.blocks)
    LOG.info("%s: %d texts, %d tokens", arguments.model, len(data.lengths), len(data.ids))
    expected, padded, trial = compare(reader, data)
    limit = tolerance(arguments.dtype)
    sys.stdout.write(table(padded, trial, limit))
    check(data, expected, padded, limit, arguments.model)


if __name__ == "__main__":
    run(main)
