"""Online code length: how many bits a task's labels cost whoever has the states, one portion after the other.

In: states, labels and groups of one task. Out: per portion the bits of its labels, given all portions before it, beside
those of the uniform code. A property that is easy to read is short at once; one that is remembered row by row is not.

- Portions end at shares of 0.1 to 100 % of the targets (Voita & Titov 2020, section 2.3), but between groups, in an
  order of groups drawn from a seed: a group cut in two would give its own label away. Ends too close for their own
  groups fall together, and the first portion has at least `LEAST_GROUPS` groups and `LEAST_ROWS` targets.
- The first portion costs the uniform code, log2 of the number of classes per target.
- Later ones are coded by logistic probes fitted on all before, one a penalty: by the mean of their probabilities of the
  whole portion, each weighed by its code of the portions so far. So nothing is chosen, which in near ties would hang on
  rounding, and all is at most log2 of the number of penalties longer than the code of the best (Dawid 1984).
- A probe's probability p of a class counts as (n p + 1) / (n + K), with n training targets and K classes: a K-th part
  of K / (n + K) of the code is uniform, so that a class not seen yet can be coded. While training holds one class only,
  there is no probe, and p is 1 for that class.

So for labels drawn uniformly and without regard to the states no code is shorter than the uniform one on average. Cost:
n_portions x n_penalties fits, which `fit` is given all at once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped
from scipy.special import logsumexp

from linear_probing.probing import protocol
from linear_probing.stage import StudyError

SHARES = (0.001, 0.002, 0.004, 0.008, 0.016, 0.03125, 0.0625, 0.125, 0.25, 0.5, 1.0)
LEAST_GROUPS = 2
LEAST_ROWS = 8

Rows = Int[np.ndarray, " row"]
Probabilities = Float[np.ndarray, "penalty row class"]
Fit = Callable[
    [np.ndarray, np.ndarray, list[np.ndarray], list[np.ndarray], list[float], int],
    "list[np.ndarray]",
]
"""(features, labels, rows that train, rows that are coded, penalties, n_classes) -> per portion the probabilities of
shape (n_penalties, n_coded, n_classes). Every training part holds at least two classes."""


class CodeLengthError(StudyError):
    """Labels that have no online code."""


@dataclass(frozen=True)
class PortionCode:
    """One portion's code.

    Parameters
    ----------
    portion : int
        From 0.
    n_train, n_coded : int
        Targets before the portion, and in it.
    n_classes : int
        Classes of the task, which sender and receiver know.
    penalty : float
        C of the probe of most weight, of equals the strongest penalty; NaN where none was fitted.
    bits, uniform_bits : float
        Of the portion's labels, by the probe and by the uniform code.
    """

    portion: int
    n_train: int
    n_coded: int
    n_classes: int
    penalty: float
    bits: float
    uniform_bits: float


def portions(groups: Shaped[np.ndarray, " target"], random: np.random.Generator) -> list[Rows]:
    """Return the rows of each portion, cut between groups; groups in random order, a group's rows as they stand.

    Parameters
    ----------
    groups : np.ndarray
        Shape (n_targets,), names or numbers.
    random : np.random.Generator
        Advanced by the draw.

    Raises
    ------
    CodeLengthError
        If there are too few groups for two portions.

    Examples
    --------
    Ten groups of two targets: ends at 40 % (the least of 8 targets), 50 % and 100 %.

    >>> [len(rows) for rows in portions(np.repeat(np.arange(10), 2), np.random.default_rng(0))]
    [8, 2, 10]
    """
    _, inverse, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = random.permutation(len(sizes))
    ends = np.cumsum(sizes[order])
    least = max(LEAST_GROUPS - 1, int(np.searchsorted(ends, LEAST_ROWS)))
    # The end at or after each share, so that a portion is never smaller than its share says for want of a group.
    cuts = sorted({max(least, int(np.searchsorted(ends, share * ends[-1] - 1e-9))) for share in SHARES})
    if cuts[-1] >= len(sizes) or len(cuts) < 2:
        raise CodeLengthError(
            f"{len(groups):,} targets in {len(sizes):,} groups make one portion, expected at least 2",
            likely="the data set is very small",
            do="use a larger data set, or turn code lengths off",
        )
    place = np.argsort(order)[inverse]
    by_group = np.argsort(place, kind="stable")
    return np.split(by_group, ends[cuts[:-1]])


def by_protocol(
    features: Shaped[np.ndarray, "target feature"],
    labels: Int[np.ndarray, " target"],
    trained: Sequence[Rows],
    coded: Sequence[Rows],
    penalties: Sequence[float],
    n_classes: int,
) -> list[Probabilities]:
    """Return the probabilities by the protocol's logistic probe, fit by fit; a `Fit`."""
    found = []
    for before, now in zip(trained, coded, strict=True):
        values = np.zeros((len(penalties), len(now), n_classes))
        for place, penalty in enumerate(penalties):
            fitted = protocol.fit("logistic", penalty, features[before], labels[before])
            values[place][:, fitted.classes_] = fitted.predict_proba(features[now])
        found.append(values)
    return found


