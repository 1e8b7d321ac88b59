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

    def options(self) -> dict[str, float]:
        return dict(self._save_options)

    def encode(self, array: NDArray[np.uint8]) -> Encoded:
        from PIL import Image  # noqa: PLC0415 - only those who send or take pictures pay for it

        buffer = io.BytesIO()
        Image.fromarray(array, mode=None).save(buffer, self._format, **self._save_options)
        return Encoded(b"", buffer.getvalue())

    def decode(self, params: bytes, payload: Bytes, shape: tuple[int, ...]) -> NDArray[Any]:
        from PIL import Image  # noqa: PLC0415

        if params:
            raise ContentError(f"{self.name} has no parameters, the frame brings {len(params)} bytes of them")
        try:
            with Image.open(io.BytesIO(payload), formats=[self._format]) as image:
                actual = (image.height, image.width, len(image.getbands()))
                if actual == shape and image.mode == "RGB":
                    return np.asarray(image)  # decodes here
        except Exception as error:  # noqa: BLE001 - Pillow's plugins raise a dozen kinds on hostile bytes
            raise ContentError(f"not a readable {self.name} picture: {error or type(error).__name__}") from None
        raise ContentError(f"the {self.name} is {actual} {image.mode}, the frame says {shape} RGB")
