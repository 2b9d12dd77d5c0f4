"""Edits: what is added to a target's state, for each operation, from cached states and directions alone.

Every operation is a vector that is added at one layer and position, so that one pass of a batch serves them all:

- shift: along a direction, towards the counterfactual's class, by a multiple of the distance between class means
- remove: the state's component in a subspace, around the mean of the training targets
- erase: all that is linearly decodable of the label (LEACE; Belrose et al. 2023), around the same mean
- swap: the component in a subspace for the counterfactual's

All is fitted on the targets that trained the fold's direction. Cached states differ from those of a pass by rounding.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from linear_probing.directions import Direction

SOLID = 1e-4
"""Of the greatest singular value, below which a dimension is rounding."""
Basis = Float[np.ndarray, "edit rank d"]


@dataclass(frozen=True)
class Training:
    """What the training targets of one fold say of a layer.

    Parameters
    ----------
    mean : np.ndarray
        Shape (d,): of their states.
    root : np.ndarray
        Shape (d, d): the symmetric square root of their covariance, so that root @ z has that covariance for white z,
        and that folds of like covariance make like vectors of one z: an eigenbasis has signs and turns of its own.
    gap : np.ndarray
        Shape (d,): the second class's mean less the first's; zeros where there are not two classes.
    """

    mean: Float[np.ndarray, " d"]
    root: Float[np.ndarray, "d d"]
    gap: Float[np.ndarray, " d"]

    @property
    def length(self) -> float:
        """The distance between the class means: the unit of a shift."""
        return float(np.linalg.norm(self.gap))


def training(states: Float[np.ndarray, "target d"], labels: Int[np.ndarray, "target *axis"]) -> Training:
    """Return what training targets say; labels are class indices, or positions (n_targets, 3)."""
    mean = states.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(states, rowvar=False))
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    known = np.unique(labels) if labels.ndim == 1 else np.zeros(0)
    if len(known) != 2:
        return Training(mean, root, np.zeros_like(mean))
    first, second = (states[labels == one].mean(axis=0) for one in known)
    return Training(mean, root, second - first)


def subspace(vectors: Float[np.ndarray, "vector d"]) -> Float[np.ndarray, "rank d"]:
    """Return an orthonormal basis of the span of some vectors; of one vector, along it and not against it.

    What is left of a dimension by rounding is none: coefficients of classes sum to zero, up to single precision.
    Vectors of rank 0, as of a probe that learnt nothing, have a basis of no rows.
    """
    norms = np.linalg.norm(vectors, axis=1)
    kept = vectors[norms > 0] / norms[norms > 0, None]
    if not len(kept):
        return np.zeros((0, vectors.shape[1]))
    _, sizes, basis = np.linalg.svd(kept, full_matrices=False)
    found = basis[sizes > SOLID * sizes[0]]
    return np.asarray(found * (np.sign(found[:1] @ kept[0]) if len(found) == 1 else 1.0))


def of_direction(direction: Direction) -> Float[np.ndarray, "rank d"]:
    """Return the subspace that a probe reads, in the space of the states as they are."""
    return subspace(direction.vector)


def eraser(
    states: Float[np.ndarray, "target d"], labels: Int[np.ndarray, "target *axis"]
) -> Callable[[Float[np.ndarray, "row d"]], Float[np.ndarray, "row d"]]:
    """Return what LEACE adds to a state so that no linear classifier finds the label.

    By the library concept-erasure, whose defaults shrink the covariance and keep its trace from growing.

    Parameters
    ----------
    states : np.ndarray
        Of the training targets.
    labels : np.ndarray
        Class indices (n_targets,), or positions (n_targets, 3).
    """
    import torch

    with warnings.catch_warnings():
        # It compiles one function by a way that torch advises against; its numbers do not change with that.
        warnings.filterwarnings("ignore", message=".*torch.jit.script", category=DeprecationWarning)
        from concept_erasure import LeaceEraser

    concept = np.eye(labels.max() + 1)[labels] if labels.ndim == 1 else labels
    given = (torch.from_numpy(np.asarray(one, dtype=np.float64)) for one in (states, concept))
    fitted = LeaceEraser.fit(*given)

    def added(rows: Float[np.ndarray, "row d"]) -> Float[np.ndarray, "row d"]:
        before = torch.from_numpy(rows)
        return np.asarray((fitted(before) - before).numpy())

    return added


def shift(pairs_signs: Float[np.ndarray, " row"], basis: Basis, lengths: Float[np.ndarray, " row"]) -> Basis:
    """Return shifts along the first vector of each basis, shape (n_rows, n_edits, d)."""
    return (pairs_signs * lengths)[:, None, None] * basis[None, :, 0]


def component(vectors: Float[np.ndarray, "row d"], basis: Basis) -> Float[np.ndarray, "row edit d"]:
    """Return the parts of vectors in each subspace, shape (n_rows, n_edits, d)."""
    inside = np.einsum("nd,ekd->nek", vectors, basis, optimize=True)
    return np.einsum("nek,ekd->ned", inside, basis, optimize=True)


def as_long_as(
    vectors: Float[np.ndarray, "row edit d"], lengths: Float[np.ndarray, " row"]
) -> Float[np.ndarray, "row edit d"]:
    """Return vectors scaled to the length of each row; one of length 0 stays."""
    norms = np.linalg.norm(vectors, axis=2, keepdims=True)
    return np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0) * lengths[:, None, None]


def drawn(
    n_controls: int, rank: int, whole: Training, random: np.random.Generator
) -> Float[np.ndarray, "control rank d"]:
    """Return random subspaces: the first half isotropic, the second drawn from the covariance of the training states.

    Isotropic directions carry less of the states' variance than a probe's does, so that they act less for that alone.
    The draws do not depend on the fold: the same white numbers go through each fold's covariance.
    """
    width = len(whole.mean)
    white = random.standard_normal((n_controls, rank, width))
    half = n_controls // 2
    white[half:] = white[half:] @ whole.root.T
    q, r = np.linalg.qr(np.swapaxes(white, 1, 2))
    signs = np.sign(np.diagonal(r, axis1=1, axis2=2))
    return np.ascontiguousarray(np.swapaxes(q * signs[:, None, :], 1, 2))
