"""Predicted places on the globe, and the plane of two components: what the map and the plane figure show."""

import numpy as np
import pandas as pd
from jaxtyping import Float

from linear_probing.estimation.scores import Scores
from linear_probing.settings import METRICS, Model, Study
from linear_probing.store import layer_name

EARTH_RADIUS_KM = 6371.0
MAP = ["model", "task", "layer", "target_id", "group", "part", "lon", "lat", "pred_lon", "pred_lat", "error_km"]
SUMMARY = ["model", "task", "layer", "n", "median_error_km"]
PLANE = ["model", "task", "layer", "target_id", "label", "part", "x", "y"]


def degrees(vectors: Float[np.ndarray, "target 3"]) -> tuple[np.ndarray, np.ndarray]:
    """Return longitude and latitude in degrees of vectors of any length.

    Examples
    --------
    >>> [float(value[0]) for value in degrees(np.array([[0.0, 2.0, 0.0]]))]
    [90.0, 0.0]
    """
    x, y, z = vectors.T
    return np.degrees(np.arctan2(y, x)), np.degrees(np.arctan2(z, np.hypot(x, y)))


def distance_km(one: Float[np.ndarray, "target 3"], other: Float[np.ndarray, "target 3"]) -> np.ndarray:
    """Return great-circle distances between the directions of vectors, in km, shape (n_targets,)."""
    cross = np.linalg.norm(np.cross(one, other), axis=1)
    return EARTH_RADIUS_KM * np.arctan2(cross, (one * other).sum(axis=1))


def drawn(study: Study) -> list[Model]:
    """Return the models whose targets are drawn one by one: all but a model's further twins."""
    return [model for model in study.models if not study.is_later_twin(model)]


def map_table(scores: Scores, study: Study) -> pd.DataFrame:
    """Return true and predicted place of every target, per model and layer, under the position task's first split."""
    tables = []
    for task in (task for task in study.tasks if task.kind == "position"):
        targets = scores.targets[task.dataset]
        true = targets[list(task.label_columns)].astype(float).to_numpy()
        lon, lat = degrees(true)
        for model in drawn(study):
            for layer in scores.layers(model.name, task):
                predicted = scores.get(model.name, task, task.splits[0], "true", layer_name(layer)).astype(float)
                pred_lon, pred_lat = degrees(predicted)
                columns = {"lon": lon, "lat": lat, "pred_lon": pred_lon, "pred_lat": pred_lat}
                table = targets[["target_id", "group", "part"]].assign(
                    model=model.name, task=task.name, layer=layer, **columns
                )
                tables.append(table.assign(error_km=distance_km(true, predicted))[MAP])
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=MAP)


def summarise_map(places: pd.DataFrame) -> pd.DataFrame:
    """Return the median error per model, task and layer."""
    grouped = places.groupby(["model", "task", "layer"], sort=False)["error_km"]
    return grouped.agg(n="size", median_error_km="median").reset_index()[SUMMARY]


def plane_table(scores: Scores, study: Study) -> pd.DataFrame:
    """Return the two components of every target of the binary tasks, per model and layer."""
    tables = []
    for task in (task for task in study.tasks if task.metric == METRICS["binary"]):
        targets = scores.targets[task.dataset]
        named = targets[["target_id", "part"]].assign(label=targets[task.label], task=task.name)
        for model in drawn(study):
            for layer in scores.layers(model.name, task):
                x, y = scores.arrays[model.name][f"plane|{task.dataset}|{layer_name(layer)}"].T
                tables.append(named.assign(model=model.name, layer=layer, x=x, y=y)[PLANE])
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=PLANE)
