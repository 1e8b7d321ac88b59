"""What is on its way over a session, and whether one more frame would be answered in time: asked before it is encoded."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.uplink.link import LinkState

_SHARE = 0.75
"""The part of the deadline within which a frame must be expected to be answered: estimates err, and links falter."""
_SLOWEST_BYTES_PER_S = 6250.0
"""50 kbit/s: the link that is feared before anything is known."""
_VAIN, _VAIN_S = 4, 5.0
"""A frame that is expected to be late is sent all the same after so many times what it takes, or so long: a link may become faster again."""
_PATIENCE = 12
"""Frames in a row that were late, after which the next one of a stream is taken to be no smaller for their having come."""

_COUNTING = threading.Lock()
"""For the frames of streams, which go from one link to another."""


class _Stream(Protocol):
    """See edge/uplink/session/stream.py."""

    under_way: int


class Reservation:
    """One frame that is encoded: its bytes until they are sent, its place until it is answered."""

    def __init__(self, flow: Flow, size: int, stream: _Stream) -> None:
        self._flow = flow
        self._size = size
        self._stream = stream
        self._has_ended = False

    def written(self) -> None:
        """The frame is sent. May be called again."""
        size, self._size = self._size, 0
        self._flow.written(size)

    def move(self, flow: Flow) -> None:
        """The frame goes over another link than it was encoded for. To be called before it is sent."""
        if flow is not self._flow and not self._has_ended:
            self._flow.ended(self._size, self._stream)
            flow.begun(self._size, self._stream)
            self._flow = flow

    def release(self) -> None:
        """The frame is answered, or is not going to be. May be called again."""
        if not self._has_ended:
            self._has_ended = True
            size, self._size = self._size, 0
            self._flow.ended(size, self._stream)


class Flow:
    """One link's, whatever its sessions are. For any thread; times in monotonic seconds."""

    def __init__(self, state: Callable[[], LinkState], clock: Callable[[], float], *, most: int) -> None:
        """`state` is asked on the event loop only. `most`: frames that may be encoded and not answered at once."""
        self._most = most
        self._frames = 0
        self._ask_state = state
        self._clock = clock
        self._lock = threading.Lock()
        self._encoded = self._written = 0
        self._free_at = self._begun_at = float("-inf")
        self._late = 0
        """Frames in a row that were not answered in time."""
        self._window = 0
        """Bytes that may be under way, whatever is known of the link."""
        self._state = state()
        self._computing_s = 0.0

    @property
    def under_way(self) -> int:
        """Bytes that are encoded and not answered."""
        return self._encoded + self._written

    def has_room(self, size: int, deadline_s: float, others: int = 1, *, builds: bool = False) -> bool:
        """Whether a frame of `size` bytes that is encoded now would be answered in time; so it is said of any now and then while nothing is under way.

        Then it shows how fast the link is. From there on what is under way at most doubles with each round trip, as in a slow start (RFC
        5681): before the first answers nothing is known, and no more is sent than the slowest link would bring by the deadline. `others`:
        frames of its own stream that are under way. A stream has a place of its own. `builds`: a later frame needs this one, which makes it
        smaller, so that it is not in vain even if it is late, unless all of them are.
        """
        with self._lock:
            before, now, link = self._encoded + self._written, self._clock(), self._state
            alone_s = size / link.bytes_per_s + link.round_trip_s + self._computing_s
            if not before:
                hopeless = alone_s > deadline_s and not (builds and self._late < _PATIENCE)
                return not hopeless or now >= self._begun_at + min(_VAIN * alone_s, _VAIN_S)
            if before + size > max(self._window, _SLOWEST_BYTES_PER_S * deadline_s):
                return False
            if (
                others and self._frames >= self._most
            ):  # it would wait for one of them, while the edge could answer it
                return False
            whole_s = max(0.0, self._free_at - now) + self._encoded / link.bytes_per_s + alone_s
            # While the link stands still, nothing leaves it, whatever was expected.
            most = link.bytes_per_s * deadline_s
            return whole_s <= _SHARE * deadline_s and before + size <= most

    def reserve(self, size: int, stream: _Stream) -> Reservation:
        """A frame is encoded."""
        self.begun(size, stream)
        return Reservation(self, size, stream)

    def begun(self, size: int, stream: _Stream) -> None:
        """A frame of this stream is encoded, or was, for another link."""
        with self._lock, _COUNTING:
            self._begun_at = self._clock()
            self._encoded += size
            self._frames += 1
            stream.under_way += 1

    def written(self, size: int) -> None:
        """What was reserved for a frame is given to the connection, and counts as that from now on."""
        with self._lock:
            self._encoded -= size

    def ended(self, size: int, stream: _Stream) -> None:
        """A frame for which so much was still reserved is answered, or is not going to be."""
        with self._lock, _COUNTING:
            self._encoded -= size
            self._frames -= 1
            stream.under_way -= 1

    def wrote(self, size: int) -> None:
        """So many bytes are given to the connection."""
        with self._lock:
            self._state = self._ask_state()
            self._written += size
            self._free_at = max(self._free_at, self._clock()) + size / self._state.bytes_per_s

    def left(self, size: int, left_at: float, computing_s: float) -> None:
        """An answer shows that this many bytes have left the link, the last of them at this time; the cloud took so long to compute it."""
        with self._lock:
            self._state = self._ask_state()
            self._computing_s = computing_s
            self._window = max(self._window, self._written) + size
            self._written = max(0, self._written - size)
            self._free_at = left_at + self._written / self._state.bytes_per_s

    def in_time(self) -> None:
        """A frame was answered in time."""
        with self._lock:
            self._late = 0

    def gave_up(self) -> None:
        """A frame was not answered in time: what is known of the link has changed."""
        with self._lock:
            self._late += 1
            self._state = self._ask_state()

    def broke(self, size: int) -> None:
        """The connection broke, with so many bytes on it."""
        with self._lock:
            self._state = self._ask_state()
            self._written = max(0, self._written - size)
            if not self._written:
                self._free_at = float("-inf")
