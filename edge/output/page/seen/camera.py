"""One camera as the page shows it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from edge.output.page.seen.ring import Ring
from edge.output.page.seen.shown import cut, shown
from shared.observing.logs import mask_credentials

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.cameras.metrics import CameraMetrics
    from edge.output.page.pictures import Picture
    from edge.output.results import Record

_STEP_S = 5.0
_SILENT_S = 1.4
"""A live camera that has given no frame for so long is silent: it is seen within two seconds, with the time a state takes to come."""
_LATE = 1.5
"""Unless it is slow: so many of its usual intervals, and a moment."""
_MOMENT_S = 0.4
_COUNTED = ("cloud", "edge", "still", "failed", "dropped", "left_out")
_MAX_PROBLEM = 200


class CameraSeen:
    """Given its records, and asked by the page."""

    def __init__(
        self,
        name: str,
        metrics: CameraMetrics,
        *,
        live: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`live`: its frames come at a pace of their own. `metrics` know when the latest one was read."""
        self.name = name
        self.problem: Callable[[], object] = lambda: None
        """What ended it, if that was not the end of its source."""
        self._metrics = metrics
        self._live = live
        self._clock = clock
        self._ring = Ring(_STEP_S, clock)
        self._latest: Record | None = None
        self._said: tuple[Record | None, dict[str, Any] | None] = None, None

    def add(self, record: Record) -> None:
        """One frame is done."""
        self._latest = record
        self._ring.add(record)

    def said(self, picture: Picture | None, *, is_up: bool, is_running: bool) -> dict[str, Any]:
        """Ready for JSON. `is_up`, `is_running`: what the metrics of those names say."""
        metrics, record = self._metrics, self._latest
        age_s = None if metrics.seen_s is None else max(0.0, self._clock() - metrics.seen_s)
        problem = self.problem()
        status = self._status(age_s, is_up=is_up, is_running=is_running, broken=problem is not None)
        if self._said[0] is not record:
            self._said = record, shown(record) if record else None
        return {
            "name": cut(self.name),
            "key": self.name,
            "source": cut(record.source, _MAX_PROBLEM) if record else None,
            "status": status,
            "problem": None if problem is None else cut(mask_credentials(str(problem)), _MAX_PROBLEM),
            "age_s": None if age_s is None else round(age_s, 1),
            "per_s": self._rate(age_s) if status == "live" else 0.0,
            "counts": {name: int(metrics.frames(name).value()) for name in _COUNTED},
            "undecodable": metrics.undecodable,
            "latest": self._said[1],
            "picture": _told(picture),
            "series": self._ring.said(answers=False),
        }

    def _status(self, age_s: float | None, *, is_up: bool, is_running: bool, broken: bool) -> str:
        if broken:
            return "broken"
        if not is_running:
            return "waiting" if age_s is None else "ended"
        if age_s is None:
            return "waiting"
        if self._live and not is_up:
            return "down"
        slow_s = _LATE * self._metrics.interval_s + _MOMENT_S
        return "silent" if self._live and age_s > max(_SILENT_S, slow_s) else "live"

    def _rate(self, age_s: float | None) -> float:
        """Frames a second that are read."""
        interval_s = self._metrics.interval_s
        if not interval_s or age_s is None:
            return 0.0
        return round(1 / max(interval_s, age_s if age_s > _LATE * interval_s else 0.0), 2)


def _told(picture: Picture | None) -> dict[str, Any] | None:
    """The record of a picture, and which part of the camera's picture it shows."""
    if picture is None or picture.record is None:
        return None
    height, width = picture.size
    part = picture.part
    place = [part.left, part.top, part.width, part.height] if part else [0, 0, width, height]
    return shown(picture.record) | {"frame_id": picture.frame_id, "part": place}
