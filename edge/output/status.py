"""The edge's own `/metrics`, `/healthz` and `/readyz`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from shared.errors import StartupError
from shared.limits import MAX_REQUEST_HEADER_BYTES
from shared.observing.telemetry import exposition
from shared.wire.server.crowd import Crowd
from shared.wire.server.server import BoundedServer, connections_allowed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from prometheus_client import CollectorRegistry


_CONNECTIONS = 64
"""Open at once: scrapers, health checks and people. The longest idle one is closed for another."""
_WRITE_TIMEOUT_S = 20.0
_BODY_TIMEOUT_S = 5.0


class _Handler(RequestHandler):
    def head(self, *arguments: str, **named: str) -> Any:
        """GET without its body, which Tornado leaves out."""
        return self.get(*arguments, **named)


class _MetricsHandler(_Handler):
    def initialize(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    async def get(self) -> None:
        # Collecting takes milliseconds of Python, which would hold up frames on the event loop.
        accept = self.request.headers.get("Accept", "")
        content_type, body = await asyncio.to_thread(exposition, self._registry, accept)
        self.set_header("Content-Type", content_type)
        self.finish(body)


class _HealthHandler(_Handler):
    def initialize(self, state: Callable[[], str]) -> None:
        self._state = state

    def get(self) -> None:
        self.finish({"state": self._state()})


class _ReadinessHandler(_Handler):
    def initialize(self, state: Callable[[], str], unseen: Collection[str]) -> None:
        self._state = state
        self._unseen = unseen

    def get(self) -> None:
        unseen = tuple(self._unseen)  # in one step, as other threads change it
        state, waiting_for = self._state(), sorted(unseen)
        ready = state != "starting" and not waiting_for
        self.set_status(200 if ready else 503)
        self.finish({"ready": ready, "state": state, "waiting_for": waiting_for})


class _UnknownHandler(RequestHandler):
    def prepare(self) -> None:
        self.set_status(404)
        self.finish({"error": "no such path; known: /metrics, /healthz, /readyz"})


def serve_status(
    registry: CollectorRegistry, state: Callable[[], str], unseen: Collection[str], address: str, port: int
) -> tuple[BoundedServer, int]:
    """Serve the metrics of `registry` and the `state`, and return the server with its port; `port` 0 takes a free one.

    `unseen` holds the names of the cameras that have given no frame yet. Until it is empty, `/readyz` answers 503.

    Raises StartupError if it cannot listen there.
    """
    app = Application(
        [
            ("/metrics", _MetricsHandler, {"registry": registry}),
            ("/healthz", _HealthHandler, {"state": state}),
            ("/readyz", _ReadinessHandler, {"state": state, "unseen": unseen}),
        ],
        default_handler_class=_UnknownHandler,
        log_function=lambda _handler: None,
    )
    server = BoundedServer(
        app,
        crowd=Crowd(connections_allowed(_CONNECTIONS), _CONNECTIONS, _WRITE_TIMEOUT_S),
        max_header_size=MAX_REQUEST_HEADER_BYTES,
        max_body_size=1 << 10,
        idle_connection_timeout=75,
        body_timeout=_BODY_TIMEOUT_S,
    )
    try:
        sockets = bind_sockets(port, address)
    except OSError as error:
        raise StartupError(
            f"cannot listen on {address}:{port} for /metrics: {error.strerror or error}; "
            "stop what listens there, or choose another --status-port (0 takes a free one)"
        ) from None
    server.add_sockets(sockets)
    return server, int(sockets[0].getsockname()[1])
