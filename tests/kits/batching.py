"""A batcher whose tails are fakes: the base of the tests of its batches."""

from __future__ import annotations

import asyncio
import contextlib
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from cloud.batching.batcher import Batcher
from cloud.batching.crossing import Crossing, TailRun, join
from cloud.metrics import CloudMetrics

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from shared.engines.half import Tensors

POISON = 13.0
LONG_S = 600.0
"""Longer than any test: a batch that goes before was let go by its size."""


class Tail:
    """A fake tail: doubles what it gets, remembers every batch, and waits behind `gate` while that is closed."""

    def __init__(self) -> None:
        self.batches: list[tuple[str, list[float]]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.wrong_rows = False
        self.running = self.most_running = 0

    async def __call__(self, split_point: str, callers: list[Crossing]) -> Tensors:
        (tensors,) = join(callers)
        self.batches.append((split_point, tensors[:, 0].tolist()))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await self.gate.wait()
        finally:
            self.running -= 1
        if POISON in tensors:
            raise ValueError("poison")
        return (tensors[1:] if self.wrong_rows else 2 * tensors,)

    async def entered(self, count: int = 1) -> None:
        await until(lambda: len(self.batches) >= count)


def rows(*values: float) -> Crossing:
    """A crossing of one number a frame."""
    return (np.array(values, dtype=np.float32)[:, None],)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def serving(
    tail: Any,
    *,
    capacity: int = 64,
    max_batch: int = 4,
    wait_s: float = 0.0,
    workers: int = 1,
    in_pieces: Any = None,
    shared_run_s: float = math.inf,
) -> AsyncIterator[Batcher]:
    """A batcher whose loop runs; it must still run at the end. Batches do not depend on how long a run took, unless it is told so."""
    batcher = Batcher(
        tail,
        CloudMetrics(),
        capacity=capacity,
        max_batch=max_batch,
        wait_s=wait_s,
        workers=workers,
        in_pieces=in_pieces,
        shared_run_s=shared_run_s,
    )
    loop = asyncio.create_task(batcher.serve())
    try:
        yield batcher
        assert not loop.done()
        assert depth(batcher) == len(batcher._queue) == 0
    finally:
        loop.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await loop


def depth(batcher: Batcher) -> float | None:
    return batcher._metrics.registry.get_sample_value("splitdnn_cloud_queue_depth")


def count_of(batcher: Batcher, name: str) -> float | None:
    return batcher._metrics.registry.get_sample_value(f"splitdnn_cloud_{name}")


def submit(
    batcher: Batcher, *values: float, at: str = "a", timeout_s: float = LONG_S, client: Any = None
) -> asyncio.Task[TailRun]:
    return asyncio.create_task(batcher.submit(at, rows(*values), timeout_s, client))


async def check(task: asyncio.Task[TailRun], *values: float) -> None:
    async with asyncio.timeout(30):
        answer = await task
    (outputs,) = answer.outputs
    assert outputs[:, 0].tolist() == [2 * value for value in values]
    assert answer.queue_s >= 0
    assert answer.tail_s >= 0
