"""A network link as arithmetic: when do bytes arrive that were handed over at some time? No sockets, no clock of its own.

Bytes wait in their flow (one connection, one direction) for the wire, which all flows of the direction share: chunk by
chunk, each flow in turn. What has left the wire is under way for the delay, and arrives in the order of its flow:

    offer ─► waiting ─► the wire (bandwidth, one chunk at a time) ─► under way (delay, jitter, loss) ─► take

The wire's times follow from one another and not from when somebody looks, so that a late look loses no bandwidth.
"""

from __future__ import annotations

import math
import random
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bench.emulator.corruption import Corruption
from bench.emulator.flow import Flow

if TYPE_CHECKING:
    from bench.emulator.flow import Chunk, End

Direction = Literal["up", "down"]

MIN_CHUNK_BYTES, MAX_CHUNK_BYTES = 256, 4096
_CHUNK_S = 0.005
_WAITING_S = 0.02
"""So much of the wire's time may wait for it: it never idles, and a full link is felt by the sender soon."""
_MAX_WAITING_BYTES = 64 * 1024
_MIN_HELD_BYTES, _MAX_HELD_BYTES = 64 * 1024, 32 * 1024 * 1024


@dataclass(frozen=True)
class Link:
    """What the network is like. Raises ValueError for what no network is."""

    up_bits_per_s: float = math.inf
    down_bits_per_s: float = math.inf
    delay_s: float = 0.0
    """One way, in each direction."""
    jitter_s: float = 0.0
    """Up to so much is added to the delay, evenly spread; a connection's bytes keep their order, so wait for each other."""
    loss: float = 0.0
    """The share of segments that are lost. TCP sends them again: they and what follows arrive `stall_s` later."""
    stall_s: float = 0.2
    """Linux waits at least so long before it sends again what nobody asked for."""

    def __post_init__(self) -> None:
        for name in ("up_bits_per_s", "down_bits_per_s"):
            value = getattr(self, name)
            if not value > 0:  # also NaN
                raise ValueError(f"{name} is {value}; accepted is a number above 0, or inf for no limit")
        for name in ("delay_s", "jitter_s", "stall_s"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise ValueError(f"{name} is {value}; accepted is a finite number of seconds, 0 or more")
        if not 0 <= self.loss <= 1:
            raise ValueError(f"loss is {self.loss}; accepted is a share from 0 to 1")

    def bits_per_s(self, direction: Direction) -> float:
        return self.up_bits_per_s if direction == "up" else self.down_bits_per_s


class Pipe:
    """One direction of the link. Times are seconds of the caller's clock and must not go back."""

    def __init__(self, direction: Direction, link: Link, *, seed: int = 0) -> None:
        self._direction = direction
        self._link = link
        self._seed = f"{seed} {direction}"
        self._opened = 0
        self._held = False
        self._turns: deque[Flow] = deque()
        self._wire: tuple[Flow, Chunk] | None = None
        self._rest_bits = 0.0  # of the chunk on the wire
        self._since_s = 0.0  # when they were so many
        self._corruption = Corruption(random.Random(f"{self._seed} bits"))  # noqa: S311 - nothing to guard

    @property
    def held(self) -> bool:
        return self._held

    @property
    def chunk_bytes(self) -> int:
        """Small, so that rates are smooth and flows take turns; but not so small that a fast link costs much."""
        per_chunk = min(self._link.bits_per_s(self._direction) / 8 * _CHUNK_S, MAX_CHUNK_BYTES)
        return max(MIN_CHUNK_BYTES, int(per_chunk))

    @property
    def next_s(self) -> float:
        """When `advance` has something to do next; infinity while nothing is on the wire."""
        if self._wire is None or self._held:
            return math.inf
        return self._since_s + self._rest_bits / self._link.bits_per_s(self._direction)

    def open(self) -> Flow:
        """One more connection. Its chances depend on the seed and on its number, not on the other flows."""
        self._opened += 1
        return Flow(random.Random(f"{self._seed} {self._opened}"))  # noqa: S311 - nothing to guard

    def room(self, flow: Flow) -> int:
        """How many bytes may be offered now; 0 rather than a few. A network buffers some, and what is under way is bounded."""
        bytes_per_s = self._link.bits_per_s(self._direction) / 8
        waiting = max(2 * self.chunk_bytes, min(bytes_per_s * _WAITING_S, _MAX_WAITING_BYTES))
        way_s = self._link.delay_s + self._link.jitter_s
        under_way = min(bytes_per_s * way_s * 2, _MAX_HELD_BYTES) if way_s else 0
        held = max(_MIN_HELD_BYTES, under_way)
        room = int(min(waiting - flow.waiting_bytes, held - flow.held_bytes))
        return room if room >= waiting / 2 else 0

    def offer(self, now_s: float, flow: Flow, data: bytes | memoryview) -> list[Flow]:
        """Bytes to send. Here and below: the flows of which something got under way meanwhile, as from `advance`."""
        moved = self.advance(now_s)  # first, as an idle wire must not be taken for a busy one
        flow.wait(data)
        return moved + self._queue(now_s, flow)

    def finish(self, now_s: float, flow: Flow, end: End) -> list[Flow]:
        """The flow ends, behind what it has offered."""
        moved = self.advance(now_s)
        flow.finish(end)
        return moved + self._queue(now_s, flow)

    def change(self, now_s: float, link: Link) -> list[Flow]:
        """From now on it is like this, also for the rest of the chunk on the wire. What is under way keeps its time."""
        moved = self._settle(now_s)
        self._link = link
        return moved + self.advance(now_s)

    def hold(self, now_s: float, *, on: bool) -> list[Flow]:
        """The wire stands still, or goes on where it stood. What is under way is the caller's not to take."""
        moved = self._settle(now_s)
        self._held = on
        return moved + self.advance(now_s)

    def corrupt(self, times: int, skip: int) -> None:
        """As `Corruption.order`, of what leaves the wire from now on."""
        self._corruption.order(times, skip)

    def advance(self, now_s: float) -> list[Flow]:
        """Let go what has left the wire by now."""
        moved: dict[Flow, None] = {}
        while self._wire and (left_s := self.next_s) <= now_s:
            flow, chunk = self._wire
            flow.leave(left_s, chunk._replace(data=self._corruption.apply(chunk.data)), self._link)
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
            self._rest_bits = len(chunk.data) * 8
            self._since_s = at_s

    def _settle(self, now_s: float) -> list[Flow]:
        """Before the wire's speed changes: note how far it has come."""
        moved = self.advance(now_s)
        if self._wire and not self._held:  # with no limit the wire is empty by now
            sent = (now_s - self._since_s) * self._link.bits_per_s(self._direction)
            self._rest_bits = max(0.0, self._rest_bits - sent)
        self._since_s = now_s
        return moved
