"""The load of the first network, begun before the rest of a start: reading and compiling leave the interpreter to others.

Import it once the threads are limited.
"""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Self

from edge.metrics import EdgeMetrics
from edge.network.loading import Loaded, load
from shared.errors import StartupError
from shared.network.choice import CLOUD

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from edge.cameras.settings import CameraSettings
    from edge.config import EdgeSettings

_SWITCH_INTERVAL_S = 0.001


class EarlyLoad:
    """Loads what the settings name, beside the imports and whatever a user can mistype.

    It makes no bundle, fetches nothing and measures nothing before `proceed`: a mistyped source is then still to be found, and
    imports would spoil what is measured. A context; leaving it gives up what still waits.
    """

    def __init__(self, settings: EdgeSettings, cameras: Sequence[CameraSettings], threads: int) -> None:
        """Begins at once, unless the cloud has to be asked first which network it is."""
        self.cameras = cameras
        self.metrics = EdgeMetrics([camera.name for camera in cameras])
        self.slow = ThreadPoolExecutor(1, thread_name_prefix="start")
        """What takes long is on this thread, so that /healthz answers meanwhile; a stop does not wait for it."""
        self._proceed = threading.Event()
        self._given_up = False
        # The loading thread wants the interpreter for an instant now and then, while imports would keep it for 5 ms each time.
        self._interval_s = sys.getswitchinterval()
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        self.loaded: Future[Loaded] | None = None
        """None if the network is the cloud's."""
        if settings.model != CLOUD:
            self.loaded = self.slow.submit(load, settings, cameras, threads, self.metrics, hold=self._hold)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._given_up = not self._proceed.is_set()
        self._proceed.set()
        self.slow.shutdown(wait=False)
        sys.setswitchinterval(self._interval_s)

    def proceed(self) -> None:
        """Let it do what nothing may delay or disturb: all else has been imported and opened."""
        self._proceed.set()

    def _hold(self) -> None:
        self._proceed.wait()
        if self._given_up:
            raise StartupError("the start was given up")
