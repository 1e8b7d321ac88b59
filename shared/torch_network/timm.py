"""timm's networks, by name: `timm:NAME`, with what its `pretrained_cfg` says. timm need not be installed otherwise."""

from __future__ import annotations

import sys
import tempfile
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from shared.errors import ModelError, suggest
from shared.network.choice import NAMED_SECONDS
from shared.network.labels import read_labels
from shared.process.child import run_module
from shared.process.machine import expand_home
from shared.torch_network import vision  # noqa: F401 - timm imports torchvision, which needs it
from shared.torch_network.function import ready
from shared.torch_network.graph.inspection import check_arguments, check_running
from shared.torch_network.messages import reason
from shared.torch_network.network import TorchNetwork
from shared.torch_network.recipes import from_timm, settled
from shared.torch_network.weights.checkpoint import Checkpoint
from shared.torch_network.weights.fit import fit
from shared.torch_network.weights.loading import AUTO_SECONDS, Weights, auto_or_random, download, weights_file
from shared.torch_network.weights.reading import read_checkpoint

if TYPE_CHECKING:
    from shared.network.choice import NetworkChoice
    from shared.network.recipe import Recipe

_PRETRAINED = "pretrained"
"""The weights that timm has for the name."""


def build_timm(choice: NetworkChoice, *, patience_s: float = NAMED_SECONDS) -> TorchNetwork:
    """Build `timm:NAME`, with or without a tag. `weights`: `auto`, `random`, `pretrained` or a file. Raises ModelError."""
    name = choice.model.partition(":")[2]
    library = _library(choice.model)
    _check_name(library, name)
    chosen = _load_weights(choice, name, patience_s)
    try:
        config = library.get_pretrained_cfg(name)
    except Exception as error:  # an unknown tag
        raise ModelError(f"{choice.model}: {reason(error)}") from error
    config = config.to_dict() if config is not None else {}
    base, notes = from_timm(config, choice.model)
    recipe = settled(base, choice.recipe)
    module, more = _build(library, choice, chosen, config, recipe)
    check_running(module, recipe.tensor_shape, choice.model)
    return TorchNetwork(
        name=choice.model,
        weights=chosen.description,
        module=module,
        recipe=recipe,
        labels=_labels(library, choice.labels, config, module),
        source={
            "kind": "timm",
            "model": choice.model,
            "weights": chosen.given,
            "seed": choice.seed,
            "recipe": choice.recipe,
        },
        fingerprint=None,
        notes=(*notes, *more),
    )


def _library(what: str) -> Any:
    try:
        import timm  # noqa: PLC0415 - optional
    except ImportError as error:
        raise ModelError(
            f"{what} needs the package timm, which cannot be imported ({reason(error)}): pip install timm"
        ) from error
    return timm


def _check_name(library: Any, name: str) -> None:
    if not library.is_model(name):
        known = library.list_models()
        raise ModelError(f"timm has no model {name!r}; {suggest(name.partition('.')[0], known)}")


def _load_weights(choice: NetworkChoice, name: str, patience_s: float) -> Weights:
    if choice.weights == "random":
        return Weights(f"random:{choice.seed}", "random", None, seed=choice.seed)
    if choice.weights == "auto":
        return auto_or_random(partial(_pretrained, name, AUTO_SECONDS), choice.seed)
    if choice.weights in {_PRETRAINED, "DEFAULT"}:
        try:
            return _pretrained(name, patience_s)
        except ModelError as error:
            raise ModelError(
                f"weights {choice.weights} of {choice.model}: {error}; give the path of a state dict, or random"
            ) from error
    return weights_file(choice.weights, choice.model, [_PRETRAINED])


def _pretrained(name: str, seconds: float) -> Weights:
    """timm's own weights, from its cache or downloaded, by a child process that is killed after `seconds`."""
    with tempfile.TemporaryDirectory(prefix="splitdnn-timm-") as folder:
        file = Path(folder) / f"{name}.pth"
        download([*run_module("shared.torch_network.timm"), name, str(file)], seconds)
        states = read_checkpoint(file).states
    return Weights(f"timm:{name}", _PRETRAINED, Checkpoint(file, states))


def _build(
    library: Any, choice: NetworkChoice, chosen: Weights, config: dict[str, Any], recipe: Recipe
) -> tuple[torch.nn.Module, tuple[str, ...]]:
    name = choice.model.partition(":")[2]
    arguments: dict[str, Any] = {}
    if config.get("input_size") and tuple(config["input_size"]) != recipe.tensor_shape:
        arguments["img_size"] = (recipe.height, recipe.width)  # for those whose position tables have one size
        if config["input_size"][0] != recipe.tensor_shape[0]:
            arguments["in_chans"] = recipe.tensor_shape[0]
    notes: tuple[str, ...] = ()
    module = _create(library, name, choice, arguments)
    if chosen.checkpoint is not None:
        state, notes = chosen.state_for(module.state_dict())
        classes = _classes(state, config)
        if classes not in {None, getattr(module, "num_classes", None)}:
            module = _create(library, name, choice, {**arguments, "num_classes": classes})
        what = f"weights {chosen.description} do not fit {choice.model}"
        notes += fit(module, state, what, input_shape=recipe.tensor_shape)
    return module, notes


def _create(library: Any, name: str, choice: NetworkChoice, arguments: dict[str, Any]) -> torch.nn.Module:
    try:
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            warnings.simplefilter("ignore")
            torch.manual_seed(choice.seed)
            try:
                module = library.create_model(name, pretrained=False, **arguments)
            except TypeError:
                if "img_size" not in arguments:
                    raise
                del arguments["img_size"]  # most take any size, and do not want to know it
                torch.manual_seed(choice.seed)
                module = library.create_model(name, pretrained=False, **arguments)
    except Exception as error:
        raise ModelError(f"{choice.model} cannot be built: {reason(error)}") from error
    check_arguments(module.forward, choice.model)
    return ready(module)


def _classes(state: dict[str, torch.Tensor], config: dict[str, Any]) -> int | None:
    """The number of classes that a state dict has, by the name of timm's classifier."""
    classifier = config.get("classifier")
    first = classifier[0] if isinstance(classifier, tuple | list) and classifier else classifier
    for suffix in ("weight", "bias"):
        given = state.get(f"{first}.{suffix}")
        if given is not None and given.ndim:
            return len(given)
    return None


def _labels(
    library: Any, path: str | None, config: dict[str, Any], module: torch.nn.Module
) -> tuple[str, ...]:
    if path is not None:
        return read_labels(expand_home(path))
    classes = getattr(module, "num_classes", None)
    names = config.get("label_names") or _imagenet(library, classes)
    return tuple(names) if len(names) == classes else ()


def _imagenet(library: Any, classes: int | None) -> list[str]:
    """The names of ImageNet's classes, if timm knows a set of as many."""
    subset = library.data.infer_imagenet_subset({"num_classes": classes})
    return list(library.data.ImageNetInfo(subset).label_descriptions()) if subset else []


def _save_pretrained(name: str, file: str) -> None:
    torch.save(_library(name).create_model(name, pretrained=True).state_dict(), file)


if __name__ == "__main__":  # the child of _pretrained
    _save_pretrained(*sys.argv[1:])
