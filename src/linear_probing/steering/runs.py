"""Runs: the edits of one layer, by name, for the pairs of a task and for tokens elsewhere.

A run is an operation with a direction. Named ones: each kind of direction of the layer's own probes at all strengths;
the task's own direction of every other layer; every other task's direction of this layer; the whole state's swap, which
is the most that a swap could do. Random ones: as many as there are controls, of the operations that have a p-value.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

import numpy as np
from jaxtyping import Float, Int

from linear_probing import directions
from linear_probing.behaviour import UNIT, Interventions
from linear_probing.directions import ALL, SPLIT, Direction
from linear_probing.settings import Task
from linear_probing.steering import edits
from linear_probing.steering.edits import Training
from linear_probing.steering.layout import ERASE, LEACE, MEAN_DIFFERENCE, REMOVE, SHIFT, SWAP, WHOLE
from linear_probing.steering.pairs import Pairs
from linear_probing.store import layer_name

N_ELSEWHERE = 20
"""Controls that are also measured elsewhere."""


@dataclass(frozen=True)
class Run:
    """An operation with a direction: of which probe, task and layer it is, and how strong."""

    operation: str
    direction: str
    of_task: str
    of_layer: int
    strength: float

    @property
    def key(self) -> str:
        """`shift|logistic|cities.truth|layer_03|1`."""
        names = (self.operation, self.direction, self.of_task, layer_name(self.of_layer), f"{self.strength:g}")
        return "|".join(names)


@dataclass(frozen=True)
class Learnt:
    """Directions of some tasks of a model, by task, probe, layer and fold; see `read`."""

    by_key: Mapping[tuple[str, str, int, str], Direction]
    own_probe: Mapping[str, str]

    def of(self, task: str, probe: str, layer: int, fold: str) -> Float[np.ndarray, "rank d"] | None:
        """Return the subspace of a direction, None if there is none."""
        found = self.by_key.get((task, probe, layer, fold))
        return None if found is None else edits.of_direction(found)

    def bases(self, task: str, probe: str, layer: int, folds: Iterable[int]) -> dict[int, np.ndarray]:
        """Return the subspaces of some folds' directions; nothing if one is missing."""
        found = {fold: self.of(task, probe, layer, str(fold)) for fold in folds}
        return {} if any(one is None for one in found.values()) else {k: v for k, v in found.items() if v is not None}

    def folds(self, task: str) -> list[int]:
        """Return the folds that have a direction of a task's own probe at every layer."""
        known = [key for key in self.by_key if key[:2] == (task, self.own_probe[task])]
        layers = {key[2] for key in known}
        return sorted(
            fold
            for fold in {int(key[3]) for key in known}
            if all((task, self.own_probe[task], layer, str(fold)) in self.by_key for layer in layers)
        )

    def probes(self, task: str, layer: int) -> list[str]:
        """Return the probes with a direction of a task at a layer, its own first."""
        names = dict.fromkeys(key[1] for key in self.by_key if key[0] == task and key[2] == layer)
        return sorted(names, key=lambda name: name != self.own_probe[task])

    def layers(self, task: str) -> list[int]:
        """Return the layers at which a task was probed, ascending."""
        return sorted({key[2] for key in self.by_key if key[0] == task})


def read(folders: Sequence[Path], tasks: Sequence[Task]) -> Learnt:
    """Read the directions of single folds of some tasks from folders of the probes stage.

    Raises
    ------
    DirectionError, StoreError
        If a file is missing or cut.
    """
    names = [task.name for task in tasks]
    found = [one for folder in folders for one in directions.read(folder, names) if one.fold != ALL]
    by_key = {(one.task, one.probe, one.layer, one.fold): one for one in found if one.split == SPLIT}
    return Learnt(by_key, {task.name: task.probe for task in tasks})


@dataclass(frozen=True)
class Place:
    """States at which edits are made: those of pairs, or of tokens elsewhere.

    Parameters
    ----------
    states, others : np.ndarray
        Shape (n_rows, d): as they are, and those of what they are changed towards.
    folds : np.ndarray
        Shape (n_rows,): whose training targets and directions are used.
    signs : np.ndarray
        Shape (n_rows,): towards which class.
    borrowed : Mapping[str, np.ndarray]
        By other task, the fold of its own whose direction is used, shape (n_rows,).
    """

    states: Float[np.ndarray, "row d"]
    others: Float[np.ndarray, "row d"]
    folds: Int[np.ndarray, " row"]
    signs: Float[np.ndarray, " row"]
    borrowed: Mapping[str, Int[np.ndarray, " row"]] = field(default_factory=dict)


