"""Claims about nnsight: each test does an experiment, and says whether its claim holds in the version that runs.

    @pytest.mark.claim("A trace does so and so", {"0.5.15": True, "0.8.1": False})
    def test_a_trace_does_so(found):
        ...
        found(holds, "what was seen, on one line")

`holds` is True, False, or None where the experiment cannot be done with the environment's pins. The test passes if
that is what the table has for the nnsight that runs; a version without an entry fails. `--claims FILE`, an option of
tests/conftest.py, writes the outcomes as JSON, which report.py turns into docs/nnsight.md: so evidence holds no time,
address or unrounded number.
"""

import os
import textwrap
import warnings
from importlib.metadata import version

os.environ["HF_HUB_OFFLINE"] = "1"

import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers

VERSION = version("nnsight")
N_LAYERS, WIDTH = 3, 16
EVIDENCE = 120  # characters; longer messages are cut
SIZES = {
    "llama": {"hidden_size": WIDTH, "intermediate_size": 32, "num_attention_heads": 4, "num_key_value_heads": 2},
    "gpt2": {"n_embd": WIDTH, "n_head": 4},
    "gptj": {"n_embd": WIDTH, "n_head": 4, "rotary_dim": 4},
    "gpt_neox": {"hidden_size": WIDTH, "intermediate_size": 32, "num_attention_heads": 4},
    "bloom": {"hidden_size": WIDTH, "n_head": 4},
}
WORDS = ["<pad>", "<s>", "the", "city", "of", "lima", "is", "in", "peru", "chad"]


@pytest.fixture
def found(request, record_property):
    """Call once with (holds, evidence); fails where the version that runs is expected to behave otherwise."""
    marker = request.node.get_closest_marker("claim")
    assert marker is not None, "a test that takes `found` needs @pytest.mark.claim(text, table)"
    text, expected = marker.args
    calls = []

    def record(holds, evidence):
        holds = None if holds is None else bool(holds)
        evidence = textwrap.shorten(str(evidence), EVIDENCE, placeholder=" ...")
        calls.append(holds)
        if VERSION not in expected:
            pytest.fail(f"nnsight {VERSION} is not in the table of {text!r}; found {holds!r}: {evidence}")
        if holds is not expected[VERSION]:
            pytest.fail(f"nnsight {VERSION}, {text!r}: expected {expected[VERSION]!r}, found {holds!r}: {evidence}")
        part = request.module.__doc__.splitlines()[0]
        record_property("claim", {"part": part, "claim": text, "holds": holds, "evidence": evidence})

    yield record
    assert len(calls) == 1, f"expected one outcome, found {len(calls)}"


@pytest.fixture(autouse=True)
def nothing_saved_before():
    """Begin as in a new process: 0.5.15 never forgets the address of a saved object, and Python uses addresses again.

    Without this, what an earlier test saved makes, now and then, an object of this one count as saved.
    """
    try:
        from nnsight.intervention.tracing.globals import Globals
    except ImportError:  # other versions forget at the end of a trace; see test_saves_outlive_a_trace
        return
    Globals.saves.clear()


@pytest.fixture
def failure():
    """Return a function that runs another and gives the first line of what it raises, None if it raises nothing."""

    def run(function, *arguments, **options):
        try:
            function(*arguments, **options)
        except Exception as error:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            # 0.5.15 puts the traceback into the message, and the error itself last.
            line = (lines[-1] if lines[0].startswith("Traceback") else lines[0]) if lines else ""
            name = type(error).__name__
            named = line.split(":")[0].endswith(("Error", "Exception"))
            return (line if named else f"{name}: {line}").rstrip(": ")
        return None

    return run


@pytest.fixture
def bound():
    """Return a function that rounds a difference up to a power of ten, 1e-5 or more: every CPU gives the same words."""

    def words(difference):
        value = float(torch.as_tensor(difference).detach())
        return "0" if value == 0 else "below " + next(f"1e{n}" for n in range(-5, 9) if value < 10.0**n)

    return words


@pytest.fixture
def make():
    """Return a function that makes a tiny random model of a kind, with or without its head."""

    def build(kind, *, head=False):
        torch.manual_seed(0)
        depth = "num_hidden_layers" if kind in ("llama", "gpt_neox") else "n_layer"
        options = {"vocab_size": 64, "bos_token_id": 1, "eos_token_id": 1, "pad_token_id": 0, depth: N_LAYERS}
        configuration = transformers.AutoConfig.for_model(kind, **options, **SIZES[kind])
        auto = transformers.AutoModelForCausalLM if head else transformers.AutoModel
        return auto.from_config(configuration).eval()

    return build


@pytest.fixture
def tokenizer():
    """A tokenizer of ten words.

    Without `model_input_names`, 4.57.6 adds token_type_ids, whose embedding GPT-2 then adds to every state.
    """
    inner = Tokenizer(models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="<pad>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", bos_token="<s>", model_input_names=["input_ids", "attention_mask"]
    )


@pytest.fixture
def folder(make, tokenizer, tmp_path):
    """Return a function that saves a tiny model with head and tokenizer, and gives the folder's name."""

    def save(kind):
        make(kind, head=True).save_pretrained(tmp_path / kind)
        tokenizer.save_pretrained(tmp_path / kind)
        return str(tmp_path / kind)

    return save


@pytest.fixture
def load(folder):
    """Return a function that saves a tiny model and loads it as the notes do; deprecations are a test of their own."""
    from nnsight import LanguageModel

    def language_model(kind, **options):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return LanguageModel(folder(kind), device_map="auto", dispatch=True, **options)

    return language_model


@pytest.fixture
def inputs():
    """A batch of three texts of five tokens."""
    ids = torch.arange(15).reshape(3, 5)
    positions = torch.arange(5).expand(3, 5).contiguous()
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "position_ids": positions}


@pytest.fixture
def hidden():
    """Return a function that runs a model without nnsight and gives transformers' own hidden states, a tuple."""

    def run(model, **inputs):
        with torch.no_grad():
            return model(**inputs, output_hidden_states=True).hidden_states

    return run


@pytest.fixture
def states_of():
    """Return a function that takes a block's output, a tensor or a tuple that begins with it."""
    return lambda value: value[0] if isinstance(value, tuple) else value
