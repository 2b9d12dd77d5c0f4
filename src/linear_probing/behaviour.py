"""What a configuration says of interventions: by which answers a model's behaviour is read, and how many controls run.

Standard library only, since the Snakefile reads settings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linear_probing.language_model import DO, SettingsError

if TYPE_CHECKING:
    from linear_probing.settings import Task

NAMES, NEAREST = "names", "nearest"
"""Answers that need not be listed: a class's own name, and the names of the groups nearest to a position."""
N_TARGETS = 100
STRENGTHS = (0.5, 1.0, 2.0)
UNIT = 1.0
"""The strength at which controls run: as long as the difference of the class means."""


@dataclass(frozen=True)
class Behaviour:
    """What a task's texts make a model say.

    Parameters
    ----------
    task : str
        Its name.
    pattern : str
        What follows a text, with {} where the answer goes, as ' is near {}.'.
    answers : Mapping[str, tuple[str, ...]]
        By class, the strings that answer for it; empty where `rule` makes them.
    rule : str
        'names', 'nearest', or empty where answers are listed.
    n_nearest : int
        Of the rule 'nearest', how many groups answer for a position.
    n_targets : int
        Drawn of the task, at most.
    """

    task: str
    pattern: str
    answers: Mapping[str, tuple[str, ...]]
    n_targets: int
    rule: str = ""
    n_nearest: int = 0


@dataclass(frozen=True)
class Interventions:
    """Which behaviours are intervened on, and how.

    Parameters
    ----------
    n_controls : int
        Random directions beside each of a task's own, half of them isotropic, half drawn from the states' covariance.
    strengths : tuple[float, ...]
        Of a shift, in lengths of the difference of class means; `UNIT` among them.
    elsewhere : str
        Data set in whose texts the loss of the next token is measured; empty for none.
    behaviours : tuple[Behaviour, ...]
    twins : bool
        Whether a model's first twin with random weights is intervened on as well.
    """

    n_controls: int
    strengths: tuple[float, ...]
    elsewhere: str
    behaviours: tuple[Behaviour, ...]
    twins: bool = True

    @property
    def tasks(self) -> tuple[str, ...]:
        """The names of the tasks."""
        return tuple(one.task for one in self.behaviours)

    @property
    def datasets(self) -> tuple[str, ...]:
        """The names of the data sets that are read: those of the tasks, then where the loss is measured."""
        named = [*(task.split(".")[0] for task in self.tasks), *([self.elsewhere] if self.elsewhere else [])]
        return tuple(dict.fromkeys(named))


def interventions_of(content: Mapping[str, Any]) -> Interventions:
    """Return what a configuration's entry `interventions` says, which the schema has passed."""
    strengths = {UNIT, *(float(value) for value in content.get("strengths", STRENGTHS))}
    return Interventions(
        n_controls=content.get("n_controls", 1000),
        strengths=tuple(sorted(strengths)),
        elsewhere=content.get("elsewhere", ""),
        behaviours=tuple(
            _behaviour(name, {"n_targets": content.get("n_targets", N_TARGETS), **value})
            for name, value in content["tasks"].items()
        ),
        twins=content.get("twins", True),
    )


def _behaviour(task: str, value: Mapping[str, Any]) -> Behaviour:
    answers, pattern, n_targets = value["answers"], value.get("pattern", "{}"), value["n_targets"]
    if isinstance(answers, str):
        return Behaviour(task, pattern, {}, n_targets, answers)
    if NEAREST in answers and isinstance(answers[NEAREST], int):
        return Behaviour(task, pattern, {}, n_targets, NEAREST, answers[NEAREST])
    return Behaviour(task, pattern, {name: tuple(listed) for name, listed in answers.items()}, n_targets)


def check(
    found: Interventions, tasks: Sequence["Task"], datasets: Mapping[str, str], chats: Sequence[str], path: Path
) -> None:
    """Check what a schema cannot say: that tasks and data sets exist, and answers fit a task's kind.

    Parameters
    ----------
    found : Interventions
    tasks : Sequence[Task]
        Of the study.
    datasets : Mapping[str, str]
        By name, the position that stands for a span.
    chats : Sequence[str]
        Models whose texts are put into a chat template.
    path : Path
        The configuration, for errors.

    Raises
    ------
    SettingsError
        If they do not.
    """
    if chats:
        raise SettingsError(
            f"interventions: {chats[0]} puts texts into a chat template, behind whose end an answer would stand",
            file=path,
            do="intervene on a model without `chat`",
        )
    known, means = {task.name: task for task in tasks}, {name for name, kind in datasets.items() if kind == "mean"}
    for one in found.behaviours:
        what = None
        if one.task not in known:
            what = f"unknown task; the configuration has {', '.join(known)}"
        elif (known[one.task].kind == "position") != (one.rule == NEAREST):
            kind = known[one.task].kind
            what = f"answers {one.rule or 'by class'} do not fit a {kind} label; a position has {{nearest: 3}}"
        elif one.task.split(".")[0] in means:
            what = "its data set's position is mean, but an intervention changes one token; set it to last or first"
        elif one.pattern.count("{}") != 1:
            what = f"the pattern {one.pattern!r} does not have one {{}}, where the answer goes"
        elif one.answers and len(one.answers) < 2:
            what = "answers of one class only"
        if what:
            raise SettingsError(f"interventions.tasks.{one.task}: {what}", file=path, do=DO)
    if found.elsewhere and found.elsewhere not in datasets:
        raise SettingsError(
            f"interventions.elsewhere: unknown data set {found.elsewhere!r}; the configuration has"
            f" {', '.join(datasets)}",
            file=path,
            do=DO,
        )
