"""Architecture, weights, recipe and labels of one network, and the fingerprint that both sides compare."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.overrides import TorchFunctionMode

from shared.errors import ModelError, suggest
from shared.limits import FINGERPRINT_BYTES
from shared.network.recipe import Recipe
from shared.network.vision import get_model, list_models, torchvision
from shared.network.weights import NAMED_SECONDS, Weights, fit, load_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_CLASSES = 1000
# Both were trained on inputs of a different scale, which torchvision's builders correct only when they fetch the weights
# themselves. Their auxiliary classifiers are for training only.
_BUILD_ARGUMENTS: dict[str, dict[str, Any]] = {
    "googlenet": {"transform_input": True, "init_weights": False},
    "inception_v3": {"transform_input": True, "init_weights": False},
}


@dataclass(frozen=True, eq=False)
class ModelInfo:
    """A classifier without its parameters."""

    name: str
    weights: str
    """The origin of the weights: `IMAGENET1K_V1`, `file:resnet50.pth`, `random:0`."""
    recipe: Recipe
    labels: tuple[str, ...]
    fingerprint: bytes
    """8 bytes of SHA-256 over architecture, weights and recipe."""


@dataclass(frozen=True, eq=False)
class Model(ModelInfo):
    """A classifier ready to be split."""

    network: torch.nn.Module
    """In eval mode, float32, on the CPU."""

    def info(self) -> ModelInfo:
        """Everything except the network, so that its parameters can be freed."""
        return ModelInfo(self.name, self.weights, self.recipe, self.labels, self.fingerprint)


def architectures() -> list[str]:
    """Names of torchvision's classifiers."""
    names: list[str] = list_models(module=torchvision.models)
    return names


def load_model(
    name: str,
    weights: str = "auto",
    *,
    seed: int = 0,
    labels: str | None = None,
    patience_s: float = NAMED_SECONDS,
) -> Model:
    """Build a classifier and load its weights.

    `weights`: as `load_weights` takes it. A state dict with another number of classes gets a classifier of that size;
    `labels` names a text file with one class per line. Raises ModelError.
    """
    known = architectures()
    if name not in known:
        raise ModelError(f"unknown model {name!r}; {suggest(name, known)}")
    chosen = load_weights(name, weights, seed=seed, patience_s=patience_s)
    preset = chosen.published.transforms()
    network = _build(name, chosen, preset.crop_size[0])
    recipe = Recipe(
        resize=preset.resize_size[0],
        crop=preset.crop_size[0],
        mean=tuple(preset.mean),
        std=tuple(preset.std),
        interpolation=preset.interpolation.value,
    )
    return Model(
        name=name,
        weights=chosen.description,
        network=network,
        recipe=recipe,
        labels=_labels(labels, chosen.published.meta["categories"], _classes(network)),
        fingerprint=_fingerprint(name, network, recipe),
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


def _labels(path: str | None, categories: Sequence[str], classes: int) -> tuple[str, ...]:
    if path is None:
        return (
            tuple(categories) if len(categories) == classes else tuple(f"class {i}" for i in range(classes))
        )
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"labels {path}: {error}") from error
    labels = tuple(line.strip() for line in lines if line.strip())
    if len(labels) != classes:
        raise ModelError(f"labels {path}: {len(labels)} lines, the classifier has {classes} classes")
    return labels


def _fingerprint(name: str, network: torch.nn.Module, recipe: Recipe) -> bytes:
    digest = hashlib.sha256(f"{name}\n{recipe.canonical()}\n".encode())
    for key, value in sorted(network.state_dict().items()):
        if not key.endswith("num_batches_tracked"):
            digest.update(f"{key} {value.dtype} {tuple(value.shape)}\n".encode())
            digest.update(memoryview(value.contiguous().numpy()).cast("B"))
    return digest.digest()[:FINGERPRINT_BYTES]
