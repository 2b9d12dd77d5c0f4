"""Interventions: a model, its cached states and its probes' directions in; what the model says under edits out.

A probe shows that something can be read from a state; whether the model reads it is shown by changing the state. At
each layer and at each drawn target's token a vector is added (steering.edits): a shift along a direction, the removal
of a direction or of all that is linearly decodable, a swap with a counterfactual example. Out, of every task of one
data set: pairs.csv; effects.safetensors, arrays (n_pairs, 3) by `TASK|layer_03|OPERATION|DIRECTION|OF_TASK|OF_LAYER|
STRENGTH` (steering.runs), columns as `steering.layout.MEASURES`, and under `TASK|layer_03|elsewhere|...` (n_tokens,),
the rise of the next token's loss in other texts; controls.safetensors, by `TASK|layer_03|OPERATION`, what each random
direction did on average. Directions are of the fold that left the target's group out.
Sources: Marks & Tegmark 2023, The geometry of truth; Belrose et al. 2023, LEACE.
Cost: a token through the layers above the edited one for each pair, layer and edit.
"""

import argparse
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from linear_probing import devices, models, records, settings, tables
from linear_probing.activations import gpus
from linear_probing.behaviour import Interventions
from linear_probing.directions import SPLIT
from linear_probing.extraction.reading import Reader, wrap
from linear_probing.probing.runs import labels_of
from linear_probing.settings import Model, Study
from linear_probing.stage import count, run
from linear_probing.steering import asking, choice, runs, sources, subjects
from linear_probing.steering.answers import measures
from linear_probing.steering.layout import (
    CLEAN,
    CONTROL_AXES,
    CONTROLS,
    COUNTERFACTUAL,
    EFFECT_AXES,
    EFFECTS,
    ELSEWHERE,
    PAIRS,
)
from linear_probing.steering.questions import Question
from linear_probing.steering.sources import Source, asked_of
from linear_probing.steering.states import check as check_states
from linear_probing.steering.subjects import Subject
from linear_probing.store import layer_name, write_tensors

LOG = logging.getLogger("interventions")
PRECISION = "%.6g"
N_TRIED = 4
"""Questions by which the way through the model is chosen."""


@dataclass(frozen=True)
class Speaker:
    """A loaded model with its head, its tokenizer, and its settings."""

    reader: Reader
    tokenizer: Any
    model: Model

    @property
    def width(self) -> int:
        """Dimensions of the residual stream."""
        return int(self.reader.model.config.get_text_config().hidden_size)


@dataclass(frozen=True)
class Job:
    """One task, its model, the data it is edited in, and how questions go through the model."""

    study: Study
    speaker: Speaker
    subject: Subject
    own: Source
    other: Source | None
    learnt: runs.Learnt
    borrowed: Mapping[str, np.ndarray]
    n_controls: int

    @property
    def asked(self) -> Interventions:
        """What the configuration asks for."""
        return asked_of(self.study)

    def ask(
        self, questions: Sequence[Question], layer: int, edits: asking.Edits, way: asking.Way
    ) -> list[Float[np.ndarray, "edit answer"]]:
        """Return the log probabilities of all answers under all edits; see `asking.ask_all`."""
        return asking.ask_all(self.speaker.reader, questions, layer, edits, self.speaker.model.budget, way)

    def way(self) -> asking.Way:
        """Choose the way through the model, by a few questions at every layer; say how far it is from a plain hook.

        Raises
        ------
        ParityError
            If edits in batches do not give what a plain hook gives.
        """
        width = self.speaker.width

        def tried(layer: int) -> asking.Edits:
            size = np.abs(self.own.layer(layer)).mean()
            signs = np.random.default_rng(layer).choice([-size, 0.0, size], (3, width))
            return lambda place: np.concatenate([np.zeros((1, width)), signs])

        every = [*self.subject.asked.own, *self.subject.asked.other, *self.subject.next_tokens]
        deepest, layers = max(map(choice.depth, every)), self.study.layers_of(self.speaker.model)
        few, model = self.subject.asked.own[:N_TRIED], self.speaker.model
        way, apart = choice.choose(self.speaker.reader, few, layers, tried, model.budget, deepest)
        n_pairs = len(self.subject.asked.pairs)
        LOG.info("%s: %d pairs, %s, %.1e nats from a plain hook", self.subject.task.name, n_pairs, way, apart)
        return way

    def layer(self, layer: int) -> runs.Layer:
        """Return what the edits of a layer are made from."""
        masks = tables.fold_masks(self.own.data.targets[tables.fold_column(SPLIT)])
        trains = {int(fold): masks[fold][0] for fold in np.unique(self.subject.asked.pairs.folds)}
        task = self.subject.task
        labels = labels_of(task, self.own.data.targets)
        return runs.Layer(task, layer, self.own.layer(layer), labels, trains, self.learnt)

    def places(self, of: runs.Layer) -> list[runs.Place]:
        """Return the states of the pairs and, if there are any, of the tokens elsewhere."""
        drawn = self.subject.asked.pairs
        states = of.states
        own = runs.Place(states[drawn.rows], states[drawn.others], drawn.folds, drawn.signs, self.borrowed)
        if self.other is None:
            return [own]
        return [own, runs.elsewhere(drawn, own, self.other.layer(of.layer)[self.subject.next_rows])]


