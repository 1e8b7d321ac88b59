"""Where the cameras' frames wait for the first step: a bounded queue for each camera, from which frames are taken in turn."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client import Gauge

    from edge.frames.allowance import Allowance

_Item = TypeVar("_Item")


@dataclass
class _Lane(Generic[_Item]):
    """One camera's queue."""

    capacity: int
    drop_oldest: bool
    room: threading.Condition
    """Notified when a frame is taken from this lane, or it is closed."""
    items: deque[_Item] = field(default_factory=deque)
    closed: bool = False


class Intake(Generic[_Item]):
    """Between threads. In a full lane a lossless camera waits, and a live one drops its oldest frame.

    One frame of each camera that has some is taken before a second one is: none can starve another, however fast it is. A camera
    that has no place left among the frames under way is passed over until one is done.
    """

    def __init__(self, lanes: Mapping[str, tuple[int, bool]], under_way: Allowance, depth: Gauge) -> None:
        """`lanes`: by camera, how many frames may wait and whether the oldest is then dropped. `depth` shows how many wait.

        `under_way`: of those that have been taken and are not done.
        """
        self._lock = threading.Lock()
        self._ready = threading.Condition(self._lock)
        self._lanes = {
            camera: _Lane[_Item](capacity, drop_oldest, threading.Condition(self._lock))
            for camera, (capacity, drop_oldest) in lanes.items()
        }
        self._turns = deque(self._lanes)
        """The camera whose turn is next comes first."""
        self._under_way = under_way
        self._depth = depth
        self._given_up = False

    def put(self, camera: str, item: _Item) -> int:
        """Add a frame; returns how many were dropped to make room. One that comes after `close` is itself dropped."""
        lane = self._lanes[camera]
        with self._lock:
            if not lane.drop_oldest:
                lane.room.wait_for(lambda: len(lane.items) < lane.capacity or lane.closed)
            if lane.closed:
                return 1  # frames that already wait stay: they can still be taken
            dropped = 0
            while len(lane.items) >= lane.capacity:
                lane.items.popleft()
                dropped += 1
            lane.items.append(item)
            self._note()
            return dropped

    def get(self) -> _Item | None:
        """The oldest frame of the camera whose turn it is; waits for one. None once all lanes are closed and empty."""
        with self._lock:
            while True:
                for camera in list(self._turns):
                    lane = self._lanes[camera]
                    if lane.items and self._under_way.has_room(camera):
                        self._turns.remove(camera)
                        self._turns.append(camera)
                        self._under_way.take(camera)
                        item = lane.items.popleft()
                        lane.room.notify()
                        self._note()
                        return item
                if self._given_up or all(each.closed and not each.items for each in self._lanes.values()):
                    return None
                self._ready.wait()

    def done(self, camera: str) -> None:
        """A frame of this camera that was taken is no longer under way."""
        with self._lock:
            self._under_way.give_back(camera)
            self._ready.notify_all()

    def close(self, camera: str) -> None:
        """No more frames of this camera come; those that wait can still be taken."""
        with self._lock:
            lane = self._lanes[camera]
            lane.closed = True
            lane.room.notify_all()
            self._ready.notify_all()

    def give_up(self) -> None:
        """No frame will be taken any more, neither those that wait nor later ones."""
        with self._lock:
            self._given_up = True
            for lane in self._lanes.values():
                lane.items.clear()
                lane.closed = True
                lane.room.notify_all()
            self._note()

    def _note(self) -> None:
        self._depth.set(sum(len(lane.items) for lane in self._lanes.values()))
        self._ready.notify_all()
