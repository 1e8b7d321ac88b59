"""Pictures, videos and neither, told apart by name and by content."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from kits.picture_files import saved
from PIL import Image

from edge.sources.files.kinds import PICTURES, VIDEOS, kind_of_content, kind_of_name


@pytest.fixture
def content(tmp_path):
    def of(data):
        (tmp_path / "file").write_bytes(data)
        return kind_of_content(tmp_path / "file")

    return of


def test_a_name_says_at_most_one_thing(tmp_path):
    assert not PICTURES & VIDEOS
    for name, kind in {
        "a.JPG": "picture", "a.jfif": "picture", "b.tar.tif": "picture", "a.heic": "picture", "a.MKV": "video", "a.ts": "video",
        "a.txt": None, "jpg": None, "a": None,
    }.items():  # fmt: skip
        assert kind_of_name(tmp_path / name) == kind, name


def test_pictures(content):
    image = Image.new("RGB", (16, 16), (9, 200, 3))
    for kind in (
        "JPEG",
        "PNG",
        "GIF",
        "WEBP",
        "TIFF",
        "BMP",
        "DIB",
        "AVIF",
        "JPEG2000",
        "PPM",
        "QOI",
        "DDS",
        "SGI",
        "PCX",
        "ICO",
    ):
        assert content(saved(image, kind)) == "picture", kind
    for head in (
        b"\0\0\0\x18ftypheic\0\0\0\0",
        b"\0\0\0\x20ftypmif1\0\0\0\0heic",
        b"\xff\x0a\0\0",
        b"P5\n# by a camera\n9 9\n255\n",
    ):
        assert content(head + bytes(40)) == "picture", head


def test_videos(content, tmp_path):
    made = 0
    for name, code in (
        ("a.avi", "MJPG"),
        ("a.mp4", "mp4v"),
        ("a.mkv", "mp4v"),
        ("a.mov", "mp4v"),
        ("a.ts", "mp4v"),
    ):
        path = tmp_path / name
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), 10, (64, 48))
        if not writer.isOpened():
            continue
        for level in (0, 90, 200):
            writer.write(np.full((48, 64, 3), level, np.uint8))
        writer.release()
        made += 1
        assert content(path.read_bytes()) == "video", name
    assert made >= 3


def test_neither(content, tmp_path):
    for data in (
        b"",
        b"P5 is a road",
        b"BMW is a car",
        b"{}",
        bytes(500),
        b"%PDF-1.7\n",
        b"PK\3\4" + bytes(30),
        b"\x7fELF" + bytes(99),
    ):
        assert content(data) is None, data[:9]
    assert kind_of_content(tmp_path / "nothing") is None
    assert kind_of_content(tmp_path) is None
