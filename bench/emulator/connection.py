"""One connection through the emulator: two sockets, each of which sends to the other one through a pump."""

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
"""For the uplink's sockets (the kernel doubles it): what piles up in them is a queue outside of the link."""
RESET_ON_CLOSE = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
"""The socket option with which close() sends RST and not FIN."""


class Side(asyncio.BufferedProtocol):
    """One socket, and the way of its bytes to the other side."""

    other: Side

    def __init__(self, connection: Connection, pump: Pump) -> None:
        self._connection = connection
        self._pump = pump
        self._flow = pump.open()
        self._flow.on_moved = self.refresh
        self._timer: asyncio.TimerHandle | None = None
        self._reading_over = False
        self.swallowing = False
        self.blocked = False
        """The kernel takes no more bytes now."""
        self.transport: asyncio.Transport | None = None
        self.knows_the_end = False
        """Whether its peer has been told that nothing more will come."""
        self.cut_after_bytes: int | None = None
        """The connection is reset after this many more bytes from this side."""

    def refresh(self) -> None:
        """Deliver what has arrived, schedule the next delivery, and read on if there is room."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        while self._may_deliver() and self._flow.due_s <= self._pump.now():
            self._deliver(*self._flow.take(self._pump.now()))
        if self._may_deliver() and self._flow.due_s < float("inf"):
            self._timer = asyncio.get_running_loop().call_at(self._flow.due_s, self.refresh)
        self._read_or_wait()

    def swallow(self) -> None:
        """Read and discard all of its bytes from now on."""
        self.swallowing = True
        self._pump.close(self._flow)
        if self._timer:
            self._timer.cancel()

    def write(self, data: bytes) -> None:
        if self.transport and not self.transport.is_closing():
            self.transport.write(data)

    def close(self) -> None:
        """Close once everything has been written."""
        if self.transport:
            self.transport.close()

    def reset(self) -> None:
        """Reset (RST), even if some bytes have not been written yet."""
        if self.transport:
            self.transport.get_extra_info("socket").setsockopt(*RESET_ON_CLOSE)
            self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.set_write_buffer_limits(high=0)  # the kernel's buffer is enough
        transport.pause_reading()
        self.transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the protocol's
        return self._pump.scratch[: max(1, self._room())]

    def buffer_updated(self, nbytes: int) -> None:
        if not self.swallowing:
            data = self._pump.scratch[:nbytes]
            self._pump.run(self._pump.offer(self._pump.now(), self._flow, data))
            self._read_or_wait()

    def eof_received(self) -> bool:
        self._reading_over = True
        self._end(End.FINISHED)
        return True  # it may still listen

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - any reason ends it
        self.transport = None
        self.other.swallow()
        self._end(End.RESET)

    def pause_writing(self) -> None:
        self.blocked = True

    def resume_writing(self) -> None:
        self.blocked = False
        if not self.other.swallowing:
            self.other.refresh()

    def _room(self) -> int:
        """How many bytes may be read now."""
        most = len(self._pump.scratch)
        return most if self.swallowing else min(self._pump.room(self._flow), most)

    def _read_or_wait(self) -> None:
        if self.transport is None or self._reading_over or not self._connection.joined:
            return
        if self._room() > 0:
            self.transport.resume_reading()
        else:
            self.transport.pause_reading()

    def _end(self, end: End) -> None:
        """The side sends nothing more; the other one learns of it after the link's delay."""
        if not self.swallowing:
            self._pump.run(self._pump.finish(self._pump.now(), self._flow, end))
        self._connection.side_left(self)

    def _may_deliver(self) -> bool:
        return not (self.swallowing or self._pump.held or self.other.blocked)

    def _deliver(self, data: bytes, end: End | None) -> None:
        cut = self.cut_after_bytes is not None and len(data) >= self.cut_after_bytes
        if self.cut_after_bytes is not None:
            data = data[: self.cut_after_bytes]
            self.cut_after_bytes -= len(data)
        if data:
            self._pump.forwarded_bytes += len(data)
            self.other.write(data)
        if cut or end is End.RESET:
            self._connection.reset()
        elif end is End.FINISHED:
            self._connection.pass_on_the_end(self.other)


class Connection:
    """From accept until both sockets are closed."""

    def __init__(self, up: Pump, down: Pump, on_over: Callable[[Connection], None]) -> None:
        self.client, self.target = Side(self, up), Side(self, down)
        self.client.other, self.target.other = self.target, self.client
        self.joining: asyncio.Task[None] | None = None
        self.joined = False
        self._on_over = on_over
        self._dead = self._in_hole = self._client_left = False

    def join(self) -> None:
        """Both sides are connected: read."""
        self.joined = True
        self.client.refresh()
        self.target.refresh()

    def fall_into_hole(self) -> None:
        """Swallow everything from now on. Neither side learns anything, not even that the other has closed."""
        self._dead = self._in_hole = True
        self._stop()
        self.join()

    def hole_closed(self) -> None:
        """Stay dead, but no longer hide that the client has closed."""
        self._in_hole = False
        if self._dead and self._client_left:
            self.reset()

    def finish(self) -> None:
        """Close both sides after what has already been written to them."""
        self._stop()
        self.client.close()
        self.target.close()

    def reset(self) -> None:
        """Close both sides now, with RST."""
        self._stop()
        self.client.reset()
        self.target.reset()

    def pass_on_the_end(self, side: Side) -> None:
        """Half-close this side: nothing more comes from the other one."""
        side.knows_the_end = True
        if side.transport and not side.transport.is_closing():
            with contextlib.suppress(OSError):  # it has left at this moment
                side.transport.write_eof()
        if self.client.knows_the_end and self.target.knows_the_end:
            self.finish()

    def side_left(self, side: Side) -> None:
        """It sends nothing more, or is gone."""
        if side is self.client:
            self._client_left = True
            if self._dead and not self._in_hole:
                self.reset()
        if self.client.transport is None and self.target.transport is None:
            self._stop()
            self._on_over(self)

    def _stop(self) -> None:
        self.client.swallow()
        self.target.swallow()
        if self.joining:
            self.joining.cancel()
