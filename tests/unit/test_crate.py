"""A study's provenance: what its records say is in the document, each thing once, with nothing else and no clock."""

import json
import shutil

import pytest

from linear_probing import crate, history
from linear_probing.records import RecordError

A, B, C = "a" * 64, "b" * 64, "c" * 64
TABLES = "results/datasets/place-0000000001"
TOKENS = "results/tokens/one/place-0000000002"
STATES = "results/activations/one/place-0000000003"
PROBES = "results/probes/one/place-0000000004"
TEXT = "results/probes/text/place-0000000005"
TRANSFER = "results/transfer/one/tasks-0000000008"
STATISTICS, FIGURES = "results/studies/small/statistics", "results/studies/small/figures"
MADE_OF = {
    TABLES: {"sources": {"data/lexicons/cities.csv": A}, "seed": 3, "name": "place"},
    TOKENS: {"tables": "0000000001", "tokenizer": {"tokenizer.json": B}},
    STATES: {"tokens": "0000000002", "weights": {"model.safetensors": C}, "dtype": "float32", "twin": None},
    PROBES: {"features": "0000000003", "seed": 3, "penalties": {"ridge": [1.0, 2.0]}, "tasks": [{"name": "a.b"}]},
    TEXT: {"features": "0000000001", "seed": 3},
    STATISTICS: {"probes": [PROBES, TEXT], "transfer": [TRANSFER], "seed": 3},
    FIGURES: {"statistics": "0000000006"},
    TRANSFER: {"tables": ["0000000001"], "features": ["0000000003"], "probes": ["0000000004"]},
}
RUN = {
    "command": ["python", "-m", "linear_probing.x", "--config", "a b.yaml"],
    "started": "2026-11-24T23:30:00+00:00",
    "files": {},
    "seconds": 61.5,
    "peak_memory_gb": 0.25,
    "dtype": None,
    "device": "cpu",
    "git": {"commit": "f" * 40, "dirty": False},
    "packages": {"numpy": "2.3.1", "torch": "2.13.0"},
    "parity": [{"layer": 0, "relative": 1e-7}],
}


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def record(root, folder, digest, made_of, file="record.json", run=RUN):
    stage = folder.split("/")[3 if "studies" in folder else 1]
    held = f"{file.removesuffix('.json')}.safetensors" if stage == "activations" else "out.csv"
    put(
        root / folder / file,
        {
            "stage": stage,
            "digest": digest,
            "made_of": made_of,
            "code": {f"linear_probing.{stage}": A, "linear_probing.stage": B},
            "pins": {"numpy": ["2.3.1"]},
            "files": {held: {"sha256": C, "bytes": 12}},
        },
    )
    if run is not None:
        name = f"{folder}/{file}" if stage == "activations" else f"{folder}.json"
        put(root / "results" / "runs" / name.removeprefix("results/"), {"digest": digest, "artefact": folder, **run})


@pytest.fixture
def manifest():
    return {
        "study": "small",
        "configuration": "config/small.yaml",
        "datasets": [TABLES],
        "tokens": [TOKENS],
        "downloads": [],
        "activations": [STATES],
        "probes": [PROBES, TEXT],
        "transfer": [TRANSFER],
        "interventions": [],
        "statistics": "0000000006",
        "figures": "0000000007",
    }


@pytest.fixture
def results(tmp_path):
    for number, (folder, made_of) in enumerate(MADE_OF.items(), 1):
        digest = f"{number:010}"
        if folder == STATES:
            for shard in (0, 1):
                record(tmp_path, folder, digest, made_of, f"shard-{shard}-of-2.json")
        else:
            record(tmp_path, folder, digest, made_of, f"record-{digest}.json" if "studies" in folder else "record.json")
    return tmp_path / "results"


@pytest.fixture
def graph(manifest, results):
    return indexed(crate.gather(manifest, results))


def indexed(document):
    entities = {entity["@id"]: entity for entity in document["@graph"]}
    assert len(entities) == len(document["@graph"]), "an @id stands once"
    return entities


def ids(value):
    return [one["@id"] for one in value] if isinstance(value, list) else [value["@id"]]


