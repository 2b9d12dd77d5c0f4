"""Whatever stands in a configuration: a study, or an error that says what to do."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from linear_probing import settings
from linear_probing.artefacts import Artefacts
from linear_probing.stage import StudyError

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "config" / f"{name}.yaml" for name in ("tiny", "gpt2", "minilm", "llama-3.1-8b-instruct")]
TEXTS = [file.read_text(encoding="utf-8") for file in FILES]
MARKS = ["[", "]", "{", "}", ":", "- ", "? ", "\n", "  ", "\t", "#", '"', "'", "|", ">", "%", "@", "`", ",", "..."]
MARKS += ["&a ", "*a", "&a [*a]", "<<: *llama", "<<: [*a, *a]", "!!int x", "!!bool x", "!!map x", "!!set [a]", "!x "]
MARKS += ["!!python/object/apply:os.getcwd []", "!!python/name:os.system", "!!binary x", "!!timestamp x", "---\n"]
MARKS += ["2001-99-99", "0x_", "0b_", "1:99", ".inf", ".nan", "~", "yes", "1e400", "9" * 5000, "\\0", "\ufeff", "é"]
ODD = st.sampled_from(["", "..", "/", "../..", "a b", "-x", "$(x)", "tiny\n", "\0", "\ud800", "x" * 300, "text", "é"])
NUMBERS = st.integers() | st.floats() | st.sampled_from([0, -1, 1, 2**63, 1e300, -0.0])
PLAIN = st.none() | st.booleans() | NUMBERS | ODD | st.text(max_size=5)
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PLAIN, inner, max_size=3), max_leaves=6
)


def places(content, place=()):
    """Give the place of every value in a content, as a tuple of keys."""
    yield place
    if isinstance(content, dict | list):
        for key, value in content.items() if isinstance(content, dict) else enumerate(content):
            yield from places(value, (*place, key))


@st.composite
def changed(draw):
    """Return a content of which one to three values are others, or gone, or have another name."""
    content = yaml.safe_load(draw(st.sampled_from(TEXTS)))
    for _ in range(draw(st.integers(1, 3))):
        *parents, last = draw(st.sampled_from([place for place in places(content) if place]))
        inside = content
        for key in parents:
            inside = inside[key]
        how = draw(st.sampled_from(["other", "gone", "renamed"]))
        if how == "other":
            inside[last] = draw(VALUES)
        elif how == "gone" or isinstance(inside, list):
            del inside[last]
        else:
            inside[draw(PLAIN)] = inside.pop(last)
    return content


@st.composite
def cut_and_mended(draw):
    """Return the text of a configuration with marks of YAML put over pieces of it."""
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 20)))
        text = text[:start] + draw(st.sampled_from(MARKS)) + text[end:]
    return text


def loaded(path):
    """Return the study of a file, None where it was refused in words that help."""
    try:
        return settings.load(path)
    except StudyError as error:
        assert "\n  do: " in str(error)
        assert "\n  file: " in str(error)
        return None


@pytest.mark.examples(short=30, nightly=2000)
@given(content=changed())
def test_a_changed_configuration_is_a_study_or_refused(folder, content):
    file = folder / "changed.yaml"
    try:
        study = settings.parse(content, file)
    except StudyError as error:
        assert "\n  do: " in str(error)
        return
    try:
        made = Artefacts(study).made
    except StudyError as error:
        assert "\n  do: " in str(error)
        return
    assert all(Path("results", *Path(one).parts[1:]) == Path(one) and ".." not in Path(one).parts for one in made)


@pytest.mark.examples(short=25, nightly=1500)
@given(text=cut_and_mended())
def test_a_text_that_was_cut_and_mended_is_a_study_or_refused(folder, text):
    (folder / "mended.yaml").write_text(text, encoding="utf-8")
    loaded(folder / "mended.yaml")


@pytest.mark.examples(short=40, nightly=1500)
@given(text=st.lists(st.sampled_from([*MARKS, "name", "seed", "a"]), max_size=40).map("".join) | st.binary())
def test_no_text_and_no_bytes_end_otherwise(folder, text):
    (folder / "any.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert loaded(folder / "any.yaml") is None