def code_length(
    features: Shaped[np.ndarray, "target feature"],
    labels: Int[np.ndarray, " target"],
    groups: Shaped[np.ndarray, " target"],
    penalties: Sequence[float],
    random: np.random.Generator,
    fit: Fit = by_protocol,
) -> tuple[PortionCode, ...]:
    """Return the online code of a task's labels, portion by portion.

    Parameters
    ----------
    features : np.ndarray
        Shape (n_targets, n_features), finite.
    labels : np.ndarray
        Class indices of shape (n_targets,), 0 to n_classes - 1.
    groups : np.ndarray
        Shape (n_targets,); no portion shares one with another.
    penalties : Sequence[float]
        C of the logistic probes, each above 0.
    random : np.random.Generator
        Draws the order of groups; from the seed and the task alone, so that all layers and models code the same.
    fit : Fit
        Fits all portions and penalties.

    Returns
    -------
    tuple of PortionCode
        Sum `bits` and divide the sum of `uniform_bits` by it for the compression.

    Raises
    ------
    CodeLengthError
        If there are too few groups for two portions, or only one class.
    """
    n_classes = int(labels.max()) + 1
    if len(np.unique(labels)) < 2:
        raise CodeLengthError(
            f"labels of {len(labels):,} targets hold one class, expected at least 2", do="probe a label that varies"
        )
    ordered = sorted(penalties)
    parts = portions(groups, random)
    before = [np.concatenate(parts[:place]) for place in range(1, len(parts))]
    fitted = [place for place, rows in enumerate(before) if len(np.unique(labels[rows])) > 1]
    found = fit(
        features,
        labels,
        [before[place] for place in fitted],
        [parts[place + 1] for place in fitted],
        ordered,
        n_classes,
    )
    probabilities = dict(zip(fitted, found, strict=True))
    codes = [_code(0, 0, parts[0], n_classes, float("nan"), len(parts[0]) * np.log2(n_classes))]
    so_far = np.zeros(len(ordered))
    for place, (rows, coded) in enumerate(zip(before, parts[1:], strict=True)):
        if place not in probabilities:
            certain = np.eye(n_classes)[labels[rows[0]]]
            bits = _bits(np.broadcast_to(certain, (1, len(coded), n_classes)), labels[coded], len(rows))[0]
            codes.append(_code(place + 1, len(rows), coded, n_classes, float("nan"), bits))
            continue
        every = _bits(probabilities[place], labels[coded], len(rows))
        heaviest = ordered[int(so_far.argmin())]
        bits = _mixed(so_far + every) - _mixed(so_far)
        codes.append(_code(place + 1, len(rows), coded, n_classes, heaviest, bits))
        so_far += every
    return tuple(codes)


def _bits(probabilities: Probabilities, labels: Int[np.ndarray, " row"], n_train: int) -> Float[np.ndarray, " penalty"]:
    own = probabilities[:, np.arange(len(labels)), labels]
    return -np.log2((n_train * own + 1.0) / (n_train + probabilities.shape[-1])).sum(axis=1)


def _mixed(bits: Float[np.ndarray, " penalty"]) -> float:
    """Return the code length of the mean of the probabilities whose code lengths these are."""
    return float(-logsumexp(-bits * np.log(2.0), b=1.0 / len(bits)) / np.log(2.0))


def _code(portion: int, n_train: int, rows: Rows, n_classes: int, penalty: float, bits: float) -> PortionCode:
    uniform = len(rows) * float(np.log2(n_classes))
    return PortionCode(portion, n_train, len(rows), n_classes, penalty, float(bits), uniform)
