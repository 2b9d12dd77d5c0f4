"""Logistic probes of all training parts, labelings and penalties of a layer, fitted together.

In: one feature matrix; the problems, each a training part, a labeling and a C. Out: what scikit-learn's
`Pipeline(StandardScaler(), LogisticRegression(C))` finds on each training part, to the tolerance: decision values of
all rows, coefficients, iterations. Two ways lead there: conjugate gradients on the features (conjugate.py), and, where
there are more features than rows, first on the rows' own basis under one scaling for all, then corrected (wide.py).
Cost: docs/benchmarks.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
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
    """A layer's features, scaled once for all problems, on the device that solves them."""

    device: str
    design: Design
    short: wide.Short | None
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
    unit = features.std(axis=0, dtype=np.float64).astype(np.float32)
    unit[(unit == 0) | (np.ptp(features, axis=0) == 0)] = 1.0
    scaled = (features.astype(np.float32) - centre) / unit
    mean, deviation = _moments(scaled, rows)
    constant = deviation == 0
    deviation[constant] = 1.0
    inverse, shift = (1.0 / deviation).astype(np.float32), (mean / deviation).astype(np.float32)
    inverse[constant], shift[constant] = 0.0, 0.0
    placed, train, inverse, shift = (
        _placed(array, device) for array in (scaled, rows.astype(np.float32), inverse, shift)
    )
    design = Design(placed, train, inverse, shift, strength=inverse[:0, 0])
    if features.shape[1] > WIDE * features.shape[0]:
        design, short = wide.shorten(design)
    else:
        design, short = wide.narrow(design), None
    middle, width = centre.astype(np.float64)[:, None], unit.astype(np.float64)[:, None]
    return Scaled(device, design, short, middle + width * mean, width * deviation)


def _moments(
    scaled: Float[np.ndarray, "row d"], rows: Bool[np.ndarray, "row part"]
) -> tuple[Float[np.ndarray, "d part"], Float[np.ndarray, "d part"]]:
    """Return mean and deviation of each part; a deviation of 0 where all its values are equal."""
    weights = rows / rows.sum(axis=0)
    mean, variance = np.empty((2, scaled.shape[1], rows.shape[1]))
    for first in range(0, scaled.shape[1], 512):
        block = scaled[:, first : first + 512].astype(np.float64)
        level, squares = block.T @ weights, (block**2).T @ weights
        spread = squares - level**2
        # A row outside the part that is far from all others: the difference has lost its digits.
        doubtful = spread <= 1e-6 * squares
        for part in np.flatnonzero(doubtful.any(axis=0)):
            values = block[rows[:, part]][:, doubtful[:, part]]
            spread[doubtful[:, part], part] = values.var(axis=0) * (np.ptp(values, axis=0) > 0)
        mean[first : first + 512], variance[first : first + 512] = level, spread
    return mean, np.sqrt(variance)


def _placed(array: np.ndarray, device: str) -> Any:
    if device == "cpu":
        return array
    import torch

    return torch.as_tensor(array, device="cpu" if device == "torch" else device)


def fit(
    scaled: Scaled,
    labels: Int[np.ndarray, "row labeling"],
    problems: Sequence[tuple[int, int, float]],
    n_classes: int,
    tolerance: float = TOLERANCE,
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
    """
    design, device = scaled.design, scaled.device
    targets = _placed(labels.astype(np.int64), device)
    width = max(1, COLUMNS // (1 if n_classes == 2 else n_classes))
    found = []
    for first in range(0, len(problems), width):
        part, labeling, strength = (np.array(column) for column in zip(*problems[first : first + width], strict=True))
        asked = Problems(*(_placed(column, device) for column in (part, labeling, strength.astype(np.float32))))
        short = scaled.short if n_classes == 2 else None
        start = wide.approach(design, short, asked, targets, tolerance) if short else None
        solution = conjugate.solve(design, asked, targets, n_classes, tolerance, start)
        values = np.moveaxis(host(solution.values), 0, 2)
        if n_classes > 2:
            _lower_absent(values, host(design.rows)[:, part], labels[:, labeling])
        # Preconditioning leaves rounding, 1e-9, where a feature is constant: another part's rows may be far off there.
        coefficients = solution.coefficients * (design.inverse_scale[:, asked.part] != 0)
        arrays = (values, np.moveaxis(host(coefficients), 0, 2), host(solution.intercepts)[:, 0].T)
        found.append((*arrays, solution.n_iterations, solution.converged))
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
