"""How fast frames come, of all cameras of the edge together: they share the machine and the link."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.observing.counting.tracker import Tracker

if TYPE_CHECKING:
    from collections.abc import Mapping

_GONE = 10
_GONE_S = 5.0
"""A camera that has been silent for so many of its intervals, and so long, no longer counts."""


class Pace:
    """Learns the cameras' intervals from their frames. Used from the event loop only."""

    def __init__(self, live: Mapping[str, bool]) -> None:
        """By camera, whether its frames come at a pace of their own."""
        self._live = dict(live)
        self._intervals = {camera: Tracker() for camera in live}
        self._last: dict[str, tuple[int, float]] = {}

    def captured(self, camera: str, taken: int, captured_s: float) -> None:
        """The camera's frame number `taken`, of those that were taken, came at that time, in monotonic seconds."""
        if camera not in self._live:
            return
        last = self._last.get(camera)
        if last and taken > last[0]:
            self._intervals[camera].add((captured_s - last[1]) / (taken - last[0]))
        self._last[camera] = taken, captured_s

    def ended(self, camera: str) -> None:
        """No more frames of this camera come."""
        self._live.pop(camera, None)
        self._last.pop(camera, None)

    @property
    def interval_s(self) -> float:
        """Seconds between two frames; 0 if a source waits for its reader, or before the pace is known."""
        return self.gap_s if all(self._live.values()) else 0.0

    @property
    def gap_s(self) -> float:
        """Seconds between two frames that were taken, whoever waits for whom; 0 before that is known."""
        now = max((at for _, at in self._last.values()), default=0.0)
        rate = 0.0
        for camera, (_, at) in self._last.items():
            interval_s = self._intervals[camera].or_else(0.0)
            if interval_s > 0 and now - at <= max(_GONE_S, _GONE * interval_s):
                rate += 1 / interval_s
        return 1 / rate if rate else 0.0
