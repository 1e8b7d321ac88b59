"""The two operators whose results have fixed sizes."""

from __future__ import annotations

import torch

from shared.torch_network.detection.operators import OUT, apart, pooled
from shared.torch_network.vision import torchvision


def test_boxes_are_kept_apart_in_each_group_and_picture_by_itself() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 9.5], [20, 20, 30, 30]]).repeat(2, 1, 1)
    scores = torch.tensor(
        [
            [[-1.0, -2, OUT, -3], [OUT, OUT, -5, OUT]],  # the third is alone in its group
            [[-1.0, -2, 3, OUT], [OUT, OUT, OUT, OUT]],
        ]
    )
    assert apart(boxes, scores, 0.5).tolist() == [[1, 0, 1, 1], [0, 0, 1, 0]]
    assert apart(boxes, torch.full_like(scores, OUT), 0.5).sum() == 0


def test_only_boxes_that_are_taken_are_pooled() -> None:
    maps = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    rois = torch.tensor([[0.0, 0, 0, 16, 16], [1, 4, 4, 12, 12], [1, 0, 0, 8, 8]])
    found = pooled(maps, rois, torch.tensor([True, False, True]), 0.5, (2, 3), 2)
    expected = torchvision.ops.roi_align(maps, rois, (2, 3), 0.5, 2)
    assert found.shape == (3, 3, 2, 3)
    assert torch.equal(found[[0, 2]], expected[[0, 2]])
    assert not found[1].any()
    assert not pooled(maps, rois, torch.zeros(3, dtype=torch.bool), 0.5, (2, 3), 2).any()


def test_their_shapes_are_known_without_values() -> None:
    meta = torch.device("meta")
    assert apart(torch.empty(2, 5, 4, device=meta), torch.empty(2, 3, 5, device=meta), 0.5).shape == (2, 5)
    maps, rois = torch.empty(2, 3, 8, 8, device=meta), torch.empty(6, 5, device=meta)
    assert pooled(maps, rois, rois[:, 0], 0.5, (2, 3), 2).shape == (6, 3, 2, 3)
