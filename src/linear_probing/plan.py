"""Plan: what a study will cost, before anything is spent: targets, tokens, bytes, memory, time.

In: a configuration. Out: a table on standard output, or JSON. No network, and nothing is downloaded or written: what is
not there yet is estimated and marked with ~. Sizes are exact where data and tokenizer are there; seconds come from what
jobs do and the constants in `planning.rates`, scaled to this machine by a short measurement. Cost: seconds.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from linear_probing import settings
from linear_probing.jobs import Jobs
from linear_probing.planning.calibration import Speed, measure
from linear_probing.planning.measured import measured
from linear_probing.planning.printing import measured_text, text
from linear_probing.planning.rates import REFERENCE
from linear_probing.planning.shapes import model_size
from linear_probing.planning.sizes import TokenSize, dataset_size, token_size
from linear_probing.planning.tables import plan_of
from linear_probing.planning.work import Sizes, jobs
from linear_probing.settings import Study
from linear_probing.stage import StudyError, count, run


def sizes_of(paths: Jobs) -> Sizes:
    """Return what is known of a study's data sets, models and tokens before it is run.

    Raises
    ------
    StudyError
        If nothing says a model's shape, or what is there cannot be read.
    """
    study = paths.study
    models = {model.name: model_size(model, study.layers_of(model)) for model in study.models}
    datasets = {name: dataset_size(paths, study.dataset(name)) for name in study.probed}
    found: dict[tuple[str, str], TokenSize] = {}
    for model in study.models:
        for name in study.probed:
            owner = study.model(paths.tokenizer_of(model))
            same = (owner.budget, owner.prefix_trees) == (model.budget, model.prefix_trees)
            if model is not owner and same:
                found[model.name, name] = found[owner.name, name]
                continue
            causal = models[model.name].causal
            found[model.name, name] = token_size(paths, study.dataset(name), datasets[name], model, causal)
    return Sizes(datasets, models, found)


def positive(value: str) -> float:
    """Return a number above 0, as argparse's `type`.

    Raises
    ------
    StudyError
        If it is not above 0.

    Examples
    --------
    >>> positive("4e13")
    40000000000000.0
    """
    number = float(value)
    if not 0 < number < float("inf"):
        raise StudyError(f"{value}, expected a number above 0", do="say a speed, as 1.5 or 4e13")
    return number


def printed(study: Study, n_cores: int, speed: Speed, flops: float | None, as_json: bool, beside: bool) -> str:
    """Return what is printed; parameters as of the command's options."""
    paths = Jobs(study)
    sizes, rates = sizes_of(paths), REFERENCE.at(speed.rate, flops)
    if beside:
        rows = measured(paths, jobs(paths, sizes, rates), rates)
        return json.dumps([asdict(row) for row in rows], indent=2) + "\n" if as_json else measured_text(rows)
    plan = plan_of(paths, sizes, rates, n_cores, speed, flops is not None)
    return json.dumps(asdict(plan), indent=2) + "\n" if as_json else text(plan)


def main() -> None:
    """Print what a study will cost."""
    parser = argparse.ArgumentParser(description="Say what a study will cost, before anything is spent.")
    parser.add_argument("--config", type=Path, required=True, help="the study's configuration")
    parser.add_argument("--cores", type=count, default=2, help="jobs at once, as of snakemake")
    parser.add_argument("--flops", type=positive, help="floating point operations a second of what runs the models")
    parser.add_argument("--rate", type=positive, help="speed over the reference machine's, instead of measuring it")
    parser.add_argument("--json", action="store_true", help="the same numbers as JSON")
    parser.add_argument("--measured", action="store_true", help="beside what the records of results/runs say")
    arguments = parser.parse_args()
    study = settings.load(arguments.config)
    speed = Speed(arguments.rate) if arguments.rate else measure(arguments.cores)
    found = printed(study, arguments.cores, speed, arguments.flops, arguments.json, arguments.measured)
    sys.stdout.write(found)


if __name__ == "__main__":
    run(main)
