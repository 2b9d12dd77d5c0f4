"""Security: what a configuration says reaches no shell and no place outside results; no pickle, tag or secret gets out.

Every text of the schema is tried, found by walking the schema: a new key that `WHOLE` lacks fails the first test.
"""

import ast
import os
import pickle
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from linear_probing import models, settings, stage
from linear_probing.jobs import Jobs, configuration
from linear_probing.models import ModelError
from linear_probing.settings import SettingsError
from linear_probing.stage import StudyError

ROOT = Path(__file__).parents[2]
SCHEMA = yaml.safe_load((ROOT / "workflow" / "schemas" / "config.schema.yaml").read_text())
KEY, VALUE, ITEM = "a key", "any value", "an item"
COMMIT = "0123456789" * 4
SHAPE = {"n_layers": 6, "d_model": 160, "context": 128, "n_parameters": 1}
# Each text that the schema leaves open is a word that stands nowhere else, `q...`, and can be replaced everywhere.
WHOLE = {
    "name": "qstudy",
    "seed": 0,
    "models": {
        "qfolder": {"folder": "qplace", "dtype": "float32", "blocks": "qblocks", "sha256": {"qfile": "a" * 64}},
        "qhub": {"repository": "qowner/qname", "commit": COMMIT, "shape": SHAPE, "dtype": "float32"},
        "qship": {
            "package": "qpackage",
            "version": "qversion",
            "subfolder": "qsub",
            "shape": SHAPE,
            "sha256": {"qweights": "b" * 64},
            "dtype": "float32",
        },
        "qtwin": {"twin_of": "qfolder", "seed": 0},
    },
    "datasets": {
        "qown": {
            "builder": "table",
            "files": ["qdata.csv"],
            "text": "qtext",
            "span": "qspan",
            "labels": {"qlabel": "qclass", "qposition": {"latitude": "qlat", "longitude": "qlon"}},
            "group": "qgroup",
            "type": "qtype",
            "splits": {"qsplit": "qblock", "qboth": ["qone", "qtwo"]},
            "where": {"qkept": ["qcell"]},
            "derive": {"qderived": {"from": "qfrom", "match": "(qmatch)"}},
            "columns": ["qcolumn"],
        },
        "qpairs": {
            "builder": "table",
            "files": {"train": ["qtrain.csv"], "dev": ["qdev.csv"], "test": ["qtest.csv"]},
            "text": {"qgood": "qyes", "qbad": "qno"},
            "pair_label": "qpair",
            "span": ["qstart", "qend"],
            "group": ["qfirst", "qsecond"],
        },
    },
    "n_folds": 3,
    "layers": [0, 6],
    "penalties": {"logistic": [0.03], "ridge": [100.0]},
    "bootstrap": {"n_resamples": 50, "confidence": 0.9},
    "probes": {"qprobe": {"class": "sklearn.qclass_of", "parameters": {"qparameter": "qgiven"}}},
    "tasks": {
        "qown.qlabel": {"kind": "binary", "probe": "logistic", "splits": ["group", "qsplit"], "baselines": ["qcolumn"]},
        "qpairs.qpair": {"kind": "binary", "probe": "logistic", "splits": ["group"]},
    },
    "interventions": {
        "elsewhere": "qown",
        "tasks": {"qown.qlabel": {"pattern": " qbehind {}", "answers": {"qagainst": ["qfalse"], "qfor": ["qtrue"]}}},
    },
}
EVIL = [
    *(
        "a; touch pwned",
        "$(touch pwned)",
        "`touch pwned`",
        "a | touch pwned",
        "a > pwned",
        "../../pwned",
        "..",
        "/tmp/pwned",
    ),
    *("a b", "a\n", "a\ntouch pwned", "-rf", "--config=x", "a'b", 'a"b', "{wildcards.item}", "a\0b", "a" * 5000),
    *("\u0430tlas", "\uff0e\uff0e\uff0fa"),
]
SAFE = re.compile(r"results/[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")
"""What a rule may put into a command without quotes: no shell sees more in it than a word, and it stays where it is."""


