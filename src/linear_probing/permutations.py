"""Label permutation test: would a ridge probe score as well if the labels had nothing to do with the states?

In: states, labels and fold masks of one task; rows of permuted labels. Out: the ridge probe's score on the true labels
and on each permutation, from which p = (1 + how many permutations score no less) / (1 + how many there are).

Labels that are constant in a group are permuted between groups, labels that vary in a group within it: these are what
the groups leave exchangeable under the null. Permutation i is one array of row numbers, drawn from a seed and the task
alone, so it is the same at every layer and for every model, and the maximum over layers has a null of its own.

The probe is ridge whatever the task's own probe is, as a closed form makes a thousand refits cheap. The penalty is
re-chosen for each labeling where it has no more than `MANY` classes; beyond, choosing would cost more than all else,
and one penalty fixed in advance, the middle one, scores true and permuted labels alike. Either way the score is one
function of the labels, which is all that the test's validity asks.
Cost: .2 to 1 s a layer for 1,000 permutations of some 2,000 to 5,000 targets with d = 160; see `MANY` for more classes.
Source: Ojala & Garriga (2010), test 1; groups as in Winkler et al. (2015).
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float, Float64, Int, Shaped

from linear_probing import labelings
from linear_probing.solving import ridge
from linear_probing.stage import StudyError

MANY = 20
"""Classes up to which the penalty is re-chosen for each permutation."""
CHUNK_BYTES = 2**28
"""Bound of the largest array of one chunk of labelings; a chunk holds about four of that size."""


class PermutationError(StudyError):
    """Labels that cannot be permuted."""


def permute(
    labels: Shaped[np.ndarray, "target *output"], groups: Shaped[np.ndarray, " target"], random: np.random.Generator
) -> Shaped[np.ndarray, "target *output"]:
    """Return labels permuted once: between groups where constant in the group, within the group where they vary.

    Parameters
    ----------
    labels : np.ndarray
        Class indices (n_targets,), or numbers (n_targets, n_outputs).
    groups : np.ndarray
        Shape (n_targets,), names or numbers; sizes may differ.
    random : np.random.Generator
        Advanced by the draw.

    Examples
    --------
    >>> permute(np.array([3, 3, 3, 5]), np.array([0, 0, 0, 1]), np.random.default_rng(1)).tolist()
    [5, 5, 5, 3]
    """
    return labels[permutations(labels, groups, 1, random)[0]]


def permutations(
    labels: Shaped[np.ndarray, "target *output"],
    groups: Shaped[np.ndarray, " target"],
    n: int,
    random: np.random.Generator,
) -> Int[np.ndarray, "permutation target"]:
    """Return `n` permutations as row numbers: ``labels[rows[i]]`` are the labels of permutation i.

    The generator must depend on the seed and the task alone, ``default_rng([seed, *task.name.encode()])``.

    Parameters
    ----------
    labels, groups, random
        As in `permute`.
    n : int
        How many, at least 1.

    Returns
    -------
    np.ndarray
        int32 of shape (n, n_targets).

    Raises
    ------
    PermutationError
        If no permutation changes anything: one group of constant labels, or labels of all groups equal.
    """
    group, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    same = (labels == labels[first][inverse]).reshape(len(labels), -1).all(axis=1)
    constant = np.bincount(inverse, ~same, minlength=len(group)) == 0
    sources = first[constant]
    if constant.all() and (labels[sources] == labels[sources[0]]).all():
        raise PermutationError(
            f"labels of {len(group):,} groups cannot be permuted: they are all equal",
            do="test a label that varies between or within groups",
        )
    rows = np.tile(np.arange(len(labels), dtype=np.int32), (n, 1))
    between = np.flatnonzero(constant[inverse])
    if len(between):
        place = np.cumsum(constant) - 1
        shuffled = random.permuted(np.tile(sources.astype(np.int32), (n, 1)), axis=1)
        rows[:, between] = shuffled[:, place[inverse[between]]]
    within = np.flatnonzero(~constant[inverse])
    if len(within):
        ordered = within[np.argsort(inverse[within], kind="stable")]
        # Group number plus a fraction: one sort shuffles every group in its own stretch.
        keys = inverse[ordered] + random.random((n, len(ordered)))
        rows[:, ordered] = ordered[np.argsort(keys, axis=1, kind="stable")]
    return rows


def penalties_for(n_classes: int, alphas: Sequence[float]) -> list[float]:
    """Return the penalties among which each labeling chooses: all, or the middle one for many classes.

    Examples
    --------
    >>> penalties_for(6, [30, 300, 3000]), penalties_for(60, [30, 300, 3000])
    ([3000.0, 300.0, 30.0], [300.0])
    """
    ordered = ridge.strongest_first(alphas)
    return ordered if n_classes <= MANY else [ordered[(len(ordered) - 1) // 2]]


def null_scores(
    features: Shaped[np.ndarray, "target feature"],
    labels: Shaped[np.ndarray, "target *output"],
    masks: ridge.Masks,
    metric: str,
    alphas: Sequence[float],
    rows: Int[np.ndarray, "permutation target"],
    parts: Mapping[str, Bool[np.ndarray, " target"]],
) -> dict[str, Float64[np.ndarray, " labeling"]]:
    """Return the ridge probe's score on the true labels, then on each permutation.

    Parameters
    ----------
    features : np.ndarray
        Shape (n_targets, n_features), finite.
    labels : np.ndarray
        Class indices (n_targets,), 0 and 1 for 'auroc'; or numbers (n_targets, n_outputs) for 'r2'.
    masks : sequence of (np.ndarray, np.ndarray)
        Which targets train and which are tested in every fold; see `tables.fold_masks`.
    metric : str
        'auroc' (within folds, then averaged over those where both classes occur), 'r2' (pooled over folds, averaged
        over outputs) or 'macro_f1' (of the class with the greatest score, pooled).
    alphas : Sequence[float]
        Penalties, each above 0; see `penalties_for`.
    rows : np.ndarray
        Of `permutations`.
    parts : Mapping[str, np.ndarray]
        Targets over which a score is taken, by name; of these, the tested ones count.

    Returns
    -------
    dict[str, np.ndarray]
        By part, float64 of shape (1 + n_permutations,); NaN where the metric is undefined, as without a tested target
        or with one class in every fold.

    Raises
    ------
    RidgeError
        If a feature is not finite, a penalty is not above 0, or a training part is empty.
    """
    rows = np.concatenate([np.arange(len(labels), dtype=rows.dtype)[None], rows])
    prepared = ridge.Features(features, masks, np.float32)
    score, n_columns = {
        "auroc": (_auroc, 1),
        "r2": (_r2, labels.shape[-1]),
        "macro_f1": (_macro_f1, int(labels.max()) + 1 if metric == "macro_f1" else 0),
    }[metric]
    penalties = penalties_for(n_columns if metric == "macro_f1" else 1, alphas)
    per_labeling = 4 * n_columns * max(features.shape[1] * len(prepared.blocks.rows), len(labels) // len(masks))
    size = max(1, CHUNK_BYTES // per_labeling)
    masked = list(parts.values())
    chunks = [
        score(prepared, labels, rows[start : start + size], penalties, masked) for start in range(0, len(rows), size)
    ]
    return dict(zip(parts, np.concatenate(chunks, axis=1), strict=True))


Parts = Sequence[Bool[np.ndarray, " target"]]


def _auroc(
    features: ridge.Features,
    labels: Int[np.ndarray, " target"],
    rows: Int[np.ndarray, "labeling target"],
    alphas: Sequence[float],
    parts: Parts,
) -> Float64[np.ndarray, "part labeling"]:
    truth = labels.astype(bool)[rows]
    codes = truth.astype(np.float32) * 2 - 1
    _, folds = ridge.solve(features, codes, alphas, 1)
    total, n_defined = np.zeros((2, len(parts), len(rows)))
    for tested in folds:
        wanted = truth[:, tested.rows]
        for place, part in enumerate(parts):
            inside = part[tested.rows]
            if inside.any():
                areas = labelings.auroc(tested.scores[:, inside], wanted[:, inside])
                n_defined[place] += np.isfinite(areas)
                total[place] += np.nan_to_num(areas)
    with np.errstate(invalid="ignore"):
        return total / n_defined


def _r2(
    features: ridge.Features,
    labels: Float[np.ndarray, "target output"],
    rows: Int[np.ndarray, "labeling target"],
    alphas: Sequence[float],
    parts: Parts,
) -> Float64[np.ndarray, "part labeling"]:
    centred = (labels - labels.mean(axis=0)).astype(np.float32)
    numbers = np.stack([column[rows] for column in centred.T], axis=1)
    n_outputs = labels.shape[1]
    _, folds = ridge.solve(features, numbers.reshape(-1, len(labels)), alphas, n_outputs)
    errors = np.zeros((len(parts), len(rows), n_outputs))
    seen = np.zeros(len(labels), bool)
    for tested in folds:
        seen[tested.rows] = True
        scores = tested.scores.reshape(len(rows), n_outputs, -1)
        errors += labelings.squared_errors(scores, numbers[:, :, tested.rows], [part[tested.rows] for part in parts])
    variation = labelings.variations(numbers, [part & seen for part in parts])
    return np.stack([labelings.r2(*pair) for pair in zip(errors, variation, strict=True)])


def _macro_f1(
    features: ridge.Features,
    labels: Int[np.ndarray, " target"],
    rows: Int[np.ndarray, "labeling target"],
    alphas: Sequence[float],
    parts: Parts,
) -> Float64[np.ndarray, "part labeling"]:
    classes = ridge.Classes(labels[rows], int(labels.max()) + 1)
    _, folds = ridge.solve(features, classes, alphas, classes.n_classes)
    predicted = np.zeros(classes.labels.shape, classes.labels.dtype)
    seen = np.zeros(len(labels), bool)
    for tested in folds:
        seen[tested.rows] = True
        by_row = np.ascontiguousarray(tested.scores.T).reshape(-1, len(rows), classes.n_classes)
        predicted[:, tested.rows] = by_row.argmax(axis=-1).T
    inside = [part & seen for part in parts]
    return np.stack(
        [labelings.macro_f1(predicted[:, part], classes.labels[:, part], classes.n_classes) for part in inside]
    )
