"""Downloads: what a configuration names by content, in; its files, checked and recorded, out.

In: the hub's models by commit, those of installed packages by version, and public files by URL and SHA-256. Out: a
folder named after the content, with the files' digests in its record; every later stage reads that, offline. A model's
files are linked to where they already lie, so that they take no more space. Cost: the download, once.
"""

import argparse
import logging
import os
import shutil
import time
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path

from linear_probing import records, settings
from linear_probing.artefacts import Artefacts, shown
from linear_probing.fetching import files
from linear_probing.fetching.hub import UNWANTED, FetchError, snapshot, wanted
from linear_probing.fetching.packages import package_folder
from linear_probing.language_model import Hub, Model
from linear_probing.provenance import file_digest
from linear_probing.sources import Source
from linear_probing.stage import run

LOG = logging.getLogger("downloads")
LARGE = 1_000_000
"""Bytes above which a file is linked: weights. What is small is copied, since hands and tools may rewrite it."""


def fetch(item: Model | Source, folder: Path) -> None:
    """Put what was named into a folder that exists.

    Raises
    ------
    FetchError
        If it cannot be had, or has other bytes than the configuration says.
    """
    if isinstance(item, Source):
        files.fetch(item, folder)
        return
    assert item.origin is not None
    if isinstance(item.origin, Hub):
        found = snapshot(item.origin.repository, item.origin.commit, item.allow)
    else:
        found = package_folder(item.origin)
    place(found, folder, wanted(item.allow))
    check_model(item, folder)


def place(found: Path, folder: Path, patterns: tuple[str, ...]) -> None:
    """Link or copy the files of a folder that fit a pattern into another."""
    for path in sorted(found.iterdir()):
        unwanted = any(fnmatch(path.name, pattern) for pattern in UNWANTED)
        if path.is_file() and not unwanted and any(fnmatch(path.name, pattern) for pattern in patterns):
            whole, target = path.resolve(), folder / path.name  # the hub's cache holds links
            if whole.stat().st_size >= LARGE:
                with suppress(OSError):  # another disk
                    os.link(whole, target)
            if not target.is_file():
                shutil.copyfile(whole, target)


def check_model(model: Model, folder: Path) -> None:
    """Check that a fetched model is whole, and has the bytes that its configuration names.

    Raises
    ------
    FetchError
        If it lacks config.json or weights, or a file has another SHA-256.
    """
    names = sorted(path.name for path in folder.iterdir())
    if "config.json" not in names or not any(name.endswith((".safetensors", ".bin")) for name in names):
        raise FetchError(
            f"model {model.name}: expected config.json and *.safetensors, found {', '.join(names) or 'nothing'}",
            likely="its weights are there only as pickles, or in a folder of their own",
            do="choose a commit with safetensors, or add pickled_weights to `allow` if you trust their source",
        )
    for name, expected in model.sha256.items():
        found = file_digest(folder / name) if name in names else None
        if found != expected:
            raise FetchError(
                f"model {model.name}: {name} has the SHA-256 {found or 'of no file'}, expected {expected}",
                likely="another version of the weights, or a damaged file",
                do="fetch the version that the configuration names, or correct its sha256",
            )


def main() -> None:
    """Fetch one model or one public file."""
    parser = argparse.ArgumentParser(description="Fetch a model, or a public file, that a configuration names.")
    parser.add_argument("--config", type=Path, required=True, help="the study's configuration")
    parser.add_argument("--output", type=Path, required=True, help="folder to write, as the study names it")
    arguments = parser.parse_args()
    study = settings.load(arguments.config)
    known = Artefacts(study).downloads
    item = known.get(shown(arguments.output).as_posix())
    if item is None:
        raise FetchError(
            f"{arguments.output} is no folder of what {study.name} fetches: {', '.join(known) or 'nothing'}",
            file=arguments.config,
            do="name one of them",
        )
    start = time.monotonic()
    LOG.info("%s: fetching", item.name)
    if isinstance(item, Source) and item.notice:
        LOG.warning("licence of %s: %s; %s", item.name, item.licence, item.notice)
    with records.making(study, "downloads", arguments.output, []) as folder:
        fetch(item, folder)
        n_bytes = sum(path.stat().st_size for path in folder.iterdir())
    LOG.info("%s: %.1f MB, %.1f s", item.name, n_bytes / 1e6, time.monotonic() - start)


if __name__ == "__main__":
    run(main)
