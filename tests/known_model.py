"""A model built by hand, in which it is known which layer uses what: a word's label, held in two dimensions.

Embeddings hold the label of a word (+1 or -1) in the dimensions USED and HELD, and noise that tells words apart. The
attention of block 2 of three averages over all tokens what it reads of USED and writes it to ANSWER, which the head
turns into `yes` and `no`; every other weight of blocks is zero. So the state of a word is used at layers 0 and 1 in the
dimension USED; at layers 2 and 3 it holds the label as before, and nothing reads it any more. HELD is never read.
"""

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

N_WORDS = 24
USED, HELD, ANSWER, CONSTANT = range(4)
WIDTH, N_LAYERS, READER = 16, 3, 1
WORDS = [f"{kind}{number}" for number in range(N_WORDS) for kind in ("good", "bad")]
VOCABULARY = ["<unk>", "then", "yes", "no", *WORDS]


def weights(seed=0):
    """Return the model."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=WIDTH,
        intermediate_size=4,
        num_hidden_layers=N_LAYERS,
        num_attention_heads=1,
        num_key_value_heads=1,
        head_dim=WIDTH,
        max_position_embeddings=16,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=None,
    )
    model = LlamaForCausalLM(config).eval()
    with torch.no_grad():
        for block in model.model.layers:
            for parameter in (*block.self_attn.parameters(), *block.mlp.parameters()):
                parameter.zero_()
        reading = model.model.layers[READER].self_attn
        reading.v_proj.weight[0, USED] = 1.0
        reading.o_proj.weight[ANSWER, 0] = 1.0
        embedding = model.model.embed_tokens.weight
        embedding.zero_()
        embedding[:, CONSTANT] = 1.0
        for number, word in enumerate(VOCABULARY):
            if word in WORDS:
                label = 1.0 if word.startswith("good") else -1.0
                embedding[number, USED] = embedding[number, HELD] = label
                embedding[number, 4:] = 0.8 * torch.randn(WIDTH - 4)
        model.lm_head.weight.zero_()
        model.lm_head.weight[VOCABULARY.index("yes"), ANSWER] = 1.0
        model.lm_head.weight[VOCABULARY.index("no"), ANSWER] = -1.0
    return model


def tokenizer():
    """Return a tokenizer of one token a word."""
    words = Tokenizer(models.WordLevel({word: number for number, word in enumerate(VOCABULARY)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>")
