"""Jobs: what a study asks for, which of it is there, and what nobody makes again."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from linear_probing import artefacts, jobs, settings
from linear_probing.language_model import Model, Shape
from linear_probing.settings import SettingsError
from linear_probing.stage import StudyError


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
    del tiny_content["interventions"]
    paths = artefacts.Artefacts(settings.parse(tiny_content, root / "config" / "tiny.yaml"))
    assert paths.inputs[paths.transfer["atlas"]] == []


def test_interventions_read_their_data_set_and_where_the_loss_is_measured(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = jobs.Jobs(tiny)
    assert list(asked.interventions) == [("atlas", "larger_than"), ("atlas-random", "larger_than")]
    folder = asked.interventions["atlas", "larger_than"]
    wildcards = SimpleNamespace(model="atlas", dataset="larger_than", digest=folder.rpartition("-")[2])
    found = [*asked.tables_of_interventions(wildcards), *asked.tokens_of_interventions(wildcards)]
    found += [*asked.states_of_interventions(wildcards), *asked.probes_of_interventions(wildcards)]
    assert [str(Path(path).parent) for path in found] == asked.inputs[folder]
    assert folder in asked.inputs[asked.statistics]
    assert asked.edited("larger_than") == ("larger_than", "word_class")
    with pytest.raises(SettingsError, match="the digest 0123456789 is not that of today's"):
        asked.tables_of_interventions(SimpleNamespace(model="atlas", dataset="larger_than", digest="0123456789"))


def test_a_study_may_intervene_on_nothing_and_leave_twins_out(tiny_content, root):
    path = root / "config" / "tiny.yaml"
    tiny_content["interventions"]["twins"] = False
    assert list(artefacts.Artefacts(settings.parse(tiny_content, path)).interventions) == [("atlas", "larger_than")]
    del tiny_content["interventions"]
    assert artefacts.Artefacts(settings.parse(tiny_content, path)).interventions == {}


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


@pytest.mark.parametrize(("device", "gpus", "expected"), [("cpu", {}, 0), ("auto", {}, 1), ("auto", {"gpus": 2}, 2)])
def test_a_job_asks_for_the_gpus_that_its_model_is_spread_over(tiny_content, root, device, gpus, expected):
    tiny_content["models"]["atlas"].update(device=device, **gpus)
    study = settings.parse(tiny_content, root / "config" / "tiny.yaml")
    assert {job.gpus for job in jobs.Jobs(study).extractions()} == {expected}, "the twin's too"


def test_what_a_job_asks_for_doubles_with_each_attempt():
    amounts = [jobs.growing(1000, per_thread=500)(None, threads=2, attempt=attempt) for attempt in (1, 2, 3)]
    assert amounts == [2000, 4000, 8000]
    assert jobs.growing(10)(None, threads=4, attempt=1) == 10


def test_an_extraction_asks_for_memory_by_its_models_weights(tiny, tmp_path):
    weights = sum(path.stat().st_size for path in tiny.model("atlas").folder.glob("*.safetensors"))
    assert jobs.memory_mb(tiny.model("atlas")) == pytest.approx(1500 + 2 * weights / 1e6, abs=1)
    fetched = Model("large", tmp_path, "bfloat16", shape=Shape(32, 4096, 131_072, 7_500_000_000))
    assert jobs.memory_mb(fetched) == 31_500


def test_the_profile_for_slurm_is_the_default_one_but_for_what_a_cluster_needs(root):
    """It is read instead of the default: what that says for good reasons stands there as well."""
    default = yaml.safe_load((root / "profiles" / "default" / "config.yaml").read_text())
    slurm = yaml.safe_load((root / "workflow" / "profiles" / "slurm" / "config.yaml").read_text())
    assert {key for key in default if slurm.get(key) != default[key]} == {"resources"}
    assert slurm["executor"] == "slurm"
    groups = {pair.split("=")[0] for pair in slurm["group-components"]}
    rules = "".join(path.read_text() for path in (root / "workflow" / "rules").glob("*.smk"))
    assert groups == set(re.findall(r'group:\n +"(\w+)"', rules))


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
