"""The note below the main table: what a reader must know, of what this table holds and of nothing that it lacks.

A dash is explained by its own cause: each kind of cell that may be empty has one here.
"""

from collections.abc import Sequence

from linear_probing.drawing.curves import CLOSE
from linear_probing.settings import Study
from linear_probing.writing import numbers
from linear_probing.writing.main_table import UNSEEN, Row, cells

TYPES = "types"
UNSEEN_SAID = "cities, pairs and nouns of which the embedded model read no verdict and no agreeing verb."
TEXT = "Text alone: words and character 3-grams."
CONTROL = "Control task: one random label per type"
SELECTIVITY = "selectivity is task less control, both with the types in training"
PERMUTED = "p: label permutations, for the best of all layers, Holm over the tasks."
NO_CONTROL = "no control task, which needs types that recur"
NO_INTERVAL = "no interval, for want of groups or of defined resamples"
NO_TWIN = "no twin with random weights"
NO_PERMUTATIONS = "no permutations"
UNDEFINED = "a score that is not defined"
CAUSES = (NO_INTERVAL, NO_TWIN, NO_CONTROL, NO_PERMUTATIONS, UNDEFINED)


def note(study: Study, found: Sequence[Row]) -> str:
    """Return what a reader must know to read the table.

    Parameters
    ----------
    study : Study
        The configuration, which says what was not asked for.
    found : Sequence[Row]
        The main table of one model, a row at least.
    """
    sentences = [
        "Every task beside its controls.",
        _part(found),
        _estimates(study, found),
        _random(found),
        TEXT if any(_defined(row.text_baseline) for row in found) else "",
        _control(found),
        PERMUTED if any(_defined(row.p_holm) for row in found) else "",
        _dashes(study, found),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def _defined(value: float) -> bool:
    return value == value


def _part(found: Sequence[Row]) -> str:
    parts = [row.part == UNSEEN for row in found]
    if not any(parts):
        return ""
    return f"On the unseen part{'' if all(parts) else ', where there is one'}: {UNSEEN_SAID}"


def _estimates(study: Study, found: Sequence[Row]) -> str:
    confidence = f" with {100 * study.bootstrap.confidence:g} % intervals"
    with_intervals = any(_defined(row.lower) and _defined(row.upper) for row in found)
    beside = confidence if with_intervals else ""
    return f"Estimates of {found[0].model}{beside}, groups held out, at the layer that inner folds chose."


def _random(found: Sequence[Row]) -> str:
    n_twins = max(sum(map(_defined, row.random)) for row in found)
    if not n_twins:
        return ""
    close = any(row.random_is_close for row in found)
    bold = f", bold where within {numbers.score(CLOSE)} of the estimate" if close else ""
    each = f"least and greatest of {n_twins} twins, each" if n_twins > 1 else "one twin"
    return f"Random weights: {each} at its own best layer{bold}."


def _control(found: Sequence[Row]) -> str:
    if not any(_defined(row.control) for row in found):
        return ""
    selective = f"; {SELECTIVITY}" if any(_defined(row.selectivity) for row in found) else ""
    return f"{CONTROL}{selective}."


def _dashes(study: Study, found: Sequence[Row]) -> str:
    """Return why cells are dashes, each cause once; empty where no cell is one."""
    if not any(numbers.ABSENT in cell for row in found for cell in cells(row)):
        return ""
    causes = {cause for row in found for cause in _causes(study, row)}
    return f"{numbers.ABSENT}: {'; '.join(cause for cause in CAUSES if cause in causes)}."


def _causes(study: Study, row: Row) -> list[str]:
    """Return why cells of a row are dashes: what the study did not ask for, else what is not defined."""
    has_control = TYPES in next(task.splits for task in study.tasks if task.name == row.task)
    has_twins = bool(study.twins_of(study.model(row.model)))
    undefined = (
        not _defined(row.estimate),
        not _defined(row.text_baseline),
        has_twins and not any(map(_defined, row.random)),
        has_control and not (_defined(row.control) and _defined(row.selectivity)),
        study.n_permutations > 0 and not _defined(row.p_holm),
    )
    holds = {
        NO_INTERVAL: not (_defined(row.lower) and _defined(row.upper)),
        NO_TWIN: not has_twins,
        NO_CONTROL: not has_control,
        NO_PERMUTATIONS: study.n_permutations == 0,
        UNDEFINED: any(undefined),
    }
    return [cause for cause in CAUSES if holds[cause]]
