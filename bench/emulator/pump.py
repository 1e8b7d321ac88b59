"""One direction of the link in an event loop: a pipe, a timer, and the connections whose bytes go through it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Protocol

from bench.emulator.link import Pipe

if TYPE_CHECKING:
    from bench.emulator.flow import End, Flow
    from bench.emulator.link import Direction, Link

_READ_BYTES = 64 * 1024


class Way(Protocol):
    """One connection in this direction, as the pump sees it."""

    def refresh(self) -> None:
        """Something of it got under way, or the link has changed."""


class Pump:
    """Runs a pipe by the clock. For use in one event loop."""

    def __init__(self, direction: Direction, link: Link, *, seed: int) -> None:
        self.forwarded_bytes = 0
        self.scratch = memoryview(bytearray(_READ_BYTES))
        """What a socket is read into; emptied before the next one is read."""
        self._pipe = Pipe(direction, link, seed=seed)
        self._ways: dict[Flow, Way] = {}
        self._timer: asyncio.TimerHandle | None = None

    @property
    def held(self) -> bool:
        return self._pipe.held

    def now(self) -> float:
        """Seconds; also outside of a loop."""
        return time.monotonic()

    def open(self, way: Way) -> Flow:
        flow = self._pipe.open()
        self._ways[flow] = way
        return flow

    def close(self, flow: Flow) -> None:
        """None of its bytes arrive any more."""
        flow.forget()
        self._ways.pop(flow, None)

    def room(self, flow: Flow) -> int:
        """How many bytes may be read for it now."""
        return min(self._pipe.room(flow), _READ_BYTES)

    def offer(self, flow: Flow, data: memoryview) -> None:
        self._after(self._pipe.offer(self.now(), flow, data))

    def finish(self, flow: Flow, end: End) -> None:
        self._after(self._pipe.finish(self.now(), flow, end))

    def change(self, link: Link) -> None:
        self._pipe.change(self.now(), link)
        self._after(list(self._ways))  # all of them, as there may be room now

    def hold(self, *, on: bool) -> None:
        self._pipe.hold(self.now(), on=on)
        self._after(list(self._ways))

    def corrupt(self, times: int, skip: int) -> None:
        self._pipe.corrupt(times, skip)

    def stop(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _advance(self) -> None:
        self._after(self._pipe.advance(self.now()))

    def _after(self, moved: list[Flow]) -> None:
        for flow in moved:
            if way := self._ways.get(flow):
                way.refresh()
        self.stop()
        if self._ways and (next_s := self._pipe.next_s) < float("inf"):
            self._timer = asyncio.get_running_loop().call_later(max(0.0, next_s - self.now()), self._advance)
