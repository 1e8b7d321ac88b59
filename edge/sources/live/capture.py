"""What cameras and streams have in common: they may hang, and must not take the edge with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.sources.base import Shot
from edge.sources.live.connection import Connection
from shared.errors import SourceError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MARGIN_S = 2.0  # longer than OpenCV's own time limit, which some of its backends do not have
_MAX_STUCK = 4


class LiveCapture:
    """A capture in a thread of its own, which is abandoned if it hangs. It never ends except by SourceError.

    `close` may be called from any thread, and ends an `open` or a `read` that waits.
    """

    live = True

    def __init__(
        self,
        name: str,
        target: str,
        backend: int,
        parameters: list[int],
        *,
        advice: str,
        open_timeout_s: float,
        read_timeout_s: float,
    ) -> None:
        self.name = name
        self._target = target
        self._backend = backend
        self._parameters = parameters
        self._advice = advice
        self._open_timeout_s = open_timeout_s
        self._read_timeout_s = read_timeout_s
        self._connection: Connection | None = None
        self._stuck: list[Connection] = []
        self._first: NDArray[np.uint8] | None = None
        self._given = 0

    def open(self) -> None:
        """Connect and wait for the first frame: some cameras that are off can be opened all the same.

        Raises SourceError after closing everything.
        """
        self.close()
        self._stuck = [connection for connection in self._stuck if connection.is_alive()]
        if len(self._stuck) >= _MAX_STUCK:
            raise SourceError(f"{self.name}: {_MAX_STUCK} earlier connections still hang; restart the edge")
        self._connection = connection = Connection(self._target, self._backend, self._parameters)
        timeout_s = self._open_timeout_s + self._read_timeout_s
        try:
            self._first = connection.take(timeout_s + MARGIN_S)
        except TimeoutError:
            self.close()
            raise SourceError(f"{self.name}: no picture within {timeout_s:g} s; {self._advice}") from None
        if self._first is None:
            self.close()
            raise SourceError(f"{self.name}: cannot be opened, or gives no picture; {self._advice}")

    def read(self) -> Shot:
        """A frame, as soon as there is one. Raises SourceError if none comes or the stream ends."""
        if self._first is not None:
            picture, self._first = self._first, None
            return self._shot(picture)
        connection = self._connection
        if connection is None:
            raise SourceError(f"{self.name}: is closed")
        try:
            frame = connection.take(self._read_timeout_s + MARGIN_S)
        except TimeoutError:
            raise SourceError(f"{self.name}: no picture for {self._read_timeout_s:g} s") from None
        if frame is None:
            raise SourceError(f"{self.name}: no more pictures: it ended, was lost or fell silent")
        return self._shot(frame)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        self._first = None
        if connection is not None and not connection.close():
            self._stuck.append(connection)

    def _shot(self, picture: NDArray[np.uint8]) -> Shot:
        self._given += 1
        return Shot(picture, self._given - 1)
