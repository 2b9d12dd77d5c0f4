"""Answers: which strings answer for a target's counterfactual and which for the target itself, and how far one leads.

Of a pair, the preference is P(answers of the counterfactual) - P(answers of the target's own label), each the sum over
its strings (Marks & Tegmark 2023, for the verdicts on statements); log odds and the sum of both stand beside it. An
edit that does what it should turns the preference from that of the target to that of the counterfactual.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from linear_probing.behaviour import NAMES, NEAREST, Behaviour
from linear_probing.probing.runs import labels_of, names_of
from linear_probing.settings import Task
from linear_probing.steering.pairs import Pairs
from linear_probing.steering.questions import Question, QuestionError, ask
from linear_probing.tables import Tables
from linear_probing.tokens import Tokens

FLOOR = np.log(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class Asked:
    """The questions of some pairs.

    Parameters
    ----------
    pairs : Pairs
        Those that can be asked.
    own, other : list[Question]
        The target's text and the counterfactual's, with the same answers.
    n_for : list[int]
        How many of a question's answers, the first, are the counterfactual's.
    """

    pairs: Pairs
    own: list[Question]
    other: list[Question]
    n_for: list[int]


def strings(one: Behaviour, task: Task, data: Tables) -> list[tuple[str, ...]]:
    """Return the answers of every target.

    Raises
    ------
    QuestionError
        If the answers are not of the label's classes.
    """
    targets = data.targets
    if one.rule == NEAREST:
        return _nearest(task, targets, one.n_nearest)
    names, labels = names_of(task, targets), labels_of(task, targets)
    if one.rule == NAMES:
        return [(names[label],) for label in labels]
    if set(one.answers) != set(names):
        raise QuestionError(
            f"interventions.tasks.{one.task}: answers of {', '.join(sorted(one.answers))}, but the label's classes are"
            f" {', '.join(names)}",
            do="give answers of every class, by its name in the target table",
        )
    return [one.answers[names[label]] for label in labels]


def _nearest(task: Task, targets: pd.DataFrame, n_nearest: int) -> list[tuple[str, ...]]:
    """Return the names of the groups nearest to each target's, its own left out."""
    positions = pd.DataFrame(labels_of(task, targets)).groupby(targets["group"].to_numpy(str)).mean()
    names, places = positions.index.to_numpy(str), positions.to_numpy()
    found = {}
    for name, place in zip(names, places, strict=True):
        order = np.argsort(((places - place) ** 2).sum(axis=1), kind="stable")
        found[name] = tuple(other for other in names[order] if other != name)[:n_nearest]
    return [found[group] for group in targets["group"].astype(str)]


def questions(one: Behaviour, task: Task, data: Tables, tokens: Tokens, tokenizer: Any, pairs: Pairs) -> Asked:
    """Return the questions of all pairs whose answers differ; a pair that shares an answer says nothing.

    Raises
    ------
    QuestionError
        If no pair is left, or an answer cannot be asked for.
    """
    answers, texts = strings(one, task, data), data.texts.set_index("text_id")["text"].to_dict()
    differ = [not set(answers[row]) & set(answers[other]) for row, other in zip(pairs.rows, pairs.others, strict=True)]
    kept = pairs.select(np.flatnonzero(differ))
    if not len(kept):
        raise QuestionError(
            f"interventions.tasks.{one.task}: classes share their answers",
            do="give every class answers of its own",
        )
    text_of = [texts[name] for name in data.targets["text_id"]]

    def asked(row: int, listed: Sequence[str]) -> Question:
        first, last = tokens.target_first[row], tokens.target_last[row]
        if first != last:
            raise QuestionError(
                f"interventions.tasks.{one.task}: a target stands for several tokens, but one is changed",
                do="set the data set's position to last or first",
            )
        ids = tokens.text(tokens.target_text[row])
        return ask(tokenizer, text_of[row], ids, int(first), listed, one.pattern)

    listed = [(*answers[other], *answers[row]) for row, other in zip(kept.rows, kept.others, strict=True)]
    return Asked(
        kept,
        [asked(row, names) for row, names in zip(kept.rows, listed, strict=True)],
        [asked(row, names) for row, names in zip(kept.others, listed, strict=True)],
        [len(answers[other]) for other in kept.others],
    )


def measures(log_probabilities: Float[np.ndarray, "edit answer"], n_for: int) -> Float[np.ndarray, "edit measure"]:
    """Return preference, log odds and their sum's probability, of each edit.

    Examples
    --------
    >>> measures(np.log([[0.6, 0.1, 0.1]]), 1).round(3).tolist()
    [[0.4, 1.099, 0.8]]
    """
    of_two = [
        np.logaddexp.reduce(np.maximum(part, FLOOR), axis=1)
        for part in (log_probabilities[:, :n_for], log_probabilities[:, n_for:])
    ]
    first, second = np.exp(of_two)
    return np.stack([first - second, of_two[0] - of_two[1], first + second], axis=1)
