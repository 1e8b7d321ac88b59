"""The queue by what frames cost: seconds that are learned, charged, and bounded in one run."""

from __future__ import annotations

import asyncio
import math

import pytest
from kits.batching import LONG_S, POISON, Tail, check, rows, serving, submit, until
from kits.fair_queue import drain, fill, ticket

from cloud.batching.costs import Costs
from cloud.batching.fair_queue import FairQueue, Ticket


def costly(client: str, work: float, tail: str = "a") -> Ticket:
    made = ticket(client, 1, tail)
    made.work = work
    return made


def test_a_frame_that_costs_ten_times_as_much_counts_as_ten() -> None:
    queue = FairQueue(64)
    for _ in range(3):
        queue.put(costly("heavy", 10.0, "input"))
    for _ in range(12):
        queue.put(costly("light", 1.0))
    assert drain(queue) == ["heavy", *["light"] * 10, "heavy", "light", "light", "heavy"]
    queue = FairQueue(64)
    for _ in range(3):
        queue.put(costly("heavy", 10.0, "input"))
        queue.put(costly("light", 1.0))
    assert drain(queue) == ["heavy", "light", "light", "light", "heavy", "heavy"]


def test_what_a_client_cost_elsewhere_comes_before_its_next_turn() -> None:
    queue = FairQueue(64)
    fill(queue, "charged", 1)
    fill(queue, "other", 1)
    queue.charge("charged", 3)
    fill(queue, "charged", 2)
    fill(queue, "other", 5)
    assert drain(queue) == ["charged", *["other"] * 4, "charged", "other", "charged", "other"]


def test_a_charge_makes_a_client_wait_for_those_that_were_not_charged() -> None:
    queue = FairQueue(64)
    fill(queue, "other", 4)
    queue.charge("charged", 3)
    fill(queue, "charged", 1)
    order = drain(queue)
    assert order.index("charged") >= 3
    queue = FairQueue(64)
    queue.charge("charged", 1e9)  # nothing waits: nobody is owed anything
    fill(queue, "charged", 1)
    fill(queue, "other", 1)
    assert drain(queue) == ["charged", "other"]


def test_an_estimate_that_was_too_high_is_given_back() -> None:
    queue = FairQueue(64)
    fill(queue, "other", 6)
    queue.put(costly("a", 5.0))
    queue.charge("a", -4.0)
    queue.put(costly("a", 1.0))
    assert drain(queue)[:4].count("a") == 2


def test_a_run_of_so_many_seconds_has_as_many_frames_as_fit_and_one_of_a_tail_that_never_ran() -> None:
    costs = Costs()
    given = ticket("a")
    assert costs.frames_in(100.0, given, 8) == 1
    assert not costs.are_within(100.0, given)
    costs.note(given.tail, 1, 0.4)
    assert [costs.frames_in(seconds, given, 8) for seconds in (0.1, 1.0, 100.0, math.inf)] == [1, 2, 8, 8]
    assert [costs.are_within(seconds, given) for seconds in (0.3, 0.5)] == [False, True]


def test_costs_are_those_of_the_shortest_of_the_last_runs() -> None:
    costs = Costs()
    unknown = costs.of("a")
    assert unknown > 0
    costs.note("a", 4, 40.0)  # it was compiled meanwhile
    assert costs.of("a") == 10.0
    assert costs.of("b") == 10.0  # as much as the most expensive one that is known
    costs.note("a", 2, 0.04)
    costs.note("a", 2, 0.08)
    assert costs.of("a") == pytest.approx(0.02)
    for _ in range(8):
        costs.note("a", 1, 0.5)  # the machine has become slower
    assert costs.of("a") == 0.5
    for number in range(1000):
        costs.note(number, 1, 1.0)
    assert len(costs._seconds) <= 256


def test_in_company_a_run_is_short_and_alone_it_is_as_large_as_it_may_be() -> None:
    async def scenario() -> None:
        tail = Tail()
        async with serving(tail, capacity=64, max_batch=4, shared_run_s=0.05) as batcher:
            batcher._costs.note("a", 1, 0.04)
            batcher._costs.note = lambda *_: None  # type: ignore[method-assign]
            tail.gate.clear()
            first = submit(batcher, 0, client="greedy")
            await tail.entered()
            many = [submit(batcher, value, client="greedy") for value in range(1, 5)]
            await until(lambda: batcher._queue.depth == 4)
            tail.gate.set()
            await asyncio.gather(first, *many)
            assert [values for _, values in tail.batches] == [[0], [1, 2, 3, 4]]
            tail.batches.clear()
            tail.gate.clear()
            running = submit(batcher, 0, client="greedy")
            await tail.entered()
            many = [submit(batcher, value, client="greedy") for value in range(1, 5)]
            await until(lambda: batcher._queue.depth == 4)
            honest = submit(batcher, 9, client="honest")
            await until(lambda: batcher._queue.depth == 5)
            tail.gate.set()
            await check(honest, 9)
            await asyncio.gather(running, *many)
            assert [values for _, values in tail.batches] == [[0], [1], [9], [2], [3], [4]]

    asyncio.run(scenario())


def test_a_run_is_paid_for_by_those_that_left_and_by_those_that_it_fails() -> None:
    async def scenario() -> None:
        tail = Tail()
        async with serving(tail, capacity=64, max_batch=2) as batcher:
            for value in (1.0, POISON):
                tail.gate.clear()
                paid: list[float] = []
                running = asyncio.create_task(
                    batcher.submit("a", rows(value, value), LONG_S, "leaving", paid.append)
                )
                await tail.entered(len(tail.batches) + 1)
                running.cancel()
                await asyncio.wait({running})
                assert paid == []
                tail.gate.set()
                await until(lambda paid=paid: len(paid) == 1)
                assert paid[0] > 0

    asyncio.run(scenario())
