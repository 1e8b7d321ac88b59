"""What a reader does with a body: decodes it or refuses it, and the invariant over all bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.codecs import CODECS, decode_frame
from shared.errors import WireError
from shared.wire import frame as wire

if TYPE_CHECKING:
    from collections.abc import Iterable


def read(data: wire.Bytes) -> np.ndarray:
    """The array in the bytes of a frame of one. Raises WireError."""
    (array,) = decode_frame(wire.unpack(data))
    return array


def assert_valid_or_refused(data: wire.Bytes) -> tuple[np.ndarray, ...] | None:
    """The invariant of WIRE.md, rule 7. Anything raised but WireError fails the test by itself."""
    try:
        frame = wire.unpack(data)
        arrays = decode_frame(frame)
    except WireError:
        return None
    for array, tensor in zip(arrays, frame.tensors, strict=True):
        assert array.shape == tensor.shape
        assert array.dtype == (np.uint8 if CODECS[tensor.codec_id].carries == "picture" else np.float32)
        assert np.isfinite(array).all()
    return arrays


Edit = tuple[str, int, int, bytes]
"""How one piece of some bytes is damaged: kind, position (taken modulo their length), amount, bytes to put in."""
KINDS = ("set", "flip", "cut", "insert", "double", "end")
VALUES = (0, 1, 0x7F, 0x80, 0xFE, 0xFF)


def damaged(data: bytes, edits: Iterable[Edit]) -> bytes:
    """`data` with bytes changed, pieces cut out, doubled or put in."""
    found = bytearray(data)
    for kind, position, amount, more in edits:
        at = position % (len(found) + 1)
        if kind == "set" and at < len(found):
            found[at] = VALUES[amount % len(VALUES)]
        elif kind == "flip" and at < len(found):
            found[at] ^= 1 << amount % 8
        elif kind == "cut":
            del found[at : at + 1 + amount % 8]
        elif kind == "insert":
            found[at:at] = more
        elif kind == "double":
            found[at:at] = found[at : at + 1 + amount]
        elif kind == "end":
            del found[at:]
    return bytes(found)
