"""Follows the folder of the bundle that the cloud runs: what is put there becomes the current network, without a restart.

Going back is the same: the folder holds the earlier bundle again. Frames flow meanwhile, and a folder that cannot be used
changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from typing import TYPE_CHECKING

from cloud.networks.folder import ABSENT
from cloud.networks.networks import EARLIER_S
from shared.errors import ModelError, RequestError, StartupError
from shared.process.memory import give_back
from shared.process.settled import Settled

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cloud.frames.threads import Pool
    from cloud.metrics import CloudMetrics
    from cloud.networks.folder import BundleFolder, State
    from cloud.networks.network import LoadedNetwork
    from cloud.networks.networks import Networks

_log = logging.getLogger(__name__)

INTERVAL_S = 2.0
"""Between two looks. What changed is taken when the next look finds it unchanged: a copy in progress is no bundle yet."""


class BundleWatch:
    """Looks at the folder again and again; loads on a thread of its own."""

    def __init__(
        self,
        folder: BundleFolder,
        networks: Networks,
        load: Callable[[], LoadedNetwork],
        on_change: Callable[[], object],
        *,
        pool: Pool,
        metrics: CloudMetrics,
        loaded: State,
        agreed: Callable[[str], Awaitable[object]] | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """`load` loads what the folder holds, on a thread of `pool`; `on_change` is called when other networks are held, or another is current.

        `loaded` is the folder's state before the current network was loaded from it. `agreed` is awaited with the digest of a network that
        is loaded, before it is taken.
        """
        self._folder = folder
        self._networks = networks
        self._load = load
        self._on_change = on_change
        self._pool = pool
        self._changes = metrics.network_changes
        self._agreed = agreed
        self._sleep = sleep
        self._blind = False  # the latest look failed
        self._settled = Settled(loaded)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self._sleep(INTERVAL_S)
            try:
                await self.look()
            except Exception:  # noqa: BLE001 - whatever it is, the next look may go better
                if not self._blind:
                    _log.exception("looking at %s fails", self._folder.path)
                self._blind = True
            else:
                self._blind = False

    async def look(self) -> None:
        """Drop what nobody uses any more, and take what the folder has held unchanged since the latest look."""
        self._let_go(self._networks.expire(), f"not used for {EARLIER_S:.0f} s")
        state = await self._pool.run(self._folder.state)
        if self._settled.has_changed(state):
            await self._settle(state)

    async def _settle(self, state: State) -> None:
        if state == ABSENT:
            self._fail("away", f"bundle {self._folder.path}: not there any more")
            return
        try:
            network = await self._pool.run(self._ready_network)
        except (StartupError, RequestError) as error:
            if (
                await self._pool.run(self._folder.state) == state
            ):  # else a later look finds what it has become
                self._fail("failed", str(error))
            return
        except Exception as error:  # noqa: BLE001 - whatever a bundle does when it is loaded, frames flow on
            self._fail("failed", f"bundle {self._folder.path}: {error!r}", error)
            return
        if network is self._networks.current:
            return
        if self._agreed:
            await self._agreed(network.digest)
        before = self._networks.current.model.fingerprint
        dropped = self._networks.take(network)
        self._changes.labels(result="taken").inc()
        _log.info(
            "%s, weights %s, fingerprint %s is the current network now; frames of %s are still answered",
            network.model.name,
            network.model.weights,
            network.model.fingerprint.hex(),
            before.hex(),
        )
        self._on_change()
        self._let_go(dropped, "there are later ones")

    def _ready_network(self) -> LoadedNetwork:
        """The network in the folder, with the tails compiled that edges of the current one used lately."""
        current = self._networks.current
        bundle = self._folder.read()
        network = self._networks.with_digest(bundle.manifest.digest) or self._load()
        if network.digest != bundle.manifest.digest:
            raise ModelError(f"bundle {self._folder.path}: it was changed while it was read")
        if network is not current:
            network.prepare(current.usage.lately(EARLIER_S), chained=current.tails.chained)
        return network

    def _fail(self, result: str, text: str, bug: Exception | None = None) -> None:
        self._changes.labels(result=result).inc()
        _log.warning(
            "%s; the network stays as it is, fingerprint %s",
            text,
            self._networks.current.model.fingerprint.hex(),
            exc_info=bug,
        )

    def _let_go(self, dropped: list[LoadedNetwork], why: str) -> None:
        for network in dropped:
            _log.info("fingerprint %s is not served any more: %s", network.model.fingerprint.hex(), why)
            # Frames in progress may hold it until they are answered, and engines refer to themselves.
            weakref.finalize(network, self._pool.start, give_back).atexit = False
        if dropped:
            self._on_change()
