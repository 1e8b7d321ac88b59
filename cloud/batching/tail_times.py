"""How long the tails take on this cloud, for an edge that plans where to cut.

Measured when an edge first asks: a cloud whose edges pin their split point never spends the time. Kept on disk, as it
holds for as long as network, engine and machine stay the same.
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

from cloud.batching.runner import timed
from shared.errors import UnavailableError
from shared.network.partition import INPUT
from shared.process.cache.folder import Cache, key_of
from shared.process.machine import machine

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cloud.access.clients import Account
    from cloud.batching.crossing import Crossing
    from cloud.config import CloudSettings
    from cloud.frames.threads import ThreadPools
    from cloud.networks.network import LoadedNetwork
    from shared.engines import Engine
    from shared.network.partition import SplitPoint

_log = logging.getLogger(__name__)

_RUNS = 3
"""Timed runs of each tail and batch size, of which the fastest counts. Each thread warms up before its first one."""
_BUDGET_S = 20.0
"""Larger batches that would take longer than this in all are left out."""
_LONGEST_S = 0.1
"""Batches are left out of which one run would take longer: what the tails hold for them, they keep."""
_AWAY = 9
"""While frames come, the tails are theirs for so many times as long as each run took."""
_PAUSE_S = 60.0
"""A measurement that failed is not tried again before that."""


class _Times(TypedDict):
    batch_sizes: list[int]
    tails_ms: dict[str, list[float]]


class TailTimes:
    """The time of one run of the tail at every split point that is worth choosing, by batch size."""

    def __init__(
        self,
        network: LoadedNetwork,
        pools: ThreadPools,
        settings: CloudSettings,
        charge: Callable[[Account, float], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`charge` an account for seconds of the tails' threads, on the event loop; `sleep` takes seconds."""
        self._network = network
        self._pools = pools
        self._settings = settings
        self._charge = charge
        self._sleep = sleep
        self.known: dict[str, Any] | None = None
        """What `get` has found already."""
        self._finding: asyncio.Task[dict[str, Any]] | None = None
        self._failed_at = float("-inf")
        self._spent_s = 0.0  # in runs, of the measurement in progress
        self._calls = 0  # of the tails' pool, when the latest run ended

    async def get(self, account: Account) -> dict[str, Any]:
        """What `GET /tail-times` says. All callers share one measurement, and none of them ends it by going away.

        The client that begins it is charged for it: run by run, so that its frames let others go first a little, and never for long.

        Raises what a tail raised, and UnavailableError for a while after that; then the next call tries again. Raises OverQuotaError if
        this client would begin one and has used its share of computing.
        """
        task = self._finding
        failed = task is not None and task.done() and (task.cancelled() or task.exception())
        if failed and time.monotonic() < self._failed_at + _PAUSE_S:
            raise UnavailableError(
                "the tails could not be timed; see the server's log, and try again in a minute"
            )
        if task is None or failed:
            account.require_compute()
            task = self._finding = asyncio.create_task(self._find(account))
            task.add_done_callback(self._note)
        return await asyncio.shield(task)

    def _note(self, task: asyncio.Task[dict[str, Any]]) -> None:
        if not task.cancelled() and task.exception():
            self._failed_at = time.monotonic()

    def stop(self) -> None:
        """A measurement in progress ends with its current run; `get` raises CancelledError."""
        if self._finding:
            self._finding.cancel()

    async def _find(self, account: Account) -> dict[str, Any]:
        network, settings, on_thread = self._network, self._settings, self._pools.compiling.run
        ends = network.ends()
        points = [network.partition.point(INPUT), *ends]
        await on_thread(_charged, account, network.tails.make_ready, ends)
        key = await on_thread(self._key, points)
        times = await on_thread(self._recall, key, points)
        if times is None:
            times = await self._measure(points, account)
            await on_thread(Cache(settings.cache_dir).store_json, key, times)
        self.known = {
            "fingerprint": network.model.fingerprint.hex(),
            "engine": network.engine.describe(),
            **times,
            "batch_wait_ms": settings.batch_wait_ms,
            "max_batch": settings.max_batch,
            "tail_workers": self._pools.tail_workers,
        }
        return self.known

    async def _measure(self, points: list[SplitPoint], account: Account) -> _Times:
        start = time.monotonic()
        self._spent_s, self._calls = 0.0, self._pools.tails.calls
        times = _Times(batch_sizes=[], tails_ms={point.name: [] for point in points})
        row: list[float] = []
        for size in _batch_sizes(self._settings.max_batch):
            if times["batch_sizes"] and size / times["batch_sizes"][-1] * max(row) > _LONGEST_S:
                break
            found = await self._row(points, size, account)
            if found is None:
                break
            row = found
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

    async def _row(self, points: list[SplitPoint], size: int, account: Account) -> list[float] | None:
        """Seconds at each split point; None if the budget is spent before the last one. Single frames are timed regardless."""
        row = []
        for point in points:
            seconds = await self._seconds(point, size, account)
            if seconds is None:
                return None
            row.append(seconds)
        return row

    async def _seconds(self, point: SplitPoint, size: int, account: Account) -> float | None:
        tails = self._network.tails

        def prepare() -> Crossing:
            random = np.random.default_rng(0)
            one = [random.standard_normal((1, *shape), np.float32) for shape in point.shapes]
            return tuple(np.repeat(each, size, axis=0) for each in one)

        def run() -> tuple[float, float]:
            begun = time.perf_counter()
            if threading.get_ident() not in warm:
                tails.run(point.name, [crossing])
                warm.add(threading.get_ident())
            start = time.perf_counter()
            tails.run(point.name, [crossing])
            return (end := time.perf_counter()) - start, end - begun

        crossing = await self._pools.compiling.run(prepare)
        warm: set[int] = set()
        runs: list[float] = []
        while len(runs) < _RUNS:
            if self._spent_s > _BUDGET_S and (runs or size > 1):
                break
            # One by one, so that frames run in between; a single worker, whom they wait for, pauses within each run as well.
            pieces = tails.begin(point.name, [crossing]) if self._pools.tail_workers == 1 else None
            if pieces is None:
                seconds, in_all = await self._pools.tails.run(run)
            else:
                seconds, calls = await timed(self._pools.tails, pieces)
                self._calls += calls - 1  # our own, not others'
                in_all = seconds
            if pieces is None or warm:
                runs.append(seconds)
            warm.add(0)
            self._spent_s += in_all
            self._charge(account, in_all)
            await self._give_way(in_all)
        return min(runs, default=None)  # whatever else the machine does only adds to the time

    async def _give_way(self, seconds: float) -> None:
        """After a run that took so many seconds: if frames were run since the one before, leave the tails to them for a while."""
        calls = self._pools.tails.calls
        others, self._calls = calls - self._calls - 1, calls
        if others:
            await self._sleep(_AWAY * seconds)

    def _key(self, points: list[SplitPoint]) -> str:
        """Names everything that the times depend on."""
        engine = self._network.engine
        return "tail-times-" + key_of(
            self._network.model.fingerprint.hex(),
            *(point.name for point in points),
            json.dumps(engine.describe()),
            str(self._pools.tail_workers),
            str(self._settings.max_batch),
            machine(),
            *_versions(engine),
        )

    def _recall(self, key: str, points: list[SplitPoint]) -> _Times | None:
        stored = Cache(self._settings.cache_dir).load_json(key)
        try:
            complete = list(stored["tails_ms"]) == [point.name for point in points] and all(
                len(row) == len(stored["batch_sizes"]) > 0 for row in stored["tails_ms"].values()
            )
        except (TypeError, KeyError, AttributeError):
            complete = False
        return _Times(batch_sizes=stored["batch_sizes"], tails_ms=stored["tails_ms"]) if complete else None


def _charged(account: Account, work: Callable[..., None], *arguments: Any) -> None:
    with account.computing():
        work(*arguments)


def _versions(engine: Engine) -> list[str]:
    """What the engine computes with; for the torch engine on a GPU that GPU's name as well."""
    if engine.name != "torch":
        return [version("openvino")]
    if not engine.device.startswith("cuda"):
        return [version("torch")]
    import torch  # noqa: PLC0415 - loaded already, and by this engine only

    return [version("torch"), torch.cuda.get_device_name(engine.device)]


def _batch_sizes(largest: int) -> list[int]:
    """Powers of two, and the largest itself."""
    return [size for power in range(largest.bit_length()) if (size := 1 << power) < largest] + [largest]
