"""The last section of docs/scale.md: 30 models of 70 B parameters on 50 data sets, and what would break first."""

from collections.abc import Sequence
from math import ceil

from linear_probing.planning.printing import bytes_text, time_text
from linear_probing.planning.rates import GPU_SOURCE
from scale_measure import SOON
from scale_paper import (
    DISK_BYTES,
    GPU_BYTES,
    HOST_BYTES,
    LONGEST,
    N_DATASETS,
    N_MODELS,
    N_TARGETS,
    N_TOKENS,
    WEEK,
    Large,
)

N_CORES = 16
"""Of the workstation on which probes are to run, assumed."""
Rows = Sequence[Sequence[str]]
HEAD = f"""## On paper: {N_MODELS} models of 70 B parameters on {N_DATASETS} data sets

{N_TARGETS:,} targets a data set, a text of {N_TOKENS} tokens each (assumed); 80 blocks, d_model 8,192, bfloat16, all
layers, one binary task a data set, no twins (one of each would double all but the weights that are fetched). Computed
by the same command from the configuration, the plan's constants, and what Snakemake took to read it.

"""
FIRST = f"""What breaks first, the worst first: what is needed over what there is; above 1 it breaks. Assumed are a GPU
of {bytes_text(GPU_BYTES)}, {bytes_text(HOST_BYTES)} of memory, a disk of {bytes_text(DISK_BYTES)}, {N_CORES} cores
and a week. Linux takes no argument of a command above {LONGEST:,} bytes, and `bash -c` gets a rule's whole command as
one.

"""


def table(head: Sequence[str], rows: Rows) -> str:
    """Return a Markdown table."""
    lines = (head, ["---"] * len(head), *rows)
    return "".join(f"| {' | '.join(line)} |\n" for line in lines) + "\n"


def limits(large: Large) -> Rows:
    """Return what the large study needs over what there is, the worst first."""
    n_gpus, fewer = ceil(large.weight_bytes / GPU_BYTES), "fewer data sets or models a study"
    extraction, probes = large.gpu_seconds + large.load_seconds, large.probe_seconds / N_CORES
    needs = [
        ("states on one disk", large.state_bytes, DISK_BYTES, bytes_text, "fewer `layers`, more disks, a bucket"),
        ("a model's weights on one GPU", large.weight_bytes, GPU_BYTES, bytes_text, f"`device: auto`, {n_gpus} GPUs"),
        ("states of a data set in memory", large.shard_bytes, HOST_BYTES, bytes_text, "more `shards`"),
        ("the statistics' command", large.command, LONGEST, bytes_text, fewer),
        ("reading the workflow", large.reading_seconds, SOON, time_text, fewer),
        (f"probes on {N_CORES} cores, in a week", probes, WEEK, time_text, "a cluster; fewer `layers`"),
        ("the longest job of probes, in a week", large.longest_probes, WEEK, time_text, "fewer targets"),
        ("extraction, a model at a time, in a week", extraction, WEEK, time_text, "a cluster"),
    ]
    needs.sort(key=lambda one: -one[1] / one[2])
    return [[what, say(need), say(limit), f"{need / limit:,.2f}", do] for what, need, limit, say, do in needs]


def on_paper(large: Large) -> str:
    """Return the section."""
    n_gpus = ceil(large.weight_bytes / GPU_BYTES)
    loading = large.load_seconds * n_gpus / 3600
    hours = large.gpu_seconds * n_gpus / 3600 + loading
    weights = f"{bytes_text(large.weight_bytes)}, {bytes_text(large.weight_bytes * N_MODELS)}"
    assumed = f"**rate assumed**: {GPU_SOURCE}; 1 GB/s from disk; {n_gpus} GPUs held by a model, of which one works"
    reading = large.n_jobs * large.reading_seconds / 3600
    rows = [
        ["states", bytes_text(large.state_bytes), "counted: 81 layers of 8,192 numbers in bfloat16 a target"],
        ["what probes leave", bytes_text(large.probe_bytes), "by the plan"],
        ["weights of a model, of all", weights, "counted"],
        ["GPU hours, of which loading weights", f"{hours:,.0f}, {loading:,.0f}", assumed],
        [
            "hours of a core for probes",
            f"{large.probe_seconds / 3600:,.0f}",
            "by the plan, far beyond what it was fitted to",
        ],
        ["hours of a core for the rest", f"{large.other_seconds / 3600:,.0f}", "by the plan"],
        ["jobs", f"{large.n_jobs:,}", "counted"],
        ["until `snakemake -n` has answered", f"{large.reading_seconds:.0f} s", "measured, of that very configuration"],
        ["of it, until all digests are known", f"{large.artefacts_seconds:.1f} s", "measured; each job does it too"],
        [
            "a workflow read by every job of a cluster",
            f"{reading:,.0f} h",
            "at most: jobs times seconds of `snakemake -n`",
        ],
    ]
    found = HEAD + table(("what", "how much", "where it is from"), rows) + FIRST
    found += table(("what", "needed", "there is", "times", "what helps"), limits(large))
    fit = int(N_DATASETS * LONGEST / large.command)
    return found + f"With {N_MODELS} models, the statistics' command is too long from {fit} data sets on.\n"
