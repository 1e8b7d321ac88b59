"""The shape of a PNG's pixels."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from kits.ffmpeg import drawn
from kits.picture_files import saved
from PIL import Image

from edge.sources.pictures.depth import Depth
from edge.sources.pictures.png import pixel_aspect
from edge.sources.pictures.reading import frames


def test_a_still_of_a_video_is_shown_as_the_video_is(tmp_path):
    for aspect, size in (("2", (48, 128)), ("1/2", (96, 64)), ("1", (48, 64))):
        path = drawn(tmp_path / "still.png", "-vf", f"setsar={aspect}", "-frames:v", "1")
        assert pixel_aspect(path.read_bytes()) == Fraction(aspect)
        ((picture, _),) = frames(path, Depth())
        assert picture.shape[:2] == size, aspect
        assert picture.flags.c_contiguous


def test_a_resolution_in_dots_changes_no_shape():
    scene = Image.fromarray(np.zeros((48, 64, 3), np.uint8))
    assert pixel_aspect(saved(scene, "PNG", dpi=(72, 144))) is None
    assert pixel_aspect(saved(scene, "PNG")) is None
