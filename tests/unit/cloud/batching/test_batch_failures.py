"""Tails that fail: the failure belongs to the caller that caused it."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from kits.batching import LONG_S, POISON, Tail, check, rows, serving, submit

from cloud.batching.tails import Tails

if TYPE_CHECKING:
    import numpy as np

    from cloud.batching.crossing import Crossing
    from shared.engines.half import Half, Tensors


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


def test_a_run_that_fails_is_not_repeated_for_callers_that_have_gone() -> None:
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
        def at_hand(self, _kind: str, _point: SimpleNamespace) -> Half:
            return lambda tensors: (2 * tensors[0],)

    class Points:
        def point(self, name: str) -> SimpleNamespace:
            return SimpleNamespace(name=name, is_quantised=False)

    def out_of_memory(_arrays: list[np.ndarray]) -> np.ndarray:
        raise MemoryError

    tails = Tails(Points(), Doubling())  # type: ignore[arg-type]

    async def run(split_point: str, callers: list[Crossing]) -> Tensors:
        return tails.run(split_point, callers)

    async def scenario() -> None:
        async with serving(run, max_batch=2, wait_s=LONG_S) as batcher:
            with monkeypatch.context() as patch:
                patch.setattr("cloud.batching.crossing.np.concatenate", out_of_memory)
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
