"""One of several clouds, as long as the edge runs: the way to it, how busy it is, and whether it may be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.uplink.circuit import State
from edge.uplink.clouds.choosing.load import Load
from edge.uplink.clouds.choosing.ramp import Ramp

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.uplink.clouds.metrics import OfCloud
    from edge.uplink.line import Line

_SHORTEST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 30.0
"""However long a cloud asks to be left alone: it may be free long before."""
_EXPORT_S = 0.5
AWAY_S = 5.0
"""A cloud that has said nothing for so long, while it is not asked, no longer counts."""


class Member:
    """Used from the event loop only; metrics read it from other threads."""

    def __init__(self, line: Line, metrics: OfCloud, clock: Callable[[], float]) -> None:
        self.line = line
        self.name = line.name
        self.metrics = metrics
        self.load = Load(clock)
        self.ramp = Ramp(clock)
        self.left_out: str | None = None
        """Why it is not asked although it answers: it runs another network than this edge, as this line says."""
        self.joined: Callable[[], bool] = lambda: False
        """Whether it has been greeted for the network in force, and got its profiles: before that it is not asked."""
        self.on_change: Callable[[], object] = lambda: None
        """Called when it has been greeted, or is left out."""
        self._clock = clock
        self._paused_until = self._exported_at = float("-inf")
        metrics.follow(lambda: self.state)

    @property
    def is_paused(self) -> bool:
        """Whether it has asked to be left alone for a moment."""
        return self._clock() < self._paused_until

    @property
    def was_heard(self) -> bool:
        """Whether it has said something lately, asked for frames or not."""
        return self._clock() - self.line.heard.at <= AWAY_S

    @property
    def takes_frames(self) -> bool:
        """Whether frames go to it."""
        return self.line.circuit.is_closed and self.joined()

    @property
    def is_away(self) -> bool:
        """Whether it is not asked, and has not been heard of lately."""
        return not self.line.circuit.is_closed and not self.was_heard

    @property
    def state(self) -> str:
        """One of edge/uplink/clouds/metrics.py's STATES."""
        if self.left_out:
            return "other_network"
        if not self.line.circuit.is_closed:
            return self.line.circuit.state.value
        if not self.joined():
            return "not_asked"
        return "paused" if self.is_paused else "slow_start" if self.ramp.share < 1 else "closed"

    def learned(self) -> None:
        """Export what its latest frames have shown, now and then: it takes longer than choosing a cloud."""
        now = self._clock()
        if now < self._exported_at + _EXPORT_S:
            return
        self._exported_at = now
        state = self.line.link.state
        self.metrics.learned(
            under_way=self.load.under_way,
            expected_s=self.load.expected_s,
            round_trip_s=state.round_trip_s,
            bytes_per_s=state.bytes_per_s,
        )

    def pause(self, asked_s: float | None) -> None:
        """It is busy, and asks to be left alone for so many seconds, if it says."""
        wait_s = min(_LONGEST_PAUSE_S, max(_SHORTEST_PAUSE_S, asked_s or 0.0))
        self._paused_until = max(self._paused_until, self._clock() + wait_s)

    def changed(self, before: State, now: State) -> None:
        """Its circuit has changed."""
        if now is State.CLOSED:
            self.load.forget()
            self.ramp.begin()
            self._paused_until = float("-inf")
        elif now is State.OPEN and before is State.CLOSED:
            self.metrics.left_out("other_network" if self.left_out else "circuit_open")

    def said(self) -> dict[str, Any]:
        """For people: what is known of it, nothing secret."""
        (said,) = self.line.said()
        more = {"under_way": self.load.under_way, "expected_ms": round(1e3 * self.load.expected_s, 1)}
        return said | {"state": self.state} | more
