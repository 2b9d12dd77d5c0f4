"""Records, verification, pruning and explanation on a whole small study whose files are stand-ins of a few bytes."""

import json
import shutil
from pathlib import Path

import pytest

from linear_probing import (
    artefacts,
    explanation,
    provenance,
    pruning,
    records,
    replacing,
    settings,
    verification,
)
from linear_probing.artefacts import Artefacts
from linear_probing.jobs import Jobs
from linear_probing.pruning import PruningError
from linear_probing.records import RecordError
from linear_probing.settings import SettingsError
from linear_probing.stage import sha256

FILE = "data.csv"


def fill(study):
    """Write every artefact of a study as its stages would: a file, and a record that lists it."""
    paths = Artefacts(study)
    for place, made in paths.made.items():
        folder = Path(place)
        folder.mkdir(parents=True, exist_ok=True)
        names = [FILE]
        if made.stage == "activations":
            model = next(model for model in study.models if model.name == folder.parent.name)
            names = [model.shard_name(shard) for shard in range(model.shards)]
        for name in names:
            (folder / name).write_text(place)
        if made.stage == "activations":
            for name in names:
                records.write((folder / name).with_suffix(".json"), made, [folder / name])
        else:
            records.write(Path(paths.record(place)), made, [folder / FILE])
    paths.write_manifest()
    Path(paths.figures).with_name("provenance.json").write_text(f'"{paths.made[paths.figures].digest}"')
    return paths


