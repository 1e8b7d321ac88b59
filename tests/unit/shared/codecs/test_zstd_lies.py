"""Zstandard as a weapon: sizes that are not what they are declared to be, and what they would cost."""

from __future__ import annotations

import struct

import pytest
import zstandard
from kits.codecs import frame_of, tensor
from kits.memory import assert_refused_in_little_memory
from kits.naming import naming
from kits.reading import read

from shared.codecs import NAMES
from shared.errors import ContentError
from shared.wire import frame as wire

MEBIBYTE = 1 << 20


def zstd_header(content_size: int) -> bytes:
    """The beginning of a Zstandard frame (RFC 8878, 3.1.1.1) of one segment that declares this content size."""
    return b"\x28\xb5\x2f\xfd" + b"\xe0" + struct.pack("<Q", content_size)


def zstd_frame(payload: bytes) -> bytes:
    """A float32+zstd frame of shape (2, 2), so 16 bytes, with this payload."""
    return wire.pack(frame_of(NAMES["float32+zstd"], tensor((2, 2)), payload=payload))


SIXTEEN = zstandard.compress(bytes(16))


def test_the_16_bytes_that_the_lies_start_from_are_true() -> None:
    assert read(zstd_frame(SIXTEEN)).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("size", [0, 15, 17, 1 << 40, (1 << 64) - 3])
def test_another_declared_size_than_the_shapes_is_refused(size: int) -> None:
    with pytest.raises(ContentError, match=r"unpacks to 16 bytes|not a Zstandard frame"):
        read(zstd_frame(zstd_header(size) + SIXTEEN[6:]))


def test_no_declared_size_is_refused() -> None:
    nameless = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(16))
    with pytest.raises(ContentError, match="the frame declares -1"):
        read(zstd_frame(nameless))


@pytest.mark.parametrize("actual", [0, 15, 17, 1 << 20])
def test_another_actual_size_than_the_declared_one_is_refused(actual: int) -> None:
    honest = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(actual))
    blocks = honest[6:]  # magic, descriptor and window; RFC 8878, 3.1.1
    with pytest.raises(ContentError, match="not a Zstandard frame"):
        read(zstd_frame(zstd_header(16) + blocks))


@pytest.mark.parametrize(
    "extra", [b"\0", SIXTEEN, b"\x50\x2a\x4d\x18\0\0\0\0"], ids=["byte", "frame", "skippable frame"]
)
def test_anything_after_the_frame_is_refused(extra: bytes) -> None:
    with pytest.raises(ContentError, match="unused data"):
        read(zstd_frame(SIXTEEN + extra))


def test_a_frame_cut_short_is_refused() -> None:
    for length in range(len(SIXTEEN)):
        with naming(length), pytest.raises(ContentError):
            read(zstd_frame(SIXTEEN[:length]))


def test_a_dictionary_is_refused() -> None:
    dictionary = zstandard.train_dictionary(1024, [bytes([i % 7, i % 11, i % 13] * 40) for i in range(500)])
    payload = zstandard.ZstdCompressor(dict_data=dictionary).compress(bytes(16))
    with pytest.raises(ContentError, match="not a Zstandard frame"):
        read(zstd_frame(payload))


BOMBS = {
    "a declared petabyte": zstd_header(1 << 50) + SIXTEEN[6:],
    "64 MiB of zeros where 16 bytes are due": zstandard.compress(bytes(64 * MEBIBYTE)),
    "64 MiB that say they are 16 bytes": zstd_header(16)
    + zstandard.ZstdCompressor(write_content_size=False).compress(bytes(64 * MEBIBYTE))[6:],
}


@pytest.mark.parametrize("payload", BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb_is_refused_in_little_memory(payload: bytes) -> None:
    assert_refused_in_little_memory(zstd_frame(payload))
