"""Turns at the threads that decode: fair between clients by the time that they took."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from cloud.access.turns import FairTurns
from shared.errors import DeadlineError

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Stage:
    """Callers that hold their turn until they are let go."""

    def __init__(self, slots: int) -> None:
        self.clock = Clock()
        self.turns = FairTurns(slots, self.clock, most=8)
        self.order: list[str] = []
        self.running: dict[str, asyncio.Event] = {}

    def call(self, client: str, name: str, timeout_s: float | None = None) -> asyncio.Task[None]:
        async def hold() -> None:
            async with self.turns.one(client, timeout_s):
                self.order.append(name)
                self.running[name] = asyncio.Event()
                await self.running[name].wait()
                del self.running[name]

        return asyncio.create_task(hold())

    async def end(self, name: str, took_s: float = 1.0) -> None:
        self.clock.now_s += took_s
        self.running[name].set()
        await settle()


async def settle() -> None:
    for _ in range(6):
        await asyncio.sleep(0)


def staged(scenario: Callable[[Stage], object], slots: int = 1) -> None:
    async def main() -> None:
        stage = Stage(slots)
        await scenario(stage)  # type: ignore[misc]
        while stage.running:
            await stage.end(next(iter(stage.running)))
        assert stage.turns.waiting() == 0
        assert (stage.turns._free, dict(stage.turns._held)) == (slots, {})

    asyncio.run(main())


def test_a_client_with_one_call_does_not_wait_behind_a_client_with_many() -> None:
    async def scenario(stage: Stage) -> None:
        tasks = [stage.call("greedy", f"g{number}") for number in range(20)]
        await settle()
        tasks.append(stage.call("honest", "h"))
        await settle()
        assert (stage.order, stage.turns.waiting()) == (["g0"], 20)
        await stage.end("g0")
        assert stage.order == ["g0", "h"]
        while stage.running:
            await stage.end(next(iter(stage.running)))
        assert stage.order[2:] == [f"g{number}" for number in range(1, 20)]
        await asyncio.gather(*tasks)

    staged(scenario)


def test_turns_are_counted_in_time() -> None:
    async def scenario(stage: Stage) -> None:
        for number in range(6):
            stage.call("long", f"l{number}")
            stage.call("short", f"s{number}")
        await settle()
        while stage.running:
            name = next(iter(stage.running))
            await stage.end(name, 3.5 if name[0] == "l" else 1.0)
        assert stage.order[:6] == ["l0", "s0", "s1", "s2", "s3", "l1"]

    staged(scenario)


def test_alone_a_client_has_all_turns_and_in_company_all_but_one() -> None:
    async def scenario(stage: Stage) -> None:
        for number in range(5):
            stage.call("a", f"a{number}")
        await settle()
        assert stage.order == ["a0", "a1", "a2"]
        stage.call("b", "b0")
        await settle()
        await stage.end("a0")
        assert stage.order[3:] == ["b0"]
        await stage.end("b0")
        assert stage.order[4:] == []  # one stays free for b
        stage.call("b", "b1")
        await settle()
        assert stage.order[4:] == ["b1"]
        await stage.end("a1")
        assert stage.order[5:] == ["a3"]

    staged(scenario, slots=3)


def test_a_caller_that_leaves_leaves_nothing_behind() -> None:
    async def scenario(stage: Stage) -> None:
        first, second, third = (stage.call("a", name) for name in ("1", "2", "3"))
        await settle()
        second.cancel()
        await settle()
        assert second.cancelled()
        stage.running["1"].set()
        await asyncio.sleep(0)  # the turn of the third has come, and it has not run yet
        third.cancel()
        await settle()
        assert (first.done(), third.cancelled(), stage.order) == (True, True, ["1"])
        stage.call("b", "4")
        await settle()
        assert stage.order == ["1", "4"]

    staged(scenario)


def test_whose_time_is_over_before_its_turn_is_told() -> None:
    async def scenario(stage: Stage) -> None:
        stage.call("a", "1")
        late = stage.call("a", "2", timeout_s=0)
        with pytest.raises(DeadlineError):
            await late
        assert stage.turns.waiting() == 0

    staged(scenario)


def test_the_end_cancels_those_that_wait() -> None:
    async def scenario(stage: Stage) -> None:
        stage.call("a", "1")
        waiting = [stage.call(client, client) for client in "abc"]
        await settle()
        stage.turns.stop()
        await settle()
        assert all(task.cancelled() for task in waiting)
        assert stage.order == ["1"]

    staged(scenario)


def test_nothing_is_remembered_of_clients_that_have_gone() -> None:
    async def scenario(stage: Stage) -> None:
        for number in range(500):
            task = stage.call(f"client{number}", "x")
            await settle()
            await stage.end("x")
            await task
        assert len(stage.turns._used_s) + len(stage.turns._waiting) + len(stage.turns._held) <= 1

    staged(scenario)


def test_names_that_never_come_back_take_no_memory_while_somebody_waits() -> None:
    async def scenario(stage: Stage) -> None:
        calls = [stage.call("steady", "first")]
        await settle()
        for number in range(50):
            calls += [stage.call(f"name{number}", f"passing{number}"), stage.call("steady", f"next{number}")]
            await settle()
            for name in list(stage.running):
                await stage.end(name)
            assert len(stage.turns._used_s) <= 9, number
        assert stage.turns.waiting(), "the queue was never empty"

    staged(scenario)
