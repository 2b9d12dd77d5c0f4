"""The protocol of every probe: outer folds give scores, inner folds choose the penalty, scaling is learnt in training.

The inner folds of outer fold k are the other outer folds: what holds for the outer split (no group, country or
number on both sides) so holds for the inner one by construction. A fit without folds j and k serves as inner fit of
both, which halves them.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Shaped
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.metrics import log_loss
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from linear_probing.solving.logistic import SMALLEST
from linear_probing.solving.parts import scored_folds
from linear_probing.stage import StudyError

MAX_ITERATIONS = 200
TOLERANCE = 1e-4
Masks = Sequence[tuple[Bool[np.ndarray, " target"], Bool[np.ndarray, " target"]]]


class ProbeError(StudyError):
    """A probe that cannot be fitted."""


@dataclass(frozen=True)
class Fit:
    """Diagnostics of the fit that scored one outer fold.

    Parameters
    ----------
    fold : int
        Which it scored.
    penalty : float
        The one of the least inner loss.
    n_iterations : int
        0 for a closed form.
    converged : bool
        Whether the solver reached its tolerance.
    note : str
        What is degraded, in words.
    inner_loss : float
        Mean loss of that penalty over the inner folds: log loss in nats, or squared error summed over outputs. No fit
        behind it has seen the outer fold, so layers may be chosen by it. NaN where a protocol does not report it.
    """

    fold: int
    penalty: float
    n_iterations: int
    converged: bool
    note: str = ""
    inner_loss: float = float("nan")


@dataclass(frozen=True)
class Outcome:
    """Out-of-fold scores of one labeling, (n_targets, n_outputs), NaN where no fold tests a target; and the fits."""

    scores: Float[np.ndarray, "target output"]
    fits: tuple[Fit, ...]


def pipeline(probe: str, penalty: float, features: Any, n_classes: int) -> Pipeline:
    """Return scaling and probe as one estimator, so that scaling is learnt in the training part only.

    Sparse features are scaled without centring, which would fill them. The solvers are those that are exact and fast
    here: Newton's method for two classes, L-BFGS for more.
    """
    scale = StandardScaler(with_mean=isinstance(features, np.ndarray), with_std=isinstance(features, np.ndarray))
    solver = "newton-cholesky" if n_classes == 2 and features.shape[1] < 1000 else "lbfgs"
    estimators = {
        "logistic": lambda: LogisticRegression(C=penalty, solver=solver, max_iter=MAX_ITERATIONS, tol=TOLERANCE),
        "ridge": lambda: Ridge(alpha=penalty),
        "ridge_classifier": lambda: RidgeClassifier(alpha=penalty),
    }
    return Pipeline([("scale", scale), ("probe", estimators[probe]())])


def fit(probe: str, penalty: float, features: Any, labels: Shaped[np.ndarray, "target *output"]) -> Pipeline:
    """Fit one probe; a fit that does not converge is recorded by the caller, not warned of.

    Raises
    ------
    ProbeError
        If the labels hold one class only.
    """
    n_classes = len(np.unique(labels)) if labels.ndim == 1 else 0
    if n_classes == 1:
        raise ProbeError(
            f"a training part of {len(labels):,} targets holds one class, expected at least 2",
            likely="a class is so rare that all its groups stand in the folds left out",
            do="use a larger data set or fewer folds",
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return pipeline(probe, penalty, features, n_classes).fit(features, labels)


class Fitting:
    """Fits to one feature matrix, each made once: splits may share a training part, as a data set's own."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, float, bytes, bytes], Pipeline] = {}

    def fit(
        self,
        probe: str,
        penalty: float,
        features: Any,
        labels: Shaped[np.ndarray, "target *output"],
        train: Bool[np.ndarray, " target"],
    ) -> Pipeline:
        """Return what `fit` makes of the rows that train."""
        key = (probe, penalty, train.tobytes(), labels[train].tobytes())
        if key not in self.known:
            self.known[key] = fit(probe, penalty, features[train], labels[train])
        return self.known[key]


def outputs(fitted: Pipeline, features: Any, n_classes: int) -> Float[np.ndarray, "target output"]:
    """Return predictions (ridge) or decision values, one column for two classes, else one per class.

    A class that the training part lacks gets a value below all others.
    """
    if not hasattr(fitted, "classes_"):
        return np.asarray(fitted.predict(features), dtype=np.float64).reshape(features.shape[0], -1)
    decision = np.asarray(fitted.decision_function(features), dtype=np.float64)
    if n_classes == 2:
        return decision.reshape(-1, 1)
    if len(fitted.classes_) == 2:
        decision = np.stack([-decision, decision], axis=1)
    full = np.repeat(decision.min(axis=1, keepdims=True) - 1.0, n_classes, axis=1)
    full[:, fitted.classes_] = decision
    return full


