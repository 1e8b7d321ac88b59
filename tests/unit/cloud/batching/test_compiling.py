"""Tails that frames wait for: compiled one at a time, in turns between clients, a few a minute for each."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from cloud.access.clients import Clients, Quota
from cloud.access.refusals import BusyError, OverQuotaError
from cloud.batching.compiling import Compiling
from shared.errors import DeadlineError, EngineError, SplitPointError
from shared.limits import MAX_CLIENT_COMPILATIONS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Stage:
    """Tails that are ready once they were compiled, by a pool in which each compilation waits to be let go."""

    def __init__(self, capacity: int = 64) -> None:
        self.now_s = 0.0
        self.clients = Clients(Quota(100, 1000), clock=lambda: self.now_s)
        self.compiling = Compiling(self, capacity)  # type: ignore[arg-type]
        self.compiled: list[str] = []
        self.begun: list[str] = []
        self.error: Exception | None = None
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.network = SimpleNamespace(tails=self)

    # What a Pool does.
    async def run(self, work: Callable[..., None], tail: Any, account: Any) -> None:
        self.begun.append(tail.split_point)
        await self.go_on.wait()
        work(tail, account)

    # What Tails does.
    def is_ready(self, name: str) -> bool:
        return name in self.compiled or (name.startswith("chain") and "chain" in str(self.compiled))

    def require_allowed(self, name: str) -> None:
        if name == "forbidden":
            raise SplitPointError("this cloud takes no frames at forbidden")

    def prepare(self, name: str) -> None:
        if self.error:
            raise self.error
        self.compiled.append(name)

    def ask(
        self, name: str, client: str = "a", *, frames: int = 1, timeout_s: float = 30
    ) -> asyncio.Task[None]:
        tail: Any = SimpleNamespace(network=self.network, split_point=name)
        account = self.clients.account(client)
        return asyncio.create_task(self.compiling.ready(tail, frames, account, timeout_s))


async def settle() -> None:
    for _ in range(12):
        await asyncio.sleep(0)


def staged(scenario: Callable[[Stage], Awaitable[None]], capacity: int = 64) -> None:
    async def main() -> None:
        stage = Stage(capacity)
        await scenario(stage)
        stage.go_on.set()
        await settle()
        assert (stage.compiling.waiting(), stage.compiling._running) == (0, set())
        assert stage.compiling._turns.waiting() == 0

    asyncio.run(main())


def test_a_client_has_a_few_compiled_in_a_minute_and_is_told_when_there_will_be_another() -> None:
    async def scenario(stage: Stage) -> None:
        for number in range(MAX_CLIENT_COMPILATIONS):
            await stage.ask(f"p{number}")
        with pytest.raises(OverQuotaError, match="within a minute") as refused:
            await stage.ask("another")
        assert refused.value.accepted == {"compilations_a_minute": MAX_CLIENT_COMPILATIONS}
        assert refused.value.retry_after_s == 60 // MAX_CLIENT_COMPILATIONS
        assert not stage.clients.account("a").idle  # else whoever is forgotten begins anew
        await stage.ask("p0")  # what is ready costs nothing
        await stage.ask("another", "b")
        stage.now_s = refused.value.retry_after_s
        await stage.ask("one more")
        with pytest.raises(OverQuotaError):
            await stage.ask("too many")
        stage.now_s = 1000.0
        assert stage.clients.account("a").idle

    staged(scenario)


def test_frames_of_one_tail_and_of_one_chain_share_a_compilation() -> None:
    async def scenario(stage: Stage) -> None:
        stage.go_on.clear()
        tasks = [stage.ask(f"chain {number}") for number in range(32)]
        await settle()
        assert stage.compiling.waiting() == 32
        stage.go_on.set()
        await asyncio.gather(*tasks)
        assert stage.begun == ["chain 0"]

    staged(scenario)


def test_clients_take_turns() -> None:
    async def scenario(stage: Stage) -> None:
        stage.go_on.clear()
        tasks = [stage.ask(f"greedy {number}", "greedy") for number in range(5)]
        await settle()
        tasks.append(stage.ask("honest", "honest"))
        await settle()
        stage.compiling._turns._used_s["greedy"] = 1.0
        stage.go_on.set()
        await asyncio.gather(*tasks)
        assert stage.begun[:2] == ["greedy 0", "honest"]

    staged(scenario)


def test_what_waits_is_bounded_in_all_and_for_each_client() -> None:
    async def scenario(stage: Stage) -> None:
        stage.go_on.clear()
        tasks = [stage.ask("x", client, frames=4) for client in "ab"]
        await settle()
        with pytest.raises(OverQuotaError, match="4 frames of this client") as refused:
            await stage.ask("x", "a")
        assert refused.value.accepted == {"frames_waiting": 4}
        with pytest.raises(BusyError, match="8 frames wait"):
            await stage.ask("x", "c")
        stage.go_on.set()
        await asyncio.gather(*tasks)
        stage.go_on.clear()
        whole = stage.ask("y", "a", frames=8)  # a single request as large as the queue
        await settle()
        stage.go_on.set()
        await whole

    staged(scenario, capacity=8)


def test_a_compilation_that_has_begun_goes_on_in_its_turn_when_nobody_waits_for_it() -> None:
    async def scenario(stage: Stage) -> None:
        stage.go_on.clear()
        with pytest.raises(DeadlineError, match="the tail at x was not compiled within the 0 ms"):
            await stage.ask("x", timeout_s=0)
        gone = stage.ask("x")
        await settle()
        gone.cancel()
        await settle()
        assert gone.cancelled()
        waiting = stage.ask("y", "b")
        await settle()
        assert (stage.begun, stage.compiling.waiting()) == (["x"], 1)  # one at a time
        stage.go_on.set()
        await waiting
        assert stage.compiled == ["x", "y"]

    staged(scenario)


def test_a_failure_is_its_askers_and_the_next_one_has_its_turn() -> None:
    async def scenario(stage: Stage) -> None:
        stage.error = EngineError("cannot")
        with pytest.raises(EngineError):
            await stage.ask("x")
        stage.error = None
        await stage.ask("x")

    staged(scenario)


def test_where_frames_may_not_cross_they_are_told_so_and_nothing_is_counted() -> None:
    async def scenario(stage: Stage) -> None:
        for _ in range(2 * MAX_CLIENT_COMPILATIONS):
            with pytest.raises(SplitPointError):
                await stage.ask("forbidden")
        assert stage.clients.account("a").idle

    staged(scenario)


def test_the_end_cancels_those_that_wait_for_their_turn() -> None:
    async def scenario(stage: Stage) -> None:
        stage.go_on.clear()
        first, second = stage.ask("x"), stage.ask("y")
        await settle()
        stage.compiling.stop()
        await settle()
        assert (first.done(), second.cancelled()) == (False, True)
        stage.go_on.set()
        await first

    staged(scenario)
