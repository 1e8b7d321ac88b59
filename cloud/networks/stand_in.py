"""The float32 network of an int8 bundle, for edges on whose processors the int8 one answers otherwise.

It is loaded when the first frame of it comes, beside the int8 one, and goes when none has come for a while, as earlier networks do.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from cloud.networks.files import BundleFiles
from shared.errors import ModelError, RequestError, StartupError
from shared.network.bundle import float_beside, float_of, read_bundle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cloud.frames.threads import Pool
    from cloud.networks.network import LoadedNetwork
    from cloud.networks.networks import Networks
    from shared.observing.counting.counter import Counter

_log = logging.getLogger(__name__)

PAUSE_S = 60.0
"""What could not be loaded is not tried again before that."""


class StandIn:
    """Made on the event loop, on which it also loads; asked from any thread."""

    def __init__(
        self,
        networks: Networks,
        load: Callable[[Path], LoadedNetwork],
        on_change: Callable[[], object],
        *,
        pool: Pool,
        changes: Counter,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`load` loads the bundle in a folder, on a thread of `pool`; `on_change` is called when it is held. `changes` counts results."""
        self._networks = networks
        self._load = load
        self._on_change = on_change
        self._pool = pool
        self._changes = changes
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._loading: asyncio.Task[None] | None = None
        self._files: tuple[str, BundleFiles] | None = None
        """The current network's digest, and what was opened for it."""
        self._not_before = float("-inf")
        self._seen: tuple[str, str | None] = (
            "",
            None,
        )  # the current network's digest, and what stands in for it

    def fingerprint(self) -> str | None:
        """That of the float32 network which lies beside the current one, if that is int8. Reads a file once for each network."""
        current = self._networks.current
        if self._seen[0] != current.digest:
            self._seen = current.digest, _beside(current)
        return self._seen[1]

    def bring(self, fingerprint: bytes) -> bool:
        """Whether the network of this fingerprint is the one that stands in, and on its way."""
        if fingerprint.hex() != self.fingerprint() or self._clock() < self._not_before:
            return False
        self._loop.call_soon_threadsafe(self._begin)
        return True

    def files(self, fingerprint: bytes) -> BundleFiles | None:
        """Those of the float32 network, if this is its fingerprint, for an edge to fetch; it need not be loaded. On the event loop."""
        if fingerprint.hex() != self.fingerprint():
            return None
        current = self._networks.current
        if self._files is None or self._files[0] != current.digest:
            folder = float_of(current.network.bundle.folder)
            try:
                found = BundleFiles(read_bundle(folder, verify=False))
            except ModelError as error:
                _log.warning("%s; no edge can fetch it", error)
                return None
            self._files = current.digest, found
        return self._files[1]

    def stop(self) -> None:
        """End the wait for what is being loaded."""
        if self._loading:
            self._loading.cancel()

    def _begin(self) -> None:
        if self._loading is None or self._loading.done():
            self._loading = asyncio.create_task(self._bring())

    async def _bring(self) -> None:
        current = self._networks.current
        folder = float_of(current.network.bundle.folder)
        try:
            network = await self._pool.run(self._load, folder)
        except (StartupError, RequestError) as error:
            self._fail(str(error))
        except Exception as error:  # noqa: BLE001 - whatever a bundle does when it is loaded, frames flow on
            self._fail(f"bundle {folder}: {error!r}")
        else:
            if self._networks.current is current:
                self._networks.add(network)
                self._changes.labels(result="taken").inc()
                _log.info(
                    "fingerprint %s, the float32 network, is served beside int8: an edge asks for it", network.model.fingerprint.hex()
                )  # fmt: skip
                self._on_change()

    def _fail(self, text: str) -> None:
        self._not_before = self._clock() + PAUSE_S
        self._changes.labels(result="failed").inc()
        _log.warning("%s; edges that run the float32 network answer by themselves", text)


def _beside(network: LoadedNetwork) -> str | None:
    bundle = network.network.bundle
    return bundle.manifest.int8.float_fingerprint if bundle.manifest.int8 and float_beside(bundle) else None
