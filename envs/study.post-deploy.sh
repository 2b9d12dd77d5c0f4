#!/bin/sh
# Install the package into the conda environment of study.yaml, which is active. Snakemake runs a copy of this
# script, in its working directory: that must be the root of the repository, as it is unless --directory is given.
set -eu
if ! grep -qs '^name = "linear-probing"' pyproject.toml; then
    echo "$PWD holds no pyproject.toml of linear-probing" >&2
    echo "  do: run snakemake in the root of the repository, without --directory" >&2
    exit 1
fi
python -m pip install --quiet --no-deps --no-build-isolation --editable .
python -m pip check
