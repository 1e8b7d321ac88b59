"""A client's picture, an array or the bytes of an image file, as the frame that carries it at the split point `input`."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from shared.codecs import NAMES, encode_frame
from shared.errors import ContentError
from shared.network.partition import INPUT
from shared.network.recipes.resize import fit_picture
from shared.wire.frame import EncodedTensor, Frame
from splitdnn.checks import contiguous_picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.codecs.base import Codec
    from splitdnn.client.cloud_model import CloudModel

_ORIENTATION = 0x0112
"""EXIF's tag; 1 is upright."""


def picture_frame(
    picture: NDArray[np.uint8] | bytes,
    model: CloudModel,
    codec: Codec,
    *,
    source_size: bool,
    frame_id: int,
    deadline_ms: int,
) -> Frame:
    """(H, W, 3) uint8 RGB, or an image file, as a frame.

    With `source_size` the picture keeps its size unless the cloud takes none of so many pixels, and the file of an upright
    RGB JPEG travels as it is. Raises ShapeError or ContentError.
    """
    array: NDArray[np.uint8] | None
    if isinstance(picture, bytes):
        shape, array = _read(picture, model.max_picture_pixels if source_size else 0)
        if array is None:
            jpeg = NAMES["jpeg"].id
            tensor = EncodedTensor(jpeg, shape, b"", picture)
            return Frame(INPUT, (tensor,), model.fingerprint, frame_id, 0, deadline_ms)
    else:
        array = picture
    array = contiguous_picture(array)
    if not source_size or array.shape[0] * array.shape[1] > model.max_picture_pixels:
        array = fit_picture(array, model.recipe)
    return encode_frame(
        [array],
        codec,
        split_point=INPUT,
        fingerprint=model.fingerprint,
        frame_id=frame_id,
        deadline_ms=deadline_ms,
    )


def _read(data: bytes, max_pixels: int) -> tuple[tuple[int, ...], NDArray[np.uint8] | None]:
    """The picture's shape, and its pixels: upright, RGB; None for an upright RGB JPEG of at most `max_pixels`."""
    from PIL import Image, ImageOps  # noqa: PLC0415 - those who send arrays as `raw` need no Pillow

    try:
        with Image.open(io.BytesIO(data)) as image:
            upright = image.getexif().get(_ORIENTATION, 1) == 1
            if (image.format, image.mode, upright) == (
                "JPEG",
                "RGB",
                True,
            ) and image.width * image.height <= max_pixels:
                return (image.height, image.width, 3), None
            array = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except Exception as error:  # noqa: BLE001 - Pillow's plugins raise a dozen kinds on damaged files
        raise ContentError(f"not a readable picture: {error or type(error).__name__}") from None
    return array.shape, array
