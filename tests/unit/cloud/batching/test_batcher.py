"""The queue before the tails: who shares a batch, who is refused, and that no caller takes another one down.

Whose turn it is, is test_fair_queue.py's matter.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from cloud.batching.batcher import Answer, Batcher
from cloud.batching.tails import Tails
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
        self.running = self.most_running = 0

    async def __call__(self, split_point: str, callers: list[np.ndarray]) -> np.ndarray:
        tensors = np.concatenate(callers)
        self.batches.append((split_point, tensors[:, 0].tolist()))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await self.gate.wait()
        finally:
            self.running -= 1
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
    tail: Any, *, capacity: int = 64, max_batch: int = 4, wait_s: float = 0.0, workers: int = 1
) -> AsyncIterator[Batcher]:
    """A batcher whose loop runs; it must still be running at the end."""
    batcher = Batcher(
        tail, CloudMetrics(), capacity=capacity, max_batch=max_batch, wait_s=wait_s, workers=workers
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
) -> asyncio.Task[Answer]:
    return asyncio.create_task(batcher.submit(at, rows(*values), timeout_s, client))


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
            assert (len(batcher._queue), depth(batcher)) == (1, 1)
            assert batcher._queue.first().tensors[0, 0] == 3
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

        async def tail(_split_point: str, callers: list[np.ndarray]) -> np.ndarray:
            tensors = np.concatenate(callers)
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


@pytest.mark.parametrize("workers", [1, 3])
def test_the_loop_survives_a_thousand_random_cancellations(workers: int) -> None:
    generator = random.Random(20)

    async def turns() -> None:
        for _ in range(generator.randrange(8)):
            await asyncio.sleep(0)

    async def tail(_split_point: str, callers: list[np.ndarray]) -> np.ndarray:
        tensors = np.concatenate(callers)
        await turns()
        if POISON in tensors:
            raise ValueError("poison")
        return 2 * tensors

    async def caller(batcher: Batcher, number: int) -> str:
        value = POISON if number % 17 == 0 else float(100 + number)
        task = submit(
            batcher, *[value] * (1 + number % 3), at="abc"[generator.randrange(3)], client=number % 5
        )
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
        async with serving(tail, capacity=32, max_batch=4, workers=workers) as batcher:
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


def test_a_batch_that_cannot_be_put_together_is_run_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    class Doubling:
        def at_hand(self, _kind: str, _point: str) -> None:
            """Nothing is compiled yet."""

        def tail(self, _point: str) -> Callable[[np.ndarray], np.ndarray]:
            return lambda tensors: 2 * tensors

    class Points:
        def point(self, name: str) -> str:
            return name

    def out_of_memory(_arrays: list[np.ndarray]) -> np.ndarray:
        raise MemoryError

    tails = Tails(Points(), Doubling())  # type: ignore[arg-type]

    async def run(split_point: str, callers: list[np.ndarray]) -> np.ndarray:
        return tails.run(split_point, callers)

    async def scenario() -> None:
        async with serving(run, max_batch=2, wait_s=LONG_S) as batcher:
            with monkeypatch.context() as patch:
                patch.setattr("cloud.batching.tails.np.concatenate", out_of_memory)
                tasks = [submit(batcher, 1), submit(batcher, 2)]
                await check(tasks[0], 1)
                await check(tasks[1], 2)
            tasks = [submit(batcher, 3), submit(batcher, 4)]
            await check(tasks[1], 4)
            await check(tasks[0], 3)

    logging.disable(logging.ERROR)
    try:
        asyncio.run(scenario())
    finally:
        logging.disable(logging.NOTSET)


# --- several clients --------------------------------------------------------------------------------------------------


def test_who_sends_one_does_not_wait_behind_who_sends_many() -> None:
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


def test_in_a_full_queue_the_newest_of_who_has_most_makes_room_and_is_told_busy() -> None:
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

        async def run(_split_point: str, callers: list[np.ndarray]) -> np.ndarray:
            tensors = np.concatenate(callers)
            batches.append(tensors[:, 0].tolist())
            await permits.acquire()
            return 2 * tensors

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


# --- several workers --------------------------------------------------------------------------------------------------


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
            tasks = [submit(batcher, 1)]
            for _ in range(20):
                await asyncio.sleep(0)
            assert inside == 1
            tasks.append(submit(batcher, 2))
            await asyncio.gather(*tasks)
        assert most == 1

    asyncio.run(scenario())


def test_a_tail_that_is_slow_or_fails_does_not_hold_up_the_others() -> None:
    async def scenario() -> None:
        tail = Tail()
        slow: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def run(split_point: str, callers: list[np.ndarray]) -> np.ndarray:
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
