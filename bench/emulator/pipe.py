"""One direction of a link as arithmetic: when do bytes arrive that were offered at some time? No sockets, no clock of its own.

Bytes wait in their flow (one connection, one direction) for the wire, which all flows of the direction share: chunk by
chunk, each flow in turn. What has left the wire is under way for the delay, and arrives in the order of its flow:

    offer ─► waiting ─► the wire (bandwidth, one chunk at a time) ─► under way (delay, jitter, loss) ─► take

The wire's times follow from one another and not from when it is advanced, so that calling late loses no bandwidth.
"""

from __future__ import annotations

import math
import random
from collections import deque
from typing import TYPE_CHECKING

from bench.emulator.flow import Flow

if TYPE_CHECKING:
    from bench.emulator.flow import Chunk, End
    from bench.emulator.link import Direction, Link

MIN_CHUNK_BYTES, MAX_CHUNK_BYTES = 256, 4096
_CHUNK_S = 0.005
_WAITING_S = 0.02
"""So much of the wire's time may wait for it: it never idles, and the sender soon feels a full link."""
_MAX_WAITING_BYTES = 64 * 1024
_MIN_HELD_BYTES, _MAX_HELD_BYTES = 64 * 1024, 32 * 1024 * 1024
_MIN_CORRUPTED_BYTES = 64
"""Shorter chunks are never corrupted: they are mostly the end of a header, whose bits are not those meant."""


