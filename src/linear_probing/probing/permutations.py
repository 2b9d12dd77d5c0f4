"""Label permutation test: the scores of a ridge probe if labels had nothing to do with the states.

In: states, labels and fold masks of one task; rows of permuted labels. Out: the ridge probe's score on the true labels
and on each permutation, from which p = (1 + how many permutations score no less) / (1 + how many there are).

Labels that are constant in a group are permuted between groups of one fold, labels that vary in a group within it:
these are what groups, and folds dealt evenly by label, leave exchangeable under the null. Permutation i is one array of
row numbers, drawn from a seed and the task alone, so it is the same at every layer and for every model, and the maximum
over layers has a null of its own.

The probe is ridge whatever the task's own probe is, as a closed form makes a thousand refits cheap. The penalty is
re-chosen for each labeling where it has no more than `MANY` classes; beyond, choosing would cost more than all else,
and one penalty fixed in advance, the middle one, scores true and permuted labels alike. Either way the score is one
function of the labels, which is all that the test's validity asks.
Cost: .2 s a layer for 1,000 permutations of 2,800 targets of two classes with d = 160; for 4,768 targets .5 s with
positions, 1 s with 6 classes, 2 s with 60.
Source: Ojala & Garriga (2010), test 1; groups as in Winkler et al. (2015).
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float, Float64, Int, Shaped

from linear_probing.probing import labelings
from linear_probing.solving import ridge
from linear_probing.solving.parts import Classes, Features, Masks
from linear_probing.stage import StudyError

MANY = 20
"""Classes up to which the penalty is re-chosen for each permutation."""
CACHED_BYTES, LARGE_BYTES = 2**23, 2**27
"""Bounds of the largest array of one chunk of labelings: one that stays in the processor's cache, where the solutions
are kept from chunk to chunk; and a large one where they are computed anew. A chunk holds about five such arrays."""


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
    >>> permute(np.array([3, 3, 3, 5]), np.array([0, 0, 0, 1]), np.random.default_rng(3)).tolist()
    [5, 5, 5, 3]
    """
    return labels[permutations(labels, groups, 1, random)[0]]


def permutations(
    labels: Shaped[np.ndarray, "target *output"],
    groups: Shaped[np.ndarray, " target"],
    n: int,
    random: np.random.Generator,
    folds: Shaped[np.ndarray, " target"] | None = None,
) -> Int[np.ndarray, "permutation target"]:
    """Return `n` permutations as row numbers: ``labels[rows[i]]`` are the labels of permutation i.

    The generator must depend on the seed and the task alone, ``default_rng([seed, *task.name.encode()])``.

    Parameters
    ----------
    labels, groups, random
        As in `permute`.
    n : int
        How many, at least 1.
    folds : np.ndarray, optional
        Of the split that will score them, which no group stands across. Labels then move between groups of one fold:
        where groups were dealt to folds evenly by label, as such folds are, no other move leaves the null as it is.

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
    stretch = np.unique(folds[sources], return_inverse=True)[1] if folds is not None else np.zeros(len(sources), int)
    if constant.all() and all((labels[own] == labels[own[0]]).all() for own in _by_stretch(sources, stretch)):
        raise PermutationError(
            f"labels of {len(group):,} groups cannot be permuted: they are all equal",
            do="test a label that varies between or within groups",
        )
    rows = np.tile(np.arange(len(labels), dtype=np.int32), (n, 1))
    between = np.flatnonzero(constant[inverse])
    if len(between):
        place = np.cumsum(constant) - 1
        shuffled = np.empty((n, len(sources)), np.int32)
        shuffled[:, np.argsort(stretch, kind="stable")] = _shuffled(sources, stretch, n, random)
        rows[:, between] = shuffled[:, place[inverse[between]]]
    within = np.flatnonzero(~constant[inverse])
    if len(within):
        ordered = within[np.argsort(inverse[within], kind="stable")]
        rows[:, ordered] = _shuffled(within, inverse[within], n, random)
    return rows


def _by_stretch(items: Int[np.ndarray, " item"], stretch: Int[np.ndarray, " item"]) -> list[np.ndarray]:
    return [items[stretch == one] for one in np.unique(stretch)]


def _shuffled(
    items: Int[np.ndarray, " item"], stretch: Int[np.ndarray, " item"], n: int, random: np.random.Generator
) -> Int[np.ndarray, "permutation item"]:
    """Return items ordered by stretch, those of each stretch in `n` random orders."""
    order = np.argsort(stretch, kind="stable")
    # The stretch's number plus a fraction: one sort shuffles every stretch in its own place.
    keys = stretch[order] + random.random((n, len(order)))
    return items[order][np.argsort(keys, axis=1, kind="stable")]


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
    masks: Masks,
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
    prepared = Features(features, masks, np.float32)
    score, n_columns = {
        "auroc": (_auroc, 1),
        "r2": (_r2, labels.shape[-1]),
        "macro_f1": (_macro_f1, int(labels.max()) + 1 if metric == "macro_f1" else 0),
    }[metric]
    penalties = penalties_for(n_columns if metric == "macro_f1" else 1, alphas)
    size = _chunk_size(prepared, n_columns)
    masked = list(parts.values())
    chunks = [
        score(prepared, labels, rows[start : start + size], penalties, masked) for start in range(0, len(rows), size)
    ]
    return dict(zip(parts, np.concatenate(chunks, axis=1), strict=True))


def _chunk_size(features: Features, n_columns: int) -> int:
    """Return how many labelings of so many float32 columns to score at once."""
    n_targets, width = features.values.shape
    longest = n_targets if features.dual else max(width * len(features.blocks.rows), n_targets)
    bound = CACHED_BYTES if features.keeps else LARGE_BYTES
    return max(1, bound // (4 * n_columns * longest))


Parts = Sequence[Bool[np.ndarray, " target"]]


def _auroc(
    features: Features,
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
    features: Features,
    labels: Float[np.ndarray, "target output"],
    rows: Int[np.ndarray, "labeling target"],
    alphas: Sequence[float],
    parts: Parts,
) -> Float64[np.ndarray, "part labeling"]:
    centred = (labels - labels.mean(axis=0)).astype(np.float32)
    outputs, n_outputs = np.ascontiguousarray(centred.T), labels.shape[1]
    numbers = np.empty((len(rows), *outputs.shape), np.float32)
    for one, permuted in zip(numbers, rows, strict=True):
        np.take(outputs, permuted, axis=1, out=one, mode="clip")
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
    features: Features,
    labels: Int[np.ndarray, " target"],
    rows: Int[np.ndarray, "labeling target"],
    alphas: Sequence[float],
    parts: Parts,
) -> Float64[np.ndarray, "part labeling"]:
    classes = Classes(labels[rows], int(labels.max()) + 1)
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
