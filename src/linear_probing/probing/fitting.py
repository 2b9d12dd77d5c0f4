"""Fit and score probes whose parameters are fixed: out-of-fold scores and the diagnostics of every fit.

In: an estimator of scikit-learn's kind, features, labels, and which targets train and are tested in each fold. Out:
scores, as log odds where a probe has probabilities. Scaling is learnt in the training part. Cost: that of the fits.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Shaped
from numpy.linalg import LinAlgError
from scipy.special import expit, logsumexp, softmax
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from linear_probing.probing.estimators import EstimatorError
from linear_probing.solving.logistic import SMALLEST
from linear_probing.solving.parts import scored_folds

Masks = Sequence[tuple[Bool[np.ndarray, " target"], Bool[np.ndarray, " target"]]]


@dataclass(frozen=True)
class FoldFit:
    """Diagnostics of the fit that scored one outer fold.

    Parameters
    ----------
    fold : int
        Index of the masks.
    n_iterations : int
        The greatest, where there are several; 0 for a closed form.
    converged : bool
        Whether scikit-learn warned of no lack of convergence.
    note : str
        What was degraded, in words; empty if nothing.
    """

    fold: int
    n_iterations: int
    converged: bool
    note: str


@dataclass(frozen=True)
class FoldScores:
    """Scores (n_targets, n_outputs), NaN where no fold tests a target; per fold its fit, and the fitted pipeline."""

    scores: Float[np.ndarray, "target output"]
    fits: tuple[FoldFit, ...]
    pipelines: tuple[Pipeline, ...]


Known = dict[tuple[bytes, bytes], tuple[Pipeline, FoldFit]]
"""Fits of one estimator to one feature matrix, by the training part and its labels."""


def scores_of(fitted: Any, features: Any, n_classes: int) -> Float[np.ndarray, "target output"]:
    """Return what a fitted probe says of each target, as one column for two classes, else one per class or axis.

    Parameters
    ----------
    fitted : estimator
        A regressor, or a classifier of class indices.
    features : np.ndarray
        Shape (n_targets, n_features).
    n_classes : int
        Of the task, 0 for a position. A class that the training part lacks gets a value below all others, and, among
        logits, the smallest probability that single precision tells from none.

    Returns
    -------
    np.ndarray
        Predictions of a regressor. Of a classifier with probabilities the log odds, or logits whose softmax is the
        probability: its decision function where that is what it returns, else the logarithm of its probabilities, none
        taken for smaller than `SMALLEST`. Else decision values.

    Raises
    ------
    EstimatorError
        If a classifier's decision values are not one per class.
    """
    if n_classes == 0:
        return np.asarray(fitted.predict(features), dtype=np.float64).reshape(len(features), -1)
    probe = fitted[-1] if isinstance(fitted, Pipeline) else fitted
    decision, probabilistic = _decision(fitted, features)
    n_known = len(fitted.classes_)
    if n_known == 2 and decision.ndim == 1:
        if n_classes == 2:
            return decision[:, None]
        decision = np.stack([-decision, decision], axis=1) / 2.0  # whose softmax are the odds
    if decision.shape != (len(features), n_known):
        raise EstimatorError(
            f"{type(probe).__name__} gives {decision.shape[-1]} decision values, expected one for each of"
            f" {n_known} classes",
            likely="it compares the classes in pairs",
            do="set the parameter that makes it one against the rest, as decision_function_shape: ovr",
        )
    lowest = decision.min(axis=1) - 1.0
    if probabilistic:
        lowest = np.minimum(lowest, logsumexp(decision, axis=1) + np.log(SMALLEST))
    full = np.repeat(lowest[:, None], n_classes, axis=1)
    full[:, fitted.classes_] = decision
    return full


def _decision(fitted: Any, features: Any) -> tuple[Float[np.ndarray, "target *class"], bool]:
    """Return decision values, (n_targets,) for two classes, and whether they are log odds or logits."""
    decision = np.empty(0)
    if hasattr(fitted, "decision_function"):
        decision = np.asarray(fitted.decision_function(features), dtype=np.float64)
        decision = decision.ravel() if decision.size == len(features) else decision
    if not hasattr(fitted, "predict_proba"):
        return decision, False
    probabilities = np.asarray(fitted.predict_proba(features), dtype=np.float64)
    if decision.shape == (len(features),) and probabilities.shape[1] == 2:
        if np.allclose(expit(decision), probabilities[:, 1], atol=1e-6):
            return decision, True
    elif decision.shape == probabilities.shape and np.allclose(softmax(decision, axis=1), probabilities, atol=1e-6):
        return decision, True
    logarithms = np.log(np.maximum(probabilities, SMALLEST))
    return (logarithms[:, 1] - logarithms[:, 0] if probabilities.shape[1] == 2 else logarithms), True


def fit_one(
    estimator: Any, features: Float[np.ndarray, "target feature"], labels: Shaped[np.ndarray, "target *output"]
) -> tuple[Pipeline, FoldFit]:
    """Fit scaling and a clone of an estimator to all rows given; return the pipeline and its diagnostics, as fold 0.

    Raises
    ------
    EstimatorError
        If the labels hold one class, or the estimator refuses the rows.
    """
    pipeline = Pipeline([("scale", StandardScaler()), ("probe", clone(estimator))])
    if labels.ndim == 1 and len(np.unique(labels)) == 1:
        raise EstimatorError(
            f"a training part of {len(labels):,} targets holds one class, expected at least 2",
            likely="a class is so rare that all its groups stand in the folds left out",
            do="use a larger data set or fewer folds",
        )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", ConvergenceWarning)
        try:
            pipeline.fit(features, labels)
        except (ValueError, TypeError, IndexError, NotImplementedError, ArithmeticError, LinAlgError) as error:
            raise EstimatorError(
                f"{type(pipeline[-1]).__name__} cannot be fitted to {len(labels):,} targets: {error}",
                likely="its parameters do not suit these targets, or a state is not finite",
                do="change its parameters, or leave it out of `probes`",
            ) from error
    n_constant = int((np.ptp(features, axis=0) == 0).sum())
    note = f"{n_constant} constant features" if n_constant else ""
    return pipeline, FoldFit(0, _n_iterations(pipeline[-1]), not caught, note)


def fit_once(
    estimator: Any,
    features: Float[np.ndarray, "target feature"],
    labels: Shaped[np.ndarray, "target *output"],
    train: Bool[np.ndarray, " target"],
    known: Known,
) -> tuple[Pipeline, FoldFit]:
    """Return `fit_one` of the rows that train, as it is known of the same part and labels, or enter it there."""
    key = train.tobytes(), labels[train].tobytes()
    if key not in known:
        known[key] = fit_one(estimator, features[train], labels[train])
    return known[key]


def _n_iterations(fitted: Any) -> int:
    parts = [fitted, *getattr(fitted, "estimators_", [])] if isinstance(fitted, MultiOutputRegressor) else [fitted]
    counts = (getattr(part, "n_iter_", None) for part in parts)
    return max(0 if count is None else int(np.max(count, initial=0)) for count in counts)


def fit_folds(
    estimator: Any,
    features: Float[np.ndarray, "target feature"],
    labels: Shaped[np.ndarray, "target *output"],
    masks: Masks,
    known: Known | None = None,
) -> FoldScores:
    """Score every target by an estimator that was scaled and fitted without its fold.

    Parameters
    ----------
    estimator : estimator
        As `make` returns it; it is cloned.
    features : np.ndarray
        Shape (n_targets, n_features).
    labels : np.ndarray
        Class indices of shape (n_targets,), or numbers of shape (n_targets, n_outputs).
    masks : sequence of (np.ndarray, np.ndarray)
        Per fold, which targets train and which are tested. Scores are of `scored_folds`.
    known : dict
        Fits by training part and labels; those that are made here are entered.

    Raises
    ------
    EstimatorError
        As `fit_one` and `scores_of` do.
    """
    n_classes = int(labels.max()) + 1 if labels.ndim == 1 else 0
    n_outputs = labels.shape[1] if labels.ndim == 2 else 1 if n_classes == 2 else n_classes
    scores = np.full((len(labels), n_outputs), np.nan, dtype=np.float32)
    fits, pipelines = [], []
    for fold in scored_folds(masks):
        train, tested = masks[fold]
        pipeline, diagnostics = fit_once(estimator, features, labels, train, {} if known is None else known)
        n_lacking = n_classes - len(np.unique(labels[train])) if n_classes else 0
        lacking = [f"training lacks {n_lacking} of {n_classes} classes"] if n_lacking else []
        note = "; ".join([*lacking, *([diagnostics.note] if diagnostics.note else [])])
        try:
            scores[tested] = scores_of(pipeline, features[tested], n_classes)
        except (ValueError, TypeError, IndexError, NotImplementedError, ArithmeticError) as error:
            raise EstimatorError(
                f"{type(pipeline[-1]).__name__} cannot score {int(tested.sum()):,} targets: {error}",
                likely="its parameters do not suit so few targets or so many classes",
                do="change its parameters, or leave it out of `probes`",
            ) from error
        fits.append(FoldFit(fold, diagnostics.n_iterations, diagnostics.converged, note))
        pipelines.append(pipeline)
    return FoldScores(scores, tuple(fits), tuple(pipelines))
