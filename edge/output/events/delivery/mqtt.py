"""Events to an MQTT broker, each at least once: PREFIX/CAMERA/KIND, and PREFIX/KIND where no camera is meant.

Every connection is a new one of a new session: what the broker has not acknowledged on the last one is sent again, in order, and before
everything else. `PREFIX/status` says `online` while there is one, and `offline` otherwise; the broker keeps that for those who come later.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import socket
import time
from typing import TYPE_CHECKING, Protocol

from paho.mqtt.enums import MQTTProtocolVersion

from edge.output.events.delivery.account import DeliveryError
from edge.output.events.delivery.backoff import Backoff
from edge.output.events.delivery.broker.caution import Caution
from edge.output.events.delivery.broker.client import Login, Will
from edge.output.events.delivery.broker.connection import IN_FLIGHT, Connection
from shared.security.escape import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from paho.mqtt.reasoncodes import ReasonCode

    from edge.output.events.delivery.account import Account
    from edge.output.events.delivery.secret_file import SecretFile
    from edge.output.events.delivery.targets import Broker
    from edge.output.events.event import Event
    from edge.output.events.spool import Entry, Reader
    from shared.security.tls.renewal import RenewedContext

_log = logging.getLogger(__name__)

ONLINE, OFFLINE = b"online", b"offline"
STATUS = "status"
VERSIONS = {"5": MQTTProtocolVersion.MQTTv5, "3.1.1": MQTTProtocolVersion.MQTTv311}
_ACKNOWLEDGE_S = 20.0
"""Without any acknowledgement while some are due, the connection is taken for broken."""
_LOOK_S = 1.0
_STABLE_S = 5.0
"""A connection that lasted so long was a good one, even if nothing was to be sent."""
_PASSING = {0x80, 0x83, 0x93, 0x97}
"""Reasons of an acknowledgement that may pass: unspecified, the broker's own, too many in flight, a quota."""
_PACKET_EXTRA_BYTES = 16
"""Beside topic and payload."""


class Discovery(Protocol):
    """Messages beside the events, which the broker keeps: topic and payload of each."""

    def present(self) -> Iterable[tuple[str, bytes]]:
        """What a broker has to be told on each connection."""

    def after(self, event: Event) -> Iterable[tuple[str, bytes]]:
        """What follows an event, which may come more than once."""


