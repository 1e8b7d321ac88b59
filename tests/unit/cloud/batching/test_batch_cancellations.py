"""Callers that go away while they wait, or while their tail runs."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING

import pytest
from kits.batching import POISON, Tail, check, depth, serving, submit, until

from cloud.access.refusals import BusyError
from cloud.batching.crossing import Crossing, join

if TYPE_CHECKING:
    from cloud.batching.batcher import Batcher
    from shared.engines.half import Tensors


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

        async def tail(_split_point: str, callers: list[Crossing]) -> Tensors:
            (tensors,) = join(callers)
            batches.append(tensors[:, 0].tolist())
            if len(batches) == 1:
                await ended
            return (2 * tensors,)

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

    async def tail(_split_point: str, callers: list[Crossing]) -> Tensors:
        (tensors,) = join(callers)
        await turns()
        if POISON in tensors:
            raise ValueError("poison")
        return (2 * tensors,)

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
        (outputs,) = answer.outputs
        assert (outputs == 2 * value).all()
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
