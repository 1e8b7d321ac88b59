"""When a worker that has died is started again: soon, then later and later, and not for ever."""

from __future__ import annotations

_FIRST_S, _LONGEST_S = 0.5, 60.0
SERVED_S = 60.0
"""A worker that has taken frames for so long is not one that dies as soon as it starts."""
MOST_IN_A_ROW = 10
"""Deaths in a row after which a worker is started again; about four minutes of waiting, all in all."""


class Restarts:
    """The waits of one worker."""

    def __init__(self) -> None:
        self._in_a_row = 0

    def wait_s(self, served_s: float) -> float | None:
        """Seconds until the next start of a worker that has died after it had taken frames for `served_s`; None if there is none."""
        if served_s >= SERVED_S:
            self._in_a_row = 0
        self._in_a_row += 1
        if self._in_a_row > MOST_IN_A_ROW:
            return None
        return min(_LONGEST_S, _FIRST_S * 2.0 ** (self._in_a_row - 1))
