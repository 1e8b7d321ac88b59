"""What a frame costs on the wire beside its payload, its answer included, as measured on the latest frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import Gauge

_WEIGHT = 0.1
"""The latest frame's part in the mean."""
HTTP_BYTES = 1100.0
SESSION_BYTES = 60.0
"""Before a frame has shown it."""


class Overhead:
    """The means of one link. Used from the event loop only; the means may be read by any thread."""

    def __init__(self, gauge: Gauge) -> None:
        """`gauge` shows that of the way by which the latest frame went."""
        self.http = HTTP_BYTES
        self.session = SESSION_BYTES
        self._gauge = gauge

    def by_http(self, size: float) -> None:
        """A frame went by HTTP, with so many bytes above its payload."""
        self.http += _WEIGHT * (size - self.http)
        self._gauge.set(self.http)

    def by_session(self, size: float) -> None:
        """A frame went over a session."""
        self.session += _WEIGHT * (size - self.session)
        self._gauge.set(self.session)
