"""Probes beside logistic and ridge: by a built-in name, or any class of scikit-learn's kind by its import path.

In: a name, a path and parameters from the configuration. Out: an estimator whose parameters are fixed; fitting.py has
what follows. No penalty is chosen for these: difference of means and discriminant have none, and the MLP, the upper
bound of what a nonlinear probe finds (Pimentel et al. 2020), has one that was set beforehand.
Cost: that of the fits, of which the MLP is the dearest; perceptron.py.
"""

import importlib
from collections.abc import Mapping
from typing import Any, Protocol

from sklearn.base import is_classifier, is_regressor
from sklearn.multioutput import MultiOutputRegressor
from sklearn.utils import get_tags

from linear_probing.probing.discriminants import MeanDifference, ShrunkDiscriminant
from linear_probing.probing.perceptron import PerceptronClassifier, PerceptronRegressor
from linear_probing.settings import DO, Study
from linear_probing.stage import StudyError

CLASSIFIED = ("binary", "multiclass")
MLP_CLASSIFIER = {"alpha": 1.0, "batch_size": 400, "learning_rate_init": 0.01}
MLP_REGRESSOR = {"alpha": 5.0, "batch_size": 200, "learning_rate_init": 0.003}
"""Set on the embedded model's states: nowhere much below the linear probe, above it where something is not linear."""
BUILT_IN: dict[str, dict[str, tuple[Any, dict[str, Any]]]] = {
    "mean_difference": dict.fromkeys(CLASSIFIED, (MeanDifference, {})),
    "lda": dict.fromkeys(CLASSIFIED, (ShrunkDiscriminant, {})),
    "mlp": {
        **dict.fromkeys(CLASSIFIED, (PerceptronClassifier, MLP_CLASSIFIER)),
        "position": (PerceptronRegressor, MLP_REGRESSOR),
    },
}


class EstimatorError(StudyError):
    """A probe that the configuration names and that cannot be made or fitted."""


class Spec(Protocol):
    """What the configuration says of a probe."""

    @property
    def name(self) -> str:
        """A built-in name, or any other if there is a path."""

    @property
    def path(self) -> str | None:
        """Dotted import path of a class, as 'sklearn.svm.LinearSVC'; None for a built-in name."""

    @property
    def parameters(self) -> Mapping[str, Any]:
        """What its constructor is given."""


def suits(spec: Spec, kind: str) -> bool:
    """Return whether a probe can score a label of this kind: a classifier 'binary' or 'multiclass', else 'position'.

    Raises
    ------
    EstimatorError
        If the name or path is unknown, or the class is no estimator.
    """
    if spec.path is None:
        return kind in _built_in(spec.name)
    made = _construct(spec.name, _class_at(spec.name, spec.path), spec.parameters)
    return bool(is_classifier(made) if kind in CLASSIFIED else is_regressor(made))


def make(name: str, path: str | None, parameters: Mapping[str, Any], kind: str, seed: int) -> Any:
    """Return an estimator that is not fitted, checked as far as can be without fitting it.

    Parameters
    ----------
    name : str
        'mean_difference', 'lda' or 'mlp'; or, with a path, any name.
    path : str, optional
        Dotted import path of a class with scikit-learn's interface.
    parameters : Mapping[str, Any]
        Of the constructor; those of a built-in probe go over its own.
    kind : str
        'binary', 'multiclass' or 'position'. A regressor of one output is fitted once for each axis.
    seed : int
        Random state, where the class takes one and the parameters name none.

    Raises
    ------
    EstimatorError
        If the name or path is unknown, the class is no estimator or cannot score this kind of label, or a parameter is
        unknown or has a value that the class refuses.
    """
    if path is None:
        kinds = _built_in(name)
        if kind not in kinds:
            raise _error(name, f"cannot score a {kind} label; it scores {', '.join(kinds)}")
        cls, defaults = kinds[kind]
    else:
        cls, defaults = _class_at(name, path), {}
    made = _construct(name, cls, {**defaults, **parameters})
    if not (is_classifier(made) if kind in CLASSIFIED else is_regressor(made)):
        wanted = "classifier" if kind in CLASSIFIED else "regressor"
        raise _error(name, f"{cls.__name__} is no {wanted}, so it cannot score a {kind} label")
    if kind in CLASSIFIED and not (hasattr(made, "decision_function") or hasattr(made, "predict_proba")):
        raise _error(
            name, f"{cls.__name__} has neither decision_function nor predict_proba: it predicts without scores"
        )
    if "random_state" in made.get_params(deep=False) and "random_state" not in parameters:
        made.set_params(random_state=seed)
    if kind == "position" and path is not None and not get_tags(made).target_tags.multi_output:
        return MultiOutputRegressor(made)
    return made


def check(study: Study) -> None:
    """Make every probe that a study names for every kind of label that it has, before anything is computed.

    Raises
    ------
    EstimatorError
        As `make` does; and if a probe suits no task.
    """
    kinds = {task.kind for task in study.tasks}
    for spec in study.probes:
        suited = [kind for kind in sorted(kinds) if suits(spec, kind)]
        for kind in suited:
            make(spec.name, spec.path, spec.parameters, kind, study.seed)
        if not suited and spec.path is not None:
            raise _error(spec.name, f"{spec.path} can score no task of the study ({', '.join(sorted(kinds))})")


def _error(name: str, subject: str, likely: str | None = None) -> EstimatorError:
    return EstimatorError(f"probes.{name}: {subject}", likely=likely, do=DO)


def _built_in(name: str) -> dict[str, tuple[Any, dict[str, Any]]]:
    if name not in BUILT_IN:
        known = ", ".join(BUILT_IN)
        raise _error(name, f"unknown probe; expected {known}, or a path as sklearn.svm.LinearSVC", "a misspelt name")
    return BUILT_IN[name]


def _class_at(name: str, path: str) -> Any:
    module, _, attribute = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        likely = "the path is misspelt, or the package is not in the environment"
        raise _error(name, f"{path} cannot be imported: {error}", likely) from error
    lacking = [method for method in ("fit", "predict", "get_params", "set_params") if not hasattr(found, method)]
    if not isinstance(found, type) or lacking:
        what = f"has no {lacking[0]}" if lacking else "is no class"
        raise _error(name, f"{path} {what}, so it is no estimator of scikit-learn's kind")
    return found


def _construct(name: str, cls: Any, parameters: Mapping[str, Any]) -> Any:
    try:
        made = cls(**parameters)
        if hasattr(made, "_parameter_constraints"):  # scikit-learn's classes look at values when they are fitted
            made._validate_params()
    except (TypeError, ValueError) as error:
        raise _error(name, f"{cls.__name__} refuses its parameters: {error}", "a misspelt key or value") from error
    return made
