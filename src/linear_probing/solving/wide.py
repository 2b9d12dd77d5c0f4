"""A start for logistic problems with more features than rows: their solution in the rows' own basis.

The rows span at most n dimensions, where a product costs n / d of one with the features. The basis cannot hold the
scaling of each training part; so the problems are solved there as if all parts had the scaling of all rows, a few
percent off, and conjugate.py goes on from there to the tolerance, on the features and with each part's own scaling:
often with nothing left to do where the penalty is weak, in a step or two where it is strong. Features whose deviation
differs much between parts (massive ones, in a few rows) stand beside the basis, with their own scaling.
"""

from dataclasses import dataclass, replace
from typing import Any

from sklearn.externals.array_api_compat import array_namespace

from linear_probing.solving import conjugate
from linear_probing.solving.conjugate import Design, Problems, Solution

UNEVEN = (0.25, 1.0, 3.0)
"""A feature whose variance in a part differs by this share from that over all rows stands beside the basis: ..."""
BESIDE = 0.25
"""... the first share of these that so leaves at most this share of the rows' or the features' number."""
LOOSER = 10.0
"""Times the tolerance: an entry of the gradient in the rows' basis spreads over all features, each getting less."""

Array = Any


@dataclass(frozen=True)
class Short:
    """A design in the rows' basis.

    Parameters
    ----------
    design : Design
        Features are `vectors * roots`, with the uneven features beside them.
    vectors, roots : array
        Shapes (n_rows, rank) and (rank,): left singular vectors and singular values of the even features.
    even, uneven : array
        Their indices.
    """

    design: Design
    vectors: Array
    roots: Array
    even: Array
    uneven: Array


def _even(design: Design) -> Array:
    """Return which features go into the basis: those of about equal deviation in all parts."""
    xp = array_namespace(design.features)
    # An inverse of 0 marks a feature that is constant in a part: far from even.
    difference = xp.max(xp.abs(xp.clip(design.inverse_scale, 1e-3, None) ** (-2.0) - 1.0), axis=1)
    for most in UNEVEN:
        even = difference <= most
        if int((~even).sum()) <= BESIDE * min(design.features.shape):
            break
    return even


def narrow(design: Design) -> Design:
    """Return the design with a preconditioner, from the Gram matrix of the features."""
    xp, even = array_namespace(design.features), _even(design)
    # The uneven ones' rows and columns are emptied afterwards, which takes no copy of the features.
    gram = xp.where(even[:, None] & even, design.features.T @ design.features, 0.0)
    values, vectors = conjugate.decompose(gram)
    return replace(design, strength=xp.clip(values, 0.0, None), basis=vectors, even=even)


def shorten(design: Design) -> tuple[Design, Short | None]:
    """Return the design with a preconditioner, and the same in the rows' basis; None where too many are uneven."""
    xp, inside = array_namespace(design.features), _even(design)
    uneven, even = xp.nonzero(~inside)[0], xp.nonzero(inside)[0]
    beside = design.features[:, uneven]
    gram = design.features @ design.features.T - beside @ beside.T
    eigenvalues, vectors = conjugate.decompose(gram)
    kept = xp.nonzero(eigenvalues > 1e-6 * eigenvalues[-1])[0]
    roots, vectors = xp.sqrt(eigenvalues[kept]), vectors[:, kept]
    most = slice(-conjugate.BASIS, None)
    basis = design.features.T @ (vectors[:, most] / roots[most])
    basis[uneven] = 0.0
    design = replace(design, strength=roots[most] ** 2, basis=basis, even=inside)
    if len(uneven) > BESIDE * design.features.shape[0]:
        return design, None
    short = Design(
        xp.concat([vectors * roots, beside], axis=1),
        design.rows,
        design.inverse_scale[uneven],
        design.shift[uneven],
        xp.concat([roots**2, (beside * beside).sum(0)], axis=0),
    )
    return design, Short(short, vectors, roots, even, uneven)


def approach(design: Design, short: Short, problems: Problems, labels: Array, tolerance: float) -> Solution:
    """Return approximate solutions of two-class problems, a start for `conjugate.solve`; parameters as there."""
    xp = array_namespace(design.features)
    found = conjugate.solve(short.design, problems, labels, 2, LOOSER * tolerance)
    rank = len(short.roots)
    inside, outside = found.coefficients[0, :rank], found.coefficients[0, rank:]
    inverse = xp.clip(design.inverse_scale[:, problems.part], 1e-6, None)
    w = design.features.T @ (short.vectors @ (inside / short.roots[:, None])) / inverse
    w[short.uneven] = outside
    b = found.intercepts[0, 0] + (design.shift[:, problems.part][short.even] * w[short.even]).sum(0)
    return Solution(found.values, w[None], b[None, None], found.n_iterations, found.converged)
