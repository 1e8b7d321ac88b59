"""Several clients at one batcher; the order itself is tested in test_fair_queue.py."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING

import pytest
from kits.batching import LONG_S, Tail, check, depth, rows, serving, submit, until

from cloud.access.refusals import BusyError
from cloud.batching.crossing import Crossing, join

if TYPE_CHECKING:
    from shared.engines.half import Tensors


def test_a_client_with_one_frame_does_not_wait_behind_a_client_with_many() -> None:
    async def scenario() -> None:
        tail = Tail()
        async with serving(tail, capacity=80, max_batch=4) as batcher:
            tail.gate.clear()
            first = submit(batcher, 0, client="greedy")
            await tail.entered()
            many = [submit(batcher, 100 + number, client="greedy") for number in range(50)]
            await until(lambda: depth(batcher) == 50)
            others = [submit(batcher, 200 + number, client=number) for number in range(15)]
            await until(lambda: depth(batcher) == 65)
            tail.gate.set()
            for number, task in enumerate(others):
                await check(task, 200 + number)
            await asyncio.gather(first, *many)
            served = [value for _, batch in tail.batches[1:] for value in batch]
            assert {200 + number for number in range(15)} < set(served[:16])
            assert [value for value in served if value < 200] == [100 + number for number in range(50)]

    asyncio.run(scenario())


def test_in_a_full_queue_the_newest_of_the_client_with_most_makes_room_and_is_told_busy() -> None:
    async def scenario() -> None:
        tail = Tail()
        async with serving(tail, capacity=4, max_batch=4) as batcher:
            tail.gate.clear()
            running = submit(batcher, 0, client="a")
            await tail.entered()
            of_a = [submit(batcher, value, client="a") for value in (1, 2, 3, 4)]
            await until(lambda: depth(batcher) == 4)
            batcher.require_place("b")
            of_b = submit(batcher, 5, client="b")
            with pytest.raises(BusyError, match="others have less in it"):
                await of_a[-1]
            assert depth(batcher) == 4
            with pytest.raises(BusyError, match=r"full \(4 of 4\)"):
                await batcher.submit("a", rows(6), LONG_S, "a")
            with pytest.raises(BusyError):
                batcher.require_place("a")
            tail.gate.set()
            for task, value in zip([running, *of_a[:3], of_b], (0, 1, 2, 3, 5), strict=True):
                await check(task, value)
            assert tail.batches[1] == ("a", [1, 5, 2, 3])

    asyncio.run(scenario())


@pytest.mark.parametrize("displaced_first", [True, False])
def test_a_caller_that_is_displaced_and_cancelled_at_once_leaves_nothing_behind(
    displaced_first: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        tail = Tail()
        async with serving(tail, capacity=2) as batcher:
            tail.gate.clear()
            running = submit(batcher, 0, client="a")
            await tail.entered()
            staying, leaving = submit(batcher, 1, client="a"), submit(batcher, 2, client="a")
            await until(lambda: depth(batcher) == 2)
            if displaced_first:
                newcomer = submit(batcher, 3, client="b")
                await asyncio.sleep(0)  # it has taken the place, and the caller has not been told yet
                leaving.cancel()
            else:
                leaving.cancel()
                newcomer = submit(batcher, 3, client="b")
            await asyncio.wait({leaving})
            assert leaving.cancelled() or isinstance(leaving.exception(), BusyError)
            assert depth(batcher) == 2
            tail.gate.set()
            for task, value in ((running, 0), (staying, 1), (newcomer, 3)):
                await check(task, value)
        gc.collect()

    asyncio.run(scenario())
    assert not caplog.records  # no "exception was never retrieved"


def test_a_request_of_several_turns_that_is_displaced_between_them_is_told_busy() -> None:
    async def scenario() -> None:
        permits = asyncio.Semaphore(0)
        batches = []

        async def run(_split_point: str, callers: list[Crossing]) -> Tensors:
            (tensors,) = join(callers)
            batches.append(tensors[:, 0].tolist())
            await permits.acquire()
            return (2 * tensors,)

        async with serving(run, capacity=4, max_batch=2) as batcher:
            large = submit(batcher, 1, 2, 3, 4, client="large")
            await until(lambda: len(batches) == 1)
            other = submit(batcher, 5, 6, client="other")
            await until(lambda: depth(batcher) == 2)
            permits.release()
            await until(lambda: len(batches) == 2 and depth(batcher) == 2)  # its second turn waits
            ones = [submit(batcher, value, client=value) for value in (7, 8, 9)]
            with pytest.raises(BusyError):
                await large
            for _ in range(9):
                permits.release()
            await check(other, 5, 6)
            for task, value in zip(ones, (7, 8, 9), strict=True):
                await check(task, value)
            assert batches == [[1, 2], [5, 6], [7, 8], [9]]

    asyncio.run(scenario())
