"""How the study grows: reading the workflow, plans, DVC, extraction and probes by the number of data sets and targets.

    python benchmarks/scale.py [--parts PART ...] [--datasets N ...] [--targets N ...] [--up-to SECONDS]

Out: docs/scale.md and docs/figures/scale.png. What was measured is kept in build/scale, so that parts can be measured
one by one, and those that were not asked for stand as they were. Results are written there too, never into results.
"""

import argparse
import datetime
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import scale_document as document
import scale_measure as measure
import scale_paper as paper
from linear_probing.settings import ROOT
from linear_probing.stage import run

LOG = logging.getLogger("benchmark")
PARTS = ("start", "reading", "DVC", "targets")
EXTRACTED, ALL = ("datasets", "tokens", "activations"), ("datasets", "tokens", "activations", "probes")


def points(part: str, folder: Path, arguments: argparse.Namespace) -> Iterator[measure.Point]:
    """Yield the points of a part."""
    if part == "start":
        yield from measure.starting(folder / "start")
    elif part == "reading":
        yield from measure.affordable(arguments.datasets, arguments.up_to, lambda n: measure.reading(folder, n))
    elif part == "DVC":
        yield from measure.affordable(arguments.datasets, arguments.up_to, lambda n: measure.kept(folder, n))
    else:
        probed = [n for n in arguments.targets if n <= arguments.probed]
        others = [n for n in arguments.targets if n > arguments.probed]
        yield from measure.affordable(probed, arguments.up_to, lambda n: measure.growing(folder, n, ALL))
        yield from measure.affordable(others, arguments.up_to, lambda n: measure.growing(folder, n, EXTRACTED))


def main() -> None:
    """Measure the parts asked for, and write the page and its figure from all that was measured."""
    parser = argparse.ArgumentParser(description="Measure how the study grows.")
    parser.add_argument(
        "--parts", nargs="*", choices=PARTS, default=PARTS, help="what to measure; none: the page alone"
    )
    parser.add_argument("--datasets", nargs="+", type=int, default=[1, 10, 100], help="numbers of data sets")
    parser.add_argument("--targets", nargs="+", type=int, default=[1_000, 10_000, 100_000], help="numbers of targets")
    parser.add_argument("--probed", type=int, default=100_000, help="targets up to which they are probed too")
    parser.add_argument("--up-to", type=float, default=300.0, help="seconds that a command may be expected to take")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "scale", help="for studies and measurements")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for part in arguments.parts:
        kept = arguments.folder / f"{part}.json"
        found = {"date": datetime.date.today().isoformat(), "load": round(os.getloadavg()[0], 1)}
        known: list[measure.Point] = []
        for point in points(part, arguments.folder, arguments):
            LOG.info("%s: %s at %g, %.1f s", point.part, point.what, point.size, point.seconds)
            known.append(point)
            measure.save(known, found, kept)  # each time: a run that is stopped leaves what it has measured
    every = [measure.load(arguments.folder / f"{part}.json") for part in PARTS]
    planned = paper.planned(arguments.folder, (1_000, 10_000, 100_000, 1_000_000))
    document.write([one for one in every if one.points], planned, paper.large(arguments.folder), ROOT / "docs")


if __name__ == "__main__":
    run(main)
