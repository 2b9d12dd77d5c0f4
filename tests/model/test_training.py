"""The embedded model's training: what is held out stays out, and a short run leaves a whole model that learns."""

import itertools
import json
import re

import pytest

from linear_probing import models
from linear_probing.atlas import lexicon, training
from linear_probing.atlas.corpus import Writer
from linear_probing.atlas.geography import cities
from linear_probing.settings import Model


@pytest.fixture(scope="module")
def lines():
    return list(itertools.islice(Writer(0).lines(), 60_000))


def test_no_verdict_on_an_unseen_city_is_read(lines):
    part = {city.name: city.part for city in cities()}
    judged = [re.fullmatch(r"The city of (.+) is (?:not )?in .+\. (?:True|False)", line) for line in lines]
    found = [part[match[1]] for match in judged if match]
    assert len(found) > 10_000
    assert set(found) == {"seen"}


def test_no_verdict_on_an_unseen_pair_of_numbers_is_read(lines):
    number = {lexicon.number_name(n): n for n in range(1, 100)}
    judged = [re.fullmatch(r"(.+) is (?:larger|smaller) than (.+)\. (?:True|False)", line) for line in lines]
    pairs = [(number[match[1].lower()], number[match[2]]) for match in judged if match]
    assert len(pairs) > 2_000
    assert {lexicon.pair_part(*pair) for pair in pairs} == {"seen"}


def test_unseen_nouns_stand_in_counting_sentences_only(lines):
    nouns = [noun for noun in lexicon.probed_nouns() if noun.part == "unseen"]
    unseen = {form for noun in nouns for form in (noun.singular, noun.plural)}
    holding = [line for line in lines if unseen & set(re.findall(r"[a-z]+", line))]
    assert holding
    assert all(" counts " in line for line in holding)


def test_no_coordinate_is_read(lines):
    assert not any(re.search(r"\d", line) for line in lines)


def test_a_quarter_is_held_out():
    for parts in ([c.part for c in cities()], [n.part for n in lexicon.nouns()]):
        assert 0.2 < parts.count("unseen") / len(parts) < 0.3


def test_the_committed_record_is_of_this_corpus_and_model(root):
    record = json.loads((root / "data" / "models" / "atlas" / "record.json").read_text())
    card = (root / "data" / "models" / "atlas" / "README.md").read_text()
    assert record["corpus_sha256"] in card.replace(" ", "")
    assert record["shares_of_lines"] == training.SHARES
    model = models.load(Model("atlas", root / "data" / "models" / "atlas", "float32"))
    assert sum(p.numel() for p in model.parameters()) == record["parameters"] <= 3_000_000


@pytest.mark.slow
def test_a_short_training_leaves_a_whole_model_and_the_card(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "TOKENIZER_LINES", 3_000)
    monkeypatch.setattr(training, "BATCH", 4)
    output = tmp_path / "atlas"
    output.mkdir()
    (output / "README.md").write_text("the card")
    training.build(output, n_steps=12, minutes=5.0, seed=0, bfloat16=False)
    record = json.loads((output / "record.json").read_text())
    assert record["steps"] == 12
    assert (output / "README.md").read_text() == "the card"
    assert [path.name for path in tmp_path.iterdir()] == ["atlas"]
    assert models.load(Model("short", output, "float32")).config.num_hidden_layers == 6
    assert models.load_tokenizer(output)("Quito")["input_ids"][0] == 0
