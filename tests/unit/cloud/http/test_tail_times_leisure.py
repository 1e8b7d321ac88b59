"""Timing the tails leaves them to frames: no run is long, and while frames come few are made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kits.tail_times import Clock, quick, tail_times

from cloud.batching import tail_times as module
from shared.network.stage_ends import stage_ends

if TYPE_CHECKING:
    from shared.network.partition import Partition


@pytest.fixture(scope="module")
def names(partition: Partition) -> list[str]:
    return ["input", *(point.name for point in stage_ends(partition.points.values()))]


def test_batches_of_which_one_run_would_take_long_are_left_out(
    names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)

    def take(split_point: str, size: int, _times: int) -> None:
        clock.now += 0.02 * size if split_point == names[0] else 0.001

    with quick(max_batch=8) as (server, tails):
        tails.during = take
        assert tail_times(server)["batch_sizes"] == [1, 2, 4]


def test_while_frames_come_the_tails_are_theirs_nine_tenths_of_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, away = Clock(), []

    async def sleep(seconds: float) -> None:
        away.append(seconds)

    monkeypatch.setattr(module, "time", clock)
    with quick(max_batch=1) as (server, tails):
        times = server.service.networks.tail_times(server.service.network)
        times._sleep = sleep

        def take(_split_point: str, _size: int, _times: int) -> None:
            clock.now += 0.01
            if len(tails.runs) in (3, 4):
                server.service.pools.tails.calls += 1  # a frame came

        tails.during = take
        tail_times(server)
    assert away == pytest.approx([0.09, 0.09])
