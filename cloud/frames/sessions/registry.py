"""All sessions of a process: how many there may be, whose they are, and when they end. On the event loop only."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from typing import TYPE_CHECKING, Literal, Protocol

from cloud.access.refusals import OverQuotaError, SessionsError
from cloud.frames.sessions.streams import States

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from cloud.frames.sessions.metrics import SessionMetrics

    GoAwayReason = Literal["drain", "rebalance", "idle", "replaced"]

_log = logging.getLogger(__name__)

HELLO_S = 10.0
"""How long a connection may take to its first message."""
CROSSING_S = 1.0
"""How long a server that stops waits for frames that were sent before their edge knew of it."""
_LOOK_S = 0.02
_SPREAD = 16
"""Sessions live up to a sixteenth longer than `--session-age`, each another time: those of a fleet's start do not all move at once."""


class Guest(Protocol):
    """A session, as far as this file knows it."""

    id: bytes
    client: str
    broken_s: float | None

    def is_over(self, now_s: float, age_s: float) -> bool:
        """Look after it; whether it is to end now."""

    def go_away(self, reason: GoAwayReason, now_s: float) -> None:
        """Tell the edge to open another session."""

    def forget_profiles(self, known: Collection[str]) -> None:
        """Only these are held."""

    def refuse(self) -> None:
        """There is no time for frames that are still under way."""

    def end(self) -> None:
        """Nobody comes back to it."""


class Stranger(Protocol):
    """A connection that has not said hello yet."""

    client: str
    began_s: float

    def silent(self) -> None:
        """It takes too long."""


class Sessions:
    """Those that are there. A process holds at most `most`, half of them of one client."""

    def __init__(
        self, most: int, age_s: float, metrics: SessionMetrics, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`age_s`: after so many seconds an edge is told to open another; 0 never. `clock` returns seconds."""
        self.states = States()
        self._most, self._most_of_one = most, max(1, most // 2)
        self._age_s, self._metrics, self._clock = age_s, metrics, clock
        self._sessions: dict[bytes, Guest] = {}
        self._connections: Counter[str] = Counter()
        self._strangers: dict[Stranger, None] = {}
        metrics.open.set_function(lambda: len(self._sessions))

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def are_served(self) -> bool:
        """Whether there may be any."""
        return self._most > 0

    def require_place(self, client: str) -> None:
        """Raise OverQuotaError or SessionsError if this client may not open another connection of a session."""
        if self._connections[client] >= self._most_of_one:
            raise OverQuotaError(
                f"this client has {self._connections[client]} sessions, which is its share",
                accepted={"sessions": self._most_of_one},
            )
        if self._connections.total() >= self._most:
            raise SessionsError(f"{self._most} sessions are open, and there may be no more")

    def enter(self, stranger: Stranger) -> None:
        """A connection has come, for which there is a place."""
        self._connections[stranger.client] += 1
        self._strangers[stranger] = None

    def leave(self, stranger: Stranger) -> None:
        """It has ended."""
        self._strangers.pop(stranger, None)
        self._connections[stranger.client] -= 1
        if not self._connections[stranger.client]:
            del self._connections[stranger.client]

    def awaits(self, client: str) -> bool:
        """Whether a session of this client has no connection, and may have another."""
        return any(each.client == client and each.broken_s is not None for each in self._sessions.values())

    def greeted(self, stranger: Stranger) -> None:
        """It has said hello."""
        self._strangers.pop(stranger, None)

    def add(self, guest: Guest) -> None:
        """A new session. Where there are too many, the one goes whose connection broke longest ago."""
        own = [each for each in self._sessions.values() if each.client == guest.client]
        if len(own) >= self._most_of_one:
            self._drop_broken(own)
        if len(self._sessions) >= self._most:
            self._drop_broken(self._sessions.values())
        self._sessions[guest.id] = guest

    def find(self, name: bytes) -> Guest | None:
        """The session of this id."""
        return self._sessions.get(name)

    def remove(self, guest: Guest) -> None:
        """It ends."""
        if self._sessions.pop(guest.id, None):
            guest.end()

    def tend(self, profiles: Collection[str]) -> None:
        """Look after all of them. To be called every second or so; `profiles` are the names of those that are held."""
        now_s = self._clock()
        for stranger in [each for each in self._strangers if now_s - each.began_s >= HELLO_S]:
            self.greeted(stranger)  # it is told once, and may take a while to close
            stranger.silent()
        known = frozenset(profiles)
        for guest in list(self._sessions.values()):
            age_s = self._age_s * (1 + guest.id[0] / 256 / _SPREAD)
            try:
                guest.forget_profiles(known)
                if guest.is_over(now_s, age_s):
                    self.remove(guest)
            except Exception:  # noqa: BLE001 - whatever it was, the others are looked after
                _log.exception("a session was not looked after")

    def go_away(self, reason: GoAwayReason) -> None:
        """Tell all edges to open another session."""
        for guest in list(self._sessions.values()):
            guest.go_away(reason, self._clock())

    async def finish(self, limit_s: float) -> None:
        """Frames may still come that were sent before their edges knew: they are refused for a moment, until all edges are gone."""
        until_s = self._clock() + min(CROSSING_S, limit_s)
        while (left_s := until_s - self._clock()) > 0:
            if not self._connections:
                return
            await asyncio.sleep(min(_LOOK_S, left_s))

    def refuse(self) -> None:
        """There is no time for frames that are still under way."""
        for guest in list(self._sessions.values()):
            guest.refuse()

    def stop(self) -> None:
        """End all of them."""
        for guest in list(self._sessions.values()):
            self.remove(guest)

    def _drop_broken(self, guests: Iterable[Guest]) -> None:
        broken = [each for each in guests if each.broken_s is not None]
        if broken:
            self.remove(min(broken, key=lambda each: each.broken_s or 0.0))
