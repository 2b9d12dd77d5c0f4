"""Configurations: what is refused, and that the refusal names the key, the file and what to do."""

import json
import math
import re
import time

import pytest
import yaml

from linear_probing import plain_yaml, settings
from linear_probing.settings import SettingsError


@pytest.mark.parametrize("name", ["study", "tiny"])
def test_every_configuration_of_the_project_loads(root, name):
    study = settings.load(root / "config" / f"{name}.yaml")
    assert study.probed == tuple(dataset.name for dataset in study.datasets)


def test_both_configurations_have_the_same_keys(root):
    contents = [yaml.safe_load((root / "config" / f"{name}.yaml").read_text()) for name in ("study", "tiny")]
    assert list(contents[0]) == list(contents[1])


def change(content, path, value):
    *parents, last = path
    for key in parents:
        content = content[key]
    content[last] = value


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("unknown",), 1, "'unknown'"),
        (("seed",), "zero", "seed: 'zero'"),
        (("n_folds",), 2, "n_folds: 2"),
        (("bootstrap", "confidence"), 1.5, "bootstrap.confidence"),
        (("datasets", "place", "n_citys"), 3, "n_citys"),
        (("datasets", "place", "n_cities"), 5000, "datasets.place.n_cities: 5000"),
        (("datasets", "place", "builder"), "elsewhere", "elsewhere"),
        (("models", "atlas", "dtype"), "int8", "int8"),
        (("models", "atlas", "shards"), 0, "shards"),
        (("models", "atlas", "tokens_per_batch"), 0, "tokens_per_batch"),
        (("models", "atlas", "device"), "tpu", "tpu"),
        (("models", "atlas", "gpus"), 0, "gpus"),
        (("models", "atlas", "gpus"), 2, "models.atlas.gpus: 2 with device cpu, which uses 0"),
        (("models", "atlas", "layers"), [7], "7 is not a layer of atlas"),
        (("models", "atlas", "allow"), ["everything"], "everything"),
        (("models", "atlas", "blocks"), "model layers", "model layers"),
        (("datasets", "place", "position"), "middle", "middle"),
        (("models", "atlas-random", "twin_of"), "gpt9", "twin of 'gpt9'"),
        (("layers",), [0, 7], "7 is not a layer of atlas, which has 0 (embedding) to 6"),
        (("layers",), [-1], "layers"),
        (("tasks", "nowhere.truth"), {"kind": "binary", "probe": "logistic", "splits": ["group"]}, "'nowhere'"),
        (("tasks", "cities.truth", "probe"), "ridge", "cannot score a binary label; expected logistic"),
        (("penalties", "ridge"), [-1.0], "penalties.ridge"),
        (("penalties", "ridge"), [float("nan")], "nan is not a number that a study can use"),
        (("penalties", "logistic"), [float("inf")], "inf is not a number that a study can use"),
        (("seed",), True, "seed: True"),
        (("seed",), 0.5, "seed: 0.5"),
        (("models", "text"), {"folder": "data/models/atlas", "dtype": "float32"}, "models.text: the name stands for"),
        (("datasets", "spare"), {"builder": "comparisons", "n_pairs": 60}, "datasets.spare: no task probes it"),
        (("tasks", "cities.truth", "splits"), [], "tasks.cities.truth.splits"),
        (("tasks", "cities.truth", "kind"), "ordinal", "tasks.cities.truth.kind"),
        (("models", "atlas", "folder"), "data/models/none", "no readable config.json"),
    ],
)
def test_a_wrong_configuration_is_refused(tiny_content, tmp_path, path, value, says):
    change(tiny_content, path, value)
    file = tmp_path / "wrong.yaml"
    file.write_text(yaml.safe_dump(tiny_content))
    with pytest.raises(SettingsError) as error:
        settings.load(file)
    assert says in str(error.value)
    assert "\n  file: " in str(error.value)
    assert "\n  do: " in str(error.value)


