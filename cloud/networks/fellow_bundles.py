"""Fetches a bundle from another cloud of the fleet: its bundle.json, then each file in pieces, compared with the SHA-256 in that.

What an edge fetches is fetched in the same form (cloud/http/bundle.py). A piece is in memory as a frame is, and is written on a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from shared.errors import FetchError, ModelError
from shared.limits import MAX_MANIFEST_BYTES
from shared.network.bundle import read_bundle
from shared.network.making.store import BundleStore
from shared.network.manifest import FILES, MANIFEST, Manifest, parse_manifest
from shared.process.digest import sha256_of
from shared.security.escape import shown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tornado.httpclient import HTTPResponse

    from cloud.profiles.fellows import Fellow, Fellows
    from shared.network.manifest import FileEntry

_log = logging.getLogger(__name__)

PIECE_BYTES = 4 << 20
_PIECE_S = 60.0
"""A link that carries less than 70 kB a second is none for this."""
_WHOLE_S = 600.0
_TRIES, _PAUSE_S = 5, 1.0
"""For one piece: too many may be fetched there at the moment."""
_SPARE_BYTES = 64 << 20
"""Left free on the disk."""


class FellowBundles:
    """On the event loop."""

    def __init__(
        self, fellows: Fellows, cache_dir: str, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        """`cache_dir` as in the settings: what was fetched is kept there."""
        self._fellows = fellows
        self._cache_dir = cache_dir
        self._sleep = sleep
        self._store: BundleStore | None = None

    async def fetch(self, fingerprint: str) -> Path | None:
        """The folder of this bundle, verified: kept from earlier, or fetched now; None if no other cloud gives it. Raises FetchError."""
        if self._store is None:
            self._store = await asyncio.to_thread(BundleStore, self._cache_dir)
        store = self._store
        try:
            async with asyncio.timeout(_WHOLE_S):
                while True:
                    if kept := await asyncio.to_thread(_kept, store, fingerprint):
                        return kept
                    with contextlib.ExitStack() as held:
                        folder = await asyncio.to_thread(held.enter_context, store.unfinished(fingerprint))
                        if folder and (kept := await asyncio.to_thread(_kept, store, fingerprint)):
                            return kept  # another worker has just fetched it
                        if folder:
                            return await self._fetch_from_any(store, folder, fingerprint)
                    await self._sleep(_PAUSE_S)  # another worker fetches it
        except TimeoutError:
            raise FetchError(
                "cut", f"the network {fingerprint} has not come within {_WHOLE_S:.0f} s"
            ) from None
        except OSError as error:
            raise FetchError("disk", f"fetching a network: {error.strerror or error}") from None

    def close(self) -> None:
        """Remove what was kept in a temporary folder."""
        if self._store:
            self._store.close()

    async def _fetch_from_any(self, store: BundleStore, folder: Path, fingerprint: str) -> Path | None:
        problems: list[FetchError] = []

        async def take(fellow: Fellow) -> Path | None:
            try:
                return await self._fetch(fellow, store, folder, fingerprint)
            except FetchError as error:
                _log.warning("%s; another cloud is tried, if there is one", error)
                problems.append(error)
                return None

        found: Path | None = None
        try:
            found = await self._fellows.first(f"/bundle/{fingerprint}", "bundle", fingerprint, take)
        finally:
            if (
                found is None
            ):  # what has come of one that did not come whole is of no use, and may be a gigabyte
                await asyncio.to_thread(_clear, folder)
        if found is None and problems:
            raise problems[-1]
        return found

    async def _fetch(self, fellow: Fellow, store: BundleStore, folder: Path, fingerprint: str) -> Path:
        manifest = await self._manifest(fellow, folder, fingerprint)
        total = sum(entry.bytes for entry in manifest.files.values())
        if total + _SPARE_BYTES > store.free_bytes():
            raise FetchError(
                "disk", f"{folder.parent} has no room for the {total / 1e6:.1f} MB of {manifest.name}"
            )
        for name in FILES:
            await self._file(fellow, f"/bundle/{fingerprint}/{name}", folder / name, manifest.files[name])
        kept = await asyncio.to_thread(store.keep, folder, fingerprint)
        _log.info(
            "fetched %s, fingerprint %s, from %s: %.1f MB",
            manifest.name,
            fingerprint,
            fellow.url,
            total / 1e6,
        )
        return kept

    async def _manifest(self, fellow: Fellow, folder: Path, fingerprint: str) -> Manifest:
        answer = await self._patiently(
            fellow, f"/bundle/{fingerprint}", MAX_MANIFEST_BYTES, {}, HTTPStatus.OK
        )
        try:
            manifest = await asyncio.to_thread(parse_manifest, answer.body, f"the bundle of {fellow.url}")
        except ModelError as error:
            raise FetchError("damaged", shown(error)) from None
        if manifest.fingerprint != fingerprint:
            raise FetchError(
                "damaged", f"{fellow.url} was asked for {fingerprint} and gave {manifest.fingerprint}"
            )
        await asyncio.to_thread((folder / MANIFEST).write_bytes, answer.body)
        return manifest

    async def _file(self, fellow: Fellow, path: str, target: Path, entry: FileEntry) -> None:
        await asyncio.to_thread(target.write_bytes, b"")
        for start in range(0, entry.bytes, PIECE_BYTES):
            stop = min(start + PIECE_BYTES, entry.bytes)
            headers = {"Range": f"bytes={start}-{stop - 1}"}
            answer = await self._patiently(fellow, path, PIECE_BYTES, headers, HTTPStatus.PARTIAL_CONTENT)
            if len(answer.body) != stop - start or not answer.headers.get("Content-Range", "").startswith(
                f"bytes {start}-"
            ):
                raise FetchError("cut", f"{fellow.url}{path}: another part came than was asked for")
            await asyncio.to_thread(_append, target, answer.body)
        if await asyncio.to_thread(sha256_of, target) != entry.sha256:
            raise FetchError("damaged", f"{fellow.url}{path} has another SHA-256 than its bundle.json says")

    async def _patiently(
        self, fellow: Fellow, path: str, most_bytes: int, headers: dict[str, str], wanted: HTTPStatus
    ) -> HTTPResponse:
        for tries in range(1, _TRIES + 1):
            answer = await fellow.get(path, _PIECE_S, most_bytes, headers)
            if answer is not None and answer.code == wanted:
                return answer
            if answer is not None and answer.code < HTTPStatus.INTERNAL_SERVER_ERROR:
                break
            if tries < _TRIES:
                await self._sleep(_PAUSE_S)
        raise FetchError("cut", f"{fellow.url}{path} gives no more: {answer.code if answer else 'no answer'}")


def _kept(store: BundleStore, fingerprint: str) -> Path | None:
    folder = store.find(fingerprint)
    if folder is None:
        return None
    try:
        read_bundle(folder)
    except ModelError as error:
        _log.warning("%s; it is fetched again", error)
        store.forget(folder)
        return None
    return folder


def _clear(folder: Path) -> None:
    for name in (MANIFEST, *FILES):
        (folder / name).unlink(missing_ok=True)


def _append(target: Path, data: bytes) -> None:
    with target.open("ab") as file:
        file.write(data)
