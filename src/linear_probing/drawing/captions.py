"""Parts of captions, made from the tables and the study's settings: a caption says no number that stands in neither.

A caption is plain text, so that a page, a paper and a slide can each set it in their own way.
"""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from linear_probing.drawing.curves import title
from linear_probing.settings import Bootstrap

PROBES = {
    "ridge": "ridge regression",
    "logistic": "logistic regression",
    "ridge_classifier": "ridge classifier",
    "mean_difference": "difference of means",
    "lda": "linear discriminant analysis",
    "mlp": "multilayer perceptron",
}


def listed(words: Sequence[str]) -> str:
    """Return words as a sentence has them.

    Examples
    --------
    >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def count(number: int, one: str) -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> count(1, "layer"), count(1200, "group")
    ('1 layer', '1,200 groups')
    """
    return f"{number:,} {one}" if number == 1 else f"{number:,} {one}s"


def either(numbers: Iterable[int]) -> str:
    """Return the distinct numbers, ascending.

    Examples
    --------
    >>> either([10, 10]), either([1000, 20, 20, 30])
    ('10', '20, 30 or 1,000')
    """
    *first, last = [f"{number:,}" for number in sorted(set(numbers))]
    return f"{', '.join(first)} or {last}" if first else last


def paragraph(sentences: Iterable[str]) -> str:
    """Return the sentences that are not empty as one paragraph."""
    return " ".join(sentence for sentence in sentences if sentence)


def sizes(rows: pd.DataFrame) -> str:
    """Return how many targets and groups each task has, in words.

    Parameters
    ----------
    rows : pd.DataFrame
        With task, n and n_groups, of one part a task.

    Returns
    -------
    str
        A sentence; tasks of equal sizes stand together, and an empty string for no rows.
    """
    held = rows[["task", "n", "n_groups"]].drop_duplicates().groupby("task", sort=False)
    return by_task("n =", {str(task): _sizes(of_task) for task, of_task in held})


def _sizes(rows: pd.DataFrame) -> str:
    pairs = sorted(zip(rows["n"], rows["n_groups"], strict=True))
    return " or ".join(f"{count(int(n), 'target')} in {count(int(groups), 'group')}" for n, groups in pairs)


def probes(rows: pd.DataFrame) -> str:
    """Return the probe of each task in words: a sentence of one probe, or of which tasks have which.

    Parameters
    ----------
    rows : pd.DataFrame
        With task and probe, of one probe a task.
    """
    told = {task: probe_name(probe) for task, probe in zip(rows["task"], rows["probe"], strict=True)}
    return by_task("Probe:", told)


def probe_name(probe: str) -> str:
    """Return a probe's name in words, or its name where there are none."""
    return PROBES.get(probe, probe)


def by_task(what: str, told: Mapping[str, str]) -> str:
    """Return a sentence that says of each task what is told of it, tasks of which the same is told together.

    Examples
    --------
    >>> by_task("n =", {"a": "2", "b": "3", "c": "2"})
    'n = 3 (b); 2 (a, c).'
    >>> by_task("n =", {"a": "2", "b": "2"}), by_task("n =", {})
    ('n = 2.', '')
    """
    held: dict[str, list[str]] = {}
    for task, words in told.items():
        held.setdefault(words, []).append(title(task))
    if len(held) < 2:
        return "".join(f"{what} {words}." for words in held)
    # The longest list goes last, and needs no names if there is anything to tell it from.
    ordered = sorted(held, key=lambda words: len(held[words]))
    named = {words: ", ".join(held[words]) for words in ordered}
    if len(held[ordered[-1]]) > max(2, len(held[ordered[-2]])):
        named[ordered[-1]] = "all others"
    return f"{what} " + "; ".join(f"{words} ({names})" for words, names in named.items()) + "."


def intervals(bootstrap: Bootstrap, rows: pd.DataFrame) -> str:
    """Return what the intervals are, and how many of them are undefined.

    Parameters
    ----------
    bootstrap : Bootstrap
        The study's.
    rows : pd.DataFrame
        With estimate or the like, lower and upper, as drawn.
    """
    if rows.empty:
        return ""
    undefined = int((rows["lower"].isna() | rows["upper"].isna()).sum())
    kind = f"{confidence(bootstrap)} intervals, bootstrap over groups ({bootstrap.n_resamples:,} resamples)"
    return kind + (f"; {undefined:,} of {len(rows):,} are undefined and not drawn." if undefined else ".")


def confidence(bootstrap: Bootstrap) -> str:
    """Return the confidence in percent.

    Examples
    --------
    >>> confidence(Bootstrap(n_resamples=100, confidence=0.95))
    '95 %'
    """
    return f"{100 * bootstrap.confidence:g} %"


def level(bootstrap: Bootstrap) -> float:
    """Return the p-value below which a score is called significant: what the intervals' confidence leaves of 1.

    Examples
    --------
    >>> level(Bootstrap(n_resamples=100, confidence=0.95))
    0.05
    """
    return round(1 - bootstrap.confidence, 12)


def correction(rows: pd.DataFrame) -> str:
    """Return how p-values came about and over how many tasks they are corrected.

    Parameters
    ----------
    rows : pd.DataFrame
        Of best_layer_significance.csv, one family of one model; an empty one gives an empty string.
    """
    tested = rows[rows["p_holm"].notna()]
    if tested.empty:
        return ""
    permutations = either(tested["n_permutations"])
    tasks = " or ".join(count(int(n), "task") for n in sorted(set(tested["n_tasks"])))
    return (
        f"p of the ridge probe’s greatest score over layers by {permutations} label permutations, "
        f"with Holm’s correction over {tasks}."
    )


def parts(rows: pd.DataFrame) -> str:
    """Return on which groups the scores are, where some tasks have a part that the model has not seen."""
    unseen = [title(task) for task in dict.fromkeys(rows.loc[rows["part"] == "unseen", "task"])]
    others = [title(task) for task in dict.fromkeys(rows.loc[rows["part"] != "unseen", "task"])]
    if not unseen:
        return ""
    return "Scores are on unseen groups" + (f"; {listed(others)}: on all groups." if others else ".")
