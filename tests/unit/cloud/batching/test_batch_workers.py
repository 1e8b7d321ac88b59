"""Several tails that run at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from kits.batching import LONG_S, POISON, Tail, check, depth, serving, submit, until

from cloud.batching.batcher import Batcher
from cloud.metrics import CloudMetrics

if TYPE_CHECKING:
    from cloud.batching.crossing import Crossing
    from shared.engines.half import Tensors


def test_as_many_tails_run_at_once_as_there_are_workers_and_no_more() -> None:
    async def scenario() -> None:
        tail = Tail()
        async with serving(tail, max_batch=1, workers=3) as batcher:
            tail.gate.clear()
            tasks = [submit(batcher, value) for value in range(10)]
            await until(lambda: depth(batcher) == 7)
            for _ in range(20):
                await asyncio.sleep(0)
            assert (tail.running, depth(batcher)) == (3, 7)
            tail.gate.set()
            for value, task in enumerate(tasks):
                await check(task, value)
            assert tail.most_running == 3
            assert sorted(value for _, batch in tail.batches for value in batch) == list(range(10))

    asyncio.run(scenario())


def test_workers_collect_one_after_another_so_that_batches_are_full() -> None:
    async def scenario() -> None:
        tail = Tail()
        async with serving(tail, max_batch=4, wait_s=LONG_S, workers=3) as batcher:
            tasks = [submit(batcher, value) for value in range(8)]
            await asyncio.gather(*tasks)
            assert [batch for _, batch in tail.batches] == [[0, 1, 2, 3], [4, 5, 6, 7]]

    asyncio.run(scenario())


def test_one_worker_at_a_time_waits_for_a_batch_to_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several that wait for one batch would let the next one go too early."""
    inside, most, fill = 0, 0, Batcher._fill

    async def counted(batcher: Batcher) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await fill(batcher)
        inside -= 1

    monkeypatch.setattr(Batcher, "_fill", counted)

    async def scenario() -> None:
        async with serving(Tail(), max_batch=2, wait_s=LONG_S, workers=3) as batcher:
            await asyncio.gather(submit(batcher, 1), submit(batcher, 2))  # company
            before = most
            with batcher.gathering.expect():
                tasks = [submit(batcher, 3)]
                for _ in range(20):
                    await asyncio.sleep(0)
                assert (before, inside) == (1, 1)
                tasks.append(submit(batcher, 4))
                await asyncio.gather(*tasks)
        assert most == 1

    asyncio.run(scenario())


def test_a_tail_that_is_slow_or_fails_does_not_hold_up_the_others() -> None:
    async def scenario() -> None:
        tail = Tail()
        slow: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def run(split_point: str, callers: list[Crossing]) -> Tensors:
            if split_point == "slow":
                await slow
                raise ValueError("poison")
            return await tail(split_point, callers)

        async with serving(run, max_batch=2, workers=2) as batcher:
            held = submit(batcher, 1, at="slow")
            await until(lambda: depth(batcher) == 0)
            for value in range(5):
                with pytest.raises(ValueError, match="poison"):
                    await submit(batcher, POISON)
                await check(submit(batcher, value), value)
            assert not held.done()
            slow.set_result(None)
            with pytest.raises(ValueError, match="poison"):
                await held
            tail.gate.clear()
            tasks = [submit(batcher, 1), submit(batcher, 2, at="b")]
            await until(lambda: tail.running == 2)  # both workers are there still
            tail.gate.set()
            await asyncio.gather(*tasks)

    asyncio.run(scenario())


def test_serving_ends_with_its_workers() -> None:
    async def scenario() -> None:
        tail = Tail()
        tail.gate.clear()
        before = asyncio.all_tasks()
        batcher = Batcher(tail, CloudMetrics(), capacity=8, max_batch=1, wait_s=0.0, workers=3)
        loop = asyncio.create_task(batcher.serve())
        callers = [submit(batcher, value) for value in range(5)]
        await until(lambda: tail.running == 3)
        loop.cancel()
        with pytest.raises(asyncio.CancelledError):
            await loop
        assert tail.running == 0
        for caller in callers:
            caller.cancel()
        await asyncio.wait(callers)
        assert asyncio.all_tasks() == before

    asyncio.run(scenario())
