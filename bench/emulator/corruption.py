"""Bits that flip on the way, where they were ordered."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

MIN_BYTES = 64
"""What is shorter is left alone: it is mostly a header's end, and its bits are not those that were meant."""


class Corruption:
    """Of one direction, over all its connections."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._times = self._skip = 0

    def order(self, times: int, skip: int = 0) -> None:
        """One bit in each of the next `times` chunks; the first `skip` bytes pass untouched. Replaces what was ordered.

        Raises ValueError.
        """
        for name, value in (("times", times), ("skip", skip)):
            if value < 0:
                raise ValueError(f"{name} is {value}; accepted is 0 or more")
        self._times, self._skip = times, skip

    def apply(self, chunk: bytes) -> bytes:
        """These bytes as they arrive. Of a chunk in which the skipped bytes end, only the rest counts."""
        if not self._times:
            return chunk
        start, self._skip = min(self._skip, len(chunk)), max(0, self._skip - len(chunk))
        if len(chunk) - start < MIN_BYTES:
            return chunk
        self._times -= 1
        flipped = bytearray(chunk)
        flipped[self._chance.randrange(start, len(chunk))] ^= 1 << self._chance.randrange(8)
        return bytes(flipped)
