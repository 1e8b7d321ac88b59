"""`/session` as a WebSocket: one connection of a session."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar, cast

from tornado.iostream import StreamClosedError
from tornado.routing import PathMatches
from tornado.web import HTTPError
from tornado.websocket import WebSocketHandler, _WebSocketParams

from cloud.access.audit import Action
from cloud.access.ledger import Entry
from cloud.frames.sender import told_of
from cloud.frames.sessions.message import Message, most_bytes
from cloud.frames.sessions.passage import PATH
from cloud.frames.sessions.protocol import BoundedProtocol
from cloud.frames.sessions.session import Session
from cloud.http.base import Handler
from cloud.http.query import wanted_in
from shared.errors import ForbiddenError, RequestError, WireError
from shared.limits import MAX_LABELS, MAX_STREAMS
from shared.security.rights import Right, one_of
from shared.wire.server.attention import FRAME
from shared.wire.session.cloud import CloudConnection, FrameError
from shared.wire.session.messages import SUBPROTOCOL, Arrived, Bye, Cancel, Hello

if TYPE_CHECKING:
    from tornado.httputil import HTTPServerRequest

    from cloud.access.budget import Place
    from cloud.service import Service
    from shared.security.rights import Needs
    from shared.wire.server.streams import WatchedStream

PING_S, PONG_S = 30.0, 20.0
"""How often a peer is asked whether it is there, which takes 8 bytes both ways, and how long it may take to say so."""
MAX_UNREAD_BYTES = 4 << 20
"""Answers that wait until the edge reads; above it the connection ends, and the edge may go on over another."""
_MAX_CLOSE_BYTES = 120
"""What a closing frame may say."""


class IsSession(PathMatches):
    """A request for a session. Without `Upgrade`, `/session` is what the page asks who is logged in."""

    def __init__(self) -> None:
        super().__init__(PATH)

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        asks = request.headers.get("Upgrade", "").strip().lower() == "websocket"
        return super().match(request) if asks and request.method == "GET" else None


class SessionSocket(Handler, WebSocketHandler):
    """One connection."""

    needs: ClassVar[Needs] = one_of(Right.FRAMES)
    action = Action.FRAME

    def initialize(self, service: Service) -> None:
        super().initialize(service)
        self.began_s = time.monotonic()
        self.talk: CloudConnection
        """What its messages look like."""
        self._session: Session | None = None
        self._reading: BoundedProtocol  # which it does until the edge has closed, too
        self._entered = False

    def prepare(self) -> None:
        super().prepare()
        headers = self.request.headers
        if not self.service.sessions.are_served:
            raise HTTPError(404, "this cloud takes no sessions: send each frame to /model")
        if "Origin" in headers or "Sec-Fetch-Site" in headers:
            raise ForbiddenError("pages of browsers open no session", accepted="programs")
        if not (self.service.lifecycle.has_network and self.service.sessions.awaits(self.client)):
            self.service.lifecycle.require_ready()
        offered = [each.strip() for each in headers.get("Sec-WebSocket-Protocol", "").split(",")]
        if SUBPROTOCOL not in offered:
            raise HTTPError(400, f"a session speaks {SUBPROTOCOL}, which is not in Sec-WebSocket-Protocol")
        self.account.require_compute()
        self.service.sessions.require_place(self.client)

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return SUBPROTOCOL if SUBPROTOCOL in subprotocols else None

    @property
    def max_message_size(self) -> int:
        return most_bytes(self.service.settings)

    def get_websocket_protocol(self) -> BoundedProtocol | None:
        if self.request.headers.get("Sec-WebSocket-Version") != "13":
            return None
        params = _WebSocketParams(PING_S, PONG_S, self.max_message_size, None)
        protocol = BoundedProtocol(self, mask_outgoing=False, params=params)
        protocol.keeper, protocol.budget = self, self.service.bodies
        self._reading = protocol
        return protocol

    def open(self) -> None:
        protocol = self._protocol
        assert protocol
        self._stream.upgraded = True
        protocol.set_nodelay(True)
        self.talk = CloudConnection(streams=MAX_STREAMS, message_bytes=self.max_message_size)
        self._entered = True
        self.service.sessions.enter(self)

    def on_message(self, message: str | bytes) -> None:
        protocol = self._protocol
        if protocol is None:  # it is closing
            return
        if isinstance(message, str):
            self._break_off(WireError("messages of a session are binary, this one is text"), 1003)
            return
        began_s = protocol.began_s or time.monotonic()
        held = Message(len(message), began_s, self.service.bodies, protocol.take_place())
        try:
            self._take(message, held)
        except RequestError as error:
            self._break_off(error, 1002 if isinstance(error, WireError) else 1008)
        finally:
            if not held.claimed:
                held.release()

    def _take(self, message: bytes, held: Message) -> None:
        """Raises RequestError for what ends the connection."""
        session = self._session
        if session:
            session.heard(time.monotonic())
        try:
            said = self.talk.received(message)
        except FrameError as error:
            if session is None:
                raise
            told = told_of(error)
            Entry(self.service.ledger, self.client).decide("refused", told.reason)
            session.sender.refused(told, error.status, PATH, self.action, size=held.size)
            session.sender.ended("refused", 0, held.size, 0.0)
            self.service.metrics.sessions.frames.labels(outcome="refused").inc()
            self._stream.charge(FRAME)
            session.say(error.number, error)
            return
        if isinstance(said, Hello):
            self._greet(said)
        elif session is None:
            return
        elif isinstance(said, Arrived):
            self._stream.charge(FRAME)
            session.arrived(said, held)
        elif isinstance(said, Cancel):
            session.withdraw(said.numbers)
        elif isinstance(said, Bye):
            self.service.sessions.remove(session)

    def _greet(self, hello: Hello) -> None:
        """Raises BodyError for a question that nobody can answer, and UnavailableError while the cloud drains."""
        service = self.service
        classes = max(len(network.model.labels) for network in service.networks) or MAX_LABELS
        wanted = wanted_in(hello.question, classes)
        service.sessions.greeted(self)
        found = service.sessions.find(hello.session) if hello.session else None
        resumed = isinstance(found, Session) and found.may_go_on(self.sender)
        if not resumed:
            service.lifecycle.require_ready()
            found = Session(service, self.sender, self.caller, time.monotonic())
            service.sessions.add(found)
        assert isinstance(found, Session)
        result = "resumed" if resumed else "lost" if hello.session else "new"
        service.metrics.sessions.hellos.labels(result=result).inc()
        self._session = found
        found.heard(time.monotonic())
        found.attach(self, hello, wanted, self.caller, resumed=resumed)

    def send(self, message: bytes) -> None:
        """Send when the edge reads; nothing if the connection has ended."""
        protocol = self._protocol
        if protocol is None or protocol.is_closing():
            return
        try:
            protocol.send_binary(message)
        except StreamClosedError:
            return
        if self._stream.unread_bytes() > MAX_UNREAD_BYTES:
            self._closed("unread")
            protocol.stream.close()

    def part(self, code: int, text: str) -> None:
        """Close the connection, with what was sent before it."""
        self.close(code, text[:_MAX_CLOSE_BYTES])

    def silent(self) -> None:
        """It has not said hello in time."""
        self._closed("silent")
        self.close(1008, "no hello")

    def open_place(self) -> Place:
        """A place for a message. Raises BusyError."""
        account = self.service.clients.account(self.client, known=self.known)
        return self.service.bodies.open(self, account, is_frame=True)

    def gone(self) -> None:
        """The edge does not say that it is there. Its session may go on over another connection."""
        self._closed("gone")
        if protocol := self._protocol:
            protocol.cut()

    def no_room(self, error: RequestError) -> None:
        """There is no memory for a message. What follows cannot be told from it, so the connection ends at once."""
        self._reading.drop_place()
        self._break_off(error, 1013, "memory")
        self._reading.cut()

    def give_up(self, error: RequestError) -> None:
        """A message comes too slowly, or takes what others need."""
        self.no_room(error)

    def on_close(self) -> None:
        if self._entered:
            self._entered = False
            self.service.sessions.leave(self)
        if self._session:
            self._session.detach(self, time.monotonic())
            self._session = None

    def _break_off(self, error: RequestError, code: int, why: str = "protocol") -> None:
        if self.ws_connection is None:
            return
        told = told_of(error)
        self.sender.refused(told, error.status, PATH, self.action)
        self._closed(why)
        text = f"{told.reason}: {told.text}".encode()[:_MAX_CLOSE_BYTES].decode(errors="ignore")
        self.close(code, text)

    def _closed(self, why: str) -> None:
        self.service.metrics.sessions.closed.labels(why=why).inc()

    @property
    def _protocol(self) -> BoundedProtocol | None:
        return cast("BoundedProtocol | None", self.ws_connection)

    @property
    def _stream(self) -> WatchedStream:
        return cast("WatchedStream", self._reading.stream)
