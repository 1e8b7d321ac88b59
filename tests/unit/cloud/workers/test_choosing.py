"""Workers that began with an int8 network: the first of them that loads another one chooses how all compute it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from kits import virtual_time
from kits.workers import FakeWorker, Run

from cloud.workers.channel import Message

INT8 = Message("ready", {"alike": None, "digest": "old"})
CHOSEN = ["openvino", "bfloat16"]


async def serving(run: Run, count: int) -> list[FakeWorker]:
    await (await run.started(1)).takes_frames(INT8)
    await run.started(count)
    for other in run.workers[1:]:
        await other.takes_frames(INT8)
    return run.workers[:count]


def ask(worker: FakeWorker) -> asyncio.Task[Any]:
    return asyncio.create_task(worker.handle(worker, Message("choosing")))


def test_the_others_wait_for_the_one_that_chooses_and_compute_as_it_does() -> None:
    async def scenario() -> None:
        run = Run(3)
        first, second, third = await serving(run, 3)
        assert (await ask(second)).fields == {"alike": None}
        others = [ask(first), ask(third)]
        await asyncio.sleep(10)
        assert not any(each.done() for each in others)
        await second.handle(second, Message("chosen", {"alike": CHOSEN}))
        assert [(await each).fields for each in others] == [{"alike": CHOSEN}] * 2
        assert (await ask(third)).fields == {"alike": CHOSEN}, "it is known for good"
        first.ends(1)
        assert (await run.started(4)).alike == CHOSEN, "a later worker is told at its start"
        run.stop.set()
        await run.ended

    virtual_time.run(scenario())


@pytest.mark.parametrize("end", ["found another int8 network", "died", "takes too long"])
def test_nobody_waits_for_a_choice_that_is_not_made(end: str) -> None:
    async def scenario() -> None:
        run = Run(2)
        first, second = await serving(run, 2)
        await ask(first)
        waiting = ask(second)
        await asyncio.sleep(1)
        assert not waiting.done()
        if end == "died":
            first.ends(137)
        elif end != "takes too long":
            await first.handle(first, Message("chosen", {"alike": None}))
        async with asyncio.timeout(46 if end == "takes too long" else 1):
            assert (await waiting).fields == {"alike": None}
        run.stop.set()
        await run.ended

    virtual_time.run(scenario())