def loss(fitted: Pipeline, features: Any, labels: Shaped[np.ndarray, "target *output"], n_classes: int) -> float:
    """Return what inner folds compare, summed over targets: log loss, or squared error (of -1/1 codes for classes)."""
    if hasattr(fitted[-1], "predict_proba"):
        inside = np.isin(labels, fitted.classes_)
        unknown = float((~inside).sum()) * -np.log(SMALLEST)
        if not inside.any():
            return unknown
        probabilities = fitted.predict_proba(features[inside])
        return unknown + float(log_loss(labels[inside], probabilities, labels=fitted.classes_, normalize=False))
    wanted = labels if labels.ndim == 2 else 2.0 * np.eye(n_classes)[labels] - 1.0
    if labels.ndim == 1 and n_classes == 2:
        wanted = wanted[:, 1:]
    return float(((outputs(fitted, features, n_classes) - wanted) ** 2).sum())


def held_out(masks: Masks, outer: int, inner: int) -> Bool[np.ndarray, " target"]:
    """Return the targets that the inner fold of an outer fold's training part tests."""
    return masks[inner][1] & masks[outer][0]


def choose_penalties(
    features: Any,
    labels: Shaped[np.ndarray, "target *output"],
    masks: Masks,
    probe: str,
    penalties: Sequence[float],
    n_classes: int,
    fitting: Fitting | None = None,
) -> list[float]:
    """Return, for every outer fold, the penalty of the least loss over the inner folds; the strongest of equals."""
    ordered, fitting = sorted(penalties, reverse=probe != "logistic"), fitting or Fitting()
    if len(ordered) == 1:
        return [ordered[0]] * len(masks)
    losses, scored = np.zeros((len(masks), len(ordered))), scored_folds(masks)
    for one in range(len(masks)):
        for other in range(one + 1, len(masks)):
            if one not in scored and other not in scored:
                continue
            train = masks[one][0] & masks[other][0]
            for place, penalty in enumerate(ordered):
                fitted = fitting.fit(probe, penalty, features, labels, train)
                for outer, inner in ((one, other), (other, one)):
                    held = held_out(masks, outer, inner)
                    if held.any():
                        losses[outer, place] += loss(fitted, features[held], labels[held], n_classes)
    return [ordered[place] for place in losses.argmin(axis=1)]


def probe_out_of_fold(
    features: Any,
    labels: Shaped[np.ndarray, "target *output"],
    masks: Masks,
    probe: str,
    penalties: Sequence[float],
    fitting: Fitting | None = None,
) -> Outcome:
    """Score every target by a probe that was trained without its fold.

    Parameters
    ----------
    features : np.ndarray or scipy.sparse.csr_matrix
        Shape (n_targets, n_features).
    labels : np.ndarray
        Class indices of shape (n_targets,), or numbers of shape (n_targets, n_outputs).
    masks : sequence of (np.ndarray, np.ndarray)
        Per outer fold, which targets train and which are tested; see `tables.fold_masks`. Scores are of `scored_folds`.
    probe : str
        'logistic', 'ridge' or 'ridge_classifier'.
    penalties : Sequence[float]
        C of logistic, alpha of ridge.
    fitting : Fitting, optional
        What was fitted to these features before, for another split.
    """
    fitting = fitting or Fitting()
    n_classes = int(labels.max()) + 1 if labels.ndim == 1 else 0
    n_outputs = labels.shape[1] if labels.ndim == 2 else 1 if n_classes == 2 else n_classes
    scores = np.full((len(labels), n_outputs), np.nan, dtype=np.float32)
    chosen = choose_penalties(features, labels, masks, probe, penalties, n_classes, fitting)
    fits = []
    for fold in scored_folds(masks):
        train, tested = masks[fold]
        fitted = fitting.fit(probe, chosen[fold], features, labels, train)
        scores[tested] = outputs(fitted, features[tested], n_classes)
        n_iterations = int(np.max(getattr(fitted[-1], "n_iter_", None) or 0)) if probe == "logistic" else 0
        fits.append(Fit(fold, chosen[fold], n_iterations, n_iterations < MAX_ITERATIONS))
    return Outcome(scores, tuple(fits))
