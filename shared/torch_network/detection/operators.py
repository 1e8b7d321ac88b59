"""Two operators of detectors that torchvision composes from values that only a picture has; here their results have fixed sizes.

Graphs hold them as `splitdnn::apart` and `splitdnn::pooled`, for which OpenVINO gets a translation
(shared/bundling/sources/detection.py).
"""

from __future__ import annotations

import torch

from shared.torch_network.vision import torchvision

_LIBRARY = torch.library.Library("splitdnn", "DEF")  # type: ignore[no-untyped-call]
"""In a module variable, because the operators exist as long as the object does."""


OUT = -1e30
"""Less than any score."""


def apart(boxes: torch.Tensor, scores: torch.Tensor, most_overlap: float) -> torch.Tensor:
    """(B, N) float32: 1 for the boxes that non-maximum suppression keeps, which goes on in each of L groups by itself, else 0.

    `boxes` (B, N, 4): x0, y0, x1, y1; `scores` (B, L, N): a box's score in its group, of any sign, and OUT where it takes no part.
    """
    found: torch.Tensor = torch.ops.splitdnn.apart(boxes, scores, most_overlap)
    return found


def pooled(
    maps: torch.Tensor,
    rois: torch.Tensor,
    taken: torch.Tensor,
    scale: float,
    size: tuple[int, int],
    points: int,
) -> torch.Tensor:
    """(K, C, *size): RoI align of the boxes for which `taken` is not 0; the others' rows are 0.

    `maps` (B, C, H, W); `rois` (K, 5): the map's number, x0, y0, x1, y1 in pixels of the input, of which a map's is 1 / `scale`;
    `taken` (K,); `points` along each side of a bin, 0 for as many as the map has pixels there.
    """
    found: torch.Tensor = torch.ops.splitdnn.pooled(maps, rois, taken, scale, *size, points)
    return found


def _apart(boxes: torch.Tensor, scores: torch.Tensor, most_overlap: float) -> torch.Tensor:
    kept = torch.zeros_like(boxes[..., 0])
    for row, own, groups in zip(kept, boxes, scores, strict=True):
        for group in groups:
            rows = (group > OUT).nonzero()[:, 0]
            row[rows[torchvision.ops.nms(own[rows].float(), group[rows].float(), most_overlap)]] = 1
    return kept


def _pooled(
    maps: torch.Tensor,
    rois: torch.Tensor,
    taken: torch.Tensor,
    scale: float,
    height: int,
    width: int,
    points: int,
) -> torch.Tensor:
    rows = taken.nonzero()[:, 0]
    found = maps.new_zeros((len(rois), maps.shape[1], height, width))
    found[rows] = torchvision.ops.roi_align(maps, rois[rows], (height, width), scale, points)
    return found


def _apart_shape(boxes: torch.Tensor, scores: torch.Tensor, most_overlap: float) -> torch.Tensor:
    del scores, most_overlap
    return torch.empty_like(boxes[..., 0])


def _pooled_shape(
    maps: torch.Tensor,
    rois: torch.Tensor,
    taken: torch.Tensor,
    scale: float,
    height: int,
    width: int,
    points: int,
) -> torch.Tensor:
    del taken, scale, points
    return maps.new_empty((len(rois), maps.shape[1], height, width))


_LIBRARY.define("apart(Tensor boxes, Tensor scores, float most_overlap) -> Tensor")  # type: ignore[no-untyped-call]
_LIBRARY.define(  # type: ignore[no-untyped-call]
    "pooled(Tensor maps, Tensor rois, Tensor taken, float scale, int height, int width, int points) -> Tensor"
)
for _name, _function, _shape in (("apart", _apart, _apart_shape), ("pooled", _pooled, _pooled_shape)):
    _LIBRARY.impl(_name, _function, "CompositeExplicitAutograd")  # type: ignore[no-untyped-call]
    _LIBRARY.impl(_name, _shape, "Meta")  # type: ignore[no-untyped-call]
