"""The cloud's networks as bundles on this machine: kept ones, or fetched; `--model cloud` runs what the cloud runs."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

from edge.network.fetch import BundleFetch
from edge.uplink.clouds.heard import is_fingerprint
from shared.errors import FetchError, MismatchError, ModelError, UplinkError
from shared.network.bundle import read_bundle
from shared.process.cache.folder import Cache, key_of
from shared.security.escape import shown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from edge.uplink.clouds.clouds import Clouds
    from edge.uplink.line import Line
    from shared.network.making.store import BundleStore
    from shared.observing.counting.counter import Counter

_log = logging.getLogger(__name__)

PATIENCE_S = 600.0
"""At the start, for a cloud that is not there yet: its own first start may fetch weights and convert a network."""
KEPT_PATIENCE_S = 10.0
"""The same where the network that this cloud had last is here: the edge can answer by itself meanwhile."""
_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 10.0
_TRIES = 5
"""How often a fetch that fails is tried at the start, where nothing has come in between."""


class CloudBundles:
    """Used on the event loop."""

    def __init__(
        self,
        line: Line | Clouds,
        store: BundleStore,
        cache_dir: str,
        fetches: Counter,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`line` must be open; `fetches` is edge/metrics.py's counter by result."""
        self._line = line
        self._store = store
        self._fetches_from: dict[str, BundleFetch] = {}
        self._cache, self._key = Cache(cache_dir), f"last-{key_of('cloud', line.url)}"
        self._fetches = fetches
        self._sleep = sleep
        self._clock = clock

    async def first(self, patience_s: float = PATIENCE_S) -> Path:
        """The bundle of the network that the cloud runs now; waits `patience_s` seconds for a cloud that is not there yet.

        A cloud that stays away is replaced by the network that it had last, if that was kept. Raises FetchError, or MismatchError
        if something answers that is not a SplitDNN cloud.
        """
        start, pause_s, tries, told = self._clock(), _PAUSE_S, 0, ""
        last = await asyncio.to_thread(self._last)
        patience_s = min(patience_s, KEPT_PATIENCE_S) if last else patience_s
        while True:
            received = self._received()
            try:
                said = await self._line.ask_model()
                # What has come by then stays, and the rest comes beside the frames.
                async with asyncio.timeout(max(0.0, patience_s - (self._clock() - start)) if last else None):
                    return await self.bring(self._require_bundle(said), said)
            except TimeoutError:
                waited_s, problem = self._clock() - start, "its network is still coming"
            except (UplinkError, FetchError) as error:
                if isinstance(error, FetchError):
                    if error.result == "cut" and self._received() > received:
                        start, pause_s, tries = self._clock(), _PAUSE_S, 0  # it comes, piece by piece
                    tries += 1
                    if not error.passing or tries >= _TRIES:
                        raise
                waited_s, problem = self._clock() - start, str(error)
            if waited_s >= patience_s and last:
                _log.warning(
                    "no network of the cloud at %s yet (%s): starting with the network that it had last",
                    self._line.url,
                    problem,
                )
                return last
            if waited_s >= patience_s:
                raise FetchError(
                    "away",
                    f"no cloud at {self._line.url} within {patience_s:g} s ({problem}), so there is no network to run; start "
                    "it, correct --cloud-url, or give --model something else than cloud",
                )
            if problem != told and patience_s >= KEPT_PATIENCE_S:  # else the end comes soon enough
                told = problem
                _log.warning("waiting up to %.0f s for the network of the cloud at %s: %s",
                             patience_s - waited_s, self._line.url, problem)  # fmt: skip
            await self._sleep(min(pause_s, patience_s - waited_s))
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def bring(self, fingerprint: str, said: dict[str, Any] | None = None) -> Path:
        """The verified bundle with this fingerprint, kept from earlier or fetched now.

        `said`, the cloud's answer to `GET /model`, is asked for if it is not given. Raises FetchError, UplinkError or MismatchError.
        """
        try:
            folder = await asyncio.to_thread(self._kept, fingerprint)
            if folder:
                self._fetches.labels(result="kept").inc()
            else:
                self._require_served(said or await self._line.ask_model())
                folder = await self._fetch_from(fingerprint).fetch(fingerprint)
                await asyncio.to_thread(read_bundle, folder)
                self._fetches.labels(result="fetched").inc()
        except FetchError as error:
            self._fetches.labels(result=error.result).inc()
            raise
        except ModelError as error:
            self._fetches.labels(result="damaged").inc()
            raise FetchError("damaged", shown(error)) from None
        await asyncio.to_thread(self._cache.store_json, self._key, fingerprint)
        return folder

    async def insist(self, fingerprint: str) -> Path:
        """As `bring`, a few times where it is cut or the cloud is away. Raises FetchError."""
        pause_s = _PAUSE_S
        for tries in range(1, _TRIES + 1):
            try:
                return await self.bring(fingerprint)
            except FetchError as error:
                if not error.passing or tries == _TRIES:
                    raise
            except (UplinkError, MismatchError) as error:
                if tries == _TRIES:
                    raise FetchError("away", str(error)) from None
            await self._sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        raise AssertionError

    def _fetch_from(self, fingerprint: str) -> BundleFetch:
        """What fetches from the cloud, or from one of several that runs this network."""
        client = self._line.client_for(fingerprint)
        if client.url not in self._fetches_from:
            self._fetches_from[client.url] = BundleFetch(
                client.url, self._store, client.bearer, client.tls, client.proxy, client.wire
            )
        return self._fetches_from[client.url]

    def _received(self) -> int:
        return sum(each.received for each in self._fetches_from.values())

    def _last(self) -> Path | None:
        """The bundle of the network that this cloud ran when it was seen last."""
        fingerprint = self._cache.load_json(self._key)
        return self._kept(fingerprint) if is_fingerprint(fingerprint) else None

    def _kept(self, fingerprint: str) -> Path | None:
        folder = self._store.find(fingerprint)
        if folder is None:
            return None
        try:
            read_bundle(folder)
        except ModelError as error:
            _log.warning("%s; it is fetched again", error)
            self._store.forget(folder)
            return None
        return folder

    def _require_bundle(self, said: dict[str, Any]) -> str:
        if not is_fingerprint(said["fingerprint"]):
            raise FetchError(
                "refused", f"{self._line.url} names no fingerprint: {shown(said['fingerprint'], 40)}"
            )
        return str(said["fingerprint"])

    def _require_served(self, said: dict[str, Any]) -> None:
        """Raise FetchError if the cloud says that it gives its network to nobody, or does not know of bundles."""
        bundle, url = said.get("bundle"), self._line.url
        if not isinstance(bundle, dict):
            raise FetchError(
                "refused",
                f"the cloud at {url} is older than bundles and cannot give its network to this edge; update it, or give the edge "
                f"the same --model ({shown(said.get('model'), 80)})",
            )
        if bundle.get("served") is not True:
            raise FetchError(
                "refused",
                f"the cloud at {url} gives its network to nobody; start it with --serve-bundle, or give this edge the bundle's "
                "folder as --model",
            )
