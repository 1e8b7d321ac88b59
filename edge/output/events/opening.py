"""What a run has opened to tell others what happens."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge.output.events.delivery.opening import Deliveries
from edge.output.events.noticing import Noticing
from edge.output.events.spool import Spool
from edge.output.events.teller import Teller
from edge.output.events.watching import Watching
from shared.errors import SettingsError
from shared.process.machine import expand_home

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.config import EdgeSettings
    from edge.metrics import EdgeMetrics

_FOLDER = "events"
"""Its name in the cache's folder."""


@dataclass(frozen=True)
class Events:
    """Everything between what happens and the targets."""

    spool: Spool
    noticing: Noticing
    """A sink of records."""
    watching: Watching
    deliveries: Deliveries

    def start(self) -> None:
        """Begin to write and to deliver. On the event loop."""
        self.deliveries.start(self.spool)
        self.spool.start()

    async def end(self) -> None:
        """Deliver what waits, where that is soon done. To be called before `close`."""
        self.stop()
        await self.deliveries.end()

    def stop(self) -> None:
        """The run ends: what ends with it is not told."""
        self.watching.stop()

    def close(self) -> None:
        """Have on the disk what the targets have not confirmed; the next run delivers it."""
        self.stop()
        self.spool.close()


def open_events(settings: EdgeSettings, metrics: EdgeMetrics, cameras: Mapping[str, bool]) -> Events | None:
    """None if there is nobody to tell. `cameras` says of each whether it is live. Raises SettingsError."""
    if not settings.events:
        return None
    deliveries = Deliveries(settings, metrics, cameras)
    spool = Spool(_folder(settings), settings.events_max_bytes, metrics.events)
    teller = Teller(spool.append, spool.numbers)
    noticing = Noticing(
        teller,
        cameras,
        frames=settings.events_frames,
        hold_s=settings.events_hold_s,
        lost_s=settings.events_lost_s,
    )
    return Events(spool, noticing, Watching(teller), deliveries)


def _folder(settings: EdgeSettings) -> Path:
    given = settings.events_folder or settings.cache_dir
    path = expand_home(given)
    if not given or (given.startswith("~") and path == Path(given)):  # no folder called `~` is made
        raise SettingsError(
            "--events needs a folder for what waits, and there is no cache's; give --events-folder one that can be written to"
        )
    return path if settings.events_folder else path / _FOLDER
