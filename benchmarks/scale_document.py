"""docs/scale.md and its figure: what was measured, and what the plan says; `scale_large` has the last section."""

import os
import platform
from collections.abc import Iterable, Sequence
from math import log
from pathlib import Path

import pandas as pd
import seaborn as sns

from linear_probing.drawing.style import BLUE, GREEN, METADATA, ORANGE, PURPLE, VERMILLION, new_figure, settle, theme
from linear_probing.planning.printing import bytes_text
from scale_large import on_paper, table
from scale_measure import N_ROWS, SOON, Measured, Point
from scale_paper import Large
from scale_studies import N_TWINS

MOST = {"reading": 1_000, "DVC": 50_000, "targets": 1_000_000}
"""Sizes up to which curves are extended."""
AXES = {"reading": "data sets", "DVC": "files", "targets": "targets"}
COLORS = (BLUE, ORANGE, GREEN, VERMILLION, PURPLE)
Rows = Sequence[Sequence[str]]


HEAD = """# How far it grows

Written by `make bench-scale`, on {cores} cores ({machine}, Python {python}). Day, and load of the machine before, from
other programs beside, by part: {when}.
Seconds are of the clock, in brackets of the processor, of one run of whole processes, start included. Where other
programs run beside, the clock's say more of them than of the study. What is marked ~ was not measured: it is the
processor's, and goes on as the last two points do, straight, or where that is more, straight in logarithms.

    make bench-scale                                                   # all of it
    make bench-scale BENCH="--parts targets --targets 1000 10000"      # a part; the others stay as they were measured
    make bench-scale BENCH="--datasets 1 10 100 1000 --up-to 600"      # as far as no command is expected to take 600 s

![Seconds by data sets, files and targets: dots measured, dashes extended, dotted the plan](figures/scale.png)

"""
READING = f"""## More data sets: reading the workflow

Data sets of {N_ROWS} rows in files of one's own, the embedded model and {N_TWINS} twins, nothing made yet.

"""
KEPT = """## More data sets: DVC

Files of the same studies' names and planned sizes: a row for each number of data sets above. `dvc status` twice: as it
is, and where DVC has forgotten the sums, so that it reads every byte again.

"""
TARGETS = """## More targets: extraction and probes

One data set through the embedded model by the stages' own commands, on one thread: the last layer; probes with two
penalties, five folds, difference of means and 99 permutations. Bytes are of all that is left.

"""
GROUPING = """On one machine Snakemake starts once, and jobs in a group still start Python each: a group saves nothing
but the {each:.2f} s of Snakemake's own. On a cluster each submitted job starts a Snakemake of its own, {run:.1f} s, and
reads the workflow. A group of k jobs pays that once and saves it k - 1 times. Many short jobs are what is to be
grouped: a data set, its tokens and its baselines.

"""


def extended(points: Sequence[Point], size: float) -> float:
    """Return the processor's seconds at a size beyond what was measured, from the last two points.

    The greater of a straight line through them, as of work with a start, and of one through their logarithms, as of
    work that grows faster than its size.

    Examples
    --------
    >>> extended([Point("a", "b", 10, 0.0, 2.0), Point("a", "b", 100, 0.0, 20.0)], 1000)
    200.0
    """
    before, last = points[-2], points[-1]
    power = log(last.processor / before.processor) / log(last.size / before.size)
    line = (last.processor - before.processor) / (last.size - before.size)
    curved, straight = last.processor * (size / last.size) ** power, last.processor + line * (size - last.size)
    return round(float(max(curved, straight, last.processor)), 6)


def kinds(points: Iterable[Point]) -> dict[str, list[Point]]:
    """Return points by kind, ascending in size."""
    found: dict[str, list[Point]] = {}
    for point in sorted(points, key=lambda point: point.size):
        found.setdefault(point.what, []).append(point)
    return found