def text_places(node, place=()):
    """Give the place of every text that the schema leaves open, keys among them."""
    if "$ref" in node:
        node = SCHEMA["$defs"][node["$ref"].rpartition("/")[2]]
    if "string" in node.get("type", ()) and node.get("type") != "object":
        yield place
    for key, one in node.get("properties", {}).items():
        if isinstance(one, dict):
            yield from text_places(one, (*place, key))
    others = node.get("additionalProperties")
    if "propertyNames" in node or isinstance(others, dict) or (node == {"type": "object"}):
        yield (*place, KEY)
    if isinstance(others, dict):
        yield from text_places(others, (*place, VALUE))
    if "items" in node:
        yield from text_places(node["items"], (*place, ITEM))
    for word in ("oneOf", "anyOf", "allOf"):
        for one in node.get(word, ()):
            yield from text_places(one.get("then", one), place)


def words(content, place=()):
    """Give every text of a content with its place, in the schema's form and with its keys as they are."""
    if isinstance(content, dict):
        for key, one in content.items():
            yield (*place, key), key
            yield from words(one, (*place, key))
    elif isinstance(content, list):
        for one in content:
            yield from words(one, (*place, ITEM))
    elif isinstance(content, str):
        yield place, content


def fits(template, place):
    """Return whether a place of a content is one of the schema's."""
    if len(template) != len(place):
        return False
    return all(one in (KEY, VALUE) or one == other for one, other in zip(template, place, strict=True))


FIELDS = list(dict.fromkeys(text_places(SCHEMA)))


def tried_at(field):
    """Return the words of `WHOLE` that stand at a place of the schema; `owner/name` and `a.b` by their parts."""
    at_key = field[-1:] == (KEY,)
    found = []
    for place, word in words(WHOLE):
        is_key = bool(place) and place[-1] == word and word not in ("", None)
        if fits(field, place) and (is_key or not at_key):
            found += re.findall(r"q[a-z_]+(?:\.csv)?|[ab]{64}|0123456789\d+", word)
    return list(dict.fromkeys(found))


def replaced(content, old, new):
    """Return a content in which a word has another text, wherever it stands: names and what refers to them."""
    if isinstance(content, dict):
        return {replaced(key, old, new): replaced(value, old, new) for key, value in content.items()}
    if isinstance(content, list):
        return [replaced(value, old, new) for value in content]
    return re.sub(rf"\b{re.escape(old)}\b", lambda _: new, content) if isinstance(content, str) else content


def test_every_text_of_the_schema_is_tried():
    assert len(FIELDS) > 40
    untried = [field for field in FIELDS if not tried_at(field)]
    assert not untried, "do: add the key to WHOLE, with a word of its own"


def stand_ins(folder, content):
    """Write the files that a content names, as far as a file can have that name below `folder`."""
    for dataset in content["datasets"].values():
        files = dataset["files"]
        for name in files if isinstance(files, list) else [one for part in files.values() for one in part]:
            path = Path(name)
            try:
                if path.resolve().is_relative_to(folder) and not path.exists():
                    path.write_text("text\n" + str(name))
            except (OSError, ValueError):
                continue


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Return a working folder with a model, in which relative names of files and folders are looked up."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(settings, "ROOT", tmp_path)
    monkeypatch.setattr("linear_probing.identity.ROOT", tmp_path)
    folder = tmp_path / "qplace"
    folder.mkdir()
    (folder / "config.json").write_text('{"num_hidden_layers": 6}')
    for name in ("src", "data", "paper"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def commands(jobs):
    """Return what the rules put into commands without quotes: folders, records, names of models and data sets."""
    folders = [*jobs.made, *(jobs.record(folder) for folder in jobs.made)]
    extractions = [word for one in jobs.extractions() for word in (*one.tokens, *one.folders, *one.signs)]
    names = [f"results/{name}" for name in (jobs.study.name, *jobs.study.probed, *(m.name for m in jobs.study.models))]
    return [*folders, *extractions, *names, *(f"results/{one.rule}" for one in jobs.extractions())]


def test_the_whole_configuration_is_a_study(place):
    """Or else every refusal below would be of something else."""
    stand_ins(place, WHOLE)
    study = settings.parse(WHOLE, place / "study.yaml")
    assert len(commands(Jobs(study))) > 60


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: ".".join(field))
def test_no_text_of_a_configuration_leaves_results_or_reaches_a_shell(place, field):
    outside = sorted(path.name for path in place.parent.iterdir())
    for word in tried_at(field)[:1]:
        for evil in EVIL:
            content = replaced(WHOLE, word, evil)
            if field[-1:] == ("class",):  # imported by design, where it is a class of scikit-learn's kind
                content["probes"] = replaced(WHOLE["probes"], "sklearn.qclass_of", evil)
            stand_ins(place, content)
            try:
                jobs = Jobs(settings.parse(content, place / "study.yaml"))
            except StudyError as error:
                assert "\n  do: " in str(error)  # noqa: PT017  one of two good ends
                continue
            unsafe = [text for text in commands(jobs) if not SAFE.fullmatch(text)]
            assert not unsafe, (word, evil)
            assert max(len(Path(text).name) for text in commands(jobs)) < 200
    assert sorted(path.name for path in place.parent.iterdir()) == outside
    assert not list(place.rglob("pwned"))


