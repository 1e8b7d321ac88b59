"""Networks that frames are for, that this cloud lacks and a sibling serves: fetched, and served beside its own while frames of them come."""

from __future__ import annotations

import asyncio
import logging
import time
import weakref
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Protocol

from cloud.networks.fellow_bundles import FellowBundles
from cloud.networks.networks import EARLIER_S, MAX_EARLIER
from shared.errors import RequestError, StartupError
from shared.process.memory import give_back
from shared.wire.server.rate import Rate

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable
    from pathlib import Path

    from cloud.config import CloudSettings
    from cloud.frames.threads import Pool
    from cloud.networks.network import LoadedNetwork
    from cloud.networks.networks import Networks
    from cloud.profiles.fellows import Fellows
    from shared.observing.counting.counter import Counter

_log = logging.getLogger(__name__)

PAUSE_S = 60.0
"""What no sibling has, or what could not be loaded, is not looked for again before that."""
_MOST_IN_VAIN = 1024
_LOOKS, _LOOKS_PER_S = 8, 0.2
"""At once, and later: whoever invents fingerprints has siblings asked no more often."""
_CLIENT_LOOKS, _CLIENT_LOOKS_PER_S = 3, 1 / 30
"""The same for one client, so that one that invents fingerprints leaves looks to others."""
_MOST_CLIENTS = 1024
_CROWDED_S = 5.0
_INTERVAL_S = 10.0


class _Bundles(Protocol):
    def fetch(self, fingerprint: str) -> Awaitable[Path | None]: ...

    def close(self) -> None: ...


class Brought:
    """Made on the event loop, on which it also works; asked from any thread."""

    def __init__(
        self,
        bundles: _Bundles,
        networks: Networks,
        load: Callable[[Path], LoadedNetwork],
        on_change: Callable[[], object],
        *,
        pool: Pool,
        results: Counter,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`load` loads the bundle in a folder, on a thread of `pool`; `on_change` is called when other networks are held. `results` counts."""
        self._networks = networks
        self._bundles = bundles
        self._load = load
        self._on_change = on_change
        self._pool = pool
        self._results = results
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._looks = Rate(_LOOKS, _LOOKS_PER_S, clock)
        self._clients: OrderedDict[Hashable, Rate] = OrderedDict()
        """Those of each client that has caused one; the least recent first."""
        self._in_vain: OrderedDict[bytes, float] = OrderedDict()
        """Until when these are not looked for."""
        self._tending = asyncio.create_task(self._tend())
        self._bringing: asyncio.Task[None] | None = None
        self._wanted: bytes | None = None

    def bring(self, fingerprint: bytes, client: Hashable) -> bool:
        """Whether the network of this fingerprint is looked for, or on its way; one at a time is. `client` is who wants it. For any thread."""
        if self._wanted is not None:
            return self._wanted == fingerprint
        if self._clock() < self._in_vain.get(fingerprint, float("-inf")) or self._is_full():
            return False
        looks = self._clients.get(client)
        if looks and looks.left() < 1:
            return False
        self._loop.call_soon_threadsafe(self._begin, fingerprint, client)
        return True

    async def _tend(self) -> None:
        """Drop what nobody uses any more. Where a bundle's folder is followed, that does it as well."""
        while True:
            await asyncio.sleep(_INTERVAL_S)
            dropped = self._networks.expire()
            for network in dropped:
                _log.info(
                    "fingerprint %s is not served any more: not used for %.0f s",
                    network.model.fingerprint.hex(),
                    EARLIER_S,
                )
                weakref.finalize(network, self._pool.start, give_back).atexit = False
            if dropped:
                self._on_change()

    def stop(self) -> None:
        """End what is on its way."""
        self._tending.cancel()
        if self._bringing:
            self._bringing.cancel()
        self._bundles.close()

    def _is_full(self) -> bool:
        return len(self._networks.earlier()) >= MAX_EARLIER

    def _begin(self, fingerprint: bytes, client: Hashable) -> None:
        if self._wanted is not None or not self._looks_of(client).take():
            return
        if not self._looks.take():
            self._note_in_vain(fingerprint, _CROWDED_S)
        else:
            self._wanted = fingerprint
            self._bringing = asyncio.create_task(self._bring(fingerprint))
            self._bringing.add_done_callback(self._done)

    def _looks_of(self, client: Hashable) -> Rate:
        looks = self._clients.get(client)
        if looks is None:
            if len(self._clients) >= _MOST_CLIENTS:
                self._clients.popitem(last=False)
            looks = self._clients[client] = Rate(_CLIENT_LOOKS, _CLIENT_LOOKS_PER_S, self._clock)
        self._clients.move_to_end(client)
        return looks

    def _done(self, task: asyncio.Task[None]) -> None:
        self._wanted = None
        if not task.cancelled():
            task.result()

    async def _bring(self, fingerprint: bytes) -> None:
        name = fingerprint.hex()
        try:
            folder = await self._bundles.fetch(name)
            if folder is None:
                self._end(
                    fingerprint, "missing", f"no sibling gives the network {name}, which a frame is for"
                )
                return
            network = await self._pool.run(self._load, folder)
        except (StartupError, RequestError) as error:
            self._end(fingerprint, "failed", f"{error}; frames of the network {name} are refused")
            return
        except Exception as error:  # noqa: BLE001 - whatever a bundle does when it is loaded, frames flow on
            self._end(
                fingerprint, "failed", f"the network {name} of a sibling: {error!r}; its frames are refused"
            )
            return
        if network.model.fingerprint != fingerprint:  # as int8 that does not serve on this processor
            self._end(
                fingerprint, "failed", f"bundle {folder}: it runs as {network.model.fingerprint.hex()} here"
            )
            return
        if self._networks.held(fingerprint) is None and not self._is_full():
            self._networks.add(network)
            self._results.labels(result="taken").inc()
            _log.info(
                "fingerprint %s, %s, is served beside the current network: a frame is for it",
                name,
                network.model.name,
            )
            self._on_change()

    def _end(self, fingerprint: bytes, result: str, text: str) -> None:
        self._results.labels(result=result).inc()
        _log.log(logging.WARNING if result == "failed" else logging.INFO, "%s", text)
        self._note_in_vain(fingerprint, PAUSE_S)

    def _note_in_vain(self, fingerprint: bytes, pause_s: float) -> None:
        self._in_vain[fingerprint] = self._clock() + pause_s
        self._in_vain.move_to_end(fingerprint)
        while len(self._in_vain) > _MOST_IN_VAIN:
            self._in_vain.popitem(last=False)


def brought_of(
    settings: CloudSettings, fellows: Fellows | None, *given: Any, **options: Any
) -> Brought | None:
    """What brings networks of the other clouds, where the settings want that; the rest as `Brought` takes it."""
    if not fellows or not settings.sibling_bundles:
        return None
    return Brought(FellowBundles(fellows, settings.cache_dir), *given, **options)
