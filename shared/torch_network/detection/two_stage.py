"""Detectors that look at proposals again: Faster R-CNN, the boxes of Mask and Keypoint R-CNN, and whatever is built like them."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import torch

from shared.errors import ModelError
from shared.torch_network.detection.features import features_of, without_values
from shared.torch_network.detection.one_stage import clipped, decoded
from shared.torch_network.detection.operators import OUT, apart, pooled
from shared.torch_network.vision import torchvision

if TYPE_CHECKING:
    from collections.abc import Mapping

PARTS = ("backbone", "rpn", "roi_heads")
_SMALLEST = 1e-2
"""Pixels: boxes with a shorter side are none, as torchvision has it."""
_BELOW_ALL, _STEP = -1e9, 1e3
"""Ranks of what does not count: each its own, so that their order is the same everywhere."""


class TwoStage(torch.nn.Module):
    """From pictures (B, 3, H, W) to R proposals' `boxes` (B, R, K, 4), one for each class, and `scores` (B, R, K).

    R is the greatest number of proposals that the network looks at again. Where it finds fewer, the rows left over have scores of
    -1: no box. Boxes are x0, y0, x1, y1 in pixels of the input.
    """

    anchors: torch.Tensor
    levels: torch.Tensor
    places: torch.Tensor

    def __init__(self, detector: Any, shape: tuple[int, ...]) -> None:
        """The modules are the detector's own, under their names. `shape` is the pictures', (3, H, W). Raises ModelError."""
        super().__init__()
        self.backbone = detector.backbone
        self.rpn = detector.rpn
        self.roi_heads = detector.roi_heads
        self._size = shape[1:]
        self.features = features_of(self.backbone, shape)
        maps = self.features.maps
        objectness, _ = without_values(self.rpn.head, list(maps.values()))
        self._anchors = [each[0].numel() for each in objectness]
        self._candidates = [min(self.rpn.pre_nms_top_n(), count) for count in self._anchors]
        self.proposals = min(self.rpn.post_nms_top_n(), sum(self._candidates))
        self.register_buffer(
            "anchors", self.features.anchors(self.rpn.anchor_generator, shape), persistent=False
        )
        levels = [torch.full((count,), number) for number, count in enumerate(self._candidates)]
        self.register_buffer("levels", torch.cat(levels), persistent=False)
        places = torch.arange(1, 1 + len(self.levels), dtype=torch.float32) * _STEP
        self.register_buffer("places", places, persistent=False)
        self._pool = _Pool(self.roi_heads.box_roi_pool, maps, self._size)
        rows = self._pool.empty(2)
        logits, _ = without_values(
            self.roi_heads.box_predictor, without_values(self.roi_heads.box_head, rows)
        )
        self.classes: int = logits.shape[-1]
        self.background = 0
        """The class that stands for nothing."""

    def forward(self, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
        maps = self.features.named(self.backbone(pictures))
        proposals, counts = self._proposals(list(maps.values()))
        rows = torch.cat([_numbers(pictures, self.proposals), proposals.reshape(-1, 4)], 1)
        logits, given = self.roi_heads.box_predictor(self.roi_heads.box_head(self._pool(maps, rows)))
        shape = (-1, self.proposals, self.classes)
        boxes = decoded(self.roi_heads.box_coder, given, rows[:, 1:]).reshape(*shape, 4)
        boxes = clipped(boxes, self._size)
        scores = logits.softmax(-1).reshape(shape)
        sides = boxes[..., 2:] - boxes[..., :2]
        counts = counts[..., None] & (sides >= _SMALLEST).all(-1)
        return {"boxes": boxes, "scores": torch.where(counts, scores, -1.0)}

    def _proposals(self, maps: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, R, 4), and whether each counts, (B, R): the best, without those that overlap a better one."""
        objectness, given = self.rpn.head(maps)
        together = torchvision.models.detection.rpn.concat_box_prediction_layers(objectness, given)
        logits = together[0].reshape(-1, sum(self._anchors))
        deltas = together[1].reshape(-1, sum(self._anchors), 4)
        # In the order of the anchors, which does not hang on the last digit of a score.
        rows = torch.cat(
            [
                (part.topk(count, 1)[1] + start).sort(1)[0]
                for part, count, start in zip(
                    logits.split(self._anchors, 1),
                    self._candidates,
                    itertools.accumulate(self._anchors[:-1], initial=0),
                    strict=True,
                )
            ],
            1,
        )
        boxes = decoded(
            self.rpn.box_coder, _at(deltas, rows).reshape(-1, 4), self.anchors[rows].reshape(-1, 4)
        ).reshape(-1, len(self.levels), 4)
        boxes = clipped(boxes, self._size)
        ranks = logits.gather(1, rows)  # their sigmoids are equal where they are large, or next to 0
        takes_part = (boxes[..., 2:] - boxes[..., :2] >= self.rpn.min_size).all(-1) & (
            ranks.sigmoid() >= self.rpn.score_thresh
        )
        levels = self.levels == torch.arange(len(self._candidates), device=self.levels.device)[:, None]
        groups = torch.where(levels & takes_part[:, None], ranks[:, None], OUT)
        kept = apart(boxes, groups, self.rpn.nms_thresh) > 0
        ranked, chosen = torch.where(kept, ranks, _BELOW_ALL - self.places).topk(self.proposals, 1)
        return _at(boxes, chosen), ranked > _BELOW_ALL


