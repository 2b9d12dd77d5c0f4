"""Several GPUs in one box: as many extractions at once as there are, each on its own device.

The devices are two names in CUDA_VISIBLE_DEVICES; the model runs on the CPU, and holds them as it would hold GPUs.
"""

import json
from datetime import datetime, timedelta
from itertools import combinations

import pytest

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("devices")]
RULES = [f"activations_{model}_{shard}" for model in ("atlas", "atlas-random") for shard in range(4)]


def uses(folder):
    """Return, by job, its devices, when it had them and when its last file was written, from the records of runs."""
    found = {}
    for path in folder.glob("results/runs/activations/*/*/shard-*.json"):
        run = json.loads(path.read_text())
        end = datetime.fromisoformat(run["started"]) + timedelta(seconds=run["seconds"])
        key = (path.parts[-3], path.stem)
        devices, since, last = found.get(key, (run["devices"], datetime.fromisoformat(run["devices_since"]), end))
        found[key] = devices, since, max(last, end)
    return found


def test_two_extractions_run_at_once_and_never_on_one_device(bare, monkeypatch, tmp_path):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "fake-a,fake-b")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    bare.edit("config/tiny.yaml", "dtype: float32}", "dtype: float32, shards: 4}")
    asked = ("--set-resources", *(f"{rule}:gpu=1" for rule in RULES))
    done = bare.snakemake("--resources", "gpu=2", *asked, "--", "activations")
    assert done.returncode == 0, done.stderr[-3000:]
    found = uses(bare.folder)
    assert len(found) == len(RULES)
    assert all(len(devices) == 1 for devices, _, _ in found.values())
    assert {devices[0] for devices, _, _ in found.values()} == {"fake-a", "fake-b"}
    together = [
        (one, other) for one, other in combinations(found.values(), 2) if one[1] < other[2] and other[1] < one[2]
    ]
    assert together, "two ran at once"
    assert all(one[0] != other[0] for one, other in together)
