"""A detector as torchvision builds them, read as a network of one picture whose outputs are boxes and scores.

What prepares its pictures is left out, as the recipe does that, and so is the last selection of boxes, which is the task's. Nothing
is known by name: a detector is what has the parts that torchvision's are made of, and what its own code answers decides whether it
was read rightly.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

from shared.errors import ModelError
from shared.network.recipe import Recipe
from shared.tasks.spec import TaskSpec
from shared.torch_network.detection import one_stage, two_stage
from shared.torch_network.detection.one_stage import OneStage
from shared.torch_network.detection.two_stage import TwoStage
from shared.torch_network.messages import reason

if TYPE_CHECKING:
    import torch

Network: TypeAlias = OneStage | TwoStage
_KINDS: tuple[tuple[tuple[str, ...], type[OneStage | TwoStage]], ...] = (
    (one_stage.PARTS, OneStage),
    (two_stage.PARTS, TwoStage),
)
_TRANSFORM = ("min_size", "image_mean", "image_std", "fixed_size", "size_divisible")


def is_detector(module: torch.nn.Module) -> bool:
    """Whether `module` is built of the parts that torchvision's detectors have."""
    return _kind(module) is not None and all(
        hasattr(getattr(module, "transform", None), name) for name in _TRANSFORM
    )


def _kind(module: torch.nn.Module) -> type[OneStage | TwoStage] | None:
    return next((kind for parts, kind in _KINDS if all(hasattr(module, part) for part in parts)), None)


def recipe_of(detector: Any, name: str) -> Recipe:
    """How the detector itself prepares a picture, for one size of picture. Raises ModelError.

    A fixed size is stretched to, as it does. Otherwise it would bring the shorter side to `min_size`; here the whole picture comes
    to lie in a square of that side, padded with its mean.
    """
    transform = detector.transform
    try:
        mean, std = (tuple(map(float, each)) for each in (transform.image_mean, transform.image_std))
        if transform.fixed_size is not None:
            width, height = map(int, transform.fixed_size)
            return Recipe(width, height, mean, std, fit="stretch")  # type: ignore[arg-type] # it checks the lengths
        step = int(transform.size_divisible)
        side = math.ceil(transform.min_size[-1] / step) * step
        pad = min(255, max(0, round(255 * sum(mean) / len(mean))))
        return Recipe(side, side, mean, std, fit="letterbox", pad=pad)  # type: ignore[arg-type] # as above
    except (TypeError, ValueError, ArithmeticError) as error:
        raise ModelError(f"{name}: its transform asks for a recipe that makes no sense: {error}") from None


def as_network(detector: torch.nn.Module, recipe: Recipe, name: str) -> Network:
    """The detector for pictures of the recipe's size; its parameters may be without values. Raises ModelError."""
    kind = _kind(detector)
    assert kind is not None
    try:
        return kind(detector, recipe.tensor_shape).eval()
    except ModelError as error:
        raise ModelError(f"{name}: {error}") from None
    except Exception as error:  # whatever its code raises
        raise ModelError(
            f"{name} is not built as torchvision's detectors are, or takes no pictures of {recipe.width}x{recipe.height}: "
            f"{reason(error)}"
        ) from error


def task_of(detector: Any, network: Network) -> TaskSpec:
    """What its outputs mean."""
    selecting = detector.roi_heads if isinstance(network, TwoStage) else detector
    options: dict[str, str | int | float] = {
        "form": "scores",
        "outputs": "boxes:scores",
        "box": "xyxy",
        "units": "pixels",
        "overlap": float(selecting.nms_thresh),
    }
    if network.background is not None:
        options["background"] = network.background
    return TaskSpec("detect", "none", tuple(sorted(options.items())))
