"""Small tables of the statistics stage, from which the tests of the page make one."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from linear_probing.reporting.tables import COLUMNS

LAYERS = (0, 3, 6)
CURVES = {"atlas": [0.5, 0.7, 0.99], "atlas-random": [0.5, 0.55, 0.52]}


def estimate_rows(columns, curves=CURVES, task="cities.truth", probe="logistic", metric="auroc", layers=LAYERS):
    rows = []
    for model, values in curves.items():
        for split in ("group", "types"):
            for part in ("all", "seen", "unseen"):
                for layer, value in zip(layers, values, strict=True):
                    row = {"model": model, "task": task, "part": part, "split": split, "probe": probe, "metric": metric}
                    row |= {"layer": layer, "estimate": value, "lower": value - 0.05, "upper": min(1, value + 0.05)}
                    row |= {"n": 1200, "n_groups": 300, "control": 0.55, "majority": 0.5, "text_baseline": 0.6}
                    rows.append({key: row[key] for key in columns})
    return pd.DataFrame(rows, columns=list(columns))


def place_rows(layers=LAYERS, models=tuple(CURVES), name="city"):
    random = np.random.default_rng(0)
    true = random.uniform(-60, 60, (30, 2))
    rows = [
        (
            model,
            "place.position",
            layer,
            f"t{n}",
            f"{name}{n}",
            "seen",
            *true[n],
            *random.uniform(-60, 60, 2),
            100.0 * n,
        )
        for model in models
        for layer in layers
        for n in range(30)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS["map.csv"]))


def statement_rows(layers=LAYERS, models=tuple(CURVES), task="cities.truth"):
    random = np.random.default_rng(1)
    rows = [
        (model, task, layer, f"s{n}", str(n % 2), "seen", *random.normal(size=2))
        for model in models
        for layer in layers
        for n in range(40)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS["plane.csv"]))


def small_tables():
    """Return a small study's tables by file name: two models, two tasks, two probes of one of them."""
    layers = COLUMNS["layers.csv"]
    places = {model: [value - 0.3 for value in values] for model, values in CURVES.items()}
    both = [estimate_rows(layers), estimate_rows(layers, places, "place.position", "ridge", "r2")]
    found = {"layers.csv": pd.concat(both, ignore_index=True)}
    best = found["layers.csv"][found["layers.csv"]["layer"] == 6].assign(lower=np.nan)
    found["best_layer.csv"] = best
    found["probes.csv"] = estimate_rows(COLUMNS["probes.csv"], {"atlas": [0.5, 0.6, 0.8]}, probe="lda")
    found["baselines.csv"] = pd.DataFrame(
        [("text", "cities.truth", "unseen", "group", 0.6)], columns=list(COLUMNS["baselines.csv"])
    )
    tested = [("atlas", "cities.truth", "headline", 0.001, 0.002, 2, 1000)]
    found["best_layer_significance.csv"] = pd.DataFrame(tested, columns=list(COLUMNS["best_layer_significance.csv"]))
    edited = [
        ("atlas", "cities.truth", operation, kind, effect, 5, 6, 2, 6, 0.7, 0.004, 0.002, 1000)
        for operation, kind, effect in (("shift", "mean_difference", 0.94), ("remove", "mean_difference", 0.48))
    ]
    found["causal_tests.csv"] = pd.DataFrame(edited, columns=list(COLUMNS["causal_tests.csv"]))
    found["map.csv"], found["plane.csv"] = place_rows(), statement_rows()
    errors = [(model, "place.position", layer, 30, 1234 - 100 * layer) for model in CURVES for layer in LAYERS]
    found["map_summary.csv"] = pd.DataFrame(errors, columns=list(COLUMNS["map_summary.csv"]))
    found["fits.csv"] = pd.DataFrame([("atlas", "cities.truth", 90)], columns=list(COLUMNS["fits.csv"]))
    noted = [
        ("atlas", "cities.truth", "group", "true", "mlp", "layer_03", str(fold), "did not converge") for fold in "01"
    ]
    found["notes.csv"] = pd.DataFrame(noted, columns=list(COLUMNS["notes.csv"]))
    return found


def write(found, folder):
    folder.mkdir(exist_ok=True)
    for name, table in found.items():
        table.to_csv(folder / name, index=False)
    return folder


def empty(found, *names):
    return {**found, **{name: found[name].iloc[:0] for name in names}}


@pytest.fixture(scope="session")
def small():
    """Return what makes and writes tables of a small study: whole by `study`, or a table's rows."""
    return SimpleNamespace(
        curves=CURVES,
        layers=LAYERS,
        estimates=estimate_rows,
        places=place_rows,
        statements=statement_rows,
        study=small_tables,
        write=write,
        empty=empty,
    )
