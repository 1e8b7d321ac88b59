"""One keep-alive HTTP client for every request to the cloud; its answers are not trusted.

Any answer, and any failure to get one, is an UplinkError at worst: it costs one frame and not the run.
"""

from __future__ import annotations

import json
import warnings
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import aiohttp

from edge.uplink.connections import PROXY_LOGIN, ExcessError, make_session, refusal_of_proxy, tls_problem
from shared.errors import MismatchError, UplinkError
from shared.limits import MAX_REPLY_BYTES
from shared.observing.logs import mask_url
from shared.security.escape import refuse_constant, shown
from shared.security.tls.refusal import MAYBE_REFUSED
from shared.wire.http import content_digest

if TYPE_CHECKING:
    from shared.network.model import Model
    from shared.observing.counting.counter import Counter
    from shared.security.tls.context import FixedContext
    from shared.security.tls.renewal import RenewedContext
    from shared.security.tokens.bearer import Bearer
    from shared.tasks.base import Task
    from shared.tasks.spec import Wanted

# A frame is one write to a socket; the warning is about bodies that take long to produce.
warnings.filterwarnings("ignore", message="Sending a large body directly", category=ResourceWarning)

_DIGEST = "sha-256="
"""Other digests are left unchecked, as RFC 9530 allows; our cloud sends this one."""
_RETRY_DIGITS = 6
"""The longest `Retry-After` that is read; it may also be a date, which ours never is."""
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


class BrokenError(UplinkError):
    """The connection was made, but broke before the answer."""


