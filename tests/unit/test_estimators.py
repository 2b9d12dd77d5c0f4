"""The registry of probes: built-in names, any class by its path, and refusals before anything is computed."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from sklearn.multioutput import MultiOutputRegressor
from sklearn.svm import LinearSVC

from linear_probing import settings
from linear_probing.probing import estimators
from linear_probing.probing.discriminants import MeanDifference, ShrunkDiscriminant
from linear_probing.probing.estimators import EstimatorError
from linear_probing.probing.perceptron import PerceptronClassifier


@dataclass(frozen=True)
class Spec:
    name: str
    path: str | None = None
    parameters: dict = field(default_factory=dict)


@pytest.mark.parametrize(
    ("spec", "kinds"),
    [
        (Spec("mean_difference"), {"binary", "multiclass"}),
        (Spec("lda"), {"binary", "multiclass"}),
        (Spec("mlp"), {"binary", "multiclass", "position"}),
        (Spec("svm", "sklearn.svm.LinearSVC", {"C": 0.1}), {"binary", "multiclass"}),
        (Spec("lasso", "sklearn.linear_model.Lasso"), {"position"}),
    ],
)
def test_a_probe_suits_the_kinds_of_label_that_it_can_score(spec, kinds):
    found = {kind for kind in ("binary", "multiclass", "position") if estimators.suits(spec, kind)}
    assert found == kinds
    for kind in kinds:
        assert hasattr(estimators.make(spec.name, spec.path, spec.parameters, kind, 0), "fit")


def test_names_stand_for_these_classes():
    assert isinstance(estimators.make("mean_difference", None, {}, "binary", 0), MeanDifference)
    assert isinstance(estimators.make("lda", None, {}, "multiclass", 0), ShrunkDiscriminant)
    mlp = estimators.make("mlp", None, {"alpha": 2.0}, "binary", 7)
    assert isinstance(mlp, PerceptronClassifier)
    assert (mlp.alpha, mlp.hidden_layer_sizes, mlp.n_epochs, mlp.random_state) == (2.0, (64,), 20, 7)


def test_a_path_stands_for_its_class_with_parameters_and_seed():
    made = estimators.make("svm", "sklearn.svm.LinearSVC", {"C": 0.1}, "binary", 5)
    assert isinstance(made, LinearSVC)
    assert (made.C, made.random_state) == (0.1, 5)
    assert estimators.make("svm", "sklearn.svm.LinearSVC", {"random_state": 1}, "binary", 5).random_state == 1


def test_a_regressor_of_one_output_is_fitted_for_each_axis():
    made = estimators.make("svr", "sklearn.svm.LinearSVR", {"C": 0.1}, "position", 3)
    assert isinstance(made, MultiOutputRegressor)
    assert (made.estimator.C, made.estimator.random_state) == (0.1, 3)


@pytest.mark.parametrize(
    ("name", "path", "parameters", "kind", "message"),
    [
        ("mpl", None, {}, "binary", "probes.mpl: unknown probe; expected mean_difference, lda, mlp, or a path"),
        ("lda", None, {}, "position", "probes.lda: cannot score a position label; it scores binary, multiclass"),
        ("x", "sklearn.svm.LinearSVX", {}, "binary", "sklearn.svm.LinearSVX cannot be imported"),
        ("x", "sklearm.svm.LinearSVC", {}, "binary", "sklearm.svm.LinearSVC cannot be imported: No module"),
        ("x", "LinearSVC", {}, "binary", "LinearSVC cannot be imported"),
        ("x", "collections.Counter", {}, "binary", "collections.Counter has no fit, so it is no estimator"),
        ("x", "sklearn.metrics.log_loss", {}, "binary", "has no fit"),
        ("x", "sklearn.svm.LinearSVC", {"c": 1.0}, "binary", "LinearSVC refuses its parameters: .*'c'"),
        ("x", "sklearn.svm.LinearSVC", {"C": -1.0}, "binary", "LinearSVC refuses its parameters: .*'C'"),
        ("mlp", None, {"hidden": 3}, "binary", "PerceptronClassifier refuses its parameters: .*'hidden'"),
        ("x", "sklearn.linear_model.Lasso", {}, "multiclass", "Lasso is no classifier"),
        ("x", "sklearn.svm.LinearSVC", {}, "position", "LinearSVC is no regressor"),
        ("x", "sklearn.preprocessing.StandardScaler", {}, "binary", "StandardScaler has no predict"),
    ],
)
def test_what_cannot_be_a_probe_is_refused_before_it_is_fitted(name, path, parameters, kind, message):
    with pytest.raises(EstimatorError, match=message) as error:
        estimators.make(name, path, parameters, kind, 0)
    assert "do:     correct the configuration" in str(error.value)


def test_an_mlp_trains_for_a_fixed_number_of_epochs_whatever_it_is_given():
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 400)
    for features in (random.normal(size=(400, 4)), labels[:, None] + np.zeros((400, 4))):
        assert estimators.make("mlp", None, {}, "binary", 0).fit(features, labels).n_iter_ == 20
    assert estimators.make("mlp", None, {}, "position", 0).fit(features, random.normal(size=(400, 3))).n_iter_ == 20


def test_an_mlp_finds_what_is_not_linear():
    random = np.random.default_rng(0)
    features = random.normal(size=(1000, 4))
    labels = (features[:, 0] * features[:, 1] > 0).astype(int)
    linear = estimators.make("lda", None, {}, "binary", 0).fit(features[:700], labels[:700])
    mlp = estimators.make("mlp", None, {}, "binary", 0).fit(features[:700], labels[:700])
    assert linear.score(features[700:], labels[700:]) < 0.6
    assert mlp.score(features[700:], labels[700:]) > 0.8


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ({"svm": {"class": "sklearn.svm.LinearSVX"}}, "sklearn.svm.LinearSVX cannot be imported"),
        ({"svm": {"class": "sklearn.svm.LinearSVC", "parameters": {"c": 1}}}, "LinearSVC refuses its parameters"),
        (
            {"mlp": {"parameters": {"n_epochs": -1}}},
            "PerceptronClassifier refuses its parameters|PerceptronRegressor refuses",
        ),
        ({"pca": {"class": "sklearn.decomposition.PCA"}}, "has no predict"),
    ],
)
def test_a_probe_that_cannot_be_made_is_refused_before_any_job(tiny_content, root, named, says):
    tiny_content["probes"] = named
    study = settings.parse(tiny_content, root / "config" / "tiny.yaml")
    with pytest.raises(EstimatorError, match=rf"(?s)({says}).*do: "):
        estimators.check(study)


def test_a_probe_that_suits_no_task_is_refused(tiny_content, root):
    del tiny_content["tasks"]["place.position"], tiny_content["datasets"]["place"]
    tiny_content["probes"] = {"lasso": {"class": "sklearn.linear_model.Lasso"}}
    with pytest.raises(EstimatorError, match="Lasso can score no task of the study"):
        estimators.check(settings.parse(tiny_content, root / "config" / "tiny.yaml"))
