"""Interventions on known ground: in a model built by hand, one layer uses a direction and another only holds it."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import known_model as known
from linear_probing import datasets, directions, interventions, settings, store, tables, tokens
from linear_probing.builders.draft import Draft
from linear_probing.estimation.causal import Intervened, causal_tables
from linear_probing.extraction.batches import PaddedTexts
from linear_probing.extraction.comparison import ParityError
from linear_probing.extraction.reading import ActivationError, extract, wrap
from linear_probing.interventions import Speaker
from linear_probing.settings import Dataset
from linear_probing.steering import asking, edits, runs, subjects
from linear_probing.steering import sources as given
from linear_probing.steering.questions import QuestionError, ask
from linear_probing.steering.sources import Source

# What the stage finds is made once for the tests that look at it.
pytestmark = pytest.mark.xdist_group("interventions")

TASK, N_FOLDS, LAYERS = "words.label", 3, (0, 1, 2, 3)
BEHAVIOUR = {TASK: {"pattern": " then {}", "answers": {"0": ["no"], "1": ["yes"]}}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the model and all that earlier stages would have made of its words."""
    place = tmp_path_factory.mktemp("known")
    model, tokenizer = known.weights(), known.tokenizer()
    model.save_pretrained(place / "model")
    tokenizer.save_pretrained(place / "model")
    for name in ("datasets", "tokens", "activations", "probes"):
        (place / name / "words-0123456789").mkdir(parents=True)
    made = {name: place / name / "words-0123456789" for name in ("datasets", "tokens", "activations", "probes")}
    ids = [f"w{number:02d}" for number in range(len(known.WORDS))]
    frame = pd.DataFrame(
        {
            "target_id": ids,
            "text_id": ids,
            "span_start": 0,
            "span_end": [len(word) for word in known.WORDS],
            "group": [f"g{number // 2:02d}" for number in range(len(ids))],
            "type": "",
            "part": "",
            "fold": [str(number // 2 % N_FOLDS) for number in range(len(ids))],
            "label": [1 - number % 2 for number in range(len(ids))],
        }
    )
    texts = pd.DataFrame({"text_id": ids, "text": known.WORDS})
    draft = Draft(texts, frame, "words", "made here", "MIT", {"label": "good"}, {"group": "by number"}, "number", "")
    datasets.write(made["datasets"], Dataset("words", "table", {}), draft)
    data = tables.read(made["datasets"])
    of_tokens = tokens.tokenize(data, tokenizer, 16)
    tokens.write(made["tokens"], of_tokens, "last")
    reader = wrap(model)
    states = extract(reader, of_tokens, PaddedTexts(of_tokens), LAYERS, torch.float32)
    arrays = {store.layer_name(layer): value.numpy() for layer, value in states.items()}
    store.write_tensors(made["activations"] / "shard-0-of-1.safetensors", arrays, {})
    directions.write(made["probes"], fitted(frame, arrays))
    return place


def fitted(frame, arrays):
    """Yield logistic directions of every layer and fold."""
    labels = frame["label"].to_numpy(int)
    for layer in LAYERS:
        states = arrays[store.layer_name(layer)]
        for fold in range(N_FOLDS):
            trains = (frame["fold"] != str(fold)).to_numpy()
            probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1)).fit(states[trains], labels[trains])
            named = {"task": TASK, "probe": "logistic", "names": ("0", "1"), "metric": "auroc"}
            yield directions.from_pipeline(probe, layer=layer, fold=str(fold), **named)


def study(folder, behaviours=None, **asked):
    content = {
        "name": "known",
        "seed": 0,
        "models": {"known": {"folder": str(folder / "model"), "dtype": "float32"}},
        "datasets": {"words": {"builder": "table", "files": ["words.csv"], "labels": {"label": "label"}}},
        "n_folds": N_FOLDS,
        "layers": "all",
        "penalties": {"logistic": [0.1], "ridge": [1.0]},
        "bootstrap": {"n_resamples": 200, "confidence": 0.95},
        "tasks": {TASK: {"kind": "binary", "probe": "logistic", "splits": ["group"]}},
        "interventions": {
            "n_targets": 36,
            "n_controls": 1000,
            "elsewhere": "words",
            "tasks": behaviours or BEHAVIOUR,
            **asked,
        },
    }
    return settings.parse(content, folder / "known.yaml")


def sources(folder):
    made = (folder / name / "words-0123456789" for name in ("datasets", "tokens", "activations"))
    return {"words": Source(*made)}


def learnt(folder, of):
    return runs.read([folder / "probes" / "words-0123456789"], of.tasks)


def speaker(of, model=None):
    loaded = model or known.weights()
    return Speaker(wrap(loaded), known.tokenizer(), of.model("known"))