class CloudClient:
    """Sends several requests at once, each on its own connection; connections stay open."""

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
        self._sent = sent
        self._connections = connections

    def open(self) -> None:
        """Start, on the event loop that will use it."""
        trace = aiohttp.TraceConfig()
        trace.on_request_chunk_sent.append(self._count_sent)
        trace.on_connection_create_end.append(_note_fresh)
        self._session = make_session(
            bearer=self.bearer,
            proxy=self.proxy,
            # A restarted cloud may come back at another address: look it up again soon.
            connector={"limit": self._connections, "ttl_dns_cache": 1},
            trace_configs=[trace],
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def request(
        self, method: str, path: str, patience_s: float, about: dict[str, Any] | None = None, **options: Any
    ) -> tuple[int, bytes]:
        """Status and body of the answer, whatever they say. Raises UplinkError if there is none in time.

        `about["fresh"]` becomes true if a connection was made for the request, `about["retry_after_s"]` the seconds after which a
        refusal asks to come again, if it does.
        """
        options["timeout"] = aiohttp.ClientTimeout(total=max(1e-3, patience_s))  # 0 would be no limit
        options |= {"allow_redirects": False, "trace_request_ctx": about}  # a POST would go on as a GET
        if self.tls:
            options["ssl"] = self.tls.context  # a renewed one is used from the next connection on
        try:
            async with self._session.request(method, self.url + path, **options) as response:
                if response.status in (301, 302, 303, 307, 308):
                    target = mask_url(shown(response.headers.get("Location")))
                    text = f"{response.status}: it redirects to {target}; give --cloud-url the cloud's own address"
                    raise UplinkError("refused", text)
                encoding = response.headers.get("Content-Encoding", "identity")
                if encoding.lower() != "identity":
                    raise UplinkError(
                        "refused", f"the answer came as {shown(encoding, 40)}; accepted: identity"
                    )
                wait = response.headers.get("Retry-After", "")
                if about is not None and wait.isascii() and wait.isdecimal() and len(wait) <= _RETRY_DIGITS:
                    about["retry_after_s"] = int(wait)
                body = await _read_body(response)
                digest = response.headers.get("Content-Digest", "")
                if digest.startswith(_DIGEST) and digest != content_digest(body):
                    raise UplinkError("damaged", "the answer was damaged on its way")
                return response.status, body
        except ExcessError as error:
            raise UplinkError("refused", str(error)) from None
        except TimeoutError:
            raise UplinkError("late", f"no answer within {patience_s:.3g} s") from None
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

    async def put_profile(self, name: str, data: bytes, patience_s: float) -> None:
        """Upload a profile. Raises UplinkError if the cloud did not take it: `profile` if it refuses this profile."""
        status, body = await self.request("PUT", f"/profiles/{name}", patience_s, data=data)
        if status not in (200, 201):
            refusal = refusal_of(status, body)
            if refusal.reason != "busy":
                refusal.reason = "profile" if status < 500 else "unreachable"  # a proxy's answer
            raise refusal

    async def _count_sent(
        self, _session: object, _context: object, sent: aiohttp.TraceRequestChunkSentParams
    ) -> None:
        if sent.method == "POST":  # a profile is not a frame
            self._sent.inc(len(sent.chunk))  # frames that are answered late or never count as well


async def _note_fresh(_session: object, context: Any, _ended: object) -> None:
    if context.trace_request_ctx is not None:
        context.trace_request_ctx["fresh"] = True


async def _read_body(response: aiohttp.ClientResponse) -> bytes:
    """The body, bounded, so that no answer can fill this process's memory."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_REPLY_BYTES:
            raise UplinkError("refused", f"the answer is longer than {MAX_REPLY_BYTES} bytes")
    return bytes(body)


def parse_json(body: bytes) -> dict[str, Any]:
    """The JSON object in this body; an empty one if there is none."""
    try:
        fields = _DECODER.decode(body.decode(json.detect_encoding(body), "surrogatepass"))
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def refusal_of(status: int, body: bytes) -> UplinkError:
    """What a status other than 200 means for a frame, with the cloud's own words."""
    said = parse_json(body).get(
        "error", PROXY_LOGIN if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED else ""
    )
    return UplinkError(_REASONS.get(status, "refused"), shown(f"{status} {shown(said)}".strip()))


def read_model(status: int, body: bytes, url: str) -> dict[str, Any]:
    """The cloud's answer to `GET /model`, with at least its fingerprint.

    Raises UplinkError if the cloud is away, MismatchError if something answers that is not a SplitDNN cloud.
    """
    if status == 503:
        raise UplinkError("busy", "it is starting or stopping")
    if status >= 500:  # a proxy's answer, while the cloud behind it is away
        raise UplinkError("unreachable", f"GET /model: {status}")
    said = parse_json(body)
    # Which may end while this edge runs; the second are a cloud's, and a proxy's.
    if said.get("reason") in ("unauthenticated", "forbidden") or status in (407, 408, 429):
        raise refusal_of(status, body)
    if status != 200 or "fingerprint" not in said:
        raise MismatchError(
            f"{url} answers, but not as a SplitDNN cloud (GET /model: {status}); "
            "give --cloud-url the address of `python -m cloud`"
        )
    return said


def frame_path(model: Model, wanted: Wanted) -> str:
    """Where frames are posted to."""
    query = []
    if model.labels:  # the cloud refuses more classes than there are, and any number where there are none
        query.append(f"top={min(wanted.top, len(model.labels))}")
    if wanted.threshold is not None:
        query.append(f"threshold={wanted.threshold!r}")
    return f"/model?{'&'.join(query)}" if query else "/model"


def serves(said: dict[str, Any], model: Model) -> bool:
    """Whether a cloud that answers this to `GET /model` runs the network, or still serves it beside a newer one."""
    others = said.get("also_serves")
    return model.fingerprint.hex() in [said["fingerprint"], *(others if isinstance(others, list) else [])]


def mismatch(said: dict[str, Any], url: str, model: Model, task: Task) -> str | None:
    """The line that says which two networks met, or which two tasks; None if both sides have the same."""
    if not serves(said, model):
        return (
            f"the cloud at {url} runs {shown(said.get('model'), 80)} with weights {shown(said.get('weights'), 80)} "
            f"({shown(said['fingerprint'], 16)}), this edge {model.name} with weights {model.weights} ({model.fingerprint.hex()}); "
            "give both the same --model and --weights, or the edge --model cloud"
        )
    theirs = said.get("task", task.name)  # its current network's; a cloud up to 0.5.0 does not say
    if said["fingerprint"] == model.fingerprint.hex() and theirs != task.name:
        return (
            f"the cloud at {url} answers with the task {shown(theirs, 80)}, this edge with {task.name}; give both the same --task, or "
            "the edge --model cloud"
        )
    return None
