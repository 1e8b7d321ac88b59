"""jpeg and png: the picture that the network would see, in a format everybody reads."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.codecs.base import Codec, Encoded
from shared.errors import ContentError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.wire import Bytes

MAX_SCANS = 32
"""Of a JPEG. Each costs a pass over the whole picture and may be 12 bytes; progressive files have about ten."""
MAX_TEXT_BYTES = 1 << 16
"""Of a PNG's comments, unpacked. Pillow's own limit lets 64 KiB of them become 64 MiB."""

# Pillow's own; its numbers for subsampling: 0 is 4:4:4, 1 is 4:2:2, 2 is 4:2:0.
_RANGES = {"compress_level": (0, 9), "quality": (1, 100), "subsampling": (0, 2)}


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
        from PIL import Image  # noqa: PLC0415 - only those who send or take pictures pay for it

        buffer = io.BytesIO()
        Image.fromarray(array, mode=None).save(buffer, self._format, **self._save_options)
        return Encoded(b"", buffer.getvalue())

    def decode(self, params: bytes, payload: Bytes, shape: tuple[int, ...]) -> NDArray[Any]:
        from PIL import Image, PngImagePlugin  # noqa: PLC0415

        PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = MAX_TEXT_BYTES
        data = bytes(payload)
        if params:
            raise ContentError(f"{self.name} has no parameters, the frame brings {len(params)} bytes of them")
        if self.name == "jpeg" and data.count(b"\xff\xda") > MAX_SCANS:
            raise ContentError(f"a jpeg of more than {MAX_SCANS} scans is not read here")
        try:
            with Image.open(io.BytesIO(data), formats=[self._format]) as image:
                actual = (image.height, image.width, len(image.getbands()))
                layout = image.tile[0].args  # what Pillow decodes from: "RGB;16B" gives mode RGB as well
                mode = layout[0] if isinstance(layout, tuple) else layout
                if actual == shape and mode == "RGB":
                    return np.asarray(image)  # decodes here
        except Exception as error:  # noqa: BLE001 - Pillow's plugins raise a dozen kinds on hostile bytes
            raise ContentError(
                f"not a readable {self.name} picture: {error or type(error).__name__}"
            ) from None
        raise ContentError(f"the {self.name} is {actual} {mode}, the frame says {shape} RGB")