def references(value):
    if isinstance(value, dict):
        yield from [value["@id"]] if set(value) == {"@id"} else references(list(value.values()))
    elif isinstance(value, list):
        for one in value:
            yield from references(one)


def properties(graph, action, key="additionalProperty"):
    found = [graph[identifier] for identifier in ids(action[key])]
    return {one["name"]: one["value"] for one in found if one["@type"] == "PropertyValue"}


def test_every_reference_is_to_an_entity_of_the_graph(graph):
    assert set(references(list(graph.values()))) <= set(graph)


def test_every_file_and_folder_is_a_part_of_the_root(graph):
    held = {key for key, one in graph.items() if {"File", "Dataset"} & set(ids_of_type(one))} - {"./"}
    assert set(ids(graph["./"]["hasPart"])) == held


def ids_of_type(entity):
    return [entity["@type"]] if isinstance(entity["@type"], str) else entity["@type"]


@pytest.mark.parametrize(
    ("job", "read", "wrote"),
    [
        (TABLES, {"data/lexicons/cities.csv"}, TABLES),
        (TOKENS, {f"{TABLES}/", "#tokenizer/tokenizer.json-bbbbbbbbbb"}, TOKENS),
        (f"{STATES}/shard-0-of-2", {f"{TOKENS}/", "#weights/model.safetensors-cccccccccc"}, STATES),
        (f"{STATES}/shard-1-of-2", {f"{TOKENS}/", "#weights/model.safetensors-cccccccccc"}, STATES),
        (PROBES, {f"{TABLES}/", f"{STATES}/"}, PROBES),
        (TEXT, {f"{TABLES}/"}, TEXT),
        (TRANSFER, {f"{TABLES}/", f"{STATES}/", f"{PROBES}/"}, TRANSFER),
        (STATISTICS, {f"{TABLES}/", f"{PROBES}/", f"{TEXT}/", f"{TRANSFER}/"}, STATISTICS),
        (FIGURES, {f"{STATISTICS}/"}, FIGURES),
    ],
)
def test_a_job_is_linked_to_what_it_read_and_wrote(graph, job, read, wrote):
    action = graph[f"#job/{job}"]
    stage = graph[action["instrument"]["@id"]]["name"].removeprefix("linear_probing.")
    things = {one for one in ids(action["object"]) if graph[one]["@type"] != "PropertyValue"}
    assert things == read | {"config/small.yaml"}
    assert f"{wrote}/" in ids(action["result"])
    step = graph[f"#step-{stage}/{job}"]
    assert (step["object"]["@id"], step["instrument"]["@id"]) == (f"#job/{job}", f"#step-{stage}")
    assert graph[f"#step-{stage}"]["workExample"] == action["instrument"]


def test_files_have_their_digest_and_size_and_shards_share_a_folder(graph):
    file = graph[f"{PROBES}/out.csv"]
    assert (file["sha256"], file["contentSize"]) == (C, "12")
    shards = [f"{STATES}/shard-{number}-of-2.safetensors" for number in (0, 1)]
    assert ids(graph[f"{STATES}/"]["hasPart"]) == shards
    assert ids(graph[f"#job/{STATES}/shard-1-of-2"]["result"]) == [f"{STATES}/", shards[1]]


def test_what_no_term_says_is_a_property(graph):
    probes, states = graph[f"#job/{PROBES}"], graph[f"#job/{STATES}/shard-0-of-2"]
    given, about = properties(graph, probes, "object"), properties(graph, probes)
    assert given["seed"] == 3
    assert given["tasks"] == '[{"name": "a.b"}]'
    assert [graph[one]["value"] for one in ids(given["penalties"])] == [[1.0, 2.0]]
    assert (about["digest"], about["device"]) == ("0000000004", "cpu")
    assert {graph[one]["name"]: graph[one]["value"] for one in ids(about["git"])} == RUN["git"]
    assert {graph[one]["name"]: graph[one]["value"] for one in ids(about["packages"])} == RUN["packages"]
    assert "dtype" not in about, "null says nothing"
    assert properties(graph, states, "object")["dtype"] == "float32"
    assert properties(graph, states, "resourceUsage") == {"seconds": 61.5, "peak_memory_gb": 0.25}


