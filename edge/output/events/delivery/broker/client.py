"""Paho's client with limits on what a broker may send, and a socket that is closed when TLS fails."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes

if TYPE_CHECKING:
    import ssl

CONNECT_S = 10.0
"""For each address of the host, for the handshake of TLS, and for the broker's answer after that."""
_MAX_PACKET_BYTES = 1 << 16
"""Bytes of a packet from the broker. Nothing is subscribed to, so all are short."""
_PACKETS = {PacketTypes.CONNACK, PacketTypes.PUBACK, PacketTypes.PINGRESP, PacketTypes.DISCONNECT}


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker tells the others when this connection breaks; kept by it for those who come later."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Login:
    """Who connects, where, and how; shows nothing secret when it is printed."""

    host: str
    port: int
    client_id: str
    version: MQTTProtocolVersion
    context: ssl.SSLContext | None
    will: Will
    user: str | None = None
    password: bytes | None = None

    def __repr__(self) -> str:
        return f"Login({self.host}:{self.port})"


class Client(paho.Client):
    """Paho's, with what it lacks: limits on the broker, and a socket that is closed when TLS fails."""

    def __init__(self, login: Login) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=login.client_id,
            protocol=login.version,
            reconnect_on_failure=False,  # it would block
        )
        self._login = login
        self.will_set(login.will.topic, login.will.payload, qos=1, retain=True)
        if login.user is not None:
            self.username_pw_set(login.user)
            self._password = login.password  # any bytes; its setter wants text

    def leave(self) -> None:
        """Close the socket, from outside all callbacks."""
        self._reset_sockets()

    def bound(self, most: int) -> None:
        """At most so many messages in flight, on a connection that is open: paho does not know the broker's wish."""
        self._max_inflight_messages = min(most, self._max_inflight_messages)

    def _create_socket(self) -> Any:
        plain = socket.create_connection((self._login.host, self._login.port), timeout=CONNECT_S)
        if self._login.context is None:
            return plain
        wrapped = None
        try:
            wrapped = self._login.context.wrap_socket(
                plain, server_hostname=self._login.host, do_handshake_on_connect=False
            )
            wrapped.settimeout(CONNECT_S)
            wrapped.do_handshake()
        except BaseException:
            (wrapped or plain).close()
            raise
        return wrapped

    def _sock_recv(self, bufsize: int) -> bytes:
        if bufsize > _MAX_PACKET_BYTES:
            raise ConnectionError("a packet that is far too long")
        return super()._sock_recv(bufsize)

    def _packet_handle(self) -> MQTTErrorCode:
        if self._in_packet["command"] >> 4 not in _PACKETS:
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        return super()._packet_handle()
