"""What DVC shows of a study: dvc.yaml names what statistics writes, and the plot's template fits its table."""

import json
import subprocess
import sys

import pytest
import yaml
from dvc_render.vega import VegaRenderer

from linear_probing.estimation.estimates import LAYERS

STATISTICS = "results/studies/${name}/statistics"


@pytest.fixture
def plot(root):
    (plots,) = yaml.safe_load((root / "dvc.yaml").read_text())["plots"]
    return plots[f"{STATISTICS}/layers.csv"]


@pytest.mark.committed
def test_the_lock_is_of_todays_code_and_data(root):
    """Else what a clone pulls is not what its code asks for, and all of it is made again."""
    done = subprocess.run([sys.executable, "-m", "dvc", "status", "--json"], cwd=root, check=True, capture_output=True)
    changed = {}
    for stage in json.loads(done.stdout).values():
        for entry in stage:
            changed |= entry.get("changed deps", {}) if isinstance(entry, dict) else {"the command": "modified"}
    sources = {name: state for name, state in changed.items() if not name.startswith("results")}
    assert not sources, "run dvc repro, and commit dvc.lock"


def test_metrics_are_the_summaries(root):
    assert yaml.safe_load((root / "dvc.yaml").read_text())["metrics"] == [f"{STATISTICS}/summary"]


def test_the_template_is_filled_and_names_columns_of_the_table(root, plot):
    row = dict.fromkeys(LAYERS, "0.5") | {"rev": "workspace"}
    renderer = VegaRenderer([row], "layers", template_dir=str(root / ".dvc" / "plots"), **plot)
    filled = json.dumps(renderer.get_filled_template())
    assert "DVC_METRIC" not in filled
    parsed = json.loads(filled)["data"]
    assert parsed["values"] == [row]
    assert set(parsed["format"]["parse"]) | {plot["x"], plot["y"]} <= set(LAYERS)


def test_a_curve_for_each_model_kind_of_score_and_revision(root, plot):
    """A line that mixed two of them would jump between curves."""
    template = json.loads((root / ".dvc" / "plots" / f"{plot['template']}.json").read_text())
    band, lines = template["spec"]["layer"]
    shared = template["spec"]["encoding"]
    assert shared["color"]["field"] == lines["encoding"]["color"]["field"] == "model"
    assert (lines["encoding"]["detail"]["field"], lines["encoding"]["strokeDash"]["field"]) == ("line", "rev")
    assert band["encoding"]["detail"]["field"] == "rev"
