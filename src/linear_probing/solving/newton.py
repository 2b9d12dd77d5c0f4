"""Newton's method for many penalised logistic problems on one feature matrix: every step is a product of matrices.

The problems differ in training part, labels and penalty, and so does the scaling, which is that of the training part: a
diagonal change of variables per problem, applied around products with the one matrix that all share. Newton's equations
are solved by conjugate gradients, whose preconditioner takes the Hessian's weights for equal: then all Hessians share
the eigenvectors of the features' Gram matrix. Nothing is approximated but the number of iterations.

Works on numpy arrays, and on torch tensors of any device, through the array API; float32 storage. Sums that standard
deviations come from are float64. Cost: about ten to forty products of the features, forth and back, a problem.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg
from sklearn.externals.array_api_compat import array_namespace

MAX_ITERATIONS = 60
MAX_STEPS = 60
FORCING = 0.3
"""Newton's equations are solved to this share of their residual; exact solutions of early ones would be wasted."""
BASIS = 320
"""Eigenvectors in the preconditioner, at most."""

Array = Any
"""A numpy array or a torch tensor."""


@dataclass(frozen=True)
class Design:
    """Features scaled over all rows, and what takes them to the scale of each training part.

    Parameters
    ----------
    features : array
        Shape (n_rows, d), float32: of mean 0 and deviation 1 over all rows.
    rows : array
        Shape (n_rows, n_parts), float32: 1 where a row trains.
    inverse_scale, shift : array
        Shape (d, n_parts): standardised features of a part are `features * inverse_scale - shift`.
    strength : array
        Shape (k,): eigenvalues of `features.T @ features`, the greatest ones; for the preconditioner alone.
    basis : array, optional
        Shape (d, k): their orthonormal eigenvectors; None where these are the features' own axes.
    """

    features: Array
    rows: Array
    inverse_scale: Array
    shift: Array
    strength: Array
    basis: Array | None = None


def eigenvectors(features: Array) -> tuple[Array, Array]:
    """Return the greatest eigenvalues of features.T @ features and their eigenvectors (d, k)."""
    xp = array_namespace(features)
    values, vectors = decompose(features.T @ features)
    return xp.clip(values[-BASIS:], 0.0, None), vectors[:, -BASIS:]


def decompose(gram: Array) -> tuple[Array, Array]:
    """Return all eigenvalues, ascending, and eigenvectors of a symmetric matrix, which is overwritten."""
    if isinstance(gram, np.ndarray):
        # numpy's own call of the same routine takes twice as long.
        return linalg.eigh(gram, driver="evd", overwrite_a=True, check_finite=False)
    return array_namespace(gram).linalg.eigh(gram)


@dataclass(frozen=True)
class Problems:
    """Which problems to solve: for each its training part, the index of its labeling, and C as in scikit-learn."""

    part: Array
    labeling: Array
    strength: Array


@dataclass(frozen=True)
class Solution:
    """Coefficients (d, n_problems, n_outputs) on the part's standardised features, intercepts, how each fit ended."""

    coefficients: Array
    intercepts: Array
    n_iterations: np.ndarray
    converged: np.ndarray


def decision(design: Design, solution: Solution, part: Array) -> Array:
    """Return decision values of all rows, shape (n_rows, n_problems, n_outputs)."""
    inverse, shift = design.inverse_scale[:, part][:, :, None], design.shift[:, part][:, :, None]
    scaled = solution.coefficients * inverse
    offset = solution.intercepts - (solution.coefficients * shift).sum(0)
    d, n_problems, n_outputs = scaled.shape
    return (design.features @ scaled.reshape(d, -1)).reshape(-1, n_problems, n_outputs) + offset


