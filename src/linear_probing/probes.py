"""Probes: states and labels in; out-of-fold scores and fit diagnostics out.

In: a data set, and the activations of one model on it; or no activations, for the baselines that read the text or a
column (the pseudo model `text`). Out: scores.safetensors with one array per 'TASK|SPLIT|LABELING|PROBE|FEATURES' of
shape (n_targets, n_outputs), fits.csv, and for binary tasks the plane of two principal components.
Cost: one to four seconds a task, split and layer of the default study.
"""

import argparse
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from linear_probing import controls, records, settings, store, tables
from linear_probing.protocol import probe_out_of_fold
from linear_probing.settings import Study, Task
from linear_probing.stage import run
from linear_probing.store import layer_name, write_tensors
from linear_probing.tables import Tables

LOG = logging.getLogger("probes")
TYPES = "types"
SCORES, FITS = "scores.safetensors", "fits.csv"


@dataclass(frozen=True)
class Probed:
    """Arrays by key, and one row of fits.csv per fold of every key."""

    scores: dict[str, np.ndarray] = field(default_factory=dict)
    fits: list[dict[str, Any]] = field(default_factory=list)


def labels_of(task: Task, targets: pd.DataFrame) -> np.ndarray:
    """Return numbers (n_targets, 3) of a position, or class indices (n_targets,) in the sorted order of the names."""
    if task.kind == "position":
        return targets[list(task.label_columns)].astype(float).to_numpy()
    return np.unique(targets[task.label].to_numpy(str), return_inverse=True)[1]


def labelings(task: Task, data: Tables, seed: int) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield (split, labeling, labels): the task under each of its splits, its control task under `types`."""
    labels = labels_of(task, data.targets)
    for split in task.splits:
        yield split, "true", labels
        if split == TYPES:
            random = np.random.default_rng([seed, *task.name.encode()])
            yield split, "control", controls.control_labels(labels, data.targets["type"], random)


def probe_features(
    probed: Probed, features: Any, name: str, task: Task, data: Tables, study: Study, control: bool
) -> None:
    """Probe one set of features for a task, under every split and labeling, and add scores and fits to `probed`."""
    penalties = study.penalties["logistic" if task.probe == "logistic" else "ridge"]
    for split, labeling, labels in labelings(task, data, study.seed):
        if labeling == "control" and not control:
            continue
        masks = tables.fold_masks(data.targets[tables.fold_column(split)])
        outcome = probe_out_of_fold(features, labels, masks, task.probe, penalties)
        probed.scores["|".join((task.name, split, labeling, task.probe, name))] = outcome.scores
        row = {"task": task.name, "split": split, "labeling": labeling, "probe": task.probe, "features": name}
        probed.fits.extend({**row, **vars(fit)} for fit in outcome.fits)
        if labeling == "control":
            probed.scores[f"control|{task.name}"] = labels.reshape(len(labels), -1).astype(np.float32)


def plane(states: np.ndarray) -> np.ndarray:
    """Return two principal components of standardised states, shape (n_targets, 2); for looking at, never scored."""
    return PCA(2, svd_solver="covariance_eigh").fit_transform(StandardScaler().fit_transform(states))


def probe_states(study: Study, data: Tables, dataset: str, activations: Path) -> Probed:
    """Probe every stored layer for every task of a data set."""
    probed = Probed()
    for layer in tqdm(store.layers(activations), unit="layer", disable=None):
        states = store.read_layer(activations, layer, len(data.targets))
        for task in study.tasks_of(dataset):
            probe_features(probed, states, layer_name(layer), task, data, study, control=True)
        if any(task.kind == "binary" for task in study.tasks_of(dataset)):
            probed.scores[f"plane|{dataset}|{layer_name(layer)}"] = plane(states).astype(np.float32)
    return probed


def probe_baselines(study: Study, data: Tables, dataset: str) -> Probed:
    """Probe, by the same protocol, the text and the columns that a task names."""
    probed = Probed()
    texts = data.targets["text_id"].map(data.texts.set_index("text_id")["text"])
    text = controls.text_features(texts, data.targets["span_start"], data.targets["span_end"])
    for task in study.tasks_of(dataset):
        probe_features(probed, text, "text", task, data, study, control=False)
        for column in task.baselines:
            features = controls.column_features(data.targets, column)
            probe_features(probed, features, f"column:{column}", task, data, study, control=False)
    return probed


def main() -> None:
    """Probe one data set: a model's states, or the baselines."""
    parser = argparse.ArgumentParser(description="Probe one data set, layer by layer, or its baselines.")
    parser.add_argument("--config", type=Path, required=True, help="the study's configuration")
    parser.add_argument("--dataset", required=True, help="its name in the configuration")
    parser.add_argument("--tables", type=Path, required=True, help="folder of the datasets stage")
    parser.add_argument("--activations", type=Path, help="folder of the activations stage; none for the baselines")
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    arguments = parser.parse_args()
    study = settings.load(arguments.config)
    name = study.dataset(arguments.dataset).name
    start, states, threads = time.monotonic(), arguments.activations, arguments.threads
    inputs = [arguments.tables] + ([states] if states else [])
    with records.making(study, "probes", arguments.output, inputs, threads=threads) as folder:
        data = tables.read(arguments.tables)
        tables.check_labels(data, study.tasks_of(name), arguments.tables)
        LOG.info("%s: %d targets, %d tasks", name, len(data.targets), len(study.tasks_of(name)))
        with threadpool_limits(threads):
            probed = probe_states(study, data, name, states) if states else probe_baselines(study, data, name)
        write_tensors(folder / SCORES, probed.scores, {})
        pd.DataFrame(probed.fits).to_csv(folder / FITS, index=False, lineterminator="\n")
    LOG.info("%s: %d fits, %.1f s", name, len(probed.fits), time.monotonic() - start)


if __name__ == "__main__":
    run(main)
