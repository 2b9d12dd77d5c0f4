"""Load a model of the study, or its twin with random weights; find its blocks.

Only local folders are read: a model is fetched and pinned before, never in passing.
"""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linear_probing.settings import Model
from linear_probing.stage import StudyError

if TYPE_CHECKING:
    import torch

os.environ.setdefault("HF_HUB_OFFLINE", "1")
DO = "name a complete model folder, or build the embedded model again with `make atlas`"


class ModelError(StudyError):
    """A model that cannot be loaded or whose blocks cannot be found."""


def load(model: Model) -> Any:
    """Return a model without its head, in evaluation mode, on the CPU.

    A twin gets the architecture's own initialisation under its seed, so that it differs from its original in the
    weights alone (Zhang & Bowman 2018).

    Parameters
    ----------
    model : Model
        As in the configuration.

    Returns
    -------
    transformers.PreTrainedModel

    Raises
    ------
    ModelError
        If the folder does not hold a whole model.
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoConfig, AutoModel

    dtype = getattr(torch, model.dtype)
    try:
        if model.seed is None:
            loaded = AutoModel.from_pretrained(model.folder, dtype=dtype, local_files_only=True)
        else:
            torch.manual_seed(model.seed)
            configuration = AutoConfig.from_pretrained(model.folder, local_files_only=True)
            loaded = AutoModel.from_config(configuration, dtype=dtype)
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(
            f"model {model.name} cannot be loaded: {error}",
            file=model.folder,
            likely="a file of the model is missing or was cut short",
            do=DO,
        ) from error
    return loaded.eval()


def load_tokenizer(folder: Path) -> Any:
    """Return the fast tokenizer of a model's folder.

    Raises
    ------
    ModelError
        If there is none, or it cannot tell which characters a token covers.
    """
    try:
        tokenizer = _tokenizer_class(folder).from_pretrained(folder, local_files_only=True)
    except Exception as error:  # transformers and tokenizers raise bare Exceptions for a cut file
        raise ModelError(f"tokenizer cannot be loaded: {error}", file=folder, do=DO) from error
    if not tokenizer.is_fast:
        raise ModelError(
            "the tokenizer gives no character offsets", file=folder, do="use a model with a fast tokenizer"
        )
    return tokenizer


def _tokenizer_class(folder: Path) -> Any:
    """Return the class that a tokenizer's configuration names; the plain one needs no torch."""
    named = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8")).get("tokenizer_class")
    if named in ("TokenizersBackend", "PreTrainedTokenizerFast"):
        from transformers import PreTrainedTokenizerFast

        return PreTrainedTokenizerFast
    from transformers import AutoTokenizer

    return AutoTokenizer


def blocks_path(model: "torch.nn.Module") -> str:
    """Return the dotted name of the module list that holds the model's blocks, as 'layers' or 'h'.

    Raises
    ------
    ModelError
        If no module list, or more than one, is as long as the configuration's number of layers.
    """
    import torch

    expected = model.config.num_hidden_layers  # type: ignore[union-attr]
    found = [
        name
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.ModuleList) and len(module) == expected
    ]
    if len(found) != 1:
        named = ", ".join(found) or "none"
        raise ModelError(
            f"blocks of {type(model).__name__}: expected one module list of {expected} modules, found {named}",
            do="the architecture needs an entry of its own; open an issue with the model's name",
        )
    return found[0]
