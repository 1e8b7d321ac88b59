"""JPEGs that are whole, and all ways in which they are not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from kits.picture_files import jpeg_of_size, saved, scans
from PIL import Image

from edge.sources.pictures import jpeg
from edge.sources.pictures.unreadable import UnreadableError

END = b"\xff\xd9"
FORMS = {
    "baseline": {},
    "no subsampling, own tables": {"subsampling": 0, "optimize": True},
    "progressive": {"progressive": True},
    "restarts after rows": {"restart_marker_rows": 1},
    "restarts after blocks": {"restart_marker_blocks": 3},
    "progressive with restarts": {"progressive": True, "restart_marker_rows": 1},
}


def scene(mode="RGB"):
    """A picture of an odd size with something everywhere."""
    rng = np.random.default_rng(3)
    coarse = rng.integers(0, 256, (9, 13, 3), dtype=np.uint8)
    return Image.fromarray(cv2.resize(coarse, (203, 141), interpolation=cv2.INTER_CUBIC)).convert(mode)


@pytest.fixture(scope="module")
def files():
    return {name: saved(scene(), "JPEG", **form) for name, form in FORMS.items()} | {
        mode: saved(scene(mode), "JPEG") for mode in ("L", "CMYK")
    }


def refused(data):
    try:
        jpeg.refuse_damaged(data)
    except UnreadableError as error:
        return str(error)
    return None


def test_whole_ones_pass_with_and_without_an_end_marker_or_with_something_behind_it(files):
    for name, data in files.items():
        for what, variant in (
            ("as it is", data),
            ("no end marker", data[:-2]),
            ("zeros behind it", data + bytes(1000)),
            ("another picture behind it", data + data[: len(data) // 2]),
            ("fill bytes", data[:-2] + b"\xff\xff\xff\xd9"),
        ):
            assert refused(variant) is None, (name, what)


def test_half_uploaded_ones_are_named(files):
    for name, data in files.items():
        for share in (0.3, 0.5, 0.9):
            size = int(share * len(data))
            cut = data[:size]
            for what, variant in (
                ("cut off", cut),
                ("its size reserved, the rest zero", cut + bytes(len(data) - size)),
                ("the rest as flash memory is erased", cut + b"\xff" * (1 << 20)),
            ):
                assert "cut off" in (refused(variant) or ""), (name, share, what)
            for what, variant in (
                ("with an end marker", cut + END),
                ("zeros and an end marker", cut + bytes(len(data) - size - 2) + END),
            ):
                assert refused(variant), (name, share, what)


def test_what_is_lost_in_the_middle_is_noticed(files):
    for name, data in files.items():
        half = len(data) // 2
        for what, variant in (
            ("a hole", data[:half] + bytes(1000) + data[half + 1000 :]),
            ("bytes lost", data[:half] + data[half + 700 :]),
        ):
            assert refused(variant), (name, what)


def test_headers_that_are_none():
    for data in (
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xe0 nothing",
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8\xff\xc0\x00\x08\x08\0\x08\0\x08\x03",
    ):
        assert refused(data), data
    whole = saved(scene(), "JPEG")
    at = whole.index(b"\xff\xc0")
    for data in (whole[: at + 9], whole[:at] + whole[at + 2 :], whole[: whole.index(b"\xff\xda")] + END):
        assert refused(data), data[:8]


def test_random_damage_never_raises_anything_else(files):
    rng = np.random.default_rng(5)
    noticed = 0
    for data in files.values():
        for _ in range(25):
            changed = bytearray(data)
            for at in rng.integers(2, len(data), 3):
                changed[at] ^= 1 << rng.integers(8)
            noticed += refused(bytes(changed)) is not None
    assert noticed > 20


def test_what_others_wrote_about_the_picture_does_not_matter():
    """A note of the camera that is no EXIF data is no damage."""
    data = saved(scene(), "JPEG")
    for marker in (b"\xe0", b"\xe1", b"\xee", b"\xfe"):
        note = b"\xff" + marker + b"\x00\x0aExif\0\0\0\xff"
        assert refused(data[:2] + note + data[2:]) is None, marker


def test_zeros_at_the_end():
    """Where they stand in for the last tenth, fill up a whole picture, or are the picture."""
    for options in ({}, {"progressive": True}, {"optimize": True}, {"restart_marker_rows": 2}):
        data = saved(scene(), "JPEG", quality=95, **options)
        for share in (0.8, 0.9, 0.95):
            size = int(share * len(data))
            for end in (b"", END):
                assert refused(data[:size] + bytes(len(data) - size) + end), (options, share, end)
                assert refused(data[:size] + bytes(5000) + end), (options, share, end)
        for end in (b"", END):
            assert refused(data[:-2] + bytes(5000) + end) is None, options
        black = np.asarray(scene()).copy()
        black[20:] = 0
        for colour in (0, 255):
            black[20:] = colour
            large = cv2.resize(black, None, fx=8, fy=8, interpolation=cv2.INTER_NEAREST)
            assert refused(saved(Image.fromarray(large), "JPEG", **options)) is None, (options, colour)


def test_what_would_take_for_ever():
    assert refused(scans(1000)) == "it has more than 128 scans"
    assert refused(b"\xff\xd8" + b"\xff" * (1 << 22))


def test_a_huge_one_is_refused_before_it_is_decoded():
    assert refused(jpeg_of_size(60_000, 60_000)) == "60000 x 60000 pixels; at most 178 million are accepted"
