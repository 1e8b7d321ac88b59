"""The endpoints that take no frame: greeting, health, metrics, tail times, and `/compute`."""

from __future__ import annotations

import asyncio
import math
import re
from typing import TYPE_CHECKING, ClassVar

from tornado.web import HTTPError

from cloud.bodies.json.body import parse_object
from cloud.http.base import Handler
from cloud.http.body import BodyHandler
from cloud.metrics import ENDPOINTS
from cloud.workers.lifecycle import State
from shared.errors import BodyError, ContentError, UnavailableError
from shared.limits import FINGERPRINT_BYTES
from shared.security.rights import OPEN, Right, one_of

if TYPE_CHECKING:
    from cloud.bodies.body import Body
    from cloud.networks.network import LoadedNetwork
    from cloud.service import Service
    from shared.security.rights import Needs

_COMPUTE_BODY = {"number": "a finite number"}


class HelloHandler(Handler):
    """`GET /`: says what this server is, and names the endpoints to try next."""

    needs: ClassVar[Needs] = OPEN
    health: ClassVar[bool] = True

    def get(self) -> None:
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(
            "Hello, this is the SplitDNN cloud.\n"
            "GET /model says what runs here, POST /model runs a tail, GET /metrics is for Prometheus.\n"
            "A picture: curl --data-binary @dog.jpg -H 'Content-Type: image/jpeg' ADDRESS/model. All of it: GET /openapi.yaml.\n"
        )


class ComputeHandler(BodyHandler):
    """`POST /compute`: `{"number": 7}` -> `{"result": 49}`."""

    needs: ClassVar[Needs] = one_of(Right.JSON)

    async def post(self) -> None:
        await self.complete()

    def limit(self) -> int:
        return 4096

    async def respond(self, body: Body) -> None:
        number = parse_object(body.whole(), _COMPUTE_BODY).get("number")
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise BodyError('the body has no number under "number"', accepted=_COMPUTE_BODY)
        try:
            square = float(number) * float(number)
        except OverflowError:  # an integer beyond a double's range
            square = math.inf
        if not math.isfinite(square):
            raise ContentError("the square of this number is not finite", accepted=_COMPUTE_BODY)
        self.finish({"result": number * number})


class TailTimesHandler(Handler):
    """`GET /tail-times`: how long the tails take. The first caller waits some seconds, as they are measured then.

    `?fingerprint=` asks for an earlier network that this cloud still serves. `GET /profile` is its old name.
    """

    needs: ClassVar[Needs] = one_of(Right.FRAMES)

    def initialize(self, service: Service) -> None:
        super().initialize(service)
        self._gone = False

    async def get(self) -> None:
        self.service.lifecycle.require_ready()
        await self.in_turn()
        try:
            answer = await self.service.networks.tail_times(self._network()).get(self.account)
        except asyncio.CancelledError:
            raise UnavailableError("the server is stopping; try again later") from None
        if self._gone:
            self._auto_finish = False  # Tornado would count an empty 200
        else:
            self.finish(answer)

    def _network(self) -> LoadedNetwork:
        """The one that the query's `fingerprint` names, without one the current. Raises FingerprintError or BodyError."""
        if "fingerprint" not in self.request.query_arguments:
            return self.service.networks.current
        text = self.get_query_argument("fingerprint")
        if not re.fullmatch(f"[0-9a-f]{{{2 * FINGERPRINT_BYTES}}}", text):
            raise BodyError(
                f"fingerprint={text[:40]} is none",
                accepted={"fingerprint": f"{2 * FINGERPRINT_BYTES} lower-case hexadecimal digits"},
            )
        return self.service.networks.of("question", bytes.fromhex(text), self.client)

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self._gone = True
        self.service.metrics.abandoned.inc()


class HealthHandler(Handler):
    """`GET /healthz`: the process answers."""

    needs: ClassVar[Needs] = OPEN
    health: ClassVar[bool] = True

    def get(self) -> None:
        self.finish({"state": self.service.lifecycle.state})


class ReadyHandler(Handler):
    """`GET /readyz`: 200 while frames are taken, else 503."""

    needs: ClassVar[Needs] = OPEN
    health: ClassVar[bool] = True

    def get(self) -> None:
        state = self.service.lifecycle.state
        self.set_status(200 if state is State.READY else 503)
        self.finish({"state": state})


class MetricsHandler(Handler):
    """`GET /metrics`, in the format that the scraper prefers."""

    needs: ClassVar[Needs] = one_of(Right.METRICS)

    async def get(self) -> None:
        accept, timeout_s = self.request.headers.get("Accept", ""), self.service.settings.request_timeout_s
        try:
            content_type, body = await self.service.scrapes.read(self.client, accept, timeout_s)
        except asyncio.CancelledError:
            raise UnavailableError("the server is stopping; try again later") from None
        self.set_header("Content-Type", content_type)
        self.finish(body)


class UnknownHandler(Handler):
    """Every other path."""

    needs: ClassVar[Needs] = OPEN

    def prepare(self) -> None:
        super().prepare()
        raise HTTPError(404, f"no such path; known: {', '.join(ENDPOINTS[:-1])}")
