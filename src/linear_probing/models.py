"""Load a model of the study, or its twin with random weights, and check it.

Only folders are read: a model is fetched and pinned before, never in passing. What could make a state wrong without a
word is an error here, before the first batch: absent tensors, which would be drawn at random, and numbers that are not
finite. Pickled weights and code of a model's own run only where the configuration allows them by name.
"""

import json
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from linear_probing import records
from linear_probing.errors import is_of_memory
from linear_probing.provenance import file_digest
from linear_probing.settings import Model
from linear_probing.stage import StudyError

os.environ.setdefault("HF_HUB_OFFLINE", "1")
DO = "name a complete model folder, or build the embedded model again with `make atlas`"
NEVER_RUN = ("pooler", "lm_head", "classifier", "score")
"""Modules behind the last block: the states do not depend on them, so a checkpoint may lack them."""

BUFFERS = re.compile(r"[.](attn|attention|self_attention)[.](masked_)?bias$|[.]inv_freq$")
"""Constants of older checkpoints (causal masks, angles' frequencies), which a model makes itself today."""


class ModelError(StudyError):
    """A model that cannot be loaded."""


def load(model: Model, head: bool = False) -> Any:
    """Return a model, without its head or with it, in evaluation mode, on its device.

    A twin gets the architecture's own initialisation under its seed, so that it differs from its original in the
    weights alone (Zhang & Bowman 2018).

    Parameters
    ----------
    model : Model
        As in the configuration.
    head : bool
        Whether it is to say what comes next, and not only to be read.

    Returns
    -------
    transformers.PreTrainedModel

    Raises
    ------
    ModelError
        If the folder does not hold a whole model, holds what is not allowed, or its weights are not finite; if there
        is no such device; if a head is asked for of a model that does not read from left to right.
    """
    import torch

    if model.device == "cuda" and not torch.cuda.is_available():
        raise ModelError(
            f"model {model.name}: device cuda, but torch sees no GPU",
            likely="a build of torch for the CPU, or no driver",
            do="install torch's CUDA build, or set device to cpu",
        )
    _check_files(model)
    loaded = _pretrained(model, head) if model.seed is None else _random(model, head)
    if loaded.get_input_embeddings().weight.is_meta:
        raise ModelError(
            f"model {model.name}: accelerate keeps its embedding on disk, where no input can be put",
            likely="there is hardly any memory left on the devices",
            do="free memory, or use a machine with more of it",
        )
    _check_shape(model, loaded.base_model)
    if head:
        _check_speaks(model, loaded)
    for name, tensor in loaded.named_parameters():
        if not tensor.is_meta and not bool(torch.isfinite(tensor).all()):
            raise ModelError(
                f"model {model.name}: the weights {name} hold numbers that are not finite",
                file=model.folder,
                likely="the checkpoint is damaged, or its numbers overflow " + model.dtype,
                do="fetch the model again, or load it as bfloat16 or float32",
            )
    return loaded.eval()


def blocks_in(loaded: Any, model: Model) -> str | None:
    """Return the dotted name that a configuration gives a model's blocks, in a model with its head too."""
    has_head = loaded.base_model is not loaded
    return f"{loaded.base_model_prefix}.{model.blocks}" if model.blocks and has_head else model.blocks


def _check_speaks(model: Model, loaded: Any) -> None:
    from linear_probing.architecture import declares_causal

    if declares_causal(loaded) is False or loaded.get_output_embeddings() is None:
        raise ModelError(
            f"model {model.name} says nothing behind a text: {type(loaded).__name__} is an encoder, or has no head",
            file=model.folder,
            do="intervene on language models that read from left to right; leave `interventions` out for others",
        )


def _check_shape(model: Model, loaded: Any) -> None:
    """Check that a model has the shape that its configuration says, by which layers and costs were planned."""
    if model.shape is None:
        return
    config = loaded.config.get_text_config()
    found = {
        "n_layers": config.num_hidden_layers,
        "d_model": config.hidden_size,
        "context": getattr(config, "max_position_embeddings", None),
        "n_parameters": sum(tensor.numel() for tensor in loaded.parameters()),
    }
    for key, expected in vars(model.shape).items():
        if found[key] != expected:
            raise ModelError(
                f"models.{model.name}.shape.{key} is {expected}, but the model's own is {found[key]}",
                file=model.folder / "config.json",
                likely="the shape was copied from another model; parameters are counted without the output head",
                do="correct the shape in the configuration",
            )


def check_fetched(model: Model) -> None:
    """Check that a fetched model's folder is there and as it was written, and a model's files are those it names.

    Raises
    ------
    ModelError, RecordError
        If it was not fetched, or a file was changed.
    """
    if model.origin and not (model.folder / "record.json").is_file():
        raise ModelError(
            f"model {model.name} has not been fetched",
            file=model.folder,
            do="run snakemake on its configuration, which fetches it, where there is a network",
        )
    # The digests of large files are remembered as long as these lie untouched.
    expected = records.files_of(model.folder) if model.origin else {}
    for name, digest in {**expected, **model.sha256}.items():
        path = model.folder / name
        if not path.is_file() or file_digest(path) != digest:
            raise ModelError(
                f"model {model.name}: {name} is {'not what was expected' if path.is_file() else 'missing'}",
                file=path,
                likely="the file was deleted, cut short or edited, or is of another version than `sha256` says",
                do=f"delete {model.folder} and run snakemake again"
                if model.origin
                else "correct the file, or its sha256",
            )


