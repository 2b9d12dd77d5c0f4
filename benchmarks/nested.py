"""A probe under nested folds, five outer and five inner ones of each outer training part: our way and scikit-learn's.

In: features, labels, groups. Out: per outer fold the chosen penalty and the test part's scores. All ways use the same
folds of groups, scale within each training part, choose the penalty by the inner folds' log loss and fit it anew to the
outer training part. scikit-learn gets the same float32 features, and for comparison float64 ones.
"""

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

os.environ.setdefault("SCIPY_ARRAY_API", "1")  # read when scipy is loaded; scikit-learn's way on torch needs it

import joblib
import numpy as np
import sklearn
from jaxtyping import Bool, Float, Int
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from linear_probing.probing.sweep import Run, log_loss, sweep
from linear_probing.solving import logistic

PENALTIES = (1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0)
"""C of scikit-learn: from all but no fit to all but no penalty."""
N_FOLDS = 5
ROWS_PER_GROUP = 5
EXPONENT = 1.5
"""Of the power law: the committed model's standardised states have 1.5 to 2.2, by data set and layer."""

WAYS = (
    "ours",
    "ours, the study's inner folds",
    "scikit-learn, loop of pipelines",
    "scikit-learn, GridSearchCV",
    "scikit-learn, GridSearchCV on torch tensors",
    "scikit-learn, loop of pipelines, float64",
)

ONCE = WAYS[4:]
"""Ways that take minutes and stand beside the fastest for information."""

Mask = Bool[np.ndarray, " row"]


@dataclass(frozen=True)
class Data:
    """Features (n, d), float32, in which groups of rows are alike; labels (n,), 0 or 1; groups (n,)."""

    features: Float[np.ndarray, "row d"]
    labels: Int[np.ndarray, " row"]
    groups: Int[np.ndarray, " row"]


@dataclass(frozen=True)
class Fold:
    """An outer fold: which rows train and which are tested, and the same of the inner folds of its training part."""

    train: Mask
    test: Mask
    inner: tuple[tuple[Mask, Mask], ...]


@dataclass(frozen=True)
class Choice:
    """What one outer fold gave: the penalty, the inner loss of each penalty, in nats per row, scores of tested rows."""

    penalty: float
    losses: Float[np.ndarray, " penalty"]
    scores: Float[np.ndarray, " tested"]


def draw(n: int, d: int, seed: int = 0, exponent: float = EXPONENT) -> Data:
    """Return features as a language model's states are, and labels of a noisy logistic model of them.

    Variances fall as a power law (the k-th greatest is k ** -exponent) along random axes; half of each is shared by the
    rows of a group. Four features are massive, of a large mean and deviation, and one is near 1,000 in six rows and
    near 0 in all others.
    """
    random = np.random.default_rng(seed)
    groups = np.arange(n) // ROWS_PER_GROUP
    deviations = np.arange(1, d + 1) ** (-exponent / 2.0)
    own, shared = random.standard_normal((n, d)), random.standard_normal((groups[-1] + 1, d))
    hidden = (own + shared[groups]) / np.sqrt(2.0) * deviations
    rotation = np.linalg.qr(random.standard_normal((d, d), dtype=np.float32))[0]
    odds = hidden @ (random.standard_normal(d) * deviations)
    labels = (random.random(n) < 1.0 / (1.0 + np.exp(-2.0 * odds / odds.std()))).astype(int)
    features = hidden.astype(np.float32) @ rotation
    features /= features.std()
    massive = random.choice(d, 5, replace=False)
    features[:, massive[:4]] = 50.0 + 20.0 * features[:, massive[:4]] + 100.0 * (random.random((n, 4)) < 0.3)
    features[random.choice(n, 6, replace=False), massive[4]] += 1000.0
    return Data(features, labels, groups)


def nested_folds(groups: Int[np.ndarray, " row"], seed: int = 0) -> list[Fold]:
    """Return outer and inner folds in which no group stands on both sides."""
    folds, outside = [], GroupKFold(N_FOLDS, shuffle=True, random_state=seed)
    inside = GroupKFold(N_FOLDS, shuffle=True, random_state=seed + 1)
    for rows, tested in outside.split(groups, groups=groups):
        pairs = [(rows[train], rows[held]) for train, held in inside.split(rows, groups=groups[rows])]
        inner = tuple((_mask(train, len(groups)), _mask(held, len(groups))) for train, held in pairs)
        folds.append(Fold(_mask(rows, len(groups)), _mask(tested, len(groups)), inner))
    return folds


def _mask(rows: Int[np.ndarray, " some"], n: int) -> Mask:
    found = np.zeros(n, dtype=bool)
    found[rows] = True
    return found


