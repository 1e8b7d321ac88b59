"""One keep-alive HTTP client for all that is asked of the cloud; every way in which that can fail is an UplinkError."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import aiohttp

from edge.uplink.reply import UplinkError, read_body
from shared.wire.http import content_digest

if TYPE_CHECKING:
    from prometheus_client import Counter

# A frame is one write to a socket; the warning is about bodies that take long to produce.
warnings.filterwarnings("ignore", message="Sending a large body directly", category=ResourceWarning)


_DIGEST = "sha-256="
"""Other digests are left unchecked, as RFC 9530 has it; our cloud gives this one."""


class BrokenError(UplinkError):
    """The connection broke after it was there, and before an answer."""


class CloudClient:
    """Several requests at once, each on a connection of its own, which stay open."""

    def __init__(self, url: str, sent: Counter, *, connections: int) -> None:
        """`sent` counts the bytes of frames."""
        self.url = url
        self._sent = sent
        self._connections = connections

    def open(self) -> None:
        """On the event loop that will use it."""
        # A restarted cloud may come back at another address: look again soon.
        connector = aiohttp.TCPConnector(limit=self._connections, ttl_dns_cache=1)
        trace = aiohttp.TraceConfig()
        trace.on_request_chunk_sent.append(self._count_sent)
        trace.on_connection_create_end.append(_note_fresh)
        self._session = aiohttp.ClientSession(connector=connector, trace_configs=[trace])

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def request(
        self, method: str, path: str, patience_s: float, about: dict[str, bool] | None = None, **options: Any
    ) -> tuple[int, bytes]:
        """Status and body of an answer, whatever it says. Raises UplinkError if there is none in time.

        `about["fresh"]` becomes true if a connection was made for it.
        """
        timeout = aiohttp.ClientTimeout(total=max(1e-3, patience_s))  # 0 would be for ever
        try:
            async with self._session.request(
                method, self.url + path, timeout=timeout, trace_request_ctx=about, **options
            ) as response:
                body = await read_body(response)
                if response.headers.get("Content-Digest", "").startswith(_DIGEST) and (
                    response.headers["Content-Digest"] != content_digest(body)
                ):
                    raise UplinkError("damaged", "the answer was damaged on its way")
                return response.status, body
        except TimeoutError:
            raise UplinkError("late", f"no answer within {patience_s:.3g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            text = str(error) or type(error).__name__
            broken = isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError)
            kind = (
                BrokenError if broken and not isinstance(error, aiohttp.ClientConnectorError) else UplinkError
            )
            raise kind("unreachable", text) from None

    async def _count_sent(
        self, _session: object, _context: object, sent: aiohttp.TraceRequestChunkSentParams
    ) -> None:
        if sent.method == "POST":  # a profile is no frame
            self._sent.inc(len(sent.chunk))  # of frames answered late or never as well


async def _note_fresh(_session: object, context: Any, _ended: object) -> None:
    if context.trace_request_ctx is not None:
        context.trace_request_ctx["fresh"] = True
