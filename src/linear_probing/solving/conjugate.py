"""Conjugate gradients for many penalised logistic problems on one feature matrix: a step is two products of matrices.

The problems differ in training part, labels and penalty, and so does the scaling, which is that of the training part: a
diagonal change of variables per problem, applied around products with the one matrix that all share. Every problem goes
along its own direction, as far as lowers its loss most. The preconditioner takes the likelihood's curvature for that of
rows of equal weight: then it has the eigenvectors of the features' Gram matrix for all problems, and eigenvalues of
their own. Newton's method with inner conjugate gradients was tried first: it needs twice as many products, since each
of its systems begins anew.

Works on numpy arrays, and on torch tensors of any device, through the array API; float32 storage. Cost: two products of
the features a step; 5 to 50 steps, more where the penalty is weak.
Source: Polak and Ribiere's update, restarted where it turns uphill (Nocedal and Wright, Numerical Optimization, 5.2).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg
from sklearn.externals.array_api_compat import array_namespace

from linear_probing.solving.curvature import Curvature, curvature_at

MAX_ITERATIONS = 1000
RESTART = 50
"""Steps after which values are computed anew, free of what rounding gathered, and directions start afresh."""
LINE_STEPS = 2
"""Of Newton's method along a direction, where it costs no product."""
BASIS = 320
"""Eigenvectors in the preconditioner where there are more features than rows; else it has all."""

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
        Shape (d, n_parts): standardised features of a part are `features * inverse_scale - shift`. Of the last
        features only, where the ones before are used as they are.
    strength : array
        Shape (k,): eigenvalues of `features.T @ features`, the greatest ones; for the preconditioner alone.
    basis : array, optional
        Shape (d, k): their orthonormal eigenvectors; None where these are the features' own axes.
    even : array, optional
        Shape (d,), whether the basis holds a feature; others are taken for independent of all. None without a basis.
    """

    features: Array
    rows: Array
    inverse_scale: Array
    shift: Array
    strength: Array
    basis: Array | None = None
    even: Array | None = None


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
    """Fitted probes and how each fit ended.

    Parameters
    ----------
    values : array
        Shape (n_outputs, n_rows, n_problems): log odds or logits of all rows. Outputs come first: they are few, and
        sums over the first axis are the fastest.
    coefficients, intercepts : array
        Shapes (n_outputs, d, n_problems) and (n_outputs, 1, n_problems), on the part's standardised features.
    n_iterations, converged : np.ndarray
        Shape (n_problems,).
    """

    values: Array
    coefficients: Array
    intercepts: Array
    n_iterations: np.ndarray
    converged: np.ndarray


@dataclass(frozen=True)
class _Way:
    """The direction of a step: of coefficients and intercepts, with the gradient that it came from."""

    along: Array
    free: Array
    gradient: Array
    slope: Array
    size: Array

    def keep(self, kept: Array) -> "_Way":
        names = ("along", "free", "gradient", "slope", "size")
        return _Way(*(getattr(self, name)[..., kept] for name in names))


class _Batch:
    """The problems that are not solved yet, as columns; `keep` drops those that are.

    Where a problem stands is said by its residuals, probability less label, 0 where a row does not train: the
    likelihood's gradient and curvature both follow from them.
    """

    def __init__(self, design: Design, problems: Problems, labels: Array, n_classes: int) -> None:
        self.xp = array_namespace(design.features)
        self.features, self.basis, self.eigenvalues = design.features, design.basis, design.strength
        self.n_plain = design.features.shape[1] - design.inverse_scale.shape[0]
        self.binary = n_classes == 2
        # One large problem: outputs in one product instead of one each, as columns lie side by side without a copy.
        self.alone = len(problems.part) == 1 and not self.binary
        self.sharp: Curvature | None = None
        self.inverse = design.inverse_scale[:, problems.part]
        self.shift = design.shift[:, problems.part]
        self.rows = design.rows[:, problems.part]
        self.n_train = self.rows.sum(0)
        self.weakness = 1.0 / problems.strength
        if self.basis is not None:
            # A gradient on the features as they are over all rows lies in the basis, whatever the part's scaling.
            even = self.xp.asarray(design.even)[:, None]
            self.uneven = self.xp.nonzero(~even[:, 0])[0]
            self.stretch = self.xp.where(even, 1.0 / self.xp.clip(self.inverse, 1e-3, None), 1.0)
        chosen = labels[:, problems.labeling]
        if self.binary:
            self.wanted = self.xp.astype(chosen, self.features.dtype)[None] * self.rows
            self.middle = 0.5 * self.rows - self.wanted
        else:
            classes = self.xp.asarray(np.arange(n_classes))
            classes = classes.to(chosen.device) if hasattr(chosen, "is_cuda") else classes
            self.wanted = self.xp.astype(chosen == classes[:, None, None], self.features.dtype) * self.rows
            self.middle = self.wanted[:0]

    def keep(self, kept: Array) -> None:
        names = ["inverse", "shift", "rows", "wanted", "middle", "n_train", "weakness"]
        for name in names if self.basis is None else [*names, "stretch"]:
            setattr(self, name, getattr(self, name)[..., kept])

    def product(self, left: Array, right: Array) -> Array:
        """Return left @ right for each output, `right` being of shape (n_outputs, m, n_problems)."""
        return (right[..., 0] @ left.T)[..., None] if self.alone else left @ right

    def inner(self, one: Array, other: Array) -> Array:
        """Return the inner product of every problem, shape (n_problems,)."""
        if isinstance(one, np.ndarray):
            if self.alone:
                return np.array([np.vdot(one, other)])
            return np.einsum("knp,knp->p", one, other)  # twice as fast, without the product in memory
        return (one * other).sum(0).sum(0)

    def forth(self, coefficients: Array, intercepts: Array) -> Array:
        own = coefficients[:, self.n_plain :]
        offset = intercepts - (self.shift * own).sum(1)[:, None]
        scaled = self.inverse * own
        if self.n_plain:
            scaled = self.xp.concat([coefficients[:, : self.n_plain], scaled], axis=1)
        values = self.product(self.features, scaled)
        values += offset
        return values

    def back(self, residuals: Array) -> tuple[Array, Array]:
        total, gradient = residuals.sum(1)[:, None], self.product(self.features.T, residuals)
        own = gradient[:, self.n_plain :]
        own *= self.inverse
        own -= self.shift * total
        return gradient, total

    def residuals(self, values: Array) -> Array:
        """Return probability less label of training rows, 0 of others."""
        xp = self.xp
        if self.binary:
            found = xp.tanh(0.5 * values)
            found *= 0.5 * self.rows
            found += self.middle
            return found
        found = xp.exp(values - xp.max(values, axis=0))
        found *= self.rows / found.sum(0)
        found -= self.wanted
        return found

    def weights(self, residuals: Array) -> Array:
        """Return every row's and output's curvature: p (1 - p), which of two classes is |p - y| (1 - |p - y|)."""
        if self.binary:
            return self.xp.abs(residuals) - residuals * residuals
        probabilities = residuals + self.wanted
        found = 1.0 - probabilities
        found *= probabilities
        return found

    def curvature(self, residuals: Array, moved: Array) -> Array:
        """Return the likelihood's second derivative along what moves the values so, shape (n_problems,)."""
        if self.binary:
            return self.inner(self.weights(residuals), moved * moved)
        weighted = residuals + self.wanted
        weighted *= moved
        return self.inner(weighted, moved) - (weighted.sum(0) ** 2).sum(0)

    def sharpen(self, values: Array) -> None:
        """Make further steps of one large problem from the curvature where it stands."""
        if self.alone and isinstance(values, np.ndarray):
            probabilities = (self.residuals(values) + self.wanted)[..., 0]
            weakness = float(self.weakness[0])
            self.sharp = curvature_at(self.features, self.inverse, self.shift, probabilities, weakness)

    def precondition(self, residuals: Array, gradient: Array, slope: Array) -> tuple[Array, Array]:
        """Return Newton's step, were the rows of equal weight and the features centred, or by a sharper curvature."""
        if self.sharp is not None:
            return self.sharp.step(gradient, slope)
        total = self.weights(residuals).sum(1)[:, None] + 1e-12
        damped = 1.0 / (self.eigenvalues[:, None] * (total / self.features.shape[0]) + self.weakness)
        if self.basis is None:
            damped *= gradient
            return damped, slope / total
        stretched = self.stretch * gradient
        inside = self.product(self.basis.T, stretched)
        if self.basis.shape[0] == self.basis.shape[1]:
            ahead = self.product(self.basis, damped * inside)
        else:
            ahead = self.product(self.basis, (damped - 1.0 / self.weakness) * inside)
            stretched /= self.weakness
            ahead += stretched
        ahead *= self.stretch
        ahead[:, self.uneven] = gradient[:, self.uneven] / (total + self.weakness)
        return ahead, slope / total

    def direction(self, residuals: Array, gradient: Array, slope: Array, before: _Way | None) -> _Way:
        """Return where to go from here; problems that would go uphill turn to the preconditioned gradient."""
        xp = self.xp
        ahead, ahead_free = self.precondition(residuals, gradient, slope)
        size = self.inner(gradient, ahead) + self.inner(slope, ahead_free)
        ahead *= -1.0
        along, free = ahead, -ahead_free
        if before is not None:
            turned = size + self.inner(before.gradient, ahead) - self.inner(before.slope, ahead_free)
            share = xp.clip(turned / before.size, 0.0, None)
            rising = self.inner(gradient, before.along) + self.inner(slope, before.free)
            share = share * (share * rising < size)
            along += share * before.along
            free = free + share * before.free
        return _Way(along, free, gradient, slope, xp.clip(size, 1e-30, None))

    def length(self, residuals: Array, values: Array, moved: Array, w: Array, along: Array) -> Array:
        """Return how far along a direction the penalised loss is least, shape (n_problems,), by Newton's method."""
        xp = self.xp
        mixed, square = self.inner(w, along) * self.weakness, self.inner(along, along) * self.weakness
        length = xp.zeros_like(mixed)
        for number in range(LINE_STEPS):
            if number:
                residuals = self.residuals(values + length * moved)
            first = self.inner(residuals, moved) + mixed + length * square
            second = self.curvature(residuals, moved) + square
            further = length - first / xp.clip(second, 1e-30, None)
            # Far from the least, where rows are all but certain, a Newton step can be any length.
            most = xp.full_like(length, 2.0) if not number else 4.0 * length
            length = xp.where(further > 0.0, xp.minimum(further, most), length / 2.0)
        return length


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
        Where to begin; zero by default. Its arrays are overwritten.

    Returns
    -------
    Solution
    """
    batch = _Batch(design, problems, labels, n_classes)
    xp, n_problems = batch.xp, len(problems.part)
    if start is None:
        w = xp.zeros_like(design.features[:1].T) + xp.zeros_like(batch.wanted[:, :1])
        b = xp.zeros_like(w[:, :1])
    else:
        w, b = start.coefficients, start.intercepts
    found_w, found_b = xp.zeros_like(w), xp.zeros_like(b)
    found_values = xp.zeros_like(batch.wanted)
    n_iterations, converged = np.zeros(n_problems, dtype=int), np.zeros(n_problems, dtype=bool)
    left = np.arange(n_problems)
    for iteration in range(MAX_ITERATIONS + 1):
        if iteration % RESTART == 0:
            values = batch.forth(w, b)
            before: _Way | None = None
            if start is not None:  # far from the end the curvature changes from step to step
                batch.sharpen(values)
        residuals = batch.residuals(values)
        gradient, slope = batch.back(residuals)
        gradient += w * batch.weakness
        steepest = xp.maximum(xp.max(xp.abs(gradient), axis=(0, 1)), xp.max(xp.abs(slope), axis=(0, 1)))
        done = host(steepest <= tolerance * batch.n_train)
        ended = done | (iteration == MAX_ITERATIONS)
        n_iterations[left], converged[left] = iteration, done
        if ended.any():
            gone, kept = xp.asarray(np.flatnonzero(ended)), xp.asarray(np.flatnonzero(~ended))
            found_w[..., left[ended]], found_b[..., left[ended]] = w[..., gone], b[..., gone]
            found_values[..., left[ended]] = values[..., gone]
            left = left[~ended]
            if not len(left):
                break
            w, b, values, residuals = w[..., kept], b[..., kept], values[..., kept], residuals[..., kept]
            gradient, slope = gradient[..., kept], slope[..., kept]
            before = before and before.keep(kept)
            batch.keep(kept)
        before = batch.direction(residuals, gradient, slope, before)
        moved = batch.forth(before.along, before.free)
        length = batch.length(residuals, values, moved, w, before.along)
        w += length * before.along
        b += length * before.free
        values += length * moved
    return Solution(found_values, found_w, found_b, n_iterations, converged)


def values_of(design: Design, problems: Problems, solution: Solution) -> Array:
    """Return the log odds or logits of the rows of a design, (n_outputs, n_rows, n_problems)."""
    scaled = design.inverse_scale[:, problems.part] * solution.coefficients
    offset = solution.intercepts - (design.shift[:, problems.part] * solution.coefficients).sum(1)[:, None]
    return design.features @ scaled + offset


def host(array: Array) -> np.ndarray:
    """Return an array of any device as numpy's."""
    return np.asarray(array.cpu() if hasattr(array, "cpu") else array)
