"""Everything that the page shows of the edge, as one JSON object; what it is made of is kept whether or not anybody looks."""

from __future__ import annotations

import math
import platform
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from edge.output.page.seen.camera import CameraSeen
from edge.output.page.seen.faults import faults
from edge.output.page.seen.ring import Ring
from edge.output.page.seen.shown import cut

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from prometheus_client import Gauge

    from edge.cameras.camera import Camera
    from edge.cameras.metrics import CameraMetrics
    from edge.frames.way import Editions
    from edge.metrics import EdgeMetrics
    from edge.output.page.pictures import Pictures
    from edge.output.results import Record

_STEP_S = 2.0
_RARELY_S = 1.0
"""What takes long to find out is asked for so often."""


class State:
    """A sink of records, used on the event loop."""

    def __init__(
        self,
        cameras: Mapping[str, CameraMetrics],
        live: Mapping[str, bool],
        metrics: EdgeMetrics,
        clouds: Callable[[], list[dict[str, Any]]],
        pictures: Pictures | None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`live`: by camera, whether its frames come at a pace of their own. `clouds`: what is known of each, ready for JSON."""
        self._told = cameras
        self._cameras = {
            name: CameraSeen(name, told, live=live[name], clock=clock) for name, told in cameras.items()
        }
        self._metrics = metrics
        self._clouds = clouds
        self._pictures = pictures
        self._clock = clock
        self._ring = Ring(_STEP_S, clock)
        self._editions: Editions | None = None
        self._begun_s = clock()
        self._rare: dict[str, Any] = {}
        self._rare_s = -math.inf

    def __call__(self, record: Record) -> None:
        """One frame is done."""
        self._ring.add(record)
        camera = self._cameras.get(record.camera)
        if camera:
            camera.add(record)
        if self._pictures:
            self._pictures.answered(record)

    def play(self, cameras: Sequence[Camera], editions: Editions) -> None:
        """The run has begun: what answers, and by which plan."""
        self._editions = editions
        for camera in cameras:
            self._cameras[camera.name].problem = partial(getattr, camera, "lost")

    def said(self) -> dict[str, Any]:
        """The state at this moment, ready for JSON."""
        metrics, now_s = self._metrics, self._clock()
        if now_s - self._rare_s >= _RARELY_S:
            self._rare, self._rare_s = self._rarely(), now_s
        is_up, is_running = _by_camera(metrics.source_up), _by_camera(metrics.camera_running)
        latest = self._pictures.latest if self._pictures else _none
        return self._rare | {
            "edge": cut(platform.node()),
            "state": metrics.state,
            "up_s": round(now_s - self._begun_s),
            "pictures": self._pictures is not None,
            "clouds": self._clouds(),
            "cameras": [
                seen.said(latest(name), is_up=bool(is_up.get(name)), is_running=bool(is_running.get(name)))
                for name, seen in self._cameras.items()
            ],
        }

    def _rarely(self) -> dict[str, Any]:
        editions = self._editions
        model = editions.any.model if editions else None
        return {
            "network": model and {"name": cut(model.name), "fingerprint": model.fingerprint.hex()},
            "series": self._ring.said(),
            "faults": faults(self._metrics, self._told),
            "plans": self._plans(),
        }

    def _plans(self) -> list[dict[str, Any]]:
        """One for each group of cameras that have their plans from the same pilot."""
        if self._editions is None:
            return []
        found: dict[int, dict[str, Any]] = {}
        for name, edition in self._editions.current.items():
            pilot = edition.pilot
            if id(pilot) not in found:
                found[id(pilot)] = pilot.said() | {"cameras": []}
            found[id(pilot)]["cameras"].append(cut(name))
        return list(found.values())


def _none(_camera: str) -> None:
    """There are no pictures."""


def _by_camera(gauge: Gauge) -> dict[str, float]:
    return {sample.labels["camera"]: sample.value for family in gauge.collect() for sample in family.samples}
