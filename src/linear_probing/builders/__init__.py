"""Builders of the default study's data sets, one module each: parameters and a seed in, a `Draft` out."""