@pytest.mark.parametrize(
    "name", ["rename_me", *(evil for evil in EVIL if "/" not in evil and "\0" not in evil and len(evil) < 99)]
)
def test_names_of_the_projects_own_words_are_refused_or_words(place, name):
    """Names alone, without what refers to them: so that no refusal is of a reference."""
    for pattern in (SCHEMA["$defs"]["name"], SCHEMA["$defs"]["column"]):
        assert bool(re.search(pattern["pattern"], name)) is (name == "rename_me")


ODD_PATHS = [
    "a b.yaml",
    "it's.yaml",
    'quo"ted.yaml',
    "$(touch pwned).yaml",
    "`touch pwned`;.yaml",
    "-x.yaml",
    "a\nb.yaml",
]


@pytest.mark.parametrize("name", ODD_PATHS)
def test_a_configurations_path_is_one_word_that_is_no_option(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).touch()
    found = str(configuration([f"./{name}"], {}))
    assert shlex.split(shlex.quote(found)) == [found]
    assert not found.startswith("-")
    assert Path(found).resolve() == tmp_path / name


def snakemake(folder, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "1", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_snakemakes_commands_are_the_words_that_were_meant_and_run(tiny_content, tmp_path):
    """With a path that a shell would run in three ways, a file and columns of evil names, and a secret beside."""
    folder = tmp_path / "a b;$(touch pwned)"
    folder.mkdir()
    config, data = folder / "it's `touch pwned`.yaml", folder / "$(touch pwned) -x.csv"
    rows = [f'The city of X{n} is in Y.,{n % 2},"X{n}"' for n in range(40)]
    data.write_text("\n".join(["$(touch pwned),`touch pwned`,; touch pwned", *rows]) + "\n")
    columns = {"text": "$(touch pwned)", "labels": {"truth": "`touch pwned`"}, "group": "; touch pwned"}
    tiny_content["datasets"] = {"own": {"builder": "table", "files": [str(data)], **columns}}
    tiny_content["tasks"] = {"own.truth": {"kind": "binary", "probe": "logistic", "splits": ["group"]}}
    answers = {"0": [" $(touch pwned)"], "1": ["; touch pwned"]}
    tiny_content["interventions"] = {"tasks": {"own.truth": {"answers": answers}}}
    config.write_text(yaml.safe_dump(tiny_content))
    planned = snakemake(folder, "--dry-run", "--printshellcmds", "--configfile", str(config))
    assert planned.returncode == 0, planned.stderr
    text = planned.stdout + planned.stderr
    lines = re.findall(r"^ *(?:Shell command: )?(python -m linear_probing\..*)$", text, re.M)
    stages = set()
    for line in lines:
        meant = shlex.shlex(line, posix=True, punctuation_chars=True)
        meant.whitespace_split = True
        argv = list(meant)
        assert argv[argv.index("--config") + 1] == config.name
        # In front of the log, which goes to file 2, stand words alone.
        redirected = argv.index(">") - 1
        assert argv[redirected] == "2"
        others = argv[:redirected]
        others.remove(config.name)
        assert all(re.fullmatch(r"[A-Za-z0-9_.:/-]+", word) for word in others), line
        stages.add(argv[2].rpartition(".")[2])
    expected = {"datasets", "tokens", "activations", "probes", "transfer", "interventions", "statistics", "figures"}
    assert expected <= stages
    target = re.search(r"results/datasets/own-[0-9a-f]{10}/record\.json", text)[0]
    done = snakemake(folder, "--configfile", str(config), "--", target)
    assert done.returncode == 0, done.stderr
    assert (folder / target).is_file()
    assert not list(tmp_path.rglob("pwned"))


def calls(tree):
    """Give each call and import of a syntax tree by its dotted name, calls with their node."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node
        elif isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((f"{node.module}.{alias.name}", None) for alias in node.names)


SOURCES = sorted(path for folder in ("src", "envs") for path in (ROOT / folder).rglob("*.py"))
UNPICKLING = re.compile(
    r"(pickle|cPickle|_pickle|dill|cloudpickle|joblib|shelve|marshal)(\..*)?|torch\.load|.*\bread_pickle"
)
UNPACKING = re.compile(
    r"(tarfile|zipfile|gzip|bz2|lzma|zipimport)(\..*)?|.*\bunpack_archive|pooch\.(Untar|Unzip|Decompress)"
)
YAML = re.compile(
    r"yaml\.(load|load_all|full_load|unsafe_load|full_load_all|unsafe_load_all|Loader|UnsafeLoader|FullLoader)"
)
SHELLS = re.compile(r"os\.(system|popen)|subprocess\.(getoutput|getstatusoutput)|pty\.spawn")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_code_loads_no_pickle_unpacks_no_archive_and_starts_no_shell(path):
    for name, node in calls(ast.parse(path.read_text(encoding="utf-8"))):
        given = {one.arg: ast.unparse(one.value) for one in (node.keywords if node else ())}
        assert not UNPICKLING.fullmatch(name), name
        assert not UNPACKING.fullmatch(name), name
        assert not SHELLS.fullmatch(name), name
        assert given.get("allow_pickle", "False") == "False", name
        assert given.get("shell", "False") == "False", name
        assert not YAML.fullmatch(name) or given.get("Loader") == "_Once", name


def test_the_scans_find_what_they_look_for():
    code = "import pickle, tarfile\nfrom torch import load\ntorch.load(x)\nyaml.load(x)\nos.system(x)"
    names = [name for name, _ in calls(ast.parse(code))]
    for pattern in (UNPICKLING, UNPACKING, YAML, SHELLS):
        assert any(pattern.fullmatch(name) for name in names), pattern.pattern


class Evil:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return (Path.touch, (self.marker,))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "weights.pth", "model.pkl", "model.ckpt"])
def test_a_pickle_that_runs_code_is_not_read(tmp_path, name):
    marker, folder = tmp_path / "pwned", tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text((ROOT / "data" / "models" / "atlas" / "config.json").read_text())
    (folder / name).write_bytes(pickle.dumps(Evil(marker)))
    pickle.loads((folder / name).read_bytes())
    assert marker.exists(), "the pickle would have run"
    marker.unlink()
    with pytest.raises(ModelError, match=r"as a pickle|has no weights"):
        models.load(settings.Model("evil", folder, "float32"))
    # Safetensors beside it are read instead: these are none, and the pickle is no way out.
    (folder / "model.safetensors").write_bytes(b"none")
    with pytest.raises(ModelError, match="cannot be loaded"):
        models.load(settings.Model("evil", folder, "float32"))
    # Where it is allowed, transformers reads tensors alone.
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError):
        models.load(settings.Model("evil", folder, "float32", allow=("pickled_weights",)))
    assert not marker.exists()


def test_a_tag_of_yaml_runs_nothing(tmp_path):
    marker = tmp_path / "pwned"
    (tmp_path / "evil.yaml").write_text(f"!!python/object/apply:os.mkdir ['{marker}']")
    with pytest.raises(SettingsError, match="not YAML"):
        settings.load(tmp_path / "evil.yaml")
    assert not marker.exists()


MARKER = "s3cret-m4rker"
RAISES = """
import logging, os
from linear_probing.stage import StudyError, run
def main():
    logging.getLogger("some.library").info("asked %s with %s", os.environ["PROBING_MIRROR"], os.environ["HF_TOKEN"])
    raise {error}(f"{{os.environ['PROBING_MIRROR']}} and {{os.environ['HF_TOKEN']}}")
run(main)
"""


@pytest.mark.parametrize("error", ["StudyError", "ValueError"])
def test_logs_errors_and_tracebacks_say_no_secret(error):
    secrets = {"HF_TOKEN": MARKER, "PROBING_MIRROR": f"https://someone:{MARKER}-too@host/path"}
    command = [sys.executable, "-c", RAISES.format(error=error)]
    done = subprocess.run(command, env={**os.environ, **secrets}, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("https://***@host/path") == 2
    assert MARKER not in done.stderr + done.stdout


@pytest.mark.parametrize(
    "name",
    [
        "SECRET_KEY",
        "MY_SECRET_KEY",
        "AZURE_STORAGE_KEY",
        "PRIVATE_KEY",
        "DB_PASSWD",
        "DB_PASS",
        "GOOGLE_CREDENTIALS",
        "HF_TOKEN_READ",
        "my_apikey",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "OPENAI_API_KEYS",
        "KEY_PASSPHRASE",
    ],
)
def test_a_secret_is_known_by_any_part_of_its_name(monkeypatch, name):
    monkeypatch.setenv(name, f"{MARKER}\n")
    assert stage.without_secrets(f"with {MARKER}, {MARKER}!") == "with ***, ***!"


def test_a_secret_of_several_lines_or_within_another_is_hidden_too(monkeypatch):
    monkeypatch.setenv("A_TOKEN", MARKER)
    monkeypatch.setenv("B_TOKEN", f"{MARKER}-and\nmore")
    monkeypatch.setenv("C_TOKEN", "/" + "x" * 5000)
    assert stage.without_secrets(f"{MARKER}, {MARKER}-and\nmore, {MARKER}-and\\nmore") == "***, ***, ***"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("USE_TOKEN", "1"),
        ("USE_TOKEN", "true"),
        ("KEEP_PASSWORDS", "disabled"),
        ("TOKENIZERS_PARALLELISM", "in words"),
        ("MY_KEYBOARD", "colemak"),
        ("CREDENTIALS_DIRECTORY", str(ROOT / "src")),
        ("PWD", "/of/no/secret"),
    ],
)
def test_what_any_text_may_hold_is_not_hidden(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    text = f"word {value} more, and {value}/file"
    assert stage.without_secrets(text) == text


SAYS = """
import logging, os, warnings
from linear_probing.stage import run
def main():
    secret = os.environ["DB_PASSWD"]
    warnings.warn(f"warned of {secret}")
    own = logging.getLogger("library")
    own.addHandler(logging.StreamHandler())
    own.error("%d rows", secret)
    own.error("%s %s", secret)
    own.error("written %s", secret)
    try:
        raise OSError(f"http://{secret}")
    except OSError:
        own.exception("failed")
    print("to the end")
run(main)
"""


def test_warnings_and_logged_tracebacks_say_no_secret_and_wrong_format_strings_end_nothing():
    done = subprocess.run(
        [sys.executable, "-c", SAYS],
        env={**os.environ, "DB_PASSWD": MARKER},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "to the end\n"
    assert MARKER not in done.stderr
    for said in ("UserWarning: warned of ***", "'%d rows' with values that do not fit it", "written ***"):
        assert said in done.stderr
    # By the library's own handler and by that of the stage.
    assert done.stderr.count("OSError: http://***") == 2


FETCHES = """
from pathlib import Path
from linear_probing.fetching import files
from linear_probing.sources import Source
from linear_probing.stage import run
files.PARTS = Path("parts")
source = Source("words", "https://raw.githubusercontent.com/owner/words.csv", "{digest}", "", "", "", 1, 1, 1)
run(lambda: files.fetch(source, Path()))
"""


@pytest.mark.parametrize("there", [True, False])
def test_a_mirrors_login_is_used_and_not_written(serving, tmp_path, there):
    """Pooch names the whole URL before it asks."""
    (tmp_path / "owner").mkdir()
    if there:
        (tmp_path / "owner" / "words.csv").write_bytes(b"a")
    code = FETCHES.format(digest="ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb")
    with serving(tmp_path) as server:
        mirror = server.url.replace("://", f"://someone:{MARKER}@")
        environment = {**os.environ, "PROBING_MIRROR": mirror}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
    assert (done.returncode == 0) is there
    assert server.asked
    assert "***@127.0.0.1" in done.stderr
    assert MARKER not in done.stderr + done.stdout


@pytest.mark.parametrize(
    ("name", "value"), [("PROBING_MIRROR", "http://a:{}@[b"), ("HF_ENDPOINT", "http://a:{}@b:99999")]
)
def test_an_address_that_is_none_is_refused_without_its_login(tmp_path, name, value):
    fetch = ["-c", FETCHES.format(digest="0" * 64)]
    command = fetch if name == "PROBING_MIRROR" else ["-m", "linear_probing.fetching.hub", "some/model", COMMIT]
    environment = {**os.environ, name: value.format(MARKER)}
    done = subprocess.run(
        [sys.executable, *command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert f"do:     correct or unset {name}" in done.stderr
    assert MARKER not in done.stderr
