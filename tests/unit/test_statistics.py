"""Statistics: what sums a study up."""

import json

import numpy as np
import pandas as pd
import pytest

from linear_probing import settings, statistics

COLUMNS = ["model", "task", "part", "split", "layer", "estimate", "lower", "upper", "text_baseline", "control"]
ROWS = [
    ("atlas", "cities.truth", "all", "group", 3, 0.99, 0.98, 1.0, 0.3, 0.6),
    ("atlas", "cities.truth", "unseen", "group", 6, 0.987654, 0.95, 0.99999, 0.35, 0.7),
    ("atlas", "cities.truth", "unseen", "types", 6, 0.9, 0.8, 1.0, 0.2, 0.7),
    ("atlas", "word_class.word_class", "all", "group", 3, 0.8, np.nan, np.nan, 0.1, np.nan),
    ("atlas-random", "cities.truth", "all", "group", 0, 0.6, 0.5, 0.7, 0.3, 0.5),
    ("atlas-random", "cities.truth", "unseen", "group", 0, 0.5, 0.4, 0.6, 0.35, 0.5),
    ("atlas-random", "word_class.word_class", "all", "group", 0, 0.2, 0.1, 0.3, 0.1, np.nan),
]


PROBE_KEYS = ["model", "task", "part", "split", "layer", "probe", "estimate"]
PROBES = [
    ("atlas", "cities.truth", "unseen", "group", 6, "mlp", 0.99123),
    ("atlas", "cities.truth", "unseen", "group", 3, "mlp", 0.7),
    ("atlas", "cities.truth", "unseen", "group", 6, "lda", 0.8),
]
SIGNIFICANT = [
    ("atlas", "cities.truth", "headline", 0.001998),
    ("atlas", "cities.truth", "all", 0.5),
    ("atlas-random", "cities.truth", "headline", 0.4),
]


@pytest.fixture
def best():
    return pd.DataFrame(ROWS, columns=COLUMNS)


def summaries(study, best):
    significance = pd.DataFrame(SIGNIFICANT, columns=["model", "task", "family", "p_holm"])
    return statistics.summaries(study, best, pd.DataFrame(PROBES, columns=PROBE_KEYS), significance)


def test_a_task_is_summed_up_on_what_was_not_seen_where_there_is_such_a_part(tiny, best):
    assert summaries(tiny, best) == {
        "atlas/cities.truth.json": {
            "control": 0.7,
            "estimate": 0.9877,
            "mlp": 0.9912,
            "p_holm": 0.002,
            "random_weights": 0.5,
            "text_baseline": 0.35,
            "interval": {"lower": 0.95, "upper": 1.0},
            "layer": 6,
        },
        "atlas/word_class.word_class.json": {
            "estimate": 0.8,
            "random_weights": 0.2,
            "text_baseline": 0.1,
            "interval": {},
            "layer": 3,
        },
    }


def test_a_model_without_a_twin_has_a_summary_without_its_number(root, tiny_content, best):
    del tiny_content["models"]["atlas-random"]
    study = settings.parse(tiny_content, root / "config" / "tiny.yaml")
    found = summaries(study, best[best["model"] == "atlas"])
    assert all("random_weights" not in numbers for numbers in found.values())


def test_a_summary_is_a_file_a_task(tiny, best, tmp_path):
    statistics.write_summaries(tmp_path, summaries(tiny, best))
    files = {path.stem: path for path in (tmp_path / "summary" / "atlas").iterdir()}
    assert files.keys() == {"cities.truth", "word_class.word_class"}
    one = json.loads(files["cities.truth"].read_text())
    assert one["layer"] == 6
    assert json.loads((tmp_path / "summary.json").read_text())["atlas"]["cities.truth"] == one