@pytest.fixture(scope="module")
def found(folder):
    """What the stage finds, and its tables."""
    of = study(folder)
    result = interventions.compute(of, speaker(of), "words", sources(folder), learnt(folder, of))
    causal, tests = causal_tables(of, [Intervened("known", *result)])
    return *result, causal, tests


def own(causal, operation, direction="logistic"):
    rows = causal[(causal["operation"] == operation) & (causal["direction"] == direction) & (causal["strength"] == 1)]
    return rows[rows["layer"] == rows["of_layer"]].set_index("layer")


@pytest.mark.parametrize("operation", ["shift", "swap"])
@pytest.mark.parametrize("direction", ["logistic", "mean_difference"])
def test_a_direction_acts_where_it_is_used_and_not_where_it_is_held(found, operation, direction):
    rows = own(found[3], operation, direction)
    assert (rows.loc[[0, 1], "estimate"] > 0.6).all()
    assert rows.loc[[2, 3], "change"].tolist() == [0.0, 0.0]
    assert (rows.loc[[2, 3], ["estimate", "lower", "upper"]] == 0).all(axis=None)


def test_p_values_tell_the_layers_apart(found):
    rows, tests = own(found[3], "shift", "mean_difference"), found[4]
    assert (rows.loc[[0, 1], "p_value"] < 0.01).all()
    assert (rows.loc[[2, 3], "p_value"] == 1).all()
    row = tests[(tests["operation"] == "shift") & (tests["direction"] == "mean_difference")].iloc[0]
    assert (row["acts_from"], row["acts_to"], row["n_layers"], row["n_controls"]) == (0, 1, 2, 1000)
    assert row["p_holm"] == row["p_value"] < 0.01


def test_what_is_removed_or_erased_leaves_no_preference(found):
    for operation, direction in (("remove", "mean_difference"), ("erase", "leace")):
        rows = own(found[3], operation, direction)
        assert rows.loc[[0, 1], "estimate"].between(0.35, 0.65).all(), rows["estimate"]
        assert rows.loc[[2, 3], "change"].tolist() == [0.0, 0.0]


def test_the_whole_states_swap_makes_the_model_answer_as_to_the_counterfactual(found):
    rows = own(found[3], "swap", "whole_state")
    assert rows.loc[[0, 1], "estimate"].to_numpy() == pytest.approx(1.0, abs=1e-5)


def test_dimensions_that_hold_the_label_differ_in_whether_they_act(folder):
    of = study(folder)
    reader, source = speaker(of).reader, sources(folder)["words"]
    said, ids = known.tokenizer(), source.tokens
    word = known.WORDS.index("good3")
    question = ask(said, "good3", ids.text(word), 0, ["yes", "no"], " then {}")
    moved = np.zeros((3, known.WIDTH))
    moved[1, known.USED] = moved[2, known.HELD] = -2.0
    for layer, acts in ((0, True), (1, True), (2, False), (3, False)):
        plain, used, held = asking.ask_all(reader, [question], layer, lambda _: moved, 64)[0]
        assert bool(used[0] < used[1]) is acts, layer
        assert held == pytest.approx(plain, abs=1e-6)


def test_elsewhere_nothing_is_said_of_texts_that_end(folder):
    assert len(subjects.next_token_rows(sources(folder)["words"].tokens, 10, np.random.default_rng(0))) == 0


@pytest.mark.parametrize("layer", LAYERS)
def test_an_edit_of_zeros_changes_no_bit(folder, layer):
    reader = speaker(study(folder)).reader
    ids = sources(folder)["words"].tokens
    question = ask(known.tokenizer(), "bad5", ids.text(known.WORDS.index("bad5")), 0, ["yes", "no"], " then {}")
    row = asking.Row(0, question, np.zeros((5, known.WIDTH)), 0, 5)
    batch, starts, zeros = asking.batch_of([row], trees=True)
    columns = (starts[0][:, None] + question.nodes).ravel()
    reads = tuple(map(torch.from_numpy, (np.zeros_like(columns), columns, np.tile(question.tokens, 5))))
    inputs = batch.inputs(reader.model)
    with torch.no_grad():
        plain = asking.log_probabilities(reader.model(**inputs, use_cache=False).logits, reads)
    assert torch.equal(asking.pass_batch(reader, batch, layer, zeros, reads), plain)
    if layer:
        below = asking.assembled([asking.read_whole(reader, question, layer, trees=True)], [row])
        assert torch.equal(asking.pass_batch(reader, batch, layer, zeros, reads, below), plain)


