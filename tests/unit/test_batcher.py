"""The queue before the tails: who shares a batch, who is refused, and that no caller takes another one down."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from cloud.batcher import Answer, Batcher
from cloud.metrics import CloudMetrics
from shared.errors import BusyError, DeadlineError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

POISON = 13.0
LONG_S = 600.0
"""Never over within a test: a batch that goes before was let go by its size."""


class Tail:
    """A fake tail: doubles what it gets, remembers every batch, and waits behind `gate` while that is closed."""

    def __init__(self) -> None:
        self.batches: list[tuple[str, list[float]]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.wrong_rows = False

    async def __call__(self, split_point: str, tensors: np.ndarray) -> np.ndarray:
        self.batches.append((split_point, tensors[:, 0].tolist()))
        await self.gate.wait()
        if POISON in tensors:
            raise ValueError("poison")
        return tensors[1:] if self.wrong_rows else 2 * tensors

    async def entered(self, count: int = 1) -> None:
        await until(lambda: len(self.batches) >= count)


def rows(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)[:, None]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def serving(
    tail: Any, *, capacity: int = 64, max_batch: int = 4, wait_s: float = 0.0
) -> AsyncIterator[Batcher]:
    """A batcher whose loop runs; it must still be running at the end."""
    batcher = Batcher(tail, CloudMetrics(), capacity=capacity, max_batch=max_batch, wait_s=wait_s)
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
    batcher: Batcher, *values: float, at: str = "a", timeout_s: float = LONG_S
) -> asyncio.Task[Answer]:
    return asyncio.create_task(batcher.submit(at, rows(*values), timeout_s))


async def check(task: asyncio.Task[Answer], *values: float) -> None:
    async with asyncio.timeout(30):
        answer = await task
    assert answer.logits[:, 0].tolist() == [2 * value for value in values]
    assert answer.queue_s >= 0
    assert answer.tail_s >= 0


# --- who shares a batch -----------------------------------------------------------------------------------------------


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


def test_those_who_come_while_the_tail_is_busy_go_together_next() -> None:
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


# --- who is refused ---------------------------------------------------------------------------------------------------


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
            assert [ticket.tensors[0, 0] for ticket in batcher._queue] == [3]
            assert depth(batcher) == 1
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
            late, other = submit(batcher, 1, timeout_s=0.005), submit(batcher, 2)
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


# --- callers who go away ----------------------------------------------------------------------------------------------


def test_a_cancelled_caller_is_skipped_and_the_others_are_answered() -> None:
    async def scenario() -> None:
        tail = Tail()
        async with serving(tail) as batcher:
            tail.gate.clear()
            running = submit(batcher, 1)
            await tail.entered()
            waiting = [submit(batcher, value) for value in (2, 3, 4)]
            await until(lambda: depth(batcher) == 3)
            running.cancel()
            waiting[1].cancel()
            tail.gate.set()
            await check(waiting[0], 2)
            await check(waiting[2], 4)
            assert running.cancelled()
            assert waiting[1].cancelled()
            assert tail.batches == [("a", [1]), ("a", [2, 4])]

    asyncio.run(scenario())


def test_a_queue_of_cancelled_callers_only_does_not_spin() -> None:
    """The tail's end and the cancellation fall into one turn of the event loop: serve() is there before the caller."""

    async def scenario() -> None:
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        batches = []

        async def tail(_split_point: str, tensors: np.ndarray) -> np.ndarray:
            batches.append(tensors[:, 0].tolist())
            if len(batches) == 1:
                await ended
            return 2 * tensors

        async with serving(tail) as batcher:
            first = submit(batcher, 1)
            await until(lambda: len(batches) == 1)
            second = submit(batcher, 2)
            await until(lambda: depth(batcher) == 1)
            ended.set_result(None)
            second.cancel()
            await asyncio.wait({first, second})  # a spinning serve() would never let this return
            assert second.cancelled()
            await check(first, 1)
            await check(submit(batcher, 3), 3)
            assert batches == [[1], [3]]

    asyncio.run(scenario())


