"""Ridge by d x d matrices, for no more features than rows."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float, Float64, Int
from scipy import linalg, sparse

from linear_probing.solving.parts import (
    Classes,
    Features,
    Moments,
    Targets,
    check_filled,
    inverse_scale,
    joined,
    singular,
)


class Scaled:
    """The normal equations of one training part, its features scaled within it."""

    def __init__(self, part: Moments) -> None:
        self.n, total = part.gram[-1, -1], part.gram[:-1, -1]
        check_filled(int(self.n))
        self.mean = total / self.n
        constant = part.least[:-1] == part.greatest[:-1]
        self.scale = inverse_scale(self.n, np.diagonal(part.gram)[:-1], self.mean, constant)
        self.gram = part.gram[:-1, :-1] - np.outer(total, self.mean)
        self.gram *= self.scale
        self.gram *= self.scale[:, None]

    def _factor(self, alpha: float) -> Float64[np.ndarray, "d d"]:
        """Return the lower Cholesky factor; what stands above the diagonal means nothing."""
        regular = self.gram.copy(order="F")
        np.fill_diagonal(regular, np.diagonal(regular) + alpha)
        factor, info = linalg.lapack.dpotrf(regular, lower=1, overwrite_a=1, clean=0)
        if info:
            raise singular(alpha)
        return np.asarray(factor)

    def solution(self, alpha: float) -> Float64[np.ndarray, "d1 d1"]:
        """Return the matrix that turns products into coefficients and an intercept."""
        half, _ = linalg.lapack.dpotri(self._factor(alpha), lower=1, overwrite_c=1)
        inverse = np.tril(half) + np.tril(half, -1).T
        inverse *= self.scale
        inverse *= self.scale[:, None]
        found = np.empty((len(half) + 1, len(half) + 1))
        found[:-1, :-1] = inverse
        found[-1, :-1] = found[:-1, -1] = -inverse @ self.mean
        found[-1, -1] = 1.0 / self.n + self.mean @ inverse @ self.mean
        return found

    def coefficients(self, products: Float[np.ndarray, "column d1"], alpha: float) -> Float64[np.ndarray, "column d1"]:
        """Return coefficients and intercept; a third of the work of `solution`, for few columns of labels."""
        level = products[:, -1:] / self.n
        cross = (products[:, :-1] - products[:, -1:] * self.mean) * self.scale
        solved, _ = linalg.lapack.dpotrs(self._factor(alpha), cross.T, lower=1)
        found = solved.T * self.scale
        return np.column_stack([found, level[:, 0] - found @ self.mean])


class Primal:
    """Ridge by d x d matrices, for no more features than rows.

    The features are followed by a 1, so that coefficients carry the intercept, and sums stand among the products.
    """

    def __init__(self, features: Features, targets: Targets) -> None:
        self.features = features
        self.by_row = isinstance(targets, Classes)
        self.products, self.squares = (
            _class_products(features, targets) if isinstance(targets, Classes) else _products(features, targets)
        )

    def _moments(self, members: Bool[np.ndarray, " block"]) -> Moments:
        moments = [self.features.moments[block] for block in np.flatnonzero(members)]
        return joined(moments, self.features.values.shape[1])

    def _products(self, members: Bool[np.ndarray, " block"]) -> Float[np.ndarray, "column d"]:
        """Return the labels' products with the features of a part."""
        blocks = np.flatnonzero(members)
        if len(blocks) == 1:
            return self.products[blocks[0]]
        total = np.zeros_like(self.products[0])
        for block in blocks:
            total += self.products[block]
        return total

    def _fits(
        self, train: Bool[np.ndarray, " block"], products: Float[np.ndarray, "column d"], alphas: Sequence[float]
    ) -> Iterator[Float[np.ndarray, "column d"]]:
        """Yield per penalty the coefficients of unscaled features and an intercept, given a part's products."""
        if not self.features.keeps and len(products) < products.shape[1]:
            part = Scaled(self._moments(train))
            yield from (part.coefficients(products, alpha).astype(products.dtype) for alpha in alphas)
        else:
            yield from (products @ solution for solution in self._solutions(train, alphas))

    def _solutions(
        self, train: Bool[np.ndarray, " block"], alphas: Sequence[float]
    ) -> Iterator[Float[np.ndarray, "d d"]]:
        """Yield per penalty the matrix that turns products into coefficients."""
        part: Scaled | None = None
        for alpha in alphas:
            place = train.tobytes(), alpha
            if place in self.features.known:
                yield self.features.known[place]
                continue
            part = part or Scaled(self._moments(train))
            solution = part.solution(alpha).astype(self.features.precision)
            if self.features.keeps:
                self.features.known[place] = solution
            yield solution

    def errors(
        self, train: Bool[np.ndarray, " block"], held: Sequence[Bool[np.ndarray, " block"]], alphas: Sequence[float]
    ) -> Float64[np.ndarray, "part alpha column"]:
        """Return summed squared errors on each held-out part, as quadratic forms in its moments."""
        products = self._products(train)
        forms = [(self._moments(members).gram / 2.0).astype(self.features.precision) for members in held]
        crosses = [self._products(members) for members in held]
        squares = [self.squares[members].sum(axis=0) for members in held]
        found = np.empty((len(held), len(alphas), len(products)))
        for place, coefficients in enumerate(self._fits(train, products, alphas)):
            for part, (form, cross, square) in enumerate(zip(forms, crosses, squares, strict=True)):
                image = coefficients @ form
                image -= cross
                found[part, place] = square + 2.0 * np.einsum("md,md->m", image, coefficients)
        return found

    def coefficients(
        self, train: Bool[np.ndarray, " block"], alphas: Sequence[float], chosen: Int[np.ndarray, " column"]
    ) -> Float[np.ndarray, "column d"]:
        """Return coefficients of the centred features, then the intercept, each column by its own penalty."""
        products, places = self._products(train), np.unique(chosen)
        if len(places) == 1:
            return next(self._fits(train, products, [alphas[places[0]]]))
        found = np.empty_like(products)
        for place in places:
            mine = chosen == place
            found[mine] = next(self._fits(train, products[mine], [alphas[place]]))
        return found

    def predict(
        self,
        train: Bool[np.ndarray, " block"],
        rows: Int[np.ndarray, " tested"],
        alphas: Sequence[float],
        chosen: Int[np.ndarray, " column"],
    ) -> Float[np.ndarray, "column tested"]:
        """Return predictions, each column by the penalty at its place in `alphas`."""
        found = self.coefficients(train, alphas, chosen)
        values, kinds = self.features.by_kind(rows)
        values = values.astype(found.dtype, copy=False)
        # The columns of one row side by side where they are compared with each other, else the rows of one column.
        scores = (values @ found.T).T if self.by_row else found @ values.T
        return scores if len(values) == len(rows) else scores[:, kinds]


