"""Which event a broker ends its connections at, so that one event cannot hold up all others for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SUSPECT_AFTER = 2
"""Connections in a row that have ended with the same event as the oldest which was not acknowledged."""
TRIES = 10
LEAST_S = 300.0
"""From the first of those connections to the last try: a broker that is in trouble for some minutes loses nothing."""


class Caution:
    """One delivery's, over all its connections.

    A broker of MQTT 3.1.1 can refuse an event only by breaking the connection, and does not say which of those under way it was. So
    the one in doubt is sent `alone`, after all else was acknowledged; if every connection ends at it, it is to be left out.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._suspect = 0
        self._ends = 0
        self._since = 0.0

    @property
    def alone(self) -> bool:
        """Whether the next connection is to begin with one event alone."""
        return self._ends >= SUSPECT_AFTER

    def ended(self, oldest: int) -> bool:
        """A connection has ended, on which the event of this position was the oldest without an answer: whether that is left out now."""
        if oldest != self._suspect:
            self._suspect, self._ends, self._since = oldest, 0, self._clock()
        self._ends += 1
        left_out = self._ends >= SUSPECT_AFTER + TRIES and self._clock() - self._since >= LEAST_S
        if left_out:
            self.answered(oldest)
        return left_out

    def answered(self, position: int) -> None:
        """The broker has taken this event, or refused it."""
        if position == self._suspect:
            self._suspect = self._ends = 0
