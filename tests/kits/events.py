"""Events, and spools that stop when they are told to. No tests."""

from __future__ import annotations

import contextlib
import logging
import os
from typing import TYPE_CHECKING, Any

from edge.output.events.event import Event, Kind
from edge.output.events.metrics import LOST, EventMetrics
from edge.output.events.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

    from edge.output.events.spool import Reader

MAX_BYTES = 1 << 20
TARGET = "mqtt"


def event_of(number: int, camera: str | None = "door", kind: Kind = Kind.CAMERA_UP, **data: Any) -> Event:
    return Event(
        id=f"{camera}-{number}",
        number=number,
        camera=camera,
        kind=kind,
        time="2026-11-29T12:00:00.000+00:00",
        frame=None,
        frame_id=None,
        data=data,
    )


class Killed(BaseException):
    """The process ends here."""


class Disk:
    """Stands for the module `os` where the spool writes: `left` bytes, and `calls`; the next writes a share, and `then` is raised."""

    def __init__(
        self,
        left: float = float("inf"),
        then: BaseException | None = None,
        *,
        calls: float = float("inf"),
        share: float = 0.0,
    ) -> None:
        self.left, self.calls = left, calls
        self.then = then or Killed()
        self._share = share

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def write(self, file: int, data: bytes) -> int:
        return self._spend(len(data), lambda most: os.write(file, data[:most]))

    def pwrite(self, file: int, data: bytes, at: int) -> int:
        return self._spend(len(data), lambda most: os.pwrite(file, data[:most], at))

    def fdatasync(self, file: int) -> None:
        """The operating system keeps what a killed process wrote: nothing is to be waited for."""
        self._spend(1, lambda _: os.fstat(file))

    def fsync(self, file: int) -> None:
        self._spend(1, lambda _: os.fstat(file))

    def _spend(self, wanted: int, call: Any) -> Any:
        most = int(min(wanted, max(0, self.left)))
        if self.calls <= 0:
            most = int(self._share * wanted)
        self.left -= wanted
        self.calls -= 1
        found = call(most)
        if most < wanted:
            raise self.then
        return found

    @contextlib.contextmanager
    def in_place(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
        with monkeypatch.context() as patch:
            for module in ("segments", "cursors", "folder"):
                patch.setattr(f"edge.output.events.spooling.{module}.os", self)
            yield self


def spool_of(folder: Path, max_bytes: int = MAX_BYTES, **given: Any) -> Spool:
    """One that no thread works for: call `work`."""
    return Spool(folder, max_bytes, EventMetrics("splitdnn_edge_", None), **given)


def kill(spool: Spool) -> None:
    """What is left of a process that was killed: nothing, and its lock is free."""
    spool._segments.close()
    spool._cursors.close()
    os.close(spool._owned)


def rest_of(reader: Reader) -> list[int]:
    """The numbers of all events that the reader has at hand; each is confirmed."""
    found = []
    while entry := reader.ready():
        found.append(entry.event.number)
        reader.done(entry.position)
    return found


def lost(spool: Spool, target: str = TARGET) -> dict[str, int]:
    """How many, by reason."""
    counts = {
        reason: int(spool._metrics.lost.labels(target=target, reason=reason).value()) for reason in LOST
    }
    return {reason: count for reason, count in counts.items() if count}


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]
