"""What `scale.py` measures: seconds of whole processes, as a user waits for them, and bytes; by the size that grows.

A point that would take longer than it may, by what the smaller ones took, is not run; `scale_document.py` extends the
curve.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import scale_studies as studies
from linear_probing import settings
from linear_probing.jobs import Jobs
from linear_probing.plan import sizes_of
from linear_probing.planning.rates import REFERENCE
from linear_probing.planning.work import jobs
from linear_probing.settings import ROOT
from linear_probing.stage import StudyError

BIN = Path(sys.executable).parent
ENVIRONMENT = {
    **os.environ,
    "PATH": os.pathsep.join([str(BIN), os.environ["PATH"]]),
    "PYTHONPATH": str(ROOT / "src"),
    "OMP_NUM_THREADS": "1",
}
STAGES = ("datasets", "tokens", "activations", "probes", "transfer", "interventions", "statistics", "figures")
N_ROWS = 300
"""Targets of each of many data sets."""
LAYER = 6
"""That is extracted and probed where targets grow."""
NO_OP = 100
BLOCK = 1_000_000
STATES, SCORES = "shard-0-of-1.safetensors", "scores.safetensors"
"""Of a study's files, those that are large."""
SOON = 30.0
"""Seconds within which the workflow is to be read, and DVC to know whether anything changed."""


@dataclass(frozen=True)
class Point:
    """Seconds of some work, of the clock and of the processor: which part and kind, which size, bytes worked on."""

    part: str
    what: str
    size: float
    seconds: float
    processor: float
    bytes: int = 0


