"""Shared by all tiers: where the repository is, small checked configurations, and what tests/contract found out.

The claims are written here, since a run on several processes reads no other conftest in the process that reports.
"""

import copy
import importlib.util
import json
import logging
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from linear_probing import settings, stage

ROOT = Path(__file__).parents[1]
PACKAGES = ("nnsight", "nnterp", "torch", "transformers", "accelerate")


def pytest_addoption(parser):
    parser.addoption("--claims", type=Path, default=None, help="JSON file to write: what holds in this environment")
    parser.addoption("--write-figures", action="store_true", help="write tests/golden/figures anew, to be looked at")
    parser.addoption("--write-documents", action="store_true", help="write the tables in docs/ that tests make")


def pytest_make_parametrize_id(val, argname):
    """Name a test after a long text by its length: a test's name is to be read."""
    return f"{argname} of {len(val)} characters" if isinstance(val, str) and len(val) > 100 else None


def pytest_collection_modifyitems(items):
    """Begin with the longest, so that processes end together."""
    items.sort(key=lambda item: item.get_closest_marker("workflow") is None)


def pytest_terminal_summary(terminalreporter, config):
    reports = terminalreporter.stats.get("passed", [])
    claims = [value for report in reports for name, value in report.user_properties if name == "claim"]
    for claim in claims:
        if claim["holds"] is None:
            terminalreporter.write_line(f"NOT TESTED {claim['claim']}: {claim['evidence']}")
    target = config.getoption("--claims")
    if target is not None:
        content = {"versions": {name: installed(name) for name in PACKAGES}, "claims": claims}
        target.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def installed(name):
    """Return a package's version without its build (as `+cpu`), None where it is not installed."""
    try:
        return version(name).split("+")[0]
    except PackageNotFoundError:
        return None


@pytest.fixture(scope="session")
def serving():
    """Return what serves a folder on loopback, as a host of files and as a hub."""
    spec = importlib.util.spec_from_file_location("loopback", ROOT / "tests" / "loopback.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.serving


@pytest.fixture
def called(monkeypatch, capsys, caplog):
    """Return what runs a module's command in this process, which has its packages: exit status, and what it wrote.

    Its log is with what it wrote to standard error.
    """

    def call(module, *arguments, cwd=None):
        monkeypatch.setattr("sys.argv", [module, *map(str, arguments)])
        if cwd is not None:
            monkeypatch.chdir(cwd)
        caplog.set_level(logging.INFO)
        try:
            stage.run(importlib.import_module(f"linear_probing.{module}").main)
            status = 0
        except SystemExit as left:
            status = left.code
        printed = capsys.readouterr()
        return SimpleNamespace(returncode=status, stdout=printed.out, stderr=printed.err + caplog.text)

    return call


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture
def tiny_content():
    return copy.deepcopy(yaml.safe_load((ROOT / "config" / "tiny.yaml").read_text()))


@pytest.fixture(scope="session")
def tiny():
    return settings.load(ROOT / "config" / "tiny.yaml")
