"""The port: of one process, or shared by several, among which the kernel spreads the connections (SO_REUSEPORT)."""

from __future__ import annotations

import contextlib
import socket
from typing import Self

from tornado.netutil import bind_sockets

from shared.errors import StartupError


def bind(address: str, port: int, *, shared: bool = False) -> list[socket.socket]:
    """Bind listening sockets; `shared` with other processes of this user that say the same.

    Raises StartupError if the port is taken or the address is not one of this machine.
    """
    try:
        return bind_sockets(port, address, reuse_port=shared)
    except OSError as error:
        raise StartupError(
            f"cannot listen on {address}:{port}: {error.strerror or error}; "
            "stop what listens there, or choose another --port or --address"
        ) from None


class HeldPort:
    """A port on which the workers of this process may listen, and nobody else; it takes no connections itself."""

    def __init__(self, address: str, port: int) -> None:
        """Port 0 takes a free one. Raises StartupError as `bind` does."""
        found = bind(address, port)
        self.port: int = found[0].getsockname()[1]
        names = [(each.family, each.getsockname()) for each in found]
        for each in found:
            each.close()
        self._sockets = [_held(family, name) for family, name in names]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._sockets:
            each.close()


def _held(family: socket.AddressFamily, name: tuple[object, ...]) -> socket.socket:
    """Without SO_REUSEADDR another cloud that is started here fails, even before a worker listens."""
    for strict in (True, False):
        held = socket.socket(family, socket.SOCK_STREAM)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            held.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if not strict:
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # connections of an earlier process linger there for a minute
            held.bind(name)
            return held
        held.close()
    raise StartupError(f"port {name[1]} was taken by another process just now; start again")
