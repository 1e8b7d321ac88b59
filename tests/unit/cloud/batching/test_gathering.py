"""When a batch waits for company, in virtual time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from kits import virtual_time
from kits.batching import Tail, check, serving, submit, until

from cloud.batching.gathering import Gathering

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cloud.batching.batcher import Batcher

WAIT_S = 0.002
LATER_S = 11.0
"""Longer than company is remembered."""


def timed(scenario: Callable[[Batcher], Awaitable[None]], **options: Any) -> tuple[list[list[float]], float]:
    """The batches, and the seconds that the scenario took."""

    async def run() -> tuple[list[list[float]], float]:
        tail, loop = Tail(), asyncio.get_running_loop()
        async with serving(tail, wait_s=WAIT_S, **options) as batcher:
            start = loop.time()
            await scenario(batcher)
            return [batch for _, batch in tail.batches], loop.time() - start

    return virtual_time.run(run())


async def company(batcher: Batcher) -> None:
    await asyncio.gather(submit(batcher, 90), submit(batcher, 91))


def test_a_lone_frame_does_not_wait() -> None:
    async def scenario(batcher: Batcher) -> None:
        for value in range(10):
            await check(submit(batcher, value), value)

    batches, seconds = timed(scenario)
    assert batches == [[value] for value in range(10)]
    assert seconds == 0


def test_nor_does_one_after_company_if_nothing_is_on_its_way() -> None:
    async def scenario(batcher: Batcher) -> None:
        await company(batcher)
        await check(submit(batcher, 1), 1)

    assert timed(scenario) == ([[90, 91], [1]], 0)


def test_what_is_on_its_way_is_not_waited_for_where_nothing_ever_came_within_the_wait() -> None:
    async def scenario(batcher: Batcher) -> None:
        await check(submit(batcher, 1), 1)
        await asyncio.sleep(2 * WAIT_S)
        with batcher.gathering.expect():
            await check(submit(batcher, 2), 2)

    assert timed(scenario) == ([[1], [2]], pytest.approx(2 * WAIT_S))


def test_company_that_comes_within_the_wait_shares_the_batch() -> None:
    async def scenario(batcher: Batcher) -> None:
        await company(batcher)
        with batcher.gathering.expect():
            first = submit(batcher, 1)
            await asyncio.sleep(WAIT_S / 2)
            second = submit(batcher, 2)
            await asyncio.sleep(0)
        await check(first, 1)
        await check(second, 2)

    assert timed(scenario) == ([[90, 91], [1, 2]], pytest.approx(WAIT_S / 2))


def test_the_wait_is_bounded() -> None:
    async def scenario(batcher: Batcher) -> None:
        await company(batcher)
        with batcher.gathering.expect():  # it takes for ever to decode
            await check(submit(batcher, 1), 1)

    assert timed(scenario) == ([[90, 91], [1]], pytest.approx(WAIT_S))


def test_the_wait_ends_with_what_it_is_for() -> None:
    """A frame that was on its way is refused, or its client has gone."""

    async def scenario(batcher: Batcher) -> None:
        await company(batcher)
        with batcher.gathering.expect():
            first = submit(batcher, 1)
            await asyncio.sleep(WAIT_S / 4)
        await check(first, 1)

    assert timed(scenario) == ([[90, 91], [1]], pytest.approx(WAIT_S / 4))


def test_a_full_batch_does_not_wait() -> None:
    async def scenario(batcher: Batcher) -> None:
        await company(batcher)
        with batcher.gathering.expect():
            await asyncio.gather(submit(batcher, 1), submit(batcher, 2))

    assert timed(scenario, max_batch=2) == ([[90, 91], [1, 2]], 0)


def test_company_is_forgotten() -> None:
    async def scenario(batcher: Batcher) -> None:
        await company(batcher)
        await asyncio.sleep(LATER_S)
        with batcher.gathering.expect():
            await check(submit(batcher, 1), 1)

    assert timed(scenario) == ([[90, 91], [1]], pytest.approx(LATER_S))


def test_under_load_batches_fill_while_the_tail_runs_and_nothing_is_waited_for() -> None:
    async def scenario(batcher: Batcher) -> None:
        async def client(number: int) -> None:
            for _ in range(5):
                with batcher.gathering.expect():
                    await asyncio.sleep(0.001)  # decoding
                await check(submit(batcher, number), number)

        await asyncio.gather(*(client(number) for number in range(8)))

    batches, seconds = timed(scenario)
    assert [len(batch) for batch in batches] == [4] * 10
    assert seconds == pytest.approx(5 * 0.001, abs=2 * WAIT_S)


def test_frames_of_other_tails_are_no_company() -> None:
    gathering = Gathering(WAIT_S)
    for number in range(10):
        gathering.note(str(number), 1.0)
    with gathering.expect():
        assert not gathering.pays(1.0)
        gathering.note("9", 1.0 + WAIT_S / 2)
        assert gathering.pays(1.001)
    assert not gathering.pays(1.001)


def test_what_ends_in_an_error_is_not_on_its_way_any_more() -> None:
    changes: list[int] = []
    gathering = Gathering(WAIT_S, lambda: changes.append(gathering.on_their_way))
    with pytest.raises(ValueError, match="refused"), gathering.expect():
        raise ValueError("refused")
    assert changes == [0]


def test_one_that_is_alone_has_a_workers_place() -> None:
    async def scenario() -> None:
        tail = Tail()
        async with serving(tail, wait_s=WAIT_S) as batcher:
            assert batcher.begin_alone("a")
            assert not batcher.begin_alone("a")  # it is taken
            other = submit(batcher, 1, client="a")
            for _ in range(20):
                await asyncio.sleep(0)
            assert not tail.batches
            batcher.end_alone("a", "tail", 0.5)
            await check(other, 1)
            assert batcher.begin_alone("a")
            batcher.end_alone("a", None, 0.0)

    virtual_time.run(scenario())


def test_nobody_is_alone_beside_others() -> None:
    async def scenario() -> None:
        tail = Tail()
        async with serving(tail, wait_s=WAIT_S, workers=2) as batcher:
            tail.gate.clear()
            running = submit(batcher, 1, client="a")
            await until(lambda: tail.running == 1)
            assert not batcher.begin_alone("a")
            tail.gate.set()
            await check(running, 1)
            with batcher.gathering.expect():
                assert not batcher.begin_alone("a")
            assert batcher.begin_alone("a")
            batcher.end_alone("a", None, 0.0)
            assert not batcher.begin_alone("b")  # another was here lately
            await asyncio.sleep(LATER_S)
            assert batcher.begin_alone("b")
            batcher.end_alone("b", None, 0.0)

    virtual_time.run(scenario())
