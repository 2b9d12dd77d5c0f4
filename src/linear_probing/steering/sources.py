"""Sources: data sets as earlier stages left them, and checks, before a model is loaded, that their parts are of one."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float

from linear_probing import store, tables, tokens
from linear_probing.behaviour import Interventions
from linear_probing.settings import Model, Study
from linear_probing.stage import StudyError
from linear_probing.steering.runs import Learnt
from linear_probing.tables import Tables
from linear_probing.tokens import Tokens
from linear_probing.transfer import Side


class InterventionError(StudyError):
    """What cannot be intervened on."""


def asked_of(study: Study) -> Interventions:
    """Return what a study's configuration asks for.

    Raises
    ------
    InterventionError
        If it names no interventions.
    """
    if study.interventions is None:
        raise InterventionError(
            "the configuration names no interventions", file=study.file, do="add them; config/causal.yaml has some"
        )
    return study.interventions


@dataclass(frozen=True)
class Source:
    """A data set as earlier stages left it, in folders: its tables and, where they are read, its tokens and states."""

    folder: Path
    of_tokens: Path | None
    of_states: Path | None

    @cached_property
    def data(self) -> Tables:
        """Its tables."""
        return tables.read(self.folder)

    @cached_property
    def tokens(self) -> Tokens:
        """Its tokens."""
        return tokens.read(self._there(self.of_tokens))

    @cached_property
    def side(self) -> Side:
        """Its targets and what their groups mean, as transfer sees them."""
        card = json.loads((self.folder / tables.CARD).read_text(encoding="utf-8"))
        return Side(self.data.targets, card.get("group_meaning", ""), self.folder, ())

    def layer(self, layer: int) -> Float[np.ndarray, "target d"]:
        """Return the states of all targets at a layer."""
        return store.read_layer(self._there(self.of_states), layer, len(self.data.targets)).astype(np.float64)

    def _there(self, folder: Path | None) -> Path:
        if folder is None:
            raise InterventionError(
                f"no tokens or activations were given for {tables.dataset_name(self.folder)}",
                file=self.folder,
                do="name the folders of the data set that is edited, and of the one where the loss is measured",
            )
        return folder


def read(folders: Sequence[Path], token_folders: Sequence[Path], states: Sequence[Path]) -> dict[str, Source]:
    """Return data sets by name, with tokens and states where these were given."""
    of_tokens = {tables.dataset_name(folder): folder for folder in token_folders}
    of_states = {tables.dataset_name(folder): folder for folder in states}
    return {
        name: Source(folder, of_tokens.get(name), of_states.get(name))
        for folder in folders
        for name in [tables.dataset_name(folder)]
    }


def check_named(study: Study, name: str, given: Mapping[str, Source]) -> None:
    """Check that a data set is intervened on, and that what this reads was given.

    Raises
    ------
    InterventionError
        If not.
    """
    asked = asked_of(study)
    edited = dict.fromkeys(task.split(".")[0] for task in asked.tasks)
    if name not in edited:
        raise InterventionError(
            f"{name} has no task that is intervened on; the configuration has {', '.join(edited)}",
            file=study.file,
            do="name one of these, or add a task to interventions.tasks",
        )
    missing = [one for one in dict.fromkeys([name, *asked.datasets]) if one not in given]
    if missing:
        raise InterventionError(
            f"no tables were given of {', '.join(missing)}",
            file=study.file,
            do="name the folders of all data sets that interventions read",
        )


def check_directions(learnt: Learnt, model: Model, layers: Sequence[int], probes: Sequence[Path]) -> None:
    """Check, before a model is loaded, that directions are of its layers and as wide as its states.

    Raises
    ------
    InterventionError
        If they are not.
    """
    width = model.width()
    for (task, probe, layer, _), one in learnt.by_key.items():
        if len(one.mean) != width and width is not None:
            what = f"have {len(one.mean)} dimensions, expected {width}"
        elif layer not in layers:
            what = "are of no layer that is asked for"
        else:
            continue
        raise InterventionError(
            f"directions of {task} by {probe} at layer {layer} {what}",
            file=probes[0],
            likely="the probes are of another model",
            do="name the probes of this model and configuration",
        )


def check_made_of(states: Sequence[Path], probes: Sequence[Path]) -> None:
    """Check that a data set's probes were fitted to these states, where the records of both say so.

    Raises
    ------
    InterventionError
        If they were fitted to others.
    """
    digests = {tables.dataset_name(folder): folder.name.rpartition("-")[2] for folder in states}
    for folder in probes:
        record, name = folder / "record.json", tables.dataset_name(folder)
        features = json.loads(record.read_text(encoding="utf-8"))["made_of"]["features"] if record.is_file() else None
        if features and digests.get(name, features) != features:
            raise InterventionError(
                f"the probes of {name} were fitted to the states {features}, not to {digests[name]}",
                file=folder,
                likely="they are of another model, or of older states",
                do="name folders of one model and configuration",
            )
