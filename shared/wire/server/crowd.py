"""A server's connections: how many, whose, which are idle, and which have answers that nobody reads. On the event loop only."""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from shared.limits import MAX_UNREAD_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.wire.server.streams import WatchedStream, WatchedTlsStream

    Stream = WatchedStream | WatchedTlsStream
    Closed = Literal["refused", "displaced", "unread", "paused"]

_log = logging.getLogger(__name__)

_IDLE_S = 1.0
"""An edge that sends a frame every second keeps its connection, whoever else comes."""
_QUIET_S = 60.0
"""The same line is logged once in so long."""


@dataclass(slots=True, eq=False)
class _Guest:
    """One connection."""

    stream: Stream
    owner: str
    exempt: bool
    written: int = 0  # of the stream, when it was looked at
    taken_s: float = 0.0  # when something of an answer was taken, or nothing waited


class Crowd:
    """Keeps the connections within their limits."""

    def __init__(
        self,
        most: int,
        most_of_one: int,
        write_timeout_s: float,
        *,
        closed: Callable[[Closed, str], None] = lambda _why, _owner: None,
        header_refused: Callable[[], None] = lambda: None,
        owner_of: Callable[[str], str] = str,
        exempt: Callable[[str], bool] = lambda _address: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """At most `most` connections, `most_of_one` of them of one owner, unless it is `exempt`, as a proxy of many clients is.

        `owner_of` an address is the owner of a connection from it, until `own` names another.

        An answer of which nothing is taken for `write_timeout_s` seconds is given up. `closed` is told of what is refused or cut
        off, and whose it was; `paused` is a time without descriptors, and nobody's.
        """
        self.header_refused = header_refused
        self._most = most
        self._most_of_one = most_of_one
        self._write_timeout_s = write_timeout_s
        self._closed = closed
        self._exempt = exempt
        self._owner_of = owner_of
        self._clock = clock
        self._guests: dict[Stream, _Guest] = {}
        self._of_owner: Counter[str] = Counter()
        self._logged_s: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._guests)

    def make_room(self, address: str) -> bool:
        """Whether one more connection from this address may come; an idle one may be closed for it."""
        owner = self._owner_of(address)
        if self._of_owner[owner] >= self._most_of_one and not self._exempt(address):
            guest = self._longest_idle(owner)
        elif len(self._guests) >= self._most:
            guest = self._least_needed(owner)
        else:
            return True
        if guest is None:
            self._closed("refused", owner)
            self._say("refused", "no room for a connection from %s: %d are open", owner, len(self._guests))
            return False
        self._closed("displaced", guest.owner)
        guest.stream.close()
        self.remove(guest.stream)
        return True

    def add(self, stream: Stream, address: str) -> None:
        """A connection has come, for which there is room."""
        owner = stream.owner = self._owner_of(address)
        self._guests[stream] = _Guest(stream, owner, self._exempt(address), taken_s=self._clock())
        self._of_owner[owner] += 1

    def remove(self, stream: Stream) -> None:
        """A connection has ended; may be called twice."""
        guest = self._guests.pop(stream, None)
        if guest:
            self._leave(guest)

    def own(self, stream: object, owner: str) -> bool:
        """A request has said whose this connection is; one that is idle may be closed for it.

        False if this owner has all connections that it may have, and all are busy: then the request is to be refused, and the
        connection closed.
        """
        guest = self._guests.get(stream)  # type: ignore[call-overload]
        if guest is None or guest.owner == owner:
            return True
        self._leave(guest)
        guest.owner = guest.stream.owner = owner
        self._of_owner[owner] += 1
        if self._of_owner[owner] <= self._most_of_one:
            return True
        idle = self._longest_idle(owner)
        if idle is None:
            self._closed("refused", owner)
            self._say("crowded", "a client, %s, has all of its %d connections busy", owner, self._most_of_one)
            return False
        if not idle.exempt:  # a proxy keeps its connections for whoever comes next
            self._closed("displaced", owner)
            idle.stream.close()
            self.remove(idle.stream)
        return True

    def is_writing(self) -> bool:
        """Whether an answer waits for its client to read."""
        return any(stream.writing() for stream in self._guests)

    def sweep(self) -> None:
        """Cut off whoever does not read. To be called every second or so."""
        now_s = self._clock()
        waiting: dict[str, list[tuple[int, Stream]]] = {}
        for guest in list(self._guests.values()):
            stream = guest.stream
            if stream.written != guest.written or not stream.writing():
                guest.written, guest.taken_s = stream.written, now_s
            if now_s - guest.taken_s >= self._write_timeout_s:
                self._cut(guest)
            elif stream.writing():
                waiting.setdefault(guest.owner, []).append((stream.unread_bytes(), stream))
        for unread in waiting.values():
            unread.sort(key=lambda each: each[0])
            while sum(size for size, _ in unread) > MAX_UNREAD_BYTES:
                self._cut(self._guests[unread.pop()[1]])

    def note_pause(self, error: OSError) -> None:
        """No connection can be accepted for a second."""
        self._closed("paused", "")
        self._say(
            "paused", "no connection can be accepted (%s); %d are open", error.strerror, len(self._guests)
        )

    def _cut(self, guest: _Guest) -> None:
        self._closed("unread", guest.owner)
        self._say("unread", "a client at %s does not read its answer and is cut off", guest.owner)
        guest.stream.close()
        self.remove(guest.stream)

    def _least_needed(self, owner: str) -> _Guest | None:
        """An idle connection that gives way to a newcomer of this owner when all places are taken.

        It is of the owner with most, if that has more than the newcomer would have; else of the newcomer's; else the longest idle one
        of all, if that has been idle for a while.
        """
        idle: dict[str, _Guest] = {}  # each owner's longest idle one
        for guest in self._guests.values():
            if _idle_since(guest) < (_idle_since(idle[guest.owner]) if guest.owner in idle else math.inf):
                idle[guest.owner] = guest
        count, most = max(((self._of_owner[each], each) for each in idle), default=(0, ""))
        if count > self._of_owner[owner] + 1:
            return idle[most]
        if owner in idle:
            return idle[owner]
        longest = min(idle.values(), key=_idle_since, default=None)
        return longest if longest and self._clock() - _idle_since(longest) >= _IDLE_S else None

    def _longest_idle(self, owner: str) -> _Guest | None:
        idle = [
            guest
            for guest in self._guests.values()
            if guest.owner == owner and guest.stream.idle_since_s is not None
        ]
        return min(idle, key=_idle_since, default=None)

    def _leave(self, guest: _Guest) -> None:
        self._of_owner[guest.owner] -= 1
        if not self._of_owner[guest.owner]:
            del self._of_owner[guest.owner]

    def _say(self, kind: str, text: str, *values: object) -> None:
        now_s = self._clock()
        if now_s - self._logged_s.get(kind, -_QUIET_S) >= _QUIET_S:
            self._logged_s[kind] = now_s
            _log.warning(f"{text}; the next line about this comes in {_QUIET_S:g} s at the earliest", *values)


def _idle_since(guest: _Guest) -> float:
    return math.inf if guest.stream.idle_since_s is None else guest.stream.idle_since_s
