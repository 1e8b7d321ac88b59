"""The pixels of a picture's file, as an edge that reads the same file has them (docs/pictures.md)."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, Any

import numpy as np

from cloud.bodies.pictures.png import require_all_rows
from shared.codecs.pictures.depth import in_eight_bits, most_of, white_for
from shared.codecs.pictures.jpeg import CUT_OFF, END_MARKER, ends_in_zeros_that_do_not_matter
from shared.errors import ContentError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from PIL import Image

    from cloud.bodies.pictures.file import PictureFile

    Picture = NDArray[np.uint8]

_UPRIGHT: dict[int, Callable[[Picture], Picture]] = {
    1: lambda picture: picture,
    2: lambda picture: picture[:, ::-1],
    3: lambda picture: picture[::-1, ::-1],
    4: lambda picture: picture[::-1],
    5: lambda picture: picture.transpose(1, 0, 2),
    6: lambda picture: np.rot90(picture, -1),
    7: lambda picture: picture[::-1, ::-1].transpose(1, 0, 2),
    8: np.rot90,
}
"""By what EXIF numbers orientations with."""
_FILLING = hashlib.shake_128(b"").digest(4096).replace(b"\xff", b"\xfe")
"""Codes of no particular picture."""
_LEAST_BRIGHT = 1 << 6
"""The upper half of a sample above 14 bits."""


def decode_file(file: PictureFile) -> Picture:
    """(H, W, 3) uint8 RGB, upright, without alpha. Raises ContentError, and nothing else, for all bytes.

    Takes up to 20 bytes for each pixel meanwhile, and lets other threads run. A JPEG is decoded twice, as libjpeg says to nobody
    that it lacked data.
    """
    if file.kind == "PNG":
        _require_all_rows(file)
    samples = _samples(file, file.data)
    if file.kind == "JPEG":
        _require_whole(file, samples)
    if file.bits > 8:
        samples = _of_deep(samples)
    elif samples.shape[2:] == (4,):
        samples = _of_cmyk(samples)
    return np.ascontiguousarray(_UPRIGHT[file.orientation](samples))


def _samples(file: PictureFile, data: bytes) -> NDArray[Any]:
    """(H, W, 3) RGB or (H, W, 4) CMYK, uint8; what Pillow has of more than eight bits as it is."""
    from PIL import Image  # noqa: PLC0415 - imported only where pictures are received

    try:
        with Image.open(io.BytesIO(data), formats=[file.kind]) as image:
            _require_size(image, file)
            if image.mode in {"RGB", "CMYK"} or file.bits > 8:
                return np.asarray(image)
            return np.asarray(image.convert("RGB"))
    except Exception as error:  # noqa: BLE001 - Pillow's plugins raise a dozen kinds on hostile bytes
        raise ContentError(f"not a readable picture: {error or type(error).__name__}") from None


def _require_size(image: Image.Image, file: PictureFile) -> None:
    if (image.height, image.width) != (file.height, file.width):
        raise ContentError(
            f"it is {image.width} x {image.height} pixels, its header says {file.width} x {file.height}"
        )


def _require_all_rows(file: PictureFile) -> None:
    try:
        require_all_rows(file.data)
    except ContentError as error:
        raise ContentError(f"not a readable picture: {error}") from None


def _require_whole(file: PictureFile, samples: NDArray[np.uint8]) -> None:
    """Raise ContentError if the decoder made up what its last scan lacks."""

    def lacks(data: bytes, found: NDArray[np.uint8] | None = None) -> bool:
        """Whether what stands between the last scan and the end marker becomes part of the picture."""
        found = _samples(file, data) if found is None else found
        other = _samples(file, data.removesuffix(END_MARKER) + _FILLING + END_MARKER)
        return not np.array_equal(found, other)

    if lacks(file.data, samples) or ends_in_zeros_that_do_not_matter(file.data, lacks):
        raise ContentError(f"not a readable picture: {CUT_OFF}")


def _of_cmyk(inks: NDArray[np.uint8]) -> Picture:
    """(H, W, 4) -> (H, W, 3), as OpenCV does it, which reads JPEGs at the edge; ink by ink, as it takes four bytes for each."""
    paper = 255 - inks
    black = paper[..., 3].astype(np.int32)
    picture = np.empty((*inks.shape[:2], 3), np.uint8)
    for ink in range(3):
        picture[..., ink] = black - (inks[..., ink] * black >> 8)
    return picture


def _of_deep(samples: NDArray[Any]) -> Picture:
    """(H, W) uint16, or (H, W, C) uint8 that are the upper halves of such samples, which is what Pillow makes of colours."""
    if samples.ndim == 2:
        white = white_for(most_of(samples)) or 0
        samples = in_eight_bits(samples.astype(np.uint16, copy=False), white)[:, :, None]
    else:
        samples = samples[..., : 3 if samples.shape[2] > 2 else 1]
        if most_of(samples[..., ::-1]) < _LEAST_BRIGHT:  # an edge would take less than 65535 for white
            raise ContentError(
                "its 16 bits a sample hold no more than 14; accepted in colour: 8 bits, or all 16 in use"
            )
    return samples if samples.shape[2] == 3 else samples.repeat(3, axis=2)
