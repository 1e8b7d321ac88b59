"""starting -> ready -> draining -> stopped, and nothing else."""

from __future__ import annotations

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
        self._ready = ready

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
