"""Ridge by n x n matrices of each part's rows, for more features than rows."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float, Float64, Int
from scipy import linalg

from linear_probing.solving.parts import Classes, Features, Targets, check_filled, inverse_scale, singular


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
        check_filled(len(rows))
        values = self.features.values[rows]
        mean = values.mean(axis=0, dtype=np.float64)
        constant = values.min(axis=0) == values.max(axis=0)
        square = np.einsum("nd,nd->d", values, values, dtype=np.float64)
        scale = inverse_scale(len(rows), square, mean, constant)
        return ((values - mean) * scale).astype(self.features.precision, copy=False), mean, scale

    def _fits(
        self,
        gram: Float64[np.ndarray, "row row"],
        cross: Float[np.ndarray, "row other"],
        labels: Float[np.ndarray, "column row"],
        alphas: Sequence[float],
    ) -> Iterator[Float[np.ndarray, "column other"]]:
        """Yield per penalty labels, divided by the regularised Gram matrix, times `cross`."""
        for alpha in alphas:
            try:
                factor = linalg.cho_factor(gram + alpha * np.eye(len(gram)), overwrite_a=True, check_finite=False)
            except linalg.LinAlgError as error:
                raise singular(alpha) from error
            if len(labels) < cross.shape[1]:
                weights = linalg.cho_solve(factor, labels.T, check_finite=False).T
                yield weights.astype(self.features.precision) @ cross
            else:
                yield labels @ linalg.cho_solve(factor, cross, check_finite=False).astype(self.features.precision)

    def coefficients(
        self, train: Bool[np.ndarray, " block"], alphas: Sequence[float], chosen: Int[np.ndarray, " column"]
    ) -> Float[np.ndarray, "column d"]:
        """Return coefficients of the centred features, then the intercept, each column by its own penalty."""
        rows = self._rows(train)
        labels, level = _less_mean(self.targets[:, rows])
        inside, mean, scale = self._scaled(rows)
        gram = (inside @ inside.T).astype(np.float64)
        found = np.empty((len(labels), len(mean) + 1))
        for place in np.unique(chosen):
            mine = chosen == place
            found[mine, :-1] = next(self._fits(gram, inside, labels[mine], [alphas[place]])) * scale
        found[:, -1] = level[:, 0] - found[:, :-1] @ mean
        return found

    def errors(
        self, train: Bool[np.ndarray, " block"], held: Sequence[Bool[np.ndarray, " block"]], alphas: Sequence[float]
    ) -> Float64[np.ndarray, "part alpha column"]:
        """Return summed squared errors on each held-out part."""
        rows, parts = self._rows(train), [self._rows(members) for members in held]
        check_filled(len(rows))
        others = np.concatenate(parts)
        labels, level = _less_mean(self.targets[:, rows])
        wanted = self.targets[:, others] - level
        ends = np.cumsum([0, *map(len, parts)])
        found = np.empty((len(held), len(alphas), len(labels)))
        inside, mean, scale = self._scaled(rows)
        cross = inside @ ((self.features.values[others] - mean) * scale).astype(self.features.precision).T
        gram = (inside @ inside.T).astype(np.float64)
        for place, missed in enumerate(self._fits(gram, cross, labels, alphas)):
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
        trained = self._rows(train)
        labels, level = _less_mean(self.targets[:, trained])
        values, kinds = self.features.by_kind(rows)
        inside, mean, scale = self._scaled(trained)
        cross = inside @ ((values - mean) * scale).astype(self.features.precision).T
        gram = (inside @ inside.T).astype(np.float64)
        scores = np.empty((len(labels), len(values)), labels.dtype)
        for place in np.unique(chosen):
            mine = chosen == place
            scores[mine] = next(self._fits(gram, cross, labels[mine], [alphas[place]]))
        scores += level
        return scores if len(values) == len(rows) else scores[:, kinds]


def _less_mean(labels: Float[np.ndarray, "column row"]) -> tuple[np.ndarray, np.ndarray]:
    level = labels.mean(axis=1, keepdims=True, dtype=np.float64).astype(labels.dtype)
    return labels - level, level
