"""Exported directions: written, read and scored, they are the fitted pipelines."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from linear_probing import directions
from linear_probing.directions import Direction, DirectionError
from linear_probing.probing.discriminants import MeanDifference, ShrunkDiscriminant
from linear_probing.store import StoreError

N, D = 90, 6
SCALES = np.array([1.0, 300.0, 0.01, 2.0, 1.0, 5.0])


@pytest.fixture
def states():
    """Return states with massive and tiny dimensions, one constant."""
    drawn = np.random.default_rng(0).normal(size=(N, D)) * SCALES + 10 * SCALES
    drawn[:, 4] = 3.0
    return drawn.astype(np.float32)


@pytest.fixture
def new():
    return (np.random.default_rng(1).normal(size=(20, D)) * SCALES + 10 * SCALES).astype(np.float32)


def exported(folder, fitted, names, **more):
    given = {"task": "cities.truth", "probe": "logistic", "layer": 6, "metric": "auroc", "penalty": 0.03} | more
    directions.write(folder, [directions.from_pipeline(fitted, names=names, **given)])


@pytest.mark.parametrize("probe", [LogisticRegression(), RidgeClassifier(), MeanDifference(), ShrunkDiscriminant()])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_three_lines_score_new_activations_as_the_pipeline_does(tmp_path, states, new, probe, n_classes):
    fitted = make_pipeline(StandardScaler(), probe).fit(states, np.arange(N) % n_classes)
    exported(tmp_path, fitted, ("a", "b", "c")[:n_classes])
    direction = directions.load(tmp_path, "cities.truth", layer=6)
    scores = direction.score(new)
    expected = fitted.decision_function(new).reshape(len(new), -1)
    assert scores.shape == (20, 1 if n_classes == 2 else 3)
    assert scores == pytest.approx(expected, rel=1e-4, abs=1e-4 * float(np.abs(expected).max()))
    assert (direction.names, direction.metric, direction.penalty) == (("a", "b", "c")[:n_classes], "auroc", 0.03)
    assert (direction.split, direction.fold, direction.probe) == ("group", "all", "logistic")


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_a_position_is_predicted(tmp_path, states, new, n_outputs):
    places = np.random.default_rng(2).normal(size=(N, n_outputs)) + states[:, :n_outputs]
    fitted = make_pipeline(StandardScaler(), Ridge()).fit(states, places[:, 0] if n_outputs == 1 else places)
    exported(tmp_path, fitted, ("x", "y", "z")[:n_outputs], probe="ridge", task="place.position", fold="2")
    found = directions.load(str(tmp_path), "place.position", 6, fold=2).score(new)
    assert found == pytest.approx(fitted.predict(new).reshape(20, -1), rel=1e-4, abs=1e-3)


def test_a_score_and_a_vector_by_hand():
    one = Direction(
        "t", "p", 0, "all", ("no", "yes"), "auroc", None,
        mean=np.array([1.0, 2.0]), scale=np.array([2.0, 4.0]),
        coefficients=np.array([[3.0, 8.0]]), intercept=np.array([0.5]),
    )  # fmt: skip
    assert one.score(np.array([[3.0, 4.0], [1.0, 2.0]])).tolist() == [[3.0 + 4.0 + 0.5], [0.5]]
    assert one.vector.tolist() == [[1.5, 2.0]]
    assert one.offset.tolist() == [0.5 - 1.5 - 4.0]
    assert one.key == "t|p|layer_00|all"


def test_the_vector_is_the_gradient_of_the_score(states):
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(states, np.arange(N) % 2)
    one = directions.from_pipeline(fitted, task="t", probe="p", layer=0, names=("0", "1"), metric="auroc")
    moved = one.score(states[:1] + SCALES) - one.score(states[:1])
    assert moved[0, 0] == pytest.approx((one.vector @ SCALES)[0])


@pytest.mark.parametrize("known", [[1, 3], [0, 1, 3]])
def test_a_class_that_training_lacked_is_never_the_highest(states, new, known):
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(
        states, np.array(known)[np.arange(N) % len(known)]
    )
    one = directions.from_pipeline(fitted, task="t", probe="p", layer=0, names=tuple("abcd"), metric="macro_f1")
    scores = one.score(new)
    assert scores.shape == (20, 4)
    assert np.array_equal(scores.argmax(axis=1), fitted.predict(new))
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    assert probabilities[:, known] == pytest.approx(fitted.predict_proba(new), abs=1e-6)
    assert (probabilities[:, 2] == 0).all()


def test_several_stand_in_one_folder_and_the_first_is_the_tasks_own(tmp_path, states):
    labels = np.arange(N) % 2
    made = []
    for probe, estimator in (("logistic", LogisticRegression()), ("lda", ShrunkDiscriminant())):
        for fold, rows in (("all", slice(None)), ("0", slice(30, None))):
            fitted = make_pipeline(StandardScaler(), estimator).fit(states[rows], labels[rows])
            given = {"task": "cities.truth", "layer": 3, "names": ("0", "1"), "metric": "auroc"}
            made.append(directions.from_pipeline(fitted, probe=probe, fold=fold, **given))
    directions.write(tmp_path, made)
    assert list(directions.contents(tmp_path)) == [one.key for one in made]
    assert directions.load(tmp_path, "cities.truth", 3).probe == "logistic"
    for one in made:
        found = directions.load(tmp_path, "cities.truth", 3, probe=one.probe, fold=one.fold)
        assert np.array_equal(found.coefficients, one.coefficients.astype(np.float32))
    assert [one.key for one in directions.read(tmp_path, {"cities.truth"})] == [one.key for one in made]
    assert directions.read(tmp_path, {"other.truth"}) == []
    directions.write(tmp_path / "none", [])
    assert directions.contents(tmp_path / "none") == {}
    assert directions.read(tmp_path / "none", {"cities.truth"}) == []
    before = (tmp_path / directions.WORDS).read_bytes(), (tmp_path / directions.ARRAYS).read_bytes()
    directions.write(tmp_path, made)
    assert before == ((tmp_path / directions.WORDS).read_bytes(), (tmp_path / directions.ARRAYS).read_bytes())


def test_what_is_not_there_is_an_error_that_says_what_is(tmp_path, states):
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(states, np.arange(N) % 2)
    exported(tmp_path, fitted, ("0", "1"))
    listed = r"there are cities\.truth; logistic; layer_06; all"
    for asked in (("cities.truth", 5), ("citys.truth", 6), ("cities.truth", 6, "lda"), ("cities.truth", 6, None, 0)):
        with pytest.raises(DirectionError, match=rf"(?s)no direction .*{listed}.*do:     name one that is there"):
            directions.load(tmp_path, *asked)
    with pytest.raises(DirectionError, match=r"(?s)directions.json cannot be read.*do:     delete the folder"):
        directions.load(tmp_path / "none", "cities.truth", 6)
    path = tmp_path / directions.ARRAYS
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(StoreError, match=r"directions.safetensors cannot be read"):
        directions.load(tmp_path, "cities.truth", 6)


def test_states_of_another_width_are_refused(states):
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(states, np.arange(N) % 2)
    one = directions.from_pipeline(fitted, task="t", probe="p", layer=0, names=("0", "1"), metric="auroc")
    for wrong in (states[:, :5], states[0]):
        with pytest.raises(DirectionError, match=r"states of shape .*, expected \(n, 6\)"):
            one.score(wrong)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_probe_that_is_not_linear_has_no_direction(states):
    fitted = make_pipeline(StandardScaler(), MLPClassifier(max_iter=2, tol=1e9, n_iter_no_change=1)).fit(
        states, np.arange(N) % 2
    )
    with pytest.raises(DirectionError, match=r"(?s)no coefficients.*likely: MLPClassifier is not linear"):
        directions.from_pipeline(fitted, task="t", probe="mlp", layer=0, names=("0", "1"), metric="auroc")


@pytest.mark.parametrize("n_classes", [2, 3, 4])
def test_vectors_of_class_pairs_are_no_direction(states, n_classes):
    """Of three classes there are as many pairs as classes: only the scores tell."""
    labels = np.arange(len(states)) % n_classes

    def linear(estimator):
        return directions.is_linear(make_pipeline(StandardScaler(), estimator).fit(states, labels), states)

    assert linear(LogisticRegression())
    assert linear(MeanDifference())
    assert linear(SVC(kernel="linear")) == (n_classes == 2)
    assert not linear(SVC())
    assert not linear(MLPClassifier(max_iter=2))


def test_a_regressor_of_one_output_is_linear(states):
    assert directions.is_linear(make_pipeline(StandardScaler(), Ridge()).fit(states, states[:, 0]), states)
