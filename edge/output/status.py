"""The edge's own `/metrics`, `/clouds`, `/healthz`, `/readyz`, and its page; health is open, and the rest by right."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from edge.output.entrance import Handler
from edge.output.page.page import PATHS
from shared.errors import StartupError
from shared.limits import MAX_REQUEST_HEADER_BYTES
from shared.observing.telemetry import exposition
from shared.security.exposure import open_rights, shown_in_clear
from shared.security.gate import Gate
from shared.security.rights import OPEN, Right, one_of
from shared.security.sessions import Sessions
from shared.security.tls.context import TLSFiles, server_context
from shared.security.tls.handshakes import Handshakes
from shared.security.tls.renewal import RenewedContext
from shared.security.tokens.file import TokenFile
from shared.wire.server.crowd import Crowd
from shared.wire.server.server import BoundedServer, connections_allowed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from contextlib import AsyncExitStack

    from prometheus_client import CollectorRegistry

    from edge.config import EdgeSettings
    from edge.metrics import EdgeMetrics
    from edge.output.page.page import Page

_log = logging.getLogger(__name__)

_FLAGS = ("--status-address", "--status-token-file", "--status-anonymous")
_PATHS = "/metrics, /clouds, /healthz, /readyz"
_CONNECTIONS = 128
"""Open at once: scrapers, health checks and people, of whom each has several. The longest idle one is closed for another."""
_WRITE_TIMEOUT_S = 20.0
_BODY_TIMEOUT_S = 5.0


class _MetricsHandler(Handler):
    needs = one_of(Right.METRICS)

    def initialize(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    async def get(self) -> None:
        # Collecting takes milliseconds of Python, which would hold up frames on the event loop.
        accept = self.request.headers.get("Accept", "")
        content_type, body = await asyncio.to_thread(exposition, self._registry, accept)
        self.set_header("Content-Type", content_type)
        self.finish(body)


class _CloudsHandler(Handler):
    needs = one_of(Right.METRICS)

    def initialize(self, clouds: Callable[[], list[dict[str, Any]]]) -> None:
        self._clouds = clouds

    def get(self) -> None:
        self.finish({"clouds": self._clouds()})


class _HealthHandler(Handler):
    needs = OPEN

    def initialize(self, state: Callable[[], str]) -> None:
        self._state = state

    def get(self) -> None:
        self.finish({"state": self._state()})


class _ReadinessHandler(Handler):
    needs = OPEN

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
    def initialize(self, known: str) -> None:
        self._known = known

    def prepare(self) -> None:
        self.set_status(404)
        self.finish({"error": f"no such path; known: {self._known}"})


def status_tls(settings: EdgeSettings, metrics: EdgeMetrics) -> RenewedContext | None:
    """The TLS of the status port; None without. Raises SettingsError."""
    if not settings.status_certificate:
        return None
    flags = ("--status-certificate", "--status-key", "--ca")
    files = TLSFiles(settings.status_certificate, settings.status_key, flags=flags)
    return RenewedContext(server_context, files, metrics=metrics, certificate="status")


def open_gate(settings: EdgeSettings, failed: Callable[[], object]) -> tuple[Gate, asyncio.Task[None]]:
    """Who is let in to the status port, and the task that looks for changes of the tokens; `failed` is called for each that is none.

    Raises SettingsError if the tokens cannot be read, or if the port would be open to other machines without a word.
    """
    path = settings.status_token_file
    anonymous = open_rights(settings.status_address, path, settings.status_anonymous, flags=_FLAGS)
    file = TokenFile(path, failed=failed) if path else None
    if shown_in_clear(settings.status_address, tokens=path, certificate=settings.status_certificate):
        _log.warning(
            "tokens reach --status-address %s unencrypted; give --status-certificate", settings.status_address
        )
    watching = file.watch(lambda: None) if file else asyncio.sleep(0)
    return Gate(file, anonymous, Sessions()), asyncio.create_task(watching)


def serve_status(
    registry: CollectorRegistry,
    state: Callable[[], str],
    unseen: Collection[str],
    address: str,
    port: int,
    gate: Gate,
    *,
    tls: RenewedContext | None = None,
    handshakes: Handshakes | None = None,
    clouds: Callable[[], list[dict[str, Any]]] = list,
    page: Page | None = None,
) -> tuple[BoundedServer, int]:
    """Serve the metrics of `registry` and the `state`, and return the server with its port; `port` 0 takes a free one.

    `unseen` holds the names of the cameras that have given no frame yet. Until it is empty, `/readyz` answers 503.
    `gate` says who may read the metrics, and who may see the `page`. `clouds` says what `/clouds` answers: a JSON object for each.

    With `tls` it speaks nothing else, and takes each later context of it; `handshakes` counts. Raises StartupError if it cannot
    listen there.
    """
    app = Application(
        [
            ("/metrics", _MetricsHandler, {"registry": registry}),
            ("/clouds", _CloudsHandler, {"clouds": clouds}),
            ("/healthz", _HealthHandler, {"state": state}),
            ("/readyz", _ReadinessHandler, {"state": state, "unseen": unseen}),
            *(page.routes() if page else []),
        ],
        default_handler_class=_UnknownHandler,
        default_handler_args={"known": f"{_PATHS}, {PATHS}" if page else _PATHS},
        gate=gate,
        log_function=lambda _handler: None,
    )
    server = BoundedServer(
        app,
        crowd=Crowd(connections_allowed(_CONNECTIONS), _CONNECTIONS, _WRITE_TIMEOUT_S),
        ssl_options=tls.context if tls else None,
        max_header_size=MAX_REQUEST_HEADER_BYTES,
        max_body_size=1 << 10,
        idle_connection_timeout=75,
        body_timeout=_BODY_TIMEOUT_S,
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


async def open_status(
    settings: EdgeSettings,
    metrics: EdgeMetrics,
    clouds: Callable[[], list[dict[str, Any]]],
    page: Page,
    ends: AsyncExitStack,
) -> int:
    """Serve all of it as the settings say until `ends`; returns the port. Raises StartupError."""
    tls = status_tls(settings, metrics)
    gate, watching = open_gate(settings, metrics.token_file_errors.inc)
    ends.callback(watching.cancel)
    server, port = serve_status(
        metrics.registry,
        lambda: metrics.state,
        metrics.unseen,
        settings.status_address,
        settings.status_port,
        gate,
        tls=tls,
        handshakes=Handshakes(metrics.handshakes),
        clouds=clouds,
        page=page,
    )
    ends.callback(server.stop)
    ends.push_async_callback(page.close)
    if tls:
        ends.callback(asyncio.create_task(tls.watch()).cancel)
    return port