def timed(folder: Path, *command: str, environment: dict[str, str] | None = None) -> tuple[float, float]:
    """Return the seconds of a command that must succeed, of the clock and of the processor.

    Raises
    ------
    StudyError
        With the end of what it said.
    """
    start, before = time.perf_counter(), _of_children()
    every = {**ENVIRONMENT, **(environment or {})}
    done = subprocess.run(command, cwd=folder, env=every, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start, _of_children() - before
    if done.returncode:
        raise StudyError(
            f"{' '.join(command)[:300]}: exit {done.returncode}\n{done.stdout[-500:]}{done.stderr[-1500:]}"
        )
    return seconds


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def python(folder: Path, module: str, *options: str) -> tuple[float, float]:
    """Return the seconds of a command of the package."""
    return timed(folder, sys.executable, "-m", f"linear_probing.{module}", *options)


def snakemake(folder: Path, *options: str) -> tuple[float, float]:
    """Return the seconds of Snakemake on a folder's study."""
    workflow = ("--snakefile", str(ROOT / "Snakefile"), "--configfile", "study.yaml", "--directory", ".")
    return timed(folder, str(BIN / "snakemake"), *workflow, *options)


def affordable(sizes: Iterable[int], most: float, run: Callable[[int], Iterator[Point]]) -> Iterator[Point]:
    """Yield the points of ascending sizes, up to the first of which a kind would take more than `most` seconds.

    What is expected goes on from the last two points as a straight line does; so two sizes are always run.
    """
    known: dict[str, list[Point]] = {}
    for size in sizes:
        if any(expected(points[-2:], size) > most for points in known.values()):
            return
        for point in run(size):
            known.setdefault(point.what, []).append(point)
            yield point


def expected(points: Sequence[Point], size: float) -> float:
    """Return the processor's seconds at a size, on a straight line through two points; 0 where there is one alone."""
    if len(points) < 2:
        return 0.0
    one, other = points
    return other.processor + (other.processor - one.processor) / (other.size - one.size) * (size - other.size)


def reading(folder: Path, n_datasets: int) -> Iterator[Point]:
    """Yield the seconds until Snakemake has said what it would do, and the plan what it would cost."""
    place = folder / f"reading-{n_datasets}"
    studies.checkout(place)
    studies.write(place, n_datasets, N_ROWS, studies.models(studies.N_TWINS))
    yield Point("reading", "snakemake -n", n_datasets, *snakemake(place, "--dry-run"))
    yield Point("reading", "plan", n_datasets, *python(place, "plan", "--config", "study.yaml", "--rate", "1"))


def contents(paths: Jobs) -> Iterator[tuple[Path, int]]:
    """Yield the files of a study that are kept, with the bytes that the plan has for them; small ones have 10 kB."""
    planned = jobs(paths, sizes_of(paths), REFERENCE)
    names = {
        "datasets": ("card.json", "record.json", "targets.csv", "texts.csv"),
        "tokens": ("record.json", "tokens.safetensors"),
        "activations": ("shard-0-of-1.json", STATES),
        "probes": ("checks.csv", "directions.json", "directions.safetensors", "fits.csv", "record.json", SCORES),
        "transfer": ("cosines.csv", "record.json", SCORES),
    }
    for folder, made in paths.made.items():
        for name in names.get(made.stage, ()):
            large = name in (STATES, SCORES)
            yield Path(folder, name), (planned[folder].bytes or 10_000) if large else 10_000


def kept(folder: Path, n_datasets: int) -> Iterator[Point]:
    """Yield the seconds of DVC on a study's results: to take them in, and to find that nothing has changed.

    The results are random bytes in files of the study's names and sizes: DVC sees no more of them.
    """
    place = folder / f"kept-{n_datasets}"
    studies.checkout(place)
    path = studies.write(place, n_datasets, N_ROWS, studies.models(studies.N_TWINS))
    (place / "config").mkdir(exist_ok=True)
    shutil.copyfile(path, place / "config" / "study.yaml")
    study = settings.load(path)
    n_bytes = n_files = 0
    for name, size in contents(Jobs(study)):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        with (place / name).open("wb") as file:
            for start in range(0, size, BLOCK):
                file.write(os.urandom(min(BLOCK, size - start)))
        n_bytes, n_files = n_bytes + size, n_files + 1
    for stage in ("statistics", "figures"):
        (place / "results" / "studies" / study.name / stage).mkdir(parents=True, exist_ok=True)
        (place / "results" / "studies" / study.name / stage / "table.csv").write_text("a\n")
    (place / "results" / "interventions").mkdir(exist_ok=True)  # dvc.yaml makes it where a study has none
    dvc = (sys.executable, "-m", "dvc")
    own = {"DVC_SITE_CACHE_DIR": str((place / "memory").resolve())}
    timed(place, "git", "init", "--quiet")
    timed(place, *dvc, "init", "--quiet", environment=own)
    timed(place, *dvc, "config", "core.analytics", "false", environment=own)
    seconds = timed(place, *dvc, "commit", "--force", environment=own)
    yield Point("DVC", "dvc commit", n_files, *seconds, n_bytes)
    yield Point("DVC", "dvc status", n_files, *timed(place, *dvc, "status", environment=own), n_bytes)
    forgotten = {"DVC_SITE_CACHE_DIR": str((place / "forgotten").resolve())}
    seconds = timed(place, *dvc, "status", environment=forgotten)
    yield Point("DVC", "dvc status, sums forgotten", n_files, *seconds, n_bytes)
    shutil.rmtree(place)


def growing(folder: Path, n_targets: int, stages: tuple[str, ...]) -> Iterator[Point]:
    """Yield the seconds of the stages' own commands on one data set of the embedded model, a layer of it."""
    place = folder / f"targets-{n_targets}"
    studies.checkout(place)
    config = ("--config", str(studies.write(place, 1, n_targets, studies.models(0), [LAYER])))
    tables, ids, states, probed = (f"made/{name}/set-0000-0" for name in ("tables", "tokens", "atlas", "probes"))
    commands = {
        "datasets": ("--dataset", "set-0000", "--output", tables),
        "tokens": ("--model", "atlas", "--dataset", tables, "--output", ids),
        "activations": ("--model", "atlas", "--tokens", ids, "--output", states),
        "probes": ("--dataset", "set-0000", "--tables", tables, "--activations", states, "--output", probed),
    }
    for stage in stages:
        seconds = python(place, stage, *config, *commands[stage])
        size = sum(path.stat().st_size for path in (place / "made").rglob("*") if path.is_file())
        yield Point("targets", stage, n_targets, *seconds, size)


def starting(folder: Path) -> Iterator[Point]:
    """Yield what a job costs before it does anything: Snakemake's part, Python's, and that of the stages' imports."""
    folder.mkdir(parents=True, exist_ok=True)
    rule = 'rule all:\n    input:\n        [f"{n}.txt" for n in range(int(config["jobs"]))]\n\n'
    rule += 'rule one:\n    output:\n        "{n}.txt"\n    shell:\n        "touch {output}"\n'
    (folder / "Snakefile").write_text(rule)
    runs = {}
    for n_jobs in (1, 1 + NO_OP):
        for path in folder.glob("*.txt"):
            path.unlink()
        runs[n_jobs] = timed(folder, str(BIN / "snakemake"), "--cores", "1", "--config", f"jobs={n_jobs}")
    one, more = runs[1], runs[1 + NO_OP]
    each = ((more[0] - one[0]) / NO_OP, (more[1] - one[1]) / NO_OP)
    yield Point("start", "a run of Snakemake with one job that does nothing", 1, *one)
    yield Point("start", "each further job that does nothing", 1, *each)
    yield Point("start", "Python alone", 1, *timed(folder, sys.executable, "-c", "pass"))
    for stage in STAGES:
        done = timed(folder, sys.executable, "-c", f"import linear_probing.{stage}")
        yield Point("start", f"Python and the imports of {stage}", 1, *done)
    load = (
        "import pathlib; from linear_probing import artefacts, settings; artefacts.Artefacts(settings.load(pathlib.Path"
    )
    command = (sys.executable, "-c", f"{load}({str(ROOT / 'config' / 'study.yaml')!r})))")
    timed(folder, *command)  # digests of modules are remembered from here on, as they are in a study
    done = timed(folder, *command)
    yield Point("start", "a job's look at its own digest, in the default study, Python included", 1, *done)


@dataclass(frozen=True)
class Measured:
    """The points of a part, the day on which they were measured, and the load of the machine before."""

    points: tuple[Point, ...]
    date: str
    load: float


def save(points: Iterable[Point], when: dict[str, Any], path: Path) -> None:
    """Write a part as JSON; `when` has its date and load."""
    content = {**when, "points": [vars(point) for point in points]}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def load(path: Path) -> Measured:
    """Read a part; one without points where there is no file."""
    if not path.is_file():
        return Measured((), "", 0.0)
    content = json.loads(path.read_text(encoding="utf-8"))
    return Measured(tuple(Point(**entry) for entry in content["points"]), content["date"], content["load"])
