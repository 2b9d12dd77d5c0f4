"""Probes: states and labels in; out-of-fold scores, their controls and fitted directions out.

In: a data set, and the activations of one model on it; or no activations, for the baselines that read the text or a
column (the pseudo model `text`). Out:

- scores.safetensors: arrays (n_targets, n_outputs) under 'TASK|SPLIT|LABELING|PROBE|FEATURES'. Where a split does not
  score all targets, they are of those alone whose numbers stand under 'rows|TASK|SPLIT': a data set's own test part is
  a tenth of it. Drawn control labels, and of binary tasks two principal components, are of all targets.
- fits.csv: every fit that scored a fold. checks.csv: what is odd about each layer's features.
- permutations.safetensors: 'TASK|PART|FEATURES', the ridge probe's score on the true labels, then on each permutation.
- code.csv: online code lengths by portion. directions.safetensors and .json: fitted linear probes (directions.py).

Cost: one to ten seconds a data set and layer of the default study.
"""

import argparse
import logging
import time
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sklearn
from jaxtyping import Float
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from linear_probing import directions, records, settings, store, tables
from linear_probing.probing import controls
from linear_probing.probing.layer import Probed, plan_of, probe_layer
from linear_probing.probing.protocol import Fitting, probe_out_of_fold
from linear_probing.probing.runs import runs_of
from linear_probing.settings import Model, Study, Task
from linear_probing.stage import count, run
from linear_probing.store import layer_name, write_tensors
from linear_probing.tables import Tables

LOG = logging.getLogger("probes")
SCORES, PERMUTED = "scores.safetensors", "permutations.safetensors"
FITS, CHECKS, CODE = "fits.csv", "checks.csv", "code.csv"


def plane(states: Float[np.ndarray, "target d"]) -> Float[np.ndarray, "target 2"]:
    """Return two principal components of standardised states; for looking at, never scored."""
    return PCA(2, svd_solver="covariance_eigh").fit_transform(StandardScaler().fit_transform(states))


def check_features(states: Float[np.ndarray, "target d"], groups: pd.Series) -> dict[str, int]:
    """Return how many features are constant, and how many targets have the very state of one in another group.

    Examples
    --------
    >>> check_features(np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 2.0]]), pd.Series(["a", "b", "b"]))
    {'n_targets': 3, 'n_constant_features': 1, 'n_in_two_groups': 2}
    """
    # By digests: to sort the rows themselves takes copies of all states.
    kind = pd.factorize(np.array([blake2b(row, digest_size=16).hexdigest() for row in np.ascontiguousarray(states)]))[0]
    shared = groups.groupby(kind).transform("nunique") > 1
    n_constant = int((np.ptp(states, axis=0) == 0).sum())
    return {"n_targets": len(states), "n_constant_features": n_constant, "n_in_two_groups": int(shared.sum())}


def probe_states(study: Study, data: Tables, dataset: str, model: Model, activations: Path) -> Probed:
    """Probe every stored layer for every task of a data set."""
    probed, tasks, full = Probed(), study.tasks_of(dataset), not study.is_later_twin(model)
    plans = [plan_of(study, task, data, full) for task in tasks]
    for layer in tqdm(store.layers(activations), unit="layer", disable=None):
        states = np.asarray(store.read_layer(activations, layer, len(data.targets)), dtype=np.float32)
        found = check_features(states, data.targets["group"])
        probed.checks.append({"dataset": dataset, "features": layer_name(layer), **found})
        for plan in plans:
            probe_layer(probed, states, layer, plan)
        if any(task.kind == "binary" for task in tasks):
            probed.scores[f"plane|{dataset}|{layer_name(layer)}"] = plane(states).astype(np.float32)
    return probed


def probe_baselines(study: Study, data: Tables, dataset: str) -> Probed:
    """Probe, by the same protocol, the text and the columns that a task names."""
    probed = Probed()
    texts = data.targets["text_id"].map(data.texts.set_index("text_id")["text"])
    text = controls.text_features(texts, data.targets["span_start"], data.targets["span_end"])
    for task in study.tasks_of(dataset):
        _probe_baseline(probed, text, "text", task, data, study)
        for column in task.baselines:
            features = controls.column_features(data.targets, column)
            _probe_baseline(probed, features, f"column:{column}", task, data, study)
    return probed


def _probe_baseline(probed: Probed, features: Any, name: str, task: Task, data: Tables, study: Study) -> None:
    penalties, fitting = study.penalties["logistic" if task.probe == "logistic" else "ridge"], Fitting()
    for one in runs_of(study, task, data, drawn=False):
        if one.labeling == "true":
            outcome = probe_out_of_fold(features, one.labels, one.masks, task.probe, penalties, fitting)
            probed.enter(task, one, task.probe, name, outcome.scores, outcome.fits)


def write(folder: Path, probed: Probed, baselines: bool) -> None:
    """Write what was found; a table of which there is nothing has no file, and baselines have no directions."""
    write_tensors(folder / SCORES, probed.scores, {})
    if probed.permuted:
        write_tensors(folder / PERMUTED, probed.permuted, {})
    if not baselines:
        directions.write(folder, probed.directions)
    for name, rows in ((FITS, probed.fits), (CHECKS, probed.checks), (CODE, probed.code)):
        if rows:
            pd.DataFrame(rows).to_csv(folder / name, index=False, lineterminator="\n")


def main() -> None:
    """Probe one data set: a model's states, or the baselines."""
    parser = argparse.ArgumentParser(description="Probe one data set, layer by layer, or its baselines.")
    parser.add_argument("--config", type=Path, required=True, help="the study's configuration")
    parser.add_argument("--dataset", required=True, help="its name in the configuration")
    parser.add_argument("--tables", type=Path, required=True, help="folder of the datasets stage")
    parser.add_argument("--activations", type=Path, help="folder of the activations stage; none for the baselines")
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    parser.add_argument("--threads", type=count, default=1, help="CPU threads")
    arguments = parser.parse_args()
    study = settings.load(arguments.config)
    name = study.dataset(arguments.dataset).name
    start, states, threads = time.monotonic(), arguments.activations, arguments.threads
    inputs = [arguments.tables] + ([states] if states else [])
    with records.making(study, "probes", arguments.output, inputs, threads=threads) as folder:
        data = tables.read(arguments.tables)
        tables.check_labels(data, study.tasks_of(name), arguments.tables)
        LOG.info("%s: %d targets, %d tasks", name, len(data.targets), len(study.tasks_of(name)))
        # Features are finite, as they were checked when they were read; scikit-learn would look again in every fit.
        with threadpool_limits(threads), sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
            model = study.model(states.parent.name) if states else None
            probed = probe_states(study, data, name, model, states) if model else probe_baselines(study, data, name)
        write(folder, probed, baselines=model is None)
    LOG.info("%s: %d fits, %.1f s", name, len(probed.fits), time.monotonic() - start)


if __name__ == "__main__":
    run(main)
