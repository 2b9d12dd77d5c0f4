"""Validation: no input; the statistics' properties on known truth out, as a table, and exit 1 if a limit is not kept.

    python -m linear_probing.validation --output docs/validation.md

Cost: about three minutes on two cores.
"""

import argparse
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from linear_probing.stage import StudyError, count, replace_file, run
from linear_probing.validation import choice, codes, coverage, p_values, selectivity
from linear_probing.validation.check import Check, table
from linear_probing.validation.document import document

LOG = logging.getLogger("validation")


class ValidationError(StudyError):
    """A limit that was not kept."""


def checks(n_jobs: int) -> list[Check]:
    """Run every check at its full size."""
    return [
        *coverage.coverage(1000, n_jobs),
        *p_values.uniformity(1000, n_jobs),
        *codes.lengths(100, n_jobs),
        *selectivity.of_noise(1000, n_jobs),
        *choice.bias(1000, n_jobs),
    ]


def report(found: Sequence[Check], output: Path) -> None:
    """Write the document.

    Raises
    ------
    ValidationError
        If a limit was not kept; the document is written all the same.
    """
    with replace_file(output) as path:
        path.write_text(document(found), encoding="utf-8")
    broken = [one for one in found if not one.kept]
    if broken:
        first = broken[0]
        raise ValidationError(
            f"{len(broken)} of {len(found)} limits were not kept, the first of {first.subject} ({first.setting}): "
            f"found {first.found:.4g}, expected {first.limits}",
            file=output,
            likely="a change of the protocol, the metrics or the intervals",
            do="find the commit since which, and mend it; never widen a limit to pass",
        )


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Check the statistics on simulations whose truth is known.")
    parser.add_argument("--output", type=Path, required=True, help="the document to write")
    parser.add_argument("--cores", type=count, default=2)
    arguments = parser.parse_args()
    start = time.perf_counter()
    LOG.info("simulations start on %d cores", arguments.cores)
    found = checks(arguments.cores)
    LOG.info("%d checks, %.0f s", len(found), time.perf_counter() - start)
    sys.stdout.write(table(found))
    report(found, arguments.output)


if __name__ == "__main__":
    run(main)
