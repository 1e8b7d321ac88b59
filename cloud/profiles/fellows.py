"""The other clouds of a fleet, asked for a profile by its hash, or for a network by its fingerprint. Only addresses of this cloud's own settings are asked, never one of a request."""

from __future__ import annotations

import asyncio
import logging
import socket
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from tornado.httpclient import HTTPError, HTTPRequest
from tornado.simple_httpclient import SimpleAsyncHTTPClient

from shared.codecs.calibrated.profile import digest_of
from shared.errors import SettingsError
from shared.limits import MAX_PROFILE_BYTES, MAX_REQUEST_HEADER_BYTES
from shared.security.escape import shown
from shared.wire.cloud_id import CLOUD_HEADER, cloud_id_in

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from tornado.httpclient import HTTPResponse

    from shared.security.tokens.bearer import Bearer

_log = logging.getLogger(__name__)

MOST = 64
"""Addresses that are asked at most."""
_AT_ONCE = 8
_CONNECT_S = 1.0
_QUESTION_S = 2.0
_TRANSFER_S = 20.0
_USUAL = (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT, HTTPStatus.NOT_FOUND)
_Found = TypeVar("_Found")


@dataclass(frozen=True)
class Address:
    """Where one of them listens: `host` is what its certificate is checked for, `ip` where the connection goes."""

    url: str
    host: str
    ip: str


class Fellow:
    """One of them, and how it is asked."""

    def __init__(
        self, address: Address, kind: str, own: str, bearer: Bearer, context: ssl.SSLContext | None
    ) -> None:
        """As for `Fellows`; `kind` is what it is asked for."""
        self.url = address.url
        self._address = address
        self._kind = kind
        self._own = own
        self._bearer = bearer
        self._context = context

    async def get(
        self, path: str, timeout_s: float, most_bytes: int, headers: dict[str, str] | None = None
    ) -> HTTPResponse | None:
        """As `ask`."""
        return await self.ask("GET", path, timeout_s, most_bytes, headers)

    async def ask(
        self,
        method: str,
        path: str,
        timeout_s: float,
        most_bytes: int,
        headers: dict[str, str] | None = None,
    ) -> HTTPResponse | None:
        """Its answer, of at most so many bytes; None if there is none, or it is this cloud's own or nobody's of ours."""
        address = self._address
        client = SimpleAsyncHTTPClient(
            force_instance=True,
            hostname_mapping={address.host: address.ip},
            max_header_size=MAX_REQUEST_HEADER_BYTES,
            max_body_size=most_bytes,
        )
        request = HTTPRequest(
            address.url + path,
            method=method,
            headers={"Accept-Encoding": "identity"} | (headers or {}) | self._bearer.headers(),
            connect_timeout=_CONNECT_S,
            request_timeout=timeout_s,
            follow_redirects=False,
            decompress_response=False,
            ssl_options=self._context,
            user_agent="splitdnn",
        )
        try:
            answer = await client.fetch(request, raise_error=False)
        except (HTTPError, OSError, ValueError) as error:
            _log.info("the cloud %s at %s does not answer: %s", address.url, address.ip, shown(error))
            return None
        finally:
            client.close()
        cloud = cloud_id_in(answer.headers.get(CLOUD_HEADER))
        if cloud == self._own:
            return None
        if cloud is None or answer.code not in _USUAL:
            _log.info(
                "the cloud %s at %s gives no %s: %d %s", address.url, address.ip, self._kind, answer.code, shown(answer.error or "")
            )  # fmt: skip
        return answer if cloud else None


class Fellows:
    """Asks them. On the event loop only."""

    def __init__(
        self,
        urls: Sequence[str],
        own: str,
        bearer: Bearer,
        make_context: Callable[[], ssl.SSLContext | None],
        resolve: Callable[[str, int], Awaitable[Iterable[str]]] | None = None,
    ) -> None:
        """`own` is this cloud's id: it may be found under these addresses too. `bearer` has the token that they are shown.

        `make_context`, called on a thread, makes what https ones are checked with. `resolve` gives all addresses of a name.
        """
        self._urls = urls
        self._own = own
        self._bearer = bearer
        self._make_context = make_context
        self._resolve = resolve or _addresses

    async def profile(self, name: str) -> bytes | None:
        """The file of the profile of this name, checked by its hash; None if none of them has it, or can be reached."""
        path = f"/profiles/{name}/file"

        async def take(fellow: Fellow) -> bytes | None:
            answer = await fellow.get(path, _TRANSFER_S, MAX_PROFILE_BYTES)
            if answer is None or answer.code != HTTPStatus.OK:
                return None  # it was dropped meanwhile, or too many are being fetched
            if await asyncio.to_thread(digest_of, answer.body) == bytes.fromhex(name):
                return bytes(answer.body)
            _log.warning("%s has the profile %s, but what came is not that", fellow.url, name)
            return None

        return await self.first(path, "profile", name, take)

    async def first(
        self, path: str, kind: str, name: str, take: Callable[[Fellow], Awaitable[_Found | None]]
    ) -> _Found | None:
        """What `take` makes of the first of them that has this path, and of which it makes anything; None if there is none.

        `kind` and `name` are what the log calls it. One that has it is asked further by what `take` is given.
        """
        try:
            context = await asyncio.to_thread(self._make_context)
        except SettingsError as error:  # as while its files are replaced
            _log.warning("no other cloud is asked for the %s %s: %s", kind, name, error)
            return None
        places = asyncio.Semaphore(_AT_ONCE)

        async def asked(address: Address) -> Fellow | None:
            fellow = Fellow(address, kind, self._own, self._bearer, context)
            async with places:
                answer = await fellow.ask("HEAD", path, _QUESTION_S, MAX_PROFILE_BYTES)
            return fellow if answer is not None and answer.code == HTTPStatus.OK else None

        questions = [asyncio.create_task(asked(address)) for address in await self._all()]
        try:
            for question in asyncio.as_completed(questions):
                fellow = await question
                if fellow and (found := await take(fellow)) is not None:
                    return found
        finally:
            for task in questions:
                task.cancel()
            await asyncio.gather(*questions, return_exceptions=True)
        return None

    async def _all(self) -> list[Address]:
        """Every address that the names of the settings have at the moment."""
        found: dict[tuple[str, str], Address] = {}
        for url in self._urls:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port or 0
            try:
                addresses = await self._resolve(host, port)
            except OSError as error:
                _log.info("no other cloud is found under %s: %s", url, error.strerror or error)
                continue
            found |= {(ip, url): Address(url, host, ip) for ip in addresses}
        return list(found.values())[:MOST]


async def _addresses(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))
