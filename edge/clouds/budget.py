"""How many frames may be sent twice: so many that the frames of a cloud that dies find another, not so many that slow clouds get more to do."""

from __future__ import annotations

_PER_FRAME = 0.2
"""As the retry budget of Finagle."""
_LEAST = 10


class Budget:
    """Repeats that are left: one for every five frames, and as many at first as may be under way at once."""

    def __init__(self, in_flight: int) -> None:
        self._most = self._left = float(max(_LEAST, in_flight))

    def frame(self) -> None:
        """A frame is sent for the first time."""
        self._left = min(self._most, self._left + _PER_FRAME)

    def take(self) -> bool:
        """Whether a frame may be sent once more, which is then counted."""
        if self._left < 1:
            return False
        self._left -= 1
        return True
