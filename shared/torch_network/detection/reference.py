"""What torchvision's compiled operators compute, in plain torch: for a torchvision whose own cannot be loaded.

Both follow torchvision's CPU kernels (torchvision/csrc/ops/cpu), differentiation apart.
"""

from __future__ import annotations

import torch

_MAX_VALUES = 1 << 22
"""Interpolated values in memory at once."""


def nms(boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float) -> torch.Tensor:
    """Greedy non-maximum suppression: the numbers of the boxes kept, (k,) int64, the highest score first; ties in order.

    `boxes` (n, 4): x0, y0, x1, y1; `scores` (n,). A box goes if its overlap with a kept one, intersection over union, is more than
    `iou_threshold`.
    """
    order = scores.argsort(descending=True, stable=True)
    x0, y0, x1, y1 = boxes[order].unbind(1)
    areas = (x1 - x0) * (y1 - y0)
    alive = torch.ones(len(order), dtype=torch.bool, device=boxes.device)
    for number in range(len(order) - 1):
        if not alive[number]:
            continue
        rest = slice(number + 1, None)
        width = torch.minimum(x1[rest], x1[number]) - torch.maximum(x0[rest], x0[number])
        height = torch.minimum(y1[rest], y1[number]) - torch.maximum(y0[rest], y0[number])
        common = width.clamp(min=0) * height.clamp(min=0)
        alive[rest] &= ~(common / (areas[number] + areas[rest] - common) > iou_threshold)
    return order[alive]


def roi_align(
    maps: torch.Tensor,
    rois: torch.Tensor,
    spatial_scale: float,
    pooled_height: int,
    pooled_width: int,
    sampling_ratio: int,
    aligned: bool,
) -> torch.Tensor:
    """RoI align (He et al., Mask R-CNN, 2017), (K, C, pooled_height, pooled_width).

    `maps` (N, C, H, W); `rois` (K, 5): the map's number, x0, y0, x1, y1 in pixels of the picture, of which a map's is
    1 / `spatial_scale`. Each bin is the mean of `sampling_ratio`² points, or of one for each of the map's pixels where that is
    not above 0.
    """
    size = (pooled_height, pooled_width)
    pooled = maps.new_zeros((len(rois), maps.shape[1], *size))
    corners = rois[:, 1:] * spatial_scale - (0.5 if aligned else 0.0)
    start, lengths = corners[:, [1, 0]], corners[:, [3, 2]] - corners[:, [1, 0]]
    if not aligned:
        lengths = lengths.clamp(min=1)
    bins = lengths / torch.tensor(size, dtype=maps.dtype, device=maps.device)
    points = (
        bins.ceil().to(torch.int64) if sampling_ratio <= 0 else torch.full_like(bins, sampling_ratio).long()
    )
    for numbers in torch.unique(points, dim=0):
        if int(numbers.min()) <= 0:
            continue  # a box without area has no points
        rows = (points == numbers).all(1).nonzero()[:, 0]
        values = maps.shape[1] * int(numbers.prod()) * pooled_height * pooled_width
        for chunk in rows.split(max(1, _MAX_VALUES // values)):
            axes = [
                _axis(
                    start[chunk, axis],
                    bins[chunk, axis],
                    size[axis],
                    int(numbers[axis]),
                    maps.shape[2 + axis],
                )
                for axis in (0, 1)
            ]
            pooled[chunk] = _pooled(maps, rois[chunk, 0].long(), axes, size)
    return pooled


_Axis = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


def _axis(start: torch.Tensor, bins: torch.Tensor, count: int, points: int, length: int) -> _Axis:
    """For each box and point along one axis, (K, count * points): the pixels before and after it, and their weights."""
    steps = torch.arange(count * points, device=start.device)
    inside = (steps % points + 0.5).to(start.dtype) / points
    place = start[:, None] + (steps // points) * bins[:, None] + inside * bins[:, None]
    counts = ((place >= -1) & (place <= length)).to(start.dtype)
    place = place.clamp(min=0)
    low = place.long().clamp(max=length - 1)
    high = (low + 1).clamp(max=length - 1)
    share = torch.where(low == high, 0.0, place - low)
    return low, high, (1 - share) * counts, share * counts


def _pooled(
    maps: torch.Tensor, numbers: torch.Tensor, axes: list[_Axis], size: tuple[int, int]
) -> torch.Tensor:
    """The means of the bins, (k, C, *size)."""
    (low_y, high_y, *y_shares), (low_x, high_x, *x_shares) = axes
    maps = maps.permute(0, 2, 3, 1)
    total: torch.Tensor | float = 0.0
    for y, y_share in zip((low_y, high_y), y_shares, strict=True):
        for x, x_share in zip((low_x, high_x), x_shares, strict=True):
            values = maps[numbers[:, None, None], y[:, :, None], x[:, None, :]]  # (k, points, points, C)
            total = total + values * (y_share[:, :, None] * x_share[:, None, :])[..., None]
    assert isinstance(total, torch.Tensor)
    shape = (
        len(total),
        size[0],
        total.shape[1] // size[0],
        size[1],
        total.shape[2] // size[1],
        total.shape[3],
    )
    return total.reshape(shape).mean((2, 4)).permute(0, 3, 1, 2)
