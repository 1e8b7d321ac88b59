"""Which frames share a batch."""

from __future__ import annotations

import asyncio

from kits.batching import LONG_S, Tail, check, count_of, depth, serving, submit, until


def test_callers_share_a_batch_as_soon_as_it_is_full() -> None:
    async def scenario() -> None:
        tail = Tail()
        async with serving(tail, max_batch=4, wait_s=LONG_S) as batcher:
            tasks = [submit(batcher, value) for value in (1, 2, 3, 4)]
            for task, value in zip(tasks, (1, 2, 3, 4), strict=True):
                await check(task, value)
            assert tail.batches == [("a", [1, 2, 3, 4])]
            assert count_of(batcher, "batch_size_sum") == 4
            assert count_of(batcher, "batch_size_count") == 1
            assert count_of(batcher, "queue_wait_seconds_count") == 4

    asyncio.run(scenario())


def test_a_batch_that_is_not_full_goes_when_its_time_is_over() -> None:
    async def scenario() -> None:
        tail = Tail()
        async with serving(tail, max_batch=4, wait_s=0.005) as batcher:
            tasks = [submit(batcher, 1), submit(batcher, 2)]
            await check(tasks[0], 1)
            await check(tasks[1], 2)
            assert tail.batches == [("a", [1, 2])]

    asyncio.run(scenario())


def test_frames_that_come_while_the_tail_is_busy_go_together_next() -> None:
    async def scenario() -> None:
        tail = Tail()
        async with serving(tail) as batcher:
            tail.gate.clear()
            first = submit(batcher, 1)
            await tail.entered()
            others = [submit(batcher, value) for value in (2, 3, 4)]
            await until(lambda: depth(batcher) == 3)
            tail.gate.set()
            await asyncio.gather(first, *others)
            assert tail.batches == [("a", [1]), ("a", [2, 3, 4])]

    asyncio.run(scenario())


def test_a_batch_is_of_one_split_point_and_the_oldest_goes_first() -> None:
    async def scenario() -> None:
        tail = Tail()
        async with serving(tail, max_batch=2) as batcher:
            tail.gate.clear()
            first = submit(batcher, 0)
            await tail.entered()
            arrivals = [(1, "b"), (2, "c"), (3, "b"), (4, "b"), (5, "c"), (6, "a")]
            others = [submit(batcher, value, at=at) for value, at in arrivals]
            await until(lambda: depth(batcher) == 6)
            tail.gate.set()
            await asyncio.gather(first, *others)
            for task, (value, _) in zip(others, arrivals, strict=True):
                await check(task, value)
            assert tail.batches == [("a", [0]), ("b", [1, 3]), ("c", [2, 5]), ("b", [4]), ("a", [6])]

    asyncio.run(scenario())


def test_a_caller_of_several_tensors_gets_its_own_rows_and_takes_turns_above_the_limit() -> None:
    async def scenario() -> None:
        tail = Tail()
        async with serving(tail, max_batch=4) as batcher:
            tail.gate.clear()
            first = submit(batcher, 0)
            await tail.entered()
            groups = [(1, 2), (3, 4, 5), (6,), (7, 8, 9, 10, 11, 12)]
            others = [submit(batcher, *group) for group in groups]
            await until(lambda: depth(batcher) == 10)  # the last one has handed in its first four only
            tail.gate.set()
            await check(first, 0)
            for task, group in zip(others, groups, strict=True):
                await check(task, *group)
            assert [batch for _, batch in tail.batches[1:]] == [[1, 2, 6], [3, 4, 5], [7, 8, 9, 10], [11, 12]]

    asyncio.run(scenario())
