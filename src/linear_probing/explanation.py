"""Explanation: an artefact in; in words, what its digest is made of, and what differs from another, out.

    python -m linear_probing.provenance explain ARTEFACT [OTHER]

An artefact is named by its folder or a file in it. One that is not there yet can be explained as well, if today's code
and configuration ask for it; of one that they do not ask for, what has changed since is said. Where an input differs,
its own difference follows, down to the value, the module or the package at the beginning of it.
"""

import argparse
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linear_probing import records, settings
from linear_probing.artefacts import DEFAULT, LAST_STAGES, RESULTS, STAGES, Artefacts, manifests, shown
from linear_probing.provenance import LENGTH
from linear_probing.stage import StudyError

DIGEST = re.compile(rf"(?:^|-)([0-9a-f]{{{LENGTH}}})$")
INPUTS = ("tables", "tokens", "features", "statistics", "probes", "transfer", "interventions")
"""Entries of `made_of` that name other artefacts: by digest, or by folder."""
SHORT = 100


@dataclass(frozen=True)
class Known:
    """Records of artefacts by folder, and the folders by digest: those that are there, and those that are asked for."""

    records: Mapping[str, Mapping[str, Any]]
    asked: Mapping[str, str]

    def folder(self, digest: str) -> str | None:
        """Return the folder of a digest or of a folder's name; None if nobody knows it."""
        found = DIGEST.search(digest)
        sought = found[1] if found else digest
        return next((folder for folder, record in self.records.items() if record["digest"] == sought), None)


def studies() -> list[Artefacts]:
    """Return what today's code and configurations ask for: of each study in the results, and of the default one."""
    files = {DEFAULT.resolve(): DEFAULT}
    files |= {Path(m["configuration"]).resolve(): Path(m["configuration"]) for m in manifests().values()}
    return [Artefacts(settings.load(file)) for file in files.values() if file.is_file()]


def known() -> Known:
    """Read all records under the results, and what is asked for today."""
    found: dict[str, Mapping[str, Any]] = {}
    asked: dict[str, str] = {}
    folders = [path for stage in STAGES for path in Path(RESULTS, stage).glob("**/*-*") if path.is_dir()]
    folders += [path for stage in LAST_STAGES for path in Path(RESULTS, "studies").glob(f"*/{stage}")]
    for folder in folders:
        parts = [record for path in records.find(folder) if (record := records.read_whole(path)) is not None]
        if parts:
            files = {name: entry for record in parts for name, entry in record["files"].items()}
            found[folder.as_posix()] = {**parts[0], "files": files}
    for study in studies():
        for place, made in study.made.items():
            asked[place] = str(study.study.file)
            if place not in found:
                found[place] = made.record()
            elif found[place]["digest"] != made.digest:  # of a last stage, whose folder has no digest in its name
                found[f"{place} (today)"] = made.record()
    return Known(found, asked)


