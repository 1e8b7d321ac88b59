"""Tornado's WebSocket, with messages whose memory is counted while they arrive, as that of bodies is."""

from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING, Protocol

from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketProtocol13

from shared.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloud.access.budget import BodyBudget, Place

_COUNTED = 125
"""Fewer bytes are not counted: a control frame, and what every message has before its payload."""
_PIECE_BYTES = 64 << 10
_BINARY = 0x82
"""The last frame of a binary message."""


class Keeps(Protocol):
    """Who keeps the budget for a connection."""

    def open_place(self) -> Place:
        """A place for a message. Raises BusyError."""

    def gone(self) -> None:
        """The peer does not say that it is there."""

    def no_room(self, error: RequestError) -> None:
        """There is no memory for a message, which ends the connection: what follows could not be told from it."""


class BoundedProtocol(WebSocketProtocol13):
    """One connection."""

    keeper: Keeps
    budget: BodyBudget
    began_s: float | None = None
    """When the message that is arriving began, by `time.monotonic`."""
    clock: Callable[[], float] = staticmethod(time.monotonic)
    _place: Place | None = None

    def send_binary(self, message: bytes) -> None:
        """Write one message; nothing waits until it is taken. Raises StreamClosedError."""
        size = len(message)
        if size < 126:
            head = struct.pack("!BB", _BINARY, size)
        elif size < 1 << 16:
            head = struct.pack("!BBH", _BINARY, 126, size)
        else:
            head = struct.pack("!BBQ", _BINARY, 127, size)
        self._wire_bytes_out += len(head) + size
        self.stream.write(head + message)

    def take_place(self) -> Place | None:
        """What the message holds that has come; whoever takes it releases it. None for a short one."""
        place, self._place = self._place, None
        if place:
            self.budget.complete(place)
        return place

    def drop_place(self) -> None:
        """Nobody needs it."""
        if place := self.take_place():
            self.budget.release(place)

    async def periodic_ping(self) -> None:
        await super().periodic_ping()
        self.keeper.gone()  # it ends where no pong came in time

    def cut(self) -> None:
        """End the connection at once, whatever is on its way."""
        self._abort()

    async def _receive_frame_loop(self) -> None:
        try:
            await super()._receive_frame_loop()
        finally:
            self.drop_place()

    async def _receive_frame(self) -> None:
        await super()._receive_frame()
        pieces = self._fragmented_message_buffer
        if pieces is None:  # the message is complete, and handled
            self.began_s = None
            self.drop_place()
        else:  # of which short ones are not counted as they come
            place = self._opened()
            self._reserve(place, max(0, len(pieces) - place.size))

    async def _read_bytes(self, n: int) -> bytes:
        if n <= _COUNTED:
            data = await super()._read_bytes(n)
        else:
            data = await self._read_counted(n)
        if self.began_s is None:
            self.began_s = self.clock()
        return data

    async def _read_counted(self, size: int) -> bytes:
        """Bytes of a message, for each of which there is room when it comes."""
        pieces, left = [], size
        place = self._opened()
        while left:
            # What arrived: a large declaration costs its sender nothing.
            piece = await self.stream.read_bytes(min(left, _PIECE_BYTES), partial=True)
            self._reserve(place, len(piece))
            pieces.append(piece)
            left -= len(piece)
        self._wire_bytes_in += size
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _opened(self) -> Place:
        """The place of the message that is arriving."""
        if self._place is None:
            try:
                self._place = self.keeper.open_place()
            except RequestError as error:
                raise self._without_room(error) from None
        return self._place

    def _reserve(self, place: Place, size: int) -> None:
        try:
            self.budget.reserve(place, size)
        except RequestError as error:
            raise self._without_room(error) from None

    def _without_room(self, error: RequestError) -> StreamClosedError:
        self.keeper.no_room(error)
        return StreamClosedError()
