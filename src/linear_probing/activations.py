"""Activations: tokens and a model in; the residual stream at every target and layer out.

A job takes one shard of every data set of a model, loads the model once, and leaves files that are there as they are,
since their path says what made them. Before a shard, sixteen of its texts are read by transformers alone: they decide
between prefix trees and padded texts, and after the shard what was extracted must equal them. Out: a safetensors file
per data set with its record beside it, and apart from the results a record of how it went. Memory: the model, a batch,
and the states of one shard. Cost: loading, and less than one forward pass of the model without its head.
"""

import argparse
import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import torch

from linear_probing import devices, models, records, settings, tokens
from linear_probing.artefacts import shown
from linear_probing.extraction.choice import choose_plan
from linear_probing.extraction.comparison import Difference, check, differences, reference, tolerance
from linear_probing.extraction.reading import ActivationError, Reader, extract, wrap
from linear_probing.provenance import Made
from linear_probing.settings import Model, Study
from linear_probing.stage import count, run, sha256
from linear_probing.store import layer_name, write_tensors
from linear_probing.tokens import Tokens

LOG = logging.getLogger("activations")


@dataclass(frozen=True)
class Extracted:
    """One shard: states by layer, shape (n_targets, d_model); the path that ran and why; how far from transformers'."""

    states: dict[int, torch.Tensor]
    path: str
    reason: str
    parity: list[Difference]


def extract_shard(reader: Reader, data: Tokens, model: Model, layers: tuple[int, ...]) -> Extracted:
    """Extract one shard and compare what is to be stored with transformers' own states.

    Parameters
    ----------
    reader : Reader
        Of the loaded model.
    data : Tokens
        The shard.
    model : Model
        Its settings.
    layers : tuple[int, ...]
        0 to the number of blocks, ascending.

    Raises
    ------
    ActivationError
        If a text is too long or states are not finite.
    ParityError
        If states differ by more than rounding explains.
    """
    stored = model.stored_dtype or model.dtype
    limit, dtype = tolerance(model.dtype, stored), getattr(torch, stored)
    if not len(data.target_text):
        width = reader.model.config.get_text_config().hidden_size
        return Extracted({k: torch.empty((0, width), dtype=dtype) for k in layers}, "none", "no targets", [])
    expected = reference(reader, data, layers)
    plan, reason = choose_plan(reader, data, expected, dtype, limit, model)
    states = extract(reader, data, plan, layers, dtype, model.budget)
    found = differences(reader, data, states, expected)
    check(data, expected, found, limit, model.name)
    return Extracted(states, plan.name, reason, found)


def to_numpy(states: torch.Tensor) -> np.ndarray:
    """Return a tensor's numbers as an array of the same dtype, without a copy; torch itself has no bfloat16 arrays."""
    if states.dtype is torch.bfloat16:
        return states.view(torch.uint16).numpy().view(ml_dtypes.bfloat16)
    return states.numpy()


def write(path: Path, extracted: Extracted, position: str) -> None:
    """Write one shard's states; the header holds nothing that differs between identical runs."""
    arrays = {layer_name(layer): to_numpy(states) for layer, states in extracted.states.items()}
    write_tensors(path, arrays, {"position": position})


def accelerator() -> dict[str, Any] | None:
    """Return name and peak memory of the first GPU, if torch has used one."""
    if not torch.cuda.is_available() or not torch.cuda.max_memory_allocated():
        return None
    return {"name": torch.cuda.get_device_name(), "peak_memory_gb": round(torch.cuda.max_memory_allocated() / 1e9, 3)}


def details(data: Tokens, extracted: Extracted, model: Model, seconds: float) -> dict[str, Any]:
    """Return what may differ between identical runs, for the record of how it went: path, device, speed, parity."""
    n_tokens = int(data.lengths.sum())
    return {
        "model": str(shown(model.folder)),
        "device": model.device,
        "accelerator": accelerator(),
        "dtype": model.dtype,
        "path": extracted.path,
        "reason": extracted.reason,
        "n_targets": len(data.target_text),
        "n_tokens": n_tokens,
        "tokens_per_second": round(n_tokens / max(seconds, 1e-9)),
        "parity": [{**asdict(one), "relative": one.relative} for one in extracted.parity],
    }


