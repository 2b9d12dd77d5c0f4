"""Which figures a study has, known before any table is there; without a drawing library, since the Snakefile asks too.

One list for what is promised and what is drawn: figures.py draws what is planned here, in this order.
"""

from dataclasses import dataclass

from linear_probing.settings import Study

CATEGORIES = {
    "overview": "Overview",
    "layers": "Curves",
    "selectivity": "Controls",
    "leakage": "Controls",
    "effort": "Curves",
    "map": "Places",
    "plane": "Statements",
    "transfer": "Transfer",
    "cosines": "Transfer",
}
"""The figures of one model, by kind, each with its heading in reports."""

CAUSAL = {"causal": "Interventions"}
"""Figures of one model, of studies that intervene."""

COMPARED = {"models": "Curves"}
"""Figures that compare the models, of studies that have two or more."""

N_COMPARED = 7
"""Models that one figure tells apart; more are spread over several figures, each with the others behind."""


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
    kinds = CATEGORIES | (CAUSAL if study.interventions else {})
    for number, model in enumerate(originals):
        ending = f"-{model}" if number else ""
        found += [Planned(f"{kind}{ending}", kind, heading, (model,)) for kind, heading in kinds.items()]
    pages = [tuple(originals[start : start + N_COMPARED]) for start in range(0, len(originals), N_COMPARED)]
    for kind, heading in COMPARED.items() if len(originals) > 1 else ():
        found += [Planned(f"{kind}-{n}" if n > 1 else kind, kind, heading, page) for n, page in enumerate(pages, 1)]
    return found
