"""Readers of what stages wrote, on damaged bytes: an error of ours, or the right content; never another exception.

What has a record is never read as something else: its digest is compared first.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linear_probing import artefacts, directions, records, sources, store, tables, tokens
from linear_probing.provenance import ROOT, Made
from linear_probing.stage import StudyError

SHARDS = ("shard-0-of-2.safetensors", "shard-1-of-2.safetensors")
JSON = b'0123456789-.eE"{}[]:,abcnt'
ODD = [b"[" * 20_000, b"[]", b"{}", b'"a"', b"1" * 5000, b"null", b"NaN", b'{"a": ' * 20_000]
MADE = Made("tokens", {"tables": "0123456789"}, {"linear_probing.tokens": "0"}, {"tokenizers": ["1"]})


@st.composite
def damage(draw, whole):
    """Return bytes that were cut, grown or emptied, or of which up to three are others: any, or such as JSON has."""
    how = draw(st.sampled_from(["cut", "flipped", "flipped", "written", "written", "grown", "empty", "other"]))
    if how == "cut":
        return whole[: draw(st.integers(0, len(whole) - 1))]
    if how == "grown":
        place = draw(st.integers(0, len(whole)))
        return whole[:place] + draw(st.binary(min_size=1, max_size=8)) + whole[place:]
    if how in ("flipped", "written"):
        content, others = bytearray(whole), st.integers(0, 255) if how == "flipped" else st.sampled_from(JSON)
        for _ in range(draw(st.integers(1, 3))):
            # As often in the first bytes, where headers stand, as in all others together.
            place = draw(st.integers(0, min(400, len(whole) - 1)) | st.integers(0, len(whole) - 1))
            content[place] = draw(others)
        return bytes(content)
    return b"" if how == "empty" else draw(st.binary(max_size=40) | st.sampled_from(ODD))


def read_or_refused(read, *arguments):
    """Return what a reader gives, None where it refused in words that help."""
    try:
        return read(*arguments)
    except StudyError as error:
        assert "\n  do: " in str(error)
        return None


def alike(one, other):
    """Return whether two sets of tokens are the same to the last number."""
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in (*tokens.NUMBERS, *tokens.NAMES))


@pytest.fixture(scope="session")
def words():
    """Return the tokens of two texts with three targets."""
    return tokens.Tokens(
        ids=np.arange(7),
        starts=np.array([0, 3, 7]),
        target_text=np.array([0, 1, 1]),
        target_first=np.array([1, 1, 2]),
        target_last=np.array([1, 2, 3]),
        text_id=np.array(["kéy", "text-1"]),
        target_id=np.array(["a", "b", "c"]),
    )


@pytest.mark.examples(short=60, nightly=1500)
@given(data=st.data())
def test_damaged_tokens_are_tokens_or_refused(folder, words, data):
    place = folder / "tokens"
    place.mkdir(exist_ok=True)
    tokens.write(place, words, "last")
    file = place / tokens.FILE
    file.write_bytes(data.draw(damage(file.read_bytes())))
    read_or_refused(tokens.read, place)
    read_or_refused(tokens.read_position, place)
    read_or_refused(store.read_metadata, file)


@pytest.mark.examples(short=60, nightly=1500)
@given(data=st.data(), dtype=st.sampled_from(["float32", "bfloat16"]))
def test_damaged_activations_are_states_of_their_shape_or_refused(folder, data, dtype):
    place = folder / "activations"
    place.mkdir(exist_ok=True)
    whole = np.arange(24, dtype="float32").reshape(6, 4)
    for shard, name in enumerate(SHARDS):
        part = whole[3 * shard : 3 * shard + 3].astype(dtype)
        store.write_tensors(place / name, {"layer_00": part, "layer_06": part}, {})
    file = place / data.draw(st.sampled_from(SHARDS))
    file.write_bytes(data.draw(damage(file.read_bytes())))
    read_or_refused(store.layers, place)
    states = read_or_refused(store.read_layer, place, 6, 6)
    if states is not None:
        assert (states.dtype, states.ndim, len(states)) == (np.float32, 2, 6)
        assert np.isfinite(states).all()


@pytest.mark.examples(short=60, nightly=1500)
@given(data=st.data(), which=st.sampled_from(["file", "record"]))
def test_what_has_a_record_is_never_read_as_something_else(folder, words, data, which):
    place = folder / "recorded"
    place.mkdir(exist_ok=True)
    tokens.write(place, words, "last")
    records.write(place / "record.json", MADE, [place / tokens.FILE])
    file = place / (tokens.FILE if which == "file" else "record.json")
    file.write_bytes(data.draw(damage(file.read_bytes())))

    def checked():
        records.check(place)
        return tokens.read(place)

    found = read_or_refused(checked)
    assert found is None or alike(found, words)
    read_or_refused(records.read, place / "record.json")
    read_or_refused(records.check_replaceable, place)
    records.unlisted(place)


RUN = {
    "artefact": "a",
    "digest": MADE.digest,
    "command": ["python"],
    "started": "",
    "seconds": 1,
    "peak_memory_gb": 0.1,
}
RUN |= {"files": {"a.safetensors": "0" * 64}}


@pytest.mark.examples(short=40, nightly=1000)
@given(content=damage(json.dumps(RUN).encode()))
def test_a_damaged_record_of_a_making_makes_nobody_believe_it(folder, content):
    file = folder / "results" / "tokens" / "made-0123456789" / "a.safetensors"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"states")
    run = records.run_of(file)
    run.parent.mkdir(parents=True, exist_ok=True)
    run.write_bytes(content)
    assert not records.finished(file, MADE)
    records.is_run(run)


TEXTS = pd.DataFrame({"text_id": ["0", "1"], "text": ['the "city",\r\n', "ß👍🏽"]})
TARGETS = {"target_id": ["a", "b"], "text_id": ["0", "1"], "span_start": ["0", "0"], "span_end": ["3", "1"]}
TARGETS |= {"group": ["x", "y"], "type": ["", ""], "part": ["", ""], "fold": ["0", "1"], "label": ["1", "0"]}


def written_tables(place):
    """Write a small data set as the stage does, by hand."""
    place.mkdir(exist_ok=True)
    frames = dict(zip(tables.FILES, (TEXTS, pd.DataFrame(TARGETS)), strict=True))
    digests = {}
    for name, frame in frames.items():
        frame.to_csv(place / name, index=False, lineterminator="\n", quoting=1)
        digests[name] = tables.hashlib.sha256((place / name).read_bytes()).hexdigest()
    (place / tables.CARD).write_text(json.dumps({"sha256": digests, "labels": {}, "splits": {}}))


@pytest.mark.examples(short=60, nightly=1500)
@given(data=st.data(), which=st.sampled_from([*tables.FILES, tables.CARD]))
def test_damaged_tables_are_the_same_or_refused(folder, data, which):
    place = folder / "dataset-0123456789"
    written_tables(place)
    (place / which).write_bytes(data.draw(damage((place / which).read_bytes())))
    found = read_or_refused(tables.read, place)
    if found is not None:
        assert found.texts.to_dict("list") == TEXTS.to_dict("list")
        assert found.targets.astype(str).to_dict("list") == TARGETS


@pytest.mark.examples(short=40, nightly=800)
@given(data=st.data())
def test_a_damaged_manifest_or_list_of_sources_is_refused_or_read(folder, data):
    place = folder / "studies" / "results" / "studies" / "tiny" / artefacts.MANIFEST
    place.parent.mkdir(parents=True, exist_ok=True)
    entries = {name: ["results/x"] for name in artefacts.STAGES} | dict.fromkeys(artefacts.LAST_STAGES, "0")
    whole = json.dumps({"study": "tiny", "configuration": "config/tiny.yaml", **entries}).encode()
    place.write_bytes(data.draw(damage(whole)))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder / "studies")
        read_or_refused(artefacts.manifests)
    listed = folder / "sources.csv"
    listed.write_bytes(data.draw(damage((ROOT / "data" / "sources.csv").read_bytes()[:1500])))
    read_or_refused(sources.known.__wrapped__, listed)


@pytest.fixture(scope="session")
def direction():
    """Return a direction of two classes."""
    numbers = {"mean": np.zeros(4), "scale": np.ones(4), "coefficients": np.ones((1, 4)), "intercept": np.zeros(1)}
    named = {"task": "cities.truth", "probe": "logistic", "layer": 6, "fold": "all", "names": ("0", "1")}
    return directions.Direction(**named, metric="auroc", penalty=1.0, **numbers)


@pytest.mark.examples(short=40, nightly=1000)
@given(data=st.data(), which=st.sampled_from([directions.ARRAYS, directions.WORDS]))
def test_damaged_directions_are_directions_or_refused(folder, direction, data, which):
    place = folder / "directions"
    place.mkdir(exist_ok=True)
    directions.write(place, [direction])
    file = place / which
    file.write_bytes(data.draw(damage(file.read_bytes())))
    read_or_refused(directions.load, place, "cities.truth", 6)


def test_the_stand_ins_are_whole(folder, direction, words):
    """What is damaged above can be read: or else every refusal would pass."""
    written_tables(folder / "dataset-0123456789")
    assert len(tables.read(folder / "dataset-0123456789").targets) == 2
    Path(folder, "whole").mkdir()
    tokens.write(folder / "whole", words, "last")
    assert alike(tokens.read(folder / "whole"), words)
    directions.write(folder / "whole", [direction])
    assert directions.load(folder / "whole", "cities.truth", 6).task == "cities.truth"
