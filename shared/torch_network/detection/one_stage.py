"""Detectors that score anchors: SSD, RetinaNet, FCOS and whatever is built like them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from shared.torch_network.detection.features import features_of, without_values

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_CLASSES, _BOXES, _CENTRENESS = "cls_logits", "bbox_regression", "bbox_ctrness"
PARTS = ("backbone", "head", "anchor_generator", "box_coder")


def _softmax(outputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
    return outputs[_CLASSES].softmax(-1)


def _sigmoid(outputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
    return outputs[_CLASSES].sigmoid()


def _weighed(outputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
    return (outputs[_CLASSES].sigmoid() * outputs[_CENTRENESS].sigmoid()).sqrt()


SCORES: dict[str, Callable[[Mapping[str, torch.Tensor]], torch.Tensor]] = {
    "softmax": _softmax,
    "sigmoid": _sigmoid,
    "weighed": _weighed,
}
"""How the scores of classes are made of what a head gives."""


class OneStage(torch.nn.Module):
    """From pictures (B, 3, H, W) to every anchor's `boxes` (B, A, 4), x0, y0, x1, y1 in pixels of the input, and `scores` (B, A, K)."""

    anchors: torch.Tensor

    def __init__(self, detector: Any, shape: tuple[int, ...]) -> None:
        """The modules are the detector's own, under their names. `shape` is the pictures', (3, H, W)."""
        super().__init__()
        self.backbone = detector.backbone
        self.head = detector.head
        self._coder = detector.box_coder
        self._size = shape[1:]
        self.features = features_of(self.backbone, shape)
        outputs = without_values(self.head, list(self.features.maps.values()))
        self.classes: int = outputs[_CLASSES].shape[-1]
        self.ways = [way for way in SCORES if way != "weighed" or _CENTRENESS in outputs]
        """Those of SCORES that are possible."""
        self.way = self.ways[0]
        self.register_buffer(
            "anchors", self.features.anchors(detector.anchor_generator, shape), persistent=False
        )

    @property
    def background(self) -> int | None:
        """The class that stands for nothing: softmax needs one."""
        return 0 if self.way == "softmax" else None

    def forward(self, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
        maps = self.features.named(self.backbone(pictures))
        outputs = self.head(list(maps.values()))
        given = outputs[_BOXES]
        rows = self.anchors.expand_as(given).reshape(-1, 4)
        boxes = decoded(self._coder, given.reshape(-1, 4), rows).reshape(-1, *self.anchors.shape)
        return {"boxes": clipped(boxes, self._size), "scores": SCORES[self.way](outputs)}


def decoded(coder: Any, given: torch.Tensor, anchors: torch.Tensor) -> torch.Tensor:
    """(n, 4 * K) as a head gives them, and (n, 4) -> boxes (n, 4 * K)."""
    decode = getattr(coder, "decode_single", None) or coder.decode
    boxes: torch.Tensor = decode(given, anchors)
    return boxes


def clipped(boxes: torch.Tensor, size: tuple[int, ...]) -> torch.Tensor:
    """(…, 4): the part of boxes that lies in a picture of `size`, (height, width)."""
    height, width = size
    x0, y0, x1, y1 = boxes.unbind(-1)
    return torch.stack([x0.clamp(0, width), y0.clamp(0, height), x1.clamp(0, width), y1.clamp(0, height)], -1)
