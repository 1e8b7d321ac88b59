"""What the handlers work on: one model, its tails, and the queue before them."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from cloud.batcher import Batcher
from cloud.lifecycle import Lifecycle, State
from cloud.metrics import CloudMetrics
from cloud.tails import Tails
from shared import wire
from shared.codecs import CODECS
from shared.engines import TorchEngine
from shared.models import load_model
from shared.partition import Partition
from shared.telemetry import export_build_info

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from cloud.config import CloudSettings

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")


class Service:
    """Loads the model off the event loop, then answers until it is stopped."""

    def __init__(self, settings: CloudSettings, threads: int) -> None:
        self.settings = settings
        self.metrics = CloudMetrics()
        self.lifecycle = Lifecycle(self.metrics.ready)
        self.active = 0
        """Requests of `POST /model` between header and answer."""
        self.buffered_bytes = 0
        self._threads = threads
        self._tail_thread = ThreadPoolExecutor(1, thread_name_prefix="tail")
        self._pool = ThreadPoolExecutor(max(2, threads), thread_name_prefix="decode")
        self._batches: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Load the model, compile the default tail, take frames. Raises StartupError."""
        await self.in_pool(self._load)
        self.batcher = Batcher(
            self._run_tail,
            self.metrics,
            capacity=self.settings.queue_capacity,
            max_batch=self.settings.max_batch,
            wait_s=self.settings.batch_wait_ms / 1e3,
        )
        self._batches = asyncio.create_task(self.batcher.serve())
        self.lifecycle.move(State.READY)

    def _load(self) -> None:
        settings = self.settings
        engine = TorchEngine(settings.device, self._threads)
        self.model = load_model(settings.model, settings.weights, seed=settings.seed, labels=settings.labels)
        self.partition = Partition(self.model.network, self.model.preprocessing.tensor_shape)
        chosen = settings.split_point
        self.default = self.partition.point(chosen) if chosen else self.partition.default()
        self.tails = Tails(self.partition, engine)
        self.tails.prepare(self.default.name)
        export_build_info(
            self.metrics.registry,
            "cloud",
            model=self.model.name,
            weights=self.model.weights,
            fingerprint=self.model.fingerprint.hex(),
            device=str(engine.device),
        )
        _log.info(
            "%s, weights %s, fingerprint %s, %d split points, default %s, device %s",
            self.model.name,
            self.model.weights,
            self.model.fingerprint.hex(),
            len(self.partition.points),
            self.default.name,
            engine.device,
        )

    async def stop(self) -> None:
        """Refuse new frames, finish those in progress within the drain time, count what is left."""
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
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._tail_thread.shutdown(wait=False, cancel_futures=True)

    async def in_pool(self, function: Callable[..., _Result], *arguments: Any) -> _Result:
        """Call `function` on a thread, so that the event loop never computes."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)

    async def _run_tail(self, split_point: str, tensors: NDArray[np.float32]) -> NDArray[np.float32]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._tail_thread, self.tails.run, split_point, tensors)

    def describe(self) -> dict[str, Any]:
        """What `GET /model` says."""
        model = self.model
        return {
            "model": model.name,
            "weights": model.weights,
            "fingerprint": model.fingerprint.hex(),
            "classes": len(model.labels),
            "preprocessing": {
                "resize": model.preprocessing.resize,
                "crop": model.preprocessing.crop,
                "mean": model.preprocessing.mean,
                "std": model.preprocessing.std,
                "interpolation": model.preprocessing.interpolation,
            },
            "default_split_point": self.default.name,
            "split_points": {name: list(point.shape) for name, point in self.partition.points.items()},
            "codecs": {codec.name: codec.id for codec in CODECS.values()},
            "wire_versions": [wire.VERSION],
            "limits": {
                "max_body_bytes": self.settings.max_body_bytes,
                "max_elements": wire.MAX_ELEMENTS,
                "queue_capacity": self.settings.queue_capacity,
                "max_batch": self.settings.max_batch,
            },
        }
