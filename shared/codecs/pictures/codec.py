"""raw, jpeg, png and webp: a picture as it is, or in a common image format."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.codecs.base import Codec, Encoded, elements
from shared.codecs.pictures.files import bare_jpeg, check_file
from shared.errors import ContentError
from shared.limits import MAX_PNG_TEXT_BYTES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.wire.frame import Bytes

_RANGES = {"compress_level": (0, 9), "quality": (1, 100), "subsampling": (0, 2), "method": (0, 6)}
"""Pillow's own. Its numbers for subsampling: 0 is 4:4:4, 1 is 4:2:2, 2 is 4:2:0. `method`: 0 is fast, 6 is small."""


class Raw(Codec):
    """uint8 (H, W, 3), row by row, lossless, three bytes a pixel."""

    carries = "picture"

    def __init__(self, codec_id: int, name: str) -> None:
        self.id = codec_id
        self.name = name

    def encode(self, array: NDArray[np.uint8]) -> Encoded:
        return Encoded(b"", np.ascontiguousarray(array).tobytes())

    def decode(self, params: bytes, payload: Bytes, shape: tuple[int, ...]) -> NDArray[Any]:
        if params:
            raise ContentError(f"{self.name} has no parameters, the frame brings {len(params)} bytes of them")
        if len(shape) != 3 or shape[2] != 3 or len(payload) != elements(shape):
            raise ContentError(f"{self.name}: {len(payload)} bytes are not an RGB picture of shape {shape}")
        return np.frombuffer(payload, dtype=np.uint8).reshape(shape)


class CompressedPicture(Codec):
    """One of Pillow's formats, RGB, eight bits a channel.

    The picture's own header must agree with the frame's shape before a pixel is decoded, so that a small file cannot
    ask for a large picture.
    """

    carries = "picture"

    def __init__(self, codec_id: int, name: str, **save_options: int) -> None:
        self.id = codec_id
        self.name = name
        self._format = name.upper()
        self._save_options = save_options

    def options(self) -> dict[str, int]:
        return dict(self._save_options)

    def ranges(self) -> dict[str, tuple[int, int]]:
        return {option: _RANGES[option] for option in self._save_options}

    def with_options(self, **options: int) -> Codec:
        return CompressedPicture(self.id, self.name, **options)

    def encode(self, array: NDArray[np.uint8]) -> Encoded:
        from PIL import Image  # noqa: PLC0415 - imported only where pictures are sent or received

        buffer = io.BytesIO()
        try:
            Image.fromarray(array, mode=None).save(buffer, self._format, **self._save_options)
        except (OSError, ValueError) as error:  # a WebP has at most 16383 rows and columns, a JPEG 65500
            raise ContentError(f"no {self.name} holds a picture of shape {array.shape}: {error}") from None
        return Encoded(b"", buffer.getvalue())

    def decode(self, params: bytes, payload: Bytes, shape: tuple[int, ...]) -> NDArray[Any]:
        from PIL import Image, PngImagePlugin  # noqa: PLC0415

        PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = MAX_PNG_TEXT_BYTES
        data = bytes(payload)
        if params:
            raise ContentError(f"{self.name} has no parameters, the frame brings {len(params)} bytes of them")
        check_file(self.name, data, shape)
        if self.name == "jpeg":
            data = bare_jpeg(data)
        try:
            with Image.open(io.BytesIO(data), formats=[self._format]) as image:
                actual = (image.height, image.width, len(image.getbands()))
                # What Pillow decodes from: "RGB;16B" gives mode RGB as well. A WebP has no tiles before it is decoded.
                layout = image.tile[0].args if image.tile else image.mode
                mode = layout[0] if isinstance(layout, tuple) else layout
                if actual == shape and mode == "RGB":
                    return np.asarray(image)  # this is what decodes
        except Exception as error:  # noqa: BLE001 - Pillow's plugins raise a dozen kinds on hostile bytes
            raise ContentError(
                f"not a readable {self.name} picture: {error or type(error).__name__}"
            ) from None
        raise ContentError(f"the {self.name} is {actual} {mode}, the frame says {shape} RGB")
