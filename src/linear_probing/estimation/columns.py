"""What every column of the statistics stage's tables means; columns.csv and docs/tables.md say it to readers.

A column that means one thing everywhere is described once, in `SHARED`; a table names its own columns, in order, with a
description where they mean something else. The descriptions are literals of this module, so that they count as code:
columns.csv beside a study's tables is never of other words than the code that wrote these.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

DICTIONARY = "columns.csv"
TEXT, WHOLE, NUMBER, TRUTH = "text", "whole number", "number", "True or False"
NEVER = "never"
METRIC = "of the metric"
NO_INTERVAL = "no more groups than folds, or a third of the resamples undefined"
UNDEFINED = "undefined, as where one class alone is scored"
NO_PREFERENCE = "the model does not tell the pairs apart: its interval holds no difference"
NO_CONTROLS = "no random direction stands beside it"
FEW_CONTROLS = "fewer than 1,000 random directions"
NO_CONTROL = "the task has no control task: it lacks the split `types`"


@dataclass(frozen=True)
class Column:
    """A column: what it holds, what that means, in which unit (empty: none), and when a cell is empty."""

    kind: str
    meaning: str
    unit: str = ""
    empty: str = NEVER


@dataclass(frozen=True)
class Table:
    """A table: a sentence on its rows; its columns in order, None for what `SHARED` says."""

    rows: str
    columns: Mapping[str, Column | None]


def _score(meaning: str, empty: str = UNDEFINED) -> Column:
    return Column(NUMBER, meaning, METRIC, empty)


def _probability(meaning: str, empty: str = "there are no permutations, or the score is undefined") -> Column:
    return Column(NUMBER, meaning, "probability", empty)


SHARED: dict[str, Column] = {
    "model": Column(TEXT, "the model's name in the configuration"),
    "task": Column(TEXT, "data set and label, as `cities.truth`"),
    "part": Column(
        TEXT,
        "`all` targets, or those of cities, pairs and nouns of which the embedded model, whichever is probed, read a "
        "verdict or an agreeing verb in training (`seen`), or none (`unseen`)",
    ),
    "split": Column(TEXT, "what is held out: `group`, `country`, `numbers`; `types` holds out rows, and no type"),
    "probe": Column(TEXT, "the probe's name in the configuration"),
    "metric": Column(TEXT, "`auroc` of binary tasks, `macro_f1` of classes, `r2` of places; secondary ones by name"),
    "layer": Column(WHOLE, "0 is what enters block 0, k what leaves block k, before the final norm"),
    "features": Column(TEXT, "what was probed: `layer_06`, `text`, or a column of the target table"),
    "estimate": _score("score of the targets by probes that were trained without their fold"),
    "lower": _score("lower end of the bootstrap interval", NO_INTERVAL),
    "upper": _score("upper end of the bootstrap interval", NO_INTERVAL),
    "n": Column(WHOLE, "targets that are scored", "targets"),
    "n_groups": Column(WHOLE, "units that the resamples draw: groups, countries, numbers", "groups"),
    "majority": _score("score of a probe without features: the training part's mean or most frequent class"),
    "text_baseline": _score("score of a probe on words and character 3-grams of what the model has read"),
    "control": _score("control task's score at this layer, under the split `types`", NO_CONTROL),
    "target_id": Column(TEXT, "the target's name in the data set's targets.csv"),
}
ESTIMATE = dict.fromkeys(("estimate", "lower", "upper", "n", "n_groups"))
SCORED = dict.fromkeys(("model", "task", "part", "split", "probe", "metric", "layer"))
CONTROLS = dict.fromkeys(("majority", "text_baseline", "control"))
PLAIN = {name: column for name, column in SCORED.items() if name != "split"}
FIT = {
    **dict.fromkeys(("model", "task", "split")),
    "labeling": Column(TEXT, "`true` labels, or those of the `control` task"),
    **dict.fromkeys(("probe", "features")),
}
DIFFERENCE = {
    "lower": _score("lower end of the difference's paired bootstrap interval", NO_INTERVAL),
    "upper": _score("upper end of the difference's paired bootstrap interval", NO_INTERVAL),
    **dict.fromkeys(("n", "n_groups")),
}
RIDGE_SCORE = _score("the ridge probe's score on the true labels")
NULL_MEAN = _score("mean of its scores under the permutations", "there are no permutations")
N_PERMUTATIONS = Column(WHOLE, "permutations of the labels", "permutations")
NO_LENGTH = "one of the two has length 0"
SECONDARY = "balanced_accuracy, log_loss (in nats), brier, calibration_error, spearman, median_km (in km)"
PENALTY = "C of a logistic probe, alpha of a ridge probe"

TABLES: dict[str, Table] = {
    "layers.csv": Table(
        "A row per model, task, part, split and layer, by the task's own probe.", {**SCORED, **ESTIMATE, **CONTROLS}
    ),
    "best_layer.csv": Table(
        "The same at the best layer, chosen for each fold by losses of inner folds that never saw it.",
        {
            **SCORED,
            "layer": Column(WHOLE, "the layer chosen in most folds, the lowest of equals"),
            **ESTIMATE,
            **CONTROLS,
        },
    ),
    "selectivity.csv": Table(
        "Task less control task, both under the split `types`, per model, task, part and layer.",
        {
            **PLAIN,
            "task_score": _score("score on the true labels"),
            "control_score": _score("score on the labels of the control task"),
            "selectivity": _score("task_score less control_score"),
            **DIFFERENCE,
        },
    ),
    "baselines.csv": Table(
        "What needs no model, per task, part and split.",
        {
            "baseline": Column(TEXT, "`majority`, `text`, or `column:` with a column of the target table"),
            **dict.fromkeys(("task", "part", "split", "metric")),
            **ESTIMATE,
        },
    ),
    "metrics.csv": Table(
        "Secondary metrics of every probe under the split `group`; not of twins beyond a model's first.",
        {
            **dict.fromkeys(("model", "task", "part", "split", "probe", "layer")),
            "metric": Column(
                TEXT, "balanced_accuracy, log_loss (nats), brier, calibration_error, spearman, median_km (km)"
            ),
            **ESTIMATE,
        },
    ),
    "probes.csv": Table(
        "The probes beside the task's own, per model, task, part, split and layer.",
        {
            **SCORED,
            **dict.fromkeys(("estimate", "lower", "upper")),
            "control": None,
            "selectivity": _score("task less control task by this probe, under the split `types`", NO_CONTROL),
            "gain": _score("estimate less that of the task's own probe at the same layer"),
            "gain_lower": _score("lower end of the gain's paired bootstrap interval", NO_INTERVAL),
            "gain_upper": _score("upper end of the gain's paired bootstrap interval", NO_INTERVAL),
            **dict.fromkeys(("n", "n_groups")),
        },
    ),
    "embedding_gain.csv": Table(
        "What each layer has over layer 0, by the task's own probe.",
        {**SCORED, "gain_over_embedding": _score("estimate less that of layer 0"), **DIFFERENCE},
    ),
    "leakage.csv": Table(
        "A split by row against the split by group, by the task's own probe.",
        {
            **PLAIN,
            "row_score": _score("score where rows of a group stand on both sides"),
            "group_score": _score("score where whole groups are held out"),
            "difference": _score("row_score less group_score"),
            **DIFFERENCE,
        },
    ),
    "seeds.csv": Table(
        "How the estimate under the split `group` varies over dealings of the groups to folds.",
        {
            **PLAIN,
            "n_seeds": Column(WHOLE, "dealings, the stored one among them", "dealings"),
            "mean": _score("mean over dealings"),
            "sd": _score("standard deviation over dealings, with n - 1"),
            "least": _score("least of the dealings"),
            "greatest": _score("greatest of the dealings"),
        },
    ),
    "learning.csv": Table(
        "The estimate after a share of the training groups, by the task's own probe.",
        {
            **PLAIN,
            "share": Column(NUMBER, "share of the training groups", "of 1"),
            "n_training_groups": Column(NUMBER, "groups a fold trains on, the mean over folds", "groups"),
            **ESTIMATE,
        },
    ),
    "significance.csv": Table(
        "The ridge probe's score against permuted labels, per model, task, part and layer.",
        {
            **dict.fromkeys(("model", "task", "part", "metric", "layer")),
            "score": RIDGE_SCORE,
            "null_mean": NULL_MEAN,
            "p_value": _probability("share of scores that reach the true one, which counts itself"),
            "n_permutations": N_PERMUTATIONS,
        },
    ),
    "best_layer_significance.csv": Table(
        "The same for the greatest score over layers, corrected over the tasks of a model and family.",
        {
            **dict.fromkeys(("model", "task")),
            "family": Column(TEXT, "what is corrected together: a part, or `headline`: each task once, `unseen` first"),
            **dict.fromkeys(("part", "metric")),
            "layer": Column(WHOLE, "the layer of the greatest score", empty="no layer has a defined score"),
            "score": RIDGE_SCORE,
            "null_mean": NULL_MEAN,
            "p_value": _probability("p-value of the greatest score among the permutations' greatest"),
            "p_holm": _probability("p_value corrected by Holm: bounds the chance of any false finding"),
            "p_bh": _probability("p_value corrected by Benjamini and Hochberg: bounds the share of false findings"),
            "n_tasks": Column(WHOLE, "tasks corrected for", "tasks"),
            "n_permutations": N_PERMUTATIONS,
        },
    ),
    "transfer.csv": Table(
        "Directions of one binary task scored on another, on targets whose group they were not trained on.",
        {
            "model": None,
            "train_task": Column(TEXT, "the task that the direction is of"),
            "test_task": Column(TEXT, "the task whose labels it is to tell; the same one: held-out folds"),
            **dict.fromkeys(("probe", "layer", "metric")),
            **ESTIMATE,
            "estimate": _score("mean over the directions of the training folds; below .5 is the opposite order"),
        },
    ),
    "cosines.csv": Table(
        "Every pair of directions of one layer, and of layers of one task and probe, once each.",
        {
            **dict.fromkeys(("model", "layer", "task", "probe")),
            "other_layer": Column(WHOLE, "the other direction's layer"),
            "other_task": Column(TEXT, "the other direction's task"),
            "other_probe": Column(TEXT, "the other direction's probe"),
            "cosine": Column(
                NUMBER, "cosine of the two, in the space of the states as they are", "-1 to 1", "one has no length"
            ),
        },
    ),
    "causal.csv": Table(
        "What edits of states did to a model's answers: a row per edit and layer, means over pairs of a target and its "
        "counterfactual, an example of another label.",
        {
            **dict.fromkeys(("model", "task")),
            "operation": Column(
                TEXT,
                "`shift` along a direction towards the counterfactual's class; `remove` the component in a subspace; "
                "`erase` all that is linearly decodable; `swap` the component for the counterfactual's",
            ),
            "direction": Column(
                TEXT, "the probe it is of; `mean_difference` of classes, `leace`, or the `whole_state`"
            ),
            "of_task": Column(TEXT, "the task that the direction is of"),
            "of_layer": Column(WHOLE, "the layer that the direction is of"),
            "layer": Column(WHOLE, "the layer whose states are changed, as in other tables"),
            "strength": Column(NUMBER, "of a shift, in lengths of the difference of class means; 1 of all others"),
            "estimate": Column(
                NUMBER,
                "normalised indirect effect: mean change of the preference, over how far the counterfactuals' is off; "
                "0 changes nothing, 1 answers as to the counterfactual",
                "of 1",
                NO_PREFERENCE,
            ),
            "lower": Column(NUMBER, "lower end of the bootstrap interval", "of 1", NO_PREFERENCE),
            "upper": Column(NUMBER, "upper end of the bootstrap interval", "of 1", NO_PREFERENCE),
            "n": Column(WHOLE, "pairs", "pairs"),
            "n_groups": None,
            "change": Column(
                NUMBER,
                "mean change of the preference: probability of the counterfactual's answers less the target's own",
                "probability",
            ),
            "log_odds": Column(NUMBER, "mean change of the log odds of these answers", "nats"),
            "answered": Column(NUMBER, "mean change of the probability of all these answers", "probability"),
            "loss": Column(
                NUMBER, "mean rise of the next token's loss in other texts", "nats", "no data set is named for it"
            ),
            "control_95": Column(
                NUMBER, "95th percentile of the random directions' effects at this layer", "of 1", NO_CONTROLS
            ),
            "control_greatest": Column(NUMBER, "the greatest of them", "of 1", NO_CONTROLS),
            "control_loss": Column(NUMBER, "mean loss of the first twenty random directions", "nats", NO_CONTROLS),
            "p_value": _probability(
                "of the effect, against the greatest of each random direction over layers, in units of each layer's",
                FEW_CONTROLS,
            ),
            "p_log_odds": _probability("the same, of the change of log odds", FEW_CONTROLS),
            "n_controls": Column(WHOLE, "random directions that it is compared with", "directions"),
        },
    ),
    "causal_tests.csv": Table(
        "Each kind of direction at the layer where it acts most, per model, task and operation with random directions.",
        {
            **dict.fromkeys(("model", "task")),
            "operation": Column(TEXT, "as in causal.csv: `shift` or `swap`, which suffice, and `remove`"),
            "direction": Column(TEXT, "as in causal.csv"),
            "layer": Column(WHOLE, "the layer of the greatest effect"),
            "estimate": Column(NUMBER, "normalised indirect effect there", "of 1", NO_PREFERENCE),
            "control_95": Column(
                NUMBER, "95th percentile of the random directions' effects at that layer", "of 1", NO_PREFERENCE
            ),
            "p_value": _probability("of the greatest effect over layers, against those of random ones", FEW_CONTROLS),
            "p_holm": _probability("corrected over the model's tasks (Holm)", FEW_CONTROLS),
            "p_log_odds": _probability("as p_value, of the change of log odds", FEW_CONTROLS),
            "p_log_odds_holm": _probability("corrected over the model's tasks (Holm)", FEW_CONTROLS),
            "n_tasks": Column(WHOLE, "tasks that are corrected together", "tasks"),
            "acts_from": Column(WHOLE, "first layer with p_value < .01 in causal.csv", empty="no layer acts"),
            "acts_to": Column(WHOLE, "last such layer", empty="no layer acts"),
            "n_layers": Column(WHOLE, "such layers", "layers"),
            "n_controls": Column(WHOLE, "random directions", "directions"),
        },
    ),
    "code_length.csv": Table(
        "Online code length of the labels given the features, for tasks whose own probe is logistic.",
        {
            **dict.fromkeys(("model", "task", "features")),
            "layer": Column(WHOLE, "the layer that the features are", empty="the features are no layer"),
            "n_classes": Column(WHOLE, "classes of the label", "classes"),
            "n_portions": Column(WHOLE, "portions, each coded by a probe trained on those before", "portions"),
            "n_coded": Column(WHOLE, "labels coded", "targets"),
            "bits": Column(NUMBER, "length of the code", "bits"),
            "uniform_bits": Column(NUMBER, "length of the uniform code", "bits"),
            "compression": Column(NUMBER, "uniform_bits over bits: 1 where the features tell nothing", "ratio"),
            "bits_per_label": Column(NUMBER, "bits over labels", "bits"),
        },
    ),
    "map.csv": Table(
        "True and predicted place of each target, under the position task's first split; no later twins.",
        {
            **dict.fromkeys(("model", "task", "layer", "target_id")),
            "group": Column(TEXT, "the city"),
            "part": Column(TEXT, "`seen` or `unseen` by the embedded model", empty="the data set has no parts"),
            "lon": Column(NUMBER, "true longitude, east positive", "degrees"),
            "lat": Column(NUMBER, "true latitude, north positive", "degrees"),
            "pred_lon": Column(NUMBER, "predicted longitude", "degrees"),
            "pred_lat": Column(NUMBER, "predicted latitude", "degrees"),
            "error_km": Column(NUMBER, "distance between the two on a sphere", "km"),
        },
    ),
    "map_summary.csv": Table(
        "What sums map.csv up, per model, task and layer.",
        {
            **dict.fromkeys(("model", "task", "layer", "n")),
            "median_error_km": Column(NUMBER, "median of error_km over all targets", "km"),
        },
    ),
    "plane.csv": Table(
        "Two principal components of the states at each target of the binary tasks, per layer; no later twins.",
        {
            **dict.fromkeys(("model", "task", "layer", "target_id")),
            "label": Column(TEXT, "the target's class, as the data set writes it"),
            "part": Column(TEXT, "`seen` or `unseen` by the embedded model", empty="the data set has no parts"),
            "x": Column(NUMBER, "first component", "of the states"),
            "y": Column(NUMBER, "second component", "of the states"),
        },
    ),
    "fits.csv": Table(
        "How the fits went, per model, task, split, labeling, probe and features.",
        {
            **FIT,
            "n_fits": Column(WHOLE, "probes fitted, one a fold", "fits"),
            "converged": Column(NUMBER, "share of the fits that converged", "of 1"),
            "max_iterations": Column(WHOLE, "most iterations of a fit", "iterations"),
            "penalty_least": Column(NUMBER, f"least penalty chosen: {PENALTY}", empty="the probe has none"),
            "penalty_median": Column(NUMBER, "the lower of the middle two", empty="the probe has none"),
            "penalty_greatest": Column(NUMBER, "greatest penalty chosen", empty="the probe has none"),
            "n_notes": Column(WHOLE, "fits that notes.csv has words on", "fits"),
        },
    ),
    "notes.csv": Table(
        "A row per fit that did not converge or lacked something, as a class in training or features that vary.",
        {
            **FIT,
            "fold": Column(WHOLE, "the fold that it was not trained on"),
            "penalty": Column(NUMBER, f"the penalty chosen: {PENALTY}", empty="the probe has none"),
            "n_iterations": Column(WHOLE, "iterations of the fit", "iterations"),
            "converged": Column(TRUTH, "whether the fit converged"),
            "note": Column(TEXT, "what happened, in words"),
        },
    ),
    "checks.csv": Table(
        "What is odd about the features of a data set, per model and layer.",
        {
            "model": None,
            "dataset": Column(TEXT, "the data set's name in the configuration"),
            "features": None,
            "n_targets": Column(WHOLE, "targets of the data set", "targets"),
            "n_constant_features": Column(WHOLE, "features that are equal at all targets", "features"),
            "n_in_two_groups": Column(WHOLE, "targets with the very state of one in another group", "targets"),
        },
    ),
    DICTIONARY: Table(
        "What every column of these tables means.",
        {
            "table": Column(TEXT, "file name"),
            "column": Column(TEXT, "name in the file's first line"),
            "kind": Column(TEXT, "what a cell holds: text, whole number, number, True or False"),
            "unit": Column(TEXT, "unit of a number", empty="it has none"),
            "meaning": Column(TEXT, "what the cell says"),
            "empty": Column(TEXT, "when a cell is empty"),
        },
    ),
}


def described(table: str) -> dict[str, Column]:
    """Return the columns of a table by name, in order; a table without a description has none."""
    own = TABLES[table].columns if table in TABLES else {}
    return {name: SHARED[name] if column is None else column for name, column in own.items()}


def dictionary() -> pd.DataFrame:
    """Return columns.csv: a row per table and column."""
    rows = [
        {"table": table, "column": name, **{key: getattr(column, key) for key in ("kind", "unit", "meaning", "empty")}}
        for table in TABLES
        for name, column in described(table).items()
    ]
    return pd.DataFrame.from_records(rows)