class _Batch:
    """The problems that are not solved yet, as columns; `keep` drops those that are."""

    def __init__(self, design: Design, problems: Problems, labels: Array, n_classes: int) -> None:
        self.xp = array_namespace(design.features)
        self.features, self.basis, self.eigenvalues = design.features, design.basis, design.strength
        self.n_outputs = 1 if n_classes == 2 else n_classes
        self.inverse = design.inverse_scale[:, problems.part][:, :, None]
        self.shift = design.shift[:, problems.part][:, :, None]
        self.rows = design.rows[:, problems.part][:, :, None]
        self.n_train = self.rows.sum(0)[:, 0]
        self.C = problems.strength
        chosen = labels[:, problems.labeling]
        if n_classes == 2:
            self.wanted = self.xp.astype(chosen, self.features.dtype)[:, :, None]
        else:
            classes = (
                self.xp.arange(n_classes, device=chosen.device) if hasattr(chosen, "is_cuda") else np.arange(n_classes)
            )
            self.wanted = self.xp.astype(chosen[:, :, None] == classes, self.features.dtype)

    def keep(self, kept: Array) -> None:
        for name in ("inverse", "shift", "rows", "wanted"):
            setattr(self, name, getattr(self, name)[:, kept])
        self.n_train, self.C = self.n_train[kept], self.C[kept]

    def product(self, left: Array, right: Array) -> Array:
        """Return left @ right for `right` of shape (m, n_problems, n_outputs)."""
        return (left @ right.reshape(right.shape[0], -1)).reshape(left.shape[0], *right.shape[1:])

    def forth(self, coefficients: Array, intercepts: Array, columns: Any) -> Array:
        inverse, shift = self.inverse[:, columns], self.shift[:, columns]
        return self.product(self.features, inverse * coefficients) + (intercepts - (shift * coefficients).sum(0))

    def back(self, residuals: Array, columns: Any) -> tuple[Array, Array]:
        total = residuals.sum(0)
        inverse, shift = self.inverse[:, columns], self.shift[:, columns]
        return inverse * self.product(self.features.T, residuals) - shift * total, total

    def loss(self, values: Array, squares: Array) -> Array:
        """Return the penalised negative log likelihood, shape (n_problems,), in nats."""
        xp = self.xp
        if self.n_outputs == 1:
            fit = xp.logaddexp(xp.zeros_like(values), values) - self.wanted * values
        else:
            greatest = xp.max(values, axis=2, keepdims=True)
            total = xp.log(xp.exp(values - greatest).sum(2)) + greatest[:, :, 0]
            fit = (total - (self.wanted * values).sum(2))[:, :, None]
        return (fit * self.rows).sum(0).sum(1) + squares / (2.0 * self.C)

    def probabilities(self, values: Array) -> Array:
        xp = self.xp
        if self.n_outputs == 1:
            return 1.0 / (1.0 + xp.exp(-xp.clip(values, -80.0, 80.0)))
        powers = xp.exp(values - xp.max(values, axis=2, keepdims=True))
        return powers / powers.sum(2)[:, :, None]

    def curve(self, probabilities: Array, values: Array, columns: Any) -> Array:
        """Return the likelihood's second derivative along `values`, at `probabilities`."""
        rows = self.rows[:, columns]
        if self.n_outputs == 1:
            return probabilities * (1.0 - probabilities) * rows * values
        return probabilities * (values - (probabilities * values).sum(2)[:, :, None]) * rows


def _equations(batch: _Batch, probabilities: Array, gradient: Array, slope: Array, forcing: float) -> tuple[Array, ...]:
    """Solve Newton's equations by preconditioned conjugate gradients: the step, and what it adds to the values."""
    xp, strength = batch.xp, batch.C[:, None]
    weights = probabilities * (1.0 - probabilities) * batch.rows
    total = weights.sum(0) + 1e-12
    mean = total / batch.features.shape[0]
    damped = 1.0 / (batch.eigenvalues[:, None, None] * mean + 1.0 / strength) - strength

    def precondition(residual: Array, free: Array, columns: Any) -> tuple[Array, Array]:
        if batch.basis is None:
            return (damped[:, columns] + strength[columns]) * residual, free / total[columns]
        shared = damped[:, columns] * batch.product(batch.basis.T, residual)
        return strength[columns] * residual + batch.product(batch.basis, shared), free / total[columns]

    everything = slice(None)
    residual, free = -gradient, -slope
    ahead, ahead_free = precondition(residual, free, everything)
    way, way_free = ahead, ahead_free
    step, step_free = xp.zeros_like(gradient), xp.zeros_like(slope)
    moved = xp.zeros_like(probabilities)
    size = (residual * ahead).sum(0).sum(1) + (free * ahead_free).sum(1)
    enough = size * forcing**2
    for _ in range(MAX_STEPS):
        columns = xp.nonzero(size > enough)[0]
        if not len(columns):
            break
        along, along_free = way[:, columns], way_free[columns]
        values = batch.forth(along, along_free, columns)
        curved, curved_free = batch.back(batch.curve(probabilities[:, columns], values, columns), columns)
        curved = curved + along / strength[columns]
        height = (along * curved).sum(0).sum(1) + (along_free * curved_free).sum(1)
        length = (size[columns] / xp.clip(height, 1e-30, None))[:, None]
        step[:, columns] += length * along
        step_free[columns] += length * along_free
        moved[:, columns] += length * values
        residual[:, columns] -= length * curved
        free[columns] -= length * curved_free
        ahead, ahead_free = precondition(residual[:, columns], free[columns], columns)
        new = (residual[:, columns] * ahead).sum(0).sum(1) + (free[columns] * ahead_free).sum(1)
        ratio = (new / xp.clip(size[columns], 1e-30, None))[:, None]
        way[:, columns] = ahead + ratio * along
        way_free[columns] = ahead_free + ratio * along_free
        size[columns] = new
    return step, step_free, moved


