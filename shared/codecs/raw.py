"""raw: the picture's bytes as they are, row by row, RGB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shared.codecs.base import Codec, Encoded, elements
from shared.errors import ContentError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.wire.frame import Bytes


class Raw(Codec):
    """uint8 (H, W, 3), lossless, three bytes a pixel."""

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
