"""Tells that cameras come up and go down, and that no cloud answers any more, or one does again."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

from edge.output.events.event import Kind
from edge.uplink.circuit import State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from edge.cameras.metrics import CameraMetrics
    from edge.output.events.teller import Teller


_log = logging.getLogger(__name__)

_AT_ONCE, _EACH_S = 10, 30.0
"""Changes of one camera, or of the clouds, that are told as they come, and the seconds after which another one is."""


class Circuit(Protocol):
    """See edge/uplink/circuit.py and edge/uplink/clouds/joint_circuit.py."""

    on_change: Callable[[State, State], object] | None


class _Calm:
    """Tells each change of what is or is not, and where it never comes to rest only now and then how it is: it would fill the disk.

    From any thread.
    """

    def __init__(
        self,
        tell: Callable[[bool], object],
        clock: Callable[[], float],
        later: Callable[[float, Callable[[], None]], object],
        *,
        told: bool | None = None,
    ) -> None:
        """`told`: what is taken for known."""
        self._tell, self._clock, self._later = tell, clock, later
        self._told = self._now = told
        self._left, self._left_at = float(_AT_ONCE), clock()
        self._waits = False
        self._lock = threading.RLock()

    def changed(self, now: bool) -> None:
        with self._lock:
            self._now = now
            self._look()

    def _look(self) -> None:
        if self._now is None or self._now is self._told or self._waits:
            return
        at = self._clock()
        self._left = min(self._left + (at - self._left_at) / _EACH_S, float(_AT_ONCE))
        self._left_at = at
        if self._left < 1:
            self._later((1 - self._left) * _EACH_S, self._again)
            self._waits = True
            return
        self._left -= 1
        self._told = self._now
        self._tell(self._now)

    def _again(self) -> None:
        with self._lock:
            self._waits = False
            self._look()


class _Camera:
    """Called from the camera's own thread, and from those that close its source."""

    def __init__(
        self, name: str, tell: Teller, clock: Callable[[], float], later: Callable[..., object]
    ) -> None:
        self._name, self._teller, self._clock = name, tell, clock
        self._up: bool | None = None
        self._since, self._reason = 0.0, ""
        self._calm = _Calm(self._tell, clock, later)

    def changed(self, up: bool, expected: bool) -> None:
        if self._up is None and not expected:
            return
        self._reason = "lost" if expected else "ended"
        self._calm.changed(up)

    def _tell(self, up: bool) -> None:
        now = self._clock()
        before = None if self._up is None else round(now - self._since, 3)
        self._up, self._since = up, now
        if up:
            self._teller.tell(Kind.CAMERA_UP, {"down_s": before}, camera=self._name)
        else:
            data = {"reason": self._reason, "up_s": before}
            self._teller.tell(Kind.CAMERA_DOWN, data, camera=self._name)


class Watching:
    """For one run. What happens once it stops is told no more: then it is the edge that goes away, and not its cameras."""

    def __init__(
        self,
        teller: Teller,
        clock: Callable[[], float] = time.monotonic,
        later: Callable[[float, Callable[[], None]], object] | None = None,
    ) -> None:
        """`later` calls something after so many seconds, from any thread."""
        self._teller, self._clock = teller, clock
        self._call_later = later or _on_a_thread
        self._stopped = self._failed = False
        self._away_since = 0.0
        self._away = _Calm(self._tell_clouds, clock, self._later, told=False)
        self._clouds: Sequence[str] = ()

    def watch_cameras(self, cameras: Mapping[str, CameraMetrics]) -> None:
        """From now on, by name."""
        for name, metrics in cameras.items():
            camera = _Camera(name, self._teller, self._clock, self._later)
            metrics.source_up.on_change = self._unless_stopped(camera.changed)

    def watch_clouds(self, circuit: Circuit, names: Sequence[str]) -> None:
        """From now on: the circuit of one cloud, or that of several together; `names` says which they are."""
        self._clouds = names
        circuit.on_change = self._unless_stopped(self._circuit_changed)

    def stop(self) -> None:
        """Tell no more. From any thread."""
        self._stopped = True

    def _unless_stopped(self, call: Callable[..., object]) -> Callable[..., None]:
        def called(*arguments: Any) -> None:
            try:
                if not self._stopped:
                    call(*arguments)
            except Exception:  # noqa: BLE001 - neither a camera nor the uplink ends because of what is told of it
                if not self._failed:
                    _log.exception("events: telling of a camera or of the clouds failed")
                self._failed = True

        return called

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        self._call_later(seconds, self._unless_stopped(call))

    def _circuit_changed(self, _before: State, now: State) -> None:
        if now is not State.HALF_OPEN:
            self._away.changed(now is State.OPEN)

    def _tell_clouds(self, away: bool) -> None:
        clouds, now = list(self._clouds), self._clock()
        if away:
            self._away_since = now
            self._teller.tell(Kind.CLOUD_AWAY, {"clouds": clouds})
        else:
            away_s = round(now - self._away_since, 3)
            self._teller.tell(Kind.CLOUD_BACK, {"clouds": clouds, "away_s": away_s})


def _on_a_thread(seconds: float, call: Callable[[], None]) -> None:
    timer = threading.Timer(seconds, call)
    timer.daemon = True
    timer.start()
