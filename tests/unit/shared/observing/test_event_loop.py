"""The watch over an event loop: what counts as a block, what does not, and what frames are served with."""

from __future__ import annotations

import asyncio
import gc
import selectors
import sys
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from shared.observing import event_loop
from shared.observing.event_loop import LoopWatch, WatchedLoop, undisturbed
from shared.observing.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Iterator


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("test_", [], [])


@pytest.fixture
def clocks() -> tuple[Clock, Clock]:
    """The wall's, and the thread's."""
    return Clock(), Clock()


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    interval = sys.getswitchinterval()
    yield
    assert (sys.getswitchinterval(), gc.get_freeze_count()) == (interval, 0)


def value(metrics: Metrics, name: str, **labels: str) -> float:
    sample = metrics.registry.get_sample_value(f"test_event_loop_{name}", labels)
    assert sample is not None, name
    return sample


def turns_within(metrics: Metrics, bound: str) -> float:
    return value(metrics, "block_seconds_bucket", le=bound)


def longest(metrics: Metrics) -> tuple[float, float]:
    return value(metrics, "longest_block_seconds"), value(metrics, "longest_computation_seconds")


# --- what is counted --------------------------------------------------------------------------------------------------


def test_a_turn_is_from_the_sockets_to_the_sockets(metrics: Metrics, clocks: tuple[Clock, Clock]) -> None:
    wall, thread = clocks
    watch = LoopWatch(metrics, wall, thread)
    for block, computation, waiting in ((0.004, 0.001, 5.0), (0.25, 0.003, 5.0), (0.0625, 0.03125, 5.0)):
        wall.now += waiting  # in select(): nobody is kept waiting
        watch.begin()
        wall.now += block
        thread.now += computation
        watch.end()
    assert value(metrics, "block_seconds_count") == 3
    assert value(metrics, "block_seconds_sum") == pytest.approx(0.004 + 0.25 + 0.0625)
    assert [turns_within(metrics, bound) for bound in ("0.002", "0.005", "0.05", "0.1", "0.5")] == [
        0,
        1,
        1,
        2,
        3,
    ]
    assert longest(metrics) == pytest.approx((0.25, 0.03125))  # of two turns: the longest one waited


def test_the_turn_in_whose_middle_the_watch_began_does_not_count(metrics: Metrics) -> None:
    LoopWatch(metrics).end()
    assert value(metrics, "block_seconds_count") == 0
    assert longest(metrics) == (0, 0)


def test_what_is_promised_is_a_bound(metrics: Metrics) -> None:
    assert turns_within(metrics, "0.005") == 0
    assert turns_within(metrics, "0.0005") == turns_within(metrics, "1.0") == 0


# --- on a loop --------------------------------------------------------------------------------------------------------


def test_a_callback_that_computes_is_a_block_and_waiting_is_none(
    metrics: Metrics, clocks: tuple[Clock, Clock], monkeypatch: pytest.MonkeyPatch
) -> None:
    wall, thread = clocks
    select = selectors.DefaultSelector.select

    def slow_select(selector: selectors.DefaultSelector, timeout: float | None = None) -> list:
        wall.now += 3600
        return select(selector, timeout)

    monkeypatch.setattr(selectors.DefaultSelector, "select", slow_select)

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, WatchedLoop)
        wall.now += 60  # before the watch: loading
        loop.watch(LoopWatch(metrics, wall, thread))
        wall.now += 60
        await asyncio.sleep(0)
        wall.now += 0.5
        thread.now += 0.125
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)
        loop.watch(None)
        wall.now += 60
        await asyncio.sleep(0)

    event_loop.run(serve())
    assert value(metrics, "block_seconds_count") >= 1
    assert value(metrics, "block_seconds_sum") == 0.5
    assert longest(metrics) == (0.5, 0.125)


def test_callbacks_that_bring_callbacks_share_a_turn_and_sockets_are_looked_at_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wall, looks = Clock(), []
    select = selectors.DefaultSelector.select

    def counted(selector: selectors.DefaultSelector, timeout: float | None = None) -> list:
        looks.append(wall.now)
        return select(selector, timeout)

    monkeypatch.setattr(selectors.DefaultSelector, "select", counted)
    monkeypatch.setattr(event_loop.time, "perf_counter", wall)

    async def serve() -> None:
        await asyncio.sleep(0)
        del looks[:]
        for _ in range(100):  # rounds of 0.1 ms
            await asyncio.sleep(0)
            wall.now += 0.0001

    event_loop.run(serve())
    assert 16 <= len(looks) <= 21
    assert max(late - early for early, late in pairwise(looks)) <= 0.0006


def test_the_real_clocks_agree_that_computing_is_computing(metrics: Metrics) -> None:
    async def serve() -> None:
        with undisturbed(metrics):
            await asyncio.sleep(0)
            end = time.thread_time() + 0.006
            while time.thread_time() < end:
                pass
            await asyncio.sleep(0)

    event_loop.run(serve())
    block, computation = longest(metrics)
    assert block >= 0.0059
    assert computation >= 0.006
    # How long the other turns took depends on the machine.
    assert turns_within(metrics, "0.005") <= value(metrics, "block_seconds_count") - 1


def test_run_gives_what_its_coroutine_gives_and_raises_what_it_raises() -> None:
    async def answer() -> int:
        return 42

    async def fail() -> None:
        raise KeyError("lost")

    assert event_loop.run(answer()) == 42
    with pytest.raises(KeyError, match="lost"):
        event_loop.run(fail())


# --- while frames are served ------------------------------------------------------------------------------------------


def test_what_was_loaded_is_out_of_the_collectors_sight_while_frames_are_served(metrics: Metrics) -> None:
    async def serve() -> None:
        before = len(gc.get_objects())
        thresholds = gc.get_threshold()
        with undisturbed(metrics):
            assert gc.get_freeze_count() > before / 2
            assert len(gc.get_objects()) < before / 2
            assert sys.getswitchinterval() == pytest.approx(0.001)
            assert gc.get_threshold() == (*thresholds[:2], 2)  # little at a time
        assert gc.get_threshold() == thresholds
        assert len(gc.get_objects()) > before / 2

    event_loop.run(serve())


def test_all_is_as_before_after_a_failure(metrics: Metrics) -> None:
    async def serve() -> None:
        with undisturbed(metrics):
            await asyncio.sleep(0)
            await asyncio.sleep(0.001)
            raise KeyError("lost")

    with pytest.raises(KeyError, match="lost"):
        event_loop.run(serve())
    assert value(metrics, "block_seconds_count") >= 1


def test_on_another_kind_of_loop_nothing_is_watched(metrics: Metrics) -> None:
    async def serve() -> None:
        with undisturbed(metrics):
            await asyncio.sleep(0)

    asyncio.run(serve())
    assert value(metrics, "block_seconds_count") == 0
