"""One task's own probe on one layer: every split and labeling, all folds, inner folds and penalties together.

In: features and runs, each a split's masks with a labeling. Out: per run out-of-fold scores and the diagnostics of its
fits, and of the first run the fitted probes. The protocol is protocol.py's: the inner folds of an outer fold are the
other outer folds, a fit without two folds serves both as inner fit, and scaling is learnt in the training part.
Cost: benchmarks/probes.py measures it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from linear_probing.probing.protocol import Fit, Masks, Outcome, ProbeError, held_out
from linear_probing.solving import logistic, ridge
from linear_probing.solving.parts import scored_folds


@dataclass(frozen=True)
class Run:
    """A labeling under a split.

    Parameters
    ----------
    split, labeling : str
        As in the keys of scores; see probes.py.
    labels : np.ndarray
        Class indices (n_targets,), or numbers (n_targets, n_outputs).
    masks : sequence of (np.ndarray, np.ndarray)
        Per fold, which targets train and which are tested.
    note : str
        What is degraded in every fold, in words.
    """

    split: str
    labeling: str
    labels: Shaped[np.ndarray, "target *output"]
    masks: Masks
    note: str = ""


@dataclass(frozen=True)
class Linear:
    """A fitted probe: `((states - mean) / scale) @ coefficients.T + intercept`; `fold` is None for that of all."""

    fold: int | None
    penalty: float
    mean: Float[np.ndarray, " d"]
    scale: Float[np.ndarray, " d"]
    coefficients: Float[np.ndarray, "output d"]
    intercept: Float[np.ndarray, " output"]


@dataclass(frozen=True)
class Swept:
    """Outcomes in the order of the runs, and the probes of the first run: one per scored fold, then that of all."""

    outcomes: tuple[Outcome, ...]
    probes: tuple[Linear, ...]


def note_of(run: Run, fold: int, n_classes: int) -> str:
    """Return what is degraded in a fold, in words; empty if nothing.

    Raises
    ------
    ProbeError
        If the training part holds one class only.
    """
    if not n_classes:
        return ""
    train, tested = run.masks[fold]
    check_classes(run, train, f"without fold {fold}")
    known, asked = np.unique(run.labels[train]), np.unique(run.labels[tested])
    notes = [f"training lacks {n_classes - len(known)} of {n_classes} classes"] if len(known) < n_classes else []
    return "; ".join(notes + (["one class is tested"] if len(asked) == 1 else []))


def check_classes(run: Run, train: Shaped[np.ndarray, " target"], which: str) -> None:
    """Check that a training part, outer or inner, holds two classes."""
    n_known = len(np.unique(run.labels[train]))
    if n_known < 2:
        raise ProbeError(
            f"split {run.split} {which}: a training part of {int(train.sum()):,} targets holds {n_known} class,"
            " expected at least 2",
            likely="a class is so rare that all its groups stand in the folds left out",
            do="use a larger data set or fewer folds",
        )


def trained_by_any(masks: Masks) -> Bool[np.ndarray, " target"]:
    """Return the targets that train in some fold, for the probe of all: all but a data set's own test part."""
    return np.logical_or.reduce([train for train, _ in masks])


def n_held_out(masks: Masks, outer: int) -> int:
    """Return how many targets the inner folds of an outer fold test, at least 1."""
    return max(1, sum(int(held_out(masks, outer, inner).sum()) for inner in range(len(masks)) if inner != outer))


def sweep(
    features: Float[np.ndarray, "target feature"],
    runs: Sequence[Run],
    probe: str,
    penalties: Sequence[float],
    n_classes: int,
    device: str = "cpu",
) -> Swept:
    """Probe one layer under every run.

    Parameters
    ----------
    features : np.ndarray
        Shape (n_targets, n_features), finite.
    runs : sequence of Run
        The first is the headline, whose probes are returned.
    probe : str
        'logistic', 'ridge' or 'ridge_classifier'.
    penalties : Sequence[float]
        C of logistic, alpha of ridge; of equal inner losses the strongest is chosen.
    n_classes : int
        0 for numbers.
    device : str
        Where logistic probes are solved; see `solving.logistic`.

    Raises
    ------
    ProbeError
        If a training part holds one class only.
    """
    notes = [[note_of(run, fold, n_classes) for fold in range(len(run.masks))] for run in runs]
    solved = _logistic if probe == "logistic" else _ridge
    return solved(features, runs, notes, sorted(penalties, reverse=probe != "logistic"), n_classes, device)


