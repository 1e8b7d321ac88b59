"""The metrics of one camera: those of edge/metrics.py that have the label `camera`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import Gauge

    from edge.metrics import EdgeMetrics
    from shared.observing.counting.counter import Count


_WEIGHT = 0.2
"""What one interval counts among those before."""
_LONGEST = 4.0
"""An interval counts as so many usual ones at most."""


class SourceUp:
    """Whether the source gives frames, for the metric and for who else is to know. From any thread."""

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self.on_change: Callable[[bool, bool], object] | None = None
        """Called with whether it is up, and whether it is expected to be; also where neither is new."""

    def set(self, value: float) -> None:
        """1: it gives frames; 0: no more are expected."""
        self._gauge.set(value)
        if self.on_change:
            self.on_change(bool(value), bool(value))

    def lost(self) -> None:
        """It gives none, and is waited for."""
        self._gauge.set(0)
        if self.on_change:
            self.on_change(False, True)


class CameraMetrics:
    """What is told of one camera. The names are those of EdgeMetrics."""

    def __init__(self, metrics: EdgeMetrics, camera: str) -> None:
        """`camera` is one of the names that `metrics` was made for."""
        self.steps, self.step_cpu = metrics.steps, metrics.step_cpu
        self.running = metrics.camera_running.labels(camera=camera)
        self.source_up = SourceUp(metrics.source_up.labels(camera=camera))
        self.source_reconnects = metrics.source_reconnects.labels(camera=camera)
        self.damaged_frames = metrics.damaged_frames.labels(camera=camera)
        self.latency = metrics.latency.labels(camera=camera)
        self.undecodable = 0
        """How many packets and pictures could not be decoded so far."""
        self.seen_s: float | None = None
        """When the latest frame was read, in monotonic seconds; None before the first one."""
        self.interval_s = 0.0
        """Usual time between two frames that are read; 0 before the second one."""
        self._undecodable = metrics.undecodable.labels(camera=camera)
        self._last_frame = metrics.last_frame_timestamp.labels(camera=camera)
        self._frames = metrics.frames
        self._unseen = metrics.unseen
        self._camera = camera

    def frames(self, outcome: str) -> Count:
        """The camera's frames with this outcome, one of OUTCOMES."""
        return self._frames.labels(camera=self._camera, outcome=outcome)

    def saw_frame(self) -> None:
        """A frame was read just now."""
        self._last_frame.set_to_current_time()
        now_s, before_s = time.monotonic(), self.seen_s
        if before_s is not None:
            self._learn(now_s - before_s)
        self.seen_s = now_s
        self._unseen.discard(self._camera)

    def _learn(self, gap_s: float) -> None:
        usual_s = self.interval_s
        # A camera that was away for an hour is as fast as before.
        self.interval_s += _WEIGHT * (min(gap_s, _LONGEST * usual_s) - usual_s) if usual_s else gap_s

    def left_out_undecodable(self) -> None:
        """A packet or a picture could not be decoded. From one thread."""
        self.undecodable += 1
        self._undecodable.inc()

    def ended(self) -> None:
        """No more frames are expected."""
        self.running.set(0)
        self.source_up.set(0)
        self._unseen.discard(self._camera)
