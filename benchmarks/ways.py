"""Ways of getting every layer's state at the last token: the study's own, what others do, and the bare forward pass.

Each way is a function without arguments that does all the work of a user who starts from texts (the study's ways: from
its tokens, since tokenising is a stage of its own) and returns how many seconds of it went to writing. The models have
random weights, which cost what trained ones cost.
"""

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nnsight import NNsight
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig

from linear_probing.activations import Extracted, extract_shard, write
from linear_probing.extraction.batches import Batch, PaddedTexts, Plan, n_units
from linear_probing.extraction.reading import Reader, extract, residual, wrap
from linear_probing.extraction.trees import PrefixTrees
from linear_probing.settings import Model
from linear_probing.tokens import Tokens
from texts import tokens

SHAPES = ("gpt2", "llama-8b", "tiny-llama")
TRUTH_BATCH, STATES_BATCH = 25, 64


@dataclass(frozen=True)
class Setting:
    """What all ways share.

    Parameters
    ----------
    causal : transformers.PreTrainedModel
        The causal model with its head, untouched by nnsight.
    traced, reader
        nnsight's view of it, and the study's reader of its base model; of copies that share its weights.
    tokenizer : transformers.PreTrainedTokenizerFast
    budget : int
        Tokens in a batch, padding included.
    folder : Path
        Where states are written.
    """

    causal: Any
    traced: Any
    reader: Reader
    tokenizer: Any
    budget: int
    folder: Path

    @property
    def layers(self) -> tuple[int, ...]:
        """Every layer, from what enters the first block."""
        return tuple(range(self.reader.model.config.num_hidden_layers + 1))

    @property
    def dtype(self) -> torch.dtype:
        """In which the model runs and states are stored."""
        return self.reader.model.dtype


def random_model(shape: str, device: str) -> Any:
    """Return a causal model of a shape with random weights, made where it is to run.

    Parameters
    ----------
    shape : str
        'gpt2' (GPT-2 small, float32), 'llama-8b' (Llama-3.1-8B, bfloat16), or 'tiny-llama' (its kind, for a try).
    device : str
        'cpu' or 'cuda'.
    """
    llama = LlamaConfig(
        vocab_size=128256,
        hidden_size=4096,
        intermediate_size=14336,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=8,
        max_position_embeddings=131072,
        rope_parameters={"rope_type": "default", "rope_theta": 500000.0},
        tie_word_embeddings=False,
    )
    tiny = {"vocab_size": 4096, "hidden_size": 128, "intermediate_size": 448, "num_hidden_layers": 4}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 32}
    configs = {
        "gpt2": GPT2Config(),
        "llama-8b": llama,
        "tiny-llama": LlamaConfig(**{**llama.to_dict(), **tiny, **heads}),
    }
    torch.manual_seed(0)
    with torch.device(device):
        dtype = torch.float32 if shape == "gpt2" else torch.bfloat16
        model = AutoModelForCausalLM.from_config(configs[shape], dtype=dtype, attn_implementation="sdpa")
    return model.eval()


def setting_of(shape: str, device: str, tokenizer: Any, budget: int, folder: Path) -> Setting:
    """Return a setting with a fresh random model."""
    causal = random_model(shape, device)
    memory = {id(weights): weights for weights in (*causal.parameters(), *causal.buffers())}
    traced, read = (copy.deepcopy(causal, dict(memory)) for _ in range(2))
    return Setting(causal, NNsight(traced), wrap(read.base_model), tokenizer, budget, folder)


def n_weights(model: Any, path: str) -> int:
    """Return how many numbers the matrices of a model's blocks hold; each costs a product and a sum a token."""
    return sum(weights.numel() for weights in model.get_submodule(path).parameters() if weights.ndim == 2)


def batches(plan: Plan, budget: int) -> list[Batch]:
    """Return all batches of a plan, as an extraction forms them."""
    found, first = [], 0
    while first < len(plan.lengths):
        count = n_units(plan.lengths, first, budget)
        found.append(plan.batch(first, first + count))
        first += count
    return found


def bare(model: Any, inputs: Sequence[dict[str, torch.Tensor]]) -> float:
    """Run the base model over batches that are ready on its device, and keep nothing."""
    with torch.no_grad():
        for each in inputs:
            model(**each, use_cache=False)
    if model.device.type == "cuda":
        torch.cuda.synchronize()
    return 0.0


def ours(setting: Setting, data: Tokens, form: Callable[[Tokens], Plan], kept: dict[int, torch.Tensor]) -> float:
    """Plan, extract and write; the states stay in `kept`."""
    kept.clear()
    kept.update(extract(setting.reader, data, form(data), setting.layers, setting.dtype, setting.budget))
    return _write(setting, Extracted(kept, "", "", []))


def checked(setting: Setting, data: Tokens, prefix_trees: bool) -> float:
    """Do what the activations stage does with a shard: choose a path, extract, compare with transformers, write."""
    dtype = str(setting.dtype).removeprefix("torch.")
    model = Model("benchmark", setting.folder, dtype, tokens_per_batch=setting.budget, prefix_trees=prefix_trees)
    return _write(setting, extract_shard(setting.reader, data, model, setting.layers))


def _write(setting: Setting, extracted: Extracted) -> float:
    start = time.perf_counter()
    write(setting.folder / "shard-0-of-1.safetensors", extracted, "last")
    return time.perf_counter() - start


