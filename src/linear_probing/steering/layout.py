"""What the interventions stage writes, and when it counts: for itself, and for what tests, draws and reports it."""

PAIRS, EFFECTS, CONTROLS = "pairs.csv", "effects.safetensors", "controls.safetensors"
CLEAN, COUNTERFACTUAL, ELSEWHERE = "clean", "counterfactual", "elsewhere"
"""In keys: no edit, the counterfactuals without an edit, and tokens in other texts."""
PREFERENCE, LOG_ODDS, ANSWERED = range(3)
MEASURES = ("preference", "log_odds", "answered")
"""Columns of what is measured of a pair."""
SHIFT, REMOVE, ERASE, SWAP = "shift", "remove", "erase", "swap"
LEACE, MEAN_DIFFERENCE, WHOLE = "leace", "mean_difference", "whole_state"
EFFECT_AXES = {"axes": "pair, measure (preference, log_odds, answered); elsewhere: token"}
CONTROL_AXES = {"axes": "control, measure (mean change over pairs); elsewhere: the first controls, mean over tokens"}
LEAST_CONTROLS = 1000
"""Below so many random directions nothing is tested: a first look."""
LEVEL = 0.01
"""Of p, below which a layer counts as one where a direction acts."""
