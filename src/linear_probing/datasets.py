"""Data sets: parameters and a seed in; texts, targets with labels and folds, and a card out.

In: a configuration and the name of one of its data sets. Out: a folder with texts.csv, targets.csv and card.json.
The tables are checked as every later stage will read them, so a broken builder stops here.
"""

import argparse
import hashlib
import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from linear_probing import settings, tables
from linear_probing.builders import agreement, city_statements, comparisons, place, word_class
from linear_probing.builders.draft import Draft
from linear_probing.settings import Dataset, Study
from linear_probing.stage import replace_folder, run

LOG = logging.getLogger("datasets")
BUILDERS: dict[str, Callable[..., Draft]] = {
    "place": place.build,
    "city_statements": city_statements.build,
    "comparisons": comparisons.build,
    "agreement": agreement.build,
    "word_class": word_class.build,
}


def build(study: Study, dataset: Dataset) -> Draft:
    """Return a data set's draft, as its builder makes it from the configuration's parameters, folds and seed."""
    return BUILDERS[dataset.builder](**dataset.parameters, n_folds=study.n_folds, seed=study.seed)


def card(dataset: Dataset, draft: Draft, digests: dict[str, str]) -> dict[str, Any]:
    """Return the fixed fields of a data card; `digests` are the SHA-256 of the tables by file name."""
    parts = draft.targets["part"].value_counts().sort_index()
    return {
        "name": dataset.name,
        "description": draft.description,
        "source": draft.source,
        "licence": draft.licence,
        "n_texts": len(draft.texts),
        "n_targets": len(draft.targets),
        "n_groups": int(draft.targets["group"].nunique()),
        "labels": dict(draft.labels),
        "parts": {name: int(count) for name, count in parts.items() if name},
        "group_meaning": draft.group_meaning,
        "type_meaning": draft.type_meaning,
        "splits": dict(draft.splits),
        "created_by": {"builder": dataset.builder, **dataset.parameters},
        "sha256": digests,
    }


def write(folder: Path, dataset: Dataset, draft: Draft) -> None:
    """Write tables and card; floats in full, so that reading gives back what was written."""
    draft.texts.to_csv(folder / "texts.csv", index=False, lineterminator="\n")
    draft.targets.to_csv(folder / "targets.csv", index=False, lineterminator="\n")
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in tables.FILES}
    text = json.dumps(card(dataset, draft, digests), indent=2, ensure_ascii=False)
    (folder / tables.CARD).write_text(text + "\n", encoding="utf-8")


def main() -> None:
    """Build one data set."""
    parser = argparse.ArgumentParser(description="Build one data set of a study.")
    parser.add_argument("--config", type=Path, required=True, help="the study's configuration")
    parser.add_argument("--dataset", required=True, help="its name in the configuration")
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    arguments = parser.parse_args()
    study = settings.load(arguments.config)
    dataset = study.dataset(arguments.dataset)
    start = time.monotonic()
    LOG.info("%s: building with %s", dataset.name, dataset.builder)
    draft = build(study, dataset)
    with replace_folder(arguments.output) as folder:
        write(folder, dataset, draft)
        written = tables.read(folder)
        tables.check_labels(written, study.tasks_of(dataset.name), arguments.output)
    LOG.info(
        "%s: %d texts, %d targets, %.1f s",
        dataset.name,
        len(draft.texts),
        len(draft.targets),
        time.monotonic() - start,
    )


if __name__ == "__main__":
    run(main)
