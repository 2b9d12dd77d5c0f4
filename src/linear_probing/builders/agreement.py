"""`agreement`: the number of a subject, read at the last word before its verb, across 0, 1 or 2 other nouns.

The other nouns' numbers are drawn independently of the subject's, so that the nearest noun does not give it away.
"""

import pandas as pd

from linear_probing.atlas import lexicon
from linear_probing.atlas.sentences import noun_phrase
from linear_probing.builders.draft import AUTHORED, CODE_LICENCE, Draft, deal, generator, numbered

SOURCES = ("data/lexicons/nouns.csv", "data/lexicons/words.csv")
N_ATTRACTORS = (0, 1, 2)


def build(*, n_draws: int, n_folds: int, seed: int) -> Draft:
    """Return `n_draws` phrases per noun, number and count of attractors; attractors are of the subject's part."""
    random = generator(seed, "attractors")
    nouns = lexicon.probed_nouns()
    rows = [
        (noun, plural, n)
        for noun in nouns
        for plural in (False, True)
        for n in N_ATTRACTORS
        # Without attractors a phrase is always the same, so it stands once.
        for _ in range(n_draws if n else 1)
    ]
    text = []
    for subject, plural, n in rows:
        others = [noun for noun in nouns if noun.part == subject.part and noun != subject]
        adpositions = lexicon.words("adposition")
        attractors = [
            (
                adpositions[int(random.integers(len(adpositions)))],
                others[int(random.integers(len(others)))],
                bool(random.integers(2)),
            )
            for _ in range(n)
        ]
        text.append(noun_phrase(subject, plural, attractors))
    by_lemma = deal([n.singular for n in nouns], [n.part for n in nouns], n_folds, generator(seed, "noun folds"))
    ids = numbered("agreement", len(rows))
    targets = pd.DataFrame(
        {
            "target_id": ids,
            "text_id": ids,
            "span_start": [phrase.rindex(" ") + 1 for phrase in text],
            "span_end": [len(phrase) for phrase in text],
            "group": [noun.singular for noun, _, _ in rows],
            "type": "",
            "part": [noun.part for noun, _, _ in rows],
            "fold": [by_lemma[noun.singular] for noun, _, _ in rows],
            "number": [int(plural) for _, plural, _ in rows],
            "n_attractors": [n for _, _, n in rows],
        }
    )
    return Draft(
        pd.DataFrame({"text_id": ids, "text": text}),
        targets,
        description="Beginnings of sentences up to the verb: a subject, and up to two nouns between it and its verb.",
        source=AUTHORED,
        licence=CODE_LICENCE,
        labels={"number": "1 if the subject is plural"},
        splits={"group": "subjects held out by lemma"},
        group_meaning="the subject's lemma",
        type_meaning="",
    )
