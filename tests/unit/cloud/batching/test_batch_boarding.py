"""A batcher whose runs take others aboard: answers, failures, those that leave, what is counted and who pays."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

import numpy as np
from kits.batching import LONG_S, POISON, check, count_of, depth, rows, serving, submit, until

from cloud.batching.crossing import Crossing, join

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cloud.batching.batcher import Batcher
    from cloud.batching.runs import Stops
    from shared.engines.half import Tensors

WAY = ("early", "middle", "late")


class Way:
    """A network of three split points that doubles what it gets. A run stops at each where somebody waits, behind `gate`."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.begun = 0
        self.runs: list[list[float]] = []
        """What was aboard at the end of each."""

    async def at_once(self, tail: str, callers: list[Crossing]) -> Tensors:
        del tail
        return self._end(callers)

    async def in_pieces(self, tail: str, callers: list[Crossing], stops: Stops) -> Tensors:
        self.begun += 1
        aboard = list(callers)
        for point in WAY[WAY.index(tail) + 1 :]:
            await self.gate.wait()
            if stops.are_wanted(point):
                aboard += await stops.stop(point)
        return self._end(aboard)

    def _end(self, aboard: list[Crossing]) -> Tensors:
        (tensors,) = join(aboard)
        self.runs.append(tensors[:, 0].tolist())
        if POISON in tensors:
            raise ValueError("poison")
        return (2 * tensors,)


def served(scenario: Callable[[Way, Batcher], Awaitable[None]], **options: float) -> Way:
    async def run() -> Way:
        way = Way()
        async with serving(way.at_once, in_pieces=way.in_pieces, **({"max_batch": 4} | options)) as batcher:
            await scenario(way, batcher)
        return way

    return asyncio.run(run())


async def begun(way: Way) -> None:
    await until(lambda: way.begun == 1)


async def waiting(batcher: Batcher, frames: int) -> None:
    await until(lambda: depth(batcher) == frames)


def test_later_ones_board_at_their_split_point_and_all_are_answered() -> None:
    async def scenario(way: Way, batcher: Batcher) -> None:
        first = submit(batcher, 1, at="early")
        await begun(way)
        late, middle = submit(batcher, 3, at="late"), submit(batcher, 2, at="middle")
        another = submit(batcher, 4, at="early")
        await waiting(batcher, 3)
        way.gate.set()
        for task, value in ((first, 1), (middle, 2), (late, 3), (another, 4)):
            await check(task, value)
        assert count_of(batcher, "boarded_total") == 2
        assert count_of(batcher, "batch_size_count") == 2
        assert count_of(batcher, "batch_size_sum") == 4
        assert count_of(batcher, "queue_wait_seconds_count") == 4

    assert served(scenario).runs == [[1, 2, 3], [4]]


def test_no_more_board_than_a_batch_may_have() -> None:
    async def scenario(way: Way, batcher: Batcher) -> None:
        first = submit(batcher, 1, 2, at="early")
        await begun(way)
        others = [submit(batcher, value, at="late") for value in (3, 4, 5)]
        await waiting(batcher, 3)
        way.gate.set()
        await check(first, 1, 2)
        for task, value in zip(others, (3, 4, 5), strict=True):
            await check(task, value)

    assert served(scenario).runs == [[1, 2, 3, 4], [5]]


def test_a_poisoned_one_that_boards_spoils_no_other_answer() -> None:
    async def scenario(way: Way, batcher: Batcher) -> None:
        first = submit(batcher, 1, at="early")
        await begun(way)
        bad, good = submit(batcher, POISON, at="middle"), submit(batcher, 3, at="late")
        await waiting(batcher, 2)
        way.gate.set()
        await check(first, 1)
        await check(good, 3)
        assert isinstance((await asyncio.gather(bad, return_exceptions=True))[0], ValueError)

    assert served(scenario).runs == [[1, POISON, 3], [1], [POISON], [3]]


def test_one_that_has_left_does_not_board_and_one_that_leaves_aboard_costs_nobody_an_answer() -> None:
    async def scenario(way: Way, batcher: Batcher) -> None:
        first = submit(batcher, 1, at="early")
        await begun(way)
        gone, there = submit(batcher, 2, at="middle"), submit(batcher, 3, at="middle")
        await waiting(batcher, 2)
        gone.cancel()
        first.cancel()
        await waiting(batcher, 1)
        way.gate.set()
        await check(there, 3)

    assert served(scenario).runs == [[1, 3]]


def test_each_client_pays_for_its_own_share() -> None:
    paid: dict[str, float] = {}

    async def scenario(way: Way, batcher: Batcher) -> None:
        loop, now = asyncio.get_running_loop(), [0.0]
        loop.time, real = (lambda: now[0]), loop.time  # type: ignore[method-assign]

        def task(value: float, at: str) -> asyncio.Task[object]:
            def note(seconds: float) -> None:
                paid[at] = paid.get(at, 0.0) + seconds

            return asyncio.create_task(batcher.submit(at, rows(value), LONG_S, at, note))

        try:
            first = task(1, "early")
            while not way.begun:
                await asyncio.sleep(0)
            second = task(2, "late")
            while depth(batcher) != 1:
                await asyncio.sleep(0)
            now[0] = 3.0
            way.gate.set()
            stop = way._end

            def end(aboard: list[Crossing]) -> Tensors:
                now[0] = 5.0
                return stop(aboard)

            way._end = end  # type: ignore[method-assign]
            await asyncio.gather(first, second)
        finally:
            loop.time = real  # type: ignore[method-assign]

    served(scenario, shared_run_s=math.inf)
    assert paid == {"early": 4.0, "late": 1.0}


def test_rows_are_those_of_the_caller() -> None:
    async def scenario(way: Way, batcher: Batcher) -> None:
        first = submit(batcher, 1, 2, at="middle")
        await begun(way)
        second = submit(batcher, 3, 4, at="late")
        await waiting(batcher, 2)
        way.gate.set()
        for task, values in ((first, (1, 2)), (second, (3, 4))):
            (outputs,) = (await task).outputs
            assert np.array_equal(outputs[:, 0], [2 * value for value in values])

    assert served(scenario).runs == [[1, 2, 3, 4]]
