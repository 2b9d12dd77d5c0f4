"""The structure of the package: data flows one way, and what needs no model loads none."""

import ast
import re
import subprocess
import sys

import pytest

from linear_probing import artefacts, provenance
from linear_probing.stage import StudyError

ORDER = [
    "downloads",
    "datasets",
    "models",
    "tokens",
    "activations",
    "probes",
    "transfer",
    "interventions",
    "statistics",
    "figures",
    "report",
    "paper",
]
SHARED = {
    "settings",
    "language_model",
    "sources",
    "stage",
    "store",
    "tables",
    "provenance",
    "artefacts",
    "errors",
    "records",
    "processes",
    "devices",
    "behaviour",
}
ALLOWED = {
    "downloads": {"fetching"},
    "datasets": {"builders", "atlas"},
    "tokens": {"models", "chat"},
    "models": {"architecture"},
    "activations": {"models", "tokens", "extraction"},
    "probes": {"probing", "solving", "splits", "directions"},
    "transfer": {"directions"},
    "interventions": {"models", "tokens", "activations", "transfer", "extraction", "probing", "directions", "steering"},
    "statistics": {"estimation", "probes", "transfer"},
    "figures": {"drawing"},
    "report": {"drawing", "reporting"},
    "paper": {"drawing", "writing"},
}


def imports(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "linear_probing":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("linear_probing."):
            yield node.module.split(".")[1]


@pytest.mark.parametrize("stage", ORDER)
def test_a_stage_imports_only_what_stands_to_its_left(root, stage):
    found = set(imports(root / "src" / "linear_probing" / f"{stage}.py"))
    assert found <= ALLOWED[stage] | SHARED
    assert not found & set(ORDER[ORDER.index(stage) + 1 :]) - SHARED


@pytest.mark.parametrize("stage", [stage for stage in ORDER if stage != "models"])
def test_a_stage_has_a_rule_file_of_its_name(root, stage):
    rules = (root / "workflow" / "rules" / f"{stage}.smk").read_text()
    assert f"rule {stage}:" in rules
    assert f"python -m linear_probing.{stage} " in rules


@pytest.mark.parametrize("stage", [stage for stage in ORDER if stage != "models"])
def test_a_rules_command_holds_no_value_of_its_own(root, stage):
    """Rules are in no digest: what could change a number stands in the configuration or in a module."""
    text = (root / "workflow" / "rules" / f"{stage}.smk").read_text()
    for command in re.findall(r"shell:\n((?: +\".*\"\n)+)", text):
        words = "".join(re.findall(r'"(.*)"', command)).split()
        assert words[:3] == ["python", "-m", f"linear_probing.{stage}"]
        assert all(re.fullmatch(r"--[a-z]+|\{[a-z._]+(:q)?\}|2>", word) for word in words[3:]), words


@pytest.mark.parametrize(
    "module", ["figures", "report", "paper", "artefacts", "statistics", "jobs", "verification", "pruning", "plan"]
)
def test_what_needs_no_model_imports_no_model_library(module):
    heavy = "{'torch', 'nnsight', 'transformers'}"
    code = f"import sys, linear_probing.{module}; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_nnsight_is_imported_in_one_place(root):
    found = [p.name for p in (root / "src").rglob("*.py") if "nnsight" in {n.split(".")[0] for n in top_level(p)}]
    assert found == ["reading.py"]


def top_level(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_bookkeeping_computes_no_number(root):
    """What no digest counts must not import what numbers are made with."""
    for name in provenance.BOOKKEEPING:
        found = {module.split(".")[0] for module in top_level(root / "src" / "linear_probing" / f"{name}.py")}
        assert not found & {"numpy", "pandas", "scipy", "sklearn", "torch", "transformers", "nnsight", "safetensors"}


def test_another_checkouts_package_is_refused(tmp_path):
    artefacts.check_checkout(tmp_path)
    (tmp_path / "src" / "linear_probing").mkdir(parents=True)
    with pytest.raises(StudyError, match=r"(?s)would not run, but that of.*do:     run `make setup` here"):
        artefacts.check_checkout(tmp_path)
