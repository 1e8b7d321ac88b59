"""Tornado's server, with what it does not bring: handshakes that end, and are counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tornado.httpserver import HTTPServer
from tornado.iostream import SSLIOStream

from shared.security.renewal import RenewedContext
from shared.security.tls import TLSFiles, server_context

if TYPE_CHECKING:
    from tornado.iostream import IOStream

    from cloud.config import CloudSettings
    from cloud.metrics import CloudMetrics
    from shared.security.handshakes import Handshakes


def tls_of(settings: CloudSettings, metrics: CloudMetrics) -> RenewedContext | None:
    """The TLS of the settings; None without. Raises SettingsError."""
    if not settings.certificate:
        return None
    flags = ("--certificate", "--key", "--client-ca")
    files = TLSFiles(settings.certificate, settings.key, settings.client_ca, flags)
    return RenewedContext(server_context, files, metrics=metrics, certificate="server")


class Server(HTTPServer):
    """Takes connections, with TLS if it is given a context as `ssl_options`. That may be replaced for later connections."""

    handshakes: Handshakes | None = None

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        if self.handshakes and isinstance(stream, SSLIOStream):
            self.handshakes.begun(stream, address)
        super().handle_stream(stream, address)

    def renew(self, context: Any) -> None:
        """Use another context from the next connection on; those that are open keep theirs. From any thread."""
        self.ssl_options = context
