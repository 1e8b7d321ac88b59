"""What a WebP holds: its picture, without what others wrote about it (RFC 9649)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from shared.errors import ContentError
from shared.limits import MAX_PICTURE_PIECES

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOSSY, _LOSSLESS, _EXTENDED = b"VP8 ", b"VP8L", b"VP8X"
_KEPT = frozenset((_LOSSY, _LOSSLESS, _EXTENDED, b"ALPH"))
_ANIMATED, _ALPHA = 0x02, 0x10
_CUT_OFF = "it is cut off"


class Webp(NamedTuple):
    """One that has all its bytes."""

    data: bytes
    """A WebP of nothing but the picture."""
    height: int
    width: int
    exif: bytes


def is_webp(data: bytes) -> bool:
    """Whether it starts as a WebP does."""
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def read_webp(data: bytes) -> Webp:
    """Walk through `data`, which starts as a WebP does. Raises ContentError, a few words about `it`."""
    kept: dict[bytes, bytes] = {}
    exif, size, canvas = b"", None, None
    for kind, body in _chunks(data):
        if kind in kept:
            raise ContentError(f"it has two chunks {kind!r}")
        if kind == _EXTENDED:
            if kept or len(body) != 10:
                raise ContentError("its header is damaged")
            if body[0] & _ANIMATED:
                raise ContentError("it is an animation; accepted: one picture")
            canvas = 1 + int.from_bytes(body[7:10], "little"), 1 + int.from_bytes(body[4:7], "little")
            body = bytes((body[0] & _ALPHA,)) + body[1:]  # noqa: PLW2901 - it promises no more than is kept
        elif kind in {_LOSSY, _LOSSLESS}:
            if size:
                raise ContentError("it has two pictures")
            size = (_lossy_size if kind == _LOSSY else _lossless_size)(body)
        elif kind == b"EXIF" and not exif:
            exif = body.removeprefix(b"Exif\0\0")
        if kind in _KEPT:
            kept[kind] = body
    if size is None:
        raise ContentError("it has no picture")
    if canvas not in {None, size}:
        raise ContentError("its picture is not of the size that its header says")
    return Webp(_joined(kept), *size, exif)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    stop = 8 + int.from_bytes(data[4:8], "little")
    if stop > len(data):
        raise ContentError(_CUT_OFF)
    at = 12
    for _ in range(MAX_PICTURE_PIECES):
        if at + 8 > stop:
            return
        end = at + 8 + int.from_bytes(data[at + 4 : at + 8], "little")
        if end > stop:
            raise ContentError(_CUT_OFF)
        yield data[at : at + 4], data[at + 8 : end]
        at = end + end % 2
    raise ContentError(f"it has more than {MAX_PICTURE_PIECES} chunks")


def _lossy_size(body: bytes) -> tuple[int, int]:
    if len(body) < 10 or body[0] & 1 or body[3:6] != b"\x9d\x01\x2a":
        raise ContentError("its picture does not start with a key frame")
    width, height = struct.unpack_from("<HH", body, 6)
    return height & 0x3FFF, width & 0x3FFF  # the two bits above are a hint for the screen


def _lossless_size(body: bytes) -> tuple[int, int]:
    if len(body) < 5 or body[0] != 0x2F:
        raise ContentError("its header is damaged")
    packed = int.from_bytes(body[1:5], "little")
    return 1 + (packed >> 14 & 0x3FFF), 1 + (packed & 0x3FFF)


def _joined(chunks: dict[bytes, bytes]) -> bytes:
    body = b"".join(
        kind + struct.pack("<I", len(each)) + each + bytes(len(each) % 2) for kind, each in chunks.items()
    )
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body
