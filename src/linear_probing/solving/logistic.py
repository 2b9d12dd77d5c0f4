"""Logistic probes of all training parts, labelings and penalties of a layer, fitted together.

In: one feature matrix; the problems, each a training part, a labeling and a C. Out: what scikit-learn's
`Pipeline(StandardScaler(), LogisticRegression(C))` finds on each training part, to the tolerance: decision values of
all rows, coefficients, iterations. Two ways lead there: conjugate gradients on the features (conjugate.py), and, where
there are more features than rows, first on the rows' own basis under one scaling for all, then corrected (wide.py).
Cost: docs/benchmarks.md.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import logsumexp, softmax

from linear_probing.solving import conjugate, wide
from linear_probing.solving.conjugate import Design, Problems, host

TOLERANCE = 1e-4
"""scikit-learn's default; for fits that are only compared with each other."""
TIGHT = 3e-6
"""For fits whose scores and directions are kept: 1e-5 leaves, at C = 100, a cosine of .998 with the exact direction."""
WIDE = 1.5
"""More features a row than this go by the rows' basis."""
SMALLEST = float(np.finfo(np.float32).eps)
"""Below it a probability counts as this: single precision does not tell 1 from what is nearer to it."""
COLUMNS = 400
"""Problems times outputs that are solved at once, which bounds memory; more are no faster."""
CELLS = 2**22
"""Rows times problems times outputs that are solved at once: another bound of memory. A dozen arrays have this size."""
LARGE = 2**25
"""Numbers in a feature matrix from which on rows that train nowhere are left out of all steps."""
WIDTH = 512
"""Features whose moments are taken at once, in float64; fewer where there are more rows than `CELLS` allows."""


Problem = tuple[int, int, float]
"""Training part, labeling and C, as in scikit-learn: the greater, the weaker the penalty."""


Known = tuple[Problem, Float[np.ndarray, "d output"], Float[np.ndarray, " output"]]
"""A problem with its coefficients and intercepts."""


@dataclass(frozen=True)
class Fits:
    """Fitted probes, in the order of the problems.

    Parameters
    ----------
    values : np.ndarray
        Shape (n_rows, n_problems, n_outputs), float32: log odds of two classes, logits of more, of every row.
    coefficients, intercepts : np.ndarray
        Shapes (d, n_problems, n_outputs) and (n_problems, n_outputs), on features less `mean` over `scale`.
    mean, scale : np.ndarray
        Shape (d, n_parts), float64: of the training parts.
    n_iterations, converged : np.ndarray
        Shape (n_problems,).
    """

    values: Float[np.ndarray, "row problem output"]
    coefficients: Float[np.ndarray, "d problem output"]
    intercepts: Float[np.ndarray, "problem output"]
    mean: Float[np.ndarray, "d part"]
    scale: Float[np.ndarray, "d part"]
    n_iterations: Int[np.ndarray, " problem"]
    converged: Bool[np.ndarray, " problem"]


@dataclass(frozen=True)
class Scaled:
    """A layer's features, scaled once for all problems, on the device that solves them.

    Parameters
    ----------
    device : str
    design : Design
        Of the rows that train somewhere, if the matrix is large.
    short : wide.Short, optional
        Where features outnumber rows.
    train : np.ndarray
        Shape (n_rows,): which rows these are; all of a small matrix.
    others : array
        Shape (n_others, d): the other rows, scaled as the design's.
    mean, scale : np.ndarray
        Of each training part.
    """

    device: str
    design: Design
    short: wide.Short | None
    train: Bool[np.ndarray, " row"]
    others: conjugate.Array
    mean: Float[np.ndarray, "d part"]
    scale: Float[np.ndarray, "d part"]


