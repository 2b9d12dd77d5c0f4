"""What a configuration says of a language model: where it comes from, its shape, and how it is run.

A model is a folder, a commit of the hub, or what an installed package ships. The last two are named by content, so that
all digests and paths are known before anything is fetched, without a network: the downloads stage puts their files into
the folder that stands here. Standard library only, since the Snakefile reads settings.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from linear_probing.provenance import Made
from linear_probing.stage import StudyError

BUDGETS = {"cpu": 1024, "cuda": 8192, "auto": 8192}
"""Tokens in a batch: a CPU is faster with small ones, which need less padding and keep more in its cache."""
DEPTH = ("num_hidden_layers", "n_layer", "num_layers", "n_layers")
WIDTH = ("hidden_size", "n_embd", "d_model", "dim")
CONTEXT = ("max_position_embeddings", "n_positions", "max_seq_len")
"""What the architectures call these numbers in config.json; which is read without the library that knows them all."""
DOWNLOADS = "results/downloads"
NEEDS = {"folder": (), "repository": ("commit", "shape"), "package": ("version", "shape", "sha256")}
"""Keys that say where a model comes from, with those that each needs."""
MORE = {"package": ("subfolder",)}
OF_PLACES = {"folder", "repository", "package", "commit", "version", "subfolder"}
COMMIT = re.compile(r"[0-9a-f]{40}")
DO = "correct the configuration; config/README.md explains every key"


class SettingsError(StudyError):
    """A configuration that cannot be run."""


@dataclass(frozen=True)
class Shape:
    """Numbers of a model that are known before its files are: blocks, width, most tokens of a text, parameters.

    A model without a bound on its texts has no context.
    """

    n_layers: int
    d_model: int
    context: int | None
    n_parameters: int


@dataclass(frozen=True)
class Hub:
    """A model of the Hugging Face hub: its id, as 'openai-community/gpt2', and the commit's 40 hexadecimal digits."""

    repository: str
    commit: str

    @property
    def slug(self) -> str:
        """The name of its folder, without the digest."""
        return self.repository.replace("/", "--")


@dataclass(frozen=True)
class Package:
    """A model that an installed package ships: the distribution, its version, and the model's folder in its module."""

    package: str
    version: str
    subfolder: str

    @property
    def slug(self) -> str:
        """The name of its folder, without the digest."""
        return self.package


def made_of_download(origin: Hub | Package, allow: tuple[str, ...], sha256: Mapping[str, str]) -> Made:
    """Return what a fetched model's folder is made of: nothing but what names its content."""
    return Made("downloads", {**vars(origin), "allow": sorted(allow), "sha256": dict(sha256)}, {}, {})


@dataclass(frozen=True)
class Model:
    """A language model, or the twin of another with random weights.

    Parameters
    ----------
    name, dtype
        As in the configuration.
    folder : Path
        In the Hugging Face layout. Of a model with an origin, it is there once the downloads stage has run.
    seed : int, optional
        Of the twin's random weights; None for a model that is not a twin.
    device : str
        'cpu', 'cuda', or 'auto' for a model that accelerate spreads over the GPUs that its job holds.
    gpus : int
        That a job holds, of a model with device 'auto'; `n_gpus` has what a job of any device holds.
    tokens_per_batch : int, optional
        Tokens that go through the model at once, padding included; `BUDGETS` has the default of each device.
    shards : int
        Jobs, and files per data set, that the targets are divided between.
    layers : tuple[int, ...], optional
        Instead of the study's.
    blocks : str, optional
        Dotted name of the module list that holds the blocks, where their structure does not tell it.
    chat : bool
        Whether texts are put into the tokenizer's chat template, as a user's message.
    prefix_trees : bool
        Whether shared beginnings may be computed once.
    stored_dtype : str, optional
        Of the states on disk, where it is not the model's.
    allow : tuple[str, ...]
        What is refused unless it is named: 'pickled_weights', 'remote_code'.
    origin : Hub or Package, optional
        Where it is fetched from; None for a folder of the user's.
    shape : Shape, optional
        As the configuration has it; compared with the model when it is loaded.
    sha256 : Mapping[str, str]
        Of files of the folder that must have it, by name; compared when the model is loaded.
    """

    name: str
    folder: Path
    dtype: str
    seed: int | None = None
    device: str = "cpu"
    gpus: int = 1
    tokens_per_batch: int | None = None
    shards: int = 1
    layers: tuple[int, ...] | None = None
    blocks: str | None = None
    chat: bool = False
    prefix_trees: bool = True
    stored_dtype: str | None = None
    allow: tuple[str, ...] = ()
    origin: Hub | Package | None = None
    shape: Shape | None = None
    sha256: Mapping[str, str] = field(default_factory=dict)

    @property
    def budget(self) -> int:
        """Tokens that go through the model at once; halved when memory runs out."""
        return self.tokens_per_batch or BUDGETS[self.device]

    @property
    def n_gpus(self) -> int:
        """GPUs that a job of this model holds while it runs."""
        return 0 if self.device == "cpu" else self.gpus

    @property
    def download(self) -> Made | None:
        """What the folder is made of, if it is fetched; its digest stands for all that is in it."""
        return made_of_download(self.origin, self.allow, self.sha256) if self.origin else None

    def shard_name(self, shard: int) -> str:
        """Return the name of one shard's file of activations."""
        return f"shard-{shard}-of-{self.shards}.safetensors"

    def n_layers(self) -> int:
        """Return the number of blocks.

        Raises
        ------
        SettingsError
            If neither the configuration nor a readable config.json says it.
        """
        found = self.shape.n_layers if self.shape else self._number(DEPTH)
        if found is None:
            raise SettingsError(
                f"model {self.name}: its config.json has none of {', '.join(DEPTH)}",
                file=self.folder / "config.json",
                likely="the folder is not a language model's",
                do="add num_hidden_layers to config.json",
            )
        return found

    def context(self) -> int | None:
        """Return the greatest number of tokens the model takes; None if nothing says it.

        Raises
        ------
        SettingsError
            If the configuration does not say it and the folder has no readable config.json.
        """
        return self.shape.context if self.shape else self._number(CONTEXT)

    def width(self) -> int | None:
        """Return the number of dimensions of the residual stream, d_model; None if nothing says it.

        Raises
        ------
        SettingsError
            If the configuration does not say it and the folder has no readable config.json.
        """
        return self.shape.d_model if self.shape else self._number(WIDTH)

    def _number(self, keys: tuple[str, ...]) -> int | None:
        path = self.folder / "config.json"
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            content = {**content, **content.get("text_config", {})}
            return next((int(content[key]) for key in keys if content.get(key) is not None), None)
        except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
            raise SettingsError(
                f"model {self.name} has no readable config.json: {error}",
                file=path,
                likely="the folder is not a model, or the file was cut",
                do="name a folder in the Hugging Face layout, or build the embedded model with `make atlas`",
            ) from error


