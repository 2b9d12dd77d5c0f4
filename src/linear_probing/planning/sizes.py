"""How large each data set is, and how many tokens a model reads of it: exact where its tables are there, else guessed.

In order: the tables under results, the builder run in memory, data/sources.csv. No network, and nothing is written.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp
from pathlib import Path
from typing import Any

import numpy as np

from linear_probing import datasets, sources, tables, tokens
from linear_probing.artefacts import Artefacts
from linear_probing.settings import Dataset, Model, Study
from linear_probing.tables import Tables

CHARACTERS_PER_TOKEN = 4.3
"""Of English, with the vocabularies of GPT-2, Llama and BERT."""
SPECIAL_TOKENS = 2
"""That a tokenizer adds to a text: BERT's two; GPT-2 adds none, Llama one."""
CHAT_TOKENS = 40
"""That a chat template writes around a text: Llama 3.1's, with its system message."""
PADDING = 1.05
"""Tokens computed over tokens of texts, where lengths are not known."""
WORDS_PER_SENTENCE = 13
"""Of the treebanks of data/sources.csv, for words without their file."""
CLASSES = 10
"""Of a label of several classes that nothing names before the data are there."""


@dataclass(frozen=True)
class DatasetSize:
    """How large a data set is.

    Parameters
    ----------
    n_targets, n_texts, n_characters : int
        Its targets, its texts, and the characters of all of them.
    n_classes : Mapping[str, int]
        Of each of its tasks by name; 0 for a position.
    tables : Tables, optional
        Where they are there, or the builder could make them.
    estimated : bool
        Whether any of it is a guess from data/sources.csv.
    """

    n_targets: int
    n_texts: int
    n_characters: int
    n_classes: Mapping[str, int]
    tables: Tables | None = None
    estimated: bool = False


@dataclass(frozen=True)
class TokenSize:
    """Tokens of a data set's texts for one tokenizer, and what the model computes of them, padding included.

    Parameters
    ----------
    n_tokens, n_computed : int
        Of all texts. What is computed is less where prefix trees share beginnings.
    way : str
        What was counted: 'trees', 'padded', or 'tokens' where lengths are not known.
    estimated : bool
        Whether tokens were guessed from characters.
    """

    n_tokens: int
    n_computed: int
    way: str
    estimated: bool


def dataset_size(paths: Artefacts, dataset: Dataset) -> DatasetSize:
    """Return how large a data set is.

    Raises
    ------
    StudyError
        If its tables are damaged, or its builder refuses the parameters.
    """
    folder = Path(paths.tables[dataset.name])
    if Path(paths.record(str(folder))).is_file():
        return _of_tables(paths.study, dataset, tables.read(folder))
    public = [sources.known()[name] for name in dataset.files if name in sources.known()]
    if any(not (source.folder / source.file).is_file() for source in public):
        return _estimated(paths.study, dataset)
    draft = datasets.build(paths.study, dataset)
    return _of_tables(paths.study, dataset, Tables(draft.texts, draft.targets))


def _of_tables(study: Study, dataset: Dataset, data: Tables) -> DatasetSize:
    classes = {
        task.name: 0 if task.kind == "position" else int(data.targets[task.label].astype(str).nunique())
        for task in study.tasks_of(dataset.name)
        if task.kind == "position" or task.label in data.targets
    }
    n_characters = int(data.texts["text"].str.len().sum())
    return DatasetSize(len(data.targets), len(data.texts), n_characters, classes, data)


def _estimated(study: Study, dataset: Dataset) -> DatasetSize:
    """Return what data/sources.csv and the parameters say, as if `where` kept all rows.

    A group has one row, or two of a group of two columns, which counts whatever their order; a row has a target for
    each of paired texts. Of a treebank, rows are words, drawn from all its sentences alike.
    """
    parameters = dataset.parameters
    found = [sources.known()[name] for name in dataset.files if name in sources.known()]
    n_all = sum(source.n_rows for source in found)
    n_characters = sum(source.n_characters for source in found)
    group, text = parameters.get("group"), parameters.get("text")
    n_of_groups = parameters.get("n_groups", n_all) * (len(group) if isinstance(group, list) else 1)
    n_rows = min(n_all, n_of_groups, parameters.get("n_rows", n_all))
    n_per_row = len(text) if isinstance(text, Mapping) else 1
    n_sentences = n_all if text is not None else max(1, n_all // WORDS_PER_SENTENCE)
    n_texts = n_rows if text is not None else round(n_sentences * (1 - exp(-n_rows / n_sentences)))
    classes = {task.name: _n_classes(task.kind, task.label, parameters) for task in study.tasks_of(dataset.name)}
    return DatasetSize(
        n_targets=n_rows * n_per_row,
        n_texts=n_texts * n_per_row,
        n_characters=round(n_characters * n_texts / n_sentences),
        n_classes=classes,
        estimated=True,
    )


def _n_classes(kind: str, label: str, parameters: Mapping[str, Any]) -> int:
    """Return how many classes a label has; those that `where` admits, where it names the label's column."""
    if kind != "multiclass":
        return 2 if kind == "binary" else 0
    column = parameters.get("labels", {}).get(label)
    return len(parameters.get("where", {}).get(column, ())) or CLASSES


def token_size(paths: Artefacts, dataset: Dataset, size: DatasetSize, model: Model, causal: bool | None) -> TokenSize:
    """Return the tokens of a data set for a model.

    Parameters
    ----------
    paths : Artefacts
        Where its tokens stand, if they do.
    dataset, size
        The data set.
    model : Model
        Whose tokenizer is read, where it is there.
    causal : bool, optional
        Whether the model's attention is causal, so that prefix trees may serve; None if nothing says so.

    Raises
    ------
    StudyError
        If a tokenizer cannot be read, or a text is longer than the model's context.
    """
    found = _tokens(paths, dataset, size, model)
    if found is None:
        added = CHAT_TOKENS if model.chat else SPECIAL_TOKENS
        n_tokens = round(size.n_characters / CHARACTERS_PER_TOKEN) + added * size.n_texts
        return TokenSize(n_tokens, round(PADDING * n_tokens), "tokens", True)
    from linear_probing.extraction import batches, trees  # with torch

    plan = trees.PrefixTrees(found) if causal and model.prefix_trees else batches.PaddedTexts(found)
    n_computed = batches.n_computed(plan.lengths, model.budget)
    return TokenSize(len(found.ids), n_computed, "trees" if plan.name == "tree" else plan.name, size.estimated)


def _tokens(paths: Artefacts, dataset: Dataset, size: DatasetSize, model: Model) -> tokens.Tokens | None:
    folder = paths.tokens[paths.tokenizer_of(model), dataset.name]
    if Path(paths.record(folder)).is_file():
        return tokens.read(Path(folder))
    if size.tables is None or not any((model.folder / name).is_file() for name in ("tokenizer.json", "vocab.json")):
        return None
    from linear_probing import models

    data = Tables(size.tables.texts.reset_index(drop=True), size.tables.targets.reset_index(drop=True))
    tokenizer = models.load_tokenizer(model.folder, model.allow)
    return tokens.tokenize(data, tokenizer, model.context(), position=dataset.position, through_chat=model.chat)


def n_read(size: DatasetSize, model: Model) -> int:
    """Return the targets of the largest shard."""
    return int(np.ceil(size.n_targets / model.shards))
