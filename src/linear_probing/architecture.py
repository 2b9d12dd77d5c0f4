"""Architecture: what a loaded model is made of, found by its structure and its configuration.

Its blocks, what stands behind them, how many tokens it takes, and how it mixes them.
"""

from collections.abc import Callable

import torch

from linear_probing.stage import StudyError

ATTENTION = ("full_attention", "sliding_attention", "chunked_attention")


class ArchitectureError(StudyError):
    """A model whose states cannot be found."""


def blocks_path(model: torch.nn.Module, named: str | None = None) -> str:
    """Return the dotted name of the module list that holds the model's blocks, as 'layers' or 'h'.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        Whose configuration says how many blocks there are.
    named : str, optional
        The name, where the configuration of the study gives it; it is checked.

    Raises
    ------
    ArchitectureError
        If no module list, or more than one outside the others, is as long as the number of layers.
    """
    if getattr(model.config, "is_encoder_decoder", False):
        raise ArchitectureError(
            f"{type(model).__name__} has an encoder and a decoder; the study reads models with one stack of blocks",
            do="use a model that is an encoder or a decoder",
        )
    expected = model.config.get_text_config().num_hidden_layers  # type: ignore[union-attr, operator]
    lists = {n: len(m) for n, m in model.named_modules() if isinstance(m, torch.nn.ModuleList)}
    fitting = [name for name, length in lists.items() if length == expected]
    # A list within another (a block's experts) does not count beside it.
    found = [name for name in fitting if not any(name.startswith(f"{other}.") for other in fitting)]
    if named is not None:
        found = [name for name in fitting if name == named]
    if len(found) != 1:
        shown = ", ".join(f"{name} ({length})" for name, length in lists.items() if name.count(".") < 3) or "none"
        raise ArchitectureError(
            f"blocks of {type(model).__name__}: expected one module list of {expected} modules"
            f"{f' named {named}' if named else ''}, found {', '.join(found) or 'none'}",
            likely=f"the model's module lists are {shown}",
            do="name the right one as `blocks` in the model's configuration, if there is one: a module per layer",
        )
    return found[0]


def tails(model: torch.nn.Module, blocks: str) -> list[Callable[[torch.Tensor], torch.Tensor]]:
    """Return what may stand between the last block and a model's output: nothing, a norm, a projection, or both.

    Found by structure: the modules beside the blocks whose class is a norm or a linear map. Which of them it is, a
    comparison of states tells.
    """
    beside = model.get_submodule(blocks.rpartition(".")[0])
    width = model.config.get_text_config().hidden_size  # type: ignore[union-attr, operator]
    norms = [module for _, module in beside.named_children() if "norm" in type(module).__name__.lower()]
    linear = [module for _, module in beside.named_children() if isinstance(module, torch.nn.Linear)]
    projections = [module for module in linear if module.in_features == width]

    def chain(*modules: torch.nn.Module) -> Callable[[torch.Tensor], torch.Tensor]:
        return torch.nn.Sequential(*modules)

    single = [chain(), *(chain(module) for module in (*norms, *projections))]
    return single + [chain(norm, projection) for norm in norms for projection in projections]


def declares_causal(model: torch.nn.Module) -> bool | None:
    """Return whether a model's attention modules all say that they are causal; None where none says anything."""
    declared = [bool(module.is_causal) for module in model.modules() if hasattr(module, "is_causal")]
    return all(declared) if declared else None


def context(model: torch.nn.Module) -> int | None:
    """Return the greatest number of tokens that a loaded model takes, None where it has no bound.

    Where positions are counted from behind the padding's (RoBERTa), the table of positions has that many rows less.
    """
    found = getattr(model.config.get_text_config(), "max_position_embeddings", None)  # type: ignore[union-attr, operator]
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, torch.nn.Embedding) and module.padding_idx:
            return module.num_embeddings - module.padding_idx - 1
    return found if found is not None and found > 0 else None


def length_of_change(model: torch.nn.Module) -> int | None:
    """Return the length above which a batch's longest text changes the positions' angles for all; None where none does.

    So in longrope (Phi-3) and dynamic scaling: texts above it go through the model alone.
    """
    config = model.config.get_text_config()  # type: ignore[union-attr, operator]
    scaling = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    kinds = [scaling, *(value for value in scaling.values() if isinstance(value, dict))]
    if not any(kind.get("rope_type", kind.get("type")) in ("longrope", "dynamic") for kind in kinds):
        return None
    named = [getattr(config, "original_max_position_embeddings", None)]
    named += [kind.get("original_max_position_embeddings") for kind in kinds]
    return int(next((value for value in named if value), config.max_position_embeddings))


def mixes_otherwise(model: torch.nn.Module) -> bool:
    """Return whether a model mixes tokens by something that no mask reaches: convolutions, or a recurrent state.

    What leaks from one branch to another so may be smaller than a coarse dtype's tolerance; it is not rounding.
    """
    kinds = getattr(model.config.get_text_config(), "layer_types", None) or ()  # type: ignore[union-attr, operator]
    convolutions = (torch.nn.Conv1d, torch.nn.Conv2d)
    return any(kind not in ATTENTION for kind in kinds) or any(isinstance(m, convolutions) for m in model.modules())
