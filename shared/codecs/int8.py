"""int8: one affine scale per tensor, eight bits per element.

    value = (symbol - zero_point) * scale        symbol, zero_point in 0 … 255

The usual asymmetric scheme (Jacob et al., CVPR 2018, arXiv:1712.05877, eq. 1). Zero is always exactly representable, so the
zeros that a ReLU leaves remain zeros.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.codecs.base import Codec, Encoded, elements
from shared.errors import ContentError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.wire.frame import Bytes

PARAMS = struct.Struct("<fB")
"""Scale and zero point, as they travel."""
_LEVELS = 255
_FLOAT32_MAX = float(np.finfo(np.float32).max)
_FLOAT32_TINY = float(np.finfo(np.float32).tiny)


class Int8(Codec):
    """Per-tensor affine quantisation; the error is at most half a scale."""

    def __init__(self, codec_id: int, name: str) -> None:
        self.id = codec_id
        self.name = name

    def encode(self, array: NDArray[np.float32]) -> Encoded:
        low = min(float(array.min(initial=0.0)), 0.0)
        high = max(float(array.max(initial=0.0)), 0.0)
        if not np.isfinite(low) or not np.isfinite(high):  # NaN survives min and max
            raise ContentError("the tensor holds NaN or infinity; accepted: finite numbers")
        # At least the smallest normal number, so that a tensor of zeros has a scale; as float32, as it travels.
        scale = float(np.float32(max((high - low) / _LEVELS, _FLOAT32_TINY)))
        if scale * _LEVELS > _FLOAT32_MAX:
            raise ContentError(f"values from {low:g} to {high:g} are too wide for {self.name}")
        zero_point = min(round(-low / scale), _LEVELS)
        symbols = array * np.float32(1.0 / scale)
        symbols += np.float32(zero_point)
        np.rint(symbols, out=symbols)
        np.clip(symbols, 0, _LEVELS, out=symbols)
        return Encoded(PARAMS.pack(scale, zero_point), symbols.astype(np.uint8).tobytes())

    def decode(self, params: bytes, payload: Bytes, shape: tuple[int, ...]) -> NDArray[Any]:
        scale, zero_point = unpack_params(self.name, params)
        if len(payload) != elements(shape):
            raise ContentError(
                f"{self.name} of shape {shape} is {elements(shape)} bytes, the frame brings {len(payload)}"
            )
        array = np.frombuffer(payload, dtype=np.uint8).reshape(shape).astype(np.float32)
        array -= np.float32(zero_point)
        array *= np.float32(scale)
        return array

    def payload_bytes(self, shape: tuple[int, ...]) -> int:
        return elements(shape)


def unpack_params(name: str, params: bytes) -> tuple[float, int]:
    """Scale and zero point of a frame of the codec `name`. Raises ContentError."""
    if len(params) != PARAMS.size:
        raise ContentError(f"{name} has {PARAMS.size} bytes of parameters, the frame brings {len(params)}")
    scale, zero_point = PARAMS.unpack(params)
    if not _FLOAT32_TINY <= scale <= _FLOAT32_MAX / _LEVELS:  # false for NaN as well
        raise ContentError(f"{name} scale {scale} is not a usable number")
    return scale, zero_point
