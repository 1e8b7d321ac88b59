"""torchvision's networks, by name: architecture, weights, recipe and labels, and the fingerprint that both sides compare."""

from __future__ import annotations

import hashlib
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch.overrides import TorchFunctionMode

from shared.errors import ModelError, suggest
from shared.limits import FINGERPRINT_BYTES
from shared.network.labels import read_labels
from shared.network.recipe import Recipe, parse_recipe
from shared.torch_network.source import TorchNetwork
from shared.torch_network.vision import get_model, list_models, torchvision
from shared.torch_network.weights import Weights, fit, load_weights

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.network.choice import NetworkChoice

_CLASSES = 1000
# Both were trained on inputs of a different scale, which torchvision's builders correct only when they fetch the weights
# themselves. Their auxiliary classifiers are for training only.
_BUILD_ARGUMENTS: dict[str, dict[str, Any]] = {
    "googlenet": {"transform_input": True, "init_weights": False},
    "inception_v3": {"transform_input": True, "init_weights": False},
}


def architectures() -> list[str]:
    """Names of torchvision's classifiers."""
    names: list[str] = list_models(module=torchvision.models)
    return names


def build_torchvision(choice: NetworkChoice, *, patience_s: float) -> TorchNetwork:
    """Build a network of torchvision. A state dict with another number of classes gets a classifier of that size."""
    name = choice.model
    known = architectures()
    if name not in known:
        raise ModelError(f"unknown model {name!r}; {suggest(name, known)}")
    chosen = load_weights(name, choice.weights, seed=choice.seed, patience_s=patience_s)
    preset = chosen.published.transforms()
    module = _build(name, chosen, preset.crop_size[0])
    recipe = Recipe(
        width=preset.crop_size[0],
        height=preset.crop_size[0],
        mean=tuple(preset.mean),
        std=tuple(preset.std),
        interpolation=preset.interpolation.value,
        resize=preset.resize_size[0],
    )
    if choice.recipe:
        recipe = parse_recipe(choice.recipe, recipe)
    classes = _classes(module)
    categories = tuple(chosen.published.meta["categories"])
    if choice.labels is not None:
        labels = read_labels(choice.labels, classes)
    else:
        labels = (
            categories if len(categories) == classes else tuple(f"class {index}" for index in range(classes))
        )
    return TorchNetwork(
        name=name,
        weights=chosen.description,
        module=module,
        recipe=recipe,
        labels=labels,
        source={
            "kind": "torchvision",
            "model": name,
            "weights": chosen.given,
            "seed": choice.seed,
            "recipe": choice.recipe,
        },
        fingerprint=_fingerprint(name, module, recipe),
        notes=(),
    )


def _build(name: str, chosen: Weights, picture_size: int) -> torch.nn.Module:
    # A vision transformer's position embeddings are for one size of picture.
    arguments = {"image_size": picture_size} if name.startswith("vit_") else _BUILD_ARGUMENTS.get(name, {})
    make: Callable[..., torch.nn.Module] = partial(get_model, name, weights=None, **arguments)
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")  # torchvision warns about future defaults of its initialisers
        if chosen.state is None:
            torch.manual_seed(chosen.seed)
            network = make()
        else:
            with _WithoutValues():
                network = make()
                last = list(network.state_dict())[-1]  # the classifier's, in every torchvision architecture
                given = chosen.state.get(last)
                if given is not None and given.ndim and len(given) != _CLASSES:
                    network = make(num_classes=len(given))
            fit(network, chosen.state, f"weights {chosen.description} do not fit {name}")
    return network.eval().requires_grad_(requires_grad=False)


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
        return func(*args, **kwargs)


def _classes(network: torch.nn.Module) -> int:
    last: torch.Tensor = next(reversed(network.state_dict().values()))
    return last.shape[0]


def _fingerprint(name: str, network: torch.nn.Module, recipe: Recipe) -> bytes:
    digest = hashlib.sha256(f"{name}\n{recipe.canonical()}\n".encode())
    for key, value in sorted(network.state_dict().items()):
        if not key.endswith("num_batches_tracked"):
            digest.update(f"{key} {value.dtype} {tuple(value.shape)}\n".encode())
            digest.update(memoryview(value.contiguous().numpy()).cast("B"))
    return digest.digest()[:FINGERPRINT_BYTES]