def scale_parts(
    features: Float[np.ndarray, "row d"], rows: Bool[np.ndarray, "row part"], device: str = "cpu"
) -> Scaled:
    """Return features scaled over all rows, with the mean and deviation of every training part.

    A feature that is constant in a training part keeps its scale, as StandardScaler leaves it: its coefficient is zero.

    Parameters
    ----------
    features : np.ndarray
        Finite.
    rows : np.ndarray
        Whether a row belongs to a part; no part is empty.
    device : str
        'cpu' for numpy, 'torch' for torch on the CPU, else a device of torch, as 'cuda'.
    """
    # Rounded as the features are stored, so that mean and scale say what was taken off and divided by.
    centre = features.mean(axis=0, dtype=np.float64).astype(np.float32)
    unit = np.concatenate([block.std(axis=0, dtype=np.float64) for block in _blocks(features)]).astype(np.float32)
    unit[(unit == 0) | (np.ptp(features, axis=0) == 0)] = 1.0
    scaled = features.astype(np.float32, copy=False) - centre
    scaled /= unit
    mean, deviation = _moments(scaled, rows)
    constant = deviation == 0
    deviation[constant] = 1.0
    inverse, shift = (1.0 / deviation).astype(np.float32), (mean / deviation).astype(np.float32)
    inverse[constant], shift[constant] = 0.0, 0.0
    # Rows that train nowhere, as those of a data set's own test part, are scored when all is solved.
    train = np.logical_or.reduce(rows, axis=1) if features.size > LARGE else np.ones(len(rows), dtype=bool)
    others = scaled[~train]
    if len(others):
        scaled, rows = scaled[train], rows[train]
    placed, weights, inverse, shift = (
        _placed(array, device) for array in (scaled, rows.astype(np.float32), inverse, shift)
    )
    design = Design(placed, weights, inverse, shift, strength=inverse[:0, 0])
    if features.shape[1] > WIDE * features.shape[0]:
        design, short = wide.shorten(design)
    else:
        design, short = wide.narrow(design), None
    middle, width = centre.astype(np.float64)[:, None], unit.astype(np.float64)[:, None]
    return Scaled(device, design, short, train, _placed(others, device), middle + width * mean, width * deviation)


