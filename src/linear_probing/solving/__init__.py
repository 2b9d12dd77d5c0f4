"""Solvers of the probes: many folds, penalties and labelings of one feature matrix at once."""