def run_layer(job: Job, layer: int, way: asking.Way) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return, of one layer, the effects of all named runs and the means of all controls, by key.

    Raises
    ------
    ActivationError
        If an edit overflows the model's dtype, or memory runs out.
    """
    of = job.layer(layer)
    trained, places = of.trained(), job.places(of)
    named = runs.named(of, trained, job.asked, places)
    controls = runs.Controls(of, trained, job.n_controls, job.study.seed)
    asked, n_named, n_elsewhere = job.subject.asked, len(named), min(job.n_controls, runs.N_ELSEWHERE)

    def edits_of(number: int, chosen: Int[np.ndarray, " chosen"] | None) -> asking.Edits:
        def of_row(row: int) -> Float[np.ndarray, "edit d"]:
            own = [np.zeros_like(places[number].states[row]), *(made[number][row] for _, made in named)]
            more = [controls.of(places[number], row, chosen)] if job.n_controls else []
            return np.concatenate([np.stack(own), *more])

        return of_row

    said = job.ask(asked.own, layer, edits_of(0, None), way)
    found = np.stack([measures(one, n) for one, n in zip(said, asked.n_for, strict=True)])
    effects = {run.key: found[:, 1 + place] for place, (run, _) in enumerate(named)}
    effects[CLEAN] = found[:, 0]
    change = found[:, 1 + n_named :] - found[:, :1]
    operations = runs.tested(of.task) if job.n_controls else ()
    drawn = {
        name: change[:, place * job.n_controls : (place + 1) * job.n_controls].mean(axis=0)
        for place, name in enumerate(operations)
    }
    if job.subject.next_tokens:
        said = job.ask(job.subject.next_tokens, layer, edits_of(1, controls.few(n_elsewhere)), way)
        loss = np.stack([one[:1, 0] - one[:, 0] for one in said])
        effects |= {f"{ELSEWHERE}|{run.key}": loss[:, 1 + place] for place, (run, _) in enumerate(named)}
        rest = loss[:, 1 + n_named :].mean(axis=0)
        drawn |= {f"{ELSEWHERE}|{name}": rest[i * n_elsewhere :][:n_elsewhere] for i, name in enumerate(operations)}
    return effects, drawn


def run_task(job: Job) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the effects and the controls of all layers of a task, by key, and what is said without an edit."""
    way, name = job.way(), job.subject.task.name
    asked, zero = job.subject.asked, np.zeros((1, job.speaker.width))
    effects, drawn = dict[str, np.ndarray](), dict[str, np.ndarray]()
    said = job.ask(asked.other, 0, lambda row: zero, way)
    other = [measures(one, n)[0] for one, n in zip(said, asked.n_for, strict=True)]
    effects[f"{name}|{COUNTERFACTUAL}"] = np.stack(other)
    for layer in tqdm(job.study.layers_of(job.speaker.model), unit="layer", desc=name, disable=None):
        of_layer, controls = run_layer(job, layer, way)
        effects |= {f"{name}|{layer_name(layer)}|{key}": value for key, value in of_layer.items()}
        drawn |= {f"{name}|{layer_name(layer)}|{key}": value for key, value in controls.items()}
    return effects, drawn


