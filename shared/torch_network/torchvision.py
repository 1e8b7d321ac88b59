"""torchvision's networks, by name: architecture, weights, recipe and labels, and the fingerprint that both sides compare."""

from __future__ import annotations

import hashlib
import inspect
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import fx
from torch.overrides import TorchFunctionMode

from shared.errors import ModelError, suggest
from shared.limits import FINGERPRINT_BYTES
from shared.network.labels import read_labels
from shared.process.machine import expand_home
from shared.torch_network.detection.detector import as_network, recipe_of
from shared.torch_network.detection.features import without_values
from shared.torch_network.detection.own_answers import settle
from shared.torch_network.graph.inspection import check_arguments, check_running
from shared.torch_network.graph.outputs import flatten
from shared.torch_network.network import TorchNetwork
from shared.torch_network.recipes import from_preset, settled
from shared.torch_network.vision import (
    get_model,
    get_model_builder,
    list_models,
    torchvision,
)
from shared.torch_network.weights.classes import classes_in
from shared.torch_network.weights.fit import fit
from shared.torch_network.weights.loading import Weights, load_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shared.network.choice import NetworkChoice
    from shared.network.recipe import Recipe
    from shared.tasks.spec import TaskSpec
    from shared.torch_network.detection.detector import Network as Detector
    from shared.torch_network.weights.checkpoint import State


def build_torchvision(choice: NetworkChoice, *, patience_s: float) -> TorchNetwork:
    """Build a network of torchvision. A state dict with another number of classes gets a classifier of that size."""
    name = choice.model
    known = list_models()
    if name not in known:
        raise ModelError(
            f"unknown model {name!r}; {suggest(name, known)}; accepted: a name of torchvision, timm:NAME, file.py:build, "
            "package.module:build, or the path of a bundle, or of an ONNX, OpenVINO or tflite file"
        )
    is_classifier = name in list_models(module=torchvision.models)
    is_detector = name in list_models(module=torchvision.models.detection)
    if not (is_classifier or is_detector):
        check_arguments(partial(_annotated_class(name).forward, None), _told(name))
    chosen = load_weights(name, choice.weights, seed=choice.seed, patience_s=patience_s)
    task = None
    if is_detector:
        detector, recipe, task, notes = _build_detector(choice, chosen)
        module: torch.nn.Module = detector
        classes: int | None = detector.classes
    else:
        recipe = settled(from_preset(chosen.published.transforms()), choice.recipe)
        module, notes = _build(name, chosen, recipe)
        if not is_classifier:
            check_running(module, recipe.tensor_shape, _told(name))
        classes = _classes(module) if is_classifier else _classes_of_pixels(module, recipe)
    return TorchNetwork(
        name=name,
        weights=chosen.description,
        module=module,
        recipe=recipe,
        labels=_labels(choice.labels, chosen.published.meta["categories"], classes),
        source={
            "kind": "torchvision",
            "model": name,
            "weights": chosen.given,
            "seed": choice.seed,
            "recipe": choice.recipe,
        },
        fingerprint=_fingerprint(name, module, recipe),
        notes=(*notes, *_notes_on_recipe(chosen, choice.recipe, module)),
        task=task,
    )


def _told(name: str) -> str:
    """What is no classifier, with the part of torchvision that it belongs to."""
    return f"{name} (of {'.'.join(get_model_builder(name).__module__.split('.')[:3])})"


def _notes_on_recipe(chosen: Weights, changes: str | None, module: torch.nn.Module) -> list[str]:
    if not chosen.is_own or changes:
        return []
    notes = [
        f"the recipe is that of {chosen.published.name}, whatever these weights were trained with; --recipe says another"
    ]
    if getattr(module, "transform_input", None) is False:
        notes.append(
            "the network does not transform its input; for weights that were trained with transform_input=True (those that "
            "began with torchvision's own) give --recipe mean=0.5,std=0.5, which does the same"
        )
    return notes


def _annotated_class(name: str) -> Any:
    """The class that a builder says it returns."""
    return inspect.signature(get_model_builder(name)).return_annotation


def _arguments(name: str, recipe: Recipe, *, is_own: bool) -> dict[str, Any]:
    """What a builder must be told in order to build what its published weights are for, without fetching any."""
    builder = inspect.signature(get_model_builder(name)).parameters
    accepted = inspect.signature(_annotated_class(name)).parameters
    found: dict[str, Any] = {}
    if "weights_backbone" in builder:
        found["weights_backbone"] = None
    if "image_size" in accepted:  # the size of a position table
        found["image_size"] = recipe.width
    if "transform_input" in accepted:
        # Published weights were trained on inputs of a different scale, which the builders correct only when they fetch the
        # weights themselves. Whoever trained their own did so in most cases without.
        found["transform_input"] = not is_own
    if "init_weights" in accepted and accepted["init_weights"].default is None:
        found["init_weights"] = False  # it would take a minute
    return found


