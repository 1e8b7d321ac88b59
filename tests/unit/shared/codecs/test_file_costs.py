"""Files that cost more than their picture: longer than it needs, or of more pieces, each of which takes time in Pillow."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest
import zstandard
from kits.codecs import frame_of, tensor
from kits.naming import naming
from kits.picture_files import jpeg_of_size, picture_frame, png_chunk, png_file, saved
from kits.reading import read
from PIL import Image, JpegImagePlugin

from shared.codecs import NAMES
from shared.codecs.pictures.files import bare_jpeg, check_file
from shared.errors import ContentError
from shared.limits import MAX_PICTURE_EXTRA_BYTES, MAX_PICTURE_PIECES
from shared.wire import frame as wire

if TYPE_CHECKING:
    from shared.codecs.base import Codec

JPEG, PNG = jpeg_of_size(8, 8), png_file(8, 8)


def stuffed(data: bytes, piece: bytes, count: int, at: int) -> bytes:
    return data[:at] + piece * count + data[at:]


def test_no_picture_is_longer_than_is_accepted() -> None:
    """Noise, which no codec can shorten, at every codec's best; and what cameras write beside it."""
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    check_file("jpeg", saved(image, "JPEG", quality=100, subsampling=0), noise.shape)
    check_file("jpeg", saved(image, "JPEG", quality=100, exif=b"Exif\0\0" + bytes(65000)), noise.shape)
    check_file("jpeg", saved(image, "JPEG", icc_profile=bytes(900_000)), noise.shape)
    check_file("png", saved(image, "PNG", compress_level=0), noise.shape)
    check_file("webp", saved(image, "WEBP", quality=100), noise.shape)
    for kind in ("JPEG", "PNG"):
        tiny = Image.new("RGB", (1, 1))
        check_file(kind.lower(), saved(tiny, kind), (1, 1, 3))


def test_a_file_that_is_longer_than_its_picture_needs_is_refused() -> None:
    room = 4 * 8 * 8 * 3 + MAX_PICTURE_EXTRA_BYTES
    for kind, data in (("jpeg", JPEG), ("png", PNG)):
        read(picture_frame(kind, data + bytes(room - len(data)) if kind == "jpeg" else data))
        with naming(kind), pytest.raises(ContentError, match=f"accepted: at most {room}"):
            read(picture_frame(kind, data + bytes(room + 1 - len(data))))


def test_files_of_very_many_pieces_are_refused_before_pillow_sees_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    most = MAX_PICTURE_PIECES
    read(picture_frame("jpeg", stuffed(JPEG, b"\xff\xe1\x00\x02", most - 20, 2)))
    read(picture_frame("png", stuffed(PNG, png_chunk(b"abCd", b""), most - 20, 33)))
    read(picture_frame("png", stuffed(PNG, png_chunk(b"abCd", bytes(2000)), 500, 33)))
    pieces = {
        "segments": ("jpeg", stuffed(JPEG, b"\xff\xe1\x00\x02", most, 2)),
        "segments of no length": ("jpeg", stuffed(JPEG, b"\xff\xfe\x00\x00", most, 2)),
        "restarts": ("jpeg", stuffed(JPEG, b"\xff\xd0", most, 2)),
        "fill": ("jpeg", stuffed(JPEG, b"\xff", most, 2)),
        "chunks": ("png", stuffed(PNG, png_chunk(b"abCd", b""), 2 * most, 33)),
        "chunks behind the picture": ("png", PNG[:-12] + png_chunk(b"IDAT", b"") * 2 * most + PNG[-12:]),
    }
    monkeypatch.setattr(Image, "open", lambda *_arguments, **_options: pytest.fail("it was opened"))
    for name, (kind, data) in pieces.items():
        with naming(name), pytest.raises(ContentError, match="not accepted"):
            read(picture_frame(kind, data))
    for junk in (b"\0" * 100, b"\xff\x00", b"\xff\x02\x00\x02", b"\xff\xf0\x00\x02", b"\xff\xc8\x00\x02"):
        with naming(junk[:2]), pytest.raises(ContentError, match="marker"):
            read(picture_frame("jpeg", stuffed(JPEG, junk, 1, 2)))


def test_whatever_pillow_takes_for_a_segment_is_one() -> None:
    """Else a file could be one thing to the check and another to Pillow, which would walk through it byte by byte."""
    for marker, (_, _, handler) in JpegImagePlugin.MARKER.items():
        if marker == 0xFFDA:
            continue
        piece = marker.to_bytes(2, "big") + b"\x00\x20" + bytes(30)
        data = stuffed(JPEG, piece, 1, 2)
        with naming(hex(marker)):
            if handler is None:  # nothing of it is skipped: what follows is junk
                with pytest.raises(ContentError, match="marker"):
                    check_file("jpeg", data, (8, 8, 3))
            else:
                check_file("jpeg", data, (8, 8, 3))


def test_a_zstandard_payload_that_is_longer_than_its_content_needs_is_refused() -> None:
    def framed(codec: Codec, payload: bytes) -> bytes:
        return wire.pack(frame_of(codec, tensor((2, 2)), payload=payload))

    for name in ("float32+zstd", "float16+zstd", "int8+zstd"):
        codec = NAMES[name]
        size = len(zstandard.ZstdDecompressor().decompress(codec.encode(tensor((2, 2))).payload))
        honest = zstandard.ZstdCompressor(level=1).compress(bytes(size))
        empty = b"\0\0\0"  # a raw block of no bytes, which is not the last
        at = len(honest) - len(zstd_blocks(honest))
        stuffed_with = honest[:at] + empty * 1000 + honest[at:]
        with naming(name), pytest.raises(ContentError, match="the frame brings"):
            read(framed(codec, stuffed_with))


def zstd_blocks(data: bytes) -> bytes:
    """What follows the header (RFC 8878, 3.1.1.1) of a frame of one segment with a content size of one byte."""
    assert data[4] & 0b1110_0000 == 0b0010_0000
    return data[6:]


def test_what_zstandard_cannot_shorten_fits() -> None:
    for shape in ((1,), (1000,), (1024, 1024)):
        noise = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        for name in ("float32+zstd", "float16+zstd", "int8+zstd"):
            with naming(shape, name):
                read(wire.pack(frame_of(NAMES[name], noise)))


def test_what_others_wrote_about_a_jpeg_does_not_reach_pillow(recwarn: pytest.WarningsRecorder) -> None:
    """It walks through EXIF tag by tag, in Python, and warns on standard error of each that it finds wrong."""
    told = b"Exif\0\0MM\0*\0\0\0\x08" + (60_000).to_bytes(2, "big")
    told += b"".join(struct.pack(">HHII", 1000 + tag, 7, 20_000, 20 + tag) for tag in range(5000))
    segments = [b"\xff\xe1" + (len(told) + 2).to_bytes(2, "big") + told, b"\xff\xfe\x00\x04no"]
    start = JPEG[: JPEG.index(b"\xff\xdb")]
    for place in (2, len(start)):
        stuffed = JPEG[:place] + b"".join(segments) + JPEG[place:]
        assert len(told) < 1 << 16
        assert bare_jpeg(stuffed) == JPEG
        np.testing.assert_array_equal(
            NAMES["jpeg"].decode(b"", stuffed, (8, 8, 3)), NAMES["jpeg"].decode(b"", JPEG, (8, 8, 3))
        )
    assert not recwarn.list
