"""The whole chain at a founding model's true shape, with random weights: tokens, states, probes, tables and figures.

    python benchmarks/chain.py --shape gpt2|llama-8b|tiny-llama [--device cpu|cuda] [--cities N] [--folder FOLDER]

Random weights cost what trained ones cost. The folder gets a model in the Hugging Face layout, with the embedded
model's tokenizer, and a configuration of a reduced data set; then the plan is printed, the study run by snakemake as a
user runs it, and what was planned stands beside what was measured. Out: what `plan` and `plan --measured` print. Needs
the model's size in disk and memory: 0.5 GB for gpt2, 16 GB for llama-8b.
"""

import argparse
import logging
import shutil
import subprocess
import sys
from pathlib import Path

import torch
import transformers
import yaml

from linear_probing.settings import ROOT
from linear_probing.stage import run

LOG = logging.getLogger("benchmark")
EMBEDDED = ROOT / "data" / "models" / "atlas"
SHAPES = {
    "gpt2": (transformers.GPT2Config(), "float32"),
    "llama-8b": (
        transformers.LlamaConfig(
            vocab_size=128_256,
            hidden_size=4096,
            intermediate_size=14_336,
            num_hidden_layers=32,
            num_attention_heads=32,
            num_key_value_heads=8,
            max_position_embeddings=131_072,
        ),
        "bfloat16",
    ),
    "tiny-llama": (
        transformers.LlamaConfig(
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=3,
            num_attention_heads=4,
            max_position_embeddings=256,
        ),
        "float32",
    ),
}


def save_model(shape: str, device: str, folder: Path) -> None:
    """Write a model of a shape, its weights drawn with seed 0, and the embedded model's tokenizer."""
    config, dtype = SHAPES[shape]
    torch.manual_seed(0)
    with torch.device(device):
        model = transformers.AutoModel.from_config(config, dtype=getattr(torch, dtype))
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(EMBEDDED / name, folder / name)


def configuration(shape: str, device: str, folder: Path, n_cities: int) -> dict[str, object]:
    """Return a small study of a model and its twin: statements, and the position of cities."""
    _, dtype = SHAPES[shape]
    return {
        "name": f"chain-{shape}",
        "seed": 0,
        "models": {
            shape: {"folder": str(folder.resolve()), "dtype": dtype, "device": device},
            f"{shape}-random": {"twin_of": shape, "seed": 1},
        },
        "datasets": {
            "cities": {"builder": "city_statements", "n_cities": n_cities, "n_false": 1, "negated": False},
            "place": {"builder": "place", "n_cities": n_cities, "n_contexts": 4},
        },
        "n_folds": 5,
        "layers": "all",
        "penalties": {"logistic": [0.001, 0.03], "ridge": [300.0, 3000.0]},
        "bootstrap": {"n_resamples": 200, "confidence": 0.95},
        "seeds": 1,
        "probes": {"mean_difference": {}},
        "permutations": 100,
        "learning": [],
        "tasks": {
            "cities.truth": {"kind": "binary", "probe": "logistic", "splits": ["group", "types"]},
            "place.position": {"kind": "position", "probe": "ridge", "splits": ["group"]},
        },
    }


def main() -> None:
    """Plan, run and measure the chain."""
    parser = argparse.ArgumentParser(description="Run the whole chain at a model's true shape, with random weights.")
    parser.add_argument("--shape", choices=[*SHAPES], default="gpt2")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--cities", type=int, default=300, help="60 to 1,192; two statements and four mentions of each")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "chain", help="for the model and configuration")
    arguments = parser.parse_args()
    folder = arguments.folder / arguments.shape
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "config.json").is_file():
        LOG.info("%s: drawing weights", arguments.shape)
        save_model(arguments.shape, arguments.device, folder)
    path = arguments.folder / f"{arguments.shape}.yaml"
    content = configuration(arguments.shape, arguments.device, folder, arguments.cities)
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    plan = [sys.executable, "-m", "linear_probing.plan", "--config", str(path)]
    subprocess.run(plan, check=True)
    subprocess.run(["snakemake", "--cores", str(arguments.cores), "--configfile", str(path)], check=True)
    subprocess.run([*plan, "--measured"], check=True)


if __name__ == "__main__":
    run(main)
