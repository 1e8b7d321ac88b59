"""What frames tell of the machines and the source."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kits.link import Clock
from kits.planner import FUZZ, JPEG, LAYER3, OUTPUT, PNG, option

from edge.planning.conditions import Observations
from edge.planning.costs.tail_times import TailTimes
from edge.planning.costs.wire import HTTP_OVERHEAD_BYTES
from edge.planning.pace import Pace
from edge.planning.planner import predict
from edge.uplink.link import Link, LinkState


class Kit:
    def __init__(self, **changes):
        self.clock = Clock()
        self.link = Link(self.clock)
        self.pace = Pace({"a": changes.pop("live", False)})
        self.seen = Observations(self.link, self.pace, **({"in_flight": 2, "deadline_s": 2.0} | changes))

    @property
    def now(self):
        return self.seen.conditions()

    def answer(self, which=PNG, times=1, **steps_ms):
        for _ in range(times):
            self.seen.answered(which, steps_ms)

    def deliver(self, which=PNG, latency_s=0.05, *, size=None, **steps_s):
        usual = {"preprocess": 0.0003, "head": which.head_s - 0.0003, "encode": which.encode_s}
        size = round(which.frame_bytes) if size is None else size
        self.seen.delivered(which, usual | steps_s, size, latency_s)


@pytest.fixture
def kit():
    return Kit()


def test_before_any_frame_everything_is_as_surveyed(kit):
    now = kit.now
    assert (now.in_flight, now.deadline_s, now.cloud_wait_s, now.interval_s) == (2, 2.0, 0.0, 0.0)
    assert (now.edge_slowdown, now.cloud_slowdown) == (1.0, 1.0)
    assert (now.tails_s, now.batched_tails_s, now.sizes) == ({}, {}, {})
    assert now.link == kit.link.state
    assert kit.seen.latency_s is None


def test_the_link_is_that_of_the_moment(kit):
    number = kit.link.sent(41_448)
    kit.clock.now += 0.05
    kit.link.answered(number, receive_s=0.04, computing_s=0.0, fresh=False)
    assert kit.now.link == LinkState(pytest.approx(1e6), pytest.approx(0.01))


def test_the_clouds_times_are_for_as_many_frames_as_are_under_way(kit):
    kit.seen.take_tail_times(
        TailTimes({"input": 0.02}, {1: {"input": 0.02}, 2: {"input": 0.03}, 4: {"input": 0.04}})
    )
    assert kit.now.tails_s == {"input": 0.02}
    assert kit.now.batched_tails_s == {"input": 0.015}


# --- the cloud ----------------------------------------------------------------------------------------------------


def test_a_slow_cloud_is_noticed(kit):
    kit.answer(PNG, 5, decode=2 * 1e3 * PNG.decode_s, tail=2 * 1e3 * PNG.tail_s, queue=3.0)
    assert kit.now.cloud_slowdown == pytest.approx(2.0)
    assert kit.now.cloud_wait_s == pytest.approx(0.003)
    for _ in range(50):  # over a session most answers do not say what they took
        kit.seen.answered(PNG, {})
    assert kit.now.cloud_slowdown == pytest.approx(2.0)
    assert kit.now.cloud_wait_s == pytest.approx(0.003)


def test_it_is_measured_against_what_it_says_of_itself(kit):
    kit.seen.take_tail_times(TailTimes({"input": PNG.tail_s / 4}, {}))
    kit.answer(PNG, 5, decode=0.5, tail=1e3 * PNG.tail_s / 4)
    assert kit.now.cloud_slowdown == pytest.approx(1.0, rel=0.05)


def test_it_does_not_run_away(kit):
    """What is expected is what was expected without the slowdown that was found before."""
    for _ in range(100):
        kit.answer(PNG, tail=3e3 * (PNG.tail_s + PNG.decode_s))
    assert kit.now.cloud_slowdown == pytest.approx(3.0)


def test_a_short_tail_tells_of_waiting_and_not_of_speed(kit):
    short = option("avgpool", "int8+zstd", 23.9, 0.1, 0.1, 0.3, kb=1)
    kit.answer(short, 5, queue=2.0, tail=10.4)
    assert kit.now.cloud_slowdown == 1.0
    assert kit.now.cloud_wait_s == pytest.approx(0.012)
    kit.answer(short, 5, queue=2.0, tail=0.1)
    assert kit.now.cloud_wait_s == pytest.approx(0.002), "faster than expected is no wait below the queue's"


def test_a_cloud_that_does_not_say_how_long_it_waited(kit):
    kit.answer(PNG, tail=25.0)
    assert kit.now.cloud_wait_s == 0.0


def test_answers_to_a_pinned_plan_tell_nothing(kit):
    kit.seen.answered(None, {"tail": 1e6})
    kit.seen.delivered(None, {"head": 1.0}, 10, 1.0)
    assert kit.now.cloud_slowdown == kit.now.edge_slowdown == 1.0
    assert kit.now.sizes == {}
    assert kit.seen.latency_s is None


# --- this machine -------------------------------------------------------------------------------------------------


def test_a_slow_edge_is_noticed(kit):
    for _ in range(5):
        kit.deliver(PNG, preprocess=0.001, head=4 * (PNG.head_s + PNG.encode_s) - 0.003, encode=0.002)
    assert kit.now.edge_slowdown == pytest.approx(4.0)


def test_heads_that_run_at_once_are_taken_to_share_the_frames_until_they_are_seen_to():
    one, three = Kit(), Kit(heads=3)
    alone, shared = (predict(LAYER3, each.now) for each in (one, three))
    assert shared.latency_s == alone.latency_s
    assert one.now.edge_overlap == 1.0
    assert three.now.edge_overlap == pytest.approx(1 / 3)
    edge_s = LAYER3.head_s + LAYER3.encode_s
    for kit in (one, three):  # which gives a frame ten times as often as it takes for one
        for number in range(50):
            kit.clock.now += edge_s / 10
            kit.pace.captured("a", number, kit.clock.now)
            kit.deliver(LAYER3)
    assert one.now.edge_overlap == pytest.approx(1 / 3), "its three steps, each of another frame"
    assert three.now.edge_overlap == pytest.approx(1 / 5), "its five"


def test_however_many_heads_run_one_thread_encodes_all_frames(kit):
    slow = option("layer3", "calibrated", 15.0, 25.0, 3.0, 6.0, kb=10)
    now = replace(kit.now, link=LinkState(1e9, 0.0), heads=4, edge_overlap=1 / 4)
    assert predict(slow, now).period_s == pytest.approx(0.025)
    assert predict(slow, replace(now, edge_slowdown=2.0)).period_s == pytest.approx(0.05)


def test_a_frame_is_the_older_the_more_heads_it_has_before_it(kit):
    """Where the head is the slowest, each place in the steps is a wait of one frame."""
    now = replace(kit.now, interval_s=0.0)
    one, two = (predict(OUTPUT, replace(now, heads=heads)) for heads in (1, 2))
    assert two.period_s == one.period_s
    assert two.age_s == pytest.approx(one.age_s + one.period_s)


def test_a_frame_that_was_not_encoded_is_measured_without_it(kit):
    for _ in range(5):
        kit.seen.delivered(LAYER3, {"head": 2 * LAYER3.head_s}, 0, None)
    assert kit.now.edge_slowdown == pytest.approx(2.0)
    assert kit.now.sizes == {}


def test_a_short_head_tells_nothing(kit):
    kit.deliver(JPEG, head=0.1)
    assert kit.now.edge_slowdown == 1.0


@pytest.mark.parametrize("seconds", [{}, {"preprocess": 0.5}, {"preprocess": 0.5, "encode": 0.1}])
def test_a_frame_whose_head_did_not_run_tells_nothing(kit, seconds):
    kit.seen.delivered(PNG, seconds, 33_700, 0.1)
    assert kit.now.edge_slowdown == 1.0


def test_real_frames_correct_the_sizes_of_their_codec(kit):
    for _ in range(3):
        kit.deliver(JPEG, size=round(1.5 * JPEG.frame_bytes))
        kit.deliver(LAYER3, size=round(0.5 * LAYER3.frame_bytes))
    assert kit.now.sizes == {JPEG.codec: pytest.approx(1.5), LAYER3.codec: pytest.approx(0.5)}
    assert kit.now.payload_bytes(JPEG) == pytest.approx(1.5 * JPEG.frame_bytes)
    assert predict(JPEG, kit.now).frame_bytes == pytest.approx(
        1.5 * JPEG.frame_bytes + HTTP_OVERHEAD_BYTES
    ), "each is a request of its own"


def test_what_sends_nothing_has_no_size(kit):
    kit.deliver(OUTPUT)
    assert kit.now.sizes == {}


# --- latency ------------------------------------------------------------------------------------------------------


def test_the_latency_is_without_the_edges_own_queues(kit):
    kit.deliver(latency_s=0.2, wait_head=0.05, wait_encode=0.03, wait_uplink=0.02)
    assert kit.seen.latency_s == pytest.approx(0.1)


def test_a_frame_that_went_another_way_has_no_latency_to_learn_from(kit):
    kit.deliver(latency_s=None)
    assert kit.seen.latency_s is None
    kit.deliver(latency_s=0.04)
    assert kit.seen.latency_s == pytest.approx(0.04)


def test_a_new_plan_has_a_latency_of_its_own(kit):
    kit.deliver(latency_s=0.5)
    kit.seen.new_plan()
    assert kit.seen.latency_s is None
    kit.deliver(latency_s=0.04)
    assert kit.seen.latency_s == pytest.approx(0.04)


# --- whatever comes -----------------------------------------------------------------------------------------------

_ms = st.floats(1e-3, 1e6)


@FUZZ
@given(
    st.lists(
        st.tuples(st.sampled_from([PNG, JPEG, LAYER3]), _ms, _ms, _ms, st.floats(0, 60), st.integers(0, 99)),
        max_size=30,
    )
)
def test_conditions_stay_such_that_everything_can_be_predicted(frames):
    kit = Kit(live=True)
    for which, queue, decode, tail, latency_s, number in frames:
        kit.answer(which, queue=queue, decode=decode, tail=tail)
        kit.deliver(
            which, latency_s, number=number, captured_s=float(number), head=decode, size=1 + int(tail)
        )
        kit.pace.captured("a", number, float(number))
        now = kit.now
        assert now.cloud_wait_s >= 0
        assert now.interval_s >= 0
        assert kit.seen.latency_s >= 0
        for each in (PNG, JPEG, LAYER3, OUTPUT):
            prediction = predict(each, now)
            assert 0 < prediction.latency_s < math.inf
            assert 0 < prediction.period_s <= prediction.latency_s * (1 + 1e-9)