@dataclass(frozen=True)
class Layer:
    """What the edits of a layer are made from: the task's training targets by fold, and the directions.

    Parameters
    ----------
    task : Task
    layer : int
    states, labels : np.ndarray
        Of all targets of the data set.
    trains : Mapping[int, np.ndarray]
        By fold, for those of which there are pairs: which targets trained its directions.
    learnt : Learnt
    """

    task: Task
    layer: int
    states: Float[np.ndarray, "target d"]
    labels: Int[np.ndarray, "target *axis"]
    trains: Mapping[int, np.ndarray]
    learnt: Learnt

    def trained(self) -> dict[int, Training]:
        """Return what each fold's training targets say."""
        return {fold: edits.training(self.states[rows], self.labels[rows]) for fold, rows in self.trains.items()}


def elsewhere(pairs: Pairs, own: Place, states: Float[np.ndarray, "row d"]) -> Place:
    """Return tokens elsewhere as places of edits: they borrow folds, signs and differences from the pairs in turn."""
    turn = np.arange(len(states)) % len(pairs)
    moved = states + own.others[turn] - own.states[turn]
    borrowed = {name: folds[turn] for name, folds in own.borrowed.items()}
    return Place(states, moved, pairs.folds[turn], own.signs[turn], borrowed)


def named(
    layer: Layer, trained: Mapping[int, Training], asked: Interventions, places: Sequence[Place]
) -> list[tuple[Run, list[Float[np.ndarray, "row d"]]]]:
    """Return every named run with its edits of each of some places, of which the pairs are the first."""
    own, task, found = layer.learnt.own_probe[layer.task.name], layer.task.name, list[tuple[Run, list[np.ndarray]]]()

    def add(run: Run, bases: Mapping[int, np.ndarray], folds: str = "") -> None:
        made = [_edit(run, place, trained, bases, place.borrowed[folds] if folds else place.folds) for place in places]
        found.append((run, made))

    main = principal(layer.task)
    for kind, bases in _kinds(layer, trained).items():
        for operation in operations(layer.task):
            for strength in asked.strengths if operation == SHIFT else (UNIT,):
                add(Run(operation, kind, task, layer.layer, strength), bases)
    for other in layer.learnt.layers(task):
        of_layer = layer.learnt.bases(task, own, other, layer.trains)
        if other != layer.layer and of_layer:
            add(Run(main, own, task, other, UNIT), of_layer)
    for name, folds in places[0].borrowed.items():
        probe = layer.learnt.own_probe[name]
        of_task = layer.learnt.bases(name, probe, layer.layer, set(folds.tolist()))
        if of_task:
            add(Run(main, probe, name, layer.layer, UNIT), of_task, name)
    erasers = {fold: edits.eraser(layer.states[rows], layer.labels[rows]) for fold, rows in layer.trains.items()}
    erased = [_by_fold(place, erasers) for place in places]
    found.append((Run(ERASE, LEACE, task, layer.layer, UNIT), erased))
    found.append((Run(SWAP, WHOLE, task, layer.layer, UNIT), [place.others - place.states for place in places]))
    return found


def operations(task: Task) -> tuple[str, ...]:
    """Return the operations along a probe's subspace; a shift needs two classes, between which it goes."""
    return (SHIFT, REMOVE, SWAP) if task.kind == "binary" else (REMOVE, SWAP)


def principal(task: Task) -> str:
    """Return the operation by which directions are compared: it alone says whether a direction suffices."""
    return operations(task)[0] if task.kind == "binary" else SWAP


def tested(task: Task) -> tuple[str, ...]:
    """Return the operations that random directions are compared with: what suffices; of two classes, what is needed.

    Answers to positions and to several classes are sequences, which cost ten times as much as a verdict.
    """
    return (SHIFT, REMOVE) if task.kind == "binary" else (SWAP,)


def _kinds(layer: Layer, trained: Mapping[int, Training]) -> dict[str, dict[int, np.ndarray]]:
    """Return the bases of each fold by kind of direction: those of probes, and the plain difference of class means.

    A probe's difference of means is one of standardised states: as a direction it would be weighed by their variance.
    """
    kinds = {
        probe: layer.learnt.bases(layer.task.name, probe, layer.layer, layer.trains)
        for probe in layer.learnt.probes(layer.task.name, layer.layer)
        if probe != MEAN_DIFFERENCE
    }
    if layer.task.kind == "binary":
        kinds[MEAN_DIFFERENCE] = {fold: edits.subspace(one.gap[None]) for fold, one in trained.items()}
    return {kind: bases for kind, bases in kinds.items() if bases}


