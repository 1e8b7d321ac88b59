"""Picture files made by hand, true ones and lies."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

from kits.codecs import frame_of, picture
from PIL import Image

from shared.codecs import NAMES
from shared.wire import frame as wire


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    """A file of this kind, as Pillow writes it."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def picture_frame(codec: str, payload: bytes, shape: tuple[int, ...] = (8, 8, 3)) -> bytes:
    """A frame of this codec whose payload is this file."""
    return wire.pack(frame_of(NAMES[codec], payload=payload, shape=shape))


def jpeg_of_size(height: int, width: int) -> bytes:
    """A JPEG of 8x8 whose header says otherwise."""
    data = bytearray(saved(Image.fromarray(picture()), "JPEG"))
    at = data.index(b"\xff\xc0") + 5  # SOF0: marker, length, precision
    data[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def scans(count: int) -> bytes:
    """A progressive JPEG of 8x8 with at least `count` scans; each costs a few bytes and a pass over the picture."""
    data = saved(Image.fromarray(picture()), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * (count - data.count(b"\xff\xda")) + data[-2:]


def webp(image: Image.Image | None = None, **options: Any) -> bytes:
    """A WebP of 8x8, or of this picture."""
    return saved(image or Image.fromarray(picture()), "WEBP", **options)


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    """A WebP of these chunks, its lengths right."""
    body = b"".join(
        kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2) for kind, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def webp_of_size(height: int, width: int, payload: bytes) -> bytes:
    """This lossy WebP, whose header says otherwise."""
    return payload[:26] + struct.pack("<HH", width, height) + payload[30:]


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_file(
    height: int, width: int, *, depth: int = 8, colour: int = 2, rows: bytes | None = None, extra: bytes = b""
) -> bytes:
    """A PNG by hand: `depth` bits, `colour` type (0 grey, 2 RGB, 3 palette, 6 RGBA), chunks `extra` before the pixels.

    `rows` are the filtered rows; without them every value is 1.
    """
    channels = {0: 1, 2: 3, 3: 1, 6: 4}[colour]
    if rows is None:
        rows = (b"\0" + b"\1" * (width * channels * depth // 8)) * height
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    palette = png_chunk(b"PLTE", bytes(6)) if colour == 3 else b""
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            png_chunk(b"IHDR", header),
            palette,
            extra,
            png_chunk(b"IDAT", zlib.compress(rows)),
            png_chunk(b"IEND", b""),
        ]
    )


def comments(count: int, size: int) -> bytes:
    """`count` compressed PNG comments of `size` bytes each."""
    return b"".join(png_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(size), 9)) for _ in range(count))
