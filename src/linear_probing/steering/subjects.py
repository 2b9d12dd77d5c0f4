"""Subjects: a task's pairs, what is asked of them and of tokens elsewhere, and which other tasks' directions serve."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Int

from linear_probing import tables
from linear_probing.behaviour import Behaviour
from linear_probing.directions import SPLIT
from linear_probing.extraction.reading import ActivationError
from linear_probing.probing.runs import labels_of
from linear_probing.settings import Model, Study, Task
from linear_probing.steering import answers, pairs
from linear_probing.steering.answers import Asked
from linear_probing.steering.layout import CLEAN, COUNTERFACTUAL, PREFERENCE
from linear_probing.steering.questions import Question, question
from linear_probing.steering.runs import Learnt
from linear_probing.steering.sources import Source, asked_of
from linear_probing.tokens import Tokens
from linear_probing.transfer import may_score


@dataclass(frozen=True)
class Subject:
    """One task with what is asked of it, before any layer is edited."""

    task: Task
    asked: Asked
    next_tokens: list[Question]
    next_rows: Int[np.ndarray, " token"]


def subject(study: Study, one: Behaviour, own: Source, other: Source | None, learnt: Learnt, say: Any) -> Subject:
    """Draw a task's pairs and the tokens elsewhere, and make their questions by the tokenizer `say`.

    Raises
    ------
    PairError, QuestionError
        If there is nothing to draw, or an answer cannot be asked for.
    """
    task = next(task for task in study.tasks if task.name == one.task)
    random = np.random.default_rng([study.seed, *f"interventions|{task.name}".encode()])
    drawn = pairs.draw(task, own.data.targets, learnt.folds(task.name), one.n_targets, random)
    found = answers.questions(one, task, own.data, own.tokens, say, drawn)
    rows = next_token_rows(other.tokens, one.n_targets, random) if other else np.zeros(0, dtype=np.int64)
    following = [next_token(other.tokens, row) for row in rows] if other else []
    return Subject(task, found, following, rows)


def next_token_rows(data: Tokens, n_rows: int, random: np.random.Generator) -> Int[np.ndarray, " token"]:
    """Draw targets of one token behind which their text goes on."""
    goes_on = data.target_last + 1 < data.lengths[data.target_text]
    rows = np.flatnonzero(goes_on & (data.target_first == data.target_last))
    return np.sort(random.permutation(rows)[:n_rows])


def next_token(data: Tokens, row: Any) -> Question:
    """Return the question whether a target's text goes on as it does."""
    ids, place = data.text(data.target_text[row]), int(data.target_last[row])
    return question(ids[: place + 1], place, [ids[place + 1 : place + 2]])


def check_strengths(one: Subject, own: Source, study: Study, model: Model) -> None:
    """Check, before anything is asked, that no shift leaves the range of the model's dtype.

    Raises
    ------
    ActivationError
        If one does.
    """
    if one.task.kind != "binary":
        return
    greatest, limit = max(asked_of(study).strengths), float(torch.finfo(getattr(torch, model.dtype)).max)
    labels = labels_of(one.task, own.data.targets)
    masks = tables.fold_masks(own.data.targets[tables.fold_column(SPLIT)])
    for layer in study.layers_of(model):
        states = own.layer(layer)
        means = [[states[trains & (labels == one)].mean(axis=0) for one in (0, 1)] for trains, _ in masks]
        gaps = [np.linalg.norm(second - first) for first, second in means]
        edit = greatest * max(gaps)
        if not edit + np.abs(states).max() <= limit:
            raise ActivationError(
                f"layer {layer}: an edit of {edit:.1e} is beyond {model.dtype}",
                likely="a strength is too great",
                do="use smaller strengths, or float32",
            )


def borrowed(one: Subject, own: Source, others: Mapping[str, Source], learnt: Learnt) -> dict[str, np.ndarray]:
    """Return, by other task, which fold's direction each pair may have: one that neither of its groups trained."""
    rows, found = one.asked.pairs.rows, {}
    for name in learnt.own_probe:
        folds = learnt.folds(name)
        if name != one.task.name and folds:
            may = may_score(others[name.split(".")[0]].side, own.side)[:, folds]
            allowed = may[rows] & may[one.asked.pairs.others]
            if allowed.any(axis=1).all():
                found[name] = np.array(folds)[allowed.argmax(axis=1)]
    return found


def pair_table(one: Subject, own: Source, effects: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Return a row per pair: its targets, group and fold, and the preference of both without an edit."""
    drawn, targets = one.asked.pairs, own.data.targets
    first = next(key for key in effects if key.startswith(f"{one.task.name}|layer_") and key.endswith(f"|{CLEAN}"))
    return pd.DataFrame(
        {
            "task": one.task.name,
            "target_id": targets["target_id"].to_numpy(str)[drawn.rows],
            "counterfactual_id": targets["target_id"].to_numpy(str)[drawn.others],
            "group": drawn.groups,
            "counterfactual_group": targets["group"].to_numpy(str)[drawn.others],
            "fold": drawn.folds,
            "preference": effects[first][:, PREFERENCE],
            "counterfactual_preference": effects[f"{one.task.name}|{COUNTERFACTUAL}"][:, PREFERENCE],
        }
    )