def _by_fold(place: Place, erasers: Mapping[int, Callable[[np.ndarray], np.ndarray]]) -> Float[np.ndarray, "row d"]:
    found = np.zeros_like(place.states)
    for fold in np.unique(place.folds):
        rows = place.folds == fold
        found[rows] = erasers[fold](place.states[rows])
    return found


def _edit(
    run: Run,
    place: Place,
    trained: Mapping[int, Training],
    bases: Mapping[int, np.ndarray],
    folds: Int[np.ndarray, " row"],
) -> Float[np.ndarray, "row d"]:
    """Return one run's edits of a place, whose rows have the basis of their fold; an empty basis changes nothing."""
    found = np.zeros_like(place.states)
    for own, fold in sorted(set(zip(place.folds.tolist(), folds.tolist(), strict=True))):
        rows, basis = (place.folds == own) & (folds == fold), bases[fold]
        if len(basis):
            one = Place(place.states[rows], place.others[rows], place.folds[rows], place.signs[rows])
            found[rows] = _moved(run.operation, one, trained[own], basis[None])[:, 0] * run.strength
    return found


def _moved(operation: str, place: Place, training: Training, basis: edits.Basis) -> Float[np.ndarray, "row edit d"]:
    if not basis.shape[1]:
        return np.zeros((len(place.states), len(basis), place.states.shape[1]))
    if operation == SHIFT:
        return edits.shift(place.signs, basis, np.full(len(place.signs), training.length))
    if operation == REMOVE:
        return -edits.component(place.states - training.mean, basis)
    return edits.component(place.others - place.states, basis)


class Controls:
    """Random runs of one layer: `of` gives the edits of one row, by operation in the order of `tested`.

    Each is as long, row by row, as the edit that it stands beside: a shift as any kind of direction's, a removal as
    that of the difference of class means, a swap as that in the task's own probe's subspace, whose rank it has too.
    """

    def __init__(self, layer: Layer, trained: Mapping[int, Training], n_controls: int, seed: int) -> None:
        self.layer, self.trained, self.n_controls = layer, trained, n_controls
        task = layer.task.name
        if layer.task.kind == "binary":
            self.own = {fold: edits.subspace(one.gap[None]) for fold, one in trained.items()}
        else:
            self.own = layer.learnt.bases(task, layer.learnt.own_probe[task], layer.layer, layer.trains)
        rank = max((len(basis) for basis in self.own.values()), default=0)
        name = f"{task}|{layer.layer}|controls".encode()
        # The same white numbers for every fold.
        self.bases = {
            fold: edits.drawn(n_controls, max(1, rank), one, np.random.default_rng([seed, crc32(name)]))
            for fold, one in trained.items()
        }

    def few(self, n_controls: int) -> Int[np.ndarray, " chosen"]:
        """Return the numbers of some controls, as many of either kind."""
        half = n_controls // 2
        return np.concatenate([np.arange(half), self.n_controls // 2 + np.arange(half)])

    def of(
        self, place: Place, row: int, chosen: Int[np.ndarray, " chosen"] | None = None
    ) -> Float[np.ndarray, "edit d"]:
        """Return the edits of one row of a place, those of each operation after the other's.

        Parameters
        ----------
        place : Place
        row : int
        chosen : np.ndarray, optional
            Only the controls of these numbers.
        """
        one = Place(*(getattr(place, name)[row : row + 1] for name in ("states", "others", "folds", "signs")))
        fold = int(one.folds[0])
        basis, found = self.bases[fold] if chosen is None else self.bases[fold][chosen], []
        for operation in tested(self.layer.task):
            own = _moved(operation, one, self.trained[fold], self.own[fold][None])[:, 0]
            moved = _moved(operation, one, self.trained[fold], basis)
            found.append(edits.as_long_as(moved, np.linalg.norm(own, axis=1))[0])
        return np.concatenate(found)


def is_tested(task: Task, operation: str, direction: str) -> bool:
    """Return whether random directions are as long, and of the same rank, as an operation along a kind of direction."""
    if operation == SHIFT:
        return True
    return direction == (MEAN_DIFFERENCE if operation == REMOVE else task.probe) and operation in tested(task)