def truth_loop(setting: Setting, texts: Sequence[str]) -> float:
    """Take 25 strings at a time through the whole causal model and save every block's output at the last position.

    As geometry-of-truth's generate_acts.py does; gradients are off there too.
    """
    blocks = _blocks(setting)
    rows: list[torch.Tensor] = []
    for first in range(0, len(texts), TRUTH_BATCH):
        inputs = _padded(setting, texts[first : first + TRUTH_BATCH], "left")
        shape = (*inputs["input_ids"].shape, setting.causal.config.hidden_size)
        saved: list[Any] = []
        with torch.no_grad(), setting.traced.trace(**inputs):
            for block in blocks:
                saved.append(residual(block.output, shape)[:, -1, :].save())  # type: ignore[attr-defined]
        rows += [states.cpu() for states in saved]
    return 0.0


def hidden_states(setting: Setting, texts: Sequence[str]) -> float:
    """Take 64 strings at a time through the causal model, with transformers' output_hidden_states=True."""
    rows: list[torch.Tensor] = []
    for first in range(0, len(texts), STATES_BATCH):
        inputs = _padded(setting, texts[first : first + STATES_BATCH], "right")
        last = inputs["attention_mask"].sum(dim=1) - 1
        with torch.no_grad():
            found = setting.causal(**inputs, output_hidden_states=True).hidden_states
        rows += [states[torch.arange(len(last), device=last.device), last].cpu() for states in found]
    return 0.0


def one_by_one(setting: Setting, texts: Sequence[str]) -> float:
    """Trace one string at a time through the causal model and keep every block's output whole, with nnsight's defaults.

    Autograd is on, as it is by default.
    """
    blocks = _blocks(setting)
    rows: list[torch.Tensor] = []
    for text in texts:
        inputs = _padded(setting, [text], "right")
        shape = (*inputs["input_ids"].shape, setting.causal.config.hidden_size)
        saved: list[Any] = []
        with setting.traced.trace(**inputs):
            for block in blocks:
                saved.append(residual(block.output, shape).save())  # type: ignore[attr-defined]
        rows += [states[0, -1].detach().cpu() for states in saved]
    return 0.0


def _blocks(setting: Setting) -> Any:
    return attrgetter(f"{setting.causal.base_model_prefix}.{setting.reader.path}")(setting.traced)


def _padded(setting: Setting, texts: Sequence[str], side: str) -> dict[str, torch.Tensor]:
    encoded = setting.tokenizer(
        list(texts), padding=True, padding_side=side, add_special_tokens=False, return_tensors="pt"
    )
    names = ("input_ids", "attention_mask")
    return {name: encoded[name].to(setting.causal.device) for name in names}


@dataclass(frozen=True)
class Way:
    """A way of extraction, ready to run on some texts.

    Parameters
    ----------
    label : str
        For the table.
    run : callable
        Does it once; returns the seconds that went to writing.
    n_texts : int
        On how many texts.
    n_computed : int
        Tokens that go through the model, padding included; 0 where it is not counted.
    once : bool
        Whether it runs in the first round alone.
    """

    label: str
    run: Callable[[], float]
    n_texts: int
    n_computed: int = 0
    once: bool = False


def prepare(
    setting: Setting, texts: Sequence[str], parts: Mapping[str, Sequence[str]], kept: dict[str, dict[int, torch.Tensor]]
) -> dict[str, Way]:
    """Return every way by its short name.

    Parameters
    ----------
    setting : Setting
    texts : Sequence[str]
        Of the bare pass and of the study's ways.
    parts : Mapping[str, Sequence[str]]
        The texts of the ways 'b', 'c' and 'd'.
    kept : dict
        Where the states of 'padded' and 'trees' are left.
    """
    data = tokens(texts, setting.tokenizer)
    computed = {form.name: _n_columns(batches(form(data), setting.budget)) for form in (PaddedTexts, PrefixTrees)}
    inputs = [batch.inputs(setting.reader.model) for batch in batches(PaddedTexts(data), setting.budget)]
    padded = partial(ours, setting, data, PaddedTexts, kept.setdefault("padded", {}))
    trees = partial(ours, setting, data, PrefixTrees, kept.setdefault("trees", {}))
    own = [
        ("bare", "(a) bare forward, same batches", partial(bare, setting.causal.base_model, inputs), "padded"),
        ("padded", "ours, padded", padded, "padded"),
        ("trees", "ours, trees", trees, "tree"),
    ]
    found = {name: Way(label, run, len(texts), computed[path]) for name, label, run, path in own}
    for name, label in (("padded", "ours, padded, with parity check"), ("trees", "ours, trees, with parity check")):
        way = replace(found[name], label=label, run=partial(checked, setting, data, name == "trees"), once=True)
        found[f"{name}-checked"] = way
    others = {
        "b": ("(b) geometry-of-truth's loop", truth_loop),
        "c": ("(c) output_hidden_states", hidden_states),
        "d": ("(d) one string a trace", one_by_one),
    }
    for name, (label, run) in others.items():
        found[name] = Way(label, partial(run, setting, parts[name]), len(parts[name]))
    return found


def _n_columns(found: Sequence[Batch]) -> int:
    return int(np.sum([batch.ids.numel() for batch in found]))
