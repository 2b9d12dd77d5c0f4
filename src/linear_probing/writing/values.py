"""values.json: every number of the paper by name, formatted, and what the paper's sentences are chosen by.

The paper types no number and no finding: it asks here whether there is one, and which. What a study lacks is null, and
the paper leaves the sentence out.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from linear_probing.settings import Study
from linear_probing.writing import causal, checks, controls, evidence, findings, fits, numbers, real_model, rendering
from linear_probing.writing.evidence import Evidence, phrase
from linear_probing.writing.main_table import Row
from linear_probing.writing.note import note

FINDINGS: dict[str, Callable[[Evidence], findings.Finding]] = {
    "significance": findings.significance,
    "depth": findings.depth,
    "random": controls.random_weights,
    "misled_text": controls.misled_text,
    "control": controls.control,
    "embedding": findings.embedding,
    "fewest": findings.fewest,
    "leakage": checks.leakage,
    "stricter": checks.stricter,
    "transfer": checks.transfer,
    "causal": causal.causal,
    "seeds": checks.seeds,
    "probes": checks.other_probes,
    "learning": checks.learning,
    "code_length": checks.code_length,
    "places": checks.places,
    "fits": fits.fits,
}

PROBES = {"ridge": "ridge regression", "logistic": "logistic regression", "ridge_classifier": "a ridge classifier"}
OTHERS = {
    "mean_difference": "the difference of means",
    "lda": "a linear discriminant",
    "mlp": "a multilayer perceptron",
}


def values(study: Study, statistics: Path, rows: Sequence[Row]) -> dict[str, Any]:
    """Return all values of the paper, as JSON has them.

    Parameters
    ----------
    study : Study
        The configuration.
    statistics : Path
        Output folder of the statistics stage.
    rows : Sequence[Row]
        Main table of the model in front.

    Raises
    ------
    PaperError, FigureError
        As `reading.table` does.
    """
    known = evidence.read(study, statistics, rows)
    return {
        "study": of_study(study, rows),
        "table": rendering.typst(rows, note(study, rows)),
        "tasks": {row.task: of_task(row) for row in rows},
        "real": real_model.values(),
        **{name: find(known) for name, find in FINDINGS.items()},
    }


def of_study(study: Study, rows: Sequence[Row]) -> dict[str, Any]:
    """Return what the configuration says, in words."""
    model = study.model(rows[0].model)
    layers = study.layers_of(model)
    return {
        "name": study.name,
        "model": model.name,
        "n_blocks": numbers.spelt(model.n_layers()),
        "n_layers": numbers.spelt(len(layers)),
        "one_layer": len(layers) == 1,
        "all_layers": len(layers) == model.n_layers() + 1,
        "layers": numbers.listed([str(layer) for layer in layers]),
        "n_twins": numbers.spelt(len(study.twins_of(model))),
        "one_twin": len(study.twins_of(model)) == 1,
        "n_tasks": numbers.spelt(len(rows)),
        "n_datasets": numbers.spelt(len(study.probed)),
        "n_folds": numbers.spelt(study.n_folds),
        "n_resamples": numbers.count(study.bootstrap.n_resamples),
        "confidence": f"{100 * study.bootstrap.confidence:g} %",
        "n_permutations": numbers.count(study.n_permutations),
        "permuted": study.n_permutations > 0,
        "n_seeds": numbers.spelt(study.n_seeds),
        "probes": [
            {"probe": PROBES.get(probe, probe), "tasks": numbers.listed([phrase(name) for name in tasks])}
            for probe, tasks in _by_probe(study, rows).items()
        ],
        "other_probes": numbers.listed([OTHERS.get(spec.name, spec.name) for spec in study.probes]),
    }


def _by_probe(study: Study, rows: Sequence[Row]) -> dict[str, list[str]]:
    shown = {row.task for row in rows}
    found: dict[str, list[str]] = {}
    for task in study.tasks:
        if task.name in shown:
            found.setdefault(task.probe, []).append(task.name)
    return found


def of_task(row: Row) -> dict[str, Any]:
    """Return a task's main numbers by name."""
    return {
        "phrase": phrase(row.task),
        "layer": str(row.layer),
        "estimate": findings.estimate(row),
        "random": numbers.spread(row.random),
        "text": numbers.score(row.text_baseline),
        "n": numbers.count(row.n),
        "groups": numbers.count(row.n_groups),
    }