@pytest.fixture
def study(tiny_content, root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny_content["models"]["atlas"]["shards"] = 2
    path = tmp_path / "config" / "tiny.yaml"
    path.parent.mkdir()
    path.write_text(json.dumps(tiny_content))
    return settings.load(path)


@pytest.fixture
def built(study):
    return fill(study)


def inputs_of(paths, place):
    return [Path(path) for path in paths.inputs[place]]


def change(study, edit):
    """Return the study as it is after an edit of its configuration file."""
    content = json.loads(study.file.read_text())
    edit(content)
    study.file.write_text(json.dumps(content))
    return settings.load(study.file)


def found():
    return {(one.kind, one.path) for one in verification.verify()[0]}


def test_what_was_written_is_in_order(built):
    findings, n_folders = verification.verify()
    assert findings == []
    assert n_folders == len(built.made) == 36


def test_a_study_is_whole_without_report_and_paper_but_not_without_figures(built):
    for stage in artefacts.ON_DEMAND:
        shutil.rmtree(getattr(built, stage))
    assert found() == set()
    shutil.rmtree(built.figures)
    assert ("missing", built.figures) in found()


@pytest.mark.parametrize("stage", ["tables", "tokens", "activations", "probes"])
def test_one_flipped_byte_is_found_and_named(built, stage):
    folder = next(iter(getattr(built, stage).values()))
    path = next(path for path in sorted(Path(folder).iterdir()) if path.suffix != ".json")
    content = bytearray(path.read_bytes())
    content[3] ^= 1
    path.write_bytes(content)
    assert found() == {("damaged", path.as_posix())}
    with pytest.raises(RecordError, match=f"{path.name} is not what was written"):
        records.check(Path(folder))


@pytest.mark.parametrize("last", ["statistics", "figures"])
def test_a_table_that_was_edited_is_found_and_kept(built, study, last):
    path = Path(getattr(built, last), FILE)
    path.write_text("my own numbers")
    assert found() == {("damaged", path.as_posix())}
    with (
        pytest.raises(RecordError, match=r"(?s)data.csv was edited and would be lost.*do:     move it"),
        records.making(study, last, path.parent, inputs_of(built, path.parent.as_posix())),
    ):
        raise AssertionError("the work had begun")
    assert path.read_text() == "my own numbers"


def test_a_missing_file_record_shard_and_folder_are_found(built, study):
    table = Path(built.tables["place"], FILE)
    table.unlink()
    shard = Path(built.shard_record(study.model("atlas"), "cities", 1))
    shard.unlink()
    shutil.rmtree(built.tokens["atlas", "cities"])
    kinds = found()
    assert ("missing", table.as_posix()) in kinds
    assert ("missing", shard.as_posix()) in kinds
    assert ("left", shard.with_suffix(".safetensors").as_posix()) in kinds, "the next run writes the record"
    assert ("missing", built.tokens["atlas", "cities"]) in kinds
    assert len(kinds) == 4


@pytest.mark.parametrize(
    "place", ["notes.txt", "datasets/notes.txt", "studies/tiny/notes.txt", "probes/atlas/.place-0123456789.17.tmp/x"]
)
def test_a_foreign_file_is_found_wherever_it_stands(built, place):
    path = Path("results", place)
    path.parent.mkdir(exist_ok=True)
    path.touch()
    assert found() == {("foreign", path.as_posix())}


def test_a_foreign_file_in_an_artefact_is_found_and_never_replaced(built, study):
    path = Path(built.figures, "mine.pdf")
    path.touch()
    assert found() == {("foreign", path.as_posix())}
    with (
        pytest.raises(RecordError, match=r"mine.pdf was not written by this project and would be lost"),
        records.making(study, "figures", path.parent, inputs_of(built, built.figures)),
    ):
        raise AssertionError("the work had begun")
    assert path.exists()


def test_figures_are_not_drawn_from_tables_of_other_code(built, study):
    """The path of the tables has no digest: they would go by the name of today's."""
    record = Path(built.record(built.statistics))
    record.rename(record.with_name("record-0123456789.json"))
    with (
        pytest.raises(
            RecordError, match=r"(?s)tiny has no tables of today's code.*do:     snakemake --cores 2"
        ) as error,
        records.making(study, "figures", Path(built.figures), inputs_of(built, built.figures)),
    ):
        raise AssertionError("the work had begun")
    assert record.name in str(error.value)


@pytest.mark.parametrize(
    "edit", [lambda r: r["made_of"].update(seed=3), lambda r: r.update(digest="0123456789"), lambda r: r.pop("pins")]
)
def test_an_edited_record_is_found(built, edit):
    path = Path(built.record(built.tables["place"]))
    record = json.loads(path.read_text())
    edit(record)
    path.write_text(json.dumps(record))
    assert ("damaged", path.as_posix()) in found()


def test_an_artefact_under_anothers_name_is_found(built):
    one, other = built.tables["place"], built.tables["cities"]
    shutil.rmtree(one)
    shutil.copytree(other, one)
    assert ("damaged", built.record(one)) in found()


def test_what_a_changed_configuration_leaves_is_stale_and_what_it_asks_for_is_missing(built, study):
    after = Artefacts(change(study, lambda c: c["tasks"]["place.position"].update(splits=["group"])))
    ridge = [place for (_, name), place in built.probes.items() if name == "place"]
    asked = [place for (_, name), place in after.probes.items() if name == "place"]
    manifest = "results/studies/tiny/manifest.json"
    last = [getattr(built, stage) for stage in artefacts.LAST_STAGES]
    stale = {("stale", place) for place in [*ridge, *last, manifest]}
    assert found() == stale | {("missing", place) for place in asked}


def test_a_study_whose_configuration_is_gone_is_stale(built, study):
    study.file.rename("elsewhere.yaml")
    assert ("stale", "results/studies/tiny") in found()


def test_two_studies_leave_each_other_whole(built, study):
    other = settings.parse({**json.loads(study.file.read_text()), "name": "other", "n_folds": 4}, study.file)
    file = study.file.with_name("other.yaml")
    file.write_text(json.dumps({**json.loads(study.file.read_text()), "name": "other", "n_folds": 4}))
    fill(settings.load(file))
    assert found() == set()
    for one in (study, other):
        assert pruning.prune(pruning.kept(one)) == []
    assert found() == set()


def test_pruning_removes_what_nobody_asks_for_with_its_run_records(built, study):
    folder = built.activations["atlas", "place"]
    record = Path("results/runs/activations/atlas", Path(folder).name, "shard-0-of-2.json")
    record.parent.mkdir(parents=True)
    record.touch()
    after = change(study, lambda c: c["datasets"]["place"].update(n_cities=100))
    fill(after)
    removed = {path.as_posix() for path in pruning.prune(pruning.kept(after))}
    stages = (built.tables, built.tokens, built.activations, built.probes)
    assert removed == {p for paths in stages for p in paths.values() if Path(p).name.startswith("place-")}
    assert not record.parent.exists()
    assert found() == set()
    assert pruning.prune(pruning.kept(after)) == []


@pytest.mark.parametrize("spoil", ["edited", "foreign", "stranger"])
def test_pruning_removes_nothing_where_something_would_be_lost(built, study, spoil):
    folder = Path(built.tables["place"])
    path = {"edited": folder / FILE, "foreign": folder / "mine.txt", "stranger": folder.parent / "mine.txt"}[spoil]
    path.write_text("mine")
    after = change(study, lambda c: c["datasets"]["place"].update(n_cities=100))
    before = sorted(Path("results").rglob("*"))
    built_after = Artefacts(after)
    built_after.write_manifest()
    with pytest.raises(PruningError, match=r"(?s)do:     move it out of results.*nothing was removed"):
        pruning.prune(pruning.kept(after))
    assert sorted(Path("results").rglob("*")) == before


def test_all_that_the_project_wrote_can_be_removed_and_nothing_else(built):
    Path("results/README.md").touch()
    mine = Path(built.figures, "mine.pdf")
    mine.touch()
    with pytest.raises(PruningError, match=r"mine.pdf was not written by this project"):
        pruning.prune(set())
    mine.unlink()
    assert len(pruning.prune(set())) == len(built.made)
    pruning.remove_summaries()
    assert [path.name for path in Path("results").rglob("*")] == ["README.md"]


def test_pruning_waits_for_a_run_that_holds_the_results(built, study):
    Path(".snakemake/locks").mkdir(parents=True)
    Path(".snakemake/locks/0.output.lock").touch()
    with pytest.raises(PruningError, match=r"(?s)a run of snakemake holds these results.*snakemake --unlock"):
        pruning.prune(pruning.kept(study))


def test_a_job_that_was_planned_for_other_code_is_refused(built, study):
    with (
        pytest.raises(RecordError, match=r"(?s)is not what today's code and configuration make.*run snakemake again"),
        records.making(study, "probes", Path("results/probes/atlas/place-0123456789"), []),
    ):
        raise AssertionError("the work had begun")
    assert not Path("results/probes/atlas/place-0123456789").exists()


def test_a_package_that_is_not_the_locked_one_is_refused(built, study, monkeypatch):
    installed = records._version
    monkeypatch.setattr(records, "_version", lambda name: "0.0.1" if name == "scikit-learn" else installed(name))
    place, statistics = Path(built.probes["atlas", "place"]), Path(built.statistics)
    with pytest.raises(RecordError, match=r"(?s)scikit-learn 0\.0\.1; expected .* as locked.*do:     make setup"):
        records.today(study, "probes", place, [Path(path) for path in built.inputs[place.as_posix()]])
    inputs = [Path(path) for path in built.inputs[built.statistics]]
    assert records.today(study, "statistics", statistics, inputs) is not None, "statistics do not use it"


def test_results_may_be_a_link_to_another_disk(study, tmp_path):
    (tmp_path / "disk").mkdir()
    Path("results").symlink_to(tmp_path / "disk")
    built = fill(study)
    with records.making(study, "statistics", Path(built.statistics), inputs_of(built, built.statistics)) as folder:
        (folder / FILE).touch()
    assert found() == set()
    assert Path("results/runs/studies/tiny/statistics.json").is_file()
    (tmp_path / "disk" / "notes.txt").touch()
    assert found() == {("foreign", "results/notes.txt")}


def test_an_output_by_hand_has_no_record(study, tmp_path):
    with records.making(study, "statistics", tmp_path / "mine", []) as folder:
        (folder / FILE).touch()
    assert [path.name for path in (tmp_path / "mine").iterdir()] == [FILE]
    assert not Path("results").exists()


def test_the_record_of_a_run_says_where_and_how_it_went(built, study):
    inputs = inputs_of(built, built.statistics)
    with records.making(study, "statistics", Path(built.statistics), inputs, threads=2) as folder:
        (folder / FILE).write_text("new")
    run = json.loads(Path("results/runs/studies/tiny/statistics.json").read_text())
    assert run["digest"] == built.made[built.statistics].digest
    assert (run["threads"], run["bytes"], run["device"]) == (2, 3, "cpu")
    assert run["packages"].keys() == {"numpy", "pandas", "scipy"}
    assert run["git"].keys() == {"commit", "dirty"}
    assert run["configuration"]["file"] == "config/tiny.yaml"
    assert run["seconds"] >= 0
    assert run["peak_memory_gb"] > 0
    record = Path(built.record(built.statistics)).read_text()
    assert not any(word in record for word in ("seconds", "platform", "started", "commit"))


def test_equal_content_has_an_equal_digest_in_a_record(built):
    for place, made in built.made.items():
        for path in records.find(Path(place)):
            record = records.read(path)
            assert provenance.digest_of_record(record) == record["digest"] == made.digest


def test_an_explanation_says_what_a_digest_is_made_of(built, study):
    place = built.probes["atlas", "place"]
    text = "\n".join(explanation.explain(place, explanation.known()))
    assert f"features: {built.activations['atlas', 'place']}" in text
    assert "penalties.ridge: 100.0" in text
    assert "tasks.place.position.splits: group, country, types" in text
    assert "linear_probing.probing.protocol" in text
    assert "scikit-learn" in text
    assert text.endswith(f"It is what today's code and {study.file.name and artefacts.shown(study.file)} ask for.")


def test_an_explanation_follows_a_difference_to_its_beginning(built, study):
    after = Artefacts(change(study, lambda c: c["datasets"]["cities"].update(n_false=2)))
    text = "\n".join(explanation.explain(built.probes["atlas", "cities"], explanation.known()))
    assert f"ask for {after.probes['atlas', 'cities']} instead" in text
    assert text.endswith("given: n_false is 3 in the first, 2 in the second")
    assert "No study asks" not in text


def test_two_artefacts_differ_in_what_is_said(built):
    known = explanation.known()
    twins = (built.activations[name, "place"] for name in ("atlas", "atlas-random"))
    lines = explanation.differences(*twins, known)
    assert "given: twin is None in the first, 0 in the second" in lines
    assert any(line.startswith("given: weights.model.safetensors is ") for line in lines)
    assert len(lines) == 2
    assert explanation.differences(built.figures, built.figures, known) == ["nothing: the digests are the same"]


def test_an_unknown_artefact_is_an_error(built):
    with pytest.raises(explanation.StudyError, match=r"is no artefact that is recorded or asked for"):
        explanation.place_of(Path("results/nothing"), explanation.known())


def test_a_folder_of_yours_is_not_replaced_by_a_stage_run_by_hand(study, tmp_path):
    mine = tmp_path / "mine" / "thesis.tex"
    mine.parent.mkdir()
    mine.touch()
    with (
        pytest.raises(RecordError, match=r"thesis.tex was not written by this project and would be lost"),
        records.making(study, "statistics", mine.parent, []),
    ):
        raise AssertionError("the work had begun")
    assert mine.exists()


@pytest.mark.parametrize(("status", "dirty"), [("", False), (" M a.py", True), ("?? builders/new.py", True)])
def test_the_record_of_a_run_says_whether_the_tree_was_dirty(monkeypatch, status, dirty):
    said = {"rev-parse --show-toplevel": str(provenance.ROOT), "rev-parse HEAD": "abc", "status --porcelain": status}
    monkeypatch.setattr(records, "_git", lambda *arguments: said[" ".join(arguments)])
    assert records.git_state() == {"commit": "abc", "dirty": dirty}


def test_a_renamed_configuration_is_in_order_after_a_run_that_has_nothing_to_do(built, study):
    file = study.file.rename(study.file.with_name("renamed.yaml"))
    assert ("stale", "results/studies/tiny") in found()
    renamed = Jobs(settings.load(file))
    renamed.claim(dry=True)
    assert ("stale", "results/studies/tiny") in found()
    renamed.claim(dry=False)
    assert found() == set()


def test_a_lost_manifest_stops_pruning_and_comes_back_with_a_run_that_has_nothing_to_do(built, study, root):
    Path(built.figures).with_name("manifest.json").unlink()
    default = settings.load(root / "config" / "study.yaml")
    with pytest.raises(PruningError, match=r"(?s)results/studies/tiny has no manifest.json.*run snakemake"):
        pruning.kept(default)
    Jobs(study).claim(dry=False)
    assert set(built.probes.values()) <= pruning.kept(default)
    assert found() == set()


def test_a_manifest_that_names_too_little_is_stale(built):
    path = Path(built.figures).with_name("manifest.json")
    path.write_text(json.dumps({**built.manifest, "probes": []}))
    assert found() == {("stale", path.as_posix())}


def test_two_configurations_of_one_name_are_refused(built, study):
    other = study.file.with_name("other.yaml")
    other.write_text(study.file.read_text())
    with pytest.raises(SettingsError, match=r"(?s)the results of the study tiny are those of .*give it a `name`"):
        Jobs(settings.load(other)).claim(dry=True)


def test_another_models_states_are_refused_as_input(built, study):
    inputs = [Path(built.tables["place"]), Path(built.activations["atlas-random", "place"])]
    with (
        pytest.raises(RecordError, match=r"(?s)is not made from results/activations/atlas-random/place.*do:     name "),
        records.making(study, "probes", Path(built.probes["atlas", "place"]), inputs),
    ):
        raise AssertionError("the work had begun")


@pytest.mark.parametrize("place", ["datasets/link", "studies/tiny/figures/link", "link"])
def test_a_link_is_foreign_and_not_followed(built, tmp_path, place):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").touch()
    path = Path("results", place)
    path.symlink_to(tmp_path / "elsewhere")
    assert found() == {("foreign", path.as_posix())}
    if "figures" in place:
        with pytest.raises(RecordError, match="link was not written by this project"):
            records.check_replaceable(path.parent)


def test_an_order_alone_is_said_to_differ(built, study):
    after = change(study, lambda c: c.update(tasks=dict(reversed(c["tasks"].items()))))
    text = "\n".join(explanation.explain(built.statistics, explanation.known()))
    assert Artefacts(after).made[built.statistics].digest != built.made[built.statistics].digest
    assert "given: tasks is" in text


@pytest.mark.parametrize("files", [["x"], {"data.csv": 5}, {"data.csv": {}}])
def test_a_record_of_another_shape_is_damaged(built, files):
    path = Path(built.record(built.tables["place"]))
    path.write_text(json.dumps({**json.loads(path.read_text()), "files": files}))
    assert ("damaged", path.as_posix()) in found()


def test_a_configuration_that_became_wrong_is_one_finding_of_many(built, study):
    study.file.write_text("name: [")
    Path("results/notes.txt").touch()
    assert {("stale", "results/studies/tiny"), ("foreign", "results/notes.txt")} <= found()


def test_a_cut_record_is_found_and_the_others_are_explained(built):
    path = Path(built.record(built.tables["cities"]))
    path.write_text(path.read_text()[:40])
    assert ("damaged", path.as_posix()) in found()
    known = explanation.known()
    assert explanation.describe(built.tables["place"], known)
    assert "it is not there yet" in explanation.describe(built.tables["cities"], known)[-1]


def test_an_explanation_lists_the_files_of_all_shards(built):
    last = explanation.describe(built.activations["atlas", "place"], explanation.known())[-1]
    assert "shard-0-of-2.safetensors" in last
    assert "shard-1-of-2.safetensors" in last


@pytest.mark.parametrize(("content", "kind"), [(None, "missing"), ('"0123456789"', "stale")])
def test_a_history_that_is_missing_or_of_other_figures_is_found(built, content, kind):
    path = Path(built.figures).with_name("provenance.json")
    path.unlink() if content is None else path.write_text(content)
    assert found() == {(kind, path.as_posix())}


def test_what_a_killed_job_left_is_named_and_pruned_and_what_may_live_stops_the_pruning(built):
    own = Path(built.probes["atlas", "place"]).parent / f".place-0123456789.{replacing.host()}.17.0123abcd.tmp"
    other = own.with_name(".place-0123456789.elsewhere.17.0123abcd.tmp")
    for folder in (own, other):
        (folder / "place-0123456789").mkdir(parents=True)
        (folder / "place-0123456789" / FILE).touch()
    assert found() == {("left", own.as_posix()), ("left", other.as_posix())}
    with pytest.raises(PruningError, match=r"(?s)process 17 of elsewhere.*do:     wait for it; if no job of this"):
        pruning.prune(set(built.made))
    assert found() == {("left", other.as_posix())}
    shutil.rmtree(other)
    assert pruning.prune(set(built.made)) == []
    assert found() == set()


def test_a_shard_whose_job_was_killed_before_its_record_is_known_by_the_record_of_its_making(built, study):
    record = Path(built.shard_record(study.model("atlas"), "cities", 1))
    shard, made = record.with_suffix(".safetensors"), built.made[record.parent.as_posix()]
    record.unlink()
    records.check_replaceable(shard.parent, shard.name)
    assert ("left", shard.as_posix()) in found(), "killed before the record of its making"
    records.write_run(shard, made, 0.0, {shard.name: sha256(shard)})
    assert ("left", shard.as_posix()) in found()
    stay = set(built.made) - {record.parent.as_posix()}
    assert pruning.prune(stay) == [record.parent], "it can be removed once no study asks for it"
    assert not shard.exists()


@pytest.mark.parametrize("made_known", [False, True])
def test_pruning_never_advises_to_delete_a_shard_that_only_lacks_its_record(built, study, made_known):
    record = Path(built.shard_record(study.model("atlas"), "cities", 1))
    shard = record.with_suffix(".safetensors")
    record.unlink()
    if made_known:
        records.write_run(shard, built.made[record.parent.as_posix()], 0.0, {shard.name: sha256(shard)})
    with pytest.raises(PruningError, match=r"(?s)shard-1-of-2\.safetensors has no record yet.*do:     run snakemake"):
        pruning.prune(pruning.kept(study))
    assert shard.exists()
    (shard.parent / "notes.txt").touch()
    with pytest.raises(PruningError, match=r"notes\.txt was not written by this project"):
        pruning.prune(pruning.kept(study))


def test_a_shard_that_no_study_asks_for_is_not_known_without_a_record_of_its_making(built, study):
    record = Path(built.shard_record(study.model("atlas"), "cities", 1))
    record.unlink()
    with pytest.raises(PruningError, match=r"shard-1-of-2\.safetensors was not written by this project"):
        pruning.prune(set(built.made) - {record.parent.as_posix()})


def test_a_file_that_arrives_while_a_stage_works_is_not_replaced(built, study):
    place = Path(built.figures)
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    with (
        pytest.raises(RecordError, match=r"(?s)mine\.svg was not written .*do:     move it to another place, and run"),
        records.making(study, "figures", place, inputs_of(built, built.figures)) as folder,
    ):
        (folder / FILE).write_text("drawn")
        (place / "mine.svg").write_text("three hours")
    assert {path.name: path.read_bytes() for path in place.iterdir()} == {**before, "mine.svg": b"three hours"}
    assert [path.name for path in place.parent.iterdir() if path.name.startswith(".")] == []
    assert not records.run_of(place).exists()


def test_a_table_that_is_edited_while_a_stage_works_is_not_replaced(built, study):
    place = Path(built.figures)
    with (
        pytest.raises(RecordError, match=r"data\.csv was edited and would be lost"),
        records.making(study, "figures", place, inputs_of(built, built.figures)) as folder,
    ):
        (folder / FILE).write_text("drawn")
        (place / FILE).write_text("three hours")
    assert (place / FILE).read_text() == "three hours"


@pytest.mark.parametrize(
    ("artefact", "run"),
    [
        ("results/probes/results/place-0123456789", "results/runs/probes/results/place-0123456789.json"),
        ("results/studies/results/figures", "results/runs/studies/results/figures.json"),
        (
            "/a/results/study/results/activations/results/place-0123456789/shard-0-of-1.safetensors",
            "/a/results/study/results/runs/activations/results/place-0123456789/shard-0-of-1.json",
        ),
    ],
)
def test_a_model_or_a_study_may_be_called_results(artefact, run):
    assert records.run_of(Path(artefact)) == Path(run)
    assert records.run_of(Path(artefact).absolute()) == Path(run), "as short as it can be named"


def test_runs_of_a_model_called_results_are_the_projects_own_and_pruned(tiny_content, study):
    tiny_content["models"]["results"] = {**tiny_content["models"]["atlas"], "shards": 1}
    study.file.write_text(json.dumps(tiny_content))
    named = settings.load(study.file)
    built = fill(named)
    folder = Path(built.probes["results", named.probed[0]])
    records.write_run(folder, built.made[folder.as_posix()], 0.0, {FILE: sha256(folder / FILE)})
    assert found() == set()
    assert pruning.prune(pruning.kept(named)) == []
    pruning.prune(set(built.made) - {folder.as_posix()})
    assert not Path("results/runs/probes/results", f"{folder.name}.json").exists()


def test_a_shard_with_a_record_that_was_edited_is_not_replaced(built, study):
    shard = Path(built.shard_record(study.model("atlas"), "cities", 1)).with_suffix(".safetensors")
    shard.write_text("my own")
    with pytest.raises(RecordError, match="was edited and would be lost"):
        records.check_replaceable(shard.parent, shard.name)


def test_an_extraction_of_many_data_sets_computes_the_studys_digests_once(root, monkeypatch):
    study = settings.load(root / "config" / "tiny.yaml")
    built = Artefacts(study)
    computed, compute = [], artefacts.Artefacts
    monkeypatch.setattr(artefacts, "Artefacts", lambda one: computed.append(one) or compute(one))
    monkeypatch.chdir(root)
    for folder in built.activations.values():
        made = records.today(study, "activations", Path(folder), [Path(place) for place in built.inputs[folder]])
        assert made is not None
        assert made.digest == built.made[folder].digest
    assert computed == [study]
