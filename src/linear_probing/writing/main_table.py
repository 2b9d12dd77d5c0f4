"""The main table of a model: each task once, with its interval beside all controls, as CSV, Markdown and LaTeX.

What README.md shows first. Numbers stand as in best_layer.csv, selectivity.csv and best_layer_significance.csv; random
weights are the twins' least and greatest, each at its own best layer. A cell that is not defined is an en dash, in CSV
an empty cell.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from linear_probing.drawing.curves import CLOSE, METRICS, headline_part, title
from linear_probing.settings import Study
from linear_probing.writing import numbers
from linear_probing.writing.reading import MAKE, PaperError, check_once, table

GROUP, UNSEEN, HEADLINE = "group", "unseen", "headline"
HEADER = (
    "decodable",
    "metric",
    "best layer",
    "estimate",
    "random weights",
    "text alone",
    "control task",
    "selectivity",
    "p (Holm)",
    "n",
    "groups",
)
OWN = ("model", "task", "part", "metric", "estimate", "lower", "upper", "text_baseline", "control")
KEYS = {
    "best_layer.csv": ["model", "task", "part"],
    "selectivity.csv": ["model", "task", "part", "layer"],
    "best_layer_significance.csv": ["model", "task"],
}
"""What tells the rows of each table apart, of those that are read."""
SELECTIVE = ("selectivity", "lower", "upper")
RANDOM = HEADER.index("random weights")


@dataclass(frozen=True)
class Row:
    """A task of a model, on the part that it is reported on, groups held out, at the best layer.

    Parameters
    ----------
    model, task, part, metric, layer, estimate, lower, upper, text_baseline, control, n, n_groups
        As in best_layer.csv.
    random : tuple[float, ...]
        The estimate of each twin with random weights.
    selectivity, selectivity_lower, selectivity_upper
        As in selectivity.csv at this layer; NaN without a control task.
    p_holm : float
        As in best_layer_significance.csv, of the headline family; NaN without permutations.
    """

    model: str
    task: str
    part: str
    metric: str
    layer: int
    estimate: float
    lower: float
    upper: float
    text_baseline: float
    control: float
    n: int
    n_groups: int
    random: tuple[float, ...]
    selectivity: float
    selectivity_lower: float
    selectivity_upper: float
    p_holm: float

    @property
    def random_is_close(self) -> bool:
        """Whether a twin does about as well, so that the estimate tells nothing of what was learnt."""
        return any(value > self.estimate - CLOSE for value in self.random)

    @property
    def random_greatest(self) -> float:
        """The greatest estimate of a twin; NaN where none is defined."""
        return max((value for value in self.random if value == value), default=float("nan"))


def rows(study: Study, folder: Path, model: str) -> list[Row]:
    """Return the rows of a model, in the configuration's order; tasks that it lacks have none.

    Parameters
    ----------
    study : Study
        Says the model's twins.
    folder : Path
        Output folder of the statistics stage.
    model : str
        A model with weights.

    Raises
    ------
    PaperError
        If a table is missing or has a row twice, or the model has no row.
    """
    best = _read(folder, "best_layer.csv", split=GROUP)
    selective = _read(folder, "selectivity.csv")
    tested = _read(folder, "best_layer_significance.csv", family=HEADLINE)
    twins = [twin.name for twin in study.twins_of(study.model(model))]
    found = []
    for task in [task.name for task in study.tasks]:
        own = best[(best["model"] == model) & (best["task"] == task)]
        if not own.empty:
            own = own[own["part"] == headline_part(own)]
            found.append(_row(own.iloc[0], best, twins, selective, tested))
    if not found:
        raise PaperError(
            f"best_layer.csv has no row of {model} with groups held out",
            file=folder / "best_layer.csv",
            likely="the tables are of another study",
            do=MAKE,
        )
    return found


def _read(folder: Path, name: str, **wanted: str) -> pd.DataFrame:
    """Return the rows of a table whose columns are as wanted, indexed by what tells them apart."""
    found = table(folder, name)
    for column, value in wanted.items():
        found = found[found[column] == value]
    check_once(found, KEYS[name], folder / name)
    return found.set_index(KEYS[name], drop=False)


def _row(
    own: pd.Series, best: pd.DataFrame, twins: Sequence[str], selective: pd.DataFrame, tested: pd.DataFrame
) -> Row:
    others = best[(best["task"] == own["task"]) & (best["part"] == own["part"]) & best["model"].isin(twins)]
    key = tuple(own[name] for name in KEYS["selectivity.csv"])
    beside = {name: selective.loc[key, name] if key in selective.index else float("nan") for name in SELECTIVE}
    pair = (own["model"], own["task"])
    return Row(
        **{name: own[name] for name in OWN},
        layer=int(own["layer"]),
        n=int(own["n"]),
        n_groups=int(own["n_groups"]),
        random=tuple(others["estimate"].astype(float)),
        selectivity=float(beside["selectivity"]),
        selectivity_lower=float(beside["lower"]),
        selectivity_upper=float(beside["upper"]),
        p_holm=float(tested.loc[pair, "p_holm"]) if pair in tested.index else float("nan"),
    )


def frame(found: Sequence[Row]) -> pd.DataFrame:
    """Return the table as numbers, a row a task; `random_least` and `random_greatest` are over `n_random` twins."""
    plain = []
    for row in found:
        defined = [value for value in row.random if value == value]
        ends = {"random_least": min(defined, default=None), "random_greatest": max(defined, default=None)}
        numbers_of = {name: value for name, value in vars(row).items() if name != "random"}
        plain.append({**numbers_of, **ends, "n_random": len(defined)})
    return pd.DataFrame.from_records(plain)


def cells(row: Row) -> list[str]:
    """Return a row as a reader sees it, a text for each of `HEADER`."""
    places = numbers.digits(*(v for v in (row.estimate, row.lower, row.upper) if v == v))
    estimate = f"{numbers.score(row.estimate, places)} {numbers.interval(row.lower, row.upper, places)}"
    return [
        title(row.task),
        METRICS.get(row.metric, row.metric),
        str(row.layer),
        estimate,
        numbers.spread(row.random),
        numbers.score(row.text_baseline),
        numbers.score(row.control),
        numbers.score(row.selectivity),
        numbers.probability(row.p_holm),
        numbers.count(row.n),
        numbers.count(row.n_groups),
    ]
