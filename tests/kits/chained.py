"""A codec whose frames need the one before: each is the difference of its bytes from those of the frame before, exactly."""

from __future__ import annotations

import math
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.codecs.base import STATE_BYTES, Codec, Encoded
from shared.codecs.registry import CODECS, NAMES
from shared.errors import ContentError, StateMissingError

if TYPE_CHECKING:
    import pytest
    from numpy.typing import NDArray

    from shared.wire.frame import Bytes

_NONE = bytes(STATE_BYTES)


class Chained(Codec):
    """float32; by itself it codes keyframes only."""

    id = 99
    name = "chained"
    inter = True

    def __init__(self, *, stream: bool = False) -> None:
        self._stream = stream
        self._before: bytes | None = None
        self.decoded: list[bytes] = []
        """The parameters of what was decoded."""

    def for_stream(self) -> Chained:
        made = Chained(stream=True)
        made.decoded = self.decoded
        return made

    def forget(self) -> None:
        self._before = None

    def needs(self, params: bytes) -> bytes:
        if len(params) != STATE_BYTES:
            raise ContentError("a hash has four bytes")
        return b"" if params == _NONE else params

    def encode(self, array: NDArray[Any]) -> Encoded:
        data = array.astype("<f4").tobytes()
        before, self._before = self._before, data if self._stream else None
        if before is None:
            return Encoded(_NONE, data)
        return Encoded(_state(before), _xor(data, before))

    def decode(self, params: bytes, payload: Bytes, shape: tuple[int, ...]) -> NDArray[Any]:
        before, self._before = self._before, None
        self.decoded.append(bytes(params))
        if self.needs(params):
            if before is None or params != _state(before):
                raise StateMissingError("this frame needs the one before")
            payload = _xor(bytes(payload), before)
        if len(payload) != 4 * math.prod(shape):
            raise ContentError("too few bytes, or too many")
        self._before = bytes(payload) if self._stream else None
        return np.frombuffer(payload, "<f4").reshape(shape).copy()


def add_chained(patch: pytest.MonkeyPatch) -> Chained:
    """The codec, known to everybody."""
    codec = Chained()
    patch.setitem(CODECS, Chained.id, codec)
    patch.setitem(NAMES, Chained.name, codec)
    return codec


def _state(data: bytes) -> bytes:
    return (zlib.crc32(data) or 1).to_bytes(4, "little")


def _xor(data: Bytes, other: Bytes) -> bytes:
    return (np.frombuffer(data, np.uint8) ^ np.frombuffer(other, np.uint8)).tobytes()