def _products(features: Features, targets: Float[np.ndarray, "column target"]) -> tuple[np.ndarray, np.ndarray]:
    """Return per block Y'X of shape (n_blocks, n_columns, d), and sums of squares of Y, (n_blocks, n_columns)."""
    shape = len(features.blocks.rows), len(targets)
    products = np.empty((*shape, features.values.shape[1]), features.precision)
    squares = np.empty(shape)
    for block, rows in enumerate(features.blocks.rows):
        labels: Float[np.ndarray, "column row"] = targets[:, rows].astype(features.precision, copy=False)
        np.matmul(labels, features.values[rows].astype(features.precision, copy=False), out=products[block])
        squares[block] = (labels**2).sum(axis=1, dtype=np.float64)
    return products, squares


def _class_products(features: Features, targets: Classes) -> tuple[np.ndarray, np.ndarray]:
    """Return the same of class codes: sums of rows by class, without writing the codes out."""
    n_labelings, n_rows = targets.labels.shape
    n_columns, n_blocks = n_labelings * targets.n_classes, len(features.blocks.rows)
    block = np.empty(n_rows, np.int32)
    for one, rows in enumerate(features.blocks.rows):
        block[rows] = one
    first = np.arange(0, n_columns, targets.n_classes, dtype=np.int32)
    cells = (block * np.int32(n_columns) + first[:, None] + targets.labels.astype(np.int32)).ravel()
    rows = np.tile(np.arange(n_rows, dtype=np.int32), n_labelings)
    ones = np.ones(len(cells), features.precision)
    member = sparse.csr_matrix((ones, (cells, rows)), shape=(n_blocks * n_columns, n_rows))
    products = (member @ features.values.astype(features.precision, copy=False)).reshape(n_blocks, n_columns, -1)
    return products, products[:, :, -1].astype(np.float64)