class MqttDelivery:
    """To one broker, from `run` until that is cancelled. Used from the event loop only."""

    def __init__(
        self,
        broker: Broker,
        reader: Reader,
        account: Account,
        *,
        version: str = "5",
        password: SecretFile[bytes] | None = None,
        tls: RenewedContext | None = None,
        discovery: Discovery | None = None,
        backoff: Backoff | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`version`: a key of VERSIONS. `tls`: what the broker is checked with."""
        self._broker, self._reader, self._account = broker, reader, account
        self._version = VERSIONS[version]
        self._password, self._tls, self._discovery = password, tls, discovery
        self._backoff = backoff or Backoff()
        self._clock = clock
        self._due: dict[int, Entry | None] = {}
        """What is sent and not acknowledged, by its number; None for what is no event."""
        self._acknowledged_at = 0.0
        self._room = asyncio.Semaphore(0)
        self._caution, self._alone = Caution(clock), False
        self._quiet = asyncio.Event()
        """Nothing is due."""
        self._connection: Connection | None = None
        self._said_large = False

    async def run(self) -> None:
        """Deliver for ever. When it is cancelled, the broker says `offline` for this edge."""
        while True:
            try:
                error = await self._deliver()
            except DeliveryError as failure:
                error = failure
            self._account.failed(error)
            await asyncio.sleep(self._backoff.next_s())

    async def _deliver(self) -> DeliveryError:
        """Over one connection, until it ends: why it did. Raises DeliveryError if there is none."""
        self._due.clear()
        self._alone = self._caution.alone
        self._room = asyncio.Semaphore(1 if self._alone else IN_FLIGHT)
        self._reader.again()
        self._connection = connection = await Connection.open(await self._login(), self._acknowledged)
        begun = self._acknowledged_at = self._clock()
        sending = asyncio.create_task(self._send(connection))
        watching = asyncio.create_task(self._watch(connection))
        ending = asyncio.create_task(connection.lost())
        try:
            await asyncio.wait({sending, watching, ending}, return_when=asyncio.FIRST_COMPLETED)
            if not ending.done():
                await asyncio.gather(
                    sending, watching
                )  # neither ends by itself: what one of them raises is a mistake
            if self._clock() - begun >= _STABLE_S:
                self._backoff.reset()
            error = await ending
            self._suspect(error)
            return error
        finally:
            for task in (sending, watching, ending):
                task.cancel()
            await asyncio.gather(sending, watching, ending, return_exceptions=True)
            self._due.clear()
            await connection.close()
            self._connection = None

    async def _send(self, connection: Connection) -> None:
        self._publish(connection, self._topic(STATUS), ONLINE, None, retain=True)
        for topic, payload in self._discovery.present() if self._discovery else ():
            self._publish_beside(connection, topic, payload)
        if self._alone:
            await self._quiet.wait()
        while True:
            await self._room.acquire()
            entry = await self._reader.next()
            event = entry.event
            topic, payload = self._topic(event.camera, event.kind), event.json()
            if problem := _too_large(connection, topic, payload):
                self._lose(entry, problem)
                self._room.release()
                continue
            self._publish(connection, topic, payload, entry)
            for extra, content in self._discovery.after(event) if self._discovery else ():
                self._publish_beside(connection, extra, content)

    def _publish_beside(self, connection: Connection, topic: str, payload: bytes) -> None:
        """What is no event. A broker ends the connection at a message that is too large for it."""
        if not (problem := _too_large(connection, topic, payload)):
            self._publish(connection, topic, payload, None, retain=True)
        elif not self._said_large:
            self._said_large = True
            _log.warning("events to %s: %s is left out: %s", self._broker.name, topic, problem)

    def _publish(
        self, connection: Connection, topic: str, payload: bytes, entry: Entry | None, *, retain: bool = False
    ) -> None:
        if not self._due:
            self._acknowledged_at = self._clock()
            self._quiet.clear()
        self._due[connection.publish(topic, payload, retain=retain)] = entry

    def _acknowledged(self, number: int, reason: ReasonCode) -> None:
        self._acknowledged_at = self._clock()
        if number not in self._due:
            return
        if reason.is_failure and reason.value in _PASSING:
            if self._connection:
                self._connection.drop(DeliveryError("failed", f"it cannot take events: {shown(reason)}"))
            return
        self._account.works()
        entry = self._due.pop(number)
        if not self._due:
            self._quiet.set()
        if entry is None:
            return
        self._make_room()
        self._caution.answered(entry.position)
        if reason.is_failure:
            self._lose(entry, shown(reason))
        else:
            self._reader.done(entry.position)
            self._backoff.reset()

    def _make_room(self) -> None:
        for _ in range(IN_FLIGHT if self._alone else 1):
            self._room.release()
        self._alone = False

    def _suspect(self, error: DeliveryError) -> None:
        """The connection has ended: leave out the event that this happens at again and again."""
        entries = [entry for entry in self._due.values() if entry]
        oldest = min(entries, key=lambda entry: entry.position, default=None)
        if oldest and self._caution.ended(oldest.position):
            self._lose(oldest, f"every connection ends at it; at last: {error}")

    def _lose(self, entry: Entry, why: str) -> None:
        event = entry.event
        self._account.lost(DeliveryError("refused", f"{event.kind} of {event.camera or 'the edge'}: {why}"))
        self._reader.give_up(entry.position)

    async def _watch(self, connection: Connection) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            if self._due and self._clock() - self._acknowledged_at > _ACKNOWLEDGE_S:
                connection.drop(DeliveryError("timeout", f"nothing acknowledged for {_ACKNOWLEDGE_S:g} s"))

    def _topic(self, *words: str | None) -> str:
        return "/".join([self._broker.prefix, *(word for word in words if word)])

    async def _login(self) -> Login:
        broker = self._broker
        # Always the same: whatever is left of a connection before this one ends, its will with it, before this one begins.
        mark = hashlib.sha256(f"{socket.gethostname()}/{broker.prefix}".encode(errors="replace")).hexdigest()
        return Login(
            broker.host,
            broker.port,
            f"splitdnn-{mark[:12]}",
            self._version,
            self._tls.context if self._tls else None,
            Will(self._topic(STATUS), OFFLINE),
            broker.user,
            await self._password.latest() if self._password and broker.user is not None else None,
        )


def _too_large(connection: Connection, topic: str, payload: bytes) -> str:
    """What is to be said of a message that the broker does not take for its size; empty of others."""
    size = len(topic.encode()) + len(payload) + _PACKET_EXTRA_BYTES
    if connection.max_bytes is None or size <= connection.max_bytes:
        return ""
    return f"{size} bytes are more than the {connection.max_bytes} that it takes"