def test_a_misspelt_data_set_is_named_before_the_one_that_lost_its_task(tiny_content, root):
    tasks = tiny_content["tasks"]
    tasks["plaice.position"] = tasks.pop("place.position")
    with pytest.raises(SettingsError, match="unknown data set 'plaice'"):
        settings.parse(tiny_content, root / "config" / "tiny.yaml")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda c: c["tasks"]["cities.truth"].update(splits=["types"]),
            "cities.truth.splits: group is not among",
        ),
        (lambda c: c.update(probes={"lad": {}}), "probes.lad: unknown probe; expected mean_difference, lda, mlp, or a"),
        (
            lambda c: c.update(probes={"mlp": {"class": "sklearn.svm.SVC"}}),
            "probes.mlp: .* that of a built-in",
        ),
        (lambda c: c.update(probes={"ridge": {"class": "sklearn.svm.SVC"}}), "probes.ridge: .* a task's own probe"),
        (lambda c: c.update(learning=[0.125]), "learning: 0.125 are not different whole percents"),
    ],
)
def test_probes_and_shares_that_cannot_be_are_refused(tiny_content, root, change, says):
    change(tiny_content)
    with pytest.raises(SettingsError, match=rf"(?s){says}.*file: .*do: "):
        settings.parse(tiny_content, root / "config" / "tiny.yaml")


def test_group_stands_first_whatever_the_order(tiny_content, root):
    tiny_content["tasks"]["cities.truth"]["splits"] = ["types", "group"]
    study = settings.parse(tiny_content, root / "config" / "tiny.yaml")
    assert next(task.splits for task in study.tasks if task.name == "cities.truth") == ("group", "types")


def test_what_an_estimator_is_given_stays_as_it_is_written(tiny_content, root):
    """As max_features: 1.0 is all features, and 1 is one."""
    forest = {"class": "sklearn.ensemble.RandomForestClassifier", "parameters": {"max_features": 1.0}}
    tiny_content["probes"] = {"forest": forest}
    (spec,) = settings.parse(tiny_content, root / "config" / "tiny.yaml").probes
    assert repr(spec.parameters["max_features"]) == "1.0"


@pytest.mark.parametrize("key", ["datasets", "models", "probes"])
def test_what_has_the_name_parameters_is_read_as_any_other(key, tmp_path):
    given = {"parameters": {"n": 1.0}}
    read = plain_yaml.whole_numbers({key: {"parameters": {"n": 3.0, **given}}}, tmp_path)[key]["parameters"]
    assert repr(read["n"]) == "3"
    assert repr(read["parameters"]["n"]) == ("1.0" if key == "probes" else "1")
    with pytest.raises(SettingsError, match=rf"{key}.parameters.n: inf is not a number"):
        plain_yaml.whole_numbers({key: {"parameters": {"n": math.inf}}}, tmp_path)
    with pytest.raises(SettingsError, match=rf"{key}.parameters: the key 1 is no text"):
        plain_yaml.check({key: {"parameters": {1: 0}}}, tmp_path)


def test_whole_numbers_are_integers_however_they_are_written(tiny_content, root):
    tiny_content["datasets"]["place"]["n_cities"] = 120.0
    tiny_content["seed"] = 0.0
    study = settings.parse(tiny_content, root / "config" / "tiny.yaml")
    assert repr(study.dataset("place").parameters["n_cities"]) == "120"
    assert study == settings.load(root / "config" / "tiny.yaml")


@pytest.mark.parametrize(("content", "says"), [("a: [", "not YAML"), ("", "is not of type 'object'")])
def test_a_file_that_is_no_configuration_is_refused(tmp_path, content, says):
    file = tmp_path / "wrong.yaml"
    file.write_text(content)
    with pytest.raises(SettingsError, match=says):
        settings.load(file)


def test_a_missing_configuration_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="no configuration"):
        settings.load(tmp_path / "none.yaml")


