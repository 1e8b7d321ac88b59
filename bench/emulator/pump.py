"""One direction of the link in an event loop: a pipe by the loop's clock, which tells its flows when something moves."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bench.emulator.pipe import Pipe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench.emulator.flow import Flow
    from bench.emulator.link import Direction, Link

_READ_BYTES = 64 * 1024


class Pump(Pipe):
    """A pipe for one event loop. What its methods return goes to `run`."""

    def __init__(self, direction: Direction, link: Link, *, seed: int) -> None:
        super().__init__(direction, link, seed=seed)
        self.forwarded_bytes = 0
        self.scratch = memoryview(bytearray(_READ_BYTES))
        """What a socket is read into; emptied before the next one is read."""
        self._timer: asyncio.TimerHandle | None = None

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def run(self, moved: Iterable[Flow]) -> None:
        """Tell these flows that something moved; run again when something leaves the wire."""
        for flow in tuple(moved):
            flow.on_moved()
        self.stop()
        if self.flows and (next_s := self.next_s) < float("inf"):
            self._timer = asyncio.get_running_loop().call_at(next_s, self._advance)

    def stop(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _advance(self) -> None:
        self.run(self.advance(self.now()))
