"""How claims are judged, and how docs/nnsight.md is made from them."""

import importlib
import json
from pathlib import Path

import pytest

VERSIONS = ("0.5.15", "0.8.1")


@pytest.fixture
def report(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    return importlib.import_module("report")


@pytest.mark.claim("Nothing", {})
def test_a_version_without_an_entry_fails(found):
    with pytest.raises(pytest.fail.Exception, match=r"is not in the table of 'Nothing'; found True: it was seen"):
        found(1, "it was\nseen")


@pytest.mark.claim("Nothing", dict.fromkeys(VERSIONS, False))
def test_another_outcome_fails(found):
    with pytest.raises(pytest.fail.Exception, match=r"'Nothing': expected False, found None: no way"):
        found(None, "no way")


def entries(*claims):
    return [{"part": "Part.", "claim": claim, "holds": True, "evidence": "a | b"} for claim in claims]


def write(folder, version, claims):
    content = {"versions": {"nnsight": version, "nnterp": None}, "claims": claims}
    path = folder / f"{version}.json"
    path.write_text(json.dumps(content))
    return path


def test_the_table_has_a_column_per_environment(report, tmp_path):
    runs = [report.read(write(tmp_path, version, entries("one", "two"))) for version in VERSIONS]
    lines = report.render(runs).splitlines()
    assert "| nnterp | - | - |" in lines
    assert lines[-6:] == [
        "## Part",
        "",
        "| claim | 0.5.15 | 0.8.1 |",
        "| --- | --- | --- |",
        r"| one | **holds**: a \| b | **holds**: a \| b |",
        r"| two | **holds**: a \| b | **holds**: a \| b |",
    ]


def test_environments_that_tested_other_claims_are_refused(report, tmp_path):
    runs = [
        report.read(write(tmp_path, version, entries(*claims)))
        for version, claims in zip(VERSIONS, (["one", "two"], ["one"]), strict=True)
    ]
    with pytest.raises(report.ReportError, match=r"(?s)nnsight 0\.8\.1 has no outcome for 'two'.*do: .*make contract"):
        report.check_alike(runs)


def test_two_tests_of_one_claim_are_refused(report, tmp_path):
    with pytest.raises(report.ReportError, match=r"(?s)two tests claim 'one'.*do: .*its own words"):
        report.read(write(tmp_path, "0.8.1", entries("one", "one")))
