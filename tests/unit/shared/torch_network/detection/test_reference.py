"""torchvision's operators in plain torch: cases computed by hand, and torchvision's own transcription of its kernel."""

from __future__ import annotations

import sys

import pytest
import torch

from shared.torch_network.detection.reference import nms, roi_align
from shared.torch_network.vision import torchvision

BOXES = torch.tensor(
    [[0.0, 0, 10, 10], [0, 0, 10, 8], [0, 0, 10, 5], [20, 20, 30, 30], [0, 0, 10, 10], [5, 5, 5, 5]]
)
RAMP = torch.arange(16.0).reshape(1, 1, 4, 4)  # x + 4 y


def test_a_box_goes_if_it_overlaps_a_better_one_by_more_than_the_threshold() -> None:
    scores = torch.tensor([0.5, 0.9, 0.8, 0.1, 0.7, 0.2])
    # Box 1 is kept; it overlaps 0 and 4 by 0.8, and 2 by 0.625. A box without area overlaps nothing.
    cases = {0.5: [1, 5, 3], 0.7: [1, 2, 5, 3], 0.8: [1, 2, 4, 5, 3], 0.81: [1, 2, 4, 5, 3]}
    for threshold, kept in cases.items():
        assert nms(BOXES, scores, threshold).tolist() == kept, threshold


def test_an_overlap_of_exactly_the_threshold_is_none_too_many() -> None:
    assert nms(BOXES[[0, 2]], torch.tensor([0.9, 0.8]), 0.5).tolist() == [0, 1]
    assert nms(BOXES[[0, 2]], torch.tensor([0.9, 0.8]), 0.49).tolist() == [0]


def test_of_boxes_with_the_same_score_the_first_is_kept_and_of_none_none() -> None:
    assert nms(BOXES[[3, 0, 4]], torch.ones(3), 0.5).tolist() == [0, 1]
    kept = nms(BOXES[:0], torch.ones(0), 0.5)
    assert (kept.tolist(), kept.dtype) == ([], torch.int64)


def test_what_is_pooled_of_a_ramp_is_the_ramp_in_the_middle_of_each_bin() -> None:
    whole = torch.tensor([[0.0, 0, 0, 4, 4]])
    cases = {
        # Points at 0.5 and 1.5, then at 2.5 and 3.5, which lies behind the last pixel: 3.
        False: [[5.0, 6.75], [12.0, 13.75]],
        # Half a pixel less: at 0 and 1, then at 2 and 3.
        True: [[2.5, 4.5], [10.5, 12.5]],
    }
    for aligned, expected in cases.items():
        found = roi_align(RAMP, whole, 1.0, 2, 2, 2, aligned)
        torch.testing.assert_close(found[0, 0], torch.tensor(expected), msg=f"aligned {aligned}")


def test_a_box_is_in_pixels_of_the_picture_and_has_the_maps_number() -> None:
    maps = torch.cat([RAMP, 100 + RAMP])
    rois = torch.tensor([[1.0, 0, 0, 8, 8], [0, 0, 0, 8, 8]])
    found = roi_align(maps, rois, 0.5, 1, 1, 2, False)
    # Of 2x2 points at 1 and 3.
    assert found.flatten().tolist() == [110.0, 10.0]


def test_points_outside_the_map_count_as_0_and_a_small_box_as_one_pixel() -> None:
    rois = torch.tensor([[0.0, -9, -9, -5, -5], [0, 9, 9, 12, 12], [0, 1, 1, 1, 1]])
    found = roi_align(RAMP, rois, 1.0, 1, 1, 1, False)
    assert found.flatten().tolist() == [0.0, 0.0, 7.5]
    assert roi_align(RAMP, rois[2:], 1.0, 1, 1, 0, True).flatten().tolist() == [
        0.0
    ]  # and as nothing where aligned


def test_it_computes_what_torchvisions_transcription_of_its_kernel_does() -> None:
    transcription = sys.modules["torchvision.ops.roi_align"]._roi_align.__wrapped__  # type: ignore[attr-defined]
    random = torch.Generator().manual_seed(3)
    maps = torch.randn(2, 3, 9, 13, generator=random)
    # Inside the picture, 52x36: the transcription does not count points outside as 0, as the kernel does.
    ends = (torch.rand(40, 2, 2, generator=random) * torch.tensor([52.0, 36.0])).sort(1)[0].reshape(40, 4)
    rois = torch.cat([torch.arange(40.0)[:, None] % 2, ends], 1)
    for points in (0, 1, 2, 3):
        for aligned in (False, True):
            arguments = (maps, rois, 0.25, 3, 2, points, aligned)
            torch.testing.assert_close(
                roi_align(*arguments), transcription(*arguments), msg=f"{points} points, aligned {aligned}"
            )


def test_many_boxes_are_pooled_as_few_are(monkeypatch: pytest.MonkeyPatch) -> None:
    rois = torch.tensor([[0.0, 0, 0, 4, 4], [0, 1, 0, 3, 2], [0, 0, 1, 2, 4]])
    together = roi_align(RAMP, rois, 1.0, 2, 2, 2, False)
    monkeypatch.setattr("shared.torch_network.detection.reference._MAX_VALUES", 1)
    assert torch.equal(roi_align(RAMP, rois, 1.0, 2, 2, 2, False), together)


def test_torchvision_has_both_operators_whether_its_own_could_be_loaded_or_not() -> None:
    scores = torch.tensor([0.5, 0.9, 0.8, 0.1, 0.7, 0.2])
    assert torchvision.ops.nms(BOXES, scores, 0.7).tolist() == [1, 2, 5, 3]
    assert torchvision.ops.batched_nms(BOXES, scores, torch.arange(6), 0.7).tolist() == [1, 2, 4, 0, 5, 3]
    pooled = torchvision.ops.roi_align(RAMP, [torch.tensor([[0.0, 0, 4, 4]])], 2, sampling_ratio=2)
    assert pooled.flatten().tolist() == [5.0, 6.75, 12.0, 13.75]


def test_of_another_operator_that_could_not_be_loaded_torchvision_says_so() -> None:
    if torchvision.extension._has_ops():
        pytest.skip("torchvision's own operators are loaded here")
    with pytest.raises(RuntimeError, match="Couldn't load custom C"):
        torchvision.ops.ps_roi_align(RAMP, torch.zeros(1, 5), 1)
