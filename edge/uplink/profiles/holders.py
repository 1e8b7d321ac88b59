"""Which of the clouds behind one address have a profile, and how often it may still be sent there."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from edge.uplink.profiles.clouds import UNNAMED

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.uplink.profiles.clouds import Fleet

PERIOD_S = 600.0
"""In so long a profile is sent to several clouds as often as there are of them, whichever a balancer passes it to."""


class Holders:
    """Holds this of one profile. Used from the event loop only."""

    def __init__(self, clouds: Fleet, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns seconds."""
        self._clouds = clouds
        self._clock = clock
        self._have: set[str] = set()
        self._sent: deque[float] = deque()

    def note(self, cloud: str, *, there: bool) -> None:
        """A cloud has the profile, or lacks it."""
        if there:
            self._have.add(cloud)
        elif self._clouds.are_several():
            self._have.discard(cloud)
        else:
            self._have.clear()  # the only one: those before it were the same, before its restarts
        self._have &= self._clouds.known() | {UNNAMED, cloud}

    def has(self, cloud: str) -> bool:
        """Whether this cloud has it, as far as is known."""
        return cloud in self._have

    def are_there(self) -> bool:
        """Whether any cloud has it, as far as is known."""
        return bool(self._have)

    def may_send(self) -> bool:
        """Whether it may be sent once more: always to a single cloud."""
        since = self._clock() - PERIOD_S
        while self._sent and self._sent[0] <= since:
            self._sent.popleft()
        return not self._clouds.are_several() or len(self._sent) < len(self._clouds.known())

    def sent(self) -> None:
        """It is sent now."""
        self._sent.append(self._clock())
