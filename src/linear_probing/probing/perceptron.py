"""Multilayer perceptrons trained for a fixed number of epochs: the probe that is not linear.

The numbers are those of scikit-learn's MLPClassifier and MLPRegressor with Adam, to the last digits in float64; in
float32 training is chaotic, and a rounding at the start may move single probabilities by a tenth, there as here.
Hundreds of small fits spend most of scikit-learn's time on checks of each batch, which are made once here.
Cost: .27 s a fit at n = 3,800, d = 160 with 60 classes on one slow thread, where scikit-learn's takes .58 s.
Source: backpropagation with Adam (Kingma & Ba 2015), weights drawn after Glorot & Bengio (2010).
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float
from scipy.special import expit
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import Tags, check_random_state, gen_batches, shuffle
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted, validate_data

from linear_probing.probing.deciding import Probable

DECAY, DECAY_OF_SQUARES, SMALL = 0.9, 0.999, 1e-8
"""Of Adam's running means of gradients and of their squares, and what keeps its divisor above 0."""

PRECISIONS = (np.float64, np.float32)
"""In which features are taken as they are, and networks trained; others become the first."""

Outputs = Float[np.ndarray, "row output"]


class Layers:
    """The weights of a network, or their gradient: one vector, and each layer's part of it as a matrix.

    Parameters
    ----------
    sizes : Sequence[int]
        Features, units of every hidden layer, outputs.
    dtype : np.dtype
        Of the vector.
    """

    def __init__(self, sizes: Sequence[int], dtype: np.dtype) -> None:
        shapes = [*pairwise(sizes), *((size,) for size in sizes[1:])]
        ends = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes)])
        self.vector = np.zeros(ends[-1], dtype)
        parts = [
            self.vector[start:end].reshape(shape) for (start, end), shape in zip(pairwise(ends), shapes, strict=True)
        ]
        self.coefficients, self.intercepts = parts[: len(sizes) - 1], parts[len(sizes) - 1 :]
        self.penalised = self.vector[: ends[len(sizes) - 1]]

    def draw(self, random: np.random.RandomState) -> None:
        """Fill in what training starts from."""
        for coefficients, intercepts in zip(self.coefficients, self.intercepts, strict=True):
            bound = np.sqrt(6.0 / sum(coefficients.shape))
            coefficients[:] = random.uniform(-bound, bound, coefficients.shape)
            intercepts[:] = random.uniform(-bound, bound, intercepts.shape)

    def activations(self, features: Float[np.ndarray, "row feature"]) -> list[np.ndarray]:
        """Return the features, what each hidden layer makes of them, and the outputs before any link."""
        found = [features]
        for coefficients, intercepts in zip(self.coefficients, self.intercepts, strict=True):
            if len(found) > 1:
                np.maximum(found[-1], 0, out=found[-1])
            found.append(found[-1] @ coefficients)
            found[-1] += intercepts
        return found


class Adam:
    """Steps along gradients, each weight's by its own running moments; `weights` are changed in place."""

    def __init__(self, weights: Float[np.ndarray, " weight"], rate: float) -> None:
        self.weights, self.rate, self.n_steps = weights, rate, 0
        self.mean, self.square, self.spare = np.zeros((3, len(weights)), weights.dtype)

    def step(self, gradient: Float[np.ndarray, " weight"]) -> None:
        """Take one step; `gradient` is overwritten."""
        self.n_steps += 1
        self.mean *= DECAY
        self.mean += np.multiply(gradient, 1 - DECAY, out=self.spare)
        self.square *= DECAY_OF_SQUARES
        np.multiply(gradient, gradient, out=gradient)
        gradient *= 1 - DECAY_OF_SQUARES
        self.square += gradient
        np.sqrt(self.square, out=self.spare)
        self.spare += SMALL
        np.divide(self.mean, self.spare, out=self.spare)
        unbiased = (1 - DECAY_OF_SQUARES**self.n_steps) ** 0.5 / (1 - DECAY**self.n_steps)
        self.spare *= self.rate * unbiased
        self.weights -= self.spare


def differentiate(
    layers: Layers,
    gradient: Layers,
    features: Float[np.ndarray, "row feature"],
    wanted: Outputs,
    link: Callable[[Outputs], Outputs],
    alpha: float,
) -> None:
    """Write into `gradient` that of the mean loss of some rows, and of alpha / 2 times the squared coefficients."""
    activations = layers.activations(features)
    # Of each link's own loss: logarithmic for probabilities, half the square for numbers.
    delta = link(activations[-1])
    delta -= wanted
    ones = np.ones(len(features), features.dtype)
    for place in reversed(range(len(layers.coefficients))):
        np.matmul(activations[place].T, delta, out=gradient.coefficients[place])
        np.matmul(ones, delta, out=gradient.intercepts[place])
        if place:
            delta = delta @ layers.coefficients[place].T
            delta *= activations[place] > 0
    gradient.penalised += alpha * layers.penalised
    gradient.vector /= len(features)


def _probabilities(logits: Outputs) -> Outputs:
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    return logits


