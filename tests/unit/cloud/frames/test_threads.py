"""The threads that the cloud computes on: in turn, off the event loop, and without what a cancelled caller left."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from typing import Any

import pytest
from kits.cloud import WAIT_S, waiting

from cloud.frames.threads import Pool, ThreadPools


class Argument:
    """Something that can be seen to be let go."""


async def until_waiting(pool: Pool, count: int) -> None:
    async with asyncio.timeout(WAIT_S):
        while waiting(pool) != count:
            await asyncio.sleep(0)


def test_a_call_runs_on_another_thread_and_gives_its_result_or_its_exception() -> None:
    async def scenario() -> None:
        pool = Pool("test", 1)
        name, total = await pool.run(lambda *numbers: (threading.current_thread().name, sum(numbers)), 1, 2)
        assert (name.startswith("test"), total) == (True, 3)
        with pytest.raises(ZeroDivisionError):
            await pool.run(divmod, 1, 0)
        pool.stop()

    asyncio.run(scenario())


def test_a_caller_that_goes_while_it_waits_leaves_no_argument_behind() -> None:
    """A thread may be busy for long, and the argument may be a body of megabytes."""

    async def scenario() -> None:
        pool, held, called = Pool("test", 1), threading.Event(), []
        running = asyncio.create_task(pool.run(held.wait, WAIT_S))
        argument = Argument()
        seen = weakref.ref(argument)
        leaving = asyncio.create_task(pool.run(called.append, argument))
        del argument
        await until_waiting(pool, 1)
        assert seen() is not None
        leaving.cancel()
        await asyncio.wait({leaving})
        assert leaving.cancelled()
        del leaving  # its exception refers to all that it called
        gc.collect()
        assert seen() is None
        held.set()
        assert await running
        await pool.run(str)  # behind the call that was cancelled
        assert called == []
        pool.stop()

    asyncio.run(scenario())


def test_a_call_that_fails_leaves_no_argument_behind() -> None:
    """Its error refers to the frames that it went through, none of which may refer to the error."""

    def fail(argument: Argument) -> None:
        raise ValueError(type(argument).__name__)

    async def scenario() -> None:
        pool, argument = Pool("test", 1), Argument()
        seen = weakref.ref(argument)
        failed = False
        try:
            await pool.run(fail, argument)
        except ValueError:  # pytest.raises would keep it
            failed = True
        assert failed
        del argument
        await pool.run(str)
        assert seen() is None
        pool.stop()

    gc.disable()
    try:
        asyncio.run(scenario())
    finally:
        gc.enable()


def test_threads_are_started_as_they_are_needed() -> None:
    async def scenario() -> None:
        pool, held = Pool("test", 3), threading.Event()
        name = threading.current_thread

        async def one() -> str:
            return (await pool.run(name)).name

        assert {await one() for _ in range(5)} == {"test_0"}
        running = [asyncio.create_task(pool.run(held.wait, WAIT_S)) for _ in range(4)]
        await until_waiting(pool, 1)
        held.set()
        assert await asyncio.gather(*running) == [True] * 4
        assert {await one() for _ in range(5)} <= {"test_0", "test_1", "test_2"}
        pool.stop()

    asyncio.run(scenario())


def test_what_is_started_is_called_until_the_pool_is_stopped() -> None:
    """Its failure is nobody's, and the thread goes on."""

    async def scenario() -> None:
        pool, called = Pool("test", 1), threading.Event()
        await pool.run(str)
        pool.start(lambda: divmod(1, 0))
        pool.start(called.set)
        assert await asyncio.to_thread(called.wait, WAIT_S)
        pool.stop()
        pool.start(called.clear)
        with pytest.raises(RuntimeError, match="the pool test was stopped"):
            await pool.run(str)
        assert called.is_set()

    asyncio.run(scenario())


