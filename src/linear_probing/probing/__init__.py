"""Parts of the probes stage: what is fitted to one layer for one task, and its controls."""
