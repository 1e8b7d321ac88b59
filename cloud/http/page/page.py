"""The page's state, made once a second for all who look."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from cloud.http.page.state import part_of
from cloud.http.page.whole import Whole
from cloud.workers.channel import GoneError
from shared import __version__
from shared.process.machine import machine

if TYPE_CHECKING:
    from cloud.service import Service

_log = logging.getLogger(__name__)


class Page:
    """Reads all workers. On the event loop only."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._whole = Whole()
        self._latest: dict[str, Any] = {}
        self._processor = ""
        self._stands_still = False

    async def state(self) -> dict[str, Any]:
        """What the page shows at this moment, as JSON; while the workers cannot be asked, that, and what it showed last."""
        service = self._service
        second, since = service.recent.second(), self._whole.since
        try:
            parts = await service.siblings.page(since) if service.siblings else {1: part_of(service, since)}
        except GoneError as error:
            if not self._stands_still:
                _log.info("the page stands still: %s", error)
            self._stands_still = True
            return self._latest | {"state": "silent"}
        for _ in self._whole.catch_up(parts, second):
            await asyncio.sleep(0)
        self._stands_still, self._processor = False, self._processor or machine()
        self._latest = {
            "cloud": service.cloud,
            "version": __version__,
            "processor": self._processor,
            **self._whole.state(parts, second),
        }
        return self._latest
