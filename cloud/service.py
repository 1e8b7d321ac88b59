"""What the handlers work on: one model, its tails, and the queue before them."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from cloud.batching.batcher import Batcher
from cloud.batching.tail_times import TailTimes
from cloud.batching.tails import Tails
from cloud.bodies.json_process import JsonProcess
from cloud.ledger import Ledger
from cloud.lifecycle import Lifecycle, State
from cloud.metrics import CloudMetrics
from cloud.profiles import Profiles
from shared.codecs import known_codecs
from shared.limits import MAX_ELEMENTS, MAX_PICTURE_PIXELS, MAX_PROFILE_BYTES
from shared.load import load_network
from shared.network.weights import NAMED_SECONDS
from shared.observing.telemetry import computing
from shared.wire import frame as wire

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from cloud.config import CloudSettings

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")

_MAX_PICTURES = 8
"""Pictures that are resized at once, whatever the machine: what they take in memory is said in shared/limits.py."""


class Service:
    """Loads the model off the event loop, then answers until it is stopped."""

    def __init__(self, settings: CloudSettings, threads: int) -> None:
        """Raises SettingsError if the ledger cannot be opened."""
        self.settings = settings
        self.metrics = CloudMetrics()
        self.ledger = Ledger(settings.ledger, self.metrics.ledger_errors) if settings.ledger else None
        self.lifecycle = Lifecycle(self.metrics.ready)
        self.active = 0
        """Requests of `POST /model` between header and answer."""
        self.buffered_bytes = 0
        self._threads = threads
        # Four threads run one tail nearly four times as fast; more of them help several tails more than one.
        self.workers = settings.tail_workers or max(1, threads // 4)
        self._tail_threads = ThreadPoolExecutor(self.workers, thread_name_prefix="tail")
        self._pool = ThreadPoolExecutor(max(2, threads), thread_name_prefix="decode")
        self._picture_pool = ThreadPoolExecutor(
            min(_MAX_PICTURES, max(1, threads // 2)), thread_name_prefix="picture"
        )
        # One: building a profile's tables may take a second, and frames are decoded meanwhile.
        self._profile_thread = ThreadPoolExecutor(1, thread_name_prefix="profile")
        self.profiles = Profiles(held=self.metrics.profiles, evicted=self.metrics.profiles_evicted)
        self.max_profile_bytes = min(MAX_PROFILE_BYTES, settings.max_body_bytes)
        self.tail_times = TailTimes(self)
        self._batches: asyncio.Task[None] | None = None
        self.json = JsonProcess()

    async def start(self) -> None:
        """Load the model, compile the default tail, take frames. Raises StartupError."""
        await self.in_pool(self._load)
        self.batcher = Batcher(
            self._run_tail,
            self.metrics,
            capacity=self.settings.queue_capacity,
            max_batch=self.settings.max_batch,
            wait_s=self.settings.batch_wait_ms / 1e3,
            workers=self.workers,
        )
        self._batches = asyncio.create_task(self.batcher.serve())
        self.lifecycle.move(State.READY)

    def _load(self) -> None:
        settings = self.settings
        network = load_network(
            settings,
            self.metrics,
            "tail",
            weights=settings.weights,
            seed=settings.seed,
            patience_s=NAMED_SECONDS,
            threads=self._threads,
            streams=self.workers,
        )
        self.model, self.partition, self.default = network.model, network.partition, network.point
        self.engine = network.engine
        self.engine.tail(self.default)
        self.tails = Tails(self.partition, self.engine)

    async def stop(self) -> None:
        """Refuse new frames, finish those in progress within the drain time, count what is left."""
        self.tail_times.stop()
        if self.lifecycle.state is State.READY:
            self.lifecycle.move(State.DRAINING)
            deadline = asyncio.get_running_loop().time() + self.settings.drain_s
            # An event would serve one wait in a process's lifetime.
            while self.active and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            if self.active:
                _log.warning(
                    "%d requests were not finished within %.0f s", self.active, self.settings.drain_s
                )
        self.lifecycle.move(State.STOPPED)
        if self._batches:
            self._batches.cancel()
        await self.json.stop()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._picture_pool.shutdown(wait=False, cancel_futures=True)
        self._profile_thread.shutdown(wait=False, cancel_futures=True)
        self._tail_threads.shutdown(wait=False, cancel_futures=True)

    async def in_pool(self, function: Callable[..., _Result], *arguments: Any) -> _Result:
        """Call `function` on a thread, so that the event loop never computes."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)

    async def in_picture_pool(self, function: Callable[[], _Result]) -> _Result:
        """The same on one of few threads, for pictures of the camera's own size."""
        return await asyncio.get_running_loop().run_in_executor(self._picture_pool, function)

    async def in_profile_thread(self, function: Callable[[], _Result]) -> _Result:
        """The same on the one thread that reads profiles, one after another."""
        return await asyncio.get_running_loop().run_in_executor(self._profile_thread, function)

    async def in_tail_thread(self, function: Callable[..., _Result], *arguments: Any) -> _Result:
        """The same where the tails run, in turn with them."""
        return await asyncio.get_running_loop().run_in_executor(self._tail_threads, function, *arguments)

    async def _run_tail(self, split_point: str, callers: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        return await self.in_tail_thread(self._compute_tail, split_point, callers)

    def _compute_tail(self, split_point: str, callers: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        with computing(self.metrics.step_cpu, "tail"):
            return self.tails.run(split_point, callers)

    def describe(self) -> dict[str, Any]:
        """What `GET /model` says."""
        model = self.model
        return {
            "model": model.name,
            "weights": model.weights,
            "fingerprint": model.fingerprint.hex(),
            "classes": len(model.labels),
            "engine": self.engine.describe(),
            "preprocessing": {
                "resize": model.recipe.resize,
                "crop": model.recipe.crop,
                "mean": model.recipe.mean,
                "std": model.recipe.std,
                "interpolation": model.recipe.interpolation,
            },
            "default_split_point": self.default.name,
            "split_points": {name: list(point.shape) for name, point in self.partition.points.items()},
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
