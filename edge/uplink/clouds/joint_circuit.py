"""The circuit breakers of several clouds as one: frames go to a cloud as long as there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from edge.uplink.circuit import State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from prometheus_client import Gauge

    from edge.uplink.circuit import Circuit


class _Line(Protocol):
    @property
    def circuit(self) -> Circuit: ...


class _Cloud(Protocol):
    @property
    def line(self) -> _Line: ...

    @property
    def takes_frames(self) -> bool: ...


class JointCircuit:
    """Closed if frames go to one of them, half open if to none and one is half open, else open.

    A cloud that is still being greeted takes no frames. While none has failed, as at the start, it is closed all the same.
    """

    def __init__(self, clouds: Sequence[_Cloud], gauge: Gauge) -> None:
        """`gauge` follows it from now on."""
        self._clouds = clouds
        self.on_change: Callable[[State, State], object] | None = None
        """Called with the state before and the one now."""
        self._seen = State.CLOSED
        held: dict[State, Callable[[], bool]] = {
            State.CLOSED: lambda: self.is_closed,
            State.OPEN: lambda: self.is_open,
            State.HALF_OPEN: lambda: self.is_half_open,
        }
        for state, holds in held.items():
            gauge.labels(state=state.value).set_function(holds)

    @property
    def is_closed(self) -> bool:
        """Whether frames go to a cloud."""
        clouds = self._clouds
        return any(each.takes_frames for each in clouds) or all(
            each.line.circuit.is_closed for each in clouds
        )

    @property
    def is_open(self) -> bool:
        """Whether no frame goes to any."""
        return not self.is_closed and not self.is_half_open

    @property
    def is_half_open(self) -> bool:
        """Whether frames only try whether a cloud is back."""
        return not self.is_closed and any(each.line.circuit.is_half_open for each in self._clouds)

    def look(self) -> None:
        """A cloud's circuit has changed, or it takes frames now."""
        before, now = (
            self._seen,
            State.CLOSED if self.is_closed else State.OPEN if self.is_open else State.HALF_OPEN,
        )
        self._seen = now
        if self.on_change and now is not before:
            self.on_change(before, now)
