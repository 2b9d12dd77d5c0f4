"""Parts of the probes stage: penalised linear problems, solved many at a time."""
