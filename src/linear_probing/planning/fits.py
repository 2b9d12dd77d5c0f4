"""Seconds and bytes of a job of probes, from what it fits: runs, folds, penalties, rows, width and classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from linear_probing.planning.rates import Rates
from linear_probing.probing.code_length import SHARES
from linear_probing.probing.permutations import MANY
from linear_probing.probing.runs import TYPES
from linear_probing.settings import ProbeSpec, Study, Task
from linear_probing.solving.logistic import CELLS

HIDDEN, EPOCHS, BATCH = (64,), 20, 400
"""Of the built-in perceptron, where the configuration names no others; a test compares them."""
HEADER = 110
"""Bytes of a file's header for each array."""
FIT_ROW = 64
"""Bytes of a row of fits.csv."""


@dataclass(frozen=True)
class Fitted:
    """What one task of a job fits to each layer.

    Parameters
    ----------
    study : Study
    task : Task
    n, d : int
        Targets and features.
    n_classes : int
        0 for a position.
    n_parts : int
        Parts over which permutations are scored, all targets among them.
    full : bool
        False for later twins, which repeat the task's own probe alone.
    twin : bool
        Whether the model's weights are random.
    n_tested : int, optional
        Targets of the data set's own test part, if it has one: one fold is scored then, nothing is drawn, and splits
        share their training parts.
    has_dev : bool
        Whether its penalties are chosen on a part of its own, or by folds of the training part.
    """

    study: Study
    task: Task
    n: int
    d: int
    n_classes: int
    n_parts: int
    full: bool
    twin: bool
    n_tested: int | None = None
    has_dev: bool = True

    @property
    def own(self) -> bool:
        """Whether the data set comes with a test part of its own."""
        return self.n_tested is not None

    @property
    def n_scored(self) -> int:
        """Targets that have scores."""
        return self.n if self.n_tested is None else self.n_tested

    @property
    def n_folds(self) -> int:
        """Folds that are scored."""
        return 1 if self.own else self.study.n_folds

    @property
    def n_labelings(self) -> int:
        """Labelings that are fitted where splits share their training part: the task and its control task."""
        return 1 + (TYPES in self.task.splits)

    @property
    def least(self) -> int:
        """The smaller of rows and features: solvers work in that many dimensions."""
        return min(self.n, self.d)

    @property
    def n_outputs(self) -> int:
        """Columns of scores."""
        return 3 if self.task.kind == "position" else 1 if self.task.kind == "binary" else self.n_classes

    @property
    def n_own(self) -> int:
        """Runs under the stored splits that other probes have too: by group, by type, and the control task."""
        return 1 + 2 * (TYPES in self.task.splits)

    @property
    def n_runs(self) -> int:
        """Runs of the task's own probe: its splits, the control task, and the drawn splits."""
        study = self.study
        drawn = study.n_seeds - 1 + 1 + len(study.learning) if self.full and not self.own else 0
        return len(self.task.splits) + (TYPES in self.task.splits) + drawn

    @property
    def penalties(self) -> Sequence[float]:
        """What the task's own probe chooses among."""
        return self.study.penalties["logistic" if self.task.probe == "logistic" else "ridge"]

    @property
    def n_pairs(self) -> int:
        """Training parts of the inner folds: without two of the folds."""
        if self.own:
            return 1 if self.has_dev else self.study.n_folds
        return self.study.n_folds * (self.study.n_folds - 1) // 2

    @property
    def others(self) -> list[ProbeSpec]:
        """The probes beside the task's own; of the built-in ones a position has the perceptron alone."""
        numbers = self.task.kind == "position"
        return [s for s in self.study.probes if self.full and not (numbers and s.name in ("mean_difference", "lda"))]


def layer_seconds(one: Fitted, rates: Rates) -> float:
    """Return the seconds of one task at one layer, on the reference machine."""
    total = _own(one, rates) + sum(_other(one, spec, rates) for spec in one.others)
    if one.full and one.study.n_permutations:
        total += _permutations(one, rates)
    if one.full and one.study.code_length and one.task.probe == "logistic":
        total += _logistic(one, len(SHARES) * len(one.penalties), rates)
    return total


def _own(one: Fitted, rates: Rates) -> float:
    if one.task.probe == "logistic":
        # The probe of all targets is one more, which an own training part has fitted already.
        n_runs, of_all = (one.n_labelings, 0) if one.own else (one.n_runs, 1)
        return _logistic(one, n_runs * (one.n_pairs * len(one.penalties) + one.n_folds) + of_all, rates)
    return one.n_runs * _ridge(one, rates)


