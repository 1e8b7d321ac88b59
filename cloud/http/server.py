"""Tornado's server, with what it does not bring: handshakes that end, and are counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tornado.httpserver import HTTPServer
from tornado.iostream import SSLIOStream

if TYPE_CHECKING:
    from tornado.iostream import IOStream

    from shared.security.handshakes import Handshakes


class Server(HTTPServer):
    """Takes connections, with TLS if it is given a context as `ssl_options`. That may be replaced for later connections."""

    def initialize(self, *arguments: Any, handshakes: Handshakes, **named: Any) -> None:
        self._handshakes = handshakes
        super().initialize(*arguments, **named)

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        if isinstance(stream, SSLIOStream):
            self._handshakes.begun(stream, address)
        super().handle_stream(stream, address)

    def renew(self, context: Any) -> None:
        """Use another context from the next connection on; those that are open keep theirs. From any thread."""
        self.ssl_options = context
