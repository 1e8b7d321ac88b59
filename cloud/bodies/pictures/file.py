"""A picture's file: what it is by its bytes, how large, and which way up, before a pixel is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cloud.bodies.pictures.exif import orientation_of
from cloud.bodies.pictures.png import SIGNATURE, read_png
from cloud.bodies.pictures.webp import is_webp, read_webp
from shared.codecs.pictures.jpeg import CUT_OFF, read_jpeg
from shared.errors import ContentError, LimitError
from shared.limits import (
    MAX_FILE_PIXELS,
    MAX_JPEG_SCANS,
    MAX_PICTURE_EXTRA_BYTES,
    MAX_PICTURE_PIECES,
    MAX_SCANNED_PIXELS,
)

if TYPE_CHECKING:
    from shared.wire.frame import Bytes

KINDS = ("JPEG", "PNG", "WebP")
_RAW_BYTES = 16
"""Bytes of a file for each pixel, at most: a JPEG of noise at the highest quality has ten, a PNG of 16 bits with alpha eight."""
_JPEG = b"\xff\xd8\xff"


@dataclass(frozen=True, slots=True)
class PictureFile:
    """One that is whole, as far as that shows without decoding, and not too large."""

    kind: str
    """As Pillow names it."""
    data: bytes
    """A file of nothing but the picture: comments, profiles and previews, which a reader would walk through, are left out."""
    height: int
    width: int
    """The stored picture's size."""
    orientation: int = 1
    """By which it is turned and mirrored to be upright, as EXIF numbers it."""
    bits: int = 8
    """How many a sample has."""

    @property
    def pixels(self) -> int:
        """How many it has."""
        return self.height * self.width

    @property
    def upright(self) -> tuple[int, int]:
        """(height, width) of the picture as it is shown."""
        return (self.width, self.height) if self.orientation >= 5 else (self.height, self.width)


def read_file(body: Bytes) -> PictureFile:
    """Look at a file, which is what its first bytes say, whatever it is called.

    Takes a few milliseconds a megabyte, and memory as large as the file. Raises ContentError if it is damaged, an animation or none
    of `KINDS`, and LimitError if it is too large.
    """
    data = bytes(body)
    try:
        file = _read(data)
    except ContentError as error:
        raise ContentError(f"not a readable picture: {error}", accepted=list(KINDS)) from None
    if not file.pixels:
        raise ContentError(f"the picture is {file.width} x {file.height} pixels", accepted="at least one")
    if file.pixels > MAX_FILE_PIXELS:
        raise LimitError(
            f"a picture of {file.width} x {file.height} pixels", accepted={"max_pixels": MAX_FILE_PIXELS}
        )
    most = _RAW_BYTES * file.pixels + MAX_PICTURE_EXTRA_BYTES
    if len(file.data) > most:
        raise LimitError(
            f"a picture of {file.width} x {file.height} pixels in {len(file.data)} bytes",
            accepted={"max_bytes": most},
        )
    return file


def _read(data: bytes) -> PictureFile:
    if data.startswith(_JPEG):
        jpeg = read_jpeg(data, most_pieces=MAX_PICTURE_PIECES, most_scans=MAX_JPEG_SCANS)
        if not jpeg.ended:
            raise ContentError(CUT_OFF)
        if jpeg.scans * jpeg.height * jpeg.width > MAX_SCANNED_PIXELS:
            raise LimitError(
                f"a picture of {jpeg.width} x {jpeg.height} pixels in {jpeg.scans} scans",
                accepted={"max_pixels_times_scans": MAX_SCANNED_PIXELS},
            )
        return PictureFile("JPEG", jpeg.whole(), jpeg.height, jpeg.width, orientation_of(jpeg.exif))
    if data.startswith(SIGNATURE):
        png = read_png(data)
        return PictureFile("PNG", png.data, png.height, png.width, orientation_of(png.exif), png.bits)
    if is_webp(data):
        webp = read_webp(data)
        return PictureFile("WEBP", webp.data, webp.height, webp.width, orientation_of(webp.exif))
    found = f"begins with {data[:12].hex(' ')}" if data else "it is empty"
    raise ContentError(f"{found}, as none of {', '.join(KINDS)} does")