def test_stopping_cancels_what_waits_and_does_not_wait_for_what_runs() -> None:
    async def scenario() -> None:
        pools, held = ThreadPools(0), threading.Event()
        running = asyncio.create_task(pools.profiles.run(held.wait, WAIT_S))
        other = asyncio.create_task(pools.profiles.run(str))
        await until_waiting(pools.profiles, 1)
        pools.stop()
        with pytest.raises(asyncio.CancelledError):
            await other
        assert not running.done()
        held.set()
        assert await running

    asyncio.run(scenario())


def test_the_pools_are_sized_by_the_threads() -> None:
    def sizes(*arguments: int) -> dict[str, Any]:
        pools = ThreadPools(*arguments)
        kinds = ("tails", "decode", "pictures", "profiles")
        return {kind: getattr(pools, kind).size for kind in kinds}

    assert sizes(0) == {"tails": 1, "decode": 2, "pictures": 1, "profiles": 1}
    assert sizes(8) == {"tails": 2, "decode": 8, "pictures": 4, "profiles": 1}
    assert sizes(64) == {"tails": 16, "decode": 64, "pictures": 8, "profiles": 1}
    assert sizes(8, 5)["tails"] == ThreadPools(8, 5).tail_workers == 5


def test_a_caller_with_a_turn_waits_for_its_thread_even_if_it_is_cancelled() -> None:
    async def scenario() -> None:
        pool, begun, held = Pool("test", 1), threading.Event(), threading.Event()

        def work() -> None:
            begun.set()
            held.wait(WAIT_S)

        leaving = asyncio.create_task(pool.run_to_end(work))
        await asyncio.to_thread(begun.wait, WAIT_S)
        waiting_one = asyncio.create_task(pool.run_to_end(str))
        await until_waiting(pool, 1)
        for task in (leaving, waiting_one):
            task.cancel()
        await asyncio.wait({waiting_one})  # it has no thread, so there is nothing to wait for
        assert waiting_one.cancelled()
        for _ in range(10):
            await asyncio.sleep(0)
        assert not leaving.done()
        held.set()
        await asyncio.wait({leaving})
        assert leaving.cancelled()
        pool.stop()

    asyncio.run(scenario())


def test_whoever_is_cancelled_twice_waits_for_nothing() -> None:
    async def scenario() -> None:
        pool, begun, held = Pool("test", 1), threading.Event(), threading.Event()
        leaving = asyncio.create_task(pool.run_to_end(lambda: (begun.set(), held.wait(WAIT_S))))
        await asyncio.to_thread(begun.wait, WAIT_S)
        for _ in range(2):
            leaving.cancel()
            await asyncio.sleep(0)
        await asyncio.wait({leaving})
        assert leaving.cancelled()
        held.set()
        pool.stop()

    asyncio.run(scenario())


def test_whoever_waits_goes_on_before_what_is_noticed_of_the_end() -> None:
    """An answer goes out before the books are kept; and they are kept where nobody waits any more, or the call fails."""

    async def scenario() -> None:
        pool, order = Pool("test", 1), list[str]()

        async def ask(name: str, *arguments: int) -> None:
            try:
                await pool.run_noticed(lambda: order.append(f"{name} ended"), divmod, *arguments)
            except ZeroDivisionError:
                order.append(f"{name} failed")
            else:
                order.append(f"{name} answered")
            assert pool.is_idle, "the thread is free all the same"

        await ask("one", 7, 2)
        await ask("two", 1, 0)
        held = threading.Event()
        leaving = asyncio.create_task(
            pool.run_noticed(lambda: order.append("three ended"), held.wait, WAIT_S)
        )
        await asyncio.sleep(0.01)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        held.set()
        async with asyncio.timeout(WAIT_S):
            while "three ended" not in order:
                await asyncio.sleep(0.001)
        assert order == ["one answered", "one ended", "two failed", "two ended", "three ended"]
        pool.stop()

    asyncio.run(scenario())