def flat(content: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested mappings with their dotted names; lists of mappings count as mappings by name.

    Examples
    --------
    >>> list(flat({"a": {"b": [1, 2]}, "c": None}))
    [('a.b', [1, 2]), ('c', None)]
    """
    if isinstance(content, list) and content and all(isinstance(one, Mapping) and "name" in one for one in content):
        content = {one["name"]: {key: one[key] for key in one if key != "name"} for one in content}
    if isinstance(content, Mapping) and content:
        for key, value in content.items():
            yield from flat(value, f"{name}.{key}" if name else str(key))
    else:
        yield name, content


def describe(place: str, known: Known) -> list[str]:
    """Return in lines what an artefact's digest is made of."""
    record = known.records[place]
    lines = [
        f"{place}",
        f"  stage {record['stage']}, digest {record['digest']}, which stands for",
        "  what it is given:",
    ]
    for name, value in flat(record["made_of"]):
        if name in INPUTS:
            for digest in value if isinstance(value, list) else [value]:
                lines.append(f"    {name}: {known.folder(digest) or f'{digest}, which is not here'}")
        else:
            lines.append(f"    {name}: {_short(value)}")
    lines.append(f"  the code of {len(record['code'])} modules: {', '.join(record['code'])}")
    lines.append(f"  the packages {', '.join(f'{name} {_short(v)}' for name, v in record['pins'].items())}")
    files = record.get("files", {})
    if files:
        listed = (f"{name} ({entry['bytes']:,} bytes, {entry['sha256'][:LENGTH]})" for name, entry in files.items())
        lines.append(f"  it holds {', '.join(listed)}")
    else:
        lines.append("  it is not there yet")
    return lines


def differences(one: str, other: str, known: Known) -> list[str]:
    """Return in lines what differs between two artefacts, and below each input that differs what differs in it."""
    first, second = known.records[one], known.records[other]
    if first["digest"] == second["digest"]:
        return ["nothing: the digests are the same"]
    lines: list[str] = []
    for key, what in (("made_of", "given"), ("code", "code"), ("pins", "package")):
        left, right = dict(flat(first[key])), dict(flat(second[key]))
        for name in sorted({*left, *right}):
            if left.get(name) == right.get(name):
                continue
            if key == "made_of" and name in INPUTS:
                lines += _of_inputs(name, left.get(name), right.get(name), known)
            elif key == "code" and name in left and name in right:
                lines.append(f"code: {name} is another in the second")
            elif key == "code":
                lines.append(f"code: {name} is in the {'first' if name in left else 'second'} alone")
            else:
                values = f"{_short(left.get(name))} in the first, {_short(right.get(name))} in the second"
                lines.append(f"{what}: {name} is {values}")
    return lines or ["nothing but the order in which entries stand"]


def _of_inputs(name: str, left: Any, right: Any, known: Known) -> list[str]:
    """Return what differs in the inputs of one name: those of one place side by side, those alike in one."""
    lefts, rights = _by_place(left, known), _by_place(right, known)
    alike: dict[tuple[str, ...], list[str]] = {}
    for place in sorted({*lefts, *rights}):
        first, second = lefts.get(place), rights.get(place)
        if first == second:
            continue
        below: tuple[str, ...] = ()
        if first in known.records and second in known.records:
            below = tuple(differences(str(first), str(second), known))
        elif first and second:
            below = ("the record of one of them is not here, so it cannot be said how they differ",)
        alike.setdefault(below, []).append(f"{first or 'none'} in the first, {second or 'none'} in the second")
    lines = []
    for below, pairs in alike.items():
        more = f" ({len(pairs) - 1} more differ in the same)" if len(pairs) > 1 else ""
        lines += [f"{name}: {pairs[0]}{more}", *(f"  {line}" for line in below)]
    return lines


def _by_place(value: Any, known: Known) -> dict[str, str]:
    """Return folders by their place without the digest."""
    digests: Iterable[str] = value if isinstance(value, list) else [value] if value else []
    folders = [known.folder(digest) or digest for digest in digests]
    return {folder.rpartition("-")[0] if len(folders) > 1 else "": folder for folder in folders}


def _short(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= SHORT else f"{text[:SHORT]}..."


def place_of(name: Path, known: Known) -> str:
    """Return the folder of an artefact that is named by itself or by a file in it.

    Raises
    ------
    StudyError
        If there is no such artefact, or nothing is recorded of it.
    """
    path = shown(Path(name).absolute())
    for folder in (path, *path.parents):
        if folder.as_posix() in known.records:
            return folder.as_posix()
    raise StudyError(
        f"{name} is no artefact that is recorded or asked for",
        file=name,
        likely="a folder without a record, or a digest of older code whose folder is gone",
        do="name a folder under results/, as `snakemake -n` or a manifest.json shows them",
    )


def explain(one: str, known: Known) -> list[str]:
    """Return what an artefact is made of, and whether it is asked for today; if not, what changed since."""
    lines = describe(one, known)
    today = f"{one} (today)"
    if today not in known.records and one in known.asked:
        return [*lines, f"It is what today's code and {known.asked[one]} ask for."]
    stem = one.rpartition("-")[0]
    places = [today] if today in known.records else [p for p in known.asked if p.rpartition("-")[0] == stem]
    successor = min(places, key=lambda place: len(differences(one, place, known)), default=None)
    if successor is None:
        return [*lines, "No study asks for it today."]
    lines.append(f"Today's code and configuration ask for {successor} instead. Between it (first) and that (second):")
    return lines + [f"  {line}" for line in differences(one, successor, known)]


def main() -> None:
    """Explain one artefact, or what differs between two."""
    parser = argparse.ArgumentParser(description="Say in words what an artefact is made of.")
    commands = parser.add_subparsers(required=True, metavar="explain")
    command = commands.add_parser("explain", help="what an artefact's digest is made of; given two, what differs")
    command.add_argument("artefact", type=Path, help="a folder under results/, or a file in it")
    command.add_argument("other", type=Path, nargs="?", help="another, to be compared with the first")
    arguments = parser.parse_args()
    found = known()
    one = place_of(arguments.artefact, found)
    if arguments.other is None:
        lines = explain(one, found)
    else:
        other = place_of(arguments.other, found)
        lines = [f"Between {one} (first) and {other} (second):"]
        lines += [f"  {line}" for line in differences(one, other, found)]
    sys.stdout.write("\n".join(lines) + "\n")