def test_a_key_that_stands_twice_is_refused(root, tmp_path):
    file = tmp_path / "twice.yaml"
    file.write_text((root / "config" / "tiny.yaml").read_text() + "n_folds: 5\n")
    with pytest.raises(SettingsError, match="the key n_folds stands twice"):
        settings.load(file)


def test_a_twin_has_its_originals_settings(tiny_content, root):
    more = {"device": "cuda", "layers": [6, 0], "chat": True, "shards": 4, "allow": ["pickled_weights"]}
    tiny_content["models"]["atlas"].update(more)
    del tiny_content["interventions"]  # of a chat there are none
    study = settings.parse(tiny_content, root / "tiny.yaml")
    for model in study.models:
        assert (model.device, model.layers, model.chat, model.shards) == ("cuda", (0, 6), True, 4)
        assert study.layers_of(model) == (0, 6)
        assert model.shard_name(3) == "shard-3-of-4.safetensors"


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        (("tasks",), {"unknown.truth": {"answers": "names"}}, "unknown task; the configuration has place.position"),
        (("tasks",), {"place.position": {"answers": "names"}}, "answers names do not fit a position label"),
        (("tasks",), {"cities.truth": {"answers": {"nearest": 3}}}, "answers nearest do not fit a binary label"),
        (("tasks",), {"cities.truth": {"answers": {"1": [" True"]}}}, "answers of one class only"),
        (("tasks",), {"cities.truth": {"answers": "names", "pattern": " is"}}, "does not have one {}"),
        (("elsewhere",), "unknown", "unknown data set 'unknown'"),
        (("n_controls",), 7, "7 is not a multiple of 2"),
        (("strengths",), [0], "0 is less than or equal to the minimum of 0"),
        (("tasks",), {}, "should be non-empty"),
    ],
)
def test_interventions_that_cannot_be_run_are_refused(tiny_content, root, place, value, says):
    change(tiny_content, ("interventions", *place), value)
    with pytest.raises(SettingsError, match=re.escape(says)):
        settings.parse(tiny_content, root / "tiny.yaml")


def test_a_chat_and_a_mean_over_tokens_are_not_intervened_on(tiny_content, root):
    tiny_content["datasets"]["larger_than"]["position"] = "mean"
    with pytest.raises(SettingsError, match="position is mean, but an intervention changes one token"):
        settings.parse(tiny_content, root / "tiny.yaml")
    tiny_content["models"]["atlas"]["chat"] = True
    with pytest.raises(SettingsError, match="atlas puts texts into a chat template"):
        settings.parse(tiny_content, root / "tiny.yaml")


@pytest.mark.parametrize(
    ("content", "depth", "context"),
    [
        ({"n_layer": 12, "n_positions": 1024}, 12, 1024),
        ({"text_config": {"num_hidden_layers": 26, "max_position_embeddings": 8192}}, 26, 8192),
        ({"num_hidden_layers": 2}, 2, None),
    ],
)
def test_depth_and_context_are_found_under_the_architectures_names(tmp_path, content, depth, context):
    (tmp_path / "config.json").write_text(json.dumps(content))
    model = settings.Model("some", tmp_path, "float32")
    assert (model.n_layers(), model.context()) == (depth, context)


