"""Benchmark of extraction: seconds of every way, interleaved in one process, as ratios to the bare forward pass.

    python benchmarks/extraction.py [--texts FOLDER] [--device cpu|cuda] [--sets ...] [--ways ...]
    python benchmarks/extraction.py --memory

A round runs each way once, in an order that turns from round to round, so that what else the machine does falls on all
alike; a ratio is taken within its round. The study's ways are timed whole: planning, forward passes, gathering, copying
to the host, writing the file with its digest. The bare pass gets batches that are ready on its device. Ways that are
slow run on a fixed random part of the texts, and are scaled by the number of texts. Out: Markdown tables.
"""

import argparse
import logging
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import transformers

import memory
import texts
from linear_probing.language_model import BUDGETS
from linear_probing.models import load_tokenizer
from linear_probing.settings import ROOT
from linear_probing.stage import peak_memory_gb, run
from reporting import ratios, spread, table
from ways import SHAPES, Setting, Way, n_weights, prepare, setting_of

LOG = logging.getLogger("benchmark")
TOKENIZER = ROOT / "data" / "models" / "atlas"
WAYS = ("bare", "padded", "trees", "padded-checked", "trees-checked", "b", "c", "d")
PARTS = {"b": 250, "c": 256, "d": 100}
WARM_UP = 64
EXACT = 1e-5
LIMITS = {
    "cities": (("padded", "bare", 1.05), ("trees", "bare", 0.6), ("trees", "b", 1 / 3), ("trees", "d", 1 / 8)),
    "larger_than": (("padded", "bare", 1.05), ("trees", "bare", 0.35)),
    "facts": (("padded", "bare", 1.05), ("trees", "bare", 0.85)),
}
"""Per set: this way takes at most so much of that way's time. They hold for GPT-2's shape on a CPU, in float32."""


@dataclass
class Times:
    """What one way took: by round, seconds for all texts, on the clock and of CPUs; of writing; the GPU's memory."""

    way: Way
    seconds: dict[int, float] = field(default_factory=dict)
    cpu_seconds: dict[int, float] = field(default_factory=dict)
    writing: list[float] = field(default_factory=list)
    peak_gb: float = 0.0


def measure(ways: Mapping[str, Way], n_rounds: int, n_texts: int) -> dict[str, Times]:
    """Run every way once a round, in an order that turns; ways marked `once` in the first round alone."""
    results, names = {name: Times(way) for name, way in ways.items()}, list(ways)
    for number in range(n_rounds):
        turn = number * 2 % len(names)
        for name in names[turn:] + names[:turn]:
            one = results[name]
            if one.way.once and number > 0:
                continue
            if torch.cuda.is_available():
                torch.cuda.reset_peak_memory_stats()
            scale, start, cpu_start = n_texts / one.way.n_texts, time.perf_counter(), time.process_time()
            one.writing.append(one.way.run())
            one.seconds[number] = (time.perf_counter() - start) * scale
            one.cpu_seconds[number] = (time.process_time() - cpu_start) * scale
            LOG.info("round %d: %s, %.2f s, %.2f s of CPU", number, name, one.seconds[number], one.cpu_seconds[number])
            if torch.cuda.is_available():
                one.peak_gb = torch.cuda.max_memory_allocated() / 1e9
    return results


def report(results: Mapping[str, Times], n_texts: int, n_tokens: int) -> None:
    """Write what every way took, and its time over that of the bare pass."""
    rows, base = [], results.get("bare")
    for one in results.values():
        seconds, shares = np.array(list(one.seconds.values())), ["-", "-"]
        if base is not None:
            pairs = ((one.seconds, base.seconds), (one.cpu_seconds, base.cpu_seconds))
            shares = [spread(ratios(*pair), 3) for pair in pairs]
        rates = [f"{count / np.median(seconds):,.0f}" for count in (n_texts, n_tokens)]
        rows.append([one.way.label, str(one.way.n_texts), spread(seconds, 2), *shares, *rates])
    head = ("way", "texts run", "seconds for all texts", "time over (a)", "CPU time over (a)", "texts/s", "tokens/s")
    table(head, rows)


def report_device(results: Mapping[str, Times], setting: Setting, peak_tflops: float) -> None:
    """Write the share of the matrix rate, the GPU's memory and the bytes to disk, of the bare pass and our ways."""
    each = 2 * n_weights(setting.reader.model, setting.reader.path) / 1e12
    size = (setting.folder / "shard-0-of-1.safetensors").stat().st_size / 1e6
    rows = []
    for name in ("bare", "padded", "trees"):
        if name in results:
            one = results[name]
            total, writing = np.median(list(one.seconds.values())), float(np.median(one.writing))
            share = each * one.way.n_computed / (total - writing) / peak_tflops
            disk = [f"{writing:.2f}", f"{size / total:,.0f}", f"{size / writing:,.0f}"] if writing else ["-"] * 3
            rows.append([one.way.label, f"{one.way.n_computed:,}", f"{share:.1%}", f"{one.peak_gb:.1f}", *disk])
    rate = f"share of {peak_tflops:,.0f} TFLOP/s, without writing"
    table(
        ("way", "tokens computed", rate, "GPU memory, GB", "writing, s", "MB/s to disk, of all", "MB/s while writing"),
        rows,
    )


