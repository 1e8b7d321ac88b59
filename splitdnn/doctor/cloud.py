"""The cloud as this edge meets it: whether it is there and lets the edge in, its versions, its clock, its certificate."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import statistics
import time
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp

from edge.uplink.connections import make_session
from edge.uplink.greeting import mismatch
from shared import __version__
from shared.errors import MismatchError, UplinkError
from shared.observing.logs import mask_url
from shared.security.escape import shown
from shared.security.tls.certificate import expiry_of
from splitdnn.doctor.finding import Finding, State

if TYPE_CHECKING:
    from edge.config import EdgeSettings
    from edge.uplink.line import Line
    from shared.network.model import Model
    from shared.security.tls.context import FixedContext
    from shared.tasks.base import Task

_ROUNDS = 9
_SLOW_ROUND_TRIP_S = 0.3
_CLOCK_S = 5.0
"""By how much the clocks may differ: tokens and certificates are valid by the clock."""
_DAY_S = 86_400
_SOON_DAYS = 14
_TODO = {
    "unreachable": "check the address, that `splitdnn cloud` runs there, and what is between",
    "late": "check the address and what is between: a firewall that drops packets looks like this",
    "unauthorized": "give --cloud-token-file a token of this cloud, which has not expired (docs/access.md)",
    "untrusted": "give --ca the CA that has signed its certificate, and the name that stands in it as --cloud-url (docs/tls.md)",
    "busy": "wait until it has started, or look at its queue (docs/operations.md)",
}


async def look_at_cloud(
    line: Line, model: Model | None, task: Task | None
) -> tuple[list[Finding], dict[str, Any] | None]:
    """Whether it answers, and as what; what it says of itself, or None. `line` must be open."""
    where = mask_url(line.client.url)
    try:
        said = await line.ask_model()
    except MismatchError as error:
        return [Finding("cloud", State.WRONG, str(error))], None
    except UplinkError as error:
        todo = _TODO.get(error.reason, "look at the cloud's log")
        return [Finding("cloud", State.WRONG, f"{where}: {error.reason}: {error}", todo)], None
    version = shown(said["version"], 40) if "version" in said else "0.10.0 or before"
    text = f"{where}: version {version}, here {__version__}; runs {shown(said.get('model'), 80)}"
    if model is None or task is None:
        return [Finding("cloud", State.GOOD, text)], said
    if problem := mismatch(said, line.client.url, model, task):
        return [Finding("cloud", State.WRONG, problem)], None
    behind = version != __version__
    todo = "update the older side: what only one of them has is not used" if behind else ""
    return [
        Finding("cloud", State.DOUBTFUL if behind else State.GOOD, f"{text}, this edge's network", todo)
    ], said


async def look_at_round_trip(settings: EdgeSettings, url: str, context: FixedContext | None) -> list[Finding]:
    """The round trip of the smallest request on a kept connection, and how far the clocks are apart."""
    options: dict[str, Any] = {"ssl": context.context} if context else {}
    times, told = [], ""
    try:
        async with make_session(
            proxy=settings.proxy, timeout=aiohttp.ClientTimeout(total=settings.deadline_s)
        ) as session:
            for _ in range(_ROUNDS):
                start = time.perf_counter()
                async with session.get(f"{url}/healthz", **options) as response:
                    await response.read()
                    told = response.headers.get("Date", "")
                times.append(time.perf_counter() - start)
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        return [
            Finding("round trip", State.WRONG, f"{mask_url(url)}: {shown(error) or type(error).__name__}")
        ]
    middle_s = statistics.median(times[1:])  # the first one makes the connection
    text = f"{1e3 * middle_s:.1f} ms (worst of {len(times) - 1}: {1e3 * max(times[1:]):.1f} ms), {1e3 * times[0]:.1f} ms with a new connection"
    slow = middle_s > _SLOW_ROUND_TRIP_S
    todo = (
        "each frame waits for it: give --in-flight more frames, and --deadline-s more than twice this"
        if slow
        else ""
    )
    return [
        Finding("round trip", State.DOUBTFUL if slow else State.GOOD, text, todo),
        _clock(told, time.time()),
    ]


def _clock(told: str, now_s: float) -> Finding:
    try:
        cloud_s = parsedate_to_datetime(told).timestamp()
    except (TypeError, ValueError):
        return Finding("clock", State.UNKNOWN, "the cloud does not say what time it is")
    ahead_s = cloud_s + 0.5 - now_s  # it says whole seconds
    text = (
        f"the cloud's is {abs(ahead_s):.0f} s {'ahead' if ahead_s > 0 else 'behind'}"
        if abs(ahead_s) > 1
        else "equal to a second"
    )
    if abs(ahead_s) <= _CLOCK_S:
        return Finding("clock", State.GOOD, text)
    return Finding(
        "clock", State.WRONG, text, "set both by NTP: tokens and certificates are valid by the clock"
    )


async def look_at_certificates(
    settings: EdgeSettings, url: str, context: FixedContext | None
) -> list[Finding]:
    """Until when the cloud's certificate is valid, and this edge's own."""
    if context is None:
        return []
    found = [await _clouds(settings, url, context.context)]
    if settings.client_certificate:
        pem = await asyncio.to_thread(Path(settings.client_certificate).read_text, encoding="utf-8")
        found.append(_valid("own certificate", expiry_of(pem), time.time()))
    return found


async def _clouds(settings: EdgeSettings, url: str, context: ssl.SSLContext) -> Finding:
    if settings.proxy:
        return Finding(
            "certificate", State.UNKNOWN, "the cloud is behind a proxy; it was checked, and is not shown"
        )
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(settings.deadline_s):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port or 443, ssl=context)
    except (OSError, TimeoutError) as error:
        return Finding("certificate", State.WRONG, shown(error) or type(error).__name__, _TODO["untrusted"])
    peer: Any = writer.get_extra_info("peercert")
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return _valid("certificate", ssl.cert_time_to_seconds(peer["notAfter"]), time.time())


def _valid(about: str, until_s: float, now_s: float) -> Finding:
    days = (until_s - now_s) / _DAY_S
    date = time.strftime("%Y-%m-%d", time.gmtime(until_s))
    if days < 0:
        return Finding(
            about,
            State.WRONG,
            f"expired on {date}",
            "renew it: files are read again within seconds (docs/tls.md)",
        )
    state = State.DOUBTFUL if days < _SOON_DAYS else State.GOOD
    return Finding(
        about, state, f"valid until {date}, {days:.0f} days", "renew it" if state is State.DOUBTFUL else ""
    )