def log_loss(
    values: Float[np.ndarray, "target penalty output"], labels: Int[np.ndarray, " target"]
) -> Float[np.ndarray, " penalty"]:
    """Return the summed log loss, in nats, of log odds (one output) or logits.

    Examples
    --------
    >>> log_loss(np.zeros((4, 1, 1)), np.array([0, 1, 1, 0])).round(4).tolist()
    [2.7726]
    """
    values = values.astype(np.float64)
    if values.shape[2] == 1:
        signs = np.where(labels == 1, -1.0, 1.0)[:, None]
        return np.logaddexp(0.0, signs * values[:, :, 0]).sum(axis=0)
    greatest = values.max(axis=2, keepdims=True)
    total = np.log(np.exp(values - greatest).sum(axis=2)) + greatest[:, :, 0]
    own = np.take_along_axis(values, labels[:, None, None].repeat(values.shape[1], axis=1), axis=2)[:, :, 0]
    return (total - own).sum(axis=0)


def _entered(known: dict[bytes, np.ndarray], item: np.ndarray) -> int:
    """Return the number of an array among those known, after entering it if it is new."""
    known.setdefault(item.tobytes(), item)
    return list(known).index(item.tobytes())


def _asked(problems: list[logistic.Problem], one: logistic.Problem) -> int:
    """Return the number of a problem, which is solved once however many runs ask for it."""
    if one not in problems:
        problems.append(one)
    return problems.index(one)


def _logistic(
    features: Float[np.ndarray, "target feature"],
    runs: Sequence[Run],
    notes: Sequence[Sequence[str]],
    penalties: Sequence[float],
    n_classes: int,
    device: str,
) -> Swept:
    parts: dict[bytes, Shaped[np.ndarray, " target"]] = {}
    labelings: dict[bytes, Int[np.ndarray, " target"]] = {}
    inside: list[logistic.Problem] = []
    pairs, outer = [], []
    for place, run in enumerate(runs):
        labeling, scored = _entered(labelings, run.labels), scored_folds(run.masks)
        outer += [(place, fold) for fold in scored]
        for one, other in combinations(range(len(run.masks)), 2):
            if one in scored or other in scored:
                train = run.masks[one][0] & run.masks[other][0]
                check_classes(run, train, f"without folds {one} and {other}")
                part = _entered(parts, train)
                pairs.append((place, one, other, [_asked(inside, (part, labeling, C)) for C in penalties]))
    trained = [_entered(parts, runs[place].masks[fold][0]) for place, fold in outer]
    everything = _entered(parts, trained_by_any(runs[0].masks))
    scaled = logistic.scale_parts(features, np.stack([*parts.values()], axis=1), device)
    labels = np.stack([*labelings.values()], axis=1)
    # With one penalty too: layers are compared by these losses.
    inner = logistic.fit(scaled, labels, inside, n_classes)
    losses, failed = _inner(runs, pairs, inner, len(penalties))
    chosen = [penalties[int(losses[place][fold].argmin())] for place, fold in outer]
    overall = penalties[int(losses[0].sum(axis=0).argmin())]
    last: list[logistic.Problem] = []
    numbers = [
        _asked(last, (part, _entered(labelings, runs[place].labels), C))
        for part, (place, _), C in zip(trained, outer, chosen, strict=True)
    ]
    of_all = _asked(last, (everything, 0, overall))
    final = logistic.fit(scaled, labels, last, n_classes, logistic.TIGHT, (inside, inner))
    shape = (len(features), final.values.shape[2])
    found = [Outcome(np.full(shape, np.nan, dtype=np.float32), ()) for _ in runs]
    for number, (place, fold), penalty in zip(numbers, outer, chosen, strict=True):
        tested = runs[place].masks[fold][1]
        found[place].scores[tested] = final.values[tested, number]
        n_failed = failed[place][fold]
        told = [notes[place][fold], f"{n_failed} inner fits did not converge" if n_failed else ""]
        loss = float(losses[place][fold].min()) / n_held_out(runs[place].masks, fold)
        end = (int(final.n_iterations[number]), bool(final.converged[number]))
        fit = Fit(fold, penalty, *end, "; ".join(filter(None, told)), loss)
        found[place] = replace(found[place], fits=(*found[place].fits, fit))
    of_first = [(fold, number) for number, (place, fold) in zip(numbers, outer, strict=True) if place == 0]
    probes = []
    for fold_or_all, number in (*of_first, (None, of_all)):
        part, _, penalty = last[number]
        coefficients, intercept = final.coefficients[:, number].T, final.intercepts[number]
        scaling = final.mean[:, part], final.scale[:, part]
        probes.append(Linear(fold_or_all, penalty, *scaling, coefficients, intercept))
    return Swept(tuple(found), tuple(probes))


