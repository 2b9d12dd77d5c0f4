"""`larger_than`: comparisons of two numbers in words, both orders of every pair."""

import pandas as pd

from linear_probing.atlas.lexicon import N_NUMBERS, pair_part
from linear_probing.atlas.sentences import comparison
from linear_probing.builders.draft import AUTHORED, CODE_LICENCE, Draft, deal, generator, numbered


def build(*, n_pairs: int, n_folds: int, seed: int) -> Draft:
    """Return `n_pairs` unordered pairs of 1 to 99 in both orders; one of the two statements is true."""
    pairs = [(low, high) for low in range(1, N_NUMBERS + 1) for high in range(low + 1, N_NUMBERS + 1)]
    chosen = sorted(generator(seed, "pairs").permutation(len(pairs))[:n_pairs])
    drawn = [pairs[index] for index in chosen]
    rows = [order for low, high in drawn for order in ((low, high), (high, low))]
    groups = [f"{min(row)}-{max(row)}" for row in rows]
    parts = [pair_part(*row) for row in rows]
    by_pair = deal(groups, parts, n_folds, generator(seed, "pair folds"))
    numbers = [str(number) for number in range(1, N_NUMBERS + 1)]
    by_number = deal(numbers, [""] * N_NUMBERS, n_folds, generator(seed, "number folds"))
    text = [comparison(first, second) for first, second in rows]
    ids = numbered("larger_than", len(rows))
    targets = pd.DataFrame(
        {
            "target_id": ids,
            "text_id": ids,
            "span_start": [len(statement) - 1 for statement in text],
            "span_end": [len(statement) for statement in text],
            "group": groups,
            "group_numbers": ["|".join(str(number) for number in sorted(row)) for row in rows],
            "type": "",
            "part": parts,
            "fold": [by_pair[group] for group in groups],
            "fold_numbers": ["|".join(sorted({by_number[str(number)] for number in row})) for row in rows],
            "truth": [int(first > second) for first, second in rows],
            "first_number": [first for first, _ in rows],
        }
    )
    return Draft(
        pd.DataFrame({"text_id": ids, "text": text}),
        targets,
        description="Statements that one number is larger than another, both orders of every pair.",
        source=AUTHORED,
        licence=CODE_LICENCE,
        labels={"truth": "1 if the statement is true"},
        splits={
            "group": "unordered pairs held out",
            "numbers": "both numbers of a test pair stand in no training pair",
        },
        group_meaning="the unordered pair of numbers",
        type_meaning="",
    )
