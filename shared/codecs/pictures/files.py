"""What a picture's file may cost its reader, looked at before the reader sees it.

Pillow walks through the pieces of a file in Python, with whatever stands between them, and holds the interpreter meanwhile: a long
file could take 25 s. And a file may be far longer than its picture needs. Both are bounded here, by a walk that takes a fraction of that.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from shared.codecs.base import elements
from shared.codecs.pictures.jpeg import count_of
from shared.errors import ContentError
from shared.limits import MAX_JPEG_SCANS, MAX_PICTURE_EXTRA_BYTES, MAX_PICTURE_PIECES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_RAW_BYTES = 4
"""Bytes of a file for each value of the picture, at most: the Huffman codes of noise at the highest quality take three and a quarter."""
_PIECE_BYTES = 1024
"""Bytes of a PNG for each of its further chunks: libpng writes 8 kB in each."""
_WEBP = struct.Struct("<4sI4s4sI3s3sHH")
"""The beginning of a WebP: RIFF, bytes that follow, WEBP, chunk, its bytes; then VP8's frame tag, start code, width, height."""
_PNG_BEGIN = 8
_ALONE = frozenset(range(0xD0, 0xDA))
"""JPEG's markers RST0 to RST7, SOI and EOI."""
_WITH_LENGTH = frozenset((*range(0xC0, 0xD0), *range(0xDB, 0xF0), 0xFE)) - {0xC8}
"""Those of segments. The others are reserved; Pillow reads what follows some of them byte by byte."""
_SCAN = 0xDA
_TOLD = frozenset((*range(0xE1, 0xEE), 0xEF, 0xFE))
"""Those of applications and comments, but the two that say what the colours are (JFIF and Adobe)."""


def check_file(kind: str, data: bytes, shape: tuple[int, ...]) -> None:
    """Raise ContentError for a file of this kind, `jpeg`, `png` or `webp`, that is not worth opening for a picture of this shape."""
    most = _RAW_BYTES * elements(shape) + MAX_PICTURE_EXTRA_BYTES
    if len(data) > most:
        raise ContentError(
            f"a {kind} of {len(data)} bytes for a picture of shape {shape}; accepted: at most {most}"
        )
    _CHECKS[kind](data, shape)


def bare_jpeg(data: bytes) -> bytes:
    """The same JPEG, which `check_file` has let pass, without most of what others wrote about the picture before its first scan.

    Pillow reads that in Python, tag by tag, and warns of each that it finds wrong, on standard error.
    """
    told = [(at, end) for marker, at, end in _segments(data) if marker in _TOLD]
    if not told:
        return data
    begins = [0, *(end for _, end in told)]
    ends = [*(at for at, _ in told), len(data)]
    return b"".join(data[begin:end] for begin, end in zip(begins, ends, strict=True))


def _check_jpeg(data: bytes, _shape: tuple[int, ...]) -> None:
    if count_of(b"\xff\xda", data, 0, len(data)) > MAX_JPEG_SCANS:
        raise ContentError(f"a jpeg of more than {MAX_JPEG_SCANS} scans is not accepted")
    for _ in _segments(data):
        pass


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, begin and end of every segment before the first scan. Raises ContentError for what Pillow would read byte by byte."""
    at = 2
    for _ in range(MAX_PICTURE_PIECES):
        if data[at : at + 1] != b"\xff":  # the end, or what Pillow would skip byte by byte
            if at >= len(data):
                return
            raise ContentError("not a readable jpeg picture: no marker where one must be")
        marker = data[at + 1] if at + 1 < len(data) else _SCAN
        if marker == _SCAN:  # the rest is libjpeg's
            return
        if marker == 0xFF:  # fill
            at += 1
        elif marker in _ALONE:
            at += 2
        elif marker not in _WITH_LENGTH:
            raise ContentError(f"not a readable jpeg picture: marker {marker:02x} before its first scan")
        else:
            end = at + 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
            yield marker, at, end
            at = end
    raise ContentError(
        f"a jpeg of more than {MAX_PICTURE_PIECES} segments before its first scan is not accepted"
    )


def _check_png(data: bytes, _shape: tuple[int, ...]) -> None:
    at, most = _PNG_BEGIN, MAX_PICTURE_PIECES + len(data) // _PIECE_BYTES
    for _ in range(most):
        if at >= len(data):
            return
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    raise ContentError(f"a png of {len(data)} bytes in more than {most} chunks is not accepted")


def _check_webp(data: bytes, shape: tuple[int, ...]) -> None:
    """Raise ContentError unless this is one lossy picture of this shape and nothing else.

    Pillow allocates an animation's canvas, twice, as soon as it opens a file, and its size is whatever the file says.
    Therefore the header is checked first, and alpha, animations, metadata and lossless pictures, which all need another kind
    of chunk, never reach their decoders.
    """
    if len(data) < _WEBP.size:
        raise ContentError(f"not a readable webp picture: {len(data)} bytes are no WebP")
    riff, behind, webp, chunk, size, tag, start, width, height = _WEBP.unpack_from(data)
    if (riff, webp) != (b"RIFF", b"WEBP"):
        raise ContentError("not a readable webp picture: it does not start as a WebP does")
    if chunk != b"VP8 ":
        raise ContentError(
            f"not a readable webp picture: its first chunk is {chunk!r}; accepted: a lossy picture without alpha, "
            "animation or metadata, which is one chunk 'VP8 '"
        )
    if tag[0] & 1 or start != b"\x9d\x01\x2a":
        raise ContentError("not a readable webp picture: its chunk does not start with a key frame")
    # A chunk of odd size is followed by a byte of padding.
    if not len(data) == behind + 8 == size + size % 2 + 20:
        raise ContentError(f"not a readable webp picture: its lengths do not add up to {len(data)} bytes")
    actual = (height & 0x3FFF, width & 0x3FFF, 3)  # the two bits above are a hint for the screen
    if actual != shape:
        raise ContentError(f"the webp is {actual} RGB, the frame says {shape} RGB")


_CHECKS: dict[str, Callable[[bytes, tuple[int, ...]], None]] = {
    "jpeg": _check_jpeg,
    "png": _check_png,
    "webp": _check_webp,
}
