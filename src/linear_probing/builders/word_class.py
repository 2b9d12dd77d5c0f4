"""`word_class`: sentences with one target per word, labelled with its class."""

import pandas as pd

from linear_probing.atlas import lexicon
from linear_probing.atlas.sentences import story, text_of
from linear_probing.builders.draft import (
    AUTHORED,
    CODE_LICENCE,
    Draft,
    deal,
    divide_types,
    generator,
    numbered,
)

SOURCES = ("data/lexicons/nouns.csv", "data/lexicons/verbs.csv", "data/lexicons/words.csv")
MIN_CONTEXTS = 4
SHARE_UNSEEN = 0.25


def words_of(n_sentences: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw sentences whose nouns are all seen, or all unseen, and return them with one row per word."""
    random = generator(seed, "stories")
    texts, rows = [], []
    for number, text_id in enumerate(numbered("story", n_sentences)):
        part = "unseen" if number < SHARE_UNSEEN * n_sentences else "seen"
        sentence = story(random, [noun for noun in lexicon.probed_nouns() if noun.part == part])
        texts.append((text_id, text_of(sentence)))
        start = 0
        for word in sentence:
            end = start + len(word.form)
            rows.append((text_id, start, end, word.lemma, word.form, part, word.word_class))
            start = end + 1
    columns = ["text_id", "span_start", "span_end", "group", "type", "part", "word_class"]
    return pd.DataFrame(texts, columns=["text_id", "text"]), pd.DataFrame(rows, columns=columns)


def build(*, n_sentences: int, n_per_lemma: int, n_folds: int, seed: int) -> Draft:
    """Return at most `n_per_lemma` words per lemma and part, of forms with at least four contexts."""
    texts, words = words_of(n_sentences, seed)
    order = generator(seed, "words").permutation(len(words))
    kept = words.iloc[order].groupby(["group", "part"]).head(n_per_lemma).sort_index()
    kept = kept[kept.groupby("type")["type"].transform("size") >= MIN_CONTEXTS].reset_index(drop=True)
    by_lemma = deal(list(kept["group"]), list(kept["word_class"]), n_folds, generator(seed, "lemma folds"))
    kept.insert(0, "target_id", numbered("word", len(kept)))
    kept["fold"] = kept["group"].map(by_lemma)
    kept["fold_types"] = divide_types(list(kept["type"]), n_folds, generator(seed, "word types"))
    return Draft(
        texts[texts["text_id"].isin(kept["text_id"])].reset_index(drop=True),
        kept,
        description="Sentences of authored words; a quarter with nouns that stood in no training sentence.",
        source=AUTHORED,
        licence=CODE_LICENCE,
        labels={"word_class": "noun, verb, adjective, adverb, adposition, determiner or pronoun"},
        splits={
            "group": "lemmas held out",
            "types": "contexts of a word form divided between folds: every test form is trained on; for selectivity",
        },
        group_meaning="the word's lemma",
        type_meaning="the word form",
    )
