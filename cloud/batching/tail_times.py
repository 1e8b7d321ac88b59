"""How long the tails take here, for an edge that plans where to cut.

Measured when somebody asks for it: a cloud whose edges pin their split point does not pay. Kept on disk, as it holds for as
long as network, engine and machine stay what they are.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
import torch

from shared.network.partition import INPUT
from shared.network.stage_ends import stage_ends
from shared.process.cache import Cache, key_of
from shared.process.machine import machine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cloud.service import Service
    from shared.network.partition import SplitPoint

_log = logging.getLogger(__name__)

_RUNS = 3
"""The fastest counts. Each thread warms up before its first one."""
_BUDGET_S = 20.0
"""Larger batches that would take longer are left out."""


class _Times(TypedDict):
    batch_sizes: list[int]
    tails_ms: dict[str, list[float]]


class TailTimes:
    """Of one run of the tail at every split point that is worth choosing, by batch size."""

    def __init__(self, service: Service) -> None:
        """Nothing of `service` is used before the first `get`."""
        self._service = service
        self._finding: asyncio.Task[dict[str, Any]] | None = None

    async def get(self) -> dict[str, Any]:
        """What `GET /profile` says. All callers share one measurement, which none of them ends by going away.

        Raises what a tail raised; the next call tries again.
        """
        task = self._finding
        if task is None or (task.done() and (task.cancelled() or task.exception())):
            task = self._finding = asyncio.create_task(self._find())
        return await asyncio.shield(task)

    def stop(self) -> None:
        """A measurement in progress ends with the run that it is at; `get` raises CancelledError."""
        if self._finding:
            self._finding.cancel()

    async def _find(self) -> dict[str, Any]:
        service, settings = self._service, self._service.settings
        ends = stage_ends(service.partition.points.values())
        points = [service.partition.point(INPUT), *ends]
        await service.in_profile_thread(lambda: service.tails.make_ready(ends))
        key = await service.in_profile_thread(lambda: self._key(points))
        times = await service.in_profile_thread(lambda: self._recall(key, points))
        if times is None:
            measured = times = await self._measure(points)
            await service.in_profile_thread(lambda: Cache(settings.cache_dir).store_json(key, measured))
        return {
            "fingerprint": service.model.fingerprint.hex(),
            "engine": service.engine.describe(),
            **times,
            "batch_wait_ms": settings.batch_wait_ms,
            "max_batch": settings.max_batch,
            "tail_workers": service.workers,
        }

    async def _measure(self, points: list[SplitPoint]) -> _Times:
        start = time.monotonic()
        times = _Times(batch_sizes=[], tails_ms={point.name: [] for point in points})
        for size in _batch_sizes(self._service.settings.max_batch):
            row = await self._row(points, size, start + _BUDGET_S)
            if row is None:
                break
            times["batch_sizes"].append(size)
            for point, seconds in zip(points, row, strict=True):
                times["tails_ms"][point.name].append(round(1e3 * seconds, 3))
        _log.info(
            "timed the tails at %d split points, in batches of up to %d, in %.1f s: %s",
            len(points),
            times["batch_sizes"][-1],
            time.monotonic() - start,
            ", ".join(f"{name} {row[0]:.1f} ms" for name, row in times["tails_ms"].items()),
        )
        return times

    async def _row(self, points: list[SplitPoint], size: int, until: float) -> list[float] | None:
        """Seconds at each split point; None if the time is over before the last one. Single pictures are timed anyway."""
        row = []
        for point in points:
            seconds = await self._seconds(point, size, until)
            if seconds is None:
                return None
            row.append(seconds)
        return row

    async def _seconds(self, point: SplitPoint, size: int, until: float) -> float | None:
        service = self._service

        def prepare() -> NDArray[np.float32]:
            one = np.random.default_rng(0).standard_normal((1, *point.shape), np.float32)
            return np.repeat(one, size, axis=0)

        def run() -> float:
            if threading.get_ident() not in warm:
                service.tails.run(point.name, [tensors])
                warm.add(threading.get_ident())
            start = time.perf_counter()
            service.tails.run(point.name, [tensors])
            return time.perf_counter() - start

        tensors = await service.in_profile_thread(prepare)
        warm: set[int] = set()
        runs: list[float] = []
        while len(runs) < _RUNS:
            if time.monotonic() > until and (runs or size > 1):
                break
            runs.append(await service.in_tail_thread(run))  # one by one, so that frames run in between
        return min(runs, default=None)  # what else the machine does only adds

    def _key(self, points: list[SplitPoint]) -> str:
        """Names what the times hold for."""
        service = self._service
        device = service.engine.device
        return "tail-times-" + key_of(
            service.model.fingerprint.hex(),
            *(point.name for point in points),
            json.dumps(service.engine.describe()),
            str(service.workers),
            str(service.settings.max_batch),
            machine(),
            torch.cuda.get_device_name(device) if device.startswith("cuda") else "",
            version("torch"),
            version("openvino"),
        )

    def _recall(self, key: str, points: list[SplitPoint]) -> _Times | None:
        kept = Cache(self._service.settings.cache_dir).load_json(key)
        try:
            complete = list(kept["tails_ms"]) == [point.name for point in points] and all(
                len(row) == len(kept["batch_sizes"]) > 0 for row in kept["tails_ms"].values()
            )
        except (TypeError, KeyError, AttributeError):
            complete = False
        return _Times(batch_sizes=kept["batch_sizes"], tails_ms=kept["tails_ms"]) if complete else None


def _batch_sizes(largest: int) -> list[int]:
    """Powers of two, and the largest itself."""
    return [size for power in range(largest.bit_length()) if (size := 1 << power) < largest] + [largest]
