"""Tiny random models of the architectures that the extraction is proven on, and texts of unlike length for them."""

import string

import numpy as np
import pytest
import torch
import transformers
from tokenizers import Tokenizer
from tokenizers.decoders import Fuse
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split
from tokenizers.processors import TemplateProcessing

from linear_probing.tokens import Tokens

VOCABULARY = 64
PLAIN = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4, "num_hidden_layers": 3}
GROUPED = {**PLAIN, "num_key_value_heads": 2}
EARLY = {"n_embd": 32, "n_head": 4, "n_layer": 3}
SIZES = {
    "gpt2": EARLY,
    "llama": GROUPED,
    "mistral": GROUPED,
    "mixtral": {**GROUPED, "num_local_experts": 4},
    "qwen2": GROUPED,
    "qwen3": {**GROUPED, "head_dim": 8},
    "gemma2": {**GROUPED, "head_dim": 8},
    "gemma3_text": {**GROUPED, "head_dim": 8},
    "gpt_neox": PLAIN,
    "opt": {**PLAIN, "ffn_dim": 64, "word_embed_proj_dim": 32, "max_position_embeddings": 64},
    "phi": PLAIN,
    "gptj": {**EARLY, "rotary_dim": 8},
    "bloom": {"hidden_size": 32, "n_head": 4, "n_layer": 3},
    "falcon": {"hidden_size": 32, "num_attention_heads": 4, "num_hidden_layers": 3},
    "bert": PLAIN,
    "roberta": {**PLAIN, "pad_token_id": 1},
    "phi3": GROUPED,
    "lfm2": {**GROUPED, "layer_types": ["conv", "full_attention", "conv"]},
    "openai-gpt": EARLY,
}


def build(kind, dtype=torch.float32, head=False, **changes):
    torch.manual_seed(0)
    special = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    sizes = {"vocab_size": VOCABULARY, **special, **SIZES[kind], **changes}
    configuration = transformers.AutoConfig.for_model(kind, **sizes)
    automatic = transformers.AutoModelForCausalLM if head else transformers.AutoModel
    model = automatic.from_config(configuration, dtype=dtype).eval()
    # Norms that are drawn at one would hide a state taken on their wrong side.
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name.lower() or "ln_" in name:
                parameter.add_(torch.rand_like(parameter))
    return model


def as_tokens(sequences, target_text, target_first, target_last):
    starts = np.concatenate([[0], np.cumsum([len(ids) for ids in sequences])])
    return Tokens(
        ids=np.concatenate(sequences).astype(np.int64),
        starts=starts.astype(np.int64),
        target_text=np.array(target_text),
        target_first=np.array(target_first),
        target_last=np.array(target_last),
        text_id=np.array([f"text {number}" for number in range(len(sequences))]),
        target_id=np.array([f"target {number}" for number in range(len(target_text))]),
    )


def every_token(sequences):
    lengths = [len(ids) for ids in sequences]
    places = [place for length in lengths for place in range(length)]
    return as_tokens(sequences, np.repeat(np.arange(len(lengths)), lengths), places, places)


def sequences_of(seed=0, lengths=(1, 7, 3, 12, 12, 5, 2, 30, 9, 9)):
    """Return texts of unlike length; some share their beginnings, one is the beginning of another, two are equal."""
    random = np.random.default_rng(seed)
    sequences = [random.integers(3, VOCABULARY, length) for length in lengths]
    sequences[3][:9] = sequences[4][:9]
    sequences[5] = sequences[4][:5].copy()
    sequences[8] = sequences[9].copy()
    return sequences


@pytest.fixture(scope="session")
def sizes():
    return SIZES


@pytest.fixture(scope="session")
def tiny_model():
    return build


@pytest.fixture(scope="session")
def tiny_causal_model():
    """Return what builds a tiny model with its head."""
    return lambda kind, **changes: build(kind, head=True, **changes)


@pytest.fixture(scope="session")
def make_tokens():
    return as_tokens


@pytest.fixture(scope="session")
def sequences():
    return sequences_of()


@pytest.fixture(scope="session")
def texts(sequences):
    return every_token(sequences)


@pytest.fixture
def saved(tmp_path):
    """Return a function that saves a tiny model with a tokenizer of characters and returns its folder."""

    def save(kind="llama", name="model", **changes):
        folder = tmp_path / name
        build(kind, **changes).save_pretrained(folder)
        character_tokenizer().save_pretrained(folder)
        return folder

    return save


def character_tokenizer(**special):
    characters = ["[unk]", "[bos]", "[eos]", *string.ascii_letters, *" .,<>|"]
    whole = Tokenizer(WordLevel({c: n for n, c in enumerate(characters)}, unk_token="[unk]"))
    whole.pre_tokenizer = Split("", "isolated")
    whole.decoder = Fuse()
    whole.post_processor = TemplateProcessing(single="[bos] $A", special_tokens=[("[bos]", 1)])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=whole, bos_token="[bos]", eos_token="[eos]", unk_token="[unk]", pad_token="[eos]", **special
    )


@pytest.fixture(scope="session")
def tokenizer_of_characters():
    return character_tokenizer