def report_limits(results: Mapping[str, Times], limits: Sequence[tuple[str, str, float]]) -> None:
    """Write whether the limits hold, by the median of the rounds' ratios."""
    rows = []
    for one, other, limit in limits:
        if one in results and other in results:
            pair = results[one], results[other]
            found, of_cpu = ratios(*(each.seconds for each in pair)), ratios(*(each.cpu_seconds for each in pair))
            verdict = "holds" if np.median(found) <= limit else "does not hold"
            labels = " over ".join(each.way.label for each in pair)
            rows.append([labels, f"{limit:.3f}", spread(found, 3), verdict, spread(of_cpu, 3)])
    table(("time", "at most", "measured", "", "of CPU"), rows)


def run_set(name: str, arguments: argparse.Namespace, setting: Setting) -> None:
    """Measure one set and write its tables."""
    every = texts.read(name, arguments.texts)
    warm = texts.part(every, WARM_UP if arguments.device == "cpu" else len(every))
    sizes = {way: min(size, len(every)) for way, size in PARTS.items()}
    kept: dict[str, dict[int, torch.Tensor]] = {}
    for round_texts in (warm, every):
        parts = {way: texts.part(round_texts, size) for way, size in sizes.items()}
        found = prepare(setting, round_texts, parts, kept)
        chosen = {way: found[way] for way in WAYS if way in arguments.ways}
        n_rounds = 1 if round_texts is warm else arguments.rounds
        results = measure(chosen, n_rounds, len(round_texts))
    data = texts.tokens(every, setting.tokenizer)
    padded, trees = found["padded"].n_computed, found["trees"].n_computed
    share, smaller = padded / len(data.ids), trees / padded
    sys.stdout.write(
        f"### {name}: {len(every):,} texts, {len(data.ids):,} tokens\n\n"
        f"Computed, padding included: {share:.2f} of the tokens padded, {share * smaller:.2f} as trees "
        f"({smaller:.2f} of padded). Load of the machine: {os.getloadavg()[0]:.1f}.\n\n"
    )
    report(results, len(every), len(data.ids))
    if arguments.shape == "gpt2":
        report_limits(results, LIMITS[name])
    elif {"padded", "trees"} & set(results):
        report_device(results, setting, arguments.peak_tflops)
    if {"padded", "trees"} <= set(results):
        apart = max(float((kept["padded"][k].float() - kept["trees"][k].float()).abs().max()) for k in setting.layers)
        greatest = max(float(states.float().abs().max()) for states in kept["padded"].values())
        verdict = ("holds" if apart <= EXACT else "does not hold") if setting.dtype == torch.float32 else "not asked"
        sys.stdout.write(
            f"Greatest |padded - trees| of all states: {apart:.1e}, at a greatest |state| of {greatest:.1f} "
            f"(at most {EXACT:.0e} in float32: {verdict}).\n\n"
        )


def main() -> None:
    """Run the benchmark, or its second part, memory."""
    parser = argparse.ArgumentParser(description="Measure ways of extraction against the bare forward pass.")
    parser.add_argument("--texts", type=Path, help="folder with cities.csv, larger_than.csv, facts.csv; else composed")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--shape", choices=SHAPES, help="of the model; gpt2 on the CPU, llama-8b on CUDA")
    parser.add_argument("--sets", nargs="+", choices=texts.SETS, default=texts.SETS)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--rounds", type=int, default=5, help="after one that warms up, on 64 texts on the CPU")
    parser.add_argument("--budget", type=int, help="tokens in a batch of (a) and of ours; else the study's own default")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    parser.add_argument("--peak-tflops", type=float, default=989.0, help="dense bf16 matrix rate; H100 and H200: 989")
    parser.add_argument("--memory", action="store_true", help="measure peak memory by number of targets, nothing else")
    arguments = parser.parse_args()
    arguments.shape = arguments.shape or {"cpu": "gpt2", "cuda": "llama-8b"}[arguments.device]
    arguments.budget = arguments.budget or BUDGETS[arguments.device]
    torch.set_num_threads(arguments.threads)
    if arguments.memory:
        table(memory.HEAD, memory.rows(arguments.threads))
        return
    device = torch.cuda.get_device_name() if arguments.device == "cuda" else f"{arguments.threads} CPU threads"
    sys.stdout.write(
        f"{arguments.shape} with random weights, {device}, torch {torch.__version__}, transformers "
        f"{transformers.__version__}, {arguments.budget} tokens a batch, {arguments.rounds} rounds\n\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = load_tokenizer(TOKENIZER)
        setting = setting_of(arguments.shape, arguments.device, tokenizer, arguments.budget, Path(folder))
        for name in arguments.sets:
            run_set(name, arguments, setting)
    sys.stdout.write(f"Peak host memory: {peak_memory_gb():.2f} GB\n")


if __name__ == "__main__":
    run(main)
