"""No more is under way than the link carries within the deadline, and that is known before a frame is encoded."""

from types import SimpleNamespace

import pytest

from edge.uplink.link import LinkState
from edge.uplink.session.carrying.flow import Flow

STREAM = SimpleNamespace(under_way=0)


class Kit:
    def __init__(self, bytes_per_s=6250.0, round_trip_s=0.2, *, most=100):
        self.now = SimpleNamespace(time=0.0)
        self.state = LinkState(bytes_per_s, round_trip_s, 0)
        self.flow = Flow(lambda: self.state, lambda: self.now.time, most=most)
        self.start()

    def start(self):
        """So much has come through that the window does not matter."""
        self.flow.wrote(10**6)
        self.flow.left(10**6, 0.0, 0.0)


def test_the_first_frame_always_has_room():
    assert Kit().flow.has_room(10**9, 0.1)  # or nothing would ever show how fast the link is


def test_a_frame_that_would_be_late_even_alone_is_sent_only_now_and_then():
    kit, sent = Kit(), 0
    for _ in range(600):  # a minute
        kit.now.time += 0.1
        if kit.flow.has_room(9000, 0.8):
            kit.flow.reserve(9000, STREAM).release()
            sent += 1
    assert sent == pytest.approx(60 / 5, abs=1)
    assert kit.flow.has_room(500, 0.8)  # a smaller one at once
    assert kit.flow.has_room(9000, 0.8, builds=True)  # the next one will be smaller, as this one has come


def test_a_stream_whose_frames_are_all_late_is_sent_only_now_and_then_until_one_is_in_time():
    kit, sent = Kit(), 0
    for _ in range(600):
        kit.now.time += 0.1
        if kit.flow.has_room(9000, 0.8, builds=True):
            kit.flow.reserve(9000, STREAM).release()
            kit.flow.gave_up()
            sent += 1
    assert sent == pytest.approx(12 + 60 / 5, abs=2)
    kit.flow.in_time()
    assert kit.flow.has_room(9000, 0.8, builds=True)


def test_a_frame_is_let_in_only_if_it_would_be_answered_in_time():
    kit, sent = Kit(), 0
    while kit.flow.has_room(500, 1.0):
        kit.flow.reserve(500, STREAM).written()
        kit.flow.wrote(500)
        sent += 500
    # 0.75 s less the round trip are 550 ms of link.
    assert sent == 3000
    kit.now.time = 0.3  # so much has left, if nothing faltered
    assert kit.flow.has_room(500, 1.0)


def test_while_nothing_comes_back_no_more_is_sent_than_a_deadlines_worth():
    kit, sent = Kit(), 0
    for _ in range(1000):
        kit.now.time += 0.08
        if kit.flow.has_room(500, 1.0):
            kit.flow.reserve(500, STREAM).written()
            kit.flow.wrote(500)
            sent += 500
    assert sent <= 6250
    kit.flow.left(sent, kit.now.time, 0.01)
    assert kit.flow.has_room(500, 1.0)


def test_frames_that_are_encoded_and_not_sent_count_until_they_are_given_up():
    kit = Kit()
    reservations = [kit.flow.reserve(1500, STREAM) for _ in range(2)]
    assert not kit.flow.has_room(1500, 1.0)
    for each in reservations:
        each.release()
        each.release()
    assert kit.flow.under_way == 0
    assert kit.flow.has_room(1500, 1.0)


@pytest.mark.parametrize("round_trip_s", [0.2, 0.6])
def test_the_window_is_measured_and_not_fixed(round_trip_s):
    narrow, wide = Kit(6250.0, round_trip_s), Kit(125_000.0, round_trip_s)
    for kit in (narrow, wide):
        kit.flow.wrote(500)
    assert not narrow.flow.has_room(5000, 1.0)
    assert wide.flow.has_room(5000, 1.0)


def test_a_break_empties_the_link():
    kit = Kit()
    kit.flow.wrote(6000)
    assert not kit.flow.has_room(500, 1.0)
    kit.flow.broke(6000)
    kit.start()
    kit.flow.wrote(100)
    assert kit.flow.has_room(500, 1.0)


@pytest.mark.parametrize(
    ("size", "deadline_s", "first"),
    [(6000, 1.0, 1), (50_000, 1.0, 1), (500, 1.0, 12), (6000, 20.0, 20)],
)
def test_before_anything_has_come_back_no_more_is_sent_than_the_slowest_link_brings(size, deadline_s, first):
    kit = Kit(1e9)
    flow = Flow(lambda: kit.state, lambda: 0.0, most=1000)
    most = []
    for _ in range(3):
        frames = 0
        while flow.has_room(size, deadline_s):
            flow.wrote(size)
            frames += 1
        for _ in range(frames):
            flow.left(size, 0.0, 0.0)
        most.append(frames)
    assert most[0] == first
    assert 1.5 * most[0] <= most[1] <= 2 * most[0]
    assert 1.5 * most[1] <= most[2] <= 2 * most[1]


def test_no_frame_waits_for_a_place_that_others_have():
    flow = Kit(1e9, most=2).flow
    first, second = flow.reserve(10, STREAM), flow.reserve(10, STREAM)
    assert not flow.has_room(10, 1.0)
    assert flow.has_room(10, 1.0, others=0)  # a stream has a place of its own
    first.written()
    flow.wrote(10)
    assert not flow.has_room(10, 1.0)  # sent is not answered
    first.release()
    assert flow.has_room(10, 1.0)
    second.release()


def test_a_frame_that_goes_over_another_link_counts_there():
    here, there, stream = Kit().flow, Kit().flow, SimpleNamespace(under_way=0)
    reservation = here.reserve(1500, stream)
    reservation.move(there)
    reservation.move(there)
    assert (here.under_way, there.under_way, stream.under_way) == (0, 1500, 1)
    reservation.written()
    assert (here.under_way, there.under_way, stream.under_way) == (0, 0, 1)
    reservation.release()
    reservation.move(here)
    assert (here.under_way, there.under_way, stream.under_way) == (0, 0, 0)


def test_a_streams_frames_are_counted_whatever_threads_do():
    class Held:
        """Says when anybody counts without the lock."""

        def __init__(self, lock):
            self.lock, self.count = lock, 0

        @property
        def under_way(self):
            assert self.lock.locked()
            return self.count

        @under_way.setter
        def under_way(self, count):
            assert self.lock.locked()
            self.count = count

    flow = Kit().flow
    stream = Held(flow._lock)
    flow.reserve(10, stream).release()
    assert stream.count == 0