def _numbers(values: Outputs) -> Outputs:
    return values


class _Perceptron(BaseEstimator):  # type: ignore[misc]
    """What both share: parameters, training and outputs."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "hidden_layer_sizes": ["array-like"],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "n_epochs": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] = (64,),
        *,
        alpha: float = 1.0,
        batch_size: int = 400,
        learning_rate_init: float = 0.01,
        n_epochs: int = 20,
        random_state: Any = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.n_epochs = n_epochs
        self.random_state = random_state

    def _train(
        self, features: Float[np.ndarray, "row feature"], wanted: Outputs, link: Callable[[Outputs], Outputs]
    ) -> None:
        self._validate_params()
        if not all(isinstance(size, Integral) and size > 0 for size in self.hidden_layer_sizes):
            raise ValueError(f"hidden_layer_sizes is {self.hidden_layer_sizes}, expected whole numbers above 0")
        random, n_rows = check_random_state(self.random_state), len(features)
        sizes = [features.shape[1], *self.hidden_layer_sizes, wanted.shape[1]]
        self.layers_, gradient = Layers(sizes, features.dtype), Layers(sizes, features.dtype)
        self.layers_.draw(random)
        optimizer, order = Adam(self.layers_.vector, self.learning_rate_init), np.arange(n_rows)
        for _ in range(self.n_epochs):
            order = shuffle(order, random_state=random)
            for batch in gen_batches(n_rows, min(self.batch_size, n_rows)):
                rows = order[batch]
                differentiate(self.layers_, gradient, features[rows], wanted[rows], link, self.alpha)
                optimizer.step(gradient.vector)
        if not np.isfinite(self.layers_.vector).all():
            raise ValueError(
                "training ended in weights that are not finite: the learning rate or a feature is too large"
            )
        self.n_iter_ = self.n_epochs

    def _outputs(self, X: Any) -> Outputs:  # noqa: N803
        check_is_fitted(self)
        X = validate_data(self, X, dtype=PRECISIONS, reset=False)  # noqa: N806
        return self.layers_.activations(X)[-1].astype(np.float64)


class PerceptronClassifier(Probable, _Perceptron):
    """Multilayer perceptron of rectified units whose outputs are log odds, or logits of several classes.

    Parameters
    ----------
    hidden_layer_sizes : Sequence[int]
        Units of every hidden layer.
    alpha : float
        Penalty of squared coefficients, divided by the rows of a batch; at least 0.
    batch_size : int
        Rows of a batch; all, where there are fewer.
    learning_rate_init : float
        Of Adam, above 0.
    n_epochs : int
        How often every row is seen.
    random_state : int or np.random.RandomState, optional
        Of the weights to start from, and of the order of rows.

    Attributes
    ----------
    classes_ : np.ndarray
        Sorted labels, shape (n_classes,).
    layers_ : Layers
        The weights.
    """

    def fit(self, X: Any, y: Any) -> "PerceptronClassifier":  # noqa: N803  scikit-learn's names
        """Fit to features (n_rows, n_features) and labels (n_rows,), in the features' precision.

        Raises
        ------
        ValueError
            If the labels hold one class only, a feature is not finite, or training ends in weights that are not.
        """
        X, labels = self._read(X, y, PRECISIONS)  # noqa: N806
        n_classes = len(self.classes_)
        columns = np.arange(n_classes) if n_classes > 2 else np.array([1])
        self._train(X, (labels[:, None] == columns).astype(X.dtype), _probabilities if n_classes > 2 else expit)
        return self

    def decision_function(self, X: Any) -> Float[np.ndarray, "row *class"]:  # noqa: N803
        """Return log odds (n_rows,) of the second of two classes; else logits (n_rows, n_classes)."""
        outputs = self._outputs(X)
        return outputs[:, 0] if len(self.classes_) == 2 else outputs


class PerceptronRegressor(RegressorMixin, _Perceptron):  # type: ignore[misc]
    """Multilayer perceptron of rectified units for one number or several; parameters as of `PerceptronClassifier`."""

    def fit(self, X: Any, y: Any) -> "PerceptronRegressor":  # noqa: N803
        """Fit to features (n_rows, n_features) and numbers (n_rows,) or (n_rows, n_outputs).

        Raises
        ------
        ValueError
            If a feature or number is not finite, or training ends in weights that are not.
        """
        X, y = validate_data(self, X, y, dtype=PRECISIONS, multi_output=True, y_numeric=True)  # noqa: N806
        self._flat = y.ndim == 1
        self._train(X, y.reshape(len(y), -1).astype(X.dtype), _numbers)
        return self

    def predict(self, X: Any) -> Float[np.ndarray, "row *output"]:  # noqa: N803
        """Return numbers in the shape that was fitted."""
        outputs = self._outputs(X)
        return outputs[:, 0] if self._flat else outputs

    def __sklearn_tags__(self) -> Tags:
        """Say that several outputs are fitted at once."""
        tags = super().__sklearn_tags__()
        tags.target_tags.single_output, tags.target_tags.multi_output = True, True
        return tags
