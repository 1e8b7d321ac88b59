"""What a connection reads: a device, or one way of sending pictures over the network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from edge.sources.base import Shot


class Feed(Protocol):
    """Pictures of one connection, from its beginning to its end. It is used once, by one thread."""

    @property
    def pause_s(self) -> float:
        """How long it waits between two pictures by itself, in seconds; known once it is open."""

    def open(self) -> None:
        """Connect. Raises SourceError, which says why it cannot."""

    def read(self) -> Shot | None:
        """The next picture, numbered from 0 with the connection; None at the end. Raises SourceError."""

    def close(self) -> None:
        """Let go of everything; also after an `open` that failed."""

    def interrupt(self) -> None:
        """End an `open` or a `read` that waits, where that can be done. From any thread, at any time."""
