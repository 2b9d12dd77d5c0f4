"""Ridge in closed form for many labelings at once, under the protocol of every probe (protocol.py).

In: features, labelings and fold masks. Out: out-of-fold scores, the penalty re-chosen for every labeling and fold.

Rows that train and are tested in the same folds form a block; every training part is a sum of blocks. With X_b the rows
of a block, X_b'X_b is computed once for all labelings and X_b'Y_b once for all parts; scaling within a part is a
diagonal and a rank-one change of these, and the squared error on held-out rows is a quadratic form in them, so no inner
fold is ever predicted. With more features than rows the same is done by n x n Gram matrices of each part.

Accuracy: features are stored in float32, after the mean over all rows is taken off in float64, so that a feature of
mean 1,000 and deviation 1 is known to 6e-5 of its deviation (what float32 input holds) and an outlying row costs the
others nothing. Gram matrices and their Cholesky factors are float64. Products with labels are of the `precision` asked
for: float64 agrees with scikit-learn in float64 to about 1e-6 of the scores' range, float32 to about 1e-4 at penalties
of 1 and more.
Cost: n d^2 + p d^3 (p: parts times penalties) once, then n d + p d^2 per column of labels. Memory: a float64 d x d matrix
per block, and a block x column x d array of products.
Source: the normal equations; the algebra of leaving out blocks is that of Cawley & Talbot (2003).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float, Float64, Int, Shaped
from scipy import linalg, sparse

from linear_probing.stage import StudyError

Masks = Sequence[tuple[Bool[np.ndarray, " target"], Bool[np.ndarray, " target"]]]
CONSTANT = 1e-12
"""Variance of a feature in a part, as a share of its mean square there, that counts as none: float64 cannot tell."""


class RidgeError(StudyError):
    """A ridge problem that has no solution."""


@dataclass(frozen=True)
class RidgeOutcome:
    """Out-of-fold scores (n_targets, n_columns), NaN where untested; and the alpha of every fold and labeling."""

    scores: Float[np.ndarray, "target column"]
    chosen: Float64[np.ndarray, "fold labeling"]


@dataclass(frozen=True)
class Blocks:
    """Rows of each block, and which blocks train and are tested in every fold."""

    rows: tuple[Int[np.ndarray, " row"], ...]
    trains: Bool[np.ndarray, "fold block"]
    tests: Bool[np.ndarray, "fold block"]


@dataclass(frozen=True)
class Classes:
    """Labelings by class index, shape (n_labelings, n_targets), each coded as `n_classes` columns of 0 and 1.

    Codes of 0 and 1 choose the same penalties as codes of -1 and 1, and their scores are half as large, plus a half.
    """

    labels: Int[np.ndarray, "labeling target"]
    n_classes: int

    def codes(self, dtype: type) -> Float[np.ndarray, "column target"]:
        """Return the columns written out."""
        wanted = np.arange(self.n_classes)[None, :, None]
        return (self.labels[:, None, :] == wanted).astype(dtype).reshape(-1, self.labels.shape[1])


Targets = Float[np.ndarray, "column target"] | Classes


@dataclass(frozen=True)
class Tested:
    """Scores (n_columns, n_tested) of the rows that one fold tests."""

    fold: int
    rows: Int[np.ndarray, " tested"]
    scores: Float[np.ndarray, "column tested"]


class Solver(Protocol):
    """Errors and predictions of ridge probes of loaded labels; parts are masks of blocks."""

    def errors(
        self, train: Bool[np.ndarray, " block"], held: Sequence[Bool[np.ndarray, " block"]], alphas: Sequence[float]
    ) -> Float64[np.ndarray, "part alpha column"]:
        """Return summed squared errors on each held-out part."""
        ...

    def coefficients(
        self, train: Bool[np.ndarray, " block"], alphas: Sequence[float], chosen: Int[np.ndarray, " column"]
    ) -> tuple[Float[np.ndarray, "column d"], Float64[np.ndarray, " column"]]:
        """Return coefficients of the centred features, and intercepts, each column by its own penalty."""
        ...

    def predict(
        self,
        train: Bool[np.ndarray, " block"],
        rows: Int[np.ndarray, " tested"],
        alphas: Sequence[float],
        chosen: Int[np.ndarray, " column"],
    ) -> Float[np.ndarray, "column tested"]:
        """Return predictions, each column by the penalty at its place in `alphas`."""
        ...


def blocks_of(masks: Masks) -> Blocks:
    """Return the coarsest division of the rows of which all parts are sums.

    Examples
    --------
    >>> one, two = np.array([True, True, False]), np.array([False, False, True])
    >>> [rows.tolist() for rows in blocks_of([(one, two), (two, one)]).rows]
    [[2], [0, 1]]
    """
    table = np.stack([mask for pair in masks for mask in pair])
    signs, block = np.unique(table, axis=1, return_inverse=True)
    rows = tuple(np.flatnonzero(block.ravel() == one) for one in range(signs.shape[1]))
    return Blocks(rows, signs[0::2], signs[1::2])


def centred(features: Shaped[np.ndarray, "target feature"]) -> Float[np.ndarray, "target feature"]:
    """Return features less their mean over all rows, in float32; equal rows stay equal, a constant becomes 0."""
    mean = features.mean(axis=0, dtype=np.float64)
    values = np.empty(features.shape, np.float32)
    for start in range(0, len(features), 1024):
        values[start : start + 1024] = features[start : start + 1024].astype(np.float64) - mean
    return values + np.float32(0.0)


class Features:
    """One feature matrix under masks: what does not depend on labels, computed once.

    Parameters
    ----------
    features : np.ndarray
        Shape (n_targets, n_features), finite.
    masks : sequence of (np.ndarray, np.ndarray)
        Which rows train and are tested in every fold; a row may do neither.
    precision : type
        np.float64 or np.float32: in which labels are multiplied.

    Raises
    ------
    RidgeError
        If a feature is NaN or infinite.
    """

    def __init__(self, features: Shaped[np.ndarray, "target feature"], masks: Masks, precision: type) -> None:
        if not np.isfinite(features).all():
            raise RidgeError(
                "features of a ridge probe hold NaN or infinite numbers",
                likely="the model overflowed in its dtype",
                do="extract the states in a wider dtype",
            )
        self.values = centred(features)
        self.blocks = blocks_of(masks)
        self.precision = precision
        whole = np.ascontiguousarray(self.values)
        rows = whole.view(np.dtype((np.void, whole.shape[1] * whole.itemsize))).ravel()
        self.first, self.kind = np.unique(rows, return_index=True, return_inverse=True)[1:]
        self.dual = self.values.shape[1] > len(self.values)
        if not self.dual:
            self.moments = [_moments(self.values[rows].astype(np.float64)) for rows in self.blocks.rows]

    def load(self, targets: Targets) -> Solver:
        """Return the solver for some labelings."""
        return Dual(self, targets) if self.dual else Primal(self, targets)

    def by_kind(self, rows: Int[np.ndarray, " row"]) -> tuple[Shaped[np.ndarray, "kind d"], Int[np.ndarray, " row"]]:
        """Return the distinct rows of features, and which of them each row is: equal rows get equal scores, exactly."""
        kinds, inverse = np.unique(self.kind[rows], return_inverse=True)
        if len(kinds) == len(rows):
            return self.values[rows], np.arange(len(rows))
        return self.values[self.first[kinds]], inverse


@dataclass(frozen=True)
class Moments:
    """Count, sums, products, least and greatest value of some rows of features."""

    n: int
    total: Float64[np.ndarray, " d"]
    gram: Float64[np.ndarray, "d d"]
    least: Float64[np.ndarray, " d"]
    greatest: Float64[np.ndarray, " d"]


def _moments(rows: Float64[np.ndarray, "row d"]) -> Moments:
    return Moments(len(rows), rows.sum(axis=0), rows.T @ rows, rows.min(axis=0), rows.max(axis=0))


def _joined(moments: Sequence[Moments], n_features: int) -> Moments:
    if not moments:
        none = np.zeros(n_features)
        return Moments(0, none, np.zeros((n_features, n_features)), none, none)
    gram = moments[0].gram.copy()
    for one in moments[1:]:
        gram += one.gram
    return Moments(
        sum(one.n for one in moments),
        np.sum([one.total for one in moments], axis=0),
        gram,
        np.min([one.least for one in moments], axis=0),
        np.max([one.greatest for one in moments], axis=0),
    )


def _inverse_scale(
    n: int, square: Float64[np.ndarray, " d"], mean: Float64[np.ndarray, " d"], constant: Bool[np.ndarray, " d"]
) -> Float64[np.ndarray, " d"]:
    """Return 1 / standard deviation; 0 for a feature that is constant in the part, which then has no coefficient."""
    variance = square / n - mean**2
    scale = np.zeros(len(mean))
    used = ~constant & (variance > CONSTANT * square / n)
    scale[used] = variance[used] ** -0.5
    return scale


def _filled(n_rows: int) -> None:
    if n_rows == 0:
        raise RidgeError(
            "a training part of a ridge probe holds no rows",
            likely="there are fewer than three folds, and none is left for an inner one",
            do="use at least 3 folds, or one penalty",
        )


class Primal:
    """Ridge by d x d matrices, for no more features than rows."""

    def __init__(self, features: Features, targets: Targets) -> None:
        self.features = features
        self.by_row = isinstance(targets, Classes)
        self.products, self.sums, self.squares = (
            _class_products(features, targets) if isinstance(targets, Classes) else _products(features, targets)
        )

    def _part(self, members: Bool[np.ndarray, " block"]) -> tuple[Moments, np.ndarray, np.ndarray, np.ndarray]:
        """Return features' moments, and labels' products with them, sums and squares, of a part."""
        moments = [self.features.moments[block] for block in np.flatnonzero(members)]
        products = np.add.reduce(self.products[members], axis=0)
        joined = _joined(moments, self.features.values.shape[1])
        return joined, products, self.sums[members].sum(axis=0), self.squares[members].sum(axis=0)

    def _solutions(self, part: Moments, alphas: Sequence[float]) -> Iterator[Float[np.ndarray, "d d"]]:
        """Yield per penalty the matrix that turns centred products into coefficients of unscaled features."""
        mean = part.total / part.n
        constant = part.least == part.greatest
        scale = _inverse_scale(part.n, np.diagonal(part.gram), mean, constant)
        gram = (part.gram - np.outer(part.total, mean)) * np.outer(scale, scale)
        for alpha in alphas:
            regular = gram + alpha * np.eye(len(gram))
            factor, _ = linalg.lapack.dpotrf(regular, lower=1, overwrite_a=1)
            half, _ = linalg.lapack.dpotri(factor, lower=1, overwrite_c=1)
            inverse = np.tril(half) + np.tril(half, -1).T
            yield (inverse * np.outer(scale, scale)).astype(self.features.precision)

    def errors(
        self, train: Bool[np.ndarray, " block"], held: Sequence[Bool[np.ndarray, " block"]], alphas: Sequence[float]
    ) -> Float64[np.ndarray, "part alpha column"]:
        """Return summed squared errors on each held-out part, as quadratic forms in its moments."""
        part, products, sums, _ = self._part(train)
        _filled(part.n)
        mean, level = part.total / part.n, sums / part.n
        precision = self.features.precision
        cross = products - np.outer(level, part.total).astype(precision)
        forms = []
        for members in held:
            out, out_products, out_sums, out_squares = self._part(members)
            drift = out.total - out.n * mean
            gram = out.gram - np.outer(out.total, mean) - np.outer(mean, drift)
            out_cross = 2.0 * (out_products - np.outer(level, drift).astype(precision))
            out_cross -= np.outer(2.0 * out_sums, mean).astype(precision)
            rest = out_squares - 2.0 * level * out_sums + out.n * level**2
            forms.append((gram.astype(precision), out_cross.astype(precision, copy=False), rest))
        found = np.empty((len(held), len(alphas), len(level)))
        for place, solution in enumerate(self._solutions(part, alphas)):
            coefficients = cross @ solution
            for which, (gram, out_cross, rest) in enumerate(forms):
                image = coefficients @ gram
                image -= out_cross
                found[which, place] = rest + np.einsum("md,md->m", image, coefficients)
        return found

    def coefficients(
        self, train: Bool[np.ndarray, " block"], alphas: Sequence[float], chosen: Int[np.ndarray, " column"]
    ) -> tuple[Float[np.ndarray, "column d"], Float64[np.ndarray, " column"]]:
        """Return coefficients of the centred features, and intercepts, each column by its own penalty."""
        part, products, sums, _ = self._part(train)
        _filled(part.n)
        level = sums / part.n
        cross = products - np.outer(level, part.total).astype(products.dtype)
        places = np.unique(chosen)
        found = np.empty_like(cross)
        for place, solution in zip(places, self._solutions(part, [alphas[one] for one in places]), strict=True):
            if len(places) == 1:
                found = cross @ solution
            else:
                found[chosen == place] = cross[chosen == place] @ solution
        return found, level - found @ (part.total / part.n)

    def predict(
        self,
        train: Bool[np.ndarray, " block"],
        rows: Int[np.ndarray, " tested"],
        alphas: Sequence[float],
        chosen: Int[np.ndarray, " column"],
    ) -> Float[np.ndarray, "column tested"]:
        """Return predictions, each column by the penalty at its place in `alphas`."""
        found, intercept = self.coefficients(train, alphas, chosen)
        values, kinds = self.features.by_kind(rows)
        values = values.astype(found.dtype, copy=False)
        # The columns of one row side by side where they are compared with each other, else the rows of one column.
        scores = (values @ found.T).T if self.by_row else found @ values.T
        scores += intercept.astype(found.dtype)[:, None]
        return scores if len(values) == len(rows) else scores[:, kinds]


def _products(features: Features, targets: Float[np.ndarray, "column target"]) -> tuple[np.ndarray, ...]:
    """Return per block Y'X of shape (n_blocks, n_columns, d), and sums and squares of Y, (n_blocks, n_columns)."""
    shape = len(features.blocks.rows), len(targets)
    products = np.empty((*shape, features.values.shape[1]), features.precision)
    sums, squares = np.empty(shape), np.empty(shape)
    for block, rows in enumerate(features.blocks.rows):
        labels = targets[:, rows].astype(features.precision, copy=False)
        np.matmul(labels, features.values[rows].astype(features.precision, copy=False), out=products[block])
        sums[block] = labels.sum(axis=1, dtype=np.float64)
        squares[block] = np.einsum("mn,mn->m", labels, labels, dtype=np.float64)
    return products, sums, squares


