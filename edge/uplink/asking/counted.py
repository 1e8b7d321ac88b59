"""Counts what is handed to a connection's transport."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable


class Count(Protocol):
    """See edge/planning/budget/wire_bytes.py."""

    def up(self, size: int) -> None: ...
    def down(self, size: int) -> None: ...


class Counted:
    """Stands before a transport. aiohttp has no place in which all that it writes could be counted, header fields included."""

    def __init__(self, transport: Any, count: Count) -> None:
        self._transport = transport
        self._count: Count | None = count

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """As the transport's."""
        if self._count:
            self._count.up(len(data))
        self._transport.write(data)

    def writelines(self, pieces: Iterable[bytes]) -> None:
        """As the transport's."""
        found = list(pieces)
        if self._count:
            self._count.up(sum(map(len, found)))
        self._transport.writelines(found)

    def set_protocol(self, protocol: Any) -> None:
        """As the transport's. TLS begins, through a proxy: what is written from now on is counted before it is encrypted."""
        self._count = None
        self._transport.set_protocol(protocol)
