"""What a file of lines takes on its disk, for those who have to see it fill."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge

from shared.observing.counting.counter import Counter

if TYPE_CHECKING:
    from pathlib import Path

ROTATIONS = ("rotated", "failed")


class FileMetrics:
    """Metrics of the files of one kind; several files add up, and the disk is that of the latest one."""

    def __init__(self, prefix: str, what: str, registry: CollectorRegistry | None) -> None:
        """Their names begin with `prefix`, their descriptions call the files `what`."""
        self.written = Counter(prefix + "written_bytes_total", f"Bytes written to {what}.", registry=registry)
        self.rotations = Counter(
            prefix + "rotations_total",
            f"Times that another file of {what} was begun as one was complete, or could not be.",
            ["result"],
            registry=registry,
        )
        self.removed = Counter(
            prefix + "removed_bytes_total",
            f"Bytes of complete files of {what} that were removed, as they were too many or too old.",
            registry=registry,
        )
        self.size = Gauge(
            prefix + "bytes", f"Bytes of {what} on the disk, complete files included.", registry=registry
        )
        self.free = Gauge(
            prefix + "disk_free_bytes",
            f"Bytes that the disk of {what} has left for this process.",
            registry=registry,
        )
        for result in ROTATIONS:
            self.rotations.labels(result=result)
        self._sizes: dict[Path, int] = {}

    def look_at(self, path: Path, size: int) -> None:
        """The file at `path` and the complete ones beside it have `size` bytes together."""
        self._sizes[path] = size
        self.size.set(sum(self._sizes.values()))
        with contextlib.suppress(OSError):
            disk = os.statvfs(path.parent)
            self.free.set(disk.f_bavail * disk.f_frsize)
