"""Pictures whose rest is zeros, and pictures that end in zeros by right."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from kits.picture_files import saved
from PIL import Image

from edge.sources.pictures.depth import Depth
from edge.sources.pictures.reading import frames_of
from edge.sources.pictures.unreadable import UnreadableError

RNG = np.random.default_rng(12)
SCENE = cv2.resize(
    RNG.integers(0, 256, (40, 60, 3), dtype=np.uint8), (480, 320), interpolation=cv2.INTER_CUBIC
)
FORMS = (
    ("WEBP", {}),
    ("WEBP", {"quality": 95, "method": 0}),
    ("AVIF", {}),
    ("JPEG2000", {}),
    ("JPEG2000", {"no_jp2": True}),
)


def shown(data):
    """How many frames it gives."""
    return len(list(frames_of(data, Depth(), "picture")))


def test_zeros_in_place_of_the_rest_are_no_picture():
    for kind, options in FORMS:
        data = saved(Image.fromarray(SCENE), kind, **options)
        for share in (0.3, 0.6, 0.9):
            whole = int(share * len(data))
            with pytest.raises(UnreadableError, match="cut off"):
                shown(data[:whole] + bytes(len(data) - whole))
                pytest.fail(f"{kind} {options} {share}")


def test_zeros_behind_a_picture_are_no_damage():
    for kind, options in (*FORMS, ("WEBP", {"lossless": True})):
        data = saved(Image.fromarray(SCENE), kind, **options)
        assert shown(data + bytes(512)) == 1, (kind, options)


def test_pictures_that_end_in_zeros_by_right():
    ended = 0
    for level in (0, 255):
        scene = np.full((1000, 1500, 3), level, np.uint8)
        scene[:320, :480] = SCENE
        for kind, options in (
            *FORMS,
            ("WEBP", {"quality": 100, "method": 0}),
            ("WEBP", {"lossless": True, "method": 0, "quality": 0}),
        ):
            data = saved(Image.fromarray(scene), kind, **options)
            ended += data.endswith(bytes(64))
            assert shown(data) == 1, (level, kind, options)
    assert ended, "none of them shows anything"
