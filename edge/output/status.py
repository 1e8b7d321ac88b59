"""The edge's own `/metrics`, `/clouds`, `/healthz` and `/readyz`; health is open, and the rest by right."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, ClassVar

from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from shared.errors import RequestError, StartupError, UnauthenticatedError
from shared.limits import MAX_REQUEST_HEADER_BYTES
from shared.observing.telemetry import exposition
from shared.security.exposure import open_rights, shown_in_clear
from shared.security.gate import Gate, Shown
from shared.security.rights import OPEN, Right, one_of
from shared.security.tls.context import TLSFiles, server_context
from shared.security.tls.renewal import RenewedContext
from shared.security.tokens.file import TokenFile
from shared.wire.server.crowd import Crowd
from shared.wire.server.server import BoundedServer, connections_allowed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from prometheus_client import CollectorRegistry

    from edge.config import EdgeSettings
    from edge.metrics import EdgeMetrics
    from shared.security.rights import Needs
    from shared.security.tls.handshakes import Handshakes

_log = logging.getLogger(__name__)

_FLAGS = ("--status-address", "--status-token-file", "--status-anonymous")
_CONNECTIONS = 64
"""Open at once: scrapers, health checks and people. The longest idle one is closed for another."""
_WRITE_TIMEOUT_S = 20.0
_BODY_TIMEOUT_S = 5.0


class _Handler(RequestHandler):
    needs: ClassVar[Needs]

    def prepare(self) -> None:
        gate: Gate = self.settings["gate"]
        try:
            gate.enter(
                Shown(self.request.method or "", self.request.headers.get_list("Authorization")), self.needs
            )
        except RequestError as error:
            self.set_status(error.status)
            if isinstance(error, UnauthenticatedError):
                self.set_header("WWW-Authenticate", 'Bearer realm="splitdnn"')
            self.finish({"error": str(error), "reason": error.reason, "accepted": error.accepted})

    def head(self, *arguments: str, **named: str) -> Any:
        """GET without its body, which Tornado leaves out."""
        return self.get(*arguments, **named)


class _MetricsHandler(_Handler):
    needs = one_of(Right.METRICS)

    def initialize(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    async def get(self) -> None:
        # Collecting takes milliseconds of Python, which would hold up frames on the event loop.
        accept = self.request.headers.get("Accept", "")
        content_type, body = await asyncio.to_thread(exposition, self._registry, accept)
        self.set_header("Content-Type", content_type)
        self.finish(body)


class _CloudsHandler(_Handler):
    needs = one_of(Right.METRICS)

    def initialize(self, clouds: Callable[[], list[dict[str, Any]]]) -> None:
        self._clouds = clouds

    def get(self) -> None:
        self.finish({"clouds": self._clouds()})


class _HealthHandler(_Handler):
    needs = OPEN

    def initialize(self, state: Callable[[], str]) -> None:
        self._state = state

    def get(self) -> None:
        self.finish({"state": self._state()})


class _ReadinessHandler(_Handler):
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
    def prepare(self) -> None:
        self.set_status(404)
        self.finish({"error": "no such path; known: /metrics, /clouds, /healthz, /readyz"})


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
    return Gate(file, anonymous), asyncio.create_task(watching)


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
) -> tuple[BoundedServer, int]:
    """Serve the metrics of `registry` and the `state`, and return the server with its port; `port` 0 takes a free one.

    `unseen` holds the names of the cameras that have given no frame yet. Until it is empty, `/readyz` answers 503.
    `gate` says who may read the metrics. `clouds` says what `/clouds` answers: a JSON object for each cloud.

    With `tls` it speaks nothing else, and takes each later context of it; `handshakes` counts. Raises StartupError if it cannot
    listen there.
    """
    app = Application(
        [
            ("/metrics", _MetricsHandler, {"registry": registry}),
            ("/clouds", _CloudsHandler, {"clouds": clouds}),
            ("/healthz", _HealthHandler, {"state": state}),
            ("/readyz", _ReadinessHandler, {"state": state, "unseen": unseen}),
        ],
        default_handler_class=_UnknownHandler,
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
