"""What own classifiers share, by scikit-learn's rules: reading labels, and classes and probabilities from decisions."""

from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data


class Deciding(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier by decision values: one column for two classes, positive for the second; else one for each."""

    def _read(self, X: Any, y: Any, dtype: Any) -> tuple[Float[np.ndarray, "row feature"], Int[np.ndarray, " row"]]:  # noqa: N803  scikit-learn's names
        """Check features and labels, keep the classes as `classes_`, and return features and class indices.

        Raises
        ------
        ValueError
            If the labels hold one class only, or a feature is not finite.
        """
        X, y = validate_data(self, X, y, dtype=dtype)  # noqa: N806
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"the labels hold {len(self.classes_)} class, expected at least 2")
        return X, labels

    def decision_function(self, X: Any) -> Float[np.ndarray, "row *class"]:  # noqa: N803
        """Return decision values: (n_rows,) for two classes; else (n_rows, n_classes)."""
        raise NotImplementedError

    def predict(self, X: Any) -> Shaped[np.ndarray, " row"]:  # noqa: N803
        """Return the class of the greatest decision value."""
        decision = self.decision_function(X)
        return self.classes_[(decision > 0).astype(int) if decision.ndim == 1 else decision.argmax(axis=1)]


class Probable(Deciding):
    """A classifier whose decision values are log odds, or logits whose softmax is the probability."""

    def predict_proba(self, X: Any) -> Float[np.ndarray, "row class"]:  # noqa: N803
        """Return the probability of every class, (n_rows, n_classes)."""
        decision = self.decision_function(X)
        return np.stack([expit(-decision), expit(decision)], 1) if decision.ndim == 1 else softmax(decision, axis=1)

    def predict_log_proba(self, X: Any) -> Float[np.ndarray, "row class"]:  # noqa: N803
        """Return the logarithm of `predict_proba`, exact where that is 0 or 1 within rounding."""
        decision = self.decision_function(X)
        if decision.ndim == 1:
            return np.stack([log_expit(-decision), log_expit(decision)], 1)
        return log_softmax(decision, axis=1)
