"""Exported directions: what a linear probe learnt, with its scaling, to score activations that it never saw.

One folder holds directions.safetensors, arrays `TASK|PROBE|layer_06|FOLD|PART`, where FOLD is `all` (all targets
trained) or the number of the outer fold that was left out, and PART is mean, scale, coefficients or intercept; and
directions.json, what each direction is of. Three lines score new states of the same model, layer and token position:

    from linear_probing import directions
    direction = directions.load("results/probes/MODEL/cities-DIGEST", "cities.truth", layer=6)
    scores = direction.score(states)  # (n, d_model) -> (n, 1); positive: the second of direction.names

Without this package: ((states - mean) / scale) @ coefficients.T + intercept.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from linear_probing.stage import StudyError, replace_file
from linear_probing.store import DO, layer_name, read_tensors, write_tensors

ARRAYS, WORDS = "directions.safetensors", "directions.json"
PARTS = ("mean", "scale", "coefficients", "intercept")
ALL = "all"
ENTRY = {"names", "metric", "penalty", "split"}
SPLIT = "group"
HEADER = {"score": "((states - mean) / scale) @ coefficients.T + intercept"}


class DirectionError(StudyError):
    """A direction that is not there, or a probe that has none."""


@dataclass(frozen=True)
class Direction:
    """One linear probe of one layer.

    Parameters
    ----------
    task, probe : str
        Names of the task and of the probe.
    layer : int
        0 is the embedding output, k the output of block k.
    fold : str
        'all', or the number of the outer fold whose targets did not train it.
    names : tuple[str, ...]
        The classes, or the axes of a position; of two classes a positive score means the second.
    metric : str
        In which the task is reported.
    penalty : float, optional
        C of logistic, alpha of ridge; None where the probe has none.
    mean, scale : np.ndarray
        Of the training targets' states, shape (d,).
    coefficients : np.ndarray
        Of standardised states, shape (n_outputs, d): one output for two classes, else one per class or axis.
    intercept : np.ndarray
        Shape (n_outputs,). Of another probe than the task's own, a class that training lacked has coefficients of 0
        and an intercept of minus infinity.
    split : str
        The split whose folds these are.
    """

    task: str
    probe: str
    layer: int
    fold: str
    names: tuple[str, ...]
    metric: str
    penalty: float | None
    mean: Float[np.ndarray, " d"]
    scale: Float[np.ndarray, " d"]
    coefficients: Float[np.ndarray, "output d"]
    intercept: Float[np.ndarray, " output"]
    split: str = SPLIT

    @property
    def key(self) -> str:
        """`TASK|PROBE|layer_06|FOLD`."""
        return "|".join((self.task, self.probe, layer_name(self.layer), self.fold))

    @property
    def vector(self) -> Float[np.ndarray, "output d"]:
        """The direction in the space of the states as they are: coefficients / scale, (n_outputs, d)."""
        return self.coefficients.astype(np.float64) / self.scale

    @property
    def offset(self) -> Float[np.ndarray, " output"]:
        """What is to be added to `states @ vector.T` to give the score, (n_outputs,)."""
        return self.intercept - self.vector @ self.mean.astype(np.float64)

    def score(self, states: Float[np.ndarray, "target d"]) -> Float[np.ndarray, "target output"]:
        """Return decision values (of logistic, log odds) or predictions, (n, n_outputs), for states (n, d).

        Raises
        ------
        DirectionError
            If the states have another width.
        """
        if states.ndim != 2 or states.shape[1] != len(self.mean):
            raise DirectionError(
                f"states of shape {states.shape}, expected (n, {len(self.mean)}), as {self.key} was trained on",
                likely="they are of another model, or one vector: states[None] makes it a row",
                do="give states of the model and layer that the direction is of",
            )
        scaled = (states.astype(np.float64) - self.mean) / self.scale
        return scaled @ self.coefficients.T.astype(np.float64) + self.intercept


def from_pipeline(
    fitted: Any,
    *,
    task: str,
    probe: str,
    layer: int,
    names: Sequence[str],
    metric: str,
    fold: str = ALL,
    penalty: float | None = None,
) -> Direction:
    """Return the direction of a fitted Pipeline of StandardScaler and a linear estimator.

    Parameters
    ----------
    fitted : sklearn.pipeline.Pipeline
        Of two steps; a classifier was fitted to class indices in the order of `names`.
    task, probe, layer, names, metric, fold, penalty
        As of `Direction`; `names` are all classes of the task, in sorted order, also those that training lacked.

    Raises
    ------
    DirectionError
        If the estimator is not linear.
    """
    scaler, last = fitted[0], fitted[-1]
    if not (hasattr(last, "coef_") and hasattr(last, "intercept_")):
        raise DirectionError(
            f"probe {probe} of {task} has no coefficients, so no direction",
            likely=f"{type(last).__name__} is not linear",
            do="export linear probes only",
        )
    coefficients = np.atleast_2d(np.asarray(last.coef_, dtype=np.float64))
    intercept = np.broadcast_to(np.asarray(last.intercept_, dtype=np.float64), len(coefficients))
    n_classes = len(names) if hasattr(last, "classes_") else 0
    if n_classes > 2:
        coefficients, intercept = _all_classes(coefficients, intercept, last.classes_, n_classes)
    n_features = coefficients.shape[1]
    return Direction(
        task,
        probe,
        layer,
        fold,
        tuple(names),
        metric,
        penalty,
        mean=np.zeros(n_features) if scaler.mean_ is None else scaler.mean_,
        scale=np.ones(n_features) if scaler.scale_ is None else scaler.scale_,
        coefficients=coefficients,
        intercept=np.array(intercept),
    )


def is_linear(fitted: Any, states: Float[np.ndarray, "target d"]) -> bool:
    """Return whether a pipeline's scores are the products of its coefficients: some have vectors of class pairs.

    Parameters
    ----------
    fitted : sklearn.pipeline.Pipeline
        Of scaling and an estimator.
    states : np.ndarray
        On which the scores are compared.
    """
    last = fitted[-1]
    if not (hasattr(last, "coef_") and hasattr(last, "intercept_")):
        return False
    told = fitted.decision_function(states) if hasattr(last, "decision_function") else fitted.predict(states)
    products = fitted[:-1].transform(states) @ np.atleast_2d(last.coef_).T + last.intercept_
    told = np.asarray(told, dtype=np.float64).reshape(len(states), -1)
    return told.shape == products.shape and np.allclose(told, products, rtol=1e-4, atol=1e-4 * np.abs(told).max())


def _all_classes(
    coefficients: Float[np.ndarray, "known d"],
    intercept: Float[np.ndarray, " known"],
    known: Any,
    n_classes: int,
) -> tuple[Float[np.ndarray, "class d"], Float[np.ndarray, " class"]]:
    """Return a row for every class of the task: training may have lacked some, or all but two."""
    if len(coefficients) == 1:
        halves = np.array([-0.5, 0.5])  # so that the softmax are the odds
        coefficients, intercept = np.outer(halves, coefficients[0]), halves * intercept
    full, offsets = np.zeros((n_classes, coefficients.shape[1])), np.full(n_classes, -np.inf)
    full[known], offsets[known] = coefficients, intercept
    return full, offsets


def write(folder: Path, directions: Iterable[Direction]) -> None:
    """Write both files, arrays in single precision; by default `load` takes the first that stands here of a task."""
    arrays: dict[str, np.ndarray] = {}
    words: dict[str, dict[str, Any]] = {}
    for one in directions:
        arrays |= {f"{one.key}|{part}": getattr(one, part).astype(np.float32) for part in PARTS}
        named = {"names": list(one.names), "metric": one.metric, "penalty": one.penalty, "split": one.split}
        words[one.key] = named
    write_tensors(folder / ARRAYS, arrays, HEADER)
    lines = ",\n".join(f" {json.dumps(key)}: {json.dumps(value)}" for key, value in words.items())
    with replace_file(folder / WORDS) as temporary:
        temporary.write_text("{\n" + lines + "\n}\n", encoding="utf-8")


def contents(folder: Path | str) -> dict[str, Mapping[str, Any]]:
    """Return what directions.json says, by `TASK|PROBE|layer_06|FOLD`, in the order in which they were written.

    Raises
    ------
    DirectionError
        If it is missing or cut.
    """
    path = Path(folder) / WORDS
    try:
        found = dict(json.loads(path.read_text(encoding="utf-8")))
        for key, words in found.items():
            if key.count("|") != 3 or not isinstance(words, dict) or not words.keys() >= ENTRY:
                raise ValueError(f"the entry {key!r} is none of a direction")
        return found
    except (OSError, ValueError, TypeError, RecursionError) as error:
        likely = "the folder is not of the probes stage, or the file was cut short"
        raise DirectionError(f"{WORDS} cannot be read: {error}", file=path, likely=likely, do=DO) from error


def load(folder: Path | str, task: str, layer: int, probe: str | None = None, fold: int | str = ALL) -> Direction:
    """Read one direction.

    Parameters
    ----------
    folder : Path or str
        Of the probes stage, `results/probes/{model}/{dataset}-{digest}`.
    task : str
        As 'cities.truth'.
    layer : int
        0 is the embedding output, k the output of block k.
    probe : str, optional
        As 'logistic' or 'mean_difference'; without it the first that was written of the task: its own.
    fold : int or str
        'all' for new activations. An outer fold's number for those of its own data set: its targets did not train it.

    Raises
    ------
    DirectionError
        If there is none of that description.
    StoreError
        If its arrays cannot be read.
    """
    known = contents(folder)
    probes = list(dict.fromkeys(key.split("|")[1] for key in known if key.startswith(f"{task}|")))
    chosen = probe or (probes[0] if probes else "")
    key = "|".join((task, chosen, layer_name(layer), str(fold)))
    if key not in known:
        parts = [sorted({name.split("|")[place] for name in known}) for place in range(4)]
        listed = "; ".join(", ".join(part) for part in parts)
        raise DirectionError(
            f"no direction {key}; there are {listed or 'none'}",
            file=Path(folder) / WORDS,
            likely="a misspelt name, a layer that was not probed, or a probe that is not linear",
            do="name one that is there",
        )
    return _read(folder, {key: known[key]})[0]


def read(folder: Path | str, tasks: Collection[str]) -> list[Direction]:
    """Read all directions of some tasks, in the order in which they were written.

    Raises
    ------
    DirectionError, StoreError
        If a file is missing or cut.
    """
    return _read(folder, {key: words for key, words in contents(folder).items() if key.split("|")[0] in tasks})


def _read(folder: Path | str, chosen: Mapping[str, Mapping[str, Any]]) -> list[Direction]:
    arrays = read_tensors(Path(folder) / ARRAYS, [f"{key}|{part}" for key in chosen for part in PARTS])
    found = []
    for key, words in chosen.items():
        task, probe, layer, fold = key.split("|")
        mean, scale, coefficients, intercept = (arrays[f"{key}|{part}"] for part in PARTS)
        names, number = tuple(words["names"]), int(layer.removeprefix("layer_"))
        given = (task, probe, number, fold, names, words["metric"], words["penalty"])
        found.append(Direction(*given, mean, scale, coefficients, intercept, words["split"]))
    return found
