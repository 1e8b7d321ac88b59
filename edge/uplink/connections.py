"""Connections to a cloud that is not trusted with more of them than its answers: their bytes, the memory they take, their end."""

from __future__ import annotations

import contextlib
import socket
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

import aiohttp
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from edge.uplink.asking.counted import Counted
from shared.errors import UplinkError
from shared.limits import MAX_ANSWER_OVERHEAD_BYTES, MAX_INTERIM_ANSWERS, MAX_REPLY_BYTES
from shared.security.escape import shown
from shared.security.tls.refusal import CLOUD, Words, problem_of

if TYPE_CHECKING:
    import asyncio

    from edge.uplink.asking.counted import Count
    from shared.security.tokens.bearer import Bearer

_FINAL = 200
"""From this status on it is the answer; those below (RFC 9110, 15.2) come before it."""
_TAKEN_S = 30.0
"""A peer, or a link, that takes nothing for so long has gone: else what is sent to it would be under way for as long as its whole time allows,
minutes for a profile. A link that is cut for less costs no connection.
"""
_PIECE = 1 << 16
"""Bytes that are looked at together."""


PROXY_LOGIN = "the proxy asks for another user and password; give them in --proxy"


def set_tcp_option(transport: asyncio.BaseTransport, name: str, value: int) -> None:
    """Set it where the system has it. `name` is one of the module `socket`."""
    sock, option = transport.get_extra_info("socket"), getattr(socket, name, None)
    if sock is not None and option is not None:
        with contextlib.suppress(OSError):  # a system that knows the name and not the option
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


class ExcessError(aiohttp.ClientPayloadError):
    """More came than an answer can have."""


class _Connection(ResponseHandler):
    """One that ends as soon as more comes than was asked for, and at once if what it has to send is not taken.

    aiohttp reads on whether somebody waits or not: answers that nobody asked for would be kept, and would be taken for those to later
    requests. And it closes a connection only once the peer has taken everything, which a peer can put off for ever: the frame and
    the descriptor stay.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, wire: Count | None = None) -> None:
        """`wire` counts its bytes."""
        super().__init__(loop=loop)
        self._wire = wire
        self.came = 0
        """Bytes of all answers, and of what came after an upgrade."""
        self._came = self._interim = self._answers = 0
        self._excess: ExcessError | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        super().connection_made(transport)
        set_tcp_option(transport, "TCP_USER_TIMEOUT", round(1e3 * _TAKEN_S))
        if self._wire:
            self.transport = cast("asyncio.Transport", Counted(transport, self._wire))

    def set_response_params(self, **how: Any) -> None:
        """A request is about to be sent."""
        self._came = self._interim = self._answers = 0
        super().set_response_params(**how)

    def data_received(self, data: bytes) -> None:
        """Bytes, as they come; none if those before can be read on."""
        if self._wire:
            self._wire.down(len(data))
        for start in range(0, max(1, len(data)), _PIECE):
            piece = data[start : start + _PIECE]
            self._came += len(piece)
            self.came += len(piece)
            super().data_received(piece)
            if not self.is_connected():
                return
            if self._payload_parser is not None:  # upgraded: whoever reads the messages counts them
                continue
            # What comes in small pieces, or with header fields without end, costs more than it brings.
            brought = 0 if self._payload is None else self._payload.total_bytes
            if self._came > MAX_ANSWER_OVERHEAD_BYTES + 2 * brought:
                self._end(f"{self._came} bytes came for {brought} of an answer")
                return

    def feed_data(self, data: Any, size: int = 0) -> None:
        """An answer has begun: a status and its header fields."""
        message, _ = data
        final = message.code >= _FINAL
        self._answers += final
        self._interim += not final
        if self._answers > 1:
            self._stop()  # whoever reads the first one can go on
        elif self._interim > MAX_INTERIM_ANSWERS:
            self._end(f"more than {MAX_INTERIM_ANSWERS} answers came before the answer")
        else:
            super().feed_data(data, size)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The end of it, whoever wanted that."""
        super().connection_lost(exc or self._excess)

    async def drained(self) -> None:
        """Wait until the peer takes more. Raises ConnectionResetError once it is closed."""
        await self._drain_helper()

    def close(self) -> None:
        """Close it, without waiting for the peer to take what is still to be sent."""
        transport: Any = self.transport
        if transport is not None and transport.get_write_buffer_size():
            self.abort()
        else:
            super().close()

    def _end(self, text: str) -> None:
        self._excess, payload = self._excess or ExcessError(text), self._payload
        self._stop()
        if payload is not None:
            payload.set_exception(self._excess)
        self.set_exception(self._excess)

    def _stop(self) -> None:
        transport: Any = self.transport
        if transport is not None:
            transport.abort()


