"""One keep-alive HTTP client for every request to the cloud; its answers are not trusted.

Any answer, and any failure to get one, is an UplinkError at worst: it costs one frame and not the run.
"""

from __future__ import annotations

import json
import warnings
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import aiohttp

from edge.uplink.asking.patience import lateness, timeout_of
from edge.uplink.connections import (
    PROXY_LOGIN,
    ExcessError,
    beside_bodies,
    make_session,
    read_body,
    refusal_of_proxy,
    tls_problem,
)
from edge.uplink.profiles.clouds import Fleet
from shared.errors import UplinkError
from shared.observing.logs import mask_url
from shared.security.escape import refuse_constant, shown
from shared.security.tls.refusal import MAYBE_REFUSED
from shared.wire.cloud_id import CLOUD_HEADER, cloud_id_in
from shared.wire.http import content_digest

if TYPE_CHECKING:
    from edge.uplink.asking.counted import Count
    from shared.observing.counting.counter import Counter
    from shared.security.tls.context import FixedContext
    from shared.security.tls.renewal import RenewedContext
    from shared.security.tokens.bearer import Bearer

# A frame is one write to a socket; the warning is about bodies that take long to produce.
warnings.filterwarnings("ignore", message="Sending a large body directly", category=ResourceWarning)

_DIGEST = "sha-256="
"""Other digests are left unchecked, as RFC 9530 allows; our cloud sends this one."""
_RETRY_DIGITS = 6
"""The longest `Retry-After` that is read; it may also be a date, which ours never is."""
_REDIRECTS = "%d: it redirects to %s; give --cloud-url the cloud's own address"
_DECODER = json.JSONDecoder(parse_constant=refuse_constant)
"""One for all answers: making it takes as long as reading one."""
_REASONS = {
    401: "unauthorized",
    403: "unauthorized",
    407: "unauthorized",
    408: "late",
    424: "profile",
    429: "busy",
    503: "busy",
    504: "late",
}
_REASONS_OF_PROXIES = {**_REASONS, 424: "refused", 502: "unreachable", 503: "unreachable", 504: "unreachable"}


class BrokenError(UplinkError):
    """The connection was made, but broke before the answer."""


class ProxyError(UplinkError):
    """An answer came which is no cloud's own: a balancer's, or a proxy's, that has none to pass on."""

    def __init__(self, reason: str, status: int, text: str) -> None:
        super().__init__(reason, text)
        self.status = status

    @property
    def passes(self) -> bool:
        """Whether the same request may be answered at once: of several clouds one was away."""
        return self.status in (502, 503, 504)


