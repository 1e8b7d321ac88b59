"""Fetches a bundle from the cloud: `GET /bundle/{fingerprint}` is its bundle.json, `GET /bundle/{fingerprint}/{file}` a file of it.

Nothing that the cloud says is trusted: sizes are compared with limits, and with the disk, before bytes are taken; only the three files
that a bundle has are asked for; each is compared with its SHA-256. What has come before a cut stays, and is asked for no more.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import time
from typing import TYPE_CHECKING

from edge.network.download import SILENCE_S, continues, get, open_session, receive, require_length
from shared.errors import FetchError, ModelError
from shared.limits import MAX_MANIFEST_BYTES
from shared.network.manifest import FILES, MANIFEST, parse_manifest
from shared.process.digest import sha256_of
from shared.security.escape import shown

if TYPE_CHECKING:
    from pathlib import Path

    import aiohttp

    from edge.uplink.asking.counted import Count
    from shared.network.making.store import BundleStore
    from shared.network.manifest import FileEntry, Manifest
    from shared.security.tls.context import FixedContext
    from shared.security.tls.renewal import RenewedContext
    from shared.security.tokens.bearer import Bearer

_log = logging.getLogger(__name__)

_SLOWEST = 16_000.0
"""Bytes a second. A file that comes more slowly counts as cut now and then, so that no fetch takes for ever unnoticed."""
_SPARE_BYTES = 64 << 20
"""Left free on the disk."""


class BundleFetch:
    """Fetches from one cloud into one store. Used on an event loop; the disk is written to on threads."""

    def __init__(
        self,
        url: str,
        store: BundleStore,
        bearer: Bearer | None = None,
        tls: RenewedContext | FixedContext | None = None,
        proxy: str | None = None,
        wire: Count | None = None,
    ) -> None:
        """`bearer` has the token that the cloud is shown; `tls`: what an https cloud is checked with, by default the system's CAs.

        `proxy`: the URL of one to go through. `wire` counts all bytes.
        """
        self._bearer = bearer
        self._proxy = proxy
        self._url = url
        self._wire = wire
        self._tls = tls
        self._store = store
        self.received = 0
        """Bytes of files so far, whatever became of them."""

    async def fetch(self, fingerprint: str) -> Path:
        """The folder of the bundle, complete and checked. Raises FetchError; what has come stays for the next try."""
        try:
            with self._store.unfinished(fingerprint) as folder:
                if folder is None:
                    raise FetchError(
                        "cut", "another edge on this machine is fetching the same bundle", passing=True
                    )
                if kept := await asyncio.to_thread(self._store.find, fingerprint):
                    return kept  # the other edge has finished
                context = self._tls.context if self._tls else None
                async with open_session(self._bearer, context, self._proxy, self._wire) as session:
                    return await self._fetch_all(session, folder, fingerprint)
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            what = (
                "the disk is full; make room, or give --cache-dir a folder with more"
                if full
                else error.strerror
            )
            raise FetchError(
                "disk", f"fetching the cloud's network: {error.filename or 'the cache'}: {what}"
            ) from None

    async def _fetch_all(self, session: aiohttp.ClientSession, folder: Path, fingerprint: str) -> Path:
        start = time.monotonic()
        manifest = await self._manifest(session, folder, fingerprint)
        total = sum(entry.bytes for entry in manifest.files.values())
        missing = total - sum(_size(folder / name) for name in FILES)
        if missing + _SPARE_BYTES > self._store.free_bytes():
            raise FetchError(
                "disk",
                f"the cloud's network takes {_mb(total)}, of which {_mb(missing)} are to come, and {folder.parent} has "
                f"{_mb(self._store.free_bytes())} left; make room, or give --cache-dir a folder with more",
            )
        here = f", {_mb(total - missing)} of it here already" if missing < total else ""
        _log.info("fetching %s, fingerprint %s: %s%s", manifest.name, fingerprint, _mb(total), here)
        for name in FILES:
            await self._file(
                session, f"{self._url}/bundle/{fingerprint}/{name}", folder / name, manifest.files[name]
            )
        kept = await asyncio.to_thread(self._store.keep, folder, fingerprint)
        _log.info("fetched %s in %.1f s: %s", manifest.name, time.monotonic() - start, kept)
        return kept

    async def _manifest(self, session: aiohttp.ClientSession, folder: Path, fingerprint: str) -> Manifest:
        """Ask for bundle.json and keep it; files of another one that has the same fingerprint are removed."""
        async with get(session, f"{self._url}/bundle/{fingerprint}") as response:
            require_length(response, MAX_MANIFEST_BYTES, MANIFEST)
            data = await response.content.read(MAX_MANIFEST_BYTES + 1)
            while len(data) <= MAX_MANIFEST_BYTES and (more := await response.content.readany()):
                data += more
        try:
            manifest = parse_manifest(data, f"the bundle of {self._url}")
        except ModelError as error:
            raise FetchError("damaged", shown(error)) from None
        if manifest.fingerprint != fingerprint:
            raise FetchError(
                "damaged",
                f"{self._url} was asked for the bundle {fingerprint} and sent {manifest.fingerprint}",
                passing=True,
            )
        await asyncio.to_thread(_keep_manifest, folder, data)
        return manifest

    async def _file(self, session: aiohttp.ClientSession, url: str, target: Path, entry: FileEntry) -> None:
        """Bring one file, from where it was cut, and check it."""
        have = _size(target)
        if have > entry.bytes:
            _remove(target)
            have = 0
        if have < entry.bytes or not have:
            headers = {"Range": f"bytes={have}-"} if have else {}
            patience_s = SILENCE_S + (entry.bytes - have) / _SLOWEST
            async with get(session, url, headers, patience_s) as response:
                if response.status == 206 and not continues(response, have):
                    _remove(target)
                    raise FetchError(
                        "cut", f"{url} goes on at another place than was asked for", passing=True
                    )
                if response.status == 200:
                    have = 0  # it cannot go on in the middle
                require_length(response, entry.bytes - have, target.name)
                await receive(response, target, have, entry.bytes, self._count)
        if await asyncio.to_thread(sha256_of, target) != entry.sha256:
            _remove(target)
            raise FetchError(
                "damaged",
                f"{url} has another SHA-256 than its bundle.json says; if it happens again, make the bundle again on the "
                "cloud's machine, or copy it from there",
                passing=True,
            )

    def _count(self, came: int) -> None:
        self.received += came


def _keep_manifest(folder: Path, data: bytes) -> None:
    kept = folder / MANIFEST
    if not kept.is_file() or kept.read_bytes() != data:
        for name in FILES:
            _remove(folder / name)
        kept.write_bytes(data)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _mb(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
