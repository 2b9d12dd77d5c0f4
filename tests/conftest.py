"""Shared by all tiers: where the repository is, and small checked configurations."""

import copy
from pathlib import Path

import pytest
import yaml

from linear_probing import settings

ROOT = Path(__file__).parents[1]


def pytest_addoption(parser):
    parser.addoption("--write-documents", action="store_true", help="write the tables in docs/ that tests make")


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture
def tiny_content():
    return copy.deepcopy(yaml.safe_load((ROOT / "config" / "tiny.yaml").read_text()))


@pytest.fixture(scope="session")
def tiny():
    return settings.load(ROOT / "config" / "tiny.yaml")
