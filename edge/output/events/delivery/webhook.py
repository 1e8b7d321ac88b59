"""Events to a webhook: each is one signed POST of its JSON, in the order of its camera, until the receiver answers 2xx."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import aiohttp

from edge.output.events.delivery.account import DeliveryError
from edge.output.events.delivery.backoff import Backoff
from edge.output.events.delivery.signature import signed
from edge.uplink.connections import PROXY_LOGIN, ExcessError, make_session, refusal_of_proxy, tls_problem
from shared.security.escape import shown
from shared.security.tls.refusal import Words

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.output.events.delivery.account import Account
    from edge.output.events.delivery.secret_file import SecretFile
    from edge.output.events.delivery.targets import Receiver
    from edge.output.events.event import Event
    from edge.output.events.spool import Entry, Reader
    from shared.security.tls.renewal import RenewedContext

WORDS = Words("the receiver", "--events", "--events-ca", "--events-certificate", "CA for clients")
_UNDER_WAY = 32
"""Events that are handed out and not delivered, of all cameras together."""
_CONNECTIONS = 8
_PATIENCE_S = 15.0
_MOST_ASKED_S = 300.0
"""The longest wait that a receiver is given for the asking."""
_GIVE_UP_S, _GIVE_UP_TRIES = 86400.0, 100
"""A receiver that answers, but takes an event for so long no more, and so often, will never take it: the next ones are not to wait for it.
Without the second number, two failures with a long absence between them would do."""
_CONNECT_S = 10.0
_MAX_ANSWER_BYTES = 1 << 14
"""Nobody needs the content; after a longer answer the connection is closed."""
_RETRY_DIGITS = 6
_PASSING = {408, 429}


class _PresentError(DeliveryError):
    """Somebody is there, and has not taken the event."""


class RefusedError(DeliveryError):
    """The receiver will not have this event."""

    def __init__(self, text: str) -> None:
        super().__init__("refused", text)


class WebhookDelivery:
    """To one receiver, from `run` until that is cancelled. Used from the event loop only."""

    def __init__(
        self,
        receiver: Receiver,
        reader: Reader,
        account: Account,
        *,
        secrets: SecretFile[tuple[bytes, ...]],
        tls: RenewedContext | None = None,
        proxy: str | None = None,
        backoff: Callable[[], Backoff] = Backoff,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """`secrets` sign. `tls`: what an https receiver is checked with. `proxy`: the URL of one to go through."""
        self._receiver, self._reader, self._account = receiver, reader, account
        self._secrets, self._tls, self._proxy = secrets, tls, proxy
        self._backoff, self._clock, self._wall_clock = backoff, clock, wall_clock
        self._lanes: dict[str | None, deque[Entry]] = {}
        """What is under way, by camera: one waits for the other."""

    async def run(self) -> None:
        """Deliver for ever."""
        room = asyncio.Semaphore(_UNDER_WAY)
        self._lanes.clear()
        self._reader.again()
        limits = {"limit": _CONNECTIONS, "ttl_dns_cache": 1}
        async with make_session(connector=limits, proxy=self._proxy) as session, asyncio.TaskGroup() as group:
            while True:
                await room.acquire()
                entry = await self._reader.next()
                camera = entry.event.camera
                if camera in self._lanes:
                    self._lanes[camera].append(entry)
                else:
                    self._lanes[camera] = deque([entry])
                    group.create_task(self._empty(camera, session, room))

    async def _empty(
        self, camera: str | None, session: aiohttp.ClientSession, room: asyncio.Semaphore
    ) -> None:
        lane = self._lanes[camera]
        while lane:
            await self._deliver(lane[0], session)
            lane.popleft()
            room.release()
        del self._lanes[camera]

    async def _deliver(self, entry: Entry, session: aiohttp.ClientSession) -> None:
        """Try until it is taken, or never will be."""
        backoff, began, tries = self._backoff(), 0.0, 0
        while True:
            try:
                await self._post(entry.event, session)
            except RefusedError as error:
                self._lose(entry, error)
                return
            except DeliveryError as error:
                if isinstance(error, _PresentError):
                    began = began if tries else self._clock()
                    tries += 1
                    if self._clock() - began >= _GIVE_UP_S and tries > _GIVE_UP_TRIES:
                        self._lose(entry, DeliveryError("given_up", f"tried for a day; at last: {error}"))
                        return
                self._account.failed(error)
                await asyncio.sleep(max(backoff.next_s(), error.retry_after_s))
            else:
                self._account.works()
                self._reader.done(entry.position)
                return

    def _lose(self, entry: Entry, error: DeliveryError) -> None:
        self._account.lost(error)
        self._reader.give_up(entry.position)

    async def _post(self, event: Event, session: aiohttp.ClientSession) -> None:
        """Once. Raises DeliveryError."""
        body = event.json()
        headers = {"Content-Type": "application/json"} | signed(
            await self._secrets.latest(), event.id, int(self._wall_clock()), body
        )
        options: dict[str, Any] = {
            "timeout": aiohttp.ClientTimeout(total=_PATIENCE_S, sock_connect=_CONNECT_S)
        }
        if self._tls:
            options["ssl"] = self._tls.context
        try:
            async with session.post(
                self._receiver.url, data=body, headers=headers, allow_redirects=False, **options
            ) as response:
                if response.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED and self._proxy:
                    raise DeliveryError("unauthorized", PROXY_LOGIN)
                _judge(response)
                await _skip(response)
        except ExcessError as error:
            raise _PresentError("failed", str(error)) from None
        except aiohttp.ConnectionTimeoutError:
            raise DeliveryError("timeout", f"no connection within {_CONNECT_S:g} s") from None
        except TimeoutError:
            raise _PresentError("timeout", f"no answer within {_PATIENCE_S:g} s") from None
        except (aiohttp.ClientError, aiohttp.EofStream, OSError) as error:
            if problem := tls_problem(error, WORDS):
                raise DeliveryError("untrusted", problem) from None
            if isinstance(error, aiohttp.ClientHttpProxyError):
                refusal = refusal_of_proxy(error)
                raise DeliveryError(refusal.reason, str(refusal)) from None
            kind = DeliveryError if isinstance(error, aiohttp.ClientConnectorError) else _PresentError
            raise kind("unreachable", self._told(error)) from None

    def _told(self, error: Exception) -> str:
        """What went wrong, without the URL: its path is nobody's business."""
        cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
        text = shown((cause.strerror if isinstance(cause, OSError) else None) or cause)
        return type(error).__name__ if self._receiver.url in text or not text else text


def _judge(response: aiohttp.ClientResponse) -> None:
    """Whether the event was taken. Raises DeliveryError."""
    status = response.status
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise _PresentError("failed", f"{status}: it redirects; give --events the receiver's own address")
    text = f"it answers {status} {shown(response.reason or '', 80)}".rstrip()
    if 400 <= status < 500 and status not in _PASSING:
        raise RefusedError(text)
    wait = response.headers.get("Retry-After", "")
    known = wait.isascii() and wait.isdecimal() and len(wait) <= _RETRY_DIGITS
    raise _PresentError("failed", text, retry_after_s=min(float(wait), _MOST_ASKED_S) if known else 0.0)


async def _skip(response: aiohttp.ClientResponse) -> None:
    """Read a short answer to its end, so that its connection can be used again."""
    left = _MAX_ANSWER_BYTES
    while left > 0 and (piece := await response.content.readany()):
        left -= len(piece)