def _build(name: str, chosen: Weights, recipe: Recipe) -> tuple[torch.nn.Module, tuple[str, ...]]:
    module, state, notes = _construct(name, chosen, _arguments(name, recipe, is_own=chosen.is_own))
    if state is not None:
        notes += fit(module, state, _misfit(name, chosen), input_shape=recipe.tensor_shape)
    return module.eval().requires_grad_(requires_grad=False), notes


def _build_detector(
    choice: NetworkChoice, chosen: Weights
) -> tuple[Detector, Recipe, TaskSpec, tuple[str, ...]]:
    """It says itself how its pictures are prepared."""
    name = choice.model
    detector, state, notes = _construct(name, chosen, {"weights_backbone": None})
    detector.eval().requires_grad_(requires_grad=False)
    recipe = settled(recipe_of(detector, name), choice.recipe)
    module = as_network(detector, recipe, name)
    if state is not None:
        notes += fit(module, state, _misfit(name, chosen), input_shape=recipe.tensor_shape)
    return module, recipe, settle(detector, module, recipe.tensor_shape, name), notes


def _misfit(name: str, chosen: Weights) -> str:
    return f"weights {chosen.description} do not fit {name}"


def _construct(
    name: str, chosen: Weights, arguments: dict[str, Any]
) -> tuple[torch.nn.Module, State | None, tuple[str, ...]]:
    """The network with seeded weights, or without values for a state dict, which comes with it."""
    make: Callable[..., torch.nn.Module] = partial(get_model, name, weights=None, **arguments)
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")  # torchvision warns about future defaults of its initialisers
        if chosen.checkpoint is None:
            torch.manual_seed(chosen.seed)
            return make(), None, ()
        with _WithoutValues():
            module = make()
            state, notes = chosen.state_for(module.state_dict())
            classes = classes_in(state, module, lambda number: make(num_classes=number))
            return (module if classes is None else make(num_classes=classes)), state, notes


class _WithoutValues(TorchFunctionMode):
    """Builds networks whose parameters have shapes but neither values nor memory: the weights will bring both.

    Initialising a ResNet-50 takes as long as reading its weights, and its values would be in memory beside them. Only what a
    constructor leaves to its initialisers goes to the `meta` device, because it computes with the rest (RegNet with its widths,
    Swin with its tables).
    """

    _INITIALISERS = frozenset({"normal_", "erfinv_", "clamp_"})
    """On the `meta` device these would import torch's compiler, for a second and 70 MB, and change nothing."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        del types
        kwargs = kwargs or {}
        if func is torch.empty:
            return func(*args, **{**kwargs, "device": "meta"})
        if getattr(func, "__name__", "") in self._INITIALISERS:
            tensor = args[0] if args else kwargs["tensor"]
            if tensor.is_meta:
                return tensor
        try:
            return func(*args, **kwargs)
        except RuntimeError:  # a constructor tries its parts out on a picture of its own (SSD)
            return func(*fx.node.map_aggregate(args, _without), **fx.node.map_aggregate(kwargs, _without))


def _without(value: Any) -> Any:
    return value.to("meta") if isinstance(value, torch.Tensor) else value


def _classes(network: torch.nn.Module) -> int:
    last: torch.Tensor = next(reversed(network.state_dict().values()))
    return last.shape[0]


def _classes_of_pixels(network: torch.nn.Module, recipe: Recipe) -> int | None:
    """The classes that a segmentation network tells apart: the planes of its only output. None for other networks."""
    outputs = list(
        flatten(
            without_values(network, torch.empty(1, *recipe.tensor_shape, device="meta")), torch.Tensor
        ).values()
    )
    return outputs[0].shape[1] if [each.ndim for each in outputs] == [4] else None


def _labels(path: str | None, categories: Sequence[str], classes: int | None) -> tuple[str, ...]:
    """`classes`: None where nothing says what the outputs are."""
    if path is not None:
        return read_labels(expand_home(path), classes)
    if classes is None:
        return ()
    return (
        tuple(categories)
        if len(categories) == classes
        else tuple(f"class {index}" for index in range(classes))
    )


def _fingerprint(name: str, network: torch.nn.Module, recipe: Recipe) -> bytes:
    if getattr(network, "transform_input", None) is False:
        name += " transform_input=False"  # no weight and no line of the recipe tells these networks apart
    digest = hashlib.sha256(f"{name}\n{recipe.canonical()}\n".encode())
    for key, value in sorted(network.state_dict().items()):
        if not key.endswith("num_batches_tracked"):
            digest.update(f"{key} {value.dtype} {tuple(value.shape)}\n".encode())
            digest.update(memoryview(value.contiguous().numpy()).cast("B"))
    return digest.digest()[:FINGERPRINT_BYTES]
