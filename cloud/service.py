"""What the handlers work on: the networks, the queue before their tails, and the metrics."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING

from cloud.access.addresses import TrustedProxies, charged_to
from cloud.access.audit import Action, Outcome, open_audit
from cloud.access.budget import BodyBudget
from cloud.access.clients import Clients, Quota
from cloud.access.door import Door
from cloud.access.ledger import open_ledger
from cloud.access.turns import FairTurns
from cloud.access.waiting import Waiting
from cloud.batching.batcher import Batcher
from cloud.batching.compiling import Compiling
from cloud.batching.crossing import frames_in
from cloud.batching.runner import TailRunner
from cloud.batching.tail_times import TailTimes
from cloud.bodies.alone import Alone
from cloud.bodies.decoder import Decoder
from cloud.frames.sessions.registry import Sessions
from cloud.http.page.recent import Recent
from cloud.http.system.scrapes import Scrapes
from cloud.metrics import CloudMetrics
from cloud.networks.brought import brought_of
from cloud.networks.folder import BundleFolder
from cloud.networks.network import LoadedNetwork
from cloud.networks.networks import Networks
from cloud.networks.stand_in import StandIn
from cloud.networks.transfers import Transfers
from cloud.networks.watch import BundleWatch
from cloud.profiles.desk import ProfileDesk
from cloud.profiles.fleet import fellows_of, folder_of
from cloud.profiles.store import Profiles
from cloud.workers.lifecycle import Lifecycle, State
from shared.limits import MAX_CLIENT_BUILDS, MAX_PROFILE_BYTES
from shared.process.trimming import Trimming
from shared.wire.cloud_id import new_cloud_id
from shared.wire.server.crowd import Crowd
from shared.wire.server.rate import Rate
from shared.wire.server.server import connections_allowed

if TYPE_CHECKING:
    from pathlib import Path

    from cloud.access.clients import Account
    from cloud.batching.crossing import Crossing, TailRun
    from cloud.config import CloudSettings
    from cloud.frames.threads import ThreadPools
    from cloud.networks.network import Tail
    from cloud.workers.siblings import Siblings

_TEND_S = 10.0
"""Between two looks at the files of the ledger and the audit."""
_REFUSAL_LINES, _REFUSAL_LINES_PER_S = 10, 0.5
"""Lines about refusals in the log: at once, and later. All are counted; a line is about 150 bytes."""


class Service:
    """Loads the network off the event loop, then answers until it is stopped.

    `networks`, `decoder` and `batcher` are there once it is ready; `watch` if the network came from a bundle's folder.
    """

    def __init__(self, settings: CloudSettings, pools: ThreadPools, siblings: Siblings | None = None) -> None:
        """Takes over `pools`. `siblings` are the other workers, if there are any. Raises SettingsError if ledger, audit or tokens cannot be opened, or nobody said who may come in."""
        self.settings = settings
        self.pools = pools
        self.siblings = siblings
        self.cloud = siblings.cloud if siblings else new_cloud_id()
        self.metrics = CloudMetrics()
        self.door = Door(settings, self.metrics)
        self.ledger = open_ledger(settings, self.metrics)
        self.audit = open_audit(settings, self.metrics)
        self.refusal_lines = Rate(_REFUSAL_LINES, _REFUSAL_LINES_PER_S)
        self.lifecycle = Lifecycle(self.metrics.ready)
        self.profiles = Profiles(held=self.metrics.profiles, evicted=self.metrics.profiles_evicted)
        self.profile_builds = Waiting(MAX_CLIENT_BUILDS, "profiles that wait to be built")
        self.scrapes = Scrapes(self.metrics.registry, together=siblings.metrics if siblings else None)
        self.recent = Recent()
        self.sessions = Sessions(settings.sessions, settings.session_age_s, self.metrics.sessions)
        self.profile_turns = FairTurns(pools.profiles.size)
        self.compiling = Compiling(pools.compiling, settings.queue_capacity)
        self.max_profile_bytes = min(MAX_PROFILE_BYTES, settings.max_body_bytes)
        self.fellows = fellows_of(settings, self.cloud)
        self.profile_desk = ProfileDesk(
            self.profiles,
            pools,
            self.metrics,
            places=(self.profile_builds, self.profile_turns),
            folder=folder_of(settings, self.max_profile_bytes),
            fellows=self.fellows,
            workers=siblings,
        )
        self.proxies = TrustedProxies(settings.trusted_proxies)
        self.clients = Clients(
            Quota(
                settings.client_frames,
                max(settings.client_body_bytes, settings.max_body_bytes),
                settings.client_compute,
            ),
            counter=self.metrics.clients.computed,
        )
        self.bodies = BodyBudget(settings.max_buffered_bytes, time.monotonic, min_rate=settings.min_body_rate)
        self.crowd = Crowd(
            connections_allowed(settings.max_connections),
            settings.client_connections,
            settings.write_timeout_s,
            closed=self._note_closed,
            header_refused=self.metrics.headers_refused.inc,
            owner_of=charged_to,
            exempt=self.proxies.includes,
        )
        self.metrics.buffered_bytes.set_function(lambda: self.bodies.size)
        self.metrics.frames.set_function(lambda: self.lifecycle.frames)
        self.metrics.active_clients.set_function(self.clients.active)
        self.metrics.connections.set_function(lambda: len(self.crowd))
        self.transfers = Transfers()
        self.watch: BundleWatch | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Load the network, compile its default tail, take frames. Raises StartupError."""
        settings, pools = self.settings, self.pools
        folder = await pools.networks.run(BundleFolder.named, settings.model)
        before = await pools.networks.run(folder.state) if folder else ()
        self.networks = Networks(
            await pools.networks.run(self._load),
            lambda network: TailTimes(network, pools, settings, self._charge_at_once),
            self.metrics.networks,
        )
        self.networks.current.export_build_info(self.metrics)
        self.decoder = Decoder(self.networks, self.profiles, pools, self.metrics, settings)
        runner = TailRunner(pools.tails, self.metrics.step_cpu)
        self.batcher = Batcher(
            runner.at_once,
            self.metrics,
            capacity=settings.queue_capacity,
            max_batch=settings.max_batch,
            wait_s=settings.batch_wait_ms / 1e3,
            workers=pools.tail_workers,
            in_pieces=runner.in_pieces,
        )
        self.alone = Alone(self.batcher, pools, self.metrics)
        self.networks.stand_in = StandIn(
            self.networks, self._load, self._networks_changed, pool=pools.networks, changes=self.metrics.network_changes
        )  # fmt: skip
        self.networks.brought = brought_of(
            settings, self.fellows, self.networks, self._load, self._networks_changed, pool=pools.networks, results=self.metrics.networks_brought
        )  # fmt: skip
        self._tasks = [
            asyncio.create_task(self.batcher.serve()),
            asyncio.create_task(self.door.watch()),
            asyncio.create_task(self._tend_files()),
            asyncio.create_task(self.compiling.tend(lambda: self.network.tails.legs)),
            asyncio.create_task(Trimming().watch()),
        ]
        if folder:
            self.watch = BundleWatch(
                folder,
                self.networks,
                self._load,
                self._networks_changed,
                pool=pools.networks,
                metrics=self.metrics,
                loaded=before,
                agreed=self.siblings.loaded if self.siblings else None,
            )
            self._tasks.append(asyncio.create_task(self.watch.run()))
        self.lifecycle.move(State.READY)

    async def _tend_files(self) -> None:
        while True:
            await asyncio.sleep(_TEND_S)
            if self.ledger:
                self.ledger.tend()
            self.audit.tend()

    @property
    def buffered_bytes(self) -> int:
        """Request bodies held in memory."""
        return self.bodies.size

    @property
    def network(self) -> LoadedNetwork:
        """The current network."""
        return self.networks.current

    def _load(self, folder: Path | None = None) -> LoadedNetwork:
        settings = self.settings.model_copy(update={"model": str(folder)}) if folder else self.settings
        threads, at_once = self.pools.threads, self.pools.tail_workers
        loaded = partial(LoadedNetwork.load, settings, self.metrics, threads=threads, tail_workers=at_once)
        return self.siblings.computing(lambda alike: loaded(alike=alike)) if self.siblings else loaded()

    def _note_closed(self, why: str, owner: str) -> None:
        self.metrics.connections_closed.labels(why=why).inc()
        if owner:
            self.audit.note(owner, Action.CONNECT, Outcome.REFUSED, reason=why)

    def _networks_changed(self) -> None:
        self.networks.current.export_build_info(self.metrics)
        self.profiles.keep({network.model.fingerprint for network in self.networks})
        self.sessions.go_away("rebalance")  # binary answers do not say which network is current

    async def drain(self) -> None:
        """Refuse new frames, and finish those in progress within the drain time. Does nothing unless frames are taken."""
        if self.lifecycle.state is State.READY:
            self.networks.stop()
            self.sessions.go_away("drain")
            until_s = time.monotonic() + self.settings.drain_s
            await self.lifecycle.drain(self.settings.drain_s)
            self.sessions.refuse()
            await self.sessions.finish(until_s - time.monotonic())

    async def stop(self) -> None:
        """Drain, then stop computing."""
        await self.drain()
        self.lifecycle.move(State.STOPPED)
        self.sessions.stop()
        for task in self._tasks:
            task.cancel()
        self.scrapes.stop()
        self.profile_desk.stop()
        self.profile_turns.stop()
        self.compiling.stop()
        if self._tasks:
            await self.decoder.stop()
        self.pools.stop()
        self.audit.finish()

    async def run_tail(self, tail: Tail, crossing: Crossing, timeout_s: float, account: Account) -> TailRun:
        """What `Batcher.submit` gives, once the tail is ready; a compilation on the tails' threads would hold up the frames of others."""
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_s
        await self.compiling.ready(tail, frames_in(crossing), account, timeout_s)
        # for decoding, compiling, and whatever else was done for this client meanwhile
        self.batcher.charge(account.name, account.settle())
        left_s = max(0.0, until - loop.time())
        return await self.batcher.submit(
            tail, crossing, left_s, account.name, partial(account.spend, settled=True)
        )

    def _charge_at_once(self, account: Account, seconds: float) -> None:
        """For what was computed for this client on the tails' threads: if others wait for them, its frames now let them go first."""
        account.spend(seconds, settled=True)
        self.batcher.charge(account.name, seconds)
