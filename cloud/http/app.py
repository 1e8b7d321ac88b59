"""The Tornado application and its server."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from tornado.routing import Rule
from tornado.web import Application

from cloud.frames.sessions.socket import IsSession, SessionSocket
from cloud.http.bundle import BUNDLES, BundleHandler
from cloud.http.model import ModelHandler
from cloud.http.page.handlers import EVENTS, EVENTS_TOO, PAGE, EventsHandler, PageHandler, stream_of
from cloud.http.page.login import LoginHandler, LogoutHandler, SessionHandler
from cloud.http.page.page import Page
from cloud.http.profiles import PROFILES, ProfileFileHandler, ProfileHandler, ProfilesHandler
from cloud.http.system.endpoints import (
    ComputeHandler,
    HealthHandler,
    HelloHandler,
    MetricsHandler,
    ReadyHandler,
    TailTimesHandler,
    UnknownHandler,
)
from cloud.http.system.openapi import OPENAPI, OpenApiHandler
from cloud.http.v2.asking import (
    LiveHandler,
    ModelReadyHandler,
    ModelsHandler,
    ServerHandler,
    ServerReadyHandler,
)
from cloud.http.v2.infer import InferHandler
from shared.limits import MAX_REQUEST_HEADER_BYTES
from shared.security.tls.handshakes import Handshakes
from shared.wire.cloud_id import CLOUD_HEADER
from shared.wire.server.server import BoundedServer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cloud.service import Service
    from shared.security.tls.renewal import RenewedContext

_MAX_UNREAD_BODY_BYTES = 64 << 10
"""For endpoints that take no body; those that do set their own limit."""
_MODEL = "/v2/models/(?P<name>.+?)(?:/versions/(?P<version>[^/]+))?"


def make_app(service: Service) -> Application:
    """The application with every endpoint."""
    arguments = {"service": service}
    app = Application(
        [
            ("/model", ModelHandler, arguments),  # first, as rules are tried one after another
            Rule(IsSession(), SessionSocket, arguments),
            ("/", HelloHandler, arguments),
            ("/compute", ComputeHandler, arguments),
            ("/tail-times", TailTimesHandler, arguments),
            ("/profile", TailTimesHandler, arguments),  # its old name
            (PROFILES, ProfilesHandler, arguments),
            (f"{PROFILES}/[^/]*/file", ProfileFileHandler, arguments),
            (f"{PROFILES}/.*", ProfileHandler, arguments),
            (f"{BUNDLES}/.*", BundleHandler, arguments),
            (OPENAPI, OpenApiHandler, arguments),
            ("/healthz", HealthHandler, arguments),
            ("/readyz", ReadyHandler, arguments),
            ("/metrics", MetricsHandler, arguments),
            (PAGE, PageHandler, arguments),
            (f"(?:{EVENTS}|{EVENTS_TOO})", EventsHandler, arguments | {"stream": stream_of(Page(service))}),
            ("/login", LoginHandler, arguments),
            ("/logout", LogoutHandler, arguments),
            ("/session", SessionHandler, arguments),
            ("/v2/?", ServerHandler, arguments),
            ("/v2/health/live", LiveHandler, arguments),
            ("/v2/health/ready", ServerReadyHandler, arguments),
            (f"{_MODEL}/infer", InferHandler, arguments),
            (f"{_MODEL}/ready", ModelReadyHandler, arguments),
            (_MODEL, ModelsHandler, arguments),
        ],
        default_handler_class=UnknownHandler,
        default_handler_args=arguments,
        log_function=lambda _handler: None,  # every request is counted; none is worth a line
        cloud=service.cloud,
    )
    require_needs(rule.target for rule in app.default_router.rules)
    return app


def require_needs(targets: Iterable[Any]) -> None:
    """Raise TypeError for an endpoint that does not say who may use it."""
    for target in targets:
        rules = getattr(target, "rules", None)
        if rules is not None:
            require_needs(rule.target for rule in rules)
        elif not hasattr(target, "needs"):
            raise TypeError(f"{target} has no `needs`: say what its caller must be allowed, or OPEN")


def each_second(service: Service) -> None:
    """What the server does that often."""
    service.bodies.expire()
    service.sessions.tend(service.profiles.names())
    service.recent.look(service.batcher.depth if service.lifecycle.has_network else 0)


def make_server(service: Service, tls: RenewedContext | None = None) -> BoundedServer:
    """Make the server, with every limit set. With `tls` it speaks nothing else, and takes each later context of it."""
    settings = service.settings
    server = BoundedServer(
        make_app(service),
        crowd=service.crowd,
        fields={CLOUD_HEADER: service.cloud},
        each_second=partial(each_second, service),
        ssl_options=tls.context if tls else None,
        max_header_size=MAX_REQUEST_HEADER_BYTES,
        max_body_size=_MAX_UNREAD_BODY_BYTES,
        idle_connection_timeout=settings.idle_timeout_s,
        body_timeout=settings.request_timeout_s,
    )
    server.handshakes = Handshakes(service.metrics.handshakes)
    if tls:
        tls.on_change(server.renew)
    return server