class _Pool:
    """`MultiScaleRoIAlign` for one size of picture: each box is pooled from the map that its size asks for."""

    def __init__(self, own: Any, maps: Mapping[str, torch.Tensor], size: tuple[int, ...]) -> None:
        if not isinstance(own, torchvision.ops.MultiScaleRoIAlign):
            raise ModelError(
                f"its boxes are pooled by {type(own).__name__}; accepted: MultiScaleRoIAlign of torchvision"
            )
        self._names = [name for name in maps if name in own.featmap_names]
        used = [maps[name] for name in self._names]
        self._scales, self._mapper = torchvision.ops.poolers._setup_scales(  # noqa: SLF001 - no public name
            used, [size], own.canonical_scale, own.canonical_level
        )
        self._points = own.sampling_ratio
        self._size = own.output_size
        self._channels = used[0].shape[1]

    def empty(self, count: int) -> torch.Tensor:
        """What `count` boxes give, without values."""
        return torch.empty(count, self._channels, *self._size, device="meta")

    def __call__(self, maps: Mapping[str, torch.Tensor], rows: torch.Tensor) -> torch.Tensor:
        """`rows` (n, 5): picture, x0, y0, x1, y1 -> (n, C, h, w)."""
        levels = self._levels(rows[:, 1:])
        parts = [
            pooled(maps[name], rows, levels == number, scale, self._size, max(self._points, 0))
            for number, (name, scale) in enumerate(zip(self._names, self._scales, strict=True))
        ]
        return sum(parts[1:], parts[0])

    def _levels(self, boxes: torch.Tensor) -> torch.Tensor:
        """(n,): the number of each box's map, as LevelMapper computes it."""
        mapper = self._mapper
        sides = boxes[:, 2:] - boxes[:, :2]
        length = (sides[:, 0] * sides[:, 1]).sqrt()
        level = (mapper.lvl0 + torch.log2(length / mapper.s0) + mapper.eps).floor()
        found: torch.Tensor = level.clamp(mapper.k_min, mapper.k_max) - mapper.k_min
        return found


def _numbers(pictures: torch.Tensor, count: int) -> torch.Tensor:
    """(B * count, 1) float32: 0 `count` times, 1 `count` times, …."""
    numbers = torch.arange(pictures.shape[0], device=pictures.device, dtype=pictures.dtype)
    return numbers[:, None].expand(-1, count).reshape(-1, 1)


def _at(values: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """(B, n, 4) and (B, m) -> (B, m, 4)."""
    return values.gather(1, rows[..., None].expand(-1, -1, 4))