def compute(
    study: Study, speaker: Speaker, name: str, given: Mapping[str, Source], learnt: runs.Learnt
) -> tuple[pd.DataFrame, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the pairs, the effects and the controls of all tasks of a data set.

    A twin is a control itself and has no random directions.
    """
    asked, own = asked_of(study), given[name]
    other = given[asked.elsewhere] if asked.elsewhere else None
    named = [one for one in asked.behaviours if one.task.split(".")[0] == name]
    every = [subjects.subject(study, one, own, other, learnt, speaker.tokenizer) for one in named]
    for one in every:
        subjects.check_strengths(one, own, study, speaker.model)
    effects, drawn, frames = dict[str, np.ndarray](), dict[str, np.ndarray](), list[pd.DataFrame]()
    n_controls = asked.n_controls if speaker.model.seed is None else 0
    check_states(speaker.reader, own.tokens, own.layer, study.layers_of(speaker.model), speaker.model)
    for one in every:
        of_others = subjects.borrowed(one, own, given, learnt)
        found, controls = run_task(Job(study, speaker, one, own, other, learnt, of_others, n_controls))
        frames.append(subjects.pair_table(one, own, found))
        effects |= found
        drawn |= controls
    return pd.concat(frames, ignore_index=True), effects, drawn


def main() -> None:
    """Intervene on one model along the directions of one data set's tasks."""
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    study, start = settings.load(arguments.config), time.monotonic()
    model, name = study.model(arguments.model), study.dataset(arguments.dataset).name
    inputs = [*arguments.tables, *arguments.tokens, *arguments.activations, *arguments.probes]
    with (
        records.making(study, "interventions", arguments.output, inputs, threads=arguments.threads) as folder,
        devices.held(gpus(arguments.gpus, model)),
        threadpool_limits(arguments.threads),
    ):
        given = sources.read(arguments.tables, arguments.tokens, arguments.activations)
        sources.check_named(study, name, given)
        tasks = [task for task in study.tasks if task.name in asked_of(study).tasks]
        learnt = runs.read(arguments.probes, tasks)
        sources.check_directions(learnt, model, study.layers_of(model), arguments.probes)
        sources.check_made_of(arguments.activations, arguments.probes)
        loaded = models.load(model, head=True)
        reader = wrap(loaded, models.blocks_in(loaded, model))
        speaker = Speaker(reader, models.load_tokenizer(model.folder, model.allow), model)
        frame, effects, drawn = compute(study, speaker, name, given, learnt)
        frame.to_csv(folder / PAIRS, index=False, float_format=PRECISION, lineterminator="\n")
        write_tensors(folder / EFFECTS, {key: value.astype(np.float32) for key, value in effects.items()}, EFFECT_AXES)
        write_tensors(folder / CONTROLS, {key: value.astype(np.float32) for key, value in drawn.items()}, CONTROL_AXES)
    LOG.info("%s: %d pairs, %d runs, %.1f s", arguments.output, len(frame), len(effects), time.monotonic() - start)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Change states along probes' directions; see what the model says.")
    parser.add_argument("--config", type=Path, required=True, help="the study's configuration")
    parser.add_argument("--model", required=True, help="its name in the configuration")
    parser.add_argument("--dataset", required=True, help="the one that is edited: its name in the configuration")
    parser.add_argument("--tables", type=Path, nargs="+", required=True, help="folders of the datasets stage")
    parser.add_argument("--tokens", type=Path, nargs="+", required=True, help="folders of the tokens stage")
    parser.add_argument("--activations", type=Path, nargs="+", required=True, help="folders of the activations stage")
    parser.add_argument("--probes", type=Path, nargs="+", required=True, help="folders of the probes stage")
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    parser.add_argument("--gpus", type=int, help="GPUs to hold while it runs; without it, as many as the model needs")
    parser.add_argument("--threads", type=count, default=1, help="CPU threads")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
