"""OpenVINO computes the operators of detectors as torch does, for any number of pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shared.bundling.graph.batch import free_batch
from shared.bundling.sources.torch_module import convert_module
from shared.engines.openvino.runtime import core
from shared.torch_network.detection.operators import OUT, apart, pooled

pytestmark = pytest.mark.slow  # processes, networks or compilations

BOXES, GROUPS = 40, 3


class Apart(torch.nn.Module):
    """Pictures of one channel, (BOXES, 4 + GROUPS): the boxes, then a score for each group."""

    def __init__(self, most_overlap: float) -> None:
        super().__init__()
        self.most_overlap = most_overlap

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        rows = pictures[:, 0]
        return apart(rows[..., :4], rows[..., 4:].permute(0, 2, 1), self.most_overlap)


class Pooled(torch.nn.Module):
    """Pictures of two channels: two boxes of each are pooled if the sum of a pixel is above 0."""

    def __init__(self, points: int) -> None:
        super().__init__()
        self.points = points
        self.register_buffer("corners", torch.tensor([[0.0, 2, 9, 30], [-3, 4, 20, 40]]))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        numbers = torch.arange(pictures.shape[0], dtype=torch.float32)[:, None].expand(-1, 2).reshape(-1, 1)
        rois = torch.cat([numbers, self.corners[None].expand(pictures.shape[0], -1, -1).reshape(-1, 4)], 1)
        taken = pictures[:, :, 0, :2].sum(1).reshape(-1) > 0
        return pooled(pictures, rois, taken, 0.25, (3, 2), self.points).reshape(-1, 2, 2, 3, 2)


def check(module: torch.nn.Module, pictures: torch.Tensor, what: str) -> torch.Tensor:
    """OpenVINO's results of 1, 2 and all pictures, compared with torch's, which are returned."""
    expected = module(pictures)
    model = free_batch(convert_module(module, tuple(pictures.shape[1:])), pictures[:2].numpy())
    assert model is not None, f"{what}: takes one picture at a time"
    compiled = core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for count in (1, 2, len(pictures)):
        found = compiled(pictures[:count].numpy())[0]
        np.testing.assert_allclose(
            found, expected[:count].numpy(), atol=1e-5, err_msg=f"{what}: {count} pictures"
        )
    return expected


def random(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(1))


def test_the_boxes_that_are_kept_are_torchs() -> None:
    rows = random(3, 1, BOXES, 4 + GROUPS) * 20
    rows[..., 2:4] += rows[..., :2]
    rows[..., 4:] -= 30  # any sign
    rows[..., 4:][random(3, 1, BOXES, GROUPS) < 0.4] = OUT
    rows[1, ..., 4:] = OUT  # a picture of which no box takes part
    for most_overlap in (0.1, 0.5, 0.7):
        kept = check(Apart(most_overlap), rows, f"overlap {most_overlap}")
        assert 0 < kept.sum() < 2 * BOXES
        assert not kept[1].any()


def test_an_overlap_of_exactly_the_threshold_is_none_too_many() -> None:
    rows = torch.full((2, 1, BOXES, 4 + GROUPS), OUT)
    rows[..., :4] = torch.tensor([0.0, 0, 10, 10])
    rows[..., 1, 3] = 5  # half of the others
    rows[..., :2, 4] = torch.tensor([2.0, 1])
    assert check(Apart(0.5), rows, "half").sum(1).tolist() == [2, 2]
    assert check(Apart(0.49), rows, "less").sum(1).tolist() == [1, 1]


def test_boxes_are_pooled_as_torch_pools_them() -> None:
    pictures = random(4, 2, 10, 12) - 0.5
    pictures[2, :, 0, :2] = -1  # none is taken
    for points in (0, 2):
        found = check(Pooled(points), pictures, f"{points} points")
        assert found[[0, 1, 3]].any()
        assert not found[2].any()
