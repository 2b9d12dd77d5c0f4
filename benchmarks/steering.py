"""Benchmark of interventions: edited batches by nnsight against the plain forward pass, interleaved in one process.

    python benchmarks/steering.py [--device cpu|cuda] [--models atlas gpt2 llama-8b] [--rounds N]

A round runs every way once on every batch, in an order that turns from round to round; ratios are taken within a round.
(a) is the model with its head on a batch that is ready on its device, and the log probabilities of the answers behind
each text. (b) is the same batch, edited at each text's last token by nnsight: what an intervention adds to a pass. (c)
and (d) ask the same questions under as many edits as the study does, and are timed whole, making the batches included:
(c) with a prefix for all edits of a text, (d) with the layers below the edited one read once besides. Out: Markdown.
"""

import argparse
import logging
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import transformers
from jaxtyping import Float

from linear_probing.extraction.reading import Reader, wrap
from linear_probing.language_model import BUDGETS
from linear_probing.models import load_tokenizer
from linear_probing.settings import ROOT
from linear_probing.stage import run
from linear_probing.steering import asking
from linear_probing.steering.asking import Row, Way
from linear_probing.steering.questions import Question, ask
from reporting import ratios, spread, table
from texts import read
from ways import SHAPES, random_model

LOG = logging.getLogger("benchmark")
ATLAS = ROOT / "data" / "models" / "atlas"
ANSWERS = (" True", " False")
LEAST = 0.9
"""Of the plain pass's speed, what (b) must have."""


@dataclass(frozen=True)
class Setting:
    """A model with its head, questions on texts, an edit for each, and many for a few of them."""

    reader: Reader
    questions: list[Question]
    edits: Float[np.ndarray, "edit d"]
    layer: int
    budget: int
    n_asked: int

    def batches(self) -> list[list[Row]]:
        """Return the texts, each under one edit, in batches of the budget."""
        rows = [Row(place, one, self.edits[:1], 0, 1) for place, one in enumerate(self.questions)]
        rows.sort(key=lambda row: -row.length)
        found: list[list[Row]] = [[]]
        for row in rows:
            if found[-1] and found[-1][0].length * (len(found[-1]) + 1) > self.budget:
                found.append([])
            found[-1].append(row)
        return found


def ways(setting: Setting) -> dict[str, tuple[Callable[[], None], int]]:
    """Return each way with the number of edited texts that it serves."""
    reader, device = setting.reader, setting.reader.model.device
    ready = []
    for rows in setting.batches():
        batch, starts, edits = asking.batch_of(rows, trees=False)
        inputs = batch.inputs(reader.model)
        nodes = [(first[:, None] + row.question.nodes).ravel() for row, first in zip(rows, starts, strict=True)]
        places = [np.full(len(one), place) for place, one in enumerate(nodes)]
        tokens = [row.question.tokens for row in rows]
        reads = tuple(torch.from_numpy(np.concatenate(part)).to(device) for part in (places, nodes, tokens))
        ready.append((batch, inputs, edits, reads))

    def plain() -> None:
        for _, inputs, _, reads in ready:
            with torch.no_grad():
                asking.log_probabilities(reader.model(**inputs, use_cache=False).logits, reads).cpu()

    def edited() -> None:
        for batch, _, edits, reads in ready:
            asking.pass_batch(reader, batch, setting.layer, edits, reads).cpu()

    def asked(way: Way) -> Callable[[], None]:
        def work() -> None:
            few = setting.questions[: setting.n_asked]
            asking.ask_all(reader, few, setting.layer, lambda _: setting.edits, setting.budget, way)

        return work

    n_edits = setting.n_asked * len(setting.edits)
    return {
        "(a) plain forward, same batches": (plain, len(setting.questions)),
        "(b) edited by nnsight, same batches": (edited, len(setting.questions)),
        "(c) ours, many edits a text": (asked(Way(trees=True, skips=False)), n_edits),
        "(d) ours, and lower layers once": (asked(Way(trees=True, skips=True)), n_edits),
    }


def measure(found: dict[str, tuple[Callable[[], None], int]], n_rounds: int) -> dict[str, tuple[dict[int, float], ...]]:
    """Return seconds per edited text by round, on the clock and of CPUs, of every way; a first round is left out."""
    names = list(found)
    results: dict[str, tuple[dict[int, float], ...]] = {name: ({}, {}) for name in names}
    for number in range(-1, n_rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            work, n_texts = found[name]
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            start, cpu_start = time.perf_counter(), time.process_time()
            work()
            if number >= 0:
                clock, cpu = results[name]
                clock[number] = (time.perf_counter() - start) / n_texts
                cpu[number] = (time.process_time() - cpu_start) / n_texts
                LOG.info("round %d: %s, %.3f ms a text", number, name, 1e3 * clock[number])
    return results


def setting_of(name: str, arguments: argparse.Namespace) -> Setting:
    """Return a model, the embedded one or random weights of a shape, with its questions."""
    if name == "atlas":
        model = transformers.AutoModelForCausalLM.from_pretrained(ATLAS)
    else:
        model = random_model(name, arguments.device)
    reader = wrap(model.to(arguments.device).eval())
    tokenizer = load_tokenizer(ATLAS)
    texts = read("cities", None)[: arguments.texts]
    ids = [np.asarray(tokenizer(text)["input_ids"]) for text in texts]
    questions = [ask(tokenizer, text, one, len(one) - 1, ANSWERS) for text, one in zip(texts, ids, strict=True)]
    config = model.config.get_text_config()
    edits = np.random.default_rng(0).standard_normal((arguments.edits, config.hidden_size))
    budget = arguments.budget or BUDGETS[arguments.device]
    return Setting(reader, questions, edits, config.num_hidden_layers // 2, budget, arguments.asked)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="Measure interventions against the plain forward pass.")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--models", nargs="+", choices=["atlas", *SHAPES], default=["atlas", "gpt2"])
    parser.add_argument("--rounds", type=int, default=7, help="after one that warms up")
    parser.add_argument("--texts", type=int, default=256, help="of (a) and (b)")
    parser.add_argument("--asked", type=int, default=4, help="texts of (c) and (d)")
    parser.add_argument("--edits", type=int, default=100, help="of each of them")
    parser.add_argument("--budget", type=int, help="tokens in a batch; else the study's own default")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for name in arguments.models:
        setting = setting_of(name, arguments)
        results = measure(ways(setting), arguments.rounds)
        base, rows = results["(a) plain forward, same batches"], []
        for way, (clock, cpu) in results.items():
            speed = [spread(1 / ratios(one, other), 3) for one, other in ((clock, base[0]), (cpu, base[1]))]
            rows.append([way, spread(1e3 * np.array(list(clock.values())), 3), *speed])
        sys.stdout.write(
            f"### {name}: {setting.budget} tokens a batch, edits at layer {setting.layer}, "
            f"{arguments.threads} threads, torch {torch.__version__}, load {os.getloadavg()[0]:.1f}\n\n"
        )
        table(("way", "ms an edited text", "speed over (a)", "of CPU"), rows)
        found = float(np.median(1 / ratios(results["(b) edited by nnsight, same batches"][0], base[0])))
        verdict = "holds" if found >= LEAST else "does not hold"
        sys.stdout.write(f"(b) runs at {found:.3f} of the speed of (a), at least {LEAST} asked: {verdict}.\n\n")


if __name__ == "__main__":
    run(main)
