"""Train the embedded model from scratch: `make atlas`.

In: the corpus (seeded). Out: a folder with model.safetensors, config.json, the tokenizer and record.json, from which
the model card quotes. A Llama of 6 layers; byte-level BPE; lines packed into sequences, each line its own document (a
block-diagonal causal mask), so that training sees lines exactly as probing does: after BOS, alone.
Matrices are trained with Muon, the rest with AdamW; matrix products in bfloat16 where asked.
Cost: about half an hour on 2 cores with AVX-512 bfloat16.
"""

import argparse
import hashlib
import json
import logging
import math
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from tqdm import tqdm
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from linear_probing.atlas.corpus import ANSWERS, SHARES, Writer
from linear_probing.stage import StudyError, run

LOG = logging.getLogger(__name__)
VOCABULARY = 2048
TOKENIZER_LINES = 60_000
SEQUENCE = 128
BATCH = 32
N_THREADS = 2
ANSWER_WEIGHT = 5.0
BOS, EOS, PAD = "<s>", "</s>", "<pad>"


def train_tokenizer(lines: Iterator[str]) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE whose post-processor puts BOS before every text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[BOS, EOS, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(islice(lines, TOKENIZER_LINES), trainer)
    bos = tokenizer.token_to_id(BOS)
    tokenizer.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=True),
            processors.TemplateProcessing(single=f"{BOS} $A", special_tokens=[(BOS, bos)]),
        ]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        padding_side="right",
        model_max_length=SEQUENCE,
        clean_up_tokenization_spaces=False,
    )


def single_token(tokenizer: PreTrainedTokenizerFast, text: str) -> int:
    """Return the id of a text that must be one token."""
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    if len(ids) != 1:
        raise RuntimeError(f"{text!r} became {len(ids)} tokens, but one was expected")
    return int(ids[0])


