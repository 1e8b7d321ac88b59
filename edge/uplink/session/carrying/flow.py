"""What is on its way over a session, and whether one more frame would be answered in time: asked before it is encoded."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.uplink.link import LinkState

_SHARE = 0.75
"""The part of the deadline within which a frame must be expected to be answered: estimates err, and links falter."""


class Reservation:
    """The bytes of one frame that is encoded, until they are sent or given up."""

    def __init__(self, flow: Flow, size: int) -> None:
        self._flow = flow
        self._size = size

    def release(self) -> None:
        """The frame is sent, or is not going to be. May be called again."""
        size, self._size = self._size, 0
        self._flow.released(size)


class Flow:
    """One link's, whatever its sessions are. For any thread; times in monotonic seconds."""

    def __init__(self, state: Callable[[], LinkState], clock: Callable[[], float]) -> None:
        """`state` is asked on the event loop only."""
        self._ask_state = state
        self._clock = clock
        self._lock = threading.Lock()
        self._encoded = self._written = 0
        self._free_at = float("-inf")
        self._state = state()
        self._computing_s = 0.0

    @property
    def under_way(self) -> int:
        """Bytes that are encoded and not answered."""
        return self._encoded + self._written

    def has_room(self, size: int, deadline_s: float) -> bool:
        """Whether a frame of `size` bytes that is encoded now would be answered in time; so it is said of any while nothing is under way.

        Then it shows how fast the link is.
        """
        with self._lock:
            before = self._encoded + self._written
            if not before:
                return True
            link = self._state
            queued_s = max(0.0, self._free_at - self._clock()) + self._encoded / link.bytes_per_s
            whole_s = queued_s + size / link.bytes_per_s + link.round_trip_s + self._computing_s
            # While the link stands still, nothing leaves it, whatever was expected.
            most = link.bytes_per_s * deadline_s
            return whole_s <= _SHARE * deadline_s and before + size <= most

    def reserve(self, size: int) -> Reservation:
        """A frame is encoded."""
        with self._lock:
            self._encoded += size
        return Reservation(self, size)

    def released(self, size: int) -> None:
        """A reservation has ended."""
        with self._lock:
            self._encoded -= size

    def wrote(self, size: int) -> None:
        """So many bytes are given to the connection."""
        with self._lock:
            self._state = self._ask_state()
            self._written += size
            self._free_at = max(self._free_at, self._clock()) + size / self._state.bytes_per_s

    def left(self, size: int, left_at: float, computing_s: float) -> None:
        """An answer shows that this many bytes have left the link, the last of them at this time; the cloud took so long to compute it."""
        with self._lock:
            self._computing_s = computing_s
            self._written = max(0, self._written - size)
            self._free_at = left_at + self._written / self._state.bytes_per_s

    def gave_up(self) -> None:
        """A frame was not answered in time: what is known of the link has changed."""
        with self._lock:
            self._state = self._ask_state()

    def broke(self, size: int) -> None:
        """The connection broke, with so many bytes on it."""
        with self._lock:
            self._state = self._ask_state()
            self._written = max(0, self._written - size)
            if not self._written:
                self._free_at = float("-inf")