def _ridge(one: Fitted, rates: Rates) -> float:
    """Return the seconds of a ridge probe under one run: all folds, inner folds and penalties."""
    n_factors = (one.n_pairs + one.n_folds) * len(one.study.penalties["ridge"])
    found = rates.gram * one.n * one.d * one.least
    found += n_factors * one.least**2 * (rates.factor * one.least + rates.solve)
    found *= 0.5 if one.d > one.n else 1.0
    return found + rates.ridge + rates.ridge_column * one.n * one.d * one.n_outputs


def _logistic(one: Fitted, n_problems: int, rates: Rates) -> float:
    n_columns = n_problems * one.n_outputs * one.n * (one.least + rates.overhead)
    a_layer = rates.sweep + rates.decomposition * one.n * one.d * one.least
    return a_layer + n_columns * (rates.fit + rates.step * steps(one, rates))


def steps(one: Fitted, rates: Rates) -> float:
    """Return how many steps a logistic probe takes: more with more rows to a feature, fewer of random weights."""
    binary = one.task.kind == "binary"
    share = one.n / one.least
    found = rates.steps + (rates.steps_per_row if binary else rates.steps_per_class_row) * share
    if not binary and one.n * one.n_classes >= CELLS:
        found = rates.steps_alone
    return found * (rates.steps_of_twin if one.twin else 1.0)


def _permutations(one: Fitted, rates: Rates) -> float:
    n_penalties = len(one.study.penalties["ridge"]) if one.n_classes <= MANY else 1
    columns = (one.n_pairs + one.n_folds) * n_penalties * one.least**2 * one.n_outputs
    # Each row is of one class, so that sums over classes cost no more than one column.
    rows = one.n * one.least * (3 if one.task.kind == "position" else 1)
    each = rates.permutation + rates.permuted * (columns + rows)
    return _ridge(one, rates) + one.study.n_permutations * each


def _other(one: Fitted, spec: ProbeSpec, rates: Rates) -> float:
    """Return the seconds of another probe; a class of one's own is taken for a perceptron."""
    n_train = one.n - one.n_scored / one.n_folds
    n_fits, of_all = (one.n_labelings, 0) if one.own else (one.n_own * one.n_folds, 1)
    if spec.name == "mean_difference":
        return (n_fits + of_all) * (rates.difference + rates.difference_row * n_train * one.d)
    if spec.name == "lda":
        a_fit = rates.discriminant + rates.discriminant_row * n_train * one.d
        return (n_fits + of_all) * (a_fit + rates.discriminant_gram * n_train * one.d * one.least)
    given: dict[str, Any] = {} if spec.path else dict(spec.parameters)
    sizes = [one.d, *given.get("hidden_layer_sizes", HIDDEN), one.n_outputs]
    n_weights = sum(a * b for a, b in pairwise(sizes))
    n_epochs, batch = given.get("n_epochs", EPOCHS), given.get("batch_size", BATCH)
    n_batches = -(-n_train // min(batch, n_train))
    return float(n_fits * n_epochs * (rates.epoch * n_train * n_weights + rates.batch * n_batches))


def text_seconds(one: Fitted, rates: Rates) -> float:
    """Return the seconds of the baselines of a task: of the text, and of each column that it names."""
    n_fits = one.n_pairs * len(one.penalties) + one.n_folds
    slow = 2.0 if one.task.kind == "multiclass" and one.task.probe == "logistic" else 1.0
    a_fit = rates.text_fit + rates.text_row * one.n * slow * (1 + one.n_classes / 20)
    n_splits = 1 if one.own else len(one.task.splits)
    return n_splits * n_fits * (a_fit + rates.column_fit * len(one.task.baselines))


def probe_bytes(one: Fitted, n_layers: int) -> int:
    """Return the bytes that one task of a job leaves: scores, permuted scores, directions, fits."""
    scores = one.n_runs + one.n_own * len(one.others)
    found = scores * (4 * one.n_scored * one.n_outputs + HEADER + FIT_ROW * one.n_folds)
    # Two principal components of each target, for looking at.
    found += 8 * one.n * (one.task.kind == "binary")
    if not one.full:
        return n_layers * found
    linear = 1 + sum(spec.name in ("mean_difference", "lda") for spec in one.others)
    a_direction = 4 * (one.d * (2 + one.n_outputs) + one.n_outputs) + 5 * HEADER
    found += linear * (one.n_folds + 1) * a_direction
    found += one.n_parts * (8 * (one.study.n_permutations + 1) + HEADER) * bool(one.study.n_permutations)
    return n_layers * found
