"""Tornado's HTTP server with bounded connections, and a listening socket that survives the end of the file descriptors."""

from __future__ import annotations

import asyncio
import resource
import ssl
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.netutil import ssl_wrap_socket

from shared.wire.server.attention import Attention
from shared.wire.server.rate import Rate
from shared.wire.server.streams import WatchedStream, WatchedTlsStream

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Mapping

    from shared.security.tls.handshakes import Handshakes
    from shared.wire.server.crowd import Crowd

_AT_ONCE = 4
"""Connections that are accepted in one turn of the loop. Each takes 0.1 ms."""
_BACKLOG = 128
"""Connections that may wait in the system's queue, at most."""
_PAUSE_S = 1.0
"""How long none is accepted when the system has no descriptor for another."""
_ACCEPTING_SHARE, _ACCEPTING_AT_ONCE_S = 0.15, 0.005
"""How much of the loop's time accepting may take: in the long run, and seconds at once, which is about thirty connections. The others
wait in the system's queue."""
_SWEEP_S = 1.0
_ON_THEIR_WAY_S = 0.1
"""How long requests may take that clients had sent before they knew of the server's end."""
_LOOK_S = 0.02
_OWN_FILES = 96
"""Descriptors that are left for what is no connection: files, pipes of another process, the listening sockets."""
_LEAST_CONNECTIONS = 8


def connections_allowed(wanted: int) -> int:
    """As many connections as are `wanted`, as far as the system's limit of descriptors leaves room for other files."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (
        wanted if soft == resource.RLIM_INFINITY else max(_LEAST_CONNECTIONS, min(wanted, soft - _OWN_FILES))
    )


class BoundedServer(HTTPServer):
    """At most so many connections in all and from one owner; a client that does not read its answer is cut off.

    An owner is an address, until a request says whose the connection is.
    """

    handshakes: Handshakes | None = None
    """Told of each connection with TLS."""

    def initialize(  # type: ignore[override]
        self,
        app: Any,
        *,
        crowd: Crowd,
        each_second: Callable[[], object] = lambda: None,
        fields: Mapping[str, str] | None = None,
        **tornado: Any,
    ) -> None:
        """`crowd` holds the limits; `each_second` is called while the server runs; the rest are Tornado's arguments.

        `fields` are header fields of the answers that no handler gives, as to what is no HTTP.
        """
        super().initialize(app, **tornado)
        self.crowd = crowd
        self.attention = Attention()
        self._each_second = each_second
        self._fields = "".join(f"{name}: {value}\r\n" for name, value in (fields or {}).items()).encode()
        self._sweeping: object | None = None
        self._upgraded: set[WatchedStream | WatchedTlsStream] = set()

    def renew(self, context: ssl.SSLContext) -> None:
        """Use another context from the next connection on; those that are open keep theirs. From any thread."""
        self.ssl_options = context

    def add_sockets(self, sockets: Iterable[socket.socket]) -> None:
        """Accept connections on these sockets from now on."""
        for each in sockets:
            self._sockets[each.fileno()] = each
            self._handlers[each.fileno()] = self._listen(each)
        self._sweep()

    async def let_go(self, limit_s: float) -> None:
        """Accept no more connections, and wait until what was answered is taken: closing a connection cuts off what is left of its answer.

        Requests that are on their way meanwhile are handled. Takes at most `limit_s` seconds.
        """
        self.stop()
        until_s = time.monotonic() + limit_s
        pause_s = _ON_THEIR_WAY_S
        while (left_s := until_s - time.monotonic()) > 0:
            await asyncio.sleep(min(pause_s, left_s))
            if not self.crowd.is_writing():
                return
            pause_s = _LOOK_S

    async def close_all_connections(self) -> None:
        """Close all connections, at once."""
        if self._sweeping is not None:
            IOLoop.current().remove_timeout(self._sweeping)
            self._sweeping = None
        for stream in list(self._upgraded):
            stream.close()
        await super().close_all_connections()

    def _listen(self, listening: socket.socket) -> Callable[[], None]:
        """Watch a listening socket; the result stops that."""
        loop, stopped, paused = IOLoop.current(), False, False
        seconds = Rate(_ACCEPTING_AT_ONCE_S, _ACCEPTING_SHARE)

        def accept(*_event: object) -> None:
            start = time.perf_counter()
            accept_some(_AT_ONCE)
            # Whoever is turned away and comes again at once would keep the loop from all others.
            if not paused and (pause_s := seconds.queue(time.perf_counter() - start)):
                pause(pause_s)

        def accept_some(most: int) -> None:
            for _ in range(most):
                if stopped:
                    return
                try:
                    connection, address = listening.accept()
                except (BlockingIOError, InterruptedError):
                    return
                except ConnectionAbortedError:
                    continue
                except OSError as error:  # no descriptors, or no memory
                    pause(_PAUSE_S)
                    self.crowd.note_pause(error)
                    return
                self._welcome(connection, address)

        def pause(seconds: float) -> None:
            nonlocal paused
            if not stopped:
                paused = True
                loop.remove_handler(listening)
                loop.call_later(seconds, resume)

        def resume() -> None:
            nonlocal paused
            if paused and not stopped:
                paused = False
                loop.add_handler(listening, accept, IOLoop.READ)

        def stop() -> None:
            nonlocal stopped
            accept_some(_BACKLOG)  # closing the socket would reset them, and lose their requests
            stopped = True
            if not paused:
                loop.remove_handler(listening)

        loop.add_handler(listening, accept, IOLoop.READ)
        return stop

    def _welcome(self, connection: socket.socket, address: Any) -> None:
        """Serve a new connection, or close it if there are too many."""
        peer = str(address[0]) if address else ""
        if not self.crowd.make_room(peer):
            connection.close()
            return
        stream: WatchedStream | WatchedTlsStream
        try:
            if self.ssl_options is None:
                stream = WatchedStream(
                    connection, max_buffer_size=self.max_buffer_size, read_chunk_size=self.read_chunk_size
                )
            else:
                connection = ssl_wrap_socket(
                    connection, self.ssl_options, server_side=True, do_handshake_on_connect=False
                )
                stream = WatchedTlsStream(
                    connection, max_buffer_size=self.max_buffer_size, read_chunk_size=self.read_chunk_size
                )
                if self.handshakes:
                    self.handshakes.begun(stream, address)
        except (ssl.SSLError, OSError):  # it has gone already
            connection.close()
            return
        stream.idle_since_s = time.monotonic()  # it may have to give way before it is first read
        stream.header_refused, stream.fields = self.crowd.header_refused, self._fields
        stream.attention = self.attention
        self.crowd.add(stream, peer)
        self.handle_stream(stream, address)

    def on_close(self, server_conn: Any) -> None:
        """Tornado has ended with a connection, or a request has taken it over: then it counts until it is closed."""
        super().on_close(server_conn)
        stream = server_conn.stream
        if stream.upgraded and not stream.closed():
            self._upgraded.add(stream)
            stream.set_close_callback(partial(self._end_of, stream))
        else:
            self.crowd.remove(stream)

    def _end_of(self, stream: WatchedStream | WatchedTlsStream) -> None:
        self._upgraded.discard(stream)
        self.crowd.remove(stream)

    def _sweep(self) -> None:
        self.crowd.sweep()
        self._each_second()
        self._sweeping = IOLoop.current().call_later(_SWEEP_S, self._sweep)
