"""What the worst frame of every codec takes while it is decoded, in bytes for each value: docs/operations.md states the same numbers.

Counted, not timed: the bytes that are allocated, and the pictures that Pillow makes.
"""

from __future__ import annotations

import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from kits.codecs import GRID, PICTURE_CODECS, SYMBOL_CODECS, TENSOR_CODECS, VIDEO_CODECS
from kits.naming import naming
from kits.picture_files import picture_frame, saved, scans
from kits.profiles import SMALL, features
from PIL import Image

from edge.calibration.fit import fit_crossing
from shared.codecs import CODECS, decode_frame, encode_frame
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.cost import cost_of
from shared.codecs.coding import decode_tensors
from shared.codecs.symbols import at_point
from shared.limits import MAX_ELEMENTS, MAX_JPEG_SCANS, MAX_PICTURE_PIXELS, MAX_TENSORS
from shared.network.partition import SplitPoint
from shared.wire import frame as wire

PAGE = (Path(__file__).resolve().parents[4] / "docs" / "operations.md").read_text(encoding="utf-8")
BYTES_A_VALUE = {
    "float32": 5, "float32+zstd": 5, "float16": 7, "float16+zstd": 7, "int8": 5, "int8+zstd": 5,
    "uint8": 5, "uint8+zstd": 5,
    "raw": 0, "jpeg": 2, "png": 2, "webp": 2,
}  # fmt: skip
"""Beside the frame's own bytes, which are there already, the answer included; of pictures also what Pillow's own memory is not."""
_SOME = 64 << 10
OPTIONS = {"split_point": "layer1", "fingerprint": bytes(8), "frame_id": 1}


def peak(data: bytes) -> int:
    decode_frame(wire.unpack(data))  # modules, and what a thread keeps
    tracemalloc.start()
    try:
        decode_frame(wire.unpack(memoryview(data)))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def crossings() -> list[tuple[list[np.ndarray], int]]:
    size = MAX_TENSORS << 16
    noise = np.random.default_rng(0).normal(size=size).astype(np.float32)
    alone = [noise.reshape(256, -1)], size
    nothing = [np.zeros((256, size // 256), np.float32)], size  # the fewest bytes of Zstandard for it
    part = size // MAX_TENSORS
    several = [noise[number * part : (number + 1) * part].reshape(2, -1) for number in range(MAX_TENSORS)]
    uneven = [noise[: size - 8].reshape(8, -1), noise[:8].reshape(8)]
    return [alone, nothing, (several, MAX_TENSORS * part), (uneven, size)]


def test_every_codec_is_here() -> None:
    """What a video takes is bounded in the process that decodes it: tests/unit/cloud/bodies/video."""
    videos = {codec.name for codec in VIDEO_CODECS}
    assert {codec.name for codec in CODECS.values()} == {
        *BYTES_A_VALUE,
        "calibrated",
        "calibrated-inter",
        *videos,
    }


@pytest.mark.parametrize("codec", TENSOR_CODECS, ids=lambda codec: codec.name)
def test_tensors(codec) -> None:
    for number, (tensors, size) in enumerate(crossings()):
        data = wire.pack(encode_frame(tensors, codec, **OPTIONS))
        with naming(number, len(data)):
            assert peak(data) <= BYTES_A_VALUE[codec.name] * size + _SOME


@pytest.mark.parametrize("codec", SYMBOL_CODECS, ids=lambda codec: codec.name)
def test_symbols(codec) -> None:
    for number, (tensors, size) in enumerate(crossings()):
        point = SplitPoint("layer1", tuple(each.shape for each in tensors), 1, 1, (GRID,) * len(tensors))
        data = wire.pack(encode_frame(tensors, at_point(codec, point), **OPTIONS))
        with naming(number, len(data)):
            assert peak(data) <= BYTES_A_VALUE[codec.name] * size + _SOME


@pytest.mark.parametrize("codec", PICTURE_CODECS, ids=lambda codec: codec.name)
def test_pictures(codec) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (400, 300, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    files = {
        "raw": [noise.tobytes()],
        "jpeg": [saved(image, "JPEG", quality=95), saved(image, "JPEG", progressive=True)],
        "png": [saved(image, "PNG"), saved(image, "PNG", compress_level=0)],
        "webp": [saved(image, "WEBP", quality=100)],
    }
    for file in files[codec.name]:
        data = picture_frame(codec.name, file, noise.shape)
        with naming(len(file)):
            assert peak(data) <= BYTES_A_VALUE[codec.name] * noise.size + len(file) + 2 * _SOME
            Image.core.reset_stats()
            decode_frame(wire.unpack(data))
            assert Image.core.get_stats()["new_count"] <= 1  # of 4 bytes a pixel
    if codec.name == "jpeg":
        data = picture_frame("jpeg", scans(MAX_JPEG_SCANS))
        Image.core.reset_stats()
        decode_frame(wire.unpack(data))
        assert Image.core.get_stats()["new_count"] <= 1


def test_tensors_of_a_profile() -> None:
    shapes = [(16, 24, 24), (16, 12, 12)]
    crossing = [features(shape) for shape in shapes]
    profile = fit_crossing(crossing, [SMALL] * 2, fingerprint=bytes(8), split_point="layer1")
    codec = Calibrated(profile)
    frame = encode_frame([tensors[0] for tensors in crossing], codec, **OPTIONS)
    codecs = [codec.of_tensor(number) for number in range(len(shapes))]
    decode_tensors(frame, codecs)
    tracemalloc.start()
    try:
        decode_tensors(frame, codecs)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most <= cost_of(profile).frame_bytes


def test_the_page_says_the_same() -> None:
    tensors = max(BYTES_A_VALUE[codec.name] for codec in [*TENSOR_CODECS, *SYMBOL_CODECS]) * MAX_ELEMENTS
    said = re.search(r"tensors, (\d+) MB", PAGE)
    assert said
    assert int(said[1]) == round(tensors / 1e6)
    pictures = (2 * 3 + 4) * MAX_PICTURE_PIXELS
    said = re.search(r"For the largest that is (\d+) MB", PAGE)
    assert said
    assert int(said[1]) == round(pictures / 1e6)
