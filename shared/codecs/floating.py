"""float32 and float16: the tensor's values in C order, little-endian."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shared.codecs.base import Codec, Encoded, elements, require_finite
from shared.errors import ContentError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.wire.frame import Bytes


class Floating(Codec):
    """IEEE 754 numbers of 4 or 2 bytes. float32 is lossless; float16 keeps 11 significant bits and refuses values above 65504."""

    def __init__(self, codec_id: int, name: str, dtype: str) -> None:
        self.id = codec_id
        self.name = name
        self._dtype = np.dtype(dtype)

    def encode(self, array: NDArray[np.float32]) -> Encoded:
        with np.errstate(over="ignore"):  # an overflow becomes infinity, which require_finite refuses
            converted = np.ascontiguousarray(array, dtype=self._dtype)
        require_finite(converted)
        return Encoded(b"", converted.tobytes())

    def decode(self, params: bytes, payload: Bytes, shape: tuple[int, ...]) -> NDArray[Any]:
        if params:
            raise ContentError(f"{self.name} has no parameters, the frame brings {len(params)} bytes of them")
        expected = self.payload_bytes(shape)
        if len(payload) != expected:
            raise ContentError(
                f"{self.name} of shape {shape} is {expected} bytes, the frame brings {len(payload)}"
            )
        array = np.frombuffer(payload, dtype=self._dtype).reshape(shape).astype(np.float32, copy=False)
        require_finite(array)
        return array

    def payload_bytes(self, shape: tuple[int, ...]) -> int:
        return elements(shape) * self._dtype.itemsize


FLOAT32 = Floating(1, "float32", "<f4")