def model_of(name: str, value: Mapping[str, Any], root: Path, path: Path) -> Model:
    """Return a model from its entry in a configuration, which the schema has passed; of a twin, its original's.

    Parameters
    ----------
    name : str
        Its name.
    value : Mapping
        The entry, with `seed` if it is a twin.
    root : Path
        Where relative folders start.
    path : Path
        The configuration, for errors.

    Raises
    ------
    SettingsError
        If a commit is not whole, a fetched model has no shape, or a model that nothing spreads has several GPUs.
    """
    _check_place(name, value, path)
    _check_gpus(name, value, path)
    fields = {key: entry for key, entry in value.items() if key not in (*vars(Hub("", "")), *Package.__annotations__)}
    fields["allow"] = tuple(value.get("allow", ()))
    if "layers" in value:
        fields["layers"] = None if isinstance(value["layers"], str) else tuple(sorted(value["layers"]))
    if "shape" in value:
        fields["shape"] = Shape(**value["shape"])
    if "folder" in value:
        fields["folder"] = root / value["folder"]
        return Model(name, **fields)
    origin = _origin(name, value, path)
    fields["folder"] = folder_of_download(origin, made_of_download(origin, fields["allow"], value.get("sha256", {})))
    return Model(name, origin=origin, **fields)


def folder_of_download(origin: Hub | Package, made: Made) -> Path:
    """Return where the downloads stage puts a model, relative to the working directory as all results are."""
    return Path(DOWNLOADS, f"{origin.slug}-{made.digest}")


def _check_place(name: str, value: Mapping[str, Any], path: Path) -> None:
    """Check that one of folder, repository and package says where a model comes from, with what that needs alone."""
    named = [place for place in NEEDS if place in value]
    if len(named) != 1:
        raise SettingsError(
            f"models.{name}: {' and '.join(named) if named else 'nothing'} says where it comes from, expected one of"
            f" {', '.join(NEEDS)}",
            file=path,
            do=DO,
        )
    (place,) = named
    absent = [key for key in NEEDS[place] if key not in value]
    others = [key for key in OF_PLACES - {place, *NEEDS[place], *MORE.get(place, ())} if key in value]
    if absent or others:
        what = f"lacks {absent[0]}" if absent else f"has {sorted(others)[0]}, which means nothing there"
        raise SettingsError(
            f"models.{name}: a model by {place} {what}",
            file=path,
            likely="a shape is asked for since plans need no file" if "shape" in absent else None,
            do=DO,
        )


def _check_gpus(name: str, value: Mapping[str, Any], path: Path) -> None:
    device = value.get("device", "cpu")
    if value.get("gpus", 1) > 1 and device != "auto":
        raise SettingsError(
            f"models.{name}.gpus: {value['gpus']} with device {device}, which uses {int(device != 'cpu')}",
            file=path,
            do="set device to auto, which spreads a model over its GPUs, or leave gpus out",
        )


def _origin(name: str, value: Mapping[str, Any], path: Path) -> Hub | Package:
    if "package" in value:
        return Package(value["package"], value["version"], value.get("subfolder", "model"))
    repository, commit = value["repository"], str(value["commit"])
    if not COMMIT.fullmatch(commit):
        raise SettingsError(
            f"models.{name}.commit: {commit!r} is not a commit's 40 hexadecimal digits",
            file=path,
            likely="a branch, a tag or a short commit: it may name other weights tomorrow",
            do=f"copy it from git ls-remote https://huggingface.co/{repository} {commit}, or the model's page, Files,"
            " History",
        )
    return Hub(repository, commit)
