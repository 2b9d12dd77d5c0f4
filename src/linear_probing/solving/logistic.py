"""Logistic probes of all training parts, labelings and penalties of a layer, fitted together.

In: one feature matrix; the problems, each a training part, a labeling and a C. Out: what scikit-learn's
`Pipeline(StandardScaler(), LogisticRegression(C))` finds on each training part, to the tolerance: decision values of
all rows, coefficients, iterations. Two ways lead there: Newton's method on the features (newton.py), and, where there
are more features than rows, first on the rows' own basis under one scaling for all, then corrected (wide.py).
Cost: docs/benchmarks.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import softmax

from linear_probing.solving import newton, wide
from linear_probing.solving.newton import Design, Problems

TOLERANCE = 1e-4
"""scikit-learn's default; for fits that are only compared with each other."""
TIGHT = 3e-6
"""For fits whose scores and directions are kept: 1e-5 leaves, at C = 100, a cosine of .998 with the exact direction."""
WIDE = 1.5
"""More features a row than this go by the rows' basis."""
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
    n_train = rows.sum(axis=0)
    weights = (rows / n_train).astype(np.float32)
    centre = features.mean(axis=0, dtype=np.float64)
    spread = features.std(axis=0, dtype=np.float64)
    spread[spread <= 1e-7 * np.abs(centre)] = 0.0
    unit = np.where(spread > 0, spread, 1.0)
    scaled = features.astype(np.float32)
    scaled -= centre.astype(np.float32)
    scaled /= unit.astype(np.float32)
    scaled[:, spread == 0] = 0.0
    mean = np.empty((features.shape[1], rows.shape[1]))
    deviation = np.empty_like(mean)
    for first in range(0, features.shape[1], 512):
        # Float64 products of a few columns at a time: a mean of squares less a squared mean loses half the digits.
        block = scaled[:, first : first + 512].astype(np.float64)
        mean[first : first + 512] = block.T @ weights
        square = (block**2).T @ weights - mean[first : first + 512] ** 2
        deviation[first : first + 512] = np.sqrt(np.maximum(square, 0.0))
    constant = deviation <= 1e-5 * np.maximum(np.abs(mean), 1.0) * (deviation < 1e-5)
    deviation[constant] = 1.0
    inverse, shift = (1.0 / deviation).astype(np.float32), (mean / deviation).astype(np.float32)
    inverse[constant] = 0.0
    shift[constant] = 0.0
    placed, train, inverse, shift = (
        _placed(array, device) for array in (scaled, rows.astype(np.float32), inverse, shift)
    )
    if features.shape[1] > WIDE * features.shape[0]:
        design, short = wide.shorten(Design(placed, train, inverse, shift, strength=inverse[:0, 0]))
    else:
        design, short = Design(placed, train, inverse, shift, *newton.eigenvectors(placed)), None
    return Scaled(device, design, short, centre[:, None] + unit[:, None] * mean, unit[:, None] * deviation)


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
        Class indices, 0 to n_classes - 1. A class that a training part lacks gets the logits that the penalty leaves.
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
        part, labeling, strength = zip(*problems[first : first + width], strict=True)
        asked = Problems(
            _placed(np.array(part), device),
            _placed(np.array(labeling), device),
            _placed(np.array(strength, dtype=np.float32), device),
        )
        short = scaled.short if n_classes == 2 else None
        start = wide.approach(design, short, asked, targets, tolerance) if short else None
        solution = newton.solve(design, asked, targets, n_classes, tolerance, start)
        values = newton.decision(design, solution, asked.part)
        # Preconditioning leaves rounding, 1e-9, where a feature is constant: another part's rows may be far off there.
        coefficients = solution.coefficients * (design.inverse_scale[:, asked.part] != 0)[:, :, None]
        found.append(
            (
                *(_back(a) for a in (values, coefficients, solution.intercepts)),
                solution.n_iterations,
                solution.converged,
            )
        )
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


def _back(array: Any) -> np.ndarray:
    return np.asarray(array.cpu() if hasattr(array, "cpu") else array)


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
