"""Frames without their pictures."""

from __future__ import annotations

import gc

import av
import numpy as np
from kits.ffmpeg import drawn

from edge.sources.registry import open_source
from edge.sources.video.shown.bare import Bare


def test_a_frame_keeps_its_time_and_loses_its_pixels():
    frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="bgr24")
    frame.pts = 7
    bare = Bare()(frame)
    assert (bare.pts, bare.width * bare.height) == (7, 64)
    assert (frame.width, frame.height) == (64, 48)


def test_pictures_that_are_done_with_do_not_wait_for_the_garbage_collector(tmp_path):
    """Else a reader of one video held dozens of whole frames, and eight of them a hundred megabytes."""
    clip = drawn(tmp_path / "clip.mp4", of="testsrc=size=64x48:rate=25:duration=2")
    source = open_source(str(clip))
    gc.collect()
    gc.disable()
    try:
        source.open()
        while source.read() is not None:
            pass
        large = [
            each
            for each in gc.get_objects()
            if type(each) is av.VideoFrame and each.width > 8 and each.format
        ]
    finally:
        gc.enable()
        source.close()
    assert len(large) <= 4
