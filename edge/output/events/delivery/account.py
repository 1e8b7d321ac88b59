"""What one target makes known of itself: each failure is counted, and the log says when it begins and when it is over."""

from __future__ import annotations

import logging
import time
from collections import deque
from typing import TYPE_CHECKING

from shared.errors import SplitDNNError

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.output.events.delivery.metrics import DeliveryMetrics

_log = logging.getLogger(__name__)

_TELL_S = 60.0
"""Between two lines about events that a target will not have."""
_LINES = 10
"""In a minute, about attempts that begin to fail: some targets fail and work by turns."""


class DeliveryError(SplitDNNError):
    """An attempt failed; `reason` is one of FAILURES (metrics.py)."""

    def __init__(self, reason: str, text: str, *, retry_after_s: float = 0.0) -> None:
        """`retry_after_s`: the wait that the target asks for."""
        super().__init__(text)
        self.reason = reason
        self.retry_after_s = retry_after_s


class Account:
    """One target's. Used from the event loop."""

    def __init__(
        self, target: str, metrics: DeliveryMetrics, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`target`: its name, without anything secret."""
        self.target = target
        self._failures = metrics.failures
        self._clock = clock
        self._failing = self._said = ""
        self._said_at = deque[float](maxlen=_LINES)
        self._since = 0.0
        self._told_at, self._untold = float("-inf"), 0
        metrics.add_target(target)

    @property
    def failing(self) -> bool:
        """Whether the latest attempt failed."""
        return bool(self._failing)

    def failed(self, error: DeliveryError) -> None:
        """Events wait for the next attempt."""
        self._failures.labels(target=self.target, reason=error.reason).inc()
        if not self._failing:
            self._since = self._clock()
        self._failing = error.reason
        if error.reason != self._said and self._may_say():
            self._said = error.reason
            _log.warning("events to %s: %s; they wait, and it is tried again", self.target, error)

    def lost(self, error: DeliveryError) -> None:
        """One event will not be delivered. The reader counts it among the lost."""
        self._failures.labels(target=self.target, reason=error.reason).inc()
        if self._clock() < self._told_at + _TELL_S:
            self._untold += 1
            return
        more = f"; {self._untold} more since this was last said" if self._untold else ""
        _log.warning("events to %s: one is left out: %s%s", self.target, error, more)
        self._told_at, self._untold = self._clock(), 0

    def works(self) -> None:
        """It takes events."""
        if self._said:
            _log.info(
                "events to %s: they are delivered again, after %.0f s",
                self.target,
                self._clock() - self._since,
            )
        self._failing = self._said = ""

    def _may_say(self) -> bool:
        now = self._clock()
        if len(self._said_at) == _LINES and now - self._said_at[0] < _TELL_S:
            return False
        self._said_at.append(now)
        return True
