"""What the handlers work on: one network, the queue before its tails, and the metrics."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from cloud.batching.batcher import Batcher
from cloud.batching.tail_times import TailTimes
from cloud.bodies.decoder import Decoder
from cloud.ledger import open_ledger
from cloud.lifecycle import Lifecycle, State
from cloud.metrics import CloudMetrics
from cloud.network import LoadedNetwork
from cloud.profiles import Profiles
from shared.codecs import known_codecs
from shared.limits import MAX_ELEMENTS, MAX_PICTURE_PIXELS, MAX_PROFILE_BYTES
from shared.observing.telemetry import computing
from shared.wire import frame as wire

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cloud.batching.crossing import Crossing
    from cloud.config import CloudSettings
    from cloud.threads import ThreadPools


class Service:
    """Loads the network off the event loop, then answers until it is stopped.

    `network`, `decoder`, `batcher` and `tail_times` are there once it is ready.
    """

    def __init__(self, settings: CloudSettings, pools: ThreadPools) -> None:
        """Takes over `pools`. Raises SettingsError if the ledger cannot be opened."""
        self.settings = settings
        self.pools = pools
        self.metrics = CloudMetrics()
        self.ledger = open_ledger(settings.ledger, self.metrics.ledger_errors) if settings.ledger else None
        self.lifecycle = Lifecycle(self.metrics.ready)
        self.profiles = Profiles(held=self.metrics.profiles, evicted=self.metrics.profiles_evicted)
        self.max_profile_bytes = min(MAX_PROFILE_BYTES, settings.max_body_bytes)
        self.buffered_bytes = 0
        """Request bodies held in memory."""
        self._batches: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Load the network, compile its default tail, take frames. Raises StartupError."""
        settings, pools = self.settings, self.pools
        self.network = await pools.decode.run(self._load)
        self.decoder = Decoder(
            self.network, self.profiles, pools, self.metrics, max_tensors=settings.queue_capacity
        )
        self.batcher = Batcher(
            self._run_tail,
            self.metrics,
            capacity=settings.queue_capacity,
            max_batch=settings.max_batch,
            wait_s=settings.batch_wait_ms / 1e3,
            workers=pools.tail_workers,
        )
        self.tail_times = TailTimes(self.network, pools, settings)
        self._batches = asyncio.create_task(self.batcher.serve())
        self.lifecycle.move(State.READY)

    def _load(self) -> LoadedNetwork:
        pools = self.pools
        return LoadedNetwork.from_settings(
            self.settings, self.metrics, threads=pools.threads, tail_workers=pools.tail_workers
        )

    async def stop(self) -> None:
        """Refuse new frames, finish those in progress within the drain time, then stop computing."""
        if self._batches:
            self.tail_times.stop()
        if self.lifecycle.state is State.READY:
            await self.lifecycle.drain(self.settings.drain_s)
        self.lifecycle.move(State.STOPPED)
        if self._batches:
            self._batches.cancel()
            await self.decoder.stop()
        self.pools.stop()

    async def _run_tail(self, split_point: str, callers: list[Crossing]) -> NDArray[np.float32]:
        return await self.pools.tails.run(self._compute_tail, split_point, callers)

    def _compute_tail(self, split_point: str, callers: list[Crossing]) -> NDArray[np.float32]:
        with computing(self.metrics.step_cpu, "tail"):
            return self.network.tails.run(split_point, callers)

    def describe(self) -> dict[str, Any]:
        """What `GET /model` says."""
        return {
            **self.network.describe(),
            "codecs": {codec.name: codec.id for codec in known_codecs().values()},
            "profiles": self.profiles.names(),
            "wire_versions": [wire.VERSION],
            "limits": {
                "max_body_bytes": self.settings.max_body_bytes,
                "max_elements": MAX_ELEMENTS,
                "max_picture_pixels": MAX_PICTURE_PIXELS,
                "max_profile_bytes": self.max_profile_bytes,
                "queue_capacity": self.settings.queue_capacity,
                "max_batch": self.settings.max_batch,
            },
        }
