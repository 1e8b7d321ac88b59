"""The circuit breakers of several clouds as one: frames go to a cloud as long as there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.uplink.circuit import State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from prometheus_client import Gauge

    from edge.uplink.circuit import Circuit


class JointCircuit:
    """Closed if one of them is, half open if none is closed and one is half open, else open."""

    def __init__(self, circuits: Sequence[Circuit], gauge: Gauge) -> None:
        self._circuits = circuits
        self._gauge = gauge
        self.on_change: Callable[[State, State], object] | None = None
        """Called with the state before and the one now."""
        self._exported = State.CLOSED

    @property
    def is_closed(self) -> bool:
        """Whether frames go to a cloud."""
        return any(each.is_closed for each in self._circuits)

    @property
    def is_open(self) -> bool:
        """Whether no frame goes to any."""
        return all(each.is_open for each in self._circuits)

    @property
    def is_half_open(self) -> bool:
        """Whether frames only try whether a cloud is back."""
        return not self.is_closed and not self.is_open

    def export(self) -> None:
        """One of them has changed."""
        before = now = self._exported
        held = {State.CLOSED: self.is_closed, State.OPEN: self.is_open, State.HALF_OPEN: self.is_half_open}
        for state, holds in held.items():
            self._gauge.labels(state=state.value).set(holds)
            now = state if holds else now
        self._exported = now
        if self.on_change and now is not before:
            self.on_change(before, now)
