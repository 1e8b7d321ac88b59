"""Gives each event its number and its id, and hands it to the spool."""

from __future__ import annotations

import secrets
import threading
import time
from typing import TYPE_CHECKING, Any

from edge.output.events.event import Event, utc

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge.output.events.event import Kind
    from edge.output.results import Record


class Teller:
    """From any thread. A camera's events leave in the order of their numbers."""

    def __init__(
        self,
        append: Callable[[Event], object],
        numbers: Mapping[str | None, int],
        now: Callable[[], float] = time.time,
        run: str | None = None,
    ) -> None:
        """`append` and `numbers` are the spool's. `run` tells this process's events from all others': 16 hexadecimal digits."""
        self.run = run or secrets.token_hex(8)
        self._append, self._now = append, now
        self._numbers = dict(numbers)
        self._count = 0
        self._lock = threading.Lock()

    def tell(
        self, kind: Kind, data: Mapping[str, Any], *, camera: str | None = None, record: Record | None = None
    ) -> None:
        """It happened: just now to the `camera` or, without one, to the edge; or as the frame of a `record` showed."""
        if record:
            camera = record.camera
        with self._lock:
            self._count += 1
            number = self._numbers[camera] = self._numbers.get(camera, 0) + 1
            event = Event(
                id=f"{self.run}-{self._count:08x}",
                number=number,
                camera=camera,
                kind=kind,
                time=record.time if record else utc(self._now()),
                frame=record.frame if record else None,
                frame_id=record.frame_id if record else None,
                data=data,
            )
            self._append(event)
