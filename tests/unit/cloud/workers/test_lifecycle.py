"""starting -> ready -> draining -> stopped: every other move is a bug, the gauge follows, and a drain waits for frames."""

from __future__ import annotations

import asyncio
from itertools import product
from typing import TYPE_CHECKING

import pytest
from prometheus_client import Gauge

from cloud.workers.lifecycle import Lifecycle, State
from shared.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterable

ROUTES = {
    State.STARTING: [],
    State.READY: [State.READY],
    State.DRAINING: [State.READY, State.DRAINING],
    State.STOPPED: [State.STOPPED],
}
LEGAL = {
    (State.STARTING, State.READY),
    (State.STARTING, State.STOPPED),
    (State.READY, State.DRAINING),
    (State.DRAINING, State.STOPPED),
}


def lifecycle_in(state: State) -> tuple[Lifecycle, Gauge]:
    gauge = Gauge("ready", "1 while ready.", registry=None)
    lifecycle = Lifecycle(gauge)
    for move in ROUTES[state]:
        lifecycle.move(move)
    assert lifecycle.state is state
    return lifecycle, gauge


def test_only_the_moves_of_the_table_are_possible() -> None:
    moves: Iterable[tuple[State, State]] = product(State, State)
    for start, end in moves:
        lifecycle, _ = lifecycle_in(start)
        if (start, end) in LEGAL:
            lifecycle.move(end)
            assert lifecycle.state is end
        else:
            with pytest.raises(AssertionError, match=f"{start} -> {end}"):
                lifecycle.move(end)
            assert lifecycle.state is start


@pytest.mark.parametrize("state", State)
def test_frames_are_taken_and_the_gauge_is_one_only_while_ready(state: State) -> None:
    lifecycle, gauge = lifecycle_in(state)
    assert gauge._value.get() == (1 if state is State.READY else 0)
    for ask in (lifecycle.require_ready, lifecycle.begin_frame):
        if state is State.READY:
            ask()
        else:
            with pytest.raises(UnavailableError, match=f"the server is {state}") as refused:
                ask()
            assert (refused.value.status, refused.value.retryable) == (503, True)
    assert lifecycle.frames == (1 if state is State.READY else 0)


# --- draining ---------------------------------------------------------------------------------------------------------


def test_a_drain_ends_with_the_last_frame_in_progress(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        lifecycle, _ = lifecycle_in(State.READY)
        for _ in range(3):
            lifecycle.begin_frame()
        lifecycle.end_frame()
        draining = asyncio.create_task(lifecycle.drain(600.0))
        for left in (1, 0):
            await asyncio.sleep(0)
            assert lifecycle.state is State.DRAINING
            assert not draining.done()
            lifecycle.end_frame()
            assert lifecycle.frames == left
        async with asyncio.timeout(30):
            await draining

    asyncio.run(scenario())
    assert not caplog.records


def test_without_frames_a_drain_does_not_wait_whatever_was_answered_before() -> None:
    async def scenario() -> None:
        lifecycle, _ = lifecycle_in(State.READY)
        lifecycle.begin_frame()
        lifecycle.end_frame()
        await lifecycle.drain(0.0)
        assert lifecycle.state is State.DRAINING

    asyncio.run(scenario())


def test_a_drain_gives_up_at_its_limit_and_says_how_many_are_left(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        lifecycle, _ = lifecycle_in(State.READY)
        for _ in range(3):
            lifecycle.begin_frame()
        lifecycle.end_frame()  # a frame that ended before the drain does not end it
        await lifecycle.drain(0.001)

    asyncio.run(scenario())
    assert [record.getMessage() for record in caplog.records] == ["2 frames were not finished within 0 s"]
