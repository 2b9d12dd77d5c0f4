"""Which figures a study has, known before any table is there; without a drawing library, since the Snakefile asks too.

One list for what is promised and what is drawn: figures.py draws what is planned here, in this order.
"""

from dataclasses import dataclass

from linear_probing.settings import Study

CATEGORIES = {
    "layers": "Curves",
    "selectivity": "Controls",
    "leakage": "Controls",
    "effort": "Curves",
    "map": "Places",
    "plane": "Statements",
}
"""The figures of one model, by kind, each with its heading in reports."""


@dataclass(frozen=True)
class Planned:
    """A figure to draw.

    Parameters
    ----------
    name : str
        File name without its ending; of a further model, it ends in the model's name.
    kind : str
        What is drawn.
    category : str
        Its heading in reports.
    models : tuple[str, ...]
        The models in front.
    """

    name: str
    kind: str
    category: str
    models: tuple[str, ...]


def planned(study: Study) -> list[Planned]:
    """Return the figures of a study, model by model; a twin stands beside its original, never alone."""
    originals = [model.name for model in study.models if model.seed is None]
    found = []
    for number, model in enumerate(originals):
        ending = f"-{model}" if number else ""
        found += [Planned(f"{kind}{ending}", kind, heading, (model,)) for kind, heading in CATEGORIES.items()]
    return found