def _blocks(features: Float[np.ndarray, "row d"]) -> Iterator[Float[np.ndarray, "row few"]]:
    """Yield the features a few columns at a time, of which copies in float64 are small."""
    width = max(16, min(WIDTH, CELLS // len(features)))
    return (features[:, first : first + width] for first in range(0, features.shape[1], width))


def _moments(
    scaled: Float[np.ndarray, "row d"], rows: Bool[np.ndarray, "row part"]
) -> tuple[Float[np.ndarray, "d part"], Float[np.ndarray, "d part"]]:
    """Return mean and deviation of each part; a deviation of 0 where all its values are equal."""
    weights = rows / rows.sum(axis=0)
    means, variances = [], []
    for columns in _blocks(scaled):
        block = columns.astype(np.float64)
        level, squares = block.T @ weights, (block**2).T @ weights
        spread = squares - level**2
        # A row outside the part that is far from all others: the difference has lost its digits.
        doubtful = spread <= 1e-6 * squares
        for part in np.flatnonzero(doubtful.any(axis=0)):
            values = block[rows[:, part]][:, doubtful[:, part]]
            spread[doubtful[:, part], part] = values.var(axis=0) * (np.ptp(values, axis=0) > 0)
        means.append(level)
        variances.append(spread)
    return np.concatenate(means), np.sqrt(np.concatenate(variances))


def _placed(array: np.ndarray, device: str) -> Any:
    if device == "cpu":
        return array
    import torch

    return torch.as_tensor(array, device="cpu" if device == "torch" else device)


def fit(
    scaled: Scaled,
    labels: Int[np.ndarray, "row labeling"],
    problems: Sequence[Problem],
    n_classes: int,
    tolerance: float = TOLERANCE,
    near: tuple[Sequence[Problem], Fits] | None = None,
) -> Fits:
    """Fit logistic probes with an L2 penalty and a free intercept.

    Parameters
    ----------
    scaled : Scaled
        Of `scale_parts`.
    labels : np.ndarray
        Class indices, 0 to n_classes - 1; at least two in every training part. Of several, one that a training part
        lacks gets a logit by which its probability is `SMALLEST`: its intercept has no finite solution.
    problems : sequence of (part, labeling, C)
        Columns of `rows` and `labels`, and scikit-learn's C: the greater, the weaker the penalty.
    n_classes : int
        At least 2.
    tolerance : float
        Greatest entry of the gradient of the mean log loss at the end.
    near : (sequence of problems, Fits), optional
        What was found of others. A problem so large that it is solved alone begins at what is known of the nearest
        penalty of its labeling; small ones, which are solved together, begin at zero.
    """
    design, device, n_outputs = scaled.design, scaled.device, 1 if n_classes == 2 else n_classes
    targets = _placed(labels[scaled.train].astype(np.int64), device)
    width = max(1, min(COLUMNS // n_outputs, CELLS // (len(targets) * n_outputs)))
    found: list[tuple[np.ndarray, ...]] = []
    known: list[Known] = []
    if near is not None:
        known += zip(near[0], np.moveaxis(near[1].coefficients, 1, 0), near[1].intercepts, strict=True)
    for first in range(0, len(problems), width):
        part, labeling, strength = (np.array(column) for column in zip(*problems[first : first + width], strict=True))
        asked = Problems(*(_placed(column, device) for column in (part, labeling, strength.astype(np.float32))))
        short = scaled.short if n_classes == 2 else None
        start = wide.approach(design, short, asked, targets, tolerance) if short else None
        if width == 1 and n_classes > 2:
            start = _start(problems[first], known, device)
        solution = conjugate.solve(design, asked, targets, n_classes, tolerance, start)
        values = _values(scaled, asked, solution)
        if n_classes > 2:
            _lower_absent(values, host(design.rows)[:, part], labels[scaled.train][:, labeling])
        # Preconditioning leaves rounding, 1e-9, where a feature is constant: another part's rows may be far off there.
        coefficients = solution.coefficients * (design.inverse_scale[:, asked.part] != 0)
        arrays = (values, np.moveaxis(host(coefficients), 0, 2), host(solution.intercepts)[:, 0].T)
        found.append((*arrays, solution.n_iterations, solution.converged))
        if width == 1:
            known.append((problems[first], arrays[1][:, 0], arrays[2][0]))
    values, coefficients, intercepts, n_iterations, converged = zip(*found, strict=True)
    return Fits(
        np.concatenate(values, axis=1),
        np.concatenate(coefficients, axis=1),
        np.concatenate(intercepts),
        scaled.mean,
        scaled.scale,
        np.concatenate(n_iterations),
        np.concatenate(converged),
    )


def _start(problem: Problem, known: Sequence[Known], device: str) -> conjugate.Solution | None:
    """Return what is known of the nearest penalty of a problem's labeling, the last of equals."""
    _, labeling, strength = problem
    same = [one for one in known if one[0][1] == labeling]
    if not same:
        return None
    _, coefficients, intercepts = min(reversed(same), key=lambda one: abs(np.log(one[0][2] / strength)))
    w, b = (_placed(np.array(array.T[..., None]), device) for array in (coefficients, intercepts[None]))
    return conjugate.Solution(None, w, b, np.zeros(1, dtype=int), np.zeros(1, dtype=bool))


def _values(scaled: Scaled, asked: Problems, solution: conjugate.Solution) -> Float[np.ndarray, "row problem output"]:
    """Return the values of all rows, of those too that train nowhere."""
    of_training = np.moveaxis(host(solution.values), 0, 2)
    if scaled.train.all():
        return of_training
    values = np.empty((len(scaled.train), *of_training.shape[1:]), dtype=of_training.dtype)
    values[scaled.train] = of_training
    of_others = conjugate.values_of(replace(scaled.design, features=scaled.others), asked, solution)
    values[~scaled.train] = np.moveaxis(host(of_others), 0, 2)
    return values


def _lower_absent(
    values: Float[np.ndarray, "row problem class"],
    rows: Float[np.ndarray, "row problem"],
    labels: Int[np.ndarray, "row problem"],
) -> None:
    for known in range(values.shape[2]):
        absent = np.flatnonzero(((labels == known) * rows).sum(axis=0) == 0)
        for problem in absent:
            others = np.setdiff1d(np.arange(values.shape[2]), known)
            values[:, problem, known] = logsumexp(values[:, problem][:, others], axis=1) + np.log(SMALLEST)


def probabilities(values: Float[np.ndarray, "row problem output"]) -> Float[np.ndarray, "row problem class"]:
    """Return what log odds (one output) or logits say of each class.

    Examples
    --------
    >>> probabilities(np.zeros((1, 1, 1))).tolist()
    [[[0.5, 0.5]]]
    """
    values = values.astype(np.float64)
    if values.shape[2] == 1:
        values = np.concatenate([np.zeros_like(values), values], axis=2)
    return softmax(values, axis=2)
