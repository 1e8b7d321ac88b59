"""The sources of an edge's cameras, made and opened."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING

from edge.cameras.view import View
from edge.sources.reconnect import Reconnecting
from edge.sources.registry import open_source
from shared.errors import StartupError
from shared.observing.logs import label_logs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from edge.cameras.metrics import CameraMetrics
    from edge.cameras.settings import CameraSettings
    from edge.sources.base import Source


class Sources:
    """The source of each camera, by the camera's name. A live one comes back by itself whenever it is lost."""

    def __init__(self, cameras: Sequence[CameraSettings], metrics: Mapping[str, CameraMetrics]) -> None:
        """Opens none. Raises StartupError for what no waiting could mend."""
        self._several = len(cameras) > 1
        self._of: dict[str, Source] = {}
        self._live: list[Reconnecting] = []
        for camera in cameras:
            self._naming(camera.name, View(camera).refuse_blind)
            self._naming(camera.name, partial(self._make, camera, metrics[camera.name]))

    def __getitem__(self, camera: str) -> Source:
        return self._of[camera]

    @property
    def live(self) -> dict[str, bool]:
        """By camera, whether its frames come at a pace of their own."""
        return {name: source.live for name, source in self._of.items()}

    def open_recordings(self) -> None:
        """Before anything that takes long, as a file may be mistyped or damaged. Raises StartupError."""
        for name, source in self._of.items():
            if not source.live:
                self._naming(name, source.open)

    def open_live(self) -> None:
        """At last, as their frames do not wait. Each connects when it is first read: it may not be there yet."""
        for source in self._live:
            source.open()

    def stop(self) -> None:
        """End the reads that wait for a live source. From any thread."""
        _at_once([source.stop for source in self._live])

    def close(self) -> None:
        """Let go of everything."""
        _at_once([source.close for source in self._of.values()])

    def _make(self, camera: CameraSettings, metrics: CameraMetrics) -> None:
        source = open_source(
            camera.source,
            open_timeout_s=camera.open_timeout_s,
            read_timeout_s=camera.read_timeout_s,
            snapshot_fps=camera.snapshot_fps,
            on_undecodable=metrics.left_out_undecodable,
            alone=not self._several,
        )
        if source.live:
            source = Reconnecting(source, up=metrics.source_up, reconnects=metrics.source_reconnects)
            self._live.append(source)
        self._of[camera.name] = source

    def _naming(self, camera: str, call: Callable[[], object]) -> None:
        """Where there are several, a failure and what is logged say whose they are."""
        context = copy_context()
        if self._several:
            context.run(label_logs, camera)
        try:
            context.run(call)
        except StartupError as error:
            if self._several:
                raise StartupError(f"camera {camera}: {error}") from error
            raise


def _at_once(calls: Sequence[Callable[[], object]]) -> None:
    """Call all of them side by side: each may take as long as a camera that hangs is waited for."""
    with ThreadPoolExecutor(max(1, len(calls)), thread_name_prefix="closing") as threads:
        for done in [threads.submit(call) for call in calls]:
            done.result()
