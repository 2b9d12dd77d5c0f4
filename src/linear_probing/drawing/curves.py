"""The curves of one panel, chosen from the tables: the model's own, its controls, its baselines.

A curve is what the tables hold: estimate, lower and upper of layers.csv, unchanged. The headline is the part
`unseen` where a data set has one, else `all`, under the split by group; all others but `seen` are of the same part.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from linear_probing.drawing import style

CLOSE = 0.05
"""Scores no further apart than this are about as good, and curves no further apart hide each other."""

MIN_CROWD = 3
TWINS = ("twin", "further_twin")
# Splits that are stricter than the first, by what they hold out.
HELD_OUT = {"country": "countries", "numbers": "numbers"}
METRICS = {"auroc": "AUROC", "r2": "R²", "macro_f1": "macro F1"}
TITLES = {
    "place.position": "Place of a city",
    "place.country": "Country of a city",
    "place.continent": "Continent of a city",
    "cities.truth": "Truth of “X is in C”",
    "neg_cities.truth": "Truth of “X is not in C”",
    "larger_than.truth": "Truth of “A is larger than B”",
    "facts.truth": "Truth of common facts",
    "neg_facts.truth": "Truth of negated facts",
    "inventors.truth": "Truth of “A lived in C”",
    "sp_en_trans.truth": "Truth of translations",
    "element_symb.truth": "Truth of chemical symbols",
    "animal_class.truth": "Truth of animals’ kinds",
    "world_places.position": "Place on the earth",
    "agreement.acceptable": "Agreement of verb and subject",
    "nouns.number": "Number of a noun",
    "words.word_class": "Word class",
    "ewt.word_class": "Word class",
    "agreement.number": "Number of the subject",
    "word_class.word_class": "Word class",
    "word_class.class": "Word class",
}


@dataclass(frozen=True)
class Series:
    """One curve of a panel.

    Parameters
    ----------
    label : str
        Its entry in the legend; empty for a curve that has none.
    look : str
        Its role, a key of `layers.LOOKS`.
    layer, estimate : np.ndarray
        Shape (n_layers,); NaN where the score is undefined.
    lower, upper : np.ndarray or None
        Shape (n_layers,); None for a curve that is drawn without its interval.
    level : bool
        One number for all layers, drawn across the panel.
    """

    label: str
    look: str
    layer: np.ndarray
    estimate: np.ndarray
    lower: np.ndarray | None = None
    upper: np.ndarray | None = None
    level: bool = False

    def at(self, layers: list[int]) -> "Series":
        """Return the curve at some of its layers."""
        kept = np.isin(self.layer, layers)
        lower = None if self.lower is None else self.lower[kept]
        upper = None if self.upper is None else self.upper[kept]
        return replace(self, layer=self.layer[kept], estimate=self.estimate[kept], lower=lower, upper=upper)


def title(task: str) -> str:
    """Return what a task asks in plain words, or its name where there are none."""
    return TITLES.get(task, task)


def headline_part(rows: pd.DataFrame) -> str:
    """Return `unseen` where the rows have it, else `all`, else the first part there is."""
    parts = list(dict.fromkeys(rows["part"]))
    return next((part for part in ("unseen", "all") if part in parts), parts[0])


def headline(rows: pd.DataFrame) -> pd.DataFrame:
    """Return of each task the rows of the part that it is reported on: `unseen` where there is one, else `all`."""
    parts = {task: headline_part(of_task) for task, of_task in rows.groupby("task", sort=False)}
    return rows[rows["part"] == rows["task"].map(parts)]


def headline_rows(layers: pd.DataFrame, model: str) -> pd.DataFrame:
    """Return a model's headline: of layers.csv the split by group, the part reported on and the task's own probe."""
    rows = headline(layers[(layers["model"] == model) & (layers["split"] == "group")])
    return rows.drop_duplicates(["task", "layer"])


def panel_series(
    layers: pd.DataFrame, baselines: pd.DataFrame, task: str, model: str, twins: Sequence[str]
) -> list[Series]:
    """Choose the curves of one panel, in the order in which the legend names them.

    Parameters
    ----------
    layers, baselines : pd.DataFrame
        layers.csv and baselines.csv.
    task : str
        As in layers.csv; its first probe is drawn.
    model : str
        The model in front.
    twins : Sequence[str]
        The same architecture with random weights, seed by seed; the first with its interval, further ones as lines
        without a label.

    Returns
    -------
    list[Series]
        Only curves that have a defined number at one layer at least.
    """
    rows = layers[layers["task"] == task]
    rows = rows[rows["probe"] == rows["probe"].iloc[0]]
    own = rows[rows["model"] == model]
    if own.empty:
        return []
    split = "group" if "group" in set(own["split"]) else own["split"].iloc[0]
    main = own[own["split"] == split]
    part = headline_part(main)
    chosen = main[main["part"] == part]
    series = [_curve(chosen, model if part != "unseen" else f"{model}, unseen", "headline", band=True)]
    series.append(_curve(main[(main["part"] == "seen") & (part == "unseen")], f"{model}, seen", "seen"))
    for number, twin in enumerate(twins):
        other = rows[(rows["model"] == twin) & (rows["split"] == split) & (rows["part"] == part)]
        label = "" if number else f"{twin} (random weights)"
        series.append(_curve(other, label, "further_twin" if number else "twin", band=not number))
    for name in dict.fromkeys(own["split"]):
        strict = own[own["split"] == name]
        if name in (split, "types"):
            continue
        strict = strict[strict["part"] == headline_part(strict)]
        label = f"{model}, {HELD_OUT.get(name, name)} held out"
        series.append(_curve(strict, label, name if name in HELD_OUT else "held_out"))
    by_type = own[own["split"] == "types"]
    if not by_type.empty:
        by_type = by_type[by_type["part"] == headline_part(by_type)]
        series.append(_curve(by_type, "types in training: task", "types"))
        series.append(_curve(by_type, "types in training: control task", "control", column="control"))
    else:
        series.append(_curve(chosen, "control task", "control", column="control"))
    series.append(_curve(chosen, "text baseline", "text", column="text_baseline", level=True))
    series.extend(_column_baselines(baselines, task, part, split, chosen["layer"].to_numpy()))
    series.append(_curve(chosen, "majority", "majority", column="majority", level=True))
    return [one for one in series if np.isfinite(one.estimate).any()]


def _curve(
    rows: pd.DataFrame,
    label: str,
    look: str,
    column: str = "estimate",
    band: bool = False,
    level: bool = False,
) -> Series:
    rows = rows.sort_values("layer", kind="stable")
    values = rows[column].to_numpy()
    return Series(
        label=label,
        look=look,
        layer=rows["layer"].to_numpy(),
        estimate=values,
        lower=rows["lower"].to_numpy() if band else None,
        upper=rows["upper"].to_numpy() if band else None,
        # A baseline that differed between layers would be drawn layer by layer, as the table has it.
        level=level and len(np.unique(values)) == 1,
    )


def _column_baselines(baselines: pd.DataFrame, task: str, part: str, split: str, layer: np.ndarray) -> list[Series]:
    found = baselines[
        (baselines["task"] == task)
        & (baselines["part"] == part)
        & (baselines["split"] == split)
        & baselines["baseline"].str.startswith("column:")
    ]
    return [
        Series(
            label=f"{str(row.baseline).removeprefix('column:').replace('_', ' ')} alone",
            look="column",
            layer=layer,
            estimate=np.full(len(layer), row.estimate),
            level=True,
        )
        for row in found.itertuples()
    ]


def caution(series: list[Series]) -> str:
    """Return what a panel must say where random weights do about as well as the model, else an empty string.

    Then the curve tells of the text and the architecture, not of what was learnt. Where random weights give no more
    than the majority does, a curve near theirs shows nothing that could be taken for learnt, and needs no word.
    """
    own, twins, majority = (_greatest(series, looks) for looks in (("headline",), TWINS, ("majority",)))
    # What is NaN is no bound: a comparison with it is false.
    if np.isnan(own) or np.isnan(twins) or twins <= own - CLOSE or twins <= majority + CLOSE:
        return ""
    return f"caution: random weights reach {style.score(twins)}"


def _greatest(series: list[Series], looks: tuple[str, ...]) -> float:
    return max((float(np.nanmax(one.estimate)) for one in series if one.look in looks), default=np.nan)


def crowd(series: Iterable[Series]) -> tuple[list[int], float, float] | None:
    """Find the layers at which all curves of a panel are so near its greatest number that they hide each other.

    Parameters
    ----------
    series : Iterable[Series]
        The panel's; levels are left out.

    Returns
    -------
    tuple[list[int], float, float] or None
        The layers, and the least and greatest estimate there; None if the curves, or these layers, are few.
    """
    curves = [one for one in series if not one.level]
    if len(curves) < MIN_CROWD:
        return None
    table = pd.DataFrame([pd.Series(one.estimate, index=one.layer) for one in curves]).dropna(axis="columns")
    near = table.loc[:, table.min() >= table.max().max() - CLOSE]
    if near.shape[1] < 2 or 2 * near.shape[1] < table.shape[1]:
        return None
    return sorted(int(layer) for layer in near.columns), float(near.min().min()), float(near.max().max())
