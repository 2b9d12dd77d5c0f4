"""The curvature of one large problem of several classes, from which its steps are made where a start is known.

conjugate.py takes all rows for equally heavy, so that the features' eigenvectors serve every problem. What a class's
curvature is made of are the rows on which it is in doubt, and these have other covariances: of 230,000 words and 17
classes it took 146 steps from a near start. Here each class has its own second derivatives at that start, and what one
class's step does to the others is taken for the same in all directions: 40 steps, less than one of which the matrices
cost. A small problem would pay more for them than for its steps.

Cost: per class a product of `N_SAMPLED` rows' features with themselves, and a decomposition of a d x d matrix.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

N_SAMPLED = 40_000
"""Rows that stand for all in a class's curvature, drawn as often as they weigh; no fewer than 100 a feature."""
LEAST = 0.2
"""Least eigenvalue of the coupling, of mean 1: the constant added to all logits, which moves no probability, has 0."""


@dataclass(frozen=True)
class Curvature:
    """Second derivatives of a problem's loss, taken apart.

    Parameters
    ----------
    roots : np.ndarray
        Shape (n_classes, d + 1, d + 1): inverse square roots of every class's own, the intercept last.
    coupling : np.ndarray
        Shape (n_classes, n_classes): the inverse of how the classes' second derivatives correlate.
    """

    roots: Float[np.ndarray, "class d_and_1 d_and_1"]
    coupling: Float[np.ndarray, "class class"]

    def step(
        self, gradient: Float[np.ndarray, "class d 1"], slope: Float[np.ndarray, "class 1 1"]
    ) -> tuple[Float[np.ndarray, "class d 1"], Float[np.ndarray, "class 1 1"]]:
        """Return Newton's step, of coefficients and intercepts; the intercepts' mean, which says nothing, stays."""
        along = self.roots @ np.concatenate([gradient, slope], axis=1)
        along = self.roots @ (self.coupling @ along[..., 0])[..., None]
        free = along[:, -1:]
        return along[:, :-1], free - free.mean(axis=0)


def curvature_at(
    features: Float[np.ndarray, "row d"],
    inverse: Float[np.ndarray, "d 1"],
    shift: Float[np.ndarray, "d 1"],
    probabilities: Float[np.ndarray, "class row"],
    weakness: float,
) -> Curvature:
    """Return the curvature where the classes have these probabilities.

    Parameters
    ----------
    features, inverse, shift : np.ndarray
        Standardised features are `features * inverse - shift`.
    probabilities : np.ndarray
        0 where a row does not train.
    weakness : float
        1 / C.
    """
    d = features.shape[1]
    between = -(probabilities @ probabilities.T).astype(np.float64)
    own = np.maximum(between.diagonal() + probabilities.sum(axis=1), 1e-6)
    between[np.diag_indices(len(own))] = own
    n_sampled = max(N_SAMPLED, 100 * d)
    places = (np.arange(n_sampled) + 0.5) / n_sampled
    roots = []
    for probability, weight in zip(probabilities, own, strict=True):
        gathered = np.cumsum(probability * (1.0 - probability), dtype=np.float64)
        rows = features[np.minimum(np.searchsorted(gathered, places * gathered[-1]), len(features) - 1)]
        share = weight / n_sampled
        square, level = share * (rows.T @ rows).astype(np.float64), share * rows.sum(axis=0, dtype=np.float64)[:, None]
        moved = inverse * level * shift.T
        whole = np.empty((d + 1, d + 1))
        whole[:d, :d] = inverse * square * inverse.T - moved - moved.T + weight * shift * shift.T
        whole[:d, d:] = inverse * level - weight * shift
        whole[d:, :d], whole[d, d] = whole[:d, d:].T, weight
        whole[np.diag_indices(d)] += weakness
        values, vectors = np.linalg.eigh(whole)
        roots.append(vectors / np.sqrt(np.maximum(values, 1e-9 * values[-1])) @ vectors.T)
    size = 1.0 / np.sqrt(own)
    values, vectors = np.linalg.eigh(size[:, None] * between * size)
    coupling = vectors / np.maximum(values, LEAST) @ vectors.T
    return Curvature(np.stack(roots).astype(np.float32), coupling.astype(np.float32))