def _check_files(model: Model) -> None:
    check_fetched(model)
    names = sorted(path.name for path in model.folder.iterdir()) if model.folder.is_dir() else []
    if "config.json" not in names:
        raise ModelError(f"model {model.name} has no config.json", file=model.folder, do=DO)
    pickled = [name for name in names if name.endswith((".bin", ".pt", ".pth"))]
    if model.seed is not None or any(name.endswith(".safetensors") for name in names):
        return
    if not pickled:
        raise ModelError(
            f"model {model.name} has no weights: expected *.safetensors, found {', '.join(names)}",
            file=model.folder,
            likely="only a part of the model was fetched",
            do=DO,
        )
    if "pickled_weights" not in model.allow:
        raise ModelError(
            f"model {model.name} has its weights as a pickle ({pickled[0]}), which can run any code when it is read",
            file=model.folder / pickled[0],
            do="convert them to safetensors, or add pickled_weights to the model's `allow` if you trust their source",
        )


def _class(head: bool) -> Any:
    import transformers

    return transformers.AutoModelForCausalLM if head else transformers.AutoModel


def _pretrained(model: Model, head: bool) -> Any:
    loaded, found = _guarded(
        model,
        lambda: _class(head).from_pretrained(
            model.folder,
            dtype=model.dtype,
            local_files_only=True,
            use_safetensors=None if "pickled_weights" in model.allow else True,
            trust_remote_code="remote_code" in model.allow,
            device_map=None if model.device == "cpu" else model.device,
            output_loading_info=True,
        ),
    )
    never_run = () if head else NEVER_RUN
    absent = sorted(name for name in found["missing_keys"] if not set(name.split(".")) & set(never_run))
    if absent:
        raise ModelError(
            f"model {model.name}: its weights lack {len(absent)} tensors, {absent[0]} among them",
            file=model.folder,
            likely="the weights are of another architecture than config.json, or a file of theirs was not fetched",
            do="fetch the whole model; absent tensors would be drawn at random",
        )
    from linear_probing.architecture import blocks_path

    blocks = blocks_path(loaded, blocks_in(loaded, model)).rpartition(".")[2]
    unplaced = [name for name in found["unexpected_keys"] if not BUFFERS.search(name)]
    passed_over = sorted(name for name in unplaced if re.search(rf"(^|[.]){blocks}[.]\d+[.]", name))
    if passed_over:
        raise ModelError(
            f"model {model.name}: its blocks have no place for {len(passed_over)} tensors of its weights, "
            f"{passed_over[0]} among them",
            file=model.folder,
            likely="config.json is of another architecture or has fewer layers than the weights",
            do="fetch config.json and weights of one commit; such tensors would be passed over",
        )
    return loaded


def _random(model: Model, head: bool) -> Any:
    import accelerate
    import torch
    from transformers import AutoConfig

    def build() -> Any:
        trusted = "remote_code" in model.allow
        configuration = AutoConfig.from_pretrained(model.folder, local_files_only=True, trust_remote_code=trusted)
        return _class(head).from_config(configuration, dtype=getattr(torch, model.dtype), trust_remote_code=trusted)

    # Drawn on the CPU whatever the device, so that a seed names one twin.
    torch.manual_seed(model.seed or 0)
    loaded = _guarded(model, build)
    if model.device == "auto":
        whole = accelerate.infer_auto_device_map(loaded, no_split_module_classes=list(loaded._no_split_modules or ()))
        return accelerate.dispatch_model(loaded, whole)
    return loaded.to(model.device)


def _guarded(model: Model, build: Callable[[], Any]) -> Any:
    """Return what `build` does; its errors as ours."""
    try:
        return build()
    except Exception as error:  # config.json, weights and a model's own code can fail in any way
        if is_of_memory(error):
            raise
        first = (str(error).strip() or type(error).__name__).split("\n", maxsplit=1)[0]
        code = "trust_remote_code" in str(error)
        raise ModelError(
            f"model {model.name} cannot be loaded: {first}",
            file=model.folder,
            likely="the model brings code of its own" if code else "a file of the model is missing or was cut short",
            do="read that code, then add remote_code to the model's `allow`" if code else DO,
        ) from error


def load_tokenizer(folder: Path, allow: Sequence[str] = ()) -> Any:
    """Return the fast tokenizer of a model's folder.

    Raises
    ------
    ModelError
        If there is none, or it cannot tell which characters a token covers.
    """
    try:
        tokenizer = _tokenizer_class(folder).from_pretrained(
            folder, local_files_only=True, trust_remote_code="remote_code" in allow
        )
    except Exception as error:  # transformers and tokenizers raise bare Exceptions for a cut file
        if is_of_memory(error):
            raise
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