def _class_products(features: Features, targets: Classes) -> tuple[np.ndarray, ...]:
    """Return the same of class codes: sums of rows by class, without writing the codes out."""
    n_labelings, n_rows = targets.labels.shape
    n_columns = n_labelings * targets.n_classes
    block = np.empty(n_rows, np.int64)
    for one, rows in enumerate(features.blocks.rows):
        block[rows] = one
    n_blocks = len(features.blocks.rows)
    cells = block * n_columns + np.arange(n_labelings)[:, None] * targets.n_classes + targets.labels
    counts = np.bincount(cells.ravel(), minlength=n_blocks * n_columns).astype(np.float64)
    rows = np.tile(np.arange(n_rows), n_labelings)
    ones = np.ones(cells.size, features.precision)
    member = sparse.csr_matrix((ones, (cells.ravel(), rows)), shape=(n_blocks * n_columns, n_rows))
    products = member @ features.values.astype(features.precision, copy=False)
    shape = n_blocks, n_columns
    return products.reshape(*shape, -1), counts.reshape(shape), counts.reshape(shape)


class Dual:
    """Ridge by the Gram matrix of each part's rows, for more features than rows."""

    def __init__(self, features: Features, targets: Targets) -> None:
        self.features = features
        codes = targets.codes(features.precision) if isinstance(targets, Classes) else targets
        self.targets = codes.astype(features.precision, copy=False)

    def _rows(self, members: Bool[np.ndarray, " block"]) -> Int[np.ndarray, " row"]:
        rows = [self.features.blocks.rows[block] for block in np.flatnonzero(members)]
        return np.concatenate([np.empty(0, np.int64), *rows])

    def _scaled(self, rows: Int[np.ndarray, " row"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return a part's features, scaled within it, and its mean and inverse scale."""
        _filled(len(rows))
        values = self.features.values[rows]
        mean = values.mean(axis=0, dtype=np.float64)
        constant = values.min(axis=0) == values.max(axis=0)
        square = np.einsum("nd,nd->d", values, values, dtype=np.float64)
        scale = _inverse_scale(len(rows), square, mean, constant)
        return ((values - mean) * scale).astype(self.features.precision, copy=False), mean, scale

    def _solved(
        self, inside: Float[np.ndarray, "row d"], right: Float[np.ndarray, "row other"], alphas: Sequence[float]
    ) -> Iterator[Float[np.ndarray, "row other"]]:
        """Yield per penalty the right side divided by the regularised Gram matrix."""
        gram = (inside @ inside.T).astype(np.float64)
        for alpha in alphas:
            factor = linalg.cho_factor(gram + alpha * np.eye(len(gram)), overwrite_a=True, check_finite=False)
            yield linalg.cho_solve(factor, right, check_finite=False).astype(self.features.precision)

    def _hats(
        self, rows: Int[np.ndarray, " row"], others: Float[np.ndarray, "other d"], alphas: Sequence[float]
    ) -> Iterator[Float[np.ndarray, "row other"]]:
        """Yield per penalty what turns labels less their mean into predictions less the mean."""
        inside, mean, scale = self._scaled(rows)
        outside = ((others - mean) * scale).astype(self.features.precision, copy=False)
        return self._solved(inside, inside @ outside.T, alphas)

    def coefficients(
        self, train: Bool[np.ndarray, " block"], alphas: Sequence[float], chosen: Int[np.ndarray, " column"]
    ) -> tuple[Float[np.ndarray, "column d"], Float64[np.ndarray, " column"]]:
        """Return coefficients of the centred features, and intercepts, each column by its own penalty."""
        rows = self._rows(train)
        labels, level = _less_mean(self.targets[:, rows])
        inside, mean, scale = self._scaled(rows)
        found = np.empty((len(labels), len(mean)))
        places = np.unique(chosen)
        for place, solved in zip(places, self._solved(inside, inside, [alphas[one] for one in places]), strict=True):
            found[chosen == place] = (labels[chosen == place] @ solved) * scale
        return found, level[:, 0] - found @ mean

    def errors(
        self, train: Bool[np.ndarray, " block"], held: Sequence[Bool[np.ndarray, " block"]], alphas: Sequence[float]
    ) -> Float64[np.ndarray, "part alpha column"]:
        """Return summed squared errors on each held-out part."""
        rows, parts = self._rows(train), [self._rows(members) for members in held]
        _filled(len(rows))
        others = np.concatenate(parts)
        labels, level = _less_mean(self.targets[:, rows])
        wanted = self.targets[:, others] - level
        ends = np.cumsum([0, *map(len, parts)])
        found = np.empty((len(held), len(alphas), len(labels)))
        for place, hat in enumerate(self._hats(rows, self.features.values[others], alphas)):
            missed = labels @ hat
            missed -= wanted
            for which in range(len(held)):
                part = missed[:, ends[which] : ends[which + 1]]
                found[which, place] = np.einsum("mn,mn->m", part, part, dtype=np.float64)
        return found

    def predict(
        self,
        train: Bool[np.ndarray, " block"],
        rows: Int[np.ndarray, " tested"],
        alphas: Sequence[float],
        chosen: Int[np.ndarray, " column"],
    ) -> Float[np.ndarray, "column tested"]:
        """Return predictions, each column by the penalty at its place in `alphas`."""
        inside = self._rows(train)
        labels, level = _less_mean(self.targets[:, inside])
        values, kinds = self.features.by_kind(rows)
        places = np.unique(chosen)
        scores = np.empty((len(labels), len(values)), labels.dtype)
        for place, hat in zip(places, self._hats(inside, values, [alphas[one] for one in places]), strict=True):
            scores[chosen == place] = labels[chosen == place] @ hat
        scores += level
        return scores if len(values) == len(rows) else scores[:, kinds]


def _less_mean(labels: Float[np.ndarray, "column row"]) -> tuple[np.ndarray, np.ndarray]:
    level = labels.mean(axis=1, keepdims=True, dtype=np.float64).astype(labels.dtype)
    return labels - level, level


def choose(
    solver: Solver, blocks: Blocks, alphas: Sequence[float], columns_per_labeling: int, n_columns: int
) -> Int[np.ndarray, "fold labeling"]:
    """Return the place in `alphas` of the least squared error over inner folds; the first of equals.

    The inner folds of an outer fold are the other outer folds; the fit without two folds serves as inner fit of both.
    """
    n_folds, n_labelings = len(blocks.trains), n_columns // columns_per_labeling
    if len(alphas) == 1:
        return np.zeros((n_folds, n_labelings), np.int64)
    losses = np.zeros((n_folds, len(alphas), n_labelings))
    for one, other in combinations(range(n_folds), 2):
        train = blocks.trains[one] & blocks.trains[other]
        errors = solver.errors(train, (blocks.tests[other], blocks.tests[one]), alphas)
        by_labeling = errors.reshape(2, len(alphas), n_labelings, columns_per_labeling).sum(axis=-1)
        losses[one] += by_labeling[0]
        losses[other] += by_labeling[1]
    return losses.argmin(axis=1)


def strongest_first(alphas: Sequence[float]) -> list[float]:
    """Return penalties in descending order, so that the first of equally good ones is the strongest.

    Raises
    ------
    RidgeError
        If there is none, or one is not above 0.
    """
    if not alphas or min(alphas) <= 0:
        raise RidgeError(f"penalties {list(alphas)}, expected at least one, each above 0", do="correct the penalties")
    return sorted(map(float, alphas), reverse=True)


def solve(
    features: Features, targets: Targets, alphas: Sequence[float], columns_per_labeling: int
) -> tuple[Int[np.ndarray, "fold labeling"], Iterator[Tested]]:
    """Choose penalties, and return them by their place in `strongest_first(alphas)`, with scores fold by fold.

    Parameters
    ----------
    features : Features
        The rows, under masks.
    targets : np.ndarray or Classes
        Columns of labels, shape (n_columns, n_targets), those of one labeling side by side; or class indices.
    alphas : Sequence[float]
        Penalties, each above 0, of the scaled features (scikit-learn's Ridge after StandardScaler).
    columns_per_labeling : int
        How many columns share a penalty; `n_classes` of Classes.

    Returns
    -------
    (np.ndarray, Iterator[Tested])
        A fold that tests nothing is not among the scores.
    """
    ordered = strongest_first(alphas)
    solver, blocks = features.load(targets), features.blocks
    n_columns = len(targets.labels) * targets.n_classes if isinstance(targets, Classes) else len(targets)
    chosen = choose(solver, blocks, ordered, columns_per_labeling, n_columns)

    def tested() -> Iterator[Tested]:
        for fold, members in enumerate(blocks.tests):
            if not members.any():
                continue
            rows = np.sort(np.concatenate([blocks.rows[block] for block in np.flatnonzero(members)]))
            places = np.repeat(chosen[fold], columns_per_labeling)
            yield Tested(fold, rows, solver.predict(blocks.trains[fold], rows, ordered, places))

    return chosen, tested()


def ridge_out_of_fold(
    features: Shaped[np.ndarray, "target feature"],
    targets: Shaped[np.ndarray, "target column"],
    masks: Masks,
    alphas: Sequence[float],
    columns_per_labeling: int,
    precision: type = np.float64,
) -> RidgeOutcome:
    """Score every row by ridge probes that were trained without its fold, for many labelings at once.

    Equal to scikit-learn's ``Pipeline(StandardScaler(), Ridge(alpha))`` on every training part, to the accuracy stated
    above. A feature that is constant in a training part is left out there.

    Parameters
    ----------
    features : np.ndarray
        Shape (n_targets, n_features), finite.
    targets : np.ndarray
        Shape (n_targets, n_columns): numbers, or -1/1 codes of classes; the columns of one labeling side by side.
    masks : sequence of (np.ndarray, np.ndarray)
        Per outer fold, which targets train and which are tested; see `tables.fold_masks`.
    alphas : Sequence[float]
        Penalties, each above 0.
    columns_per_labeling : int
        How many columns share a penalty: the one of the least squared error summed over them and the inner folds, the
        strongest of equals.
    precision : type
        np.float64, or np.float32 which takes half the time.

    Returns
    -------
    RidgeOutcome

    Raises
    ------
    RidgeError
        If a feature is not finite, a penalty is not above 0, or a training part is empty.
    """
    values = np.asarray(targets, np.float64)
    # Taken off before rounding to the precision, and added to the scores: labels too may have a large mean.
    level = values.mean(axis=0)
    columns = np.ascontiguousarray((values - level).T, dtype=precision)
    chosen, folds = solve(Features(features, masks, precision), columns, alphas, columns_per_labeling)
    scores = np.full(values.shape, np.nan, np.float32)
    for tested in folds:
        scores[tested.rows] = tested.scores.T + level
    return RidgeOutcome(scores, np.array(strongest_first(alphas))[chosen])


def fit_ridge(
    features: Shaped[np.ndarray, "target feature"], targets: Shaped[np.ndarray, "target column"], alpha: float
) -> tuple[Float64[np.ndarray, "feature column"], Float64[np.ndarray, " column"]]:
    """Return coefficients and intercepts of one ridge fit on scaled features, in the features' own units.

    Predictions are ``features @ coefficients + intercept``.

    Parameters
    ----------
    features : np.ndarray
        Shape (n_targets, n_features), finite.
    targets : np.ndarray
        Shape (n_targets, n_columns).
    alpha : float
        Penalty of the scaled features, above 0.

    Raises
    ------
    RidgeError
        If a feature is not finite, or the penalty is not above 0.
    """
    alphas = strongest_first([alpha])
    everything = np.ones(len(features), bool)
    prepared = Features(features, [(everything, ~everything)], np.float64)
    values = np.asarray(targets, np.float64)
    level, mean = values.mean(axis=0), features.mean(axis=0, dtype=np.float64)
    columns = np.ascontiguousarray((values - level).T)
    chosen, train = np.zeros(len(columns), np.int64), prepared.blocks.trains[0]
    solver = prepared.load(columns)
    coefficients, intercept = solver.coefficients(train, alphas, chosen)
    return coefficients.T, level + intercept - mean @ coefficients.T