@dataclass(frozen=True)
class Job:
    """One data set's part of a job: tokens to read, the shard's file to write, and what it is made of (if recorded)."""

    source: Path
    final: Path
    made: Made | None

    @property
    def record(self) -> Path:
        """The record beside the file, which tells the workflow that it is there."""
        return self.final.with_suffix(".json")

    def is_done(self) -> bool:
        """Return whether the file is there as it was written; of a failed job, Snakemake removes the records alone."""
        if self.made is None or not self.final.is_file():
            return self.final.is_file()
        return records.finished(self.final, self.made)


def run_job(reader: Reader, job: Job, model: Model, layers: tuple[int, ...], shard: int) -> dict[str, Any]:
    """Read one data set's tokens, extract a shard of them and write it; return `details`."""
    start = time.monotonic()
    data = tokens.read(job.source).shard(shard, model.shards)
    extracted = extract_shard(reader, data, model, layers)
    write(job.final, extracted, tokens.read_position(job.source))
    found = details(data, extracted, model, time.monotonic() - start)
    LOG.info(
        "%s: %d targets, %s path (%s), %d tokens/s, parity %.1e",
        job.final,
        len(data.target_text),
        extracted.path,
        extracted.reason,
        found["tokens_per_second"],
        max((one.relative for one in extracted.parity), default=0.0),
    )
    return found


def run_jobs(jobs: Sequence[Job], study: Study, model: Model, shard: int, **details: Any) -> None:
    """Run the jobs that are not done, with one model for all, and write the records of every file.

    Their runs' records also have `details`: threads, and the devices that are held.
    """
    absent = [job for job in jobs if not job.is_done()]
    LOG.info("%s: %d of %d data sets to extract", model.name, len(absent), len(jobs))
    for job in absent:
        records.check(job.source)
        if job.made and job.final.exists():
            records.check_replaceable(job.final.parent, job.final.name)
    reader = wrap(models.load(model), model.blocks) if absent else None
    for job in jobs:
        start = time.time()
        found = run_job(reader, job, model, study.layers_of(model), shard) if reader and job in absent else None
        if job.made is not None and found is not None:
            found |= {"configuration": records.configuration_of(study), **details}
            records.write_run(job.final, job.made, start, {job.final.name: sha256(job.final)}, **found)
        if job.made is not None:
            records.write(job.record, job.made, [job.final])


def gpus(asked: int | None, model: Model) -> int:
    """Return how many GPUs a job is to hold: what was asked for, or what its model needs.

    Raises
    ------
    ActivationError
        If fewer were asked for than the model needs: it would be spread over fewer, or share one, in silence.
    """
    if asked is not None and asked < model.n_gpus:
        raise ActivationError(
            f"--gpus {asked}: {model.name} runs on device {model.device} and needs {model.n_gpus}",
            likely="snakemake was given fewer by --resources gpu=N, which is 1 unless it is said",
            do=f"run snakemake --resources gpu={model.n_gpus}, or more",
        )
    return model.n_gpus if asked is None else asked


def main() -> None:
    """Extract one shard of every data set from one model, where it is not there yet."""
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    study = settings.load(arguments.config)
    model = study.model(arguments.model)
    if not 0 <= arguments.shard < model.shards:
        message = f"--shard {arguments.shard}: {model.name} has {model.shards} shards, counted from 0"
        raise ActivationError(message, file=arguments.config, do="name one of them, or change `shards`")
    name = model.shard_name(arguments.shard)
    pairs = zip(arguments.tokens, arguments.output, strict=True)
    jobs = [
        Job(source, folder / name, records.today(study, "activations", folder, [source])) for source, folder in pairs
    ]
    start = time.monotonic()
    with devices.held(gpus(arguments.gpus, model)) as names:
        taken = {"devices": names, "devices_since": records.moment(time.time())}
        run_jobs(jobs, study, model, arguments.shard, threads=arguments.threads, **taken)
    LOG.info("%s: %.1f s", model.name, time.monotonic() - start)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Extract the residual stream at every target.")
    parser.add_argument("--config", type=Path, required=True, help="the study's configuration")
    parser.add_argument("--model", required=True, help="its name in the configuration")
    parser.add_argument("--tokens", type=Path, nargs="+", required=True, help="folders of the tokens stage")
    parser.add_argument("--output", type=Path, nargs="+", required=True, help="folders to write, in the same order")
    parser.add_argument("--shard", type=int, default=0, help="which of the model's shards, from 0")
    parser.add_argument("--gpus", type=int, help="GPUs to hold while it runs; without it, as many as the model needs")
    parser.add_argument("--threads", type=count, default=1, help="CPU threads")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
