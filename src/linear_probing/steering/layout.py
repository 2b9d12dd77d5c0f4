"""What the interventions stage writes: names of files, keys and columns, for itself and for the statistics stage."""

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