def test_the_loop_survives_a_thousand_random_cancellations() -> None:
    generator = random.Random(20)

    async def turns() -> None:
        for _ in range(generator.randrange(8)):
            await asyncio.sleep(0)

    async def tail(_split_point: str, tensors: np.ndarray) -> np.ndarray:
        await turns()
        if POISON in tensors:
            raise ValueError("poison")
        return 2 * tensors

    async def caller(batcher: Batcher, number: int) -> str:
        value = POISON if number % 17 == 0 else float(100 + number)
        task = submit(batcher, *[value] * (1 + number % 3), at="abc"[generator.randrange(3)])
        await turns()
        if number % 2:
            task.cancel()
        try:
            answer = await task
        except asyncio.CancelledError:
            return "cancelled"
        except (BusyError, ValueError) as error:
            return type(error).__name__
        assert (answer.logits == 2 * value).all()
        return "answered"

    async def scenario() -> None:
        outcomes: dict[str, int] = {}
        async with serving(tail, capacity=32, max_batch=4) as batcher:
            for start in range(0, 2000, 20):
                async with asyncio.timeout(30):
                    for outcome in await asyncio.gather(*(caller(batcher, start + i) for i in range(20))):
                        outcomes[outcome] = outcomes.get(outcome, 0) + 1
            await check(submit(batcher, 1), 1)
        assert sum(outcomes.values()) == 2000
        assert outcomes["answered"] > 500
        assert outcomes["cancelled"] > 500
        assert outcomes["ValueError"] > 20

    logging.disable(logging.ERROR)  # a line for every batch with poison
    try:
        asyncio.run(scenario())
    finally:
        logging.disable(logging.NOTSET)


# --- tails that fail --------------------------------------------------------------------------------------------------


def test_a_run_that_fails_is_repeated_for_each_caller_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        tail = Tail()
        async with serving(tail, max_batch=3, wait_s=LONG_S) as batcher:
            tasks = [submit(batcher, 1), submit(batcher, POISON), submit(batcher, 3)]
            await check(tasks[0], 1)
            with pytest.raises(ValueError, match="poison"):
                await tasks[1]
            await check(tasks[2], 3)
            assert [batch for _, batch in tail.batches] == [[1, POISON, 3], [1], [POISON], [3]]
            tasks = [submit(batcher, value) for value in (4, 5, 6)]
            await asyncio.gather(*tasks)

    asyncio.run(scenario())
    assert [record.getMessage() for record in caplog.records] == [
        "a batch of 3 callers failed; trying each alone"
    ]


def test_a_run_that_fails_is_not_repeated_for_those_who_have_gone() -> None:
    async def scenario() -> None:
        tail = Tail()
        async with serving(tail, max_batch=3, wait_s=LONG_S) as batcher:
            tail.gate.clear()
            tasks = [submit(batcher, 1), submit(batcher, POISON), submit(batcher, 3)]
            await tail.entered()
            tasks[0].cancel()
            tasks[1].cancel()
            await asyncio.wait(tasks[:2])
            tail.gate.set()
            await check(tasks[2], 3)
            assert [batch for _, batch in tail.batches] == [[1, POISON, 3], [3]]

    asyncio.run(scenario())


def test_one_caller_alone_gets_the_tails_own_exception_and_the_next_one_is_answered() -> None:
    async def scenario() -> None:
        tail = Tail()
        async with serving(tail) as batcher:
            with pytest.raises(ValueError, match="poison"):
                await batcher.submit("a", rows(POISON), LONG_S)
            assert len(tail.batches) == 1
            await check(submit(batcher, 1), 1)

    asyncio.run(scenario())


def test_too_few_rows_from_a_tail_are_an_error_not_somebody_elses_answer() -> None:
    async def scenario() -> None:
        tail = Tail()
        async with serving(tail, max_batch=2, wait_s=LONG_S) as batcher:
            tail.wrong_rows = True
            tasks = [submit(batcher, 1), submit(batcher, 2)]
            for task in tasks:
                with pytest.raises(RuntimeError, match="0 rows for 1"):
                    await task
            tail.wrong_rows = False
            await asyncio.gather(submit(batcher, 3), submit(batcher, 4))

    asyncio.run(scenario())


def test_a_batch_that_cannot_be_put_together_does_not_end_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    def out_of_memory(_arrays: list[np.ndarray]) -> np.ndarray:
        raise MemoryError

    async def scenario() -> None:
        async with serving(Tail()) as batcher:
            with monkeypatch.context() as patch:
                patch.setattr("cloud.batcher.np.concatenate", out_of_memory)
                with pytest.raises(MemoryError):
                    await batcher.submit("a", rows(1), 30)
            await check(submit(batcher, 2), 2)

    asyncio.run(scenario())
