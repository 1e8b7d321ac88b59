"""Readings of the metrics: one at a time, fair between clients, with time for frames in between."""

from __future__ import annotations

import asyncio
import threading

import pytest
from prometheus_client import CollectorRegistry

from cloud.access.refusals import OverQuotaError
from cloud.http.system.scrapes import Scrapes
from shared.errors import DeadlineError
from shared.limits import MAX_CLIENT_SCRAPES
from shared.observing.counting.counter import Counter


class Slow(CollectorRegistry):
    """Takes a second of a clock for each reading, and notes how many are made at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.read = self.at_once = self.most = 0
        self.slept: list[float] = []
        self.going_on = threading.Event()
        self.going_on.set()
        Counter("requests", "All.", registry=self)

    def collect(self):  # type: ignore[no-untyped-def]
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        self.read += 1
        self.now_s += 1.0
        assert self.going_on.wait(30.0)
        yield from super().collect()
        self.at_once -= 1

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


def scrapes_of(registry: Slow) -> Scrapes:
    return Scrapes(registry, clock=lambda: registry.now_s, sleep=registry.sleep)


def test_one_that_is_alone_is_read_at_once() -> None:
    async def scenario() -> None:
        registry = Slow()
        content_type, body = await scrapes_of(registry).read("a", "", 1.0)
        assert content_type.startswith("text/plain")
        assert b"requests_total 0.0" in body
        assert registry.slept == []

    asyncio.run(scenario())


def test_many_are_read_one_after_another_and_frames_have_most_of_the_time() -> None:
    async def scenario() -> None:
        registry = Slow()
        scrapes = scrapes_of(registry)
        many = [scrapes.read(client, "", 60.0) for client in "abc" for _ in range(MAX_CLIENT_SCRAPES)]
        assert len(await asyncio.gather(*many)) == 12
        assert (registry.read, registry.most) == (12, 1)
        assert registry.slept == [4.0] * 11

    asyncio.run(scenario())


def test_a_client_has_few_waiting_and_another_comes_between_them() -> None:
    async def scenario() -> None:
        registry, order = Slow(), []
        registry.going_on.clear()
        scrapes = scrapes_of(registry)

        async def read(client: str) -> None:
            await scrapes.read(client, "", 60.0)
            order.append(client)

        greedy = [asyncio.create_task(read("greedy")) for _ in range(MAX_CLIENT_SCRAPES)]
        await asyncio.sleep(0)
        with pytest.raises(OverQuotaError):
            await read("greedy")
        honest = asyncio.create_task(read("honest"))
        await asyncio.sleep(0)
        registry.going_on.set()
        await asyncio.gather(*greedy, honest)
        assert "honest" in order[:2]
        await read("greedy")

    asyncio.run(scenario())


def test_whoever_waits_too_long_or_when_the_server_stops_is_told() -> None:
    async def scenario() -> None:
        registry = Slow()
        registry.going_on.clear()
        scrapes = scrapes_of(registry)
        first = asyncio.create_task(scrapes.read("a", "", 60.0))
        await asyncio.sleep(0)
        with pytest.raises(DeadlineError):
            await scrapes.read("b", "", 0.0)
        waiting = asyncio.create_task(scrapes.read("c", "", 60.0))
        await asyncio.sleep(0)
        scrapes.stop()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        registry.going_on.set()
        await first

    asyncio.run(scenario())
