"""The edge's own `/metrics`, `/healthz` and `/readyz`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tornado.httpserver import HTTPServer
from tornado.iostream import SSLIOStream
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from shared.errors import StartupError
from shared.observing.telemetry import exposition
from shared.security.renewal import RenewedContext
from shared.security.tls import TLSFiles, server_context

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from prometheus_client import CollectorRegistry
    from tornado.iostream import IOStream

    from edge.config import EdgeSettings
    from edge.metrics import EdgeMetrics
    from shared.security.handshakes import Handshakes


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


def status_tls(settings: EdgeSettings, metrics: EdgeMetrics) -> RenewedContext | None:
    """The TLS of the status port; None without. Raises SettingsError."""
    if not settings.status_certificate:
        return None
    flags = ("--status-certificate", "--status-key", "--ca")
    files = TLSFiles(settings.status_certificate, settings.status_key, flags=flags)
    return RenewedContext(server_context, files, metrics=metrics, certificate="status")


class _Server(HTTPServer):
    handshakes: Handshakes | None = None

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        if self.handshakes and isinstance(stream, SSLIOStream):
            self.handshakes.begun(stream, address)
        super().handle_stream(stream, address)

    def renew(self, context: Any) -> None:
        self.ssl_options = context


def serve_status(
    registry: CollectorRegistry,
    state: Callable[[], str],
    unseen: Collection[str],
    address: str,
    port: int,
    *,
    tls: RenewedContext | None = None,
    handshakes: Handshakes | None = None,
) -> tuple[HTTPServer, int]:
    """Serve the metrics of `registry` and the `state`, and return the server with its port; `port` 0 takes a free one.

    `unseen` holds the names of the cameras that have given no frame yet. Until it is empty, `/readyz` answers 503.

    With `tls` it speaks nothing else, and takes each later context of it; `handshakes` counts. Raises StartupError if it cannot
    listen there.
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
    server = _Server(
        app,
        ssl_options=tls.context if tls else None,
        max_header_size=16 << 10,
        max_body_size=1 << 10,
        idle_connection_timeout=75,
    )
    server.handshakes = handshakes
    if tls:
        tls.on_change(server.renew)
    try:
        sockets = bind_sockets(port, address)
    except OSError as error:
        raise StartupError(
            f"cannot listen on {address}:{port} for /metrics: {error.strerror or error}; "
            "stop what listens there, or choose another --status-port (0 takes a free one)"
        ) from None
    server.add_sockets(sockets)
    return server, int(sockets[0].getsockname()[1])
