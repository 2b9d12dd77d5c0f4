"""One small study that has run undisturbed, copies of it to be harmed, and the table that the tests make.

The study is the default one of its clone, so that DVC runs it too. A test that says what it found, by `tell`, gets a
row of docs/reliability.md; tests of one fault share a row. `--write-documents` writes the table if all have passed.
"""

import os
import shutil
import subprocess

import pytest

from clones import ROOT, copy_working_tree
from faults.harm import HERE, Harmed, bytes_of

DOCUMENT = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- table: make test-faults -->\n", "<!-- end of the table -->"
HEADING = "| fault | times | lost | repeated | what the message says |\n| --- | --- | --- | --- | --- |\n"


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    clone = copy_working_tree(tmp_path_factory.mktemp("clone") / "repository")
    shutil.copy(HERE / "small.yaml", clone.folder / "config" / "study.yaml")
    done = clone.snakemake(config=None)
    assert done.returncode == 0, done.stderr[-3000:]
    return clone


@pytest.fixture(scope="session")
def undisturbed(finished):
    return bytes_of(finished)


@pytest.fixture
def study(finished, undisturbed, tmp_path):
    """Return a copy of the finished study, to be harmed."""
    finished.copy(tmp_path / "repository")
    return Harmed(tmp_path / "repository", finished.programs, undisturbed)


def mounting(folder):
    """Return why nothing can be mounted in a folder, and what to do; None if it can: root of a container may not."""
    if os.geteuid():
        return "mounting needs root: run `make test-faults` as root, as in a container"
    try:
        done = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True, text=True, check=False)
    except OSError as error:
        return f"there is no mount: {error}; install util-linux"
    if done.returncode:
        said = " ".join(done.stderr.split())
        return f"mounting is refused: {said}; run `make test-faults` where root has CAP_SYS_ADMIN"
    subprocess.run(["umount", folder], check=True)
    return None


@pytest.fixture
def root_user(tmp_path):
    folder = tmp_path / "mounting"
    folder.mkdir()
    refused = mounting(folder)
    folder.rmdir()
    if refused is not None:
        pytest.skip(refused)


@pytest.fixture
def tell(record_property):
    """Return what enters a row: the fault, what was lost, which jobs ran again, what the message says."""

    def enter(fault, lost, repeated, says):
        text = ", ".join(f"{count} × {stage}" for stage, count in repeated.items()) or "nothing"
        record_property("fault", {"fault": fault, "lost": lost, "repeated": text, "says": says})

    return enter


def rows(reports):
    """Return the table: a row a fault, in the order of the tests' names; where its cases differ, all are told."""
    found = {}
    for report in sorted(reports, key=lambda one: one.nodeid):
        for name, value in report.user_properties:
            if name == "fault":
                found.setdefault(value["fault"], []).append(value)
    lines = []
    for fault, cases in found.items():
        cells = ["<br>".join(dict.fromkeys(case[key] for case in cases)) for key in ("lost", "repeated", "says")]
        lines.append(f"| {fault} | {len(cases)} | " + " | ".join(cells) + " |\n")
    return "".join(lines)


def pytest_terminal_summary(terminalreporter, exitstatus, config):
    stats = terminalreporter.stats
    if not config.getoption("--write-documents"):
        return
    if exitstatus or stats.get("skipped") or stats.get("deselected") or not stats.get("passed"):
        terminalreporter.write_line(f"{DOCUMENT.name} was not written: not every fault was tried, and passed")
        return
    text = DOCUMENT.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    DOCUMENT.write_text(before + BEGIN + "\n" + HEADING + rows(stats["passed"]) + "\n" + END + rest.split(END)[1])
