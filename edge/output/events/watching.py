"""Tells that cameras come up and go down, and that no cloud answers any more, or one does again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

from edge.output.events.event import Kind
from edge.uplink.circuit import State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from edge.cameras.metrics import CameraMetrics
    from edge.output.events.teller import Teller


class Circuit(Protocol):
    """See edge/uplink/circuit.py and edge/uplink/clouds/joint_circuit.py."""

    on_change: Callable[[State, State], object] | None


class _Camera:
    """Called from the camera's own thread, and from those that close its source."""

    def __init__(self, name: str, tell: Teller, clock: Callable[[], float]) -> None:
        self._name, self._teller, self._clock = name, tell, clock
        self._up: bool | None = None
        self._since = 0.0

    def changed(self, up: bool, expected: bool) -> None:
        if up is self._up or (self._up is None and not expected):
            return
        now = self._clock()
        before = None if self._up is None else round(now - self._since, 3)
        self._up, self._since = up, now
        if up:
            self._teller.tell(Kind.CAMERA_UP, {"down_s": before}, camera=self._name)
        else:
            data = {"reason": "lost" if expected else "ended", "up_s": before}
            self._teller.tell(Kind.CAMERA_DOWN, data, camera=self._name)


class Watching:
    """For one run. What happens once it stops is told no more: then it is the edge that goes away, and not its cameras."""

    def __init__(self, teller: Teller, clock: Callable[[], float] = time.monotonic) -> None:
        self._teller, self._clock = teller, clock
        self._stopped = False
        self._away_since: float | None = None
        self._clouds: Sequence[str] = ()

    def watch_cameras(self, cameras: Mapping[str, CameraMetrics]) -> None:
        """From now on, by name."""
        for name, metrics in cameras.items():
            camera = _Camera(name, self._teller, self._clock)
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
            if not self._stopped:
                call(*arguments)

        return called

    def _circuit_changed(self, _before: State, now: State) -> None:
        if now is State.OPEN and self._away_since is None:
            self._away_since = self._clock()
            self._teller.tell(Kind.CLOUD_AWAY, {"clouds": list(self._clouds)})
        elif now is State.CLOSED and self._away_since is not None:
            away_s = round(self._clock() - self._away_since, 3)
            self._away_since = None
            self._teller.tell(Kind.CLOUD_BACK, {"clouds": list(self._clouds), "away_s": away_s})