def plot(parts: Sequence[Measured], planned: dict[str, dict[int, float]], path: Path) -> None:
    """Draw the processor's seconds against work: what was measured, dashed how it goes on, dotted the plan."""
    drawn = [part for part in parts if part.points[0].part in AXES]
    with theme():
        figure = new_figure(2.6)
        for axes, part in zip(figure.subplots(1, len(drawn), squeeze=False)[0], drawn, strict=True):
            name = part.points[0].part
            for color, (what, points) in zip(COLORS, kinds(part.points).items(), strict=False):
                table = pd.DataFrame([vars(point) for point in points])
                sns.lineplot(
                    table, x="size", y="processor", color=color, marker="o", label=what, errorbar=None, ax=axes
                )
                if len(points) > 1 and points[-1].size < MOST[name]:
                    ends = ([points[-1].size, MOST[name]], [points[-1].processor, extended(points, MOST[name])])
                    axes.plot(*ends, color=color, linestyle="--", linewidth=0.8)
                if what in planned and name == "targets":
                    axes.plot(*zip(*planned[what].items(), strict=True), color=color, linestyle=":", linewidth=0.8)
            axes.set(xscale="log", yscale="log", xlabel=AXES[name], ylabel="seconds of the processor")
            axes.legend(frameon=False, loc="upper left")
            low, high = axes.get_ylim()
            axes.set_ylim(low, high * 8)  # room for the legend
        sns.despine(figure)
        settle(figure)
        figure.savefig(path, metadata=METADATA["png"])


def both(point: Point) -> str:
    """Return seconds of the clock, and of the processor in brackets."""
    return f"{point.seconds:.1f} ({point.processor:.1f})"


def measured_rows(part: Measured, most: int) -> tuple[list[str], Rows]:
    """Return head and rows of a part: a row a size, a column a kind; the last row what the curve would reach."""
    by_kind = kinds(part.points)
    sizes = sorted({point.size for point in part.points})
    at = {(point.what, point.size): point for point in part.points}
    rows = []
    for size in sizes:
        n_bytes = max(point.bytes for point in part.points if point.size == size)
        cells = [both(at[what, size]) if (what, size) in at else "–" for what in by_kind]
        rows.append([f"{size:,.0f}", bytes_text(n_bytes) if n_bytes else "–", *cells])
    if sizes[-1] < most:
        cells = [f"~{extended(points, most):,.0f}" if len(points) > 1 else "–" for points in by_kind.values()]
        rows.append([f"~{most:,}", "", *cells])
    return [AXES[part.points[0].part], "bytes", *by_kind], rows


def within(part: Measured, what: str, unit: str) -> str:
    """Return whether the largest size of a kind was measured within `SOON`."""
    lines = []
    for point in kinds(part.points)[what]:
        verdict = "holds" if point.seconds <= SOON else "does not hold"
        lines.append(f"{point.size:,.0f} {unit}: {point.seconds:.1f} s, {verdict}")
    return f"`{what}` within {SOON:g} s of the clock: {'; '.join(lines)}.\n\n"


def growth(part: Measured) -> str:
    """Return the section of a part whose sizes grow."""
    name = part.points[0].part
    head, rows = measured_rows(part, MOST[name])
    if name == "reading":
        found = table([head[0], *head[2:]], [[row[0], *row[2:]] for row in rows])
        return READING + found + within(part, "snakemake -n", AXES[name])
    found = table(head, rows)
    return KEPT + found + within(part, "dvc status", AXES[name]) if name == "DVC" else TARGETS + found


def starts(part: Measured) -> str:
    """Return the section on what a job costs before it does anything."""
    rows = [[point.what, f"{point.seconds:.2f}", f"{point.processor:.2f}"] for point in part.points]
    run, each = (point.seconds for point in part.points[:2])
    text = "## What a job costs before it does anything\n\n" + table(("what", "seconds", "of the processor"), rows)
    return text + GROUPING.format(run=run, each=each)


def write(parts: Sequence[Measured], planned: dict[str, dict[int, float]], large: Large, docs: Path) -> None:
    """Write the page and its figure."""
    when = "; ".join(f"{part.points[0].part} {part.date}, load {part.load:g}" for part in parts)
    machine = {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    text = HEAD.format(when=when, **machine)
    for part in parts:
        text += growth(part) if part.points[0].part in AXES else starts(part)
        if part.points[0].part == "targets":
            sizes = sorted({size for by_size in planned.values() for size in by_size})
            rows = [[f"{size:,}", *(f"{by_size[size]:,.0f}" for by_size in planned.values())] for size in sizes]
            text += "What the plan says, in seconds at this machine's speed:\n\n" + table(("targets", *planned), rows)
    plot(parts, planned, docs / "figures" / "scale.png")
    (docs / "scale.md").write_text((text + on_paper(large)).rstrip("\n") + "\n", encoding="utf-8")