class Pipe:
    """One direction of the link. Times are seconds of the caller's clock and must not go back."""

    def __init__(self, direction: Direction, link: Link, *, seed: int = 0) -> None:
        self._direction = direction
        self._link = link
        self._seed = f"{seed} {direction}"
        self._opened = 0
        self.flows: set[Flow] = set()
        """Those that are open."""
        self.held = False
        """Whether the wire is stopped."""
        self.offered_bytes = self.segments = 0
        """What all flows have brought, since the pipe was made."""
        self._turns: deque[Flow] = deque()
        self._wire: tuple[Flow, Chunk] | None = None
        self._rest_bits = 0.0  # of the chunk on the wire
        self._since_s = 0.0  # when they were so many
        self._corrupt_times = self._corrupt_skip = 0
        self._chance = random.Random(f"{self._seed} bits")  # noqa: S311 - nothing to guard

    @property
    def chunk_bytes(self) -> int:
        """Small, so that rates are smooth and flows take turns; but not so small that a fast link costs much."""
        per_chunk = min(self._link.bits_per_s(self._direction) / 8 * _CHUNK_S, MAX_CHUNK_BYTES)
        return max(MIN_CHUNK_BYTES, int(per_chunk))

    @property
    def next_s(self) -> float:
        """When `advance` has something to do next; infinity while nothing is on the wire."""
        if self._wire is None or self.held:
            return math.inf
        return self._since_s + self._rest_bits / self._link.bits_per_s(self._direction)

    def open(self) -> Flow:
        """A flow for one more connection. Its chances depend on the seed and on its number, not on the other flows."""
        self._opened += 1
        flow = Flow(random.Random(f"{self._seed} {self._opened}"))  # noqa: S311 - nothing to guard
        self.flows.add(flow)
        return flow

    def close(self, flow: Flow) -> None:
        """Drop the flow: none of its bytes arrive from now on."""
        flow.forget()
        self.flows.discard(flow)

    def room(self, flow: Flow) -> int:
        """How many bytes may be offered now, and 0 rather than a few. A network buffers some; what is under way is bounded."""
        bytes_per_s = self._link.bits_per_s(self._direction) / 8
        waiting = max(2 * self.chunk_bytes, min(bytes_per_s * _WAITING_S, _MAX_WAITING_BYTES))
        way_s = self._link.delay_s + self._link.jitter_s
        under_way = min(bytes_per_s * way_s * 2, _MAX_HELD_BYTES) if way_s else 0
        held = max(_MIN_HELD_BYTES, under_way)
        room = int(min(waiting - len(flow.waiting), held - flow.held_bytes))
        return room if room >= waiting / 2 else 0

    def offer(self, now_s: float, flow: Flow, data: bytes | memoryview) -> list[Flow]:
        """Send bytes. Like all methods below it returns the flows that got something under way meanwhile, see `advance`."""
        moved = self.advance(now_s)  # first, as an idle wire must not be taken for a busy one
        flow.wait(data)
        self.offered_bytes += len(data)
        return moved + self._queue(now_s, flow)

    def finish(self, now_s: float, flow: Flow, end: End) -> list[Flow]:
        """End the flow, behind what it has offered."""
        moved = self.advance(now_s)
        flow.finish(end)
        return moved + self._queue(now_s, flow)

    def change(self, now_s: float, link: Link) -> list[Flow]:
        """Change the link, also for the rest of the chunk on the wire. What is under way keeps its time."""
        moved = self._settle(now_s)
        self._link = link
        return moved + self.advance(now_s)

    def hold(self, now_s: float, *, on: bool) -> list[Flow]:
        """Stop the wire, or let it continue where it stopped. The caller must not take what is under way meanwhile."""
        moved = self._settle(now_s)
        self.held = on
        return moved + self.advance(now_s)

    def corrupt(self, times: int, skip: int) -> None:
        """Flip one bit in each of the next `times` chunks to leave the wire; the first `skip` bytes pass untouched.

        Replaces an earlier request. Raises ValueError.
        """
        for name, value in (("times", times), ("skip", skip)):
            if value < 0:
                raise ValueError(f"{name} is {value}; accepted is 0 or more")
        self._corrupt_times, self._corrupt_skip = times, skip

    def advance(self, now_s: float) -> list[Flow]:
        """Put under way what has left the wire by now; the flows it belongs to."""
        moved: dict[Flow, None] = {}
        while self._wire and (left_s := self.next_s) <= now_s:
            flow, (data, end) = self._wire
            before = flow.segments
            flow.leave(left_s, (self._corrupted(data), end), self._link)
            self.segments += flow.segments - before
            moved[flow] = None
            flow.queued = flow.has_waiting
            if flow.queued:
                self._turns.append(flow)  # behind those that came while it was its turn
            self._wire = None
            self._begin(left_s)
        return list(moved)

    def _queue(self, now_s: float, flow: Flow) -> list[Flow]:
        if not flow.queued and flow.has_waiting:
            flow.queued = True
            self._turns.append(flow)
        if self._wire is None:
            self._begin(now_s)
        return self.advance(now_s)

    def _begin(self, at_s: float) -> None:
        if self._turns:
            flow = self._turns.popleft()
            chunk = flow.next_chunk(self.chunk_bytes)
            self._wire = flow, chunk
            self._rest_bits = len(chunk[0]) * 8
            self._since_s = at_s

    def _settle(self, now_s: float) -> list[Flow]:
        """Before the wire's speed changes: note how far it has come."""
        moved = self.advance(now_s)
        if self._wire and not self.held:  # with no limit the wire is empty by now
            sent = (now_s - self._since_s) * self._link.bits_per_s(self._direction)
            self._rest_bits = max(0.0, self._rest_bits - sent)
        self._since_s = now_s
        return moved

    def _corrupted(self, data: bytes) -> bytes:
        """These bytes as they arrive. Of a chunk in which the skipped bytes end, only the rest counts."""
        if not self._corrupt_times:
            return data
        start = min(self._corrupt_skip, len(data))
        self._corrupt_skip -= start
        if len(data) - start < _MIN_CORRUPTED_BYTES:
            return data
        self._corrupt_times -= 1
        flipped = bytearray(data)
        flipped[self._chance.randrange(start, len(data))] ^= 1 << self._chance.randrange(8)
        return bytes(flipped)