def test_no_trace_is_left_on_the_model(folder):
    of = study(folder, n_controls=4, n_targets=10)
    model = known.weights()
    ids = torch.tensor([[5, 1]])

    def state():
        hooks = {
            name: [len(getattr(module, kind)) for kind in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks")]
            for name, module in model.named_modules()
        }
        with torch.no_grad():
            return hooks, model(ids).logits, [value.clone() for value in model.parameters()]

    before = state()
    interventions.compute(of, speaker(of, model), "words", sources(folder), learnt(folder, of))
    after = state()
    assert after[0] == before[0]
    assert torch.equal(after[1], before[1])
    assert all(torch.equal(one, other) for one, other in zip(after[2], before[2], strict=True))


def test_directions_are_of_other_groups_than_those_they_act_on(found, folder):
    pairs, frame = found[0], sources(folder)["words"].data.targets.set_index("target_id")
    assert len(pairs) == 36
    for row in pairs.itertuples():
        assert frame.loc[row.target_id, "fold"] == frame.loc[row.counterfactual_id, "fold"] == str(row.fold)
        assert frame.loc[row.target_id, "label"] != frame.loc[row.counterfactual_id, "label"]
        assert frame.loc[row.target_id, "group"] == frame.loc[row.counterfactual_id, "group"] == row.group


def test_controls_are_as_long_as_what_they_stand_beside_and_half_of_them_as_the_states_vary():
    random = np.random.default_rng(0)
    states = random.standard_normal((400, 8)) * np.array([9, 1, 1, 1, 1, 1, 1, 1.0])
    training = edits.training(states, (states[:, 1] > 0).astype(int))
    drawn = edits.drawn(1000, 2, training, np.random.default_rng(1))
    assert drawn.shape == (1000, 2, 8)
    assert np.einsum("nkd,njd->nkj", drawn, drawn) == pytest.approx(np.broadcast_to(np.eye(2), (1000, 2, 2)), abs=1e-9)
    first, second = (np.square(half[:, 0, 0]).mean() for half in (drawn[:500], drawn[500:]))
    assert first == pytest.approx(1 / 8, abs=0.03)
    assert second > 0.6
    lengths = np.array([2.0, 0.5])
    shifted = edits.shift(np.array([1.0, -1.0]), drawn, lengths)
    assert np.linalg.norm(shifted, axis=2) == pytest.approx(np.broadcast_to(lengths[:, None], (2, 1000)))


def test_a_control_is_the_same_direction_in_every_fold():
    """Else its effects would cancel over folds, where a probe's do not."""
    random = np.random.default_rng(0)
    states = random.standard_normal((3000, 8)) @ random.standard_normal((8, 8))
    labels = random.integers(0, 2, 3000)
    folds = [edits.training(states[number::3], labels[number::3]) for number in range(3)]
    one, *others = (edits.drawn(100, 1, fold, np.random.default_rng(1))[:, 0] for fold in folds)
    assert all((one * other).sum(axis=1).min() > 0.95 for other in others)


def test_a_subspace_has_the_dimensions_that_are_there_and_none_of_rounding():
    vectors = np.array([[1.0, 0, 0, 0], [1, 0, 0, 0], [1, 1, 1, 0], [0, 1, 1, 1e-7]])
    basis = edits.subspace(vectors)
    assert basis.shape == (2, 4)
    assert vectors[:3] @ basis.T @ basis == pytest.approx(vectors[:3], abs=1e-6)
    assert edits.subspace(-3 * vectors[:1]) == pytest.approx(-vectors[:1])
    assert edits.subspace(np.zeros((2, 4))).shape == (0, 4)


def test_after_erasure_no_line_tells_the_classes_apart():
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 600)
    states = random.standard_normal((600, 6)) @ random.standard_normal((6, 6)) + 2.0 * labels[:, None]
    erased = states + edits.eraser(states, labels)(states)
    gap = erased[labels == 1].mean(axis=0) - erased[labels == 0].mean(axis=0)
    assert np.abs(gap).max() < 0.05 * np.abs(edits.training(states, labels).gap).max()
    assert LogisticRegression().fit(erased, labels).score(erased, labels) < 0.6


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"0": ["no"], "2": ["yes"]}, "answers of 0, 2, but the label's classes are 0, 1"),
        ({"0": ["no"], "1": ["maybe"]}, "the vocabulary has no token for ' then maybe'"),
        ({"0": ["no"], "1": ["no yes"]}, "the answer 'no' is, or begins, another answer in tokens"),
        ({"0": ["yes"], "1": ["yes"]}, "classes share their answers"),
    ],
)
def test_answers_that_cannot_be_asked_for(folder, answers, message):
    of = study(folder, {TASK: {"pattern": " then {}", "answers": answers}})
    with pytest.raises(QuestionError, match=message.replace("(", r"\(")):
        interventions.compute(of, speaker(of), "words", sources(folder), learnt(folder, of))


