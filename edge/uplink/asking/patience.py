"""How long the cloud may take to say that it is there, where nothing waits for that."""

from __future__ import annotations

import aiohttp

_CONNECT_S = (1.0, 2.0, 4.0)
"""For a connection, with the name's address, a proxy and TLS. Over a satellite it takes one to two seconds; a host that is away never says so, and is asked again."""
_SILENT_S = 4.0
"""Without a byte: a segment that was lost costs a second or two there."""
_WHOLE_S = 15.0


class Patience:
    """Waits as long as something comes, and longer for each connection that did not come, in turns from the shortest on."""

    def __init__(self) -> None:
        self._number = 0

    @property
    def timeout(self) -> aiohttp.ClientTimeout:
        """For the next question."""
        connect_s = _CONNECT_S[self._number % len(_CONNECT_S)]
        return aiohttp.ClientTimeout(total=_WHOLE_S, connect=connect_s, sock_read=_SILENT_S)

    def unconnected(self) -> None:
        """No connection came in that time."""
        self._number += 1


def timeout_of(patience: float | aiohttp.ClientTimeout) -> aiohttp.ClientTimeout:
    """Seconds, for all of a question and its answer, as aiohttp takes them, to which 0 would be no limit."""
    if isinstance(patience, aiohttp.ClientTimeout):
        return patience
    return aiohttp.ClientTimeout(total=max(1e-3, patience))


def lateness(error: TimeoutError, timeout: aiohttp.ClientTimeout) -> str:
    """What did not come in time, in words."""
    if isinstance(error, aiohttp.ConnectionTimeoutError) and timeout.connect is not None:
        return f"no connection within {timeout.connect:.3g} s"
    if isinstance(error, aiohttp.SocketTimeoutError) and timeout.sock_read is not None:
        return f"nothing came for {timeout.sock_read:.3g} s"
    return f"no answer within {timeout.total:.3g} s"