ALIASES = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join(['*' + old] * 10)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGES = "a: &a {x: 1}\n" + "".join(
    f"{new}: &{new} {{<<: [{', '.join(['*' + old] * 10)}]}}\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
CHAIN = "- &a0 {k0: 0}\n" + "".join(f"- &a{n} {{<<: *a{n - 1}, k{n}: 0}}\n" for n in range(1, 2000))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[" * 20_000, "values stand more than 30 deep"),
        ("&a [*a]", "values stand more than 30 deep"),
        (ALIASES, "more than 100,000 values"),
        (MERGES, "<<: takes one mapping"),
        ("# " * 500_001, "1,000,002 characters, expected at most 1,000,000"),
        ("seed: 2001-99-99", "a value is not of the kind that it is written as: month must be in 1..12"),
        ("seed: 0x_", "a value is not of the kind"),
        ("seed: !!int abc", "a value is not of the kind"),
        ("seed: !!bool abc", "a value is not of the kind"),
        ("seed: !!timestamp abc", "a value is not of the kind"),
        ("seed: " + "9" * 5000, "a value is not of the kind"),
        ("!!map abc", "not YAML: expected a mapping node"),
        ("!!set [a]", "not YAML: expected a mapping node"),
        ("!!python/object/apply:os.getcwd []", "not YAML: could not determine a constructor"),
        ("seed: 2001-01-01", "seed: 2001-01-01 is a date, expected text, a number"),
        ("seed: !!set {a}", "seed: {'a'} is a set"),
        ("models: {1: {}}", "models: the key 1 is no text"),
        ("probes: {a: {parameters: {weights: {1: 2, b: 3}}}}", "weights: the key 1 is no text"),
        ("seed: 0x" + "f" * 5000, "a value is not of the kind"),
        ("seed: 0x" + "f" * 50, "seed: a whole number of more than 18 digits"),
        pytest.param("seed: 1" + ":00" * 200 + ".5", "603 characters, expected at most 100", id="1:00:00"),
        (CHAIN, "<<: copies more than 100,000 values in all"),
        ("&a {<<: *a}", "<<: takes a mapping that it stands in"),
        ("a: 1\nb: 2\na: 3", "the key a stands twice"),
        ("? [a]\n: 1", "a key is a list or a mapping"),
        (ALIASES + "? *i\n: 1", "a key is a list or a mapping"),
        ('name: "\\ud800"', "name: a NUL, or half of a surrogate pair"),
        ('name: "a\\0"', "name: a NUL, or half of a surrogate pair"),
        ('"a\\0": 1', "top level: a NUL, or half of a surrogate pair"),
    ],
)
def test_what_fuzzing_found_in_a_file_is_refused(tmp_path, content, says):
    file = tmp_path / "wrong.yaml"
    file.write_text(content)
    with pytest.raises(SettingsError) as error:
        settings.load(file)
    assert says in str(error.value)
    assert "\n  do: " in str(error.value)


def test_many_keys_take_no_more_than_their_share_of_time(tmp_path):
    """A search among all keys for each key took minutes; a file of a million characters has room for these."""
    (tmp_path / "many.yaml").write_text("{" + ", ".join(f"k{number}" for number in range(20_000)) + "}")
    began = time.process_time()
    assert len(plain_yaml.read(tmp_path / "many.yaml")) == 20_000
    assert time.process_time() - began < 20


def test_a_mapping_may_merge_one_that_merges(tmp_path):
    (tmp_path / "chain.yaml").write_text("a: &a {x: 1}\nb: &b {<<: *a, y: 2}\nc: {<<: *b, x: 3}")
    assert plain_yaml.read(tmp_path / "chain.yaml")["c"] == {"x": 3, "y": 2}


def test_a_mapping_may_overrule_what_it_merges(root, tmp_path):
    text = (root / "config" / "tiny.yaml").read_text()
    text = text.replace("  atlas: {", "  atlas: &atlas {")
    text = text.replace("  atlas-random:", "  other: {<<: *atlas, dtype: bfloat16}\n  atlas-random:")
    (tmp_path / "merged.yaml").write_text(text)
    study = settings.load(tmp_path / "merged.yaml")
    assert [model.dtype for model in study.models] == ["float32", "bfloat16", "float32"]


def test_what_is_said_of_a_long_value_is_short(tiny_content, root):
    tiny_content["layers"] = list(range(-5000, 0))
    with pytest.raises(SettingsError) as error:
        settings.parse(tiny_content, root / "config" / "tiny.yaml")
    assert len(str(error.value)) < 1000
