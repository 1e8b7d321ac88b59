"""Requests for a bundle's files: each answer bounded before it is taken, each failure one line."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING, BinaryIO

import aiohttp

from edge.uplink.client import parse_json
from edge.uplink.connections import make_session, tls_problem
from shared.errors import FetchError
from shared.network.manifest import MANIFEST
from shared.security.escape import shown

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from edge.uplink.asking.counted import Count
    from shared.security.tokens.bearer import Bearer

CONNECT_S = 10.0
SILENCE_S = 30.0
"""Without a byte for so long, a connection counts as cut."""
_BLOCK = 1 << 20


def open_session(
    bearer: Bearer | None = None,
    tls: ssl.SSLContext | None = None,
    proxy: str | None = None,
    wire: Count | None = None,
) -> aiohttp.ClientSession:
    """A session for such requests, which show the bearer's token, by the way of a proxy if there is one.

    `tls`: what an https cloud is checked with, by default the system's CAs. `wire` counts all bytes.
    """
    return make_session(
        bearer=bearer,
        proxy=proxy,
        connector={"ssl": tls or True, "wire": wire},
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=SILENCE_S),
    )


@contextlib.asynccontextmanager
async def get(
    session: aiohttp.ClientSession, url: str, headers: dict[str, str] | None = None, patience_s: float = 60.0
) -> AsyncIterator[aiohttp.ClientResponse]:
    """The answer to a GET, 200 or 206; its body is read within the block. Raises FetchError."""
    try:
        async with (
            asyncio.timeout(patience_s),
            session.get(url, headers=headers, allow_redirects=False) as response,
        ):
            if response.status not in (200, 206):
                raise _refusal(url, response.status, await response.content.read(2000))
            encoding = response.headers.get("Content-Encoding", "identity")
            if encoding != "identity":
                raise FetchError("refused", f"{url} came as {shown(encoding, 40)}; accepted: identity")
            yield response
    except (TimeoutError, aiohttp.ClientError) as error:
        text = tls_problem(error) or shown(error) or "it came too slowly, or not at all"
        raise FetchError("cut", f"{url}: {text}", passing=True) from None


def _refusal(url: str, status: int, body: bytes) -> FetchError:
    said = parse_json(body)
    if status == 403 and said.get("reason") == "bundle_not_served":
        return FetchError(
            "refused",
            f"{url}: 403: this cloud gives its network to nobody; start it with --serve-bundle, or give this edge the bundle's folder "
            "as --model",
        )
    text = f"{url}: {status} {shown(said.get('error', ''))}".strip()
    # 401: its token has just been replaced. 404: the cloud has just taken another network. 503 and a proxy's 5xx: it starts, or is away.
    return FetchError(
        "refused" if status < 500 else "cut", text, passing=status in (401, 404, 429) or status >= 500
    )


def require_length(response: aiohttp.ClientResponse, most: int, name: str) -> None:
    """Raise FetchError if more is announced than is accepted, before any of it is taken."""
    announced = response.content_length
    if announced is not None and announced > most:
        raise _too_large(response, name, announced, most)


def _too_large(response: aiohttp.ClientResponse, name: str, found: int, most: int) -> FetchError:
    return FetchError(
        "too_large",
        f"{response.url}: {name} has {found} bytes or more; accepted: {most}",
        passing=name != MANIFEST,
    )


def continues(response: aiohttp.ClientResponse, have: int) -> bool:
    """Whether a part of a file, with status 206, is the one that begins after `have` bytes."""
    return re.match(rf"bytes {have}-\d+/", response.headers.get("Content-Range", "")) is not None


async def _write(file: BinaryIO, block: bytearray) -> int:
    """Write on a thread, to the end even if this task is cancelled meanwhile: no block is then half there, or there twice."""
    writing = asyncio.ensure_future(asyncio.to_thread(file.write, block))
    try:
        return await asyncio.shield(writing)
    except asyncio.CancelledError:
        await writing
        raise


async def receive(
    response: aiohttp.ClientResponse, target: Path, have: int, whole: int, came: Callable[[int], object]
) -> None:
    """Write what comes, in blocks, after the `have` bytes that are there. Raises FetchError unless `whole` bytes are there then.

    `came` is told how many bytes each piece has.
    """
    with await asyncio.to_thread(target.open, "r+b" if have else "wb") as file:
        await asyncio.to_thread(file.truncate, have)
        file.seek(have)
        block = bytearray()
        try:
            async for chunk in response.content.iter_any():
                block += chunk
                came(len(chunk))
                if have + len(block) > whole:
                    block.clear()
                    raise _too_large(response, target.name, have + len(chunk), whole)
                if len(block) >= _BLOCK:
                    full, block = block, bytearray()
                    have += await _write(file, full)
        finally:  # a cut, too: what has come is kept
            have += file.write(block)
    if have != whole:
        raise FetchError("cut", f"{response.url}: {have} of {whole} bytes came", passing=True)
