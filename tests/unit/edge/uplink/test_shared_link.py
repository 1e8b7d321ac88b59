"""A link that several frames share, each seen slower by what the others took of it."""

from __future__ import annotations

import itertools

import pytest
from kits.link import Wire
from kits.planner import MBIT


def test_one_frame_at_a_time():
    for case in itertools.product((0.5, 2, 20, 50), [(40_000,), (200_000, 500, 8_000)], (False, True)):
        mbit, sizes, fifo = case
        link = Wire(mbit * MBIT, fifo=fifo).run(30, *sizes)
        assert link.state.bytes_per_s == pytest.approx(mbit * MBIT, rel=0.01), case


def test_frames_that_share_the_link_evenly():
    for case in itertools.product((1, 5, 20), [(40_000,), (80_000, 300_000, 50_000)], (2, 4, 8)):
        mbit, sizes, workers = case
        link = Wire(mbit * MBIT).run(40 * workers, *sizes, workers=workers)
        assert link.state.bytes_per_s == pytest.approx(mbit * MBIT, rel=0.16), case


@pytest.mark.parametrize("workers", [1, 4])
def test_a_step_down_and_up_again(workers):
    wire = Wire(20 * MBIT)
    for mbit in (20, 2, 20):
        wire.bytes_per_s = mbit * MBIT
        link = wire.run(12 * workers, 40_000, workers=workers)
        assert link.state.bytes_per_s == pytest.approx(mbit * MBIT, rel=0.2)


def test_frames_that_came_one_after_another_did_not_share_it_however_near_they_were():
    link = Wire(5 * MBIT, round_trip_s=0.0, computing_s=0.0).run(30, 40_000)
    assert link.state.bytes_per_s == pytest.approx(5 * MBIT, rel=0.01)
