"""What every request for a tail shares: its frame's way (cloud/frames/answering.py), and its end when the client leaves.

Each door of it, `POST /model` and that of the Open Inference Protocol, says how a body is read and how an answer is written.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from cloud.access.ledger import Entry
from cloud.frames.answering import Answering
from cloud.http.base import since
from cloud.http.body import BodyHandler
from shared.errors import UnavailableError
from shared.observing.telemetry import Stopwatch
from shared.wire.http import encoding_of

if TYPE_CHECKING:
    from cloud.bodies.body import Body
    from cloud.bodies.reply import Reply
    from cloud.service import Service


class TailHandler(BodyHandler):
    """Takes a body, runs a tail on what it holds, and answers."""

    def initialize(self, service: Service) -> None:
        super().initialize(service)
        self.way = Answering(
            service, partial(since, self._arrived)
        )  # a method of its own would make a circle
        self._answering: asyncio.Task[Reply] | None = None
        self._gone = False  # the client has closed its connection

    def entry(self) -> Entry:
        """What the ledger is told."""
        return Entry(self.service.ledger if self.is_frame() else None, self.client)

    def check_header(self) -> None:
        """Raise RequestError for what the header alone shows."""

    async def answer(self, body: Body, watch: Stopwatch) -> Reply:
        """Decode -> queue -> tail -> answer; `watch` has the time of receiving. Raises RequestError."""
        raise NotImplementedError

    def send(self, reply: Reply) -> None:
        """Finish with this answer."""
        raise NotImplementedError

    def admit(self) -> None:
        """Refuse, from the header alone, a request that cannot be answered."""
        self.way.begin(self.account, self.entry())
        encoding_of(self.request.headers.get("Content-Encoding"))
        self.check_header()
        self.way.require_place()

    def frames(self) -> int:
        return self.way.ran

    async def respond(self, body: Body) -> None:
        # A task of its own, because Tornado does not stop a handler whose client has gone; on_connection_close does.
        metrics = self.service.metrics
        watch = Stopwatch(metrics.steps, metrics.step_cpu)
        watch.note("receive", self.elapsed_s())
        self._answering = asyncio.create_task(self.answer(body, watch))
        try:
            reply = await self._answering
            self.way.entry.decide("answered")
            self.send(reply)
        except asyncio.CancelledError:
            if not self._gone:  # cancelled because the server stops
                raise UnavailableError("the server is stopping; try again later") from None
            self._auto_finish = False  # Tornado would count an empty 200

    def refusal(self, status_code: int, error: BaseException | None) -> dict[str, Any]:
        answer = super().refusal(status_code, error)
        self.way.entry.decide("refused", answer["reason"])
        return answer

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self.way.entry.decide("abandoned")
        self._gone = True
        if self._answering:
            self._answering.cancel()

    def release(self) -> None:
        super().release()
        self.way.release()
