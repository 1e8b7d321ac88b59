"""Whether a detector was read rightly: what its own code answers must be among the boxes and scores of the network made of it."""

from __future__ import annotations

import contextlib
import warnings
from typing import TYPE_CHECKING, Any

import torch

from shared.errors import ModelError
from shared.torch_network.detection.detector import task_of
from shared.torch_network.detection.one_stage import OneStage
from shared.torch_network.messages import reason
from shared.torch_network.vision import torchvision

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.tasks.spec import TaskSpec
    from shared.torch_network.detection.features import Features
    from shared.torch_network.detection.two_stage import TwoStage

_NEAR = 1e-3
"""Largest difference of a score, and of a corner as a share of the picture's longer side."""
_COMPARED = 100
"""Boxes, about: the best."""


class _AsItIs(torch.nn.Module):
    """In place of a detector's transform: the recipe has done its work, and boxes are wanted in pixels of the input."""

    def forward(self, images: list[torch.Tensor], targets: None = None) -> tuple[Any, None]:
        sizes = [tuple(image.shape[-2:]) for image in images]
        return torchvision.models.detection.image_list.ImageList(torch.stack(images), sizes), targets

    @staticmethod
    def postprocess(result: Any, *_: Any) -> Any:
        return result


class _MadeUp(torch.nn.Module):
    """In place of a backbone: maps of the right shapes, the same for every picture."""

    def __init__(self, features: Features) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(0)
        self._maps = {name: torch.randn(each.shape, generator=random) for name, each in features.maps.items()}

    def forward(self, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
        del pictures
        return self._maps


def settle(detector: Any, network: OneStage | TwoStage, shape: tuple[int, ...], name: str) -> TaskSpec:
    """Set how the network's scores are made, by what the detector itself answers, and tell the task. Raises ModelError if nothing fits.

    Both are given made-up maps in place of the backbone's, which of weights that are random are next to nothing.
    """
    backbone = _MadeUp(network.features)
    picture = torch.zeros(1, *shape)
    ways = network.ways if isinstance(network, OneStage) else [""]
    try:
        with torch.no_grad(), warnings.catch_warnings(), _with(network, backbone=backbone):
            warnings.simplefilter("ignore")
            found = {}
            for way in ways:
                if isinstance(network, OneStage):
                    network.way = way
                found[way] = network(picture)
            own = _answers(
                detector, backbone, picture, min(_lowest(each["scores"]) for each in found.values())
            )
    except Exception as error:  # whatever its code raises
        raise ModelError(f"{name} cannot be run: {reason(error)}") from error
    differences = {way: _difference(own, each, max(shape)) for way, each in found.items()}
    best = min(differences, key=differences.__getitem__)
    if not differences[best] <= _NEAR:
        raise ModelError(
            f"{name}: its own code makes other boxes or scores of what its head gives than torchvision's detectors do; accepted: "
            "softmax or sigmoid of the classes, with or without centreness"
        )
    if isinstance(network, OneStage):
        network.way = best
    return task_of(detector, network)


def _lowest(scores: torch.Tensor) -> float:
    """A score that about _COMPARED reach, of what is no background."""
    values = scores[..., 1:].flatten()
    return float(values.topk(min(_COMPARED, values.numel()))[0][-1]) - 1e-6


def _answers(
    detector: Any, backbone: _MadeUp, picture: torch.Tensor, threshold: float
) -> dict[str, torch.Tensor]:
    """The boxes (n, 4), scores (n,) and labels (n,) that the detector itself finds above the threshold."""
    selecting = getattr(detector, "roi_heads", detector)
    few = {"topk_candidates": _COMPARED} if hasattr(detector, "topk_candidates") else {}
    with (
        _with(detector, transform=_AsItIs(), backbone=backbone, **few),
        _with(selecting, score_thresh=threshold, **_without_more(selecting)),
    ):
        (answers,) = detector(list(picture))
    found: dict[str, torch.Tensor] = answers
    return found


def _without_more(selecting: Any) -> dict[str, None]:
    """Masks and keypoints are no part of the network."""
    return {name: None for name in ("mask_roi_pool", "keypoint_roi_pool") if hasattr(selecting, name)}


@contextlib.contextmanager
def _with(place: Any, **values: Any) -> Iterator[None]:
    before = {name: getattr(place, name) for name in values}
    for name, value in values.items():
        setattr(place, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(place, name, value)


def _difference(own: dict[str, torch.Tensor], found: dict[str, torch.Tensor], longest: int) -> float:
    """The largest of each own box's differences from the nearest of the network's; infinite if there is none."""
    largest = 0.0 if len(own["boxes"]) else float("inf")
    boxes, scores = found["boxes"][0], found["scores"][0]
    for box, score, label in zip(own["boxes"], own["scores"], own["labels"], strict=True):
        places = boxes if boxes.ndim == 2 else boxes[:, label]
        apart = ((places - box).abs().amax(1) / longest).maximum((scores[:, label] - score).abs())
        largest = max(largest, float(apart.min()))
    return largest