def _inner(
    runs: Sequence[Run], pairs: Sequence[tuple[int, int, int, list[int]]], inner: logistic.Fits, n_penalties: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return per run the losses (n_folds, n_penalties) of its inner fits, and how many did not converge (n_folds,).

    The fits are those of `pairs`: a run, the two folds that are left out, and the fit of each penalty.
    """
    losses = [np.zeros((len(run.masks), n_penalties)) for run in runs]
    failed = [np.zeros(len(run.masks), dtype=int) for run in runs]
    for place, one, other, columns in pairs:
        for outside, inside in ((one, other), (other, one)):
            held = held_out(runs[place].masks, outside, inside)
            losses[place][outside] += log_loss(inner.values[held][:, columns], runs[place].labels[held])
            failed[place][outside] += int((~inner.converged[columns]).sum())
    return losses, failed


def _ridge(
    features: Float[np.ndarray, "target feature"],
    runs: Sequence[Run],
    notes: Sequence[Sequence[str]],
    penalties: Sequence[float],
    n_classes: int,
    device: str,
) -> Swept:
    outcomes, probes = [], []
    for place, run in enumerate(runs):
        codes = run.labels if not n_classes else np.where(run.labels[:, None] == np.arange(n_classes), 1.0, -1.0)
        codes = codes[:, 1:] if n_classes == 2 else codes
        found = ridge.ridge_out_of_fold(features, codes, run.masks, penalties, codes.shape[1])
        fits = [
            Fit(
                fold,
                float(found.chosen[fold, 0]),
                0,
                True,
                notes[place][fold],
                float(found.inner_losses[fold, 0]) / n_held_out(run.masks, fold),
            )
            for fold in scored_folds(run.masks)
        ]
        outcomes.append(Outcome(found.scores, tuple(fits)))
        if place == 0:
            probes = [_fitted(features, codes, run.masks[fit.fold][0], fit.penalty, fit.fold) for fit in fits]
            alphas = [fit.penalty for fit in fits]
            # Of all targets: the penalty that most folds chose, the strongest of equals.
            overall = max(sorted(set(alphas), reverse=True), key=alphas.count)
            probes.append(_fitted(features, codes, trained_by_any(run.masks), overall, None))
    return Swept(tuple(outcomes), tuple(probes))


def _fitted(
    features: Float[np.ndarray, "target feature"],
    codes: Float[np.ndarray, "target output"],
    train: Shaped[np.ndarray, " target"],
    alpha: float,
    fold: int | None,
) -> Linear:
    rows = features[train]
    coefficients, intercept = ridge.fit_ridge(rows, codes[train], alpha)
    mean, scale = rows.mean(axis=0, dtype=np.float64), rows.std(axis=0, dtype=np.float64)
    scale[scale == 0] = 1.0
    return Linear(fold, alpha, mean, scale, (coefficients * scale[:, None]).T, intercept + mean @ coefficients)
