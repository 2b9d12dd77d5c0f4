"""Write docs/nnsight.md from what tests/contract found in each environment.

In: one JSON file per environment, as `pytest tests/contract --claims FILE` writes it. Out: a Markdown file with the
packages' versions, and every claim by version of nnsight, with the evidence. The same outcomes give the same bytes.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

from linear_probing.stage import StudyError, replace_file, run

HEADER = """\
# What holds in which nnsight

Written by `make contract`, which runs tests/contract in both environments below; each row is a test. The first is the
one that the project's founding notes were written for, the last is the study's. Models are tiny and random, in float32
on the CPU; a difference is that from transformers' own `output_hidden_states`.
"""
WORDS = {True: "holds", False: "does not", None: "not tested"}


class ReportError(StudyError):
    """Outcomes that cannot be set side by side."""


@dataclass(frozen=True)
class Outcome:
    """What one environment says of one claim; `holds` is None where it could not be tested."""

    holds: bool | None
    evidence: str


@dataclass(frozen=True)
class Run:
    """One environment: versions by package, outcomes by (part, claim) in the order of the tests."""

    versions: dict[str, str | None]
    outcomes: dict[tuple[str, str], Outcome]

    @property
    def name(self) -> str:
        """The version of nnsight."""
        return str(self.versions["nnsight"])


def read(file: Path) -> Run:
    """Read one environment's outcomes.

    Raises
    ------
    ReportError
        If a claim stands there twice, since rows are told apart by their text.
    """
    content = json.loads(file.read_text(encoding="utf-8"))
    outcomes: dict[tuple[str, str], Outcome] = {}
    for entry in content["claims"]:
        key = (entry["part"], entry["claim"])
        if key in outcomes:
            raise ReportError(f"two tests claim {entry['claim']!r}", file=file, do="give each its own words")
        outcomes[key] = Outcome(entry["holds"], entry["evidence"])
    return Run(content["versions"], outcomes)


def check_alike(runs: list[Run]) -> None:
    """Refuse runs that did not test the same claims.

    Raises
    ------
    ReportError
        If a claim of one is missing in another, as after `pytest -k`.
    """
    every = {key for run in runs for key in run.outcomes}
    for one in runs:
        for _, claim in sorted(every - set(one.outcomes)):
            raise ReportError(f"nnsight {one.name} has no outcome for {claim!r}", do="run the whole of `make contract`")


def table(header: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table; a bar in a cell is escaped."""
    lines = [header, ["---"] * len(header), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def render(runs: list[Run]) -> str:
    """Return the file's text, claims in the order of the first run."""
    names = [one.name for one in runs]
    packages = [[package, *(one.versions[package] or "-" for one in runs)] for package in runs[0].versions]
    parts = [HEADER, table(["package", *(f"with nnsight {name}" for name in names)], packages)]
    for title in dict.fromkeys(part for part, _ in runs[0].outcomes):
        rows = []
        for part, claim in runs[0].outcomes:
            if part == title:
                outcomes = [one.outcomes[part, claim] for one in runs]
                rows.append([claim, *(f"**{WORDS[one.holds]}**: {one.evidence}" for one in outcomes)])
        parts += [f"## {title.rstrip('.')}\n", table(["claim", *names], rows)]
    return "\n".join(parts)


def main() -> None:
    """Read all runs, set them side by side and write the file."""
    parser = argparse.ArgumentParser(description="Write what holds in which nnsight.")
    parser.add_argument("claims", type=Path, nargs="+", help="JSON files of `pytest tests/contract --claims FILE`")
    parser.add_argument("--output", type=Path, required=True, help="Markdown file to write")
    arguments = parser.parse_args()
    runs = [read(file) for file in arguments.claims]
    check_alike(runs)
    with replace_file(arguments.output) as temporary:
        temporary.write_text(render(runs), encoding="utf-8")


if __name__ == "__main__":
    run(main)
