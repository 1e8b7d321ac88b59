"""The edge's page: a sink of records, and the paths under which it is seen."""

from __future__ import annotations

import logging
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from edge.output.page.handlers import (
    TITLE,
    DocumentHandler,
    EventsHandler,
    SnapshotHandler,
    WatchHandler,
)
from edge.output.page.login import LoginHandler, LogoutHandler
from edge.output.page.metrics import PageMetrics
from edge.output.page.pictures import Pictures
from edge.output.page.seen.state import State
from shared.wire.page.document import data, document
from shared.wire.page.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from edge.cameras.camera import Camera
    from edge.cameras.metrics import CameraMetrics
    from edge.frames.way import Captured, Editions
    from edge.metrics import EdgeMetrics
    from edge.output.results import Record
    from shared.wire.page.document import Document

_log = logging.getLogger(__name__)

PATHS = "/, /events, /snapshot/CAMERA.jpg, /watch, /login, /logout"


@cache
def edge_document() -> Document:
    """The page itself, which is the same for everybody: what it shows comes as events."""
    read = partial(data, __package__)
    return document(TITLE, read("edge.html"), styles=[read("edge.css")], scripts=[read("edge.js")])


class Page:
    """There from the start, so that the page says that the network is being loaded."""

    def __init__(
        self,
        cameras: Mapping[str, CameraMetrics],
        live: Mapping[str, bool],
        metrics: EdgeMetrics,
        clouds: Callable[[], list[dict[str, Any]]],
        *,
        pictures: bool,
    ) -> None:
        """The first four as of `State`; `pictures`: whether the cameras' pictures may be seen."""
        self.metrics = PageMetrics(metrics.registry)
        self._pictures = Pictures(cameras, made=self.metrics.pictures.inc) if pictures else None
        self._state = State(cameras, live, metrics, clouds, self._pictures)
        self._stream = Stream(self._state.said)
        self._failed = False
        self.metrics.viewers.set_function(lambda: self._stream.viewers)

    @property
    def look(self) -> Callable[[Captured], None] | None:
        """To be called with each frame before it is prepared; None where no pictures are shown."""
        return self._pictures.look if self._pictures else None

    def __call__(self, record: Record) -> None:
        """One frame is done. Does not raise: what fails here is the page's loss alone."""
        try:
            self._state(record)
        except Exception:  # noqa: BLE001 - frames go on
            if not self._failed:
                _log.exception("the page could not take a record; this is said once")
            self._failed = True

    def play(self, cameras: Sequence[Camera], editions: Editions) -> None:
        """The run has begun."""
        self._state.play(cameras, editions)

    def routes(self) -> list[tuple[str, type[Any], dict[str, Any]]]:
        """For the status port's application."""
        told = {"metrics": self.metrics}
        return [
            ("/", DocumentHandler, told | {"page": edge_document()}),
            ("/events", EventsHandler, told | {"stream": self._stream}),
            ("/watch", WatchHandler, told | {"pictures": self._pictures}),
            (r"/snapshot/([^/]{1,200})\.jpg", SnapshotHandler, told | {"pictures": self._pictures}),
            ("/login", LoginHandler, told),
            ("/logout", LogoutHandler, {}),
        ]

    async def close(self) -> None:
        """Let the viewers go."""
        await self._stream.close()
        if self._pictures:
            self._pictures.close()
