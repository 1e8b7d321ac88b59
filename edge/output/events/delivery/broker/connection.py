"""One connection to an MQTT broker: paho's client on asyncio's event loop. Only its opening blocks, on a thread of its own.

A broker is trusted with no more than its answers: it cannot fill this process's memory, or keep it busy.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTErrorCode

from edge.output.events.delivery.account import DeliveryError
from edge.output.events.delivery.broker.client import CONNECT_S, Client
from edge.output.events.delivery.broker.own_thread import on_own_thread
from shared.security.escape import shown
from shared.security.tls.refusal import Words, problem_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from paho.mqtt.reasoncodes import ReasonCode

    from edge.output.events.delivery.broker.client import Login

WORDS = Words("the broker", "--events", "--events-ca", "--events-certificate", "CA for clients")
IN_FLIGHT = 20
"""Messages that are sent and not acknowledged; a broker of MQTT 5 may want fewer."""
_KEEP_ALIVE_S = 30
_LOOK_S = 1.0
_A_TURN = 64
"""Packets that are read before the event loop goes on with something else."""
_UNAUTHORIZED = {134, 135}
_OTHER_CLIENT = 142


class Connection:
    """Open from `open` until `close`, or until it is `lost`. Used from the event loop only."""

    def __init__(self, client: Client, acknowledged: Callable[[int, ReasonCode], object]) -> None:
        self._client = client
        self._loop = asyncio.get_running_loop()
        self._acknowledged = acknowledged
        self._accepted: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[DeliveryError] = self._loop.create_future()
        self.max_bytes: int | None = None
        """Bytes of a packet, if the broker has a limit."""
        self._beside: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, login: Login, acknowledged: Callable[[int, ReasonCode], object]) -> Self:
        """Connect. `acknowledged` is told the number of each message that `publish` returned, and the broker's reason.

        Raises DeliveryError.
        """
        client = Client(login)
        try:
            await on_own_thread(lambda: client.connect(login.host, login.port, _KEEP_ALIVE_S))
        except OSError as error:
            if problem := problem_of(error, words=WORDS):
                raise DeliveryError("untrusted", problem) from None
            if isinstance(error, TimeoutError):
                raise DeliveryError("timeout", f"no answer within {CONNECT_S:g} s") from None
            raise DeliveryError("unreachable", shown(error.strerror or error)) from None
        except ValueError as error:
            raise DeliveryError("unreachable", shown(error)) from None
        made = cls(client, acknowledged)
        try:
            await made._begin()
        except BaseException:
            made.drop(DeliveryError("unreachable", "it was given up"))
            raise
        return made

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int:
        """Send a message at least once, after all before it; its number, by which it will be acknowledged."""
        info = self._client.publish(topic, payload, qos=1, retain=retain)
        if info.rc not in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_NO_CONN):
            self.drop(DeliveryError("unreachable", shown(paho.error_string(info.rc))))
        return info.mid

    async def lost(self) -> DeliveryError:
        """Why the connection has ended, as soon as it has."""
        return await asyncio.shield(self._ended)

    def drop(self, error: DeliveryError) -> None:
        """End it, for this reason, without a word: the broker sends the will. Also from inside `acknowledged`."""
        self._end(error)
        if self._beside:
            self._beside.cancel()
        self._loop.call_soon(self._client.leave)  # paho holds a lock while it calls

    async def close(self) -> None:
        """End it without taking leave, so that the broker sends the will. What is not acknowledged yet may be lost."""
        self.drop(DeliveryError("unreachable", "it was closed"))
        await asyncio.sleep(0)

    async def _begin(self) -> None:
        client, loop = self._client, self._loop
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_socket_close = self._on_socket_close
        client.on_socket_register_write = self._on_want_write
        client.on_socket_unregister_write = self._on_written
        sock = client.socket()
        if sock is None:
            raise DeliveryError("unreachable", "the connection broke")
        loop.add_reader(sock, self._read)
        if client.want_write():
            loop.add_writer(sock, self._write)
        self._beside = asyncio.create_task(self._tend())
        try:
            async with asyncio.timeout(CONNECT_S):
                either: list[asyncio.Future[Any]] = [self._accepted, self._ended]
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            raise DeliveryError("timeout", f"no answer within {CONNECT_S:g} s") from None
        if self._ended.done():
            raise self._ended.result()

    def _read(self) -> None:
        for _ in range(_A_TURN):
            self._turn(self._client.loop_read)
            sock: Any = self._client.socket()
            if sock is None or not getattr(sock, "pending", int)():  # what TLS has decrypted wakes nobody
                return
        self._loop.call_soon(self._read)

    def _write(self) -> None:
        self._turn(self._client.loop_write)

    async def _tend(self) -> None:
        while not self._ended.done():
            await asyncio.sleep(_LOOK_S)
            self._turn(self._client.loop_misc)

    def _turn(self, step: Callable[[], object]) -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - of what a broker can send, paho does not foresee everything
            self.drop(DeliveryError("failed", f"it does not speak MQTT: {shown(repr(error))}"))

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, reason: ReasonCode, properties: Any) -> None:
        if reason.is_failure:
            kind = "unauthorized" if reason.value in _UNAUTHORIZED else "failed"
            self._end(DeliveryError(kind, f"it does not let this edge in: {shown(reason)}"))
        elif getattr(properties, "MaximumQoS", 1) == 0:
            self._end(DeliveryError("failed", "it confirms no messages (its maximum QoS is 0)"))
        else:
            self._client.bound(max(1, getattr(properties, "ReceiveMaximum", IN_FLIGHT)))
            self.max_bytes = getattr(properties, "MaximumPacketSize", None)
            if not self._accepted.done():
                self._accepted.set_result(None)

    def _on_disconnect(
        self, _client: Any, _data: Any, flags: Any, reason: ReasonCode, _properties: Any
    ) -> None:
        text = "the connection broke"
        if flags.is_disconnect_packet_from_server:
            text = f"it ended the connection: {shown(reason)}"
        if reason.value == _OTHER_CLIENT:
            text += "; another client has this edge's id: give each edge a prefix of its own in --events"
        self._end(DeliveryError("unreachable", text))

    def _on_publish(
        self, _client: Any, _data: Any, number: int, reason: ReasonCode, _properties: Any
    ) -> None:
        self._acknowledged(number, reason)

    def _on_want_write(self, _client: Any, _data: Any, sock: Any) -> None:
        self._loop.add_writer(sock, self._write)

    def _on_written(self, _client: Any, _data: Any, sock: Any) -> None:
        self._loop.remove_writer(sock)

    def _on_socket_close(self, _client: Any, _data: Any, sock: Any) -> None:
        self._loop.remove_reader(sock)
        self._loop.remove_writer(sock)

    def _end(self, error: DeliveryError) -> None:
        if not self._ended.done():
            self._ended.set_result(error)