def test_times_are_those_of_the_run_records(graph):
    for action in (graph[f"#job/{PROBES}"], graph["#run"]):
        assert action["startTime"] == "2026-11-24T23:30:00.000+00:00"
        assert action["endTime"] == "2026-11-24T23:31:01.500+00:00"
    assert graph["./"]["datePublished"] == "2026-11-24T23:31:01.500+00:00"
    assert graph[f"#job/{PROBES}"]["description"] == "python -m linear_probing.x --config 'a b.yaml'"


def test_equal_records_give_equal_bytes_in_any_order(manifest, results):
    first = crate.write(manifest, results).read_bytes()
    path = crate.write({**manifest, "probes": [TEXT, PROBES]}, results)
    assert path == results / "studies" / "small" / "provenance.json"
    assert path.read_bytes() == first


def test_a_job_without_a_run_record_stands_there_without_times(manifest, results, root):
    (results / "runs" / "probes" / "text" / "place-0000000005.json").unlink()
    graph = indexed(crate.gather(manifest, results))
    assert "endTime" not in graph[f"#job/{TEXT}"]
    assert "endTime" not in graph["#run"], "the end of all is not known"
    assert graph[f"#job/{PROBES}"]["endTime"] == graph["./"]["datePublished"]
    shutil.rmtree(results / "runs")
    graph = indexed(crate.gather(manifest, results))
    assert set(references(list(graph.values()))) <= set(graph)
    assert f"date-released: {graph['./']['datePublished']}\n" in (root / "CITATION.cff").read_text()


def test_the_record_of_an_older_run_is_not_taken(manifest, results):
    put(results / "runs" / "studies" / "small" / "figures.json", {**RUN, "digest": "0000000099"})
    assert "endTime" not in indexed(crate.gather(manifest, results))[f"#job/{FIGURES}"]


def test_of_artefacts_of_one_digest_the_own_model_s_is_taken(manifest, results):
    tokens, states = TOKENS.replace("one", "a"), STATES.replace("one", "a")
    record(results.parent, tokens, "0000000002", MADE_OF[TOKENS])
    record(results.parent, states, "0000000003", MADE_OF[STATES], "shard-0-of-1.json")
    manifest |= {"tokens": [TOKENS, tokens], "activations": [STATES, states]}
    read = history.read(manifest, results)
    found = {job.name: inputs for job, inputs in zip(read, history.upstream(read), strict=True)}
    assert found[f"{states}/shard-0-of-1"] == [tokens]
    assert found[f"{STATES}/shard-0-of-2"] == [TOKENS]
    assert found[PROBES] == [STATES, TABLES]


def test_a_configuration_outside_of_the_repository_is_named_without_its_folder(manifest, results):
    document = crate.gather({**manifest, "configuration": "/somewhere/else/own.yaml"}, results)
    assert "#configuration/own.yaml" in indexed(document)
    assert "/somewhere" not in json.dumps(document)


def test_a_missing_record_and_an_unknown_input_are_refused(manifest, results):
    with pytest.raises(RecordError, match=r"(?s)features 0000000003, which the study does not have.*do:     run snake"):
        crate.gather({**manifest, "activations": []}, results)
    for folder, pattern in ((PROBES, "record.json"), (STATES, "shard-*")):
        for path in (results.parent / folder).glob(pattern):
            path.unlink()
        with pytest.raises(RecordError, match=rf"(?s){folder} has no record.*do:     run snakemake again"):
            crate.gather(manifest, results)


@pytest.mark.parametrize("stage", ["report", "paper"])
def test_what_was_made_on_demand_is_told_where_it_is_of_the_studys_tables(manifest, results, stage):
    made_of = {"statistics": "0000000006"}
    record(results.parent, f"results/studies/small/{stage}", "0000000008", made_of, "record-0000000008.json")
    other = indexed(crate.gather({**manifest, stage: "0000000009"}, results))
    assert not any(stage in name for name in other)
    told = indexed(crate.gather({**manifest, stage: "0000000008"}, results))
    assert f"results/studies/small/{stage}/" in told
