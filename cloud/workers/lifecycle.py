"""starting -> ready -> draining -> stopped, and the frames in progress that a drain waits for."""

from __future__ import annotations

import asyncio
import logging
from enum import StrEnum
from typing import TYPE_CHECKING

from shared.errors import UnavailableError

if TYPE_CHECKING:
    from prometheus_client import Gauge

_log = logging.getLogger(__name__)


class State(StrEnum):
    """What the server is doing."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    STOPPED = "stopped"


_MOVES = {
    State.STARTING: {State.READY, State.STOPPED},
    State.READY: {State.DRAINING},
    State.DRAINING: {State.STOPPED},
    State.STOPPED: set[State](),
}


class Lifecycle:
    """The server's state, mirrored in the `ready` gauge."""

    def __init__(self, ready: Gauge) -> None:
        self.state = State.STARTING
        self.frames = 0
        """Frames in progress: admitted, and neither answered, refused nor abandoned yet."""
        self._ready = ready
        self._idle = asyncio.Event()

    def move(self, state: State) -> None:
        """Enter `state`; an impossible move is a bug."""
        assert state in _MOVES[self.state], f"{self.state} -> {state}"
        self.state = state
        self._ready.set(state is State.READY)
        _log.info("%s", state)

    def require_ready(self) -> None:
        """Raise UnavailableError unless frames are taken."""
        if self.state is not State.READY:
            raise UnavailableError(f"the server is {self.state}; try again later")

    @property
    def has_network(self) -> bool:
        """Whether it has started, and not stopped: there are networks, and a queue before their tails."""
        return self.state in (State.READY, State.DRAINING)

    @property
    def is_ending(self) -> bool:
        """Whether the server takes frames no more, and never will again."""
        return self.state in (State.DRAINING, State.STOPPED)

    def begin_frame(self) -> None:
        """Count one more frame in progress. Raises UnavailableError unless frames are taken."""
        self.require_ready()
        self.frames += 1

    def end_frame(self) -> None:
        """Count one frame in progress less."""
        self.frames -= 1
        if not self.frames:
            self._idle.set()

    async def drain(self, limit_s: float) -> None:
        """Take no more frames, and wait at most `limit_s` seconds for those in progress."""
        self.move(State.DRAINING)
        self._idle.clear()
        if self.frames:
            try:
                async with asyncio.timeout(limit_s):
                    await self._idle.wait()
            except TimeoutError:
                _log.warning("%d frames were not finished within %.0f s", self.frames, limit_s)
