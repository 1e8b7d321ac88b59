"""`GET /bundle/{fingerprint}`: the network as data, for an edge that has none of its own or an earlier one."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import TYPE_CHECKING, Any, ClassVar

from tornado.iostream import StreamClosedError
from tornado.web import HTTPError

from cloud.access.audit import Action, Outcome
from cloud.http.base import Handler
from shared.errors import BundleNotServedError
from shared.limits import FINGERPRINT_BYTES
from shared.network.manifest import FILES
from shared.security.rights import Right, one_of

if TYPE_CHECKING:
    from cloud.networks.files import BundleFiles
    from cloud.service import Service
    from shared.security.rights import Needs

BUNDLES = "/bundle"

_PATH = re.compile(
    rf"{BUNDLES}/([0-9a-f]{{{2 * FINGERPRINT_BYTES}}})(?:/({'|'.join(map(re.escape, FILES))}))?"
)
_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{1,18})?")
_CHUNK_BYTES = 256 << 10

_log = logging.getLogger(__name__)


class BundleHandler(Handler):
    """`GET /bundle/{fingerprint}` is bundle.json as it is stored, `GET /bundle/{fingerprint}/{file}` one of the three files.

    `Range: bytes=N-` gives the rest of a file; the ETag is the SHA-256 of the whole.
    """

    endpoint = BUNDLES
    action = Action.BUNDLE
    needs: ClassVar[Needs] = one_of(Right.BUNDLES)

    def initialize(self, service: Service) -> None:
        super().initialize(service)
        self._etag: str | None = None
        self._size: int | None = None  # of the file of which a part was asked for that it does not have

    async def get(self) -> None:
        self.service.lifecycle.require_ready()
        if not self.service.settings.serve_bundle:
            raise BundleNotServedError(
                "this cloud does not give its network away",
                accepted="a cloud that was started with --serve-bundle, or a bundle copied by hand",
            )
        files, name = self._wanted()
        self.set_header("Accept-Ranges", "bytes")
        if name is None:
            self._etag = f'"{files.manifest_sha256}"'
            self.finish_json(files.manifest)
        else:
            self._etag = f'"{files.sha256_of(name)}"'
            await self._finish_file(files, name)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        if self._size is not None:
            self.set_header("Content-Range", f"bytes */{self._size}")
        super().write_error(status_code, **kwargs)

    def compute_etag(self) -> str | None:
        return self._etag

    def _wanted(self) -> tuple[BundleFiles, str | None]:
        path = _PATH.fullmatch(self.request.path)
        networks = self.service.networks
        files = networks.files(bytes.fromhex(path[1])) if path else None
        if path is None or files is None:
            known = [networks.current.model.fingerprint.hex(), *networks.also_serves()]
            held = ", ".join(f"{BUNDLES}/{each}" for each in known)
            raise HTTPError(404, f"no such bundle or file; known: {held}, each with /{', /'.join(FILES)}")
        return files, path[2]

    async def _finish_file(self, files: BundleFiles, name: str) -> None:
        size = files.bytes_of(name)
        self.set_etag_header()
        if self.check_etag_header():
            self.set_status(304)
            return
        self.set_header("Content-Type", "application/octet-stream")
        if self.request.method == "HEAD":  # costs no transfer, and knows no ranges (RFC 9110)
            self.set_header("Content-Length", size)
            return
        start, stop = self._range(size)
        with self.service.transfers.one(self.client):
            self.set_header("Content-Length", stop - start)
            result = await self._send(files, name, start, stop)
        self.service.metrics.bundle_transfers.labels(result=result).inc()
        self.note(Outcome.DONE if result == "complete" else Outcome.FAILED, reason=result, subject=name)
        if result != "complete":
            self._auto_finish = False  # Tornado would count a success
            if not self.connection().stream.closed():
                self.connection().close()

    def _range(self, size: int) -> tuple[int, int]:
        """The bytes wanted; sets status and headers for a part. A range in any other form is as good as none (RFC 9110)."""
        wanted = _RANGE.fullmatch(self.request.headers.get("Range", ""))
        if wanted is None or self.request.headers.get("If-Range", self._etag) != self._etag:
            return 0, size
        start, last = int(wanted[1]), min(int(wanted[2] or size), size - 1)
        if start > last:
            self._size = size
            raise HTTPError(416, f"the file has {size} bytes")
        self.set_status(206)
        self.set_header("Content-Range", f"bytes {start}-{last}/{size}")
        return start, last + 1

    async def _send(self, files: BundleFiles, name: str, start: int, stop: int) -> str:
        """Send a part of a file; returns how it ended. A client that takes nothing holds its place no longer than it may be idle."""
        patience_s = self.service.settings.idle_timeout_s
        try:
            while start < stop:
                chunk = await self.service.pools.files.run(
                    files.read, name, start, min(_CHUNK_BYTES, stop - start)
                )
                if not chunk:
                    raise OSError(f"it ends after {start} bytes")  # noqa: TRY301
                if not self.service.door.gate.still(self.caller):
                    raise OSError(f"the token of {self.caller.name} is no longer in force")  # noqa: TRY301
                start += len(chunk)
                self.write(chunk)
                async with asyncio.timeout(patience_s):
                    await self.flush()
        except StreamClosedError:
            return "abandoned"
        except TimeoutError:
            _log.warning(
                "a client has taken nothing of %s for %.0f s and is cut off", self.request.path, patience_s
            )
            return "stalled"
        except (OSError, asyncio.CancelledError) as error:  # cancelled: the server stops
            _log.warning("%s cannot be sent: %s", self.request.path, error or "the server stops")
            return "failed"
        return "complete"
