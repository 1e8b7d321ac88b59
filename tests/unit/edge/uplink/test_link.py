"""What the uplink carries, read off frames whose bytes are counted on a simulated link."""

from __future__ import annotations

import math
import random

import pytest
from kits.link import LinkKit

from edge.uplink.link import (
    SEGMENT_BYTES,
    START_BYTES_PER_S,
    START_ROUND_TRIP_S,
    LinkState,
)


@pytest.fixture
def kit():
    return LinkKit()


def test_before_the_first_frame_there_is_a_guess(kit):
    assert kit.link.state == LinkState(START_BYTES_PER_S, START_ROUND_TRIP_S)
    assert not kit.link.is_known
    assert not kit.link.is_jumping
    assert kit.link.told_at == -math.inf


def test_a_transfer_takes_its_bytes_after_the_first_segment():
    state = LinkState(1e6, 0.02)
    assert state.transfer_s(SEGMENT_BYTES + 1e6) == 1.0
    assert state.transfer_s(SEGMENT_BYTES) == state.transfer_s(0) == 0.0


def test_one_frame_tells_throughput_and_round_trip(kit):
    kit.carry(8, round_trip_s=0.03)
    assert kit.mbit == pytest.approx(8)
    assert kit.link.state.round_trip_s == pytest.approx(0.03)
    assert kit.link.is_known
    assert kit.link.told_at == kit.clock.now


def test_what_is_learned_predicts_the_next_frame_of_any_size(kit):
    kit.carry(8, 40_000)
    before = kit.clock.now
    kit.carry(8, 200_000, computing_s=0.0)
    state = kit.link.state
    assert kit.clock.now - before == pytest.approx(state.round_trip_s + state.transfer_s(200_000))


def test_a_small_frame_tells_the_round_trip_only(kit):
    kit.carry(8, 3 * SEGMENT_BYTES - 1, round_trip_s=0.07)
    assert kit.link.state == LinkState(START_BYTES_PER_S, pytest.approx(0.07))
    assert not kit.link.is_known
    assert kit.link.told_at == -math.inf
    kit.carry(8, 3 * SEGMENT_BYTES, round_trip_s=0.07)
    assert kit.link.is_known


def test_a_fresh_connection_tells_nothing(kit):
    kit.carry(0.5, round_trip_s=0.3, fresh=True)
    assert kit.link.state == LinkState(START_BYTES_PER_S, START_ROUND_TRIP_S)
    assert not kit.link.is_known


def test_frames_that_come_in_at_once_are_no_faster_than_a_clock_can_tell(kit):
    kit.carry(1e9)
    assert kit.link.state.bytes_per_s == (40_000 - SEGMENT_BYTES) / 0.0005


# --- what moves the estimate, and what does not -------------------------------------------------------------------


def test_a_jump_is_followed_after_three_telling_frames(kit):
    seen = []
    for mbit in [20] * 12 + [2] * 3 + [20] * 3:
        kit.carry(mbit)
        kit.carry(mbit, 500)  # these do not count
        seen.append(round(kit.mbit, 3))
    assert seen[:16] == [20] * 14 + [2] * 2
    assert seen[-1] == 20


def test_it_says_while_it_may_be_jumping(kit):
    seen = []
    for mbit in [20] * 5 + [2] * 4:
        kit.carry(mbit)
        seen.append(kit.link.is_jumping)
    assert seen == [False] * 5 + [True] * 3 + [False]


def test_an_outlier_is_a_jump_only_until_the_next_frame(kit):
    for mbit in [20] * 5 + [2]:
        kit.carry(mbit)
    assert kit.link.is_jumping
    kit.carry(20)
    assert not kit.link.is_jumping
    assert kit.mbit == pytest.approx(20)


def test_slow_starts_and_outliers_do_not_move_it(kit):
    generator = random.Random(2)
    for number in range(300):
        kit.carry(20 * generator.uniform(0.95, 1.0))
        if number > 5 and number % 4 == 0:
            kit.carry(generator.choice([3, 6, 11]))  # after a pause, a connection begins slowly again
        assert kit.mbit == pytest.approx(20, rel=0.06)


def test_a_slow_round_trip_now_and_then_does_not_count(kit):
    for number in range(60):
        kit.carry(20, round_trip_s=0.3 if number % 3 == 2 else 0.02)
    assert kit.link.state.round_trip_s == pytest.approx(0.02, rel=0.01)


def test_idle_keeps_the_estimate(kit):
    kit.carry(20)
    before = kit.link.state
    kit.clock.now += 86_400
    assert kit.link.state == before
    assert kit.link.is_known


# --- frames that do not come back ---------------------------------------------------------------------------------


def test_a_frame_at_its_deadline_bounds_the_throughput(kit):
    for _ in range(12):
        kit.carry(20)
    kit.give_up(40_000, 2.0)
    assert kit.link.state.bytes_per_s == 20_000
    assert not kit.link.is_known
    kit.give_up(40_000, 4.0)
    assert kit.link.state.bytes_per_s == 10_000


def test_the_next_frame_replaces_the_bound(kit):
    kit.carry(20)
    kit.give_up()
    kit.carry(500, 100)
    assert not kit.link.is_known, "it told nothing of the throughput"
    kit.carry(11)
    assert kit.mbit == pytest.approx(11)
    assert kit.link.is_known


def test_a_bound_above_the_estimate_says_nothing_new(kit):
    kit.carry(0.1)
    kit.give_up(400_000, 2.0)
    assert kit.mbit == pytest.approx(0.1)
    assert kit.link.is_known


def test_a_bound_is_there_before_any_frame_came_through(kit):
    kit.give_up(40_000, 2.0)
    assert kit.link.state.bytes_per_s == 20_000
    assert not kit.link.is_known


def test_a_frame_that_was_given_up_for_another_reason_says_nothing(kit):
    kit.carry(20)
    before = kit.link.state
    kit.give_up(at_deadline=False)
    assert kit.link.state == before


def test_what_was_given_up_is_no_more_under_way(kit):
    for _ in range(20):
        kit.give_up(at_deadline=False)
    kit.carry(20)
    assert kit.mbit == pytest.approx(20)
