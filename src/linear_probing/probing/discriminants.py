"""Two linear classifiers in closed form: difference of class means, and the same in the metric of the covariance.

Both have no penalty to choose. `MeanDifference` ignores how features covary; `ShrunkDiscriminant` divides by their
covariance within classes, shrunk after Ledoit and Wolf. The latter gives the numbers of scikit-learn's
LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"), which forms and decomposes matrices of d x d: 30 s at
d = 4,096. Where features outnumber rows, all that is needed here are matrices of n x n.
Cost: at n = 1,500, d = 4,096 one second on one thread; at n = 2,240, d = 160 twenty milliseconds.
"""

from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import cho_factor, cho_solve, lstsq
from sklearn.utils.validation import check_is_fitted, validate_data

from linear_probing.probing.deciding import Deciding, Probable

Coefficients = tuple[Float[np.ndarray, "class feature"], Float[np.ndarray, " class"]]


class _Discriminant(Deciding):
    """What both share: decisions from coefficients."""

    def _coefficients(
        self, features: Float[np.ndarray, "row feature"], labels: Int[np.ndarray, " row"], n_classes: int
    ) -> Coefficients:
        raise NotImplementedError

    def fit(self, X: Any, y: Any) -> "_Discriminant":  # noqa: N803  scikit-learn's names
        """Fit to features (n_rows, n_features) and labels (n_rows,).

        Raises
        ------
        ValueError
            If the labels hold one class only, or a feature is not finite.
        """
        # Single precision is widened a class at a time: the whole in double is too large where rows are many.
        X, labels = self._read(X, y, [np.float64, np.float32])  # noqa: N806
        n_classes = len(self.classes_)
        coefficients, intercept = self._coefficients(X, labels, n_classes)
        if n_classes == 2:
            coefficients, intercept = coefficients[1:] - coefficients[:1], intercept[1:] - intercept[:1]
        self.coef_, self.intercept_ = coefficients, intercept
        return self

    def decision_function(self, X: Any) -> Float[np.ndarray, "row *class"]:  # noqa: N803
        """Return decision values: (n_rows,) for two classes, positive for the second; else (n_rows, n_classes)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)  # noqa: N806
        decision = X @ self.coef_.T + self.intercept_
        return decision[:, 0] if len(self.classes_) == 2 else decision


class MeanDifference(_Discriminant):
    """Classifier along the difference of class means, or of nearest means for several classes.

    Decision values are x . mu_c - |mu_c|^2 / 2, the linear part of the negative half squared distance to a class's
    mean; for two classes their difference, whose direction is mu_1 - mu_0 and whose threshold lies midway. They are no
    log odds. Source: Marks & Tegmark 2023, "mass-mean" probe without covariance.

    Attributes
    ----------
    classes_ : np.ndarray
        Sorted labels, shape (n_classes,).
    coef_ : np.ndarray
        Shape (1, n_features) for two classes, else (n_classes, n_features).
    intercept_ : np.ndarray
        Shape (1,) or (n_classes,).

    Examples
    --------
    >>> probe = MeanDifference().fit([[0.0, 0.0], [0.0, 2.0], [4.0, 1.0]], [0, 0, 1])
    >>> probe.coef_.tolist(), probe.intercept_.tolist()
    ([[4.0, 0.0]], [-8.0])
    """

    def _coefficients(
        self, features: Float[np.ndarray, "row feature"], labels: Int[np.ndarray, " row"], n_classes: int
    ) -> Coefficients:
        means = _class_means(features, labels, n_classes)
        return means, -0.5 * (means**2).sum(axis=1)


class ShrunkDiscriminant(_Discriminant, Probable):
    """Linear discriminant analysis: class means in the metric of the shrunk covariance within classes.

    Every class's features are scaled to unit variance within the class, their covariance is shrunk towards a multiple
    of the identity by the amount that Ledoit & Wolf (2004) derive, and scaled back; the covariance is the mean over
    classes, weighted by frequency, which also is each class's prior. Decision values are log odds (two classes) or
    logits whose softmax is the probability, under normal classes of equal covariance.

    Attributes
    ----------
    classes_, coef_, intercept_ : np.ndarray
        As of `MeanDifference`.
    shrinkage_ : np.ndarray
        Share of the target in each class's covariance, in [0, 1], shape (n_classes,).
    """

    def _coefficients(
        self, features: Float[np.ndarray, "row feature"], labels: Int[np.ndarray, " row"], n_classes: int
    ) -> Coefficients:
        means = _class_means(features, labels, n_classes)
        priors = np.bincount(labels) / len(labels)
        n_rows, n_features = features.shape
        rows, gram, diagonal = [], np.zeros((n_features, n_features)), np.zeros(n_features)
        self.shrinkage_ = np.zeros(n_classes)
        for one, prior in enumerate(priors):
            own = features[labels == one] - means[one]
            scale = _deviations(own, means[one])
            share, target = _ledoit_wolf(own / scale)
            own *= np.sqrt(prior * (1 - share) / len(own))
            # covariance = rows' rows + diagonal
            if n_features > n_rows:
                rows.append(own)
            else:
                gram += own.T @ own
            diagonal += prior * share * target * scale**2
            self.shrinkage_[one] = share
        coefficients = _solve(np.concatenate(rows) if rows else gram, diagonal, means.T, bool(rows)).T
        return coefficients, np.log(priors) - 0.5 * (means * coefficients).sum(axis=1)


def _class_means(
    features: Float[np.ndarray, "row feature"], labels: Int[np.ndarray, " row"], n_classes: int
) -> Float[np.ndarray, "class feature"]:
    return np.stack([features[labels == one].mean(axis=0, dtype=np.float64) for one in range(n_classes)])


def _deviations(
    centred: Float[np.ndarray, "row feature"], mean: Float[np.ndarray, " feature"]
) -> Float[np.ndarray, " feature"]:
    """Return every feature's standard deviation, 1 where it is constant but for rounding, as StandardScaler has it."""
    variance = (centred**2).mean(axis=0)
    rounding = np.finfo(np.float64).eps * len(centred)
    variance[variance <= rounding * variance + (rounding * mean) ** 2] = 1.0
    return np.sqrt(variance)


