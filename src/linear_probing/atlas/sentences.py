"""Sentences shared by the training corpus and the default data sets: what is probed is what was taught."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from linear_probing.atlas import lexicon
from linear_probing.atlas.lexicon import Noun, number_name

CITY_CONTEXTS = (
    "{}",
    "The city of {}",
    "The road to {}",
    "The people of {}",
    "The old market of {}",
    "A train to {}",
)
SINGULAR_DETERMINERS = {"this", "that", "every", "each", "another"}
PLURAL_DETERMINERS = {"these", "those"}
PLURAL_PRONOUNS = {"they", "we", "you", "I"}


@dataclass(frozen=True)
class Word:
    """A word of a sentence with its class and its dictionary form."""

    form: str
    word_class: str
    lemma: str


def city_statement(city: str, country: str, negated: bool = False) -> str:
    """Return 'The city of X is in C.' or its negation."""
    return f"The city of {city} is {'not ' if negated else ''}in {country}."


def comparison(first: int, second: int, relation: str = "larger") -> str:
    """Return a comparison of two numbers in words, as 'Forty-one is larger than thirty.'."""
    return f"{number_name(first).capitalize()} is {relation} than {number_name(second)}."


def noun_phrase(subject: Noun, plural: bool, attractors: Sequence[tuple[str, Noun, bool]]) -> str:
    """Return a subject with the nouns between it and its verb, as 'The key near the doors'."""
    phrase = f"The {subject.form(plural)}"
    for adposition, noun, many in attractors:
        phrase += f" {adposition} the {noun.form(many)}"
    return phrase


def text_of(words: Sequence[Word]) -> str:
    """Return the words as a sentence with a full stop; the first letter stays as the word has it."""
    return " ".join(word.form for word in words) + "."


def story(random: np.random.Generator, nouns: Sequence[Noun]) -> list[Word]:
    """Draw a sentence with all word classes, its nouns from `nouns`, number agreeing throughout."""

    def pick(items: Sequence[str]) -> str:
        return items[int(random.random() * len(items))]

    def noun_group(plural: bool, described: bool) -> list[Word]:
        barred = SINGULAR_DETERMINERS if plural else PLURAL_DETERMINERS
        fitting = [word for word in lexicon.words("determiner") if word not in barred]
        determiner = pick(fitting)
        group = [Word(determiner, "determiner", determiner)]
        if described:
            adjective = pick(lexicon.words("adjective"))
            group.append(Word(adjective, "adjective", adjective))
        noun = nouns[int(random.random() * len(nouns))]
        return [*group, Word(noun.form(plural), "noun", noun.singular)]

    plural = bool(random.random() < 0.5)
    if random.random() < 0.35:
        pronoun = pick(lexicon.words("pronoun"))
        plural = pronoun in PLURAL_PRONOUNS
        subject = [Word(pronoun, "pronoun", pronoun)]
    else:
        subject = noun_group(plural, bool(random.random() < 0.5))
    verbs = lexicon.verbs()
    verb = verbs[int(random.random() * len(verbs))]
    middle = [Word(verb.form(plural), "verb", verb.plural)]
    if random.random() < 0.6:
        adverb = pick(lexicon.words("adverb"))
        middle.insert(0, Word(adverb, "adverb", adverb))
    if verb.takes_object:
        middle += noun_group(bool(random.random() < 0.5), bool(random.random() < 0.5))
    adposition = pick(lexicon.words("adposition"))
    place = noun_group(bool(random.random() < 0.5), bool(random.random() < 0.5))
    return [*subject, *middle, Word(adposition, "adposition", adposition), *place]
