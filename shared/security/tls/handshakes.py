"""TLS handshakes at a server's door: bounded in time, counted, and logged once a minute, however many strangers knock."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from typing import TYPE_CHECKING, Any, Protocol

from shared.limits import HANDSHAKE_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.observing.counting.counter import Counter

_log = logging.getLogger(__name__)

RESULTS = ("complete", "refused", "late", "gone")
"""`refused`: one side did not accept the other; `gone`: the client closed first, as port scans and simple health checks do."""
_LOG_EVERY_S = 60.0


class Stream(Protocol):
    """What is used of Tornado's SSLIOStream, which `shared` does not know."""

    def wait_for_handshake(self) -> asyncio.Future[Any]:
        """Done with the handshake, or the exception that ended it; may be called once."""

    def close(self) -> None:
        """Close the connection."""


class Handshakes:
    """Used on the event loop."""

    def __init__(self, results: Counter, clock: Callable[[], float] = time.monotonic) -> None:
        """`results` counts by the label `result`."""
        self._results = results
        self._clock = clock
        self._unsaid = 0
        self._said_at: float | None = None
        logging.getLogger("tornado.general").addFilter(_is_about_else)

    def begun(self, stream: Stream, address: object) -> None:
        """A connection from `address` begins; close it if its handshake takes too long."""
        late: list[bool] = []

        def give_up() -> None:
            late.append(True)
            stream.close()

        timer = asyncio.get_running_loop().call_later(HANDSHAKE_S, give_up)

        def ended(handshake: asyncio.Future[Any]) -> None:
            timer.cancel()
            error = None if handshake.cancelled() else handshake.exception()
            if late:
                self._count("late", address, f"not complete within {HANDSHAKE_S:g} s")
            elif isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
                self._count("refused", address, reason_of(error))
            elif error:
                self._results.labels(result="gone").inc()
            else:
                self._results.labels(result="complete").inc()

        stream.wait_for_handshake().add_done_callback(ended)

    def _count(self, result: str, address: object, reason: str) -> None:
        self._results.labels(result=result).inc()
        self._unsaid += 1
        now = self._clock()
        if self._said_at is not None and now - self._said_at < _LOG_EVERY_S:
            return
        host = address[0] if isinstance(address, tuple) and address else address
        _log.warning(
            "TLS handshakes that failed since this was last said: %d; the last with %s: %s",
            self._unsaid,
            host,
            reason,
        )
        self._unsaid, self._said_at = 0, now


def _is_about_else(record: logging.LogRecord) -> bool:
    """Whether it is not the line that Tornado writes for each handshake that fails."""
    return not str(record.msg).startswith("SSL Error on ")


def reason_of(error: ssl.SSLError) -> str:
    """What ended a handshake, in OpenSSL's own few words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return str(error.verify_message)
    return (error.reason or "not TLS").replace("_", " ").lower()