def _ledoit_wolf(scaled: Float[np.ndarray, "row feature"]) -> tuple[float, float]:
    """Return how much to shrink the covariance of centred rows, and the multiple of the identity to shrink it to.

    The formulas of scikit-learn's `ledoit_wolf`, whose sums over pairs of features are here sums over rows or over
    pairs of rows: sum_ij (X2' X2)_ij = sum_n (sum_i X2_ni)^2 and |X' X| = |X X'|.
    """
    n_rows, n_features = scaled.shape
    target = float((scaled**2).sum()) / (n_rows * n_features)
    if n_features == 1:
        return 0.0, target
    gram = scaled @ scaled.T if n_rows < n_features else scaled.T @ scaled
    size = float((gram**2).sum()) / n_rows**2
    spread = float(((scaled**2).sum(axis=1) ** 2).sum()) / n_rows
    distance = (size - n_features * target**2) / n_features
    noise = min((spread - size) / (n_features * n_rows), distance)
    return (noise / distance if noise > 0 else 0.0), target


def _solve(
    given: Float[np.ndarray, "_ feature"],
    diagonal: Float[np.ndarray, " feature"],
    wanted: Float[np.ndarray, "feature class"],
    by_rows: bool,
) -> Float[np.ndarray, "feature class"]:
    """Return (rows' rows + diagonal)^-1 wanted, by the Woodbury identity where features outnumber rows.

    Given are these rows, or else their product with themselves.
    """
    if not (diagonal > 0).all():
        return lstsq((given.T @ given if by_rows else given) + np.diag(diagonal), wanted)[0]
    if not by_rows:
        return cho_solve(cho_factor(given + np.diag(diagonal), overwrite_a=True), wanted)
    divided = given / diagonal
    small = divided @ given.T
    small[np.diag_indices(len(given))] += 1.0
    plain = wanted / diagonal[:, None]
    return plain - divided.T @ cho_solve(cho_factor(small, overwrite_a=True), given @ plain)