def ours(
    data: Data,
    folds: Sequence[Fold],
    penalties: Sequence[float] = PENALTIES,
    *,
    device: str = "cpu",
    labelings: Int[np.ndarray, "row labeling"] | None = None,
    tolerance: float = logistic.TIGHT,
) -> list[list[Choice]]:
    """Solve all folds, inner folds and penalties of all labelings together; return choices by labeling and fold."""
    labels = data.labels[:, None] if labelings is None else labelings
    parts = [part for fold in folds for part in (*(train for train, _ in fold.inner), fold.train)]
    scaled = logistic.scale_parts(data.features, np.stack(parts, axis=1), device)
    first = [place * (N_FOLDS + 1) for place in range(len(folds))]
    runs = [(labeling, place) for labeling in range(labels.shape[1]) for place in range(len(folds))]
    asked = [
        (first[place] + inner, labeling, C) for labeling, place in runs for inner in range(N_FOLDS) for C in penalties
    ]
    found = logistic.fit(scaled, labels, asked, 2).values
    losses = np.zeros((len(runs), len(penalties)))
    for number, (labeling, place) in enumerate(runs):
        for inner, (_, held) in enumerate(folds[place].inner):
            start = (number * N_FOLDS + inner) * len(penalties)
            losses[number] += log_loss(found[held, start : start + len(penalties)], labels[held, labeling])
    chosen = [penalties[place] for place in losses.argmin(axis=1)]
    last = [(first[place] + N_FOLDS, labeling, C) for (labeling, place), C in zip(runs, chosen, strict=True)]
    final = logistic.fit(scaled, labels, last, 2, tolerance).values
    outcomes: list[list[Choice]] = [[] for _ in range(labels.shape[1])]
    for number, (labeling, place) in enumerate(runs):
        scores, n_train = final[folds[place].test, number, 0], folds[place].train.sum()
        outcomes[labeling].append(Choice(chosen[number], losses[number] / n_train, scores))
    return outcomes


def as_the_study(data: Data, folds: Sequence[Fold], device: str = "cpu") -> None:
    """Probe as the study does, whose inner folds are the other outer folds, so that a fit serves two of them."""
    run = Run("group", "true", data.labels, [(fold.train, fold.test) for fold in folds])
    sweep(data.features, [run], "logistic", PENALTIES, 2, device)


def pipeline(penalty: float, **parameters: Any) -> Pipeline:
    """Return scikit-learn's probe; by default with the tolerance and the iterations of the baseline."""
    settings = {"tol": 1e-4, "max_iter": 1000} | parameters
    return make_pipeline(StandardScaler(), LogisticRegression(C=penalty, solver="lbfgs", **settings))


def fit_and_score(
    features: Float[np.ndarray, "row d"],
    labels: Int[np.ndarray, " row"],
    train: Mask,
    test: Mask,
    penalty: float,
    **parameters: Any,
) -> Float[np.ndarray, " tested"]:
    """Fit one pipeline and return its log odds of the tested rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of convergence: the baseline is what it is
        fitted = pipeline(penalty, **parameters).fit(features[train], labels[train])
    return np.asarray(fitted.decision_function(features[test]), dtype=np.float64)


def loop(
    data: Data, folds: Sequence[Fold], penalties: Sequence[float] = PENALTIES, n_jobs: int = 2, **parameters: Any
) -> list[Choice]:
    """Fit every pipeline by itself, in `n_jobs` processes."""
    work = joblib.Parallel(n_jobs=n_jobs)
    one = joblib.delayed(partial(fit_and_score, data.features, data.labels, **parameters))
    asked = [(train, held, C) for fold in folds for train, held in fold.inner for C in penalties]
    found = iter(work(one(*job) for job in asked))
    losses = np.zeros((len(folds), len(penalties)))
    for place, fold in enumerate(folds):
        for _, held in fold.inner:
            for number in range(len(penalties)):
                losses[place, number] += log_loss(next(found)[:, None, None], data.labels[held])[0]
    chosen = [penalties[place] for place in losses.argmin(axis=1)]
    final = work(one(fold.train, fold.test, C) for fold, C in zip(folds, chosen, strict=True))
    n_train = [fold.train.sum() for fold in folds]
    return [Choice(C, loss / n, each) for C, loss, n, each in zip(chosen, losses, n_train, final, strict=True)]


def grid_search(
    data: Data, folds: Sequence[Fold], penalties: Sequence[float] = PENALTIES, n_jobs: int = 2, torch: bool = False
) -> list[Choice]:
    """Search each outer fold's training part with GridSearchCV; `torch`: on its tensors, on the CPU."""
    outcomes = []
    for fold in folds:
        train, test = (_placed(data.features[rows], torch) for rows in (fold.train, fold.test))
        places = np.cumsum(fold.train) - 1
        splits = [(places[train], places[held]) for train, held in fold.inner]
        asked = {"logisticregression__C": list(penalties)}
        search = GridSearchCV(pipeline(1.0), asked, cv=splits, scoring="neg_log_loss", n_jobs=n_jobs)
        with warnings.catch_warnings(), sklearn.config_context(array_api_dispatch=torch):
            warnings.simplefilter("ignore")
            search.fit(train, _placed(data.labels[fold.train], torch))
            scores = np.asarray(search.decision_function(test))
        losses = -np.asarray(search.cv_results_["mean_test_score"])
        outcomes.append(Choice(float(search.best_params_["logisticregression__C"]), losses, scores))
    return outcomes


def _placed(array: np.ndarray, torch: bool) -> Any:
    if not torch:
        return array
    from torch import as_tensor

    return as_tensor(array)


def ways(data: Data, folds: Sequence[Fold], device: str, n_threads: int) -> dict[str, Callable[[], Any]]:
    """Return what is timed, by name: ours first, then the baselines, whose names begin with scikit-learn."""
    work: tuple[Callable[[], Any], ...] = (
        partial(ours, data, folds, device=device),
        partial(as_the_study, data, folds, device=device),
        partial(loop, data, folds, n_jobs=n_threads),
        partial(grid_search, data, folds, n_jobs=n_threads),
        partial(grid_search, data, folds, n_jobs=1, torch=True),
        partial(loop, replace(data, features=data.features.astype(np.float64)), folds, n_jobs=n_threads),
    )
    return {name: partial(_limited, each, n_threads) for name, each in zip(WAYS, work, strict=True)}


def _limited(work: Callable[[], Any], n_threads: int) -> Any:
    with threadpool_limits(limits=n_threads):
        return work()
