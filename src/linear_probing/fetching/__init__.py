"""Fetching: models from the hub or an installed package, public files by URL; the only part that asks the network."""
