"""What cameras and streams have in common: they may hang, and must not take the edge with them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edge.sources.live.connection import Connection
from shared.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.sources.base import Shot
    from edge.sources.live.feed import Feed

MARGIN_S = 2.0  # longer than a feed's own time limit, which some of them do not have
_MAX_STUCK = 4


class LiveCapture:
    """A feed in a thread of its own, which is abandoned if it hangs. It never ends except by SourceError.

    Pictures are numbered on from one connection to the next. `close` may be called from any thread, and ends an `open` or a `read`
    that waits.
    """

    live = True

    def __init__(
        self,
        name: str,
        feed: Callable[[Callable[[], None]], Feed],
        *,
        advice: str,
        open_timeout_s: float,
        read_timeout_s: float,
        on_undecodable: Callable[[], None],
    ) -> None:
        """`feed` makes one for each connection; it is given what to call for a picture that it leaves out."""
        self.name = name
        self._feed = feed
        self._advice = advice
        self._open_timeout_s = open_timeout_s
        self._read_timeout_s = read_timeout_s
        self._on_undecodable = on_undecodable
        self._connection: Connection | None = None
        self._stuck: list[Connection] = []
        self._first: Shot | None = None
        self._base = self._next = 0
        self._left_out = 0
        """Pictures left out since the latest one that was given."""

    def open(self) -> None:
        """Connect and wait for the first frame: some cameras that are off can be opened all the same.

        Raises SourceError after closing everything.
        """
        self.close()
        self._stuck = [connection for connection in self._stuck if connection.is_alive()]
        if len(self._stuck) >= _MAX_STUCK:
            raise SourceError(f"{self.name}: {_MAX_STUCK} earlier connections still hang; restart the edge")
        feed = self._feed(self._leave_out)
        self._base, self._left_out = self._next, 0
        self._connection = connection = Connection(feed, self.name)
        timeout_s = self._open_timeout_s + self._read_timeout_s
        try:
            self._first = connection.take(timeout_s + MARGIN_S)
        except TimeoutError:
            self.close()
            found = "it can be opened, but gives " if connection.opened else ""
            raise SourceError(
                f"{self.name}: {found}no picture within {timeout_s:g} s{self._undecodable()}; {self._advice}"
            ) from None
        except SourceError:
            self.close()
            raise
        if self._first is None:
            self.close()
            raise SourceError(
                f"{self.name}: cannot be opened, or gives no picture{self._undecodable()}; {self._advice}"
            )

    def read(self) -> Shot:
        """A frame, as soon as there is one. Raises SourceError if none comes or the stream ends."""
        if self._first is not None:
            shot, self._first = self._first, None
            return self._numbered(shot)
        connection = self._connection
        if connection is None:
            raise SourceError(f"{self.name}: is closed")
        try:
            found = connection.take(connection.pause_s + self._read_timeout_s + MARGIN_S)
        except TimeoutError:
            raise SourceError(
                f"{self.name}: no picture for {self._read_timeout_s:g} s{self._undecodable()}"
            ) from None
        if found is None:
            raise SourceError(f"{self.name}: no more pictures: it ended, was lost or fell silent")
        return self._numbered(found)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        self._first = None
        if connection is not None and not connection.close():
            self._stuck.append(connection)

    def _numbered(self, shot: Shot) -> Shot:
        self._left_out = 0
        number = self._base + shot.number
        self._next = number + 1
        return replace(shot, number=number)

    def _leave_out(self) -> None:
        self._left_out += 1
        self._on_undecodable()

    def _undecodable(self) -> str:
        return f", as {self._left_out} could not be decoded" if self._left_out else ""
