"""Benchmark of probes: nested folds of one layer, solved together, against a loop of scikit-learn's fits.

    python benchmarks/probes.py [--rows 1500] [--features 4096] [--device cpu|cuda]
    python benchmarks/probes.py --agreement | --memory | --growth

A round runs each way once, in an order that turns from round to round; a ratio is taken within its round. nested.py
says what each way does. Seconds of CPU count those of worker processes. Out: Markdown tables, and for growth a figure.
"""

import argparse
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psutil
import sklearn

import agreement
import nested
from linear_probing.settings import ROOT
from linear_probing.stage import peak_memory_gb, run
from reporting import ratios, spread, table

LOG = logging.getLogger("benchmark")
FASTER = 20.0
LIMIT_GB = 4.0
LARGE = (10_000, 4096)
LAYERS = 33


@dataclass
class Times:
    """What one way took, in seconds by round: on the clock, and of CPUs."""

    seconds: dict[int, float] = field(default_factory=dict)
    cpu_seconds: dict[int, float] = field(default_factory=dict)


def cpu_seconds() -> float:
    """Return the CPU time of this process and of its living children, which joblib keeps."""
    this = psutil.Process()
    return sum(sum(each.cpu_times()[:2]) for each in (this, *this.children(recursive=True)))


def measure(ways: Mapping[str, Callable[[], Any]], n_rounds: int) -> tuple[dict[str, Times], dict[str, Any]]:
    """Run every way once a round, in an order that turns, after a round that warms up; return times and results.

    Those of `nested.ONCE`, which take minutes, run in the first round alone.
    """
    names, times, results = list(ways), {name: Times() for name in ways}, {}
    for number in range(-1, n_rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            if name in nested.ONCE and number != 0:
                continue
            start, cpu_start = time.perf_counter(), cpu_seconds()
            results[name] = ways[name]()
            seconds, of_cpu = time.perf_counter() - start, cpu_seconds() - cpu_start
            LOG.info("round %d: %s, %.2f s, %.2f s of CPU", number, name, seconds, of_cpu)
            if number >= 0:
                times[name].seconds[number], times[name].cpu_seconds[number] = seconds, of_cpu
    return times, results


def speed(arguments: argparse.Namespace) -> bool:
    """Time all ways and write their table; return whether ours is as much faster as it should be."""
    data = nested.draw(arguments.rows, arguments.features, exponent=arguments.exponent)
    folds = nested.nested_folds(data.groups)
    ways = nested.ways(data, folds, arguments.device, arguments.threads)
    times, results = measure({name: ways[name] for name in ways if name in arguments.ways}, arguments.rounds)
    own, rows = times["ours"], []
    for name, one in times.items():
        seconds, of_cpu = (np.array(list(each.values())) for each in (one.seconds, one.cpu_seconds))
        times_ours = spread(ratios(one.seconds, own.seconds), 1), spread(ratios(one.cpu_seconds, own.cpu_seconds), 1)
        rows.append([name, spread(seconds, 2), spread(of_cpu, 2), *times_ours])
    table(("way", "seconds", "seconds of CPU", "times ours", "of CPU, times ours"), rows)
    baselines = [name for name in times if name.startswith("scikit-learn")]
    fastest = min(baselines, key=lambda name: np.median(list(times[name].seconds.values())))
    found = ratios(times[fastest].seconds, own.seconds)
    holds = bool(np.median(found) >= FASTER)
    verdict = "holds" if holds else "does not hold"
    chosen = [choice.penalty for choice in results["ours"][0]]
    same = sum(one == other.penalty for one, other in zip(chosen, results[fastest], strict=True))
    sys.stdout.write(
        f"Against the fastest, {fastest}: {spread(found, 1)} times faster (at least {FASTER:g}: {verdict}). Penalties"
        f" chosen alike in {same} of {len(chosen)} outer folds: {', '.join(f'{penalty:g}' for penalty in chosen)}."
        f" {LAYERS} layers by ours: {LAYERS * np.median(list(own.seconds.values())):.0f} s."
        f" Load of the machine: {os.getloadavg()[0]:.1f}.\n\n"
    )
    return holds


def agree(arguments: argparse.Namespace) -> bool:
    """Compare our solutions with scikit-learn's; return whether all limits hold."""
    rows, holds = agreement.rows(agreement.measure(arguments.sets, arguments.threads))
    table(agreement.HEAD, rows)
    return holds


def memory(arguments: argparse.Namespace) -> bool:
    """Run the large job in a process of its own; return whether its peak is within the limit."""
    command = [sys.executable, __file__, "--memory-of", "--threads", str(arguments.threads)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    drawn, peak, seconds = (float(word) for word in output.split())
    verdict = "holds" if peak <= LIMIT_GB else "does not hold"
    size = f"{LARGE[0]:,} rows, {LARGE[1]:,} features"
    table(
        ("job", "peak memory, GB", "with the data drawn, before the job, GB", f"at most {LIMIT_GB:g} GB", "seconds"),
        [[size, f"{peak:.2f}", f"{drawn:.2f}", verdict, f"{seconds:.0f}"]],
    )
    return peak <= LIMIT_GB


def large_job(arguments: argparse.Namespace) -> None:
    """Run the large job in this process and write what it took."""
    data = nested.draw(*LARGE, exponent=arguments.exponent)
    before, start = peak_memory_gb(), time.perf_counter()
    folds = nested.nested_folds(data.groups)
    nested.ways(data, folds, arguments.device, arguments.threads)["ours"]()
    sys.stdout.write(f"{before} {peak_memory_gb()} {time.perf_counter() - start}\n")


def grow(arguments: argparse.Namespace) -> bool:
    """Measure growth, write its table and its figure."""
    import growth

    found = growth.measure(arguments.rounds, arguments.threads, arguments.device)
    folder = ROOT / "docs" / "figures"
    growth.plot(found, folder, "probes")
    table(("size", "seconds, ours", "seconds, scikit-learn", "times ours"), growth.medians(found))
    return True


def main() -> None:
    """Run the parts asked for; exit 1 if a limit does not hold."""
    ways = [*nested.WAYS]
    parser = argparse.ArgumentParser(description="Measure nested probing against scikit-learn.")
    parser.add_argument("--rows", type=int, default=1500)
    parser.add_argument("--features", type=int, default=4096)
    parser.add_argument("--exponent", type=float, default=nested.EXPONENT, help="of the spectrum's power law")
    parser.add_argument("--device", default="cpu", help="cpu: numpy; torch: torch on the CPU; cuda")
    parser.add_argument("--ways", nargs="+", choices=ways, default=ways)
    parser.add_argument("--rounds", type=int, default=5, help="after one that warms up")
    parser.add_argument("--threads", type=int, default=2, help="threads of ours, processes of scikit-learn's")
    parser.add_argument("--sets", type=int, default=agreement.N_SETS, help="data sets of --agreement, 5 folds each")
    for part in ("agreement", "memory", "growth"):
        parser.add_argument(f"--{part}", action="store_true", help="this part, and others named, without the timing")
    parser.add_argument("--memory-of", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory_of:
        large_job(arguments)
        return
    asked = {agree: arguments.agreement, memory: arguments.memory, grow: arguments.growth}
    parts = [part for part, wanted in asked.items() if wanted] or [speed]
    sys.stdout.write(
        f"{arguments.threads} threads, device {arguments.device}, scikit-learn {sklearn.__version__}, numpy"
        f" {np.__version__}; {arguments.rows:,} rows, {arguments.features:,} features, exponent {arguments.exponent:g}"
        f" where a part has no sizes of its own\n\n"
    )
    held = [part(arguments) for part in parts]
    if not all(held):
        sys.exit(1)


if __name__ == "__main__":
    run(main)
