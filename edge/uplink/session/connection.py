"""One WebSocket to a cloud: opened by the HTTP client's own rules, with small buffers, and with every byte counted."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Self

import aiohttp

from edge.uplink.connections import ExcessError, make_session, refusal_of_proxy, set_tcp_option, tls_problem
from shared.security.escape import shown
from shared.wire.cloud_id import CLOUD_HEADER, cloud_id_in
from shared.wire.session.edge import MAX_CLOUD_BYTES
from shared.wire.session.messages import SUBPROTOCOL

if TYPE_CHECKING:
    from edge.uplink.client import CloudClient

_PATH = "/session"
_UNSENT_BYTES = 4096
"""So much may wait in the system's buffer beside what is on its way, and hardly anything in this process: it cannot be withdrawn."""
_HEARTBEAT_S = 20.0
_CLOSE_S = 0.5
_CONTROL = (aiohttp.WSMsgType.PING, aiohttp.WSMsgType.PONG)
_CONTROLS = 32
_MASK_BYTES = 4
_REASONS = {401: "unauthorized", 407: "unauthorized", 408: "late", 429: "busy", 503: "busy", 504: "late"}


class BrokenOffError(Exception):
    """The connection is of no more use."""


class NoUpgradeError(Exception):
    """There is no connection for a session; `reason` is one of edge/uplink/session/metrics.py's FALLBACKS."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class _Socket(aiohttp.ClientWebSocketResponse):
    """One that says what it writes to: aiohttp has no other way to small buffers."""

    def __init__(self, reader: Any, writer: Any, *given: Any, **options: Any) -> None:
        super().__init__(reader, writer, *given, **options)
        self.transport, self.handler = writer.transport, writer.protocol


class Connection:
    """Opened by `open`. Used from the event loop only."""

    def __init__(self, http: aiohttp.ClientSession, ws: _Socket) -> None:
        self._http = http
        self._ws = ws
        self.sent_bytes = 0
        """With framing, since the upgrade."""
        self._pings = self._controls = 0
        self._controls_until = 0.0
        self._came_before = ws.handler.came
        _keep_small(ws.transport)

    @classmethod
    async def open(cls, client: CloudClient, patience_s: float) -> Self:
        """Connect as `client` does. Raises NoUpgradeError if that does not come to a session within so long."""
        http = make_session(
            connector={"limit": 1, "force_close": True, "ttl_dns_cache": 1, "wire": client.wire},
            bearer=client.bearer,
            proxy=client.proxy,
            guard=_no_redirect,
            ws_response_class=_Socket,
        )
        options: dict[str, Any] = {"ssl": client.tls.context} if client.tls else {}
        try:
            async with asyncio.timeout(patience_s):
                ws: Any = await http.ws_connect(
                    client.url + _PATH, protocols=(SUBPROTOCOL,), max_msg_size=MAX_CLOUD_BYTES,
                    autoping=False, heartbeat=_HEARTBEAT_S, timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_S), **options,
                )  # fmt: skip
        except BaseException as error:
            await http.close()
            if isinstance(error, TimeoutError):
                raise NoUpgradeError("late", f"no upgrade within {patience_s:.3g} s") from None
            if isinstance(error, aiohttp.ClientError | aiohttp.EofStream | OSError | ValueError):
                raise _no_upgrade(error) from None
            raise
        connection = cls(http, ws)
        if ws.protocol != SUBPROTOCOL:
            await connection.close()
            raise NoUpgradeError("protocol", f"the upgrade is not to {SUBPROTOCOL}")
        return connection

    @property
    def received_bytes(self) -> int:
        """With framing, since the upgrade."""
        return int(self._ws.handler.came - self._came_before)

    async def send(self, message: bytes) -> int:
        """Send one message; its bytes with the framing. Raises BrokenOffError."""
        try:
            await self._ws.send_bytes(message)
        except (aiohttp.ClientError, OSError, RuntimeError) as error:
            raise BrokenOffError(str(error) or type(error).__name__) from None
        size = framed(len(message))
        self.sent_bytes += size
        return size

    async def ping(self) -> int:
        """Ask for a sign that all that was sent before has come; its number, which `receive` gives back."""
        self._pings = (self._pings + 1) % (1 << 16)
        with contextlib.suppress(aiohttp.ClientError, OSError):  # whoever reads finds out
            await self._ws.ping(self._pings.to_bytes(2, "big"))
        self.sent_bytes += framed(2)
        return self._pings

    async def drained(self) -> None:
        """Wait until little of what was sent is still here. Raises BrokenOffError."""
        try:
            await self._ws.handler.drained()
        except (ConnectionError, aiohttp.ClientError) as error:
            raise BrokenOffError(str(error) or type(error).__name__) from None

    async def receive(self) -> bytes | int:
        """The next message, or the number of a ping that was answered. Raises BrokenOffError."""
        while True:
            try:
                found = await self._ws.receive()
            except (aiohttp.ClientError, OSError, RuntimeError) as error:
                raise BrokenOffError(str(error) or type(error).__name__) from None
            if found.type is aiohttp.WSMsgType.BINARY:
                message: bytes = found.data
                return message
            if found.type in _CONTROL and not self._may_control():
                raise BrokenOffError("more pings and pongs than anybody needs")
            if found.type is aiohttp.WSMsgType.PONG:
                if len(found.data) == 2:
                    return int.from_bytes(found.data, "big")
            elif found.type is aiohttp.WSMsgType.PING:
                with contextlib.suppress(aiohttp.ClientError, OSError):
                    await self._ws.pong(found.data)
                self.sent_bytes += framed(len(found.data))
            elif found.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED):
                raise BrokenOffError(f"closed ({self._ws.close_code})")
            else:
                raise BrokenOffError(str(self._ws.exception() or "what came is no message of a session"))

    def _may_control(self) -> bool:
        """Each costs more than it brings: so many in a second."""
        now = asyncio.get_running_loop().time()
        if now >= self._controls_until:
            self._controls, self._controls_until = 0, now + 1.0
        self._controls += 1
        return self._controls <= _CONTROLS

    async def close(self) -> None:
        """Close it in good order, though without waiting for long."""
        with contextlib.suppress(Exception):
            await self._ws.close()
        await self._http.close()

    def break_off(self) -> None:
        """End it at once: whoever sends or receives gets BrokenOffError."""
        self._ws.transport.abort()

    async def abort(self) -> None:
        """The same, and nothing is left of it."""
        self.break_off()
        await self.close()


def framed(size: int) -> int:
    """Bytes of a message of `size` bytes from a client, with its framing (RFC 6455)."""
    return size + _MASK_BYTES + (2 if size < 126 else 4 if size < 1 << 16 else 10)


def _keep_small(transport: Any) -> None:
    """What waits in buffers is late for no use: it can be neither withdrawn nor overtaken."""
    # At 0 asyncio's TLS waits for ever: it counts an empty buffer as full.
    transport.set_write_buffer_limits(high=1)
    set_tcp_option(transport, "TCP_NOTSENT_LOWAT", _UNSENT_BYTES)


async def _no_redirect(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """An upgrade cannot be asked to follow none, and would show the token to whoever it is led to. Raises WSServerHandshakeError."""
    response = await handler(request)
    if 300 <= response.status < 400:
        response.close()
        raise aiohttp.WSServerHandshakeError(
            response.request_info, response.history, status=response.status, headers=response.headers
        )
    return response


def _no_upgrade(error: Exception) -> NoUpgradeError:
    if problem := tls_problem(error):
        return NoUpgradeError("untrusted", problem)
    if isinstance(error, aiohttp.WSServerHandshakeError):
        cloud = cloud_id_in(error.headers.get(CLOUD_HEADER)) if error.headers else None
        who = "the cloud" if cloud else "what answered in its place"
        reason = _REASONS.get(error.status, "refused")
        if error.status == 403 and cloud:
            reason = "unauthorized"
        return NoUpgradeError(reason, f"{who} answered the upgrade with {error.status}")
    if isinstance(error, aiohttp.ClientHttpProxyError):
        refusal = refusal_of_proxy(error)
        return NoUpgradeError(refusal.reason, str(refusal))
    text = shown(error) or type(error).__name__
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ClientProxyConnectionError):
        return NoUpgradeError("unreachable", text)
    if isinstance(error, ExcessError | aiohttp.ClientResponseError | ValueError):
        return NoUpgradeError("refused", text)
    return NoUpgradeError("closed", text)
