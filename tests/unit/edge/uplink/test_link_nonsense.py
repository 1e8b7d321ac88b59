"""Clouds and clocks that tell nonsense about the link."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kits.link import Clock, LinkKit
from kits.planner import FUZZ

from edge.uplink.link import Link


@pytest.fixture
def kit():
    return LinkKit()


@pytest.mark.parametrize("receive_s", [-1.0, -1e-9, 1e9, math.inf, -math.inf, math.nan])
def test_nonsense_from_the_cloud_is_not_believed(kit, receive_s):
    kit.carry(20)
    before = kit.link.state
    number = kit.link.sent(40_000)
    kit.clock.now += 0.1
    kit.link.answered(number, receive_s=receive_s, computing_s=0.01, fresh=False)
    assert kit.link.state == before


@pytest.mark.parametrize("computing_s", [1e9, math.inf])
def test_nor_more_computing_than_there_was_time(kit, computing_s):
    kit.carry(20)
    before = kit.link.state
    number = kit.link.sent(40_000)
    kit.clock.now += 0.1
    kit.link.answered(number, receive_s=0.01, computing_s=computing_s, fresh=False)
    assert kit.link.state == before


def test_a_clock_that_goes_back_is_not_believed(kit):
    kit.carry(20)
    before = kit.link.state
    number = kit.link.sent(40_000)
    kit.clock.now -= 3600
    kit.link.answered(number, receive_s=0.01, computing_s=0.01, fresh=False)
    kit.give_up(after_s=-3600)
    assert kit.link.state == before


_events = st.lists(
    st.tuples(
        st.sampled_from(["sent", "answered", "gave up", "late"]),
        st.integers(0, 5),
        st.floats(-10, 100),
        st.floats() | st.floats(0, 1),
        st.floats(0, 1e3),
        st.integers(1, 10_000_000),
    ),
    max_size=40,
)


@FUZZ
@given(_events)
def test_the_estimate_stays_finite_whatever_comes(events):
    clock = Clock()
    link, under_way = Link(clock), []
    for what, which, seconds, receive_s, computing_s, size in events:
        clock.now += seconds
        if what == "sent" or not under_way:
            under_way.append(link.sent(size))
            continue
        number = under_way.pop(which % len(under_way))
        if what == "answered":
            link.answered(number, receive_s=receive_s, computing_s=computing_s, fresh=which == 0)
        else:
            link.gave_up(number, at_deadline=what == "late")
        state = link.state
        assert 0 < state.bytes_per_s < math.inf
        assert 0 <= state.round_trip_s < math.inf
        assert 0 <= state.transfer_s(1e6) < math.inf
