"""A full queue and deadlines: what the batcher refuses, at no cost to other callers."""

from __future__ import annotations

import asyncio

import pytest
from kits.batching import LONG_S, Tail, check, count_of, depth, rows, serving, submit, until

from cloud.access.refusals import BusyError
from shared.errors import DeadlineError


def test_a_full_queue_refuses_at_once_and_says_how_full_it_is() -> None:
    async def scenario() -> None:
        tail = Tail()
        async with serving(tail, capacity=3) as batcher:
            assert count_of(batcher, "queue_capacity") == 3
            tail.gate.clear()
            first = submit(batcher, 0)
            await tail.entered()
            waiting = [submit(batcher, 1), submit(batcher, 2)]
            await until(lambda: depth(batcher) == 2)
            with pytest.raises(BusyError, match=r"full \(2 of 3\)"):
                await batcher.submit("a", rows(3, 4), LONG_S)
            last = submit(batcher, 5)
            await until(lambda: depth(batcher) == 3)
            with pytest.raises(BusyError, match=r"full \(3 of 3\)"):
                await batcher.submit("b", rows(6), LONG_S)
            assert depth(batcher) == 3
            tail.gate.set()
            for task, value in zip([first, *waiting, last], (0, 1, 2, 5), strict=True):
                await check(task, value)

    asyncio.run(scenario())


def test_a_full_queue_does_not_wait_for_a_batch_that_cannot_grow() -> None:
    async def scenario() -> None:
        tail = Tail()
        async with serving(tail, capacity=4, max_batch=4, wait_s=LONG_S) as batcher:
            tasks = [submit(batcher, 1, 2), submit(batcher, 3, 4, at="b")]
            await check(tasks[0], 1, 2)
            tasks.append(submit(batcher, 5, 6))  # full again
            await check(tasks[1], 3, 4)
            tasks += [submit(batcher, 7, 8)]
            await check(tasks[2], 5, 6)
            await check(tasks[3], 7, 8)

    asyncio.run(scenario())


def test_a_caller_past_its_deadline_leaves_the_queue() -> None:
    async def scenario() -> None:
        tail = Tail()
        async with serving(tail) as batcher:
            tail.gate.clear()
            first = submit(batcher, 1)
            await tail.entered()
            late = submit(batcher, 2, timeout_s=0.002)
            other = submit(batcher, 3)
            with pytest.raises(DeadlineError, match="within the 2 ms"):
                await late
            assert (len(batcher._queue), depth(batcher)) == (1, 1)
            assert batcher._queue.first().crossing[0][0, 0] == 3
            tail.gate.set()
            await check(first, 1)
            await check(other, 3)
            assert tail.batches == [("a", [1]), ("a", [3])]

    asyncio.run(scenario())


def test_a_deadline_that_passes_while_the_tail_runs_is_an_error_to_that_caller_only() -> None:
    async def scenario() -> None:
        tail = Tail()
        async with serving(tail, max_batch=2, wait_s=LONG_S) as batcher:
            tail.gate.clear()
            late, other = submit(batcher, 1, timeout_s=0.2), submit(batcher, 2)
            with pytest.raises(DeadlineError):
                await late
            assert tail.batches == [("a", [1, 2])]
            tail.gate.set()
            await check(other, 2)

    asyncio.run(scenario())


def test_no_time_at_all_is_a_deadline_passed() -> None:
    async def scenario() -> None:
        async with serving(Tail(), wait_s=LONG_S) as batcher:
            with pytest.raises(DeadlineError, match="within the 0 ms"):
                await batcher.submit("a", rows(1), 0.0)

    asyncio.run(scenario())
