"""The state that two sides of a stream share, known by a hash: of all payloads since the keyframe."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from shared.codecs.base import STATE_BYTES
from shared.errors import ContentError, StateMissingError

if TYPE_CHECKING:
    from shared.wire.frame import Bytes

NONE = bytes(STATE_BYTES)
"""What a keyframe's parameters are: it needs no state."""


class Chain:
    """What one side has seen."""

    def __init__(self) -> None:
        self.state = NONE
        """The hash; NONE without a state."""
        self._shape: tuple[int, ...] = ()

    def begin(self, payload: Bytes, shape: tuple[int, ...]) -> None:
        """After a keyframe."""
        self.state, self._shape = _hash(payload, 0), shape

    def follow(self, payload: Bytes) -> None:
        """After a picture that needed the one before."""
        self.state = _hash(payload, int.from_bytes(self.state, "little"))

    def forget(self) -> None:
        self.state = NONE

    def require(self, params: bytes, shape: tuple[int, ...], name: str) -> bool:
        """Whether a frame with these parameters is a keyframe.

        Raises StateMissingError if it needs another state than this, and ContentError if its size cannot be right.
        """
        needed = needs(params, name)
        if not needed:
            return True
        if needed != self.state:
            had = self.state.hex() if self.state != NONE else "none"
            raise StateMissingError(
                f"this {name} picture needs the state {needed.hex()}, and here is {had}; the next one must be a keyframe"
            )
        if shape != self._shape:
            raise ContentError(
                f"an {name} picture of {shape} after those of {self._shape} must be a keyframe"
            )
        return False


def needs(params: bytes, name: str) -> bytes:
    """The state that a frame with these parameters needs; empty for a keyframe. Raises ContentError."""
    if len(params) != STATE_BYTES:
        raise ContentError(
            f"the parameters of {name} are {STATE_BYTES} bytes, the frame brings {len(params)}"
        )
    return b"" if params == NONE else bytes(params)


def _hash(payload: Bytes, before: int) -> bytes:
    return (zlib.crc32(payload, before) or 1).to_bytes(STATE_BYTES, "little")
