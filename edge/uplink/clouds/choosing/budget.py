"""How many frames may be sent twice: so many that the frames of a cloud that dies find another, not so many that slow clouds get more to do."""

from __future__ import annotations

_FRAMES = 5
"""For each repeat, as the retry budget of Finagle has it."""
_LEAST = 10


class Budget:
    """Repeats that are left: one for every five frames, and as many at first as may be under way at once."""

    def __init__(self, in_flight: int) -> None:
        self._most = self._left = _FRAMES * max(_LEAST, in_flight)
        """In frames."""

    def frame(self) -> None:
        """A frame is sent for the first time."""
        self._left = min(self._most, self._left + 1)

    def take(self) -> bool:
        """Whether a frame may be sent once more, which is then counted."""
        if self._left < _FRAMES:
            return False
        self._left -= _FRAMES
        return True