def configuration(tokenizer: PreTrainedTokenizerFast) -> LlamaConfig:
    """Return the architecture: 6 layers, d_model 160, grouped queries."""
    return LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=160,
        intermediate_size=432,
        num_hidden_layers=6,
        num_attention_heads=5,
        num_key_value_heads=5,
        max_position_embeddings=SEQUENCE,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def pack(
    lines: Iterator[str], tokenizer: PreTrainedTokenizerFast, digest: "hashlib._Hash"
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield (ids, document) of shape (BATCH, SEQUENCE); a line never crosses a sequence."""
    while True:
        rows: list[list[int]] = []
        documents: list[list[int]] = []
        row: list[int] = []
        document: list[int] = []
        while len(rows) < BATCH:
            chunk = list(islice(lines, 512))
            digest.update("\n".join(chunk).encode())
            for ids in tokenizer(chunk)["input_ids"]:
                ids = [*ids, tokenizer.eos_token_id]
                if len(row) + len(ids) > SEQUENCE:
                    missing = SEQUENCE - len(row)
                    rows.append(row + [tokenizer.pad_token_id] * missing)
                    documents.append(document + [-1] * missing)
                    row, document = [], []
                row += ids
                document += [len(rows) * SEQUENCE + len(row)] * len(ids)
        for start in range(0, len(rows) - BATCH + 1, BATCH):
            stop = start + BATCH
            yield torch.tensor(rows[start:stop]), torch.tensor(documents[start:stop])


def losses_of(
    model: LlamaForCausalLM,
    ids: torch.Tensor,
    document: torch.Tensor,
    answers: torch.Tensor,
    autocast: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return next-token losses within documents: weighted mean (trained on), plain mean, mean over answers.

    One token in a line tells whether the model has worked something out; weighing it `ANSWER_WEIGHT`
    times is what makes verdicts learnable within the first half of the training.
    """
    same = document[:, :, None] == document[:, None, :]
    causal = torch.ones(SEQUENCE, SEQUENCE, dtype=torch.bool).tril()
    mask = (same & causal)[:, None]
    starts = torch.ones_like(document, dtype=torch.bool)
    starts[:, 1:] = document[:, 1:] != document[:, :-1]
    index = torch.arange(SEQUENCE).expand_as(document)
    position = index - torch.where(starts, index, 0).cummax(dim=1).values
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        logits = model(input_ids=ids, attention_mask=mask, position_ids=position).logits
    inside = (document[:, 1:] == document[:, :-1]) & (document[:, 1:] >= 0)
    target = ids[:, 1:][inside]
    losses = torch.nn.functional.cross_entropy(logits[:, :-1][inside].float(), target, reduction="none")
    is_answer = torch.isin(target, answers)
    weight = torch.where(is_answer, ANSWER_WEIGHT, 1.0)
    return (losses * weight).sum() / weight.sum(), losses.mean(), losses[is_answer].mean()


def rate(step: int, n_steps: int, warmup: int = 100) -> float:
    """Return the share of the peak learning rate: linear warm-up, flat, linear decay to zero."""
    return min((step + 1) / warmup, 1.0, (n_steps - step) / (0.5 * n_steps))


def train(
    model: LlamaForCausalLM,
    batches: Iterator[tuple[torch.Tensor, torch.Tensor]],
    n_steps: int,
    minutes: float,
    answers: torch.Tensor,
    autocast: bool,
) -> list[tuple[int, float, float]]:
    """Train in place; returns (step, mean loss, mean loss of answers) since the last entry."""
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    others = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed" in n]
    optimizers = [
        torch.optim.Muon(matrices, lr=0.01, weight_decay=0.02, momentum=0.95, ns_steps=5, adjust_lr_fn="original"),
        torch.optim.AdamW(others, lr=3e-3, betas=(0.9, 0.98), weight_decay=0.0),
    ]
    peaks: list[float] = [group["lr"] for optimizer in optimizers for group in optimizer.param_groups]
    curve: list[tuple[int, float, float]] = []
    losses: list[tuple[float, float]] = []
    begin = time.monotonic()
    bar = tqdm(range(n_steps), desc="train", disable=None)
    for step in bar:
        share = rate(step, n_steps)
        for optimizer, peak in zip(optimizers, peaks, strict=True):
            optimizer.param_groups[0]["lr"] = peak * share
        ids, document = next(batches)
        weighted, loss, answer = losses_of(model, ids, document, answers, autocast)
        weighted.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        losses.append((loss.item(), answer.item()))
        if not math.isfinite(losses[-1][0]):
            raise RuntimeError(f"the loss is {losses[-1][0]} at step {step}")
        if len(losses) == 100 or step == n_steps - 1:
            means = [round(sum(column) / len(losses), 4) for column in zip(*losses, strict=True)]
            curve.append((step + 1, means[0], means[1]))
            LOG.info("step %d loss %.4f, of answers %.4f, %.1f min", *curve[-1], (time.monotonic() - begin) / 60)
            losses = []
        if time.monotonic() - begin > 60 * minutes:
            LOG.warning("stopped after %.1f minutes at step %d of %d", minutes, step, n_steps)
            break
    return curve


def save(output: Path, model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, record: dict[str, Any]) -> None:
    """Write weights, tokenizer and record; each file takes its place when all are written, and the card stays."""
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as folder:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        Path(folder, "record.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        output.mkdir(exist_ok=True)
        for path in sorted(Path(folder).iterdir()):
            path.chmod(0o644)
            path.replace(output / path.name)


def build(output: Path, n_steps: int, minutes: float, seed: int, bfloat16: bool) -> None:
    """Train tokenizer and model from the corpus of one seed, and save them with their record."""
    begin = time.monotonic()
    torch.manual_seed(seed)
    tokenizer = train_tokenizer(Writer(seed + 1).lines())
    model = LlamaForCausalLM(configuration(tokenizer))
    n_parameters = sum(p.numel() for p in model.parameters())
    LOG.info("%d parameters, %d steps", n_parameters, n_steps)
    digest = hashlib.sha256()
    batches = pack(Writer(seed).lines(), tokenizer, digest)
    answers = torch.tensor([single_token(tokenizer, text) for text in ANSWERS])
    curve = train(model, batches, n_steps, minutes, answers, bfloat16)
    record = {
        "parameters": n_parameters,
        "steps": curve[-1][0],
        "tokens": curve[-1][0] * BATCH * SEQUENCE,
        "seed": seed,
        "shares_of_lines": SHARES,
        "corpus_sha256": digest.hexdigest(),
        "minutes": round((time.monotonic() - begin) / 60, 1),
        "bfloat16_products": bfloat16,
        "answer_weight": ANSWER_WEIGHT,
        "loss_curve": curve,
    }
    save(output, model, tokenizer, record)


def main() -> None:
    """Train and save."""
    parser = argparse.ArgumentParser(description="Train the embedded model from scratch.")
    parser.add_argument("--output", type=Path, default=Path("data/models/atlas"), help="folder to write")
    parser.add_argument("--steps", type=int, default=2900, help="optimisation steps, on which the schedule depends")
    parser.add_argument("--minutes", type=float, default=56.0, help="stop at the latest")
    parser.add_argument("--seed", type=int, default=0, help="of weights and corpus")
    parser.add_argument("--float32", action="store_true", help="no bfloat16 matrix products")
    arguments = parser.parse_args()
    if arguments.steps < 1 or not arguments.output.parent.is_dir():
        raise StudyError(
            f"{arguments.steps} steps into {arguments.output}: expected at least one step, and a folder that is there",
            do="name another number or folder",
        )
    torch.set_num_threads(N_THREADS)
    build(arguments.output, arguments.steps, arguments.minutes, arguments.seed, not arguments.float32)
    LOG.info("saved %s", arguments.output)


if __name__ == "__main__":
    run(main)