def test_answers_of_several_tokens_are_scored_as_sequences(folder):
    reader, ids = speaker(study(folder)).reader, sources(folder)["words"].tokens
    text = ids.text(known.WORDS.index("good1"))
    question = ask(known.tokenizer(), "good1", text, 0, ["yes no", "no no"], " then {}")
    (found,) = asking.ask_all(reader, [question], 1, lambda _: np.zeros((1, known.WIDTH)), 64)
    with torch.no_grad():
        for place, word in enumerate(("yes", "no")):
            whole = torch.tensor([[*text, *(known.VOCABULARY.index(one) for one in ("then", word, "no"))]])
            logs = reader.model(whole).logits.log_softmax(dim=2)[0]
            expected = sum(float(logs[at, whole[0, at + 1]]) for at in range(len(text), whole.shape[1] - 1))
            assert found[0, place] == pytest.approx(expected, abs=1e-5)


def test_a_text_that_reads_otherwise_with_an_answer_is_refused(folder):
    ids = sources(folder)["words"].tokens.text(0)
    with pytest.raises(QuestionError, match="has other tokens where"):
        ask(known.tokenizer(), known.WORDS[0], ids, 0, ["yes"])


def test_strengths_beyond_the_dtype_are_refused_before_anything_runs(folder):
    of = study(folder, strengths=[1e39], n_controls=0)
    with pytest.raises(ActivationError, match=r"an edit of \S+ is beyond float32"):
        interventions.compute(of, speaker(of), "words", sources(folder), learnt(folder, of))


def test_a_strength_that_overflows_at_the_last_layer_is_refused_at_the_beginning(folder, monkeypatch):
    of = study(folder, strengths=[1e30], n_controls=0)
    monkeypatch.setattr(interventions.asking, "ask_all", None)
    source = sources(folder)["words"]
    right = Source.layer
    monkeypatch.setattr(Source, "layer", lambda self, layer: right(self, layer) * (1e9 if layer == 3 else 1.0))
    named = of.interventions.behaviours[0]
    one = subjects.subject(of, named, source, None, learnt(folder, of), known.tokenizer())
    with pytest.raises(ActivationError, match=r"layer 3: an edit of \S+ is beyond float32"):
        subjects.check_strengths(one, source, of, of.model("known"))


def test_directions_of_another_width_or_layer_are_refused_before_a_model_is_loaded(folder):
    of, probes = study(folder), [folder / "probes" / "words-0123456789"]
    found = learnt(folder, of)
    given.check_directions(found, of.model("known"), LAYERS, probes)
    with pytest.raises(given.InterventionError, match="are of no layer that is asked for"):
        given.check_directions(found, of.model("known"), (0, 1), probes)
    config = json.loads((folder / "model" / "config.json").read_text())
    (folder / "other").mkdir(exist_ok=True)
    (folder / "other" / "config.json").write_text(json.dumps({**config, "hidden_size": 20}))
    other = replace(of.model("known"), folder=folder / "other")
    with pytest.raises(given.InterventionError, match="have 16 dimensions, expected 20"):
        given.check_directions(found, other, LAYERS, probes)


def test_probes_of_other_states_are_refused(tmp_path):
    states, probes = tmp_path / "words-0123456789", tmp_path / "probes" / "words-aaaaaaaaaa"
    probes.mkdir(parents=True)
    for digest, fits in (("0123456789", True), ("9876543210", False)):
        (probes / "record.json").write_text(json.dumps({"made_of": {"features": digest}}))
        if fits:
            given.check_made_of([states], [probes])
        else:
            with pytest.raises(given.InterventionError, match="were fitted to the states 9876543210"):
                given.check_made_of([states], [probes])


def test_the_whole_states_swap_is_no_direction_and_is_not_tested(found):
    """It is the most that a swap could do, beside which nothing random is as long."""
    assert "whole_state" not in set(found[4]["direction"])
    assert set(found[4].loc[found[4]["operation"] == "remove", "direction"]) == {"mean_difference"}


def test_states_of_another_model_are_refused(folder):
    of = study(folder, n_controls=0)
    with pytest.raises(ParityError, match="the cached states of layer 0 of known differ from the model's"):
        interventions.compute(of, speaker(of, known.weights(seed=1)), "words", sources(folder), learnt(folder, of))


def test_few_controls_give_no_p_value(folder):
    of = study(folder, n_controls=20, n_targets=12)
    result = interventions.compute(of, speaker(of), "words", sources(folder), learnt(folder, of))
    causal, tests = causal_tables(of, [Intervened("known", *result)])
    assert tests["p_value"].isna().all()
    assert causal["p_value"].isna().all()
    assert (tests["n_controls"] == 20).all()


def test_a_data_set_that_is_not_intervened_on_or_not_given_is_named(folder):
    of, known = study(folder), sources(folder)
    given.check_named(of, "words", known)
    with pytest.raises(given.InterventionError, match="letters has no task that is intervened on; the configuration"):
        given.check_named(of, "letters", known)
    with pytest.raises(given.InterventionError, match="no tables were given of words"):
        given.check_named(of, "words", {})
