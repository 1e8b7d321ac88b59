"""Edges whose pages are looked at: the small detector of colours beside a cloud, each edge with its records at hand."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kits.common import wait_for

from bench.harness.process import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kits.deployments import LocalDeployment
    from kits.edge_run import EdgeRun

THRESHOLD = "0.8"
"""Leaves a few boxes a frame of what the detector of colours finds."""


@dataclass(frozen=True)
class PageEdge:
    """One edge that stays when its source has ended, and the address of its page."""

    run: EdgeRun
    url: str

    def record(self, frame: int, camera: str = "camera") -> dict[str, Any]:
        """The record of a frame, which may come a moment after the page has shown it."""

        def found() -> dict[str, Any] | None:
            records = list(self.run.records)
            return next(
                (each for each in records if (each["camera"], each["frame"]) == (camera, frame)), None
            )

        record: dict[str, Any] = wait_for(
            found, f"the record of frame {frame} of {camera}\n{self.run.said()}", 20
        )
        return record


@contextlib.contextmanager
def page_edge(system: LocalDeployment, **settings: str) -> Iterator[PageEdge]:
    """An edge of these settings, killed at the end; its first record is there."""
    port = settings.pop("status_port", None) or str(free_port())
    usual = {"at_end": "stay", "page_pictures": "true", "threshold": THRESHOLD}
    run = system.edge(**usual | settings, status_port=port)
    try:
        run.wait_for_records(1)
        yield PageEdge(run, f"http://127.0.0.1:{port}")
    finally:
        run.end()