class CloudClient:
    """Sends several requests at once, each on its own connection; connections stay open. `wire`, if set before that, counts all bytes."""

    def __init__(
        self,
        url: str,
        sent: Counter,
        *,
        connections: int,
        bearer: Bearer | None = None,
        tls: RenewedContext | FixedContext | None = None,
        proxy: str | None = None,
    ) -> None:
        """`sent` counts the bytes of frames; `bearer` has the token for each request.

        `tls`: what an https cloud is checked with, by default the system's CAs. `proxy`: the URL of one to go through.
        """
        self.url = url
        self.proxy = proxy
        self.bearer = bearer
        self.tls = tls
        self.wire: Count | None = None
        self._sent, self._connections = sent, connections
        self.clouds = Fleet()

    def open(self) -> None:
        """Start, on the event loop that will use it."""
        trace = aiohttp.TraceConfig()
        trace.on_request_chunk_sent.append(self._count_sent)
        trace.on_connection_create_end.append(_note_fresh)
        # A restarted cloud may come back at another address: look it up again soon.
        limits: dict[str, Any] = {"limit": self._connections, "ttl_dns_cache": 1, "wire": self.wire}
        given: dict[str, Any] = {"bearer": self.bearer, "proxy": self.proxy, "trace_configs": [trace]}
        self._session = make_session(connector=limits, **given)
        self._afresh = make_session(connector=limits | {"force_close": True}, **given)

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()
        await self._afresh.close()

    async def request(
        self,
        method: str,
        path: str,
        patience: float | aiohttp.ClientTimeout,
        about: dict[str, Any] | None = None,
        *,
        afresh: bool = False,
        **options: Any,
    ) -> tuple[int, bytes]:
        """Status and body of the answer, whatever they say. Raises UplinkError if there is none in time, `patience` in seconds or for each part.

        `afresh`: by a connection of its own: a link that was cut, or a router that forgot, leaves all open ones dead, unseen.
        `about["fresh"]` becomes true if a connection was made for the request, `about["cloud"]` the id of the cloud that answers, if it
        says one, `about["retry_after_s"]` the seconds after which a refusal asks to come again, if it does.
        """
        number = self.clouds.sent()
        options["timeout"] = timeout = timeout_of(patience)
        options |= {"allow_redirects": False, "trace_request_ctx": about}  # a POST would go on as a GET
        if self.tls:
            options["ssl"] = self.tls.context  # a renewed one is used from the next connection on
        session = self._afresh if afresh else self._session
        try:
            async with session.request(method, self.url + path, **options) as response:
                if response.status in (301, 302, 303, 307, 308):
                    text = _REDIRECTS % (response.status, mask_url(shown(response.headers.get("Location"))))
                    raise UplinkError("refused", text)
                encoding = response.headers.get("Content-Encoding", "identity")
                if encoding.lower() != "identity":
                    text = f"the answer came as {shown(encoding, 40)}; accepted: identity"
                    raise UplinkError("refused", text)
                if cloud := cloud_id_in(response.headers.get(CLOUD_HEADER)):
                    self.clouds.answered(number, cloud)
                    if about is not None:
                        about["cloud"] = cloud
                wait = response.headers.get("Retry-After", "")
                if about is not None and wait.isascii() and wait.isdecimal() and len(wait) <= _RETRY_DIGITS:
                    about["retry_after_s"] = int(wait)
                body = await read_body(response)
                digest = response.headers.get("Content-Digest", "")
                if digest.startswith(_DIGEST) and digest != content_digest(body):
                    raise UplinkError("damaged", "the answer was damaged on its way")
                if about is not None and "overhead" in about:
                    about["overhead"] = beside_bodies(response) + len(body)
                return response.status, body
        except ExcessError as error:
            raise UplinkError("refused", str(error)) from None
        except TimeoutError as error:
            raise UplinkError("late", lateness(error, timeout)) from None
        except (aiohttp.ClientError, aiohttp.EofStream, OSError) as error:
            if problem := tls_problem(error):
                raise UplinkError("untrusted", problem) from None
            if isinstance(error, aiohttp.ClientHttpProxyError):
                raise refusal_of_proxy(error) from None
            text = shown(error) or type(error).__name__  # it may quote what was sent
            broken = isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError)
            if broken and self.tls and self.tls.files.certificate:
                text += MAYBE_REFUSED
            kind = (
                BrokenError if broken and not isinstance(error, aiohttp.ClientConnectorError) else UplinkError
            )
            raise kind("unreachable", text) from None

    async def _count_sent(
        self, _session: object, _context: object, sent: aiohttp.TraceRequestChunkSentParams
    ) -> None:
        if sent.method == "POST":  # a profile is not a frame
            self._sent.inc(len(sent.chunk))  # frames that are answered late or never count as well


async def _note_fresh(_session: object, context: Any, _ended: object) -> None:
    if context.trace_request_ctx is not None:
        context.trace_request_ctx["fresh"] = True


def parse_json(body: bytes) -> dict[str, Any]:
    """The JSON object in this body; an empty one if there is none."""
    try:
        fields = _DECODER.decode(body.decode(json.detect_encoding(body), "surrogatepass"))
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def refusal_of(status: int, body: bytes, cloud: str | None = None) -> UplinkError:
    """What a status other than 200 means for a frame, with the cloud's own words; ProxyError if no cloud says it.

    `cloud`: the id of the one that does. Clouds up to 0.10.0 name none; their refusals are JSON, with the reason.
    """
    said = parse_json(body)
    if cloud is None and not ("error" in said and "reason" in said):
        login = status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED
        text = PROXY_LOGIN if login else "of a proxy, not of a cloud"
        return ProxyError(_REASONS_OF_PROXIES.get(status, "refused"), status, f"{status} {text}")
    return refusal_for(status, shown(f"{status} {shown(said.get('error', ''))}".strip()))


def refusal_for(status: int, text: str) -> UplinkError:
    """What a cloud's own refusal means for a frame."""
    return UplinkError(_REASONS.get(status, "refused"), text)
