"""One connection through the emulator: two sockets, and between them one way up and one way down."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import TYPE_CHECKING

from bench.emulator.flow import End

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.emulator.pump import Pump

BUFFER_BYTES = 64 * 1024
"""Of the uplink's sockets (the kernel doubles it): what piles up there is a queue outside of the link."""
RESET_ON_CLOSE = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
"""The socket option with which close() sends RST and not FIN."""


class Way:
    """The bytes from one side to the other."""

    source: Side
    sink: Side

    def __init__(self, pump: Pump, connection: Connection) -> None:
        self._pump = pump
        self._connection = connection
        self._flow = pump.open()
        self._flow.on_moved = self.refresh
        self._timer: asyncio.TimerHandle | None = None
        self.closed = False
        self.cut_after_bytes: int | None = None
        """After so many more the connection is reset."""

    @property
    def scratch(self) -> memoryview:
        return self._pump.scratch

    def room(self) -> int:
        """How many bytes the source may read now. A closed way swallows everything."""
        return len(self.scratch) if self.closed else min(self._pump.room(self._flow), len(self.scratch))

    def received(self, data: memoryview) -> None:
        if not self.closed:
            self._pump.run(self._pump.offer(self._pump.now(), self._flow, data))
            self.source.read(on=self.room() > 0)

    def ended(self, end: End) -> None:
        """The source has ended; the sink gets to know when that has come all the way."""
        if not self.closed:
            self._pump.run(self._pump.finish(self._pump.now(), self._flow, end))

    def refresh(self) -> None:
        """Deliver what has arrived, come back for what is next, and read on if there is room."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        while self._may_deliver() and self._flow.due_s <= self._pump.now():
            self._deliver(*self._flow.take(self._pump.now()))
        if self._may_deliver() and self._flow.due_s < float("inf"):
            self._timer = asyncio.get_running_loop().call_at(self._flow.due_s, self.refresh)
        self.source.read(on=self.room() > 0)

    def close(self) -> None:
        """Nothing arrives any more."""
        self.closed = True
        self._pump.close(self._flow)
        if self._timer:
            self._timer.cancel()

    def _may_deliver(self) -> bool:
        return not (self.closed or self._pump.held or self.sink.blocked)

    def _deliver(self, data: bytes, end: End | None) -> None:
        cut = self.cut_after_bytes is not None and len(data) >= self.cut_after_bytes
        if self.cut_after_bytes is not None:
            data = data[: self.cut_after_bytes]
            self.cut_after_bytes -= len(data)
        if data:
            self._pump.forwarded_bytes += len(data)
            self.sink.write(data)
        if cut or end is End.RESET:
            self._connection.reset()
        elif end is End.FINISHED:
            self._connection.pass_on_the_end(self)


class Side(asyncio.BufferedProtocol):
    """One socket: where one way begins and the other one ends."""

    def __init__(self, connection: Connection, outgoing: Way, incoming: Way) -> None:
        self._connection = connection
        self._outgoing = outgoing
        outgoing.source = self
        self._incoming = incoming
        incoming.sink = self
        self._transport: asyncio.Transport | None = None
        self._reading_over = False
        self.ended = False
        self.blocked = False
        """The kernel takes no more bytes now."""

    @property
    def is_open(self) -> bool:
        return self._transport is not None

    def read(self, *, on: bool) -> None:
        if self._transport is None or self._reading_over or not self._connection.joined:
            return
        if on:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def write(self, data: bytes) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.write(data)

    def write_end(self) -> None:
        """Half-close."""
        self.ended = True
        if self._transport and not self._transport.is_closing():
            with contextlib.suppress(OSError):  # it has left at this moment
                self._transport.write_eof()

    def close(self) -> None:
        """When all is written."""
        if self._transport:
            self._transport.close()

    def reset(self) -> None:
        """With RST, whatever is not written."""
        if self._transport:
            self._transport.get_extra_info("socket").setsockopt(*RESET_ON_CLOSE)
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.set_write_buffer_limits(high=0)  # the kernel's buffer is enough
        transport.pause_reading()
        self._transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the protocol's
        return self._outgoing.scratch[: max(1, self._outgoing.room())]

    def buffer_updated(self, nbytes: int) -> None:
        self._outgoing.received(self._outgoing.scratch[:nbytes])

    def eof_received(self) -> bool:
        self._reading_over = True
        self._outgoing.ended(End.FINISHED)
        self._connection.side_left(self)
        return True  # it may still listen

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - whatever it was
        self._transport = None
        self._incoming.close()
        self._outgoing.ended(End.RESET)
        self._connection.side_left(self)

    def pause_writing(self) -> None:
        self.blocked = True

    def resume_writing(self) -> None:
        self.blocked = False
        if not self._incoming.closed:
            self._incoming.refresh()


class Connection:
    """From accept until both sockets are closed."""

    def __init__(self, up: Pump, down: Pump, on_over: Callable[[Connection], None]) -> None:
        self.up = Way(up, self)
        self._down = Way(down, self)
        self.client = Side(self, outgoing=self.up, incoming=self._down)
        self.target = Side(self, outgoing=self._down, incoming=self.up)
        self.joining: asyncio.Task[None] | None = None
        self.joined = False
        self._on_over = on_over
        self._dead = self._in_hole = self._client_left = False

    def join(self) -> None:
        """Both sides are connected: read."""
        self.joined = True
        self.up.refresh()
        self._down.refresh()

    def fall_into_hole(self) -> None:
        """Swallow everything from now on. Neither side learns anything, not even that the other one leaves."""
        self._dead = self._in_hole = True
        self._stop()
        self.join()

    def hole_closed(self) -> None:
        """It stays dead, but no longer hides that its client has left."""
        self._in_hole = False
        if self._dead and self._client_left:
            self.reset()

    def finish(self) -> None:
        """Close both sides, with what is written to them already."""
        self._stop()
        self.client.close()
        self.target.close()

    def reset(self) -> None:
        """Close both sides now, with RST."""
        self._stop()
        self.client.reset()
        self.target.reset()

    def pass_on_the_end(self, way: Way) -> None:
        way.sink.write_end()
        if self.client.ended and self.target.ended:
            self.finish()

    def side_left(self, side: Side) -> None:
        """It sends nothing more, or is gone."""
        if side is self.client:
            self._client_left = True
            if self._dead and not self._in_hole:
                self.reset()
        if not self.client.is_open and not self.target.is_open:
            self._stop()
            self._on_over(self)

    def _stop(self) -> None:
        self.up.close()
        self._down.close()
        if self.joining:
            self.joining.cancel()
