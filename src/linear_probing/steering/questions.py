"""Questions: a text up to its target, and what the model may say behind it, as tokens.

A behaviour is read from the probabilities of answers: strings behind the text and a continuation. An answer of several
tokens is scored as a sequence, by the product of its tokens' probabilities. What answers have in common stands once, as
a tree that begins at the target's token: there the model is changed, and so all behind it is computed anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from linear_probing.extraction.trees import Pack, n_shared, pack
from linear_probing.stage import StudyError


class QuestionError(StudyError):
    """Answers that a model's tokens cannot be asked for."""


@dataclass(frozen=True)
class Question:
    """One target with its answers.

    Parameters
    ----------
    prefix : np.ndarray
        Shape (n_prefix,): the tokens before the target's.
    branch : Pack
        From the target's token on, which is its first node: the rest of the text, the continuation, all answers.
    nodes, tokens, answers : np.ndarray
        Shape (n_reads,): behind which node of the branch the probability of which token is read, for which answer.
    n_answers : int
    """

    prefix: Int[np.ndarray, " prefix"]
    branch: Pack
    nodes: Int[np.ndarray, " read"]
    tokens: Int[np.ndarray, " read"]
    answers: Int[np.ndarray, " read"]
    n_answers: int

    @property
    def width(self) -> int:
        """Number of tokens of a branch."""
        return len(self.branch.ids)

    def paths(self) -> list["Question"]:
        """Return the question as several whose branches do not part, for models that take no tree."""
        found = []
        for place, path in enumerate(self.branch.columns):
            ids = self.branch.ids[path]
            steps = np.arange(len(ids))
            line = Pack(ids, steps, np.full(len(ids), len(ids)), [0], [steps])
            reads = np.flatnonzero(self.answers == self.branch.texts[place])
            nodes = np.searchsorted(path, self.nodes[reads])
            found.append(Question(self.prefix, line, nodes, self.tokens[reads], self.answers[reads], self.n_answers))
        return found


def ask(
    tokenizer: Any, text: str, ids: Int[np.ndarray, " token"], target: int, answers: Sequence[str], pattern: str = "{}"
) -> Question:
    """Return the question whether a text goes on with each of some answers.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerFast
    text : str
    ids : np.ndarray
        Shape (n_tokens,): the text's tokens, as they stand in the tokens stage.
    target : int
        Place of the token at which the model is changed.
    answers : Sequence[str]
        What may stand in the pattern.
    pattern : str
        What follows the text, with {} for the answer. What stands before it is given and not scored: whether the model
        would have gone on like that is another question. What stands behind it tells where an answer ends.

    Raises
    ------
    QuestionError
        If the vocabulary lacks an answer, the text has other tokens where an answer follows, or an answer begins with
        another, so that their probabilities would overlap.
    """
    continued = [_continued(tokenizer, text, ids, pattern.replace("{}", answer)) for answer in answers]
    given = pattern.partition("{}")[0].rstrip()
    given_ids = _continued(tokenizer, text, ids, given) if given else ids[:0]
    n_given = len(given_ids)
    if any(not n_shared(given_ids, one) == n_given < len(one) for one in continued):
        raise QuestionError(
            f"the pattern {pattern!r} has other tokens before its answer than without one",
            likely="the tokenizer merges the pattern's end with the answer's beginning",
            do="end the pattern's beginning with a space before {}",
        )
    for one, sequence in enumerate(continued):
        for other in continued[:one] + continued[one + 1 :]:
            if n_shared(sequence, other) == len(sequence):
                raise QuestionError(
                    f"the answer {answers[one]!r} is, or begins, another answer in tokens",
                    do="list answers of which none begins with another",
                )
    return question(ids, target, continued, n_given)


def question(
    ids: Int[np.ndarray, " token"], target: int, continued: Sequence[Int[np.ndarray, " more"]], n_given: int = 0
) -> Question:
    """Return the question whether a text's tokens go on with each of some others, whose first are given."""
    sequences = [np.concatenate([ids[target:], more[:-1]]) for more in continued]
    (branch,) = pack(sequences, sum(len(one) for one in sequences))
    nodes, tokens, owners = list[int](), list[int](), list[int]()
    for place, path in zip(branch.texts, branch.columns, strict=True):
        more = continued[place][n_given:]
        nodes += path[len(path) - len(more) :].tolist()
        tokens += more.tolist()
        owners += [place] * len(more)
    return Question(ids[:target], branch, np.array(nodes), np.array(tokens), np.array(owners), len(continued))


def _continued(tokenizer: Any, text: str, ids: Int[np.ndarray, " token"], answer: str) -> Int[np.ndarray, " more"]:
    whole = np.asarray(tokenizer(text + answer)["input_ids"], dtype=np.int64)
    if n_shared(ids, whole) < len(ids) or len(whole) == len(ids):
        raise QuestionError(
            f"the text {text!r} has other tokens where {answer!r} follows",
            likely="the answer does not begin with a space, or the tokenizer ends every text with a token of its own",
            do="begin answers, or their continuation, with a space; or ask a model without an end of its own",
        )
    more = whole[len(ids) :]
    if tokenizer.unk_token_id is not None and tokenizer.unk_token_id in more:
        raise QuestionError(f"the vocabulary has no token for {answer!r}", do="list answers that the model can say")
    return more
