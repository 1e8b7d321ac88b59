"""The endpoint of the tails' times."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from cloud.http.base import Handler
from shared.errors import UnavailableError

if TYPE_CHECKING:
    from cloud.service import Service


class TailTimesHandler(Handler):
    """`GET /profile`: how long the tails take here. Who comes first waits some seconds, as they are measured then."""

    def initialize(self, service: Service) -> None:
        super().initialize(service)
        self._gone = False

    async def get(self) -> None:
        self.service.lifecycle.require_ready()
        try:
            answer = await self.service.tail_times.get()
        except asyncio.CancelledError:
            raise UnavailableError("the server is stopping; try again later") from None
        if self._gone:
            self._auto_finish = False  # Tornado would count an empty 200
        else:
            self.finish(answer)

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self._gone = True
        self.service.metrics.abandoned.inc()
