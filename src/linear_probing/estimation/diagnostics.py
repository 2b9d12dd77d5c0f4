"""How fits went: counts and penalties per probe, fits that did not converge or lacked something, and code lengths."""

import pandas as pd

from linear_probing.estimation.scores import Scores

FIT_KEYS = ["model", "task", "split", "labeling", "probe", "features"]
NOTES = [*FIT_KEYS, "fold", "penalty", "n_iterations", "converged", "note"]
NOT_CONVERGED = "did not converge"
CODE_LENGTH = [
    "model",
    "task",
    "features",
    "layer",
    "n_classes",
    "n_portions",
    "n_coded",
    "bits",
    "uniform_bits",
    "compression",
    "bits_per_label",
]


def count_fits(results: Scores) -> pd.DataFrame:
    """Return, per model, task, split, labeling, probe and features, the fits, what share converged, and the penalties.

    `penalty_median` is one that was chosen, the lower of the middle two; the penalties of a probe without one are
    empty. `n_notes` counts the fits with a note, which notes.csv has.
    """
    fits = with_notes(results.fits)
    fits["noted"] = fits["note"] != ""
    grouped = fits.groupby(FIT_KEYS, sort=False)
    counted = grouped.agg(
        n_fits=("fold", "size"),
        converged=("converged", "mean"),
        max_iterations=("n_iterations", "max"),
        penalty_least=("penalty", "min"),
        penalty_median=("penalty", lambda penalties: penalties.quantile(0.5, interpolation="lower")),
        penalty_greatest=("penalty", "max"),
        n_notes=("noted", "sum"),
    )
    return counted.reset_index()


def with_notes(fits: pd.DataFrame) -> pd.DataFrame:
    """Return fits with numbers as penalties and text as notes, where some or all are empty."""
    notes = fits["note"].fillna("").astype(str) if "note" in fits else ""
    return fits.assign(penalty=pd.to_numeric(fits["penalty"]), note=notes, converged=fits["converged"].astype(bool))


def note_table(results: Scores) -> pd.DataFrame:
    """Return the fits that did not converge or lacked something, one a row, with what happened in words."""
    fits = with_notes(results.fits)
    told = fits[~fits["converged"] | (fits["note"] != "")]
    unsaid = ~told["converged"] & (told["note"] == "")
    return told.assign(note=told["note"].mask(unsaid, NOT_CONVERGED))[NOTES].reset_index(drop=True)


def code_lengths(results: Scores) -> pd.DataFrame:
    """Return the online code length of each task's labels, per model and features (Voita & Titov 2020).

    Bits of all portions, the first of which has no probe and is uniform; `compression` is uniform bits over bits, 1
    where the features tell nothing. `layer` is empty for features that are no layer.
    """
    if results.code.empty:
        return pd.DataFrame(columns=CODE_LENGTH)
    grouped = results.code.groupby(["model", "task", "features"], sort=False)
    table = grouped.agg(
        n_classes=("n_classes", "max"),
        n_portions=("portion", "size"),
        n_coded=("n_coded", "sum"),
        bits=("bits", "sum"),
        uniform_bits=("uniform_bits", "sum"),
    ).reset_index()
    layer = table["features"].str.extract(r"^layer_(\d+)$", expand=False).astype(float).astype("Int64")
    found = table.assign(
        layer=layer,
        compression=table["uniform_bits"] / table["bits"],
        bits_per_label=table["bits"] / table["n_coded"],
    )
    return found[CODE_LENGTH]
