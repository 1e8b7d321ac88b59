"""The bytes of one connection in one direction, before and after the wire that all flows share."""

from __future__ import annotations

import math
from collections import deque
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from bench.emulator.link import Link

    Chunk = tuple[bytes, "End | None"]

SEGMENT_BYTES = 1448
"""What TCP puts into one packet of an Ethernet."""
_MAX_TAKEN_BYTES = 64 * 1024


class End(Enum):
    """How a flow ends. It travels behind the bytes, as its packet does."""

    FINISHED = "its sender has no more to say, but may listen"
    RESET = "its sender is gone"


class Flow:
    """The bytes of one connection in one direction, from `Pipe.offer` until `take`. Made by `Pipe.open`."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._end: End | None = None
        self._under_way: deque[tuple[float, Chunk]] = deque()
        self._under_way_bytes = 0
        self._last_due_s = -math.inf
        self._of_segment = 0  # bytes since a segment began
        self.waiting = bytearray()
        """For the wire."""
        self.queued = False
        """Whether it has its turn on the wire."""
        self.segments = 0
        """Those that have begun to leave the wire."""
        self.on_moved: Callable[[], None] = lambda: None
        """Called by a pump when something of it got under way, or the link has changed."""

    @property
    def held_bytes(self) -> int:
        """All that was offered and not taken, except the chunk on the wire."""
        return len(self.waiting) + self._under_way_bytes

    @property
    def due_s(self) -> float:
        """When `take` has something next; infinity while nothing is under way."""
        return self._under_way[0][0] if self._under_way else math.inf

    @property
    def has_waiting(self) -> bool:
        return bool(self.waiting) or self._end is not None

    def take(self, now_s: float, max_bytes: int = _MAX_TAKEN_BYTES) -> Chunk:
        """Take what has arrived: about `max_bytes` at most, and whether the flow ends with them."""
        arrived, end = bytearray(), None
        while not end and self.due_s <= now_s and len(arrived) < max_bytes:
            data, end = self._under_way.popleft()[1]
            arrived += data
        self._under_way_bytes -= len(arrived)
        return bytes(arrived), end

    def wait(self, data: bytes | memoryview) -> None:
        """Behind what waits already."""
        if not self.queued:
            self._of_segment = 0  # what is sent after a silence begins a segment
        self.waiting += data

    def finish(self, end: End) -> None:
        """Behind what waits; but a sender that is gone sends nothing more."""
        if end is End.RESET:
            self.waiting.clear()
        self._end = end

    def next_chunk(self, max_bytes: int) -> Chunk:
        """Take what the wire carries next."""
        if self.waiting:
            data = bytes(self.waiting[:max_bytes])
            del self.waiting[:max_bytes]
            return data, None
        end, self._end = self._end, None
        return b"", end

    def leave(self, left_s: float, chunk: Chunk, link: Link) -> None:
        """The chunk has left the wire at `left_s`; from now on it is under way."""
        size = len(chunk[0])
        jitter_s = self._chance.uniform(0, link.jitter_s) if link.jitter_s else 0.0
        # Counted from when its own segment left: the stalls of one burst overlap, and do not add up.
        stall_s = link.stall_s if self._is_lost(self._begun(size), link.loss) else 0.0
        self._last_due_s = max(self._last_due_s, left_s + link.delay_s + jitter_s + stall_s)
        self._under_way.append((self._last_due_s, chunk))
        self._under_way_bytes += size

    def forget(self) -> None:
        """Drop everything; nothing more arrives."""
        self.waiting.clear()
        self._under_way.clear()
        self._under_way_bytes = 0
        self._end = None

    def _begun(self, size: int) -> int:
        """How many segments begin within so many bytes."""
        before, after = self._of_segment, self._of_segment + size
        self._of_segment = after % SEGMENT_BYTES
        begun = -(-after // SEGMENT_BYTES) - (-(-before // SEGMENT_BYTES))
        self.segments += begun
        return begun

    def _is_lost(self, begun: int, loss: float) -> bool:
        """Whether one of so many segments is lost."""
        return loss > 0 and begun > 0 and self._chance.random() >= (1 - loss) ** begun
