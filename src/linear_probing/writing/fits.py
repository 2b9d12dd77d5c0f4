"""What the tables say of the fits themselves, of all models and baselines: how many converged, and what was noted."""

import re
from collections import Counter

from linear_probing.writing.evidence import Evidence
from linear_probing.writing.findings import Finding
from linear_probing.writing.numbers import count, spelt

KINDS = {
    r"\bconstant features\b": "features that are constant",
    r"\btraining lacks\b": "a class that the training part lacks",
    r"\bstands in \d+ of at least\b": "a class of fewer groups than folds",
    r"\bone class is tested\b": "a test part of one class",
    r"\binner fits did not converge\b": "inner fits that did not converge",
    r"^did not converge$": "a fit that did not converge",
}
"""Notes of notes.csv in a sentence, by what tells their kind."""

OTHER = "what else stands in notes.csv"


def fits(evidence: Evidence) -> Finding:
    """Return how many probes were fitted, how many did not converge, and of how many what was noted."""
    table, notes = evidence.tables["fits.csv"], evidence.tables["notes.csv"]["note"]
    if table.empty:
        return None
    failed = round(float((table["n_fits"] * (1 - table["converged"])).sum()))
    counted = Counter(kind for note in notes for kind in kinds_of(note))
    return {
        "n": count(int(table["n_fits"].sum())),
        "failed": spelt(failed),
        "all": failed == 0,
        "noted": spelt(len(notes)),
        "kinds": [{"kind": kind, "n": spelt(n)} for kind, n in counted.most_common()],
    }


def kinds_of(note: str) -> list[str]:
    """Return of what kinds a note is, one at least.

    Examples
    --------
    >>> kinds_of("training lacks 1 of 7 classes; 160 constant features")
    ['features that are constant', 'a class that the training part lacks']
    >>> kinds_of("words of a probe of yours")
    ['what else stands in notes.csv']
    """
    return [words for pattern, words in KINDS.items() if re.search(pattern, note)] or [OTHER]