async def read_body(response: aiohttp.ClientResponse) -> bytes:
    """The body, bounded, so that no answer can fill this process's memory. Raises UplinkError."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_REPLY_BYTES:
            raise UplinkError("refused", f"the answer is longer than {MAX_REPLY_BYTES} bytes")
    return bytes(body)


def beside_bodies(response: aiohttp.ClientResponse) -> int:
    """Bytes of a request and its answer, by HTTP/1.1, that are neither's body."""
    asked = response.request_info
    said = [(key.encode(), value.encode()) for key, value in asked.headers.items()]
    fields = sum(len(key) + len(value) + 4 for key, value in [*said, *response.raw_headers])
    return len(asked.method) + len(asked.url.raw_path_qs) + len(response.reason or "") + fields + 29


def tls_problem(error: BaseException, words: Words = CLOUD) -> str | None:
    """What was wrong with certificates, if that ended a request; None for anything else, as for bytes that were damaged later."""
    return problem_of(error, established=not isinstance(error, aiohttp.ClientConnectorError), words=words)


class _Connector(aiohttp.TCPConnector):
    def __init__(self, *, wire: Count | None = None, **options: Any) -> None:
        super().__init__(**options)
        # aiohttp offers no other way; a test finds out if this is no longer one.
        factory: Any = partial(_Connection, loop=self._loop, wire=wire)
        self._factory = factory


def make_session(
    *,
    bearer: Bearer | None = None,
    proxy: str | None = None,
    connector: dict[str, Any] | None = None,
    guard: aiohttp.ClientMiddlewareType | None = None,
    **options: Any,
) -> aiohttp.ClientSession:
    """A session that shows nobody anything but the bearer's token, and takes answers as they come.

    `proxy` is a URL as shared/wire/http.py takes it; `connector` and `options` are aiohttp's, and `wire` in the first is told of all bytes. `guard` sees each request
    before anything is shown. To be called where an event loop runs.
    """
    way = URL(proxy) if proxy else None
    return aiohttp.ClientSession(
        connector=_Connector(**(connector or {})),
        middlewares=[*([guard] if guard else []), *([bearer.show] if bearer else []), *_login(way)],
        cookie_jar=aiohttp.DummyCookieJar(),
        proxy=way.with_user(None) if way else None,
        trust_env=False,  # no proxy, and no password of a .netrc
        # A compressed answer would have to be unpacked before its size could be checked against a limit.
        headers={"Accept-Encoding": "identity"},
        auto_decompress=False,
        **options,
    )


def _login(proxy: URL | None) -> list[aiohttp.ClientMiddlewareType]:
    """What shows a proxy the user and password of its URL, in UTF-8 (RFC 7617): aiohttp by itself refuses what is not Latin-1."""
    if proxy is None or proxy.user is None:
        return []
    login = aiohttp.encode_basic_auth(proxy.user, proxy.password or "", "utf-8")

    async def show(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        # By this name aiohttp takes it for the proxy's, and shows it to no https cloud behind that.
        request.update_proxy(request.proxy, None, {"Authorization": login})
        return await handler(request)

    return [show]


def refusal_of_proxy(error: aiohttp.ClientHttpProxyError) -> UplinkError:
    """The proxy did not connect this edge with an https cloud."""
    if error.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return UplinkError("unauthorized", f"407 {PROXY_LOGIN}")
    return UplinkError("unreachable", shown(f"the proxy answers {error.status} {shown(error.message)}"))
