"""More than 8 bits a sample."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from edge.sources.pictures.depth import Depth
from edge.sources.pictures.unreadable import UnreadableError

GREY = np.linspace(0, 255, 6000).round().astype(np.uint8).reshape(60, 100)


def test_each_usual_depth_gives_the_picture_of_8_bits_again():
    for bits in (8, 10, 12, 14, 16):
        samples = GREY.astype(np.uint16) << (bits - 8)
        found = Depth().to_eight_bits(samples, "a.png")
        assert found.dtype == np.uint8
        assert np.array_equal(found, GREY), bits


def test_samples_with_a_point_and_signed_ones():
    for kind in (np.float32, np.float64):
        for white in (1, 255, 1023, 4095, 65535):
            found = Depth().to_eight_bits((GREY / 255 * white).astype(kind), "a.tif")
            assert np.abs(found.astype(int) - GREY).max() <= 1, (kind, white)
    for kind in (np.int16, np.int32, np.uint32):
        found = Depth().to_eight_bits(GREY.astype(kind) * 16, "a.tif")
        assert np.abs(found.astype(int) - GREY).max() <= 1, kind


def test_a_darker_picture_stays_darker_and_the_log_says_the_scale_once(caplog):
    depth = Depth()
    bright = GREY.astype(np.uint16) * 16
    with caplog.at_level(logging.INFO):
        for samples, share in ((bright, 1), (bright // 8, 8), (bright, 1)):
            found = depth.to_eight_bits(samples, "a.png")
            assert np.abs(found.astype(int) - GREY // share).max() <= 1, share
    (record,) = caplog.records
    assert (
        record.getMessage()
        == "a.png: 16-bit unsigned samples; 0 to 4095 become 0 to 255, here and from now on"
    )


def test_a_source_that_turns_out_to_be_deeper_says_so(caplog):
    depth = Depth()
    with caplog.at_level(logging.INFO):
        depth.to_eight_bits(GREY.astype(np.uint16) * 4, "dark.png")
        found = depth.to_eight_bits(GREY.astype(np.uint16) * 64, "bright.png")
    assert np.array_equal(found, GREY)
    assert [record.getMessage()[:9] for record in caplog.records] == ["dark.png:", "bright.pn"]


def test_pixels_that_are_stuck_do_not_make_all_others_black():
    samples = GREY.astype(np.uint16) * 16
    samples[3, 4] = 65535
    found = Depth().to_eight_bits(samples, "a.png")
    assert found[3, 4] == 255
    found[3, 4] = GREY[3, 4]
    assert np.array_equal(found, GREY)


def test_kinds_of_samples_do_not_disturb_each_other():
    depth = Depth()
    depth.to_eight_bits(GREY.astype(np.uint16) * 256, "a.png")
    assert np.abs(depth.to_eight_bits((GREY / 255).astype(np.float32), "b.tif").astype(int) - GREY).max() <= 1


def test_what_is_no_brightness():
    samples = np.array([[np.nan, np.inf, -np.inf, -1.0, 0.5, 1.0]], np.float32)
    assert Depth().to_eight_bits(samples, "a.tif").tolist() == [[0, 255, 0, 0, 128, 255]]
    with pytest.raises(UnreadableError, match=r"samples up to 1e\+06; accepted are up to 65535"):
        Depth().to_eight_bits(np.full((4, 4), 1e6, np.float32), "a.tif")
    for value in (0, 255):
        assert (Depth().to_eight_bits(np.full((1, 1), value, np.uint16), "a.png") == value).all()