def solve(
    design: Design, problems: Problems, labels: Array, n_classes: int, tolerance: float, start: Solution | None = None
) -> Solution:
    """Minimise the summed log loss plus |w|^2 / (2 C) of every problem, intercepts free, as scikit-learn states it.

    Parameters
    ----------
    design : Design
    problems : Problems
    labels : array
        Shape (n_rows, n_labelings): class indices.
    n_classes : int
        Two have one output (log odds), more have one each (logits).
    tolerance : float
        A problem is solved where no entry of its gradient, on standardised features and a row, is above this: the
        criterion of scikit-learn's solvers.
    start : Solution, optional
        Where to begin; zero by default. Its iterations count.

    Returns
    -------
    Solution
    """
    batch = _Batch(design, problems, labels, n_classes)
    xp, n_problems = batch.xp, len(problems.part)
    if start is None:
        w = xp.zeros_like(batch.inverse) + xp.zeros_like(batch.wanted[:1])
        b = xp.zeros_like(w[0])
    else:
        w, b = xp.asarray(start.coefficients, copy=True), xp.asarray(start.intercepts, copy=True)
    found_w, found_b = xp.zeros_like(w), xp.zeros_like(b)
    n_iterations, converged = np.zeros(n_problems, dtype=int), np.zeros(n_problems, dtype=bool)
    left, everything = np.arange(n_problems), slice(None)
    values = batch.forth(w, b, everything)
    for iteration in range(MAX_ITERATIONS + 1):
        probabilities = batch.probabilities(values)
        gradient, slope = batch.back((probabilities - batch.wanted) * batch.rows, everything)
        gradient = gradient + w / batch.C[:, None]
        steepest = xp.maximum(xp.max(xp.max(xp.abs(gradient), axis=2), axis=0), xp.max(xp.abs(slope), axis=1))
        done = steepest <= tolerance * batch.n_train
        ended = np.asarray(done.cpu() if hasattr(done, "cpu") else done) | (iteration == MAX_ITERATIONS)
        n_iterations[left], converged[left] = iteration, np.asarray(done.cpu() if hasattr(done, "cpu") else done)
        if ended.any():
            out, kept = left[ended], xp.asarray(np.flatnonzero(~ended))
            gone = xp.asarray(np.flatnonzero(ended))
            found_w[:, out], found_b[out] = w[:, gone], b[gone]
            left = left[~ended]
            if not len(left):
                break
            w, b, values, probabilities = w[:, kept], b[kept], values[:, kept], probabilities[:, kept]
            gradient, slope = gradient[:, kept], slope[kept]
            batch.keep(kept)
        step, step_free, moved = _equations(batch, probabilities, gradient, slope, FORCING)
        w, b, values = _descend(batch, (w, b, values), (step, step_free, moved), gradient, slope)
    before = 0 if start is None else start.n_iterations
    return Solution(found_w, found_b, n_iterations + before, converged)


def _descend(
    batch: _Batch, at: tuple[Array, ...], step: tuple[Array, ...], gradient: Array, slope: Array
) -> tuple[Array, ...]:
    """Go as far along the step as lowers the loss: all of it, or a half, a quarter, ..."""
    xp = batch.xp
    w, b, values = at
    along, free, moved = step
    squares, mixed, length = ((one * other).sum(0).sum(1) for one, other in ((w, w), (w, along), (along, along)))
    before = batch.loss(values, squares)
    promised = (gradient * along).sum(0).sum(1) + (slope * free).sum(1)
    share = xp.ones_like(before)
    for _ in range(20):
        after = batch.loss(values + share[:, None] * moved, squares + 2.0 * share * mixed + share**2 * length)
        # float32 sums cannot see a decrease below their last digits.
        short = after > before + 1e-4 * share * promised + 2e-6 * xp.abs(before)
        if not bool(short.any()):
            break
        share = xp.where(short, share / 2.0, share)
    share = share[:, None]
    return w + share * along, b + share * free, values + share * moved
