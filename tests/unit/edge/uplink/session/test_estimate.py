"""What a session's frames tell of the link, on simulated links by an injected clock."""

import heapq
import random
from types import SimpleNamespace

import pytest

from edge.uplink.link import START_BYTES_PER_S, Link
from edge.uplink.session.carrying.estimate import Estimate
from edge.uplink.session.carrying.samples import Point, delay_of

KBIT = 125.0


def mixed(number):
    """Keyframes and others."""
    return 6000 if number % 50 == 0 else 400 + number * 37 % 150


def alike(_number):
    return 600


def large(_number):
    return 20_000


class Simulated:
    """A link that is first in, first out: `rate` bytes a second, `delay` seconds there and back."""

    def __init__(self, rate, delay, *, jitter_s=0.01, opening=True):
        self.rate, self.delay, self.jitter_s = rate, delay, jitter_s
        self.now = SimpleNamespace(time=0.0)
        self.link = Link(lambda: self.now.time)
        self.estimate = Estimate(self.link, lambda: self.now.time)
        self.free = 0.0
        self.number = 0
        self.random = random.Random(1)
        if opening:
            self.now.time = self.free = delay + 40 / rate
            self.estimate.probed(0.0, 40)

    def play(self, size_of, interval_s, count, *, most=10**9):
        """Send `count` frames, but no more than `most` at once; the cloud takes about 10 ms and says so for every 8th."""
        back, due = [], self.now.time
        end = self.number + count
        while self.number < end or back:
            if self.number < end and (not back or due <= back[0][0]):
                self.now.time = due
                due += interval_s
                if len(back) < most:
                    size = size_of(self.number)
                    self.estimate.sent(self.number, size)
                    self.free = max(self.free, self.now.time) + size / self.rate
                    cloud_s = 0.01 + 0.003 * self.random.random()
                    jitter_s = self.random.expovariate(1) * self.jitter_s
                    heapq.heappush(back, (self.free + self.delay + cloud_s + jitter_s, self.number, cloud_s))
                self.number += 1
            else:
                self.now.time, number, cloud_s = heapq.heappop(back)
                self.estimate.answered(number, cloud_s if number < 8 or number % 8 == 0 else None)
        return self

    def found(self):
        state = self.link.state
        return state.bytes_per_s / self.rate, state.round_trip_s - self.delay


@pytest.mark.parametrize(
    ("rate", "delay", "size_of", "interval_s", "most"),
    [
        (50 * KBIT, 0.2, mixed, 0.2, 100),
        (50 * KBIT, 0.2, mixed, 0.09, 6),
        (50 * KBIT, 0.2, alike, 0.2, 100),
        (50 * KBIT, 0.2, alike, 0.05, 5),
        (1000 * KBIT, 0.6, large, 0.1, 6),
        (1000 * KBIT, 0.6, large, 0.2, 100),
        (200 * KBIT, 0.6, mixed, 0.1, 8),
    ],
)
def test_a_steady_link(rate, delay, size_of, interval_s, most):
    ratio, error_s = Simulated(rate, delay).play(size_of, interval_s, 200, most=most).found()
    assert ratio == pytest.approx(1, abs=0.25)
    assert abs(error_s) < 0.03


def test_small_frames_on_a_link_that_is_not_narrow_tell_little_and_nothing_wrong():
    ratio, error_s = Simulated(1000 * KBIT, 0.6, jitter_s=0.02).play(mixed, 0.1, 200).found()
    assert 0.5 < ratio < 2
    assert abs(error_s) < 0.03
    fast = Simulated(100_000 * KBIT, 0.0005, jitter_s=0.0003).play(mixed, 0.1, 200)
    assert fast.link.state.bytes_per_s >= START_BYTES_PER_S
    assert fast.link.state.round_trip_s < 0.003


def test_a_frame_that_is_lost_in_the_noise_asks_for_a_larger_one():
    fast = Simulated(100_000 * KBIT, 0.02, jitter_s=0.005).play(lambda _: 1400, 0.5, 30)
    assert fast.link.telling_bytes == 2.5 * 1400
    bound = fast.link.state.bytes_per_s
    fast.play(lambda _: 40_000, 0.5, 30)
    assert fast.link.state.bytes_per_s > 5 * bound
    thin = Simulated(50 * KBIT, 0.2).play(lambda number: 1400 + number % 300, 0.5, 30)
    assert thin.link.telling_bytes == 0, "it is known by what travels anyhow"


def test_what_comes_in_one_go_behind_a_frame_that_was_held_up_is_no_faster_link():
    thin = Simulated(50 * KBIT, 0.2, jitter_s=0.001).play(mixed, 0.2, 60)
    before, start = thin.link.state, thin.now.time
    for number in range(1000, 1006):
        thin.now.time = start + 0.1 * (number - 1000)
        thin.estimate.sent(number, 600)
    thin.now.time = start + 1.2
    for number in range(1000, 1006):
        thin.now.time += 0.001
        thin.estimate.answered(number, None)
    assert thin.link.state.bytes_per_s == pytest.approx(before.bytes_per_s, rel=0.2)
    assert thin.link.state.round_trip_s == pytest.approx(before.round_trip_s, abs=0.03)


def test_one_frame_that_faltered_makes_the_link_no_longer():
    slope, length = 1 / (50 * KBIT), 0.2
    waited = [Point(size, length + slope * size, None, False) for size in (400, 600, 900, 500)]
    faltered = Point(500, length + slope * 500 + 0.4, None, True)
    assert delay_of([*waited, faltered], slope, length) == pytest.approx(length)
    assert delay_of([*waited, *[faltered] * 3], slope, length) == pytest.approx(length + 0.4)


@pytest.mark.parametrize(
    ("before", "after", "size_of", "most"),
    [
        (1000 * KBIT, 100 * KBIT, lambda number: 5000 + number % 700, 8),
        (100 * KBIT, 1000 * KBIT, lambda number: 5000 + number % 700, 8),
        (50 * KBIT, 200 * KBIT, mixed, 8),
    ],
)
def test_a_jump_is_noticed_within_a_few_frames(before, after, size_of, most):
    link = Simulated(before, 0.2).play(size_of, 0.2, 100, most=most)
    jumps = link.link.jumps
    link.rate = after
    ratio, _ = link.play(size_of, 0.2, 20, most=most).found()
    assert link.link.jumps > jumps
    assert ratio == pytest.approx(1, abs=0.4)
    ratio, error_s = link.play(size_of, 0.2, 100, most=most).found()
    assert ratio == pytest.approx(1, abs=0.35)
    assert abs(error_s) < 0.05


def test_a_clock_that_is_wrong_is_not_believed():
    link = Simulated(50 * KBIT, 0.2)
    link.estimate.sent(0, 500)
    link.now.time += 0.28
    link.estimate.answered(0, 5.0)
    assert link.estimate.computing_s == 0
    link.estimate.answered(1, 0.0)  # which was never sent
    link.estimate.gave_up(2)
    assert link.link.state.round_trip_s < 0.5


def test_what_a_broken_connection_had_on_it_tells_nothing():
    link = Simulated(50 * KBIT, 0.2).play(mixed, 0.2, 60)
    before = link.link.state
    link.estimate.sent(1000, 500)
    link.estimate.broke()
    link.now.time += 30
    link.estimate.answered(1000, None)
    assert link.link.state == before
