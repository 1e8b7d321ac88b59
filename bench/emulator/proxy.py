"""A bad network for benchmarks and chaos tests: a TCP proxy through which bytes take the time that a link would need.

The handshake is the kernel's and takes no time; neither does it know of the proxy's link what its own buffers hold: up
to about 128 KiB on each side of the uplink, more in the sender's own process. All else is the model's, see `pipe`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

from bench.emulator.connection import BUFFER_BYTES, RESET_ON_CLOSE, Connection
from bench.emulator.counts import Counts
from bench.emulator.link import Link
from bench.emulator.pump import Pump

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.emulator.link import Direction

_NO_LIMITS = Link()
_BACKLOG = 128


class Emulator:
    """Forwards connections to one host and port. All but `__init__` must be called in the event loop that started it."""

    def __init__(self, host: str, port: int, link: Link = _NO_LIMITS, *, seed: int = 0) -> None:
        self._to = (host, port)
        self.link = link
        """The one in force; `change` sets another."""
        self.up = Pump("up", link, seed=seed)
        self.down = Pump("down", link, seed=seed)
        self._listener: socket.socket | None = None
        self._open: set[Connection] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._none_open = asyncio.Event()
        self._none_open.set()
        self._light = asyncio.Event()
        self._light.set()
        self._in_hole = self._refusing = self._closing = False
        self._cut_next: int | None = None
        self.connections = 0
        """All that were ever opened, including those that were refused."""

    @property
    def open_connections(self) -> int:
        """Those whose two sockets are not both closed yet."""
        return len(self._open)

    def counts(self) -> Counts:
        """What has come in by its sockets so far."""
        up, down = self.up, self.down
        return Counts(up.offered_bytes, down.offered_bytes, up.segments, down.segments, self.connections)

    def change(self, link: Link) -> None:
        """Put another link in force for all that is not sent yet, the rest of a chunk included. What is under way keeps its delay."""
        self.link = link
        for pump in (self.up, self.down):
            pump.change(pump.now(), link)
            pump.run(pump.flows)  # all of them, as there may be room now

    async def play(self, trace: Sequence[tuple[float, Link]]) -> None:
        """Apply one link after another, each for its number of seconds. The last one stays."""
        clock = asyncio.get_running_loop().time
        end_s = clock()
        for seconds, link in trace:
            self.change(link)
            end_s += seconds  # from the start, so that late wake-ups do not add up
            await asyncio.sleep(end_s - clock())

    async def start(self, port: int = 0) -> int:
        """Listen on 127.0.0.1; the port. It may be started again after `close`. Raises OSError."""
        self._closing = False
        # Not an asyncio server: one that is closed at the wrong moment forgets a connection that it has just accepted.
        listener = socket.socket()
        try:
            listener.setblocking(False)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)  # accepted ones inherit it
            listener.bind(("127.0.0.1", port))
            listener.listen(_BACKLOG)
        except BaseException:
            listener.close()
            raise
        asyncio.get_running_loop().add_reader(listener, self._accept, listener)
        self._listener = listener
        bound_port: int = listener.getsockname()[1]
        return bound_port

    async def close(self) -> None:
        """Stop listening and reset all connections. Nothing keeps running."""
        self._closing = True
        if self._listener:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        self.cut()
        await asyncio.gather(*self._serving, return_exceptions=True)
        await self._none_open.wait()
        self.up.stop()
        self.down.stop()

    def black_hole(self, on: bool) -> None:
        """Accept and swallow everything. Connections that were open meanwhile stay dead."""
        self._in_hole = on
        for connection in tuple(self._open):
            if on:
                connection.fall_into_hole()
            else:
                connection.hole_closed()

    def blackout(self, on: bool) -> None:
        """Nothing moves, not even the end of a connection, until it is over. New connections wait for their target."""
        if on:
            self._light.clear()
        else:
            self._light.set()
        for pump in (self.up, self.down):
            pump.hold(pump.now(), on=on)
            pump.run(pump.flows)

    def refuse(self, on: bool) -> None:
        """Behave as if nothing listened: reset all connections, and new ones at once."""
        self._refusing = on
        if on:
            self.cut()

    def cut(self, after_bytes: int | None = None) -> None:
        """Reset all open connections, or each of them after so many more bytes to the target.

        If none is open then, it is the next one to be opened. Raises ValueError.
        """
        if after_bytes is not None and after_bytes < 0:
            raise ValueError(f"after_bytes is {after_bytes}; accepted is 0 or more, or None for now")
        self._cut_next = None if self._open else after_bytes
        for connection in tuple(self._open):
            if after_bytes is None:
                connection.reset()
            else:
                connection.client.cut_after_bytes = after_bytes

    def corrupt(self, times: int, *, direction: Direction = "up", skip: int = 0) -> None:
        """Flip one bit in each of the next `times` chunks of 64 bytes or more, after `skip` bytes. Raises ValueError."""
        (self.up if direction == "up" else self.down).corrupt(times, skip)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):  # it left already
            accepted, _ = listener.accept()
            self.connections += 1
            if self._refusing:
                accepted.setsockopt(*RESET_ON_CLOSE)
                accepted.close()
                return
            task = asyncio.create_task(self._serve(accepted))
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)

    async def _serve(self, accepted: socket.socket) -> None:
        connection = Connection(self.up, self.down, self._over)
        await asyncio.get_running_loop().connect_accepted_socket(lambda: connection.client, accepted)
        self._open.add(connection)
        self._none_open.clear()
        connection.client.cut_after_bytes, self._cut_next = self._cut_next, None
        if self._refusing or self._closing:  # meanwhile
            connection.reset()
        elif self._in_hole:
            connection.fall_into_hole()
        else:
            connection.joining = asyncio.current_task()
            await self._join(connection)

    async def _join(self, connection: Connection) -> None:
        """Connect it to the target, and close it if the target refuses. Cancelled when the connection ends before."""
        await self._light.wait()
        try:
            await asyncio.get_running_loop().create_connection(lambda: connection.target, *self._to)
        except OSError:
            connection.joining = None
            connection.finish()
        else:
            connection.joining = None
            connection.join()

    def _over(self, connection: Connection) -> None:
        self._open.discard(connection)
        if not self._open:
            self._none_open.set()
