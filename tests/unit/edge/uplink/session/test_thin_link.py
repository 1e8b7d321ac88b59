"""What the flow lets through over simulated thin links, with the estimate that its own frames give: no sockets, an injected clock."""

import heapq
import itertools
import random
from types import SimpleNamespace

import pytest

from edge.uplink.link import Link
from edge.uplink.session.carrying.estimate import Estimate
from edge.uplink.session.carrying.flow import Flow

RATE, DELAY_S, DEADLINE_S, FPS, CLOUD_S = 6250.0, 0.2, 0.8, 6, 0.012
SEGMENT_BYTES, STALL_S, PING_BYTES = 1448, 0.4, 12


class ThinLink:
    """50 kbit/s, first in, first out; a segment that is lost holds up itself and all behind it."""

    def __init__(self, seed, loss):
        self.now = SimpleNamespace(time=0.0)
        self.link = Link(self.clock)
        self.estimate = Estimate(self.link, self.clock)
        self.flow = Flow(lambda: self.link.state, self.clock, most=8)
        self.stream = SimpleNamespace(under_way=0)
        self.random, self.loss = random.Random(seed), loss
        self.free = self.came = 0.0
        self.events, self.order = [], itertools.count()
        self.on_link, self.open = {}, {}
        self.in_time, self.sent, self.late_bytes, self.longest_s = 0, [], 0, 0.0

    def clock(self):
        return self.now.time

    def at(self, when, what, *which):
        heapq.heappush(self.events, (when, next(self.order), what, which))

    def bring(self, size):
        """When these bytes are at the other end, and something could be back."""
        self.free = max(self.free, self.now.time) + size / RATE
        lost = any(self.random.random() < self.loss for _ in range(-(-size // SEGMENT_BYTES)))
        self.came = max(self.came, self.free + DELAY_S / 2 + STALL_S * lost)
        return self.came + DELAY_S / 2

    def play(self, sizes):
        """Offer frames of these sizes, in bytes, at FPS."""
        self.now.time = self.bring(300)
        self.estimate.probed(0.0, 300)
        for number, size in enumerate(sizes):
            self.at(self.now.time + number / FPS, self.offer, number, size)
        while self.events:
            self.now.time, _, what, which = heapq.heappop(self.events)
            what(*which)
        return self

    def offer(self, number, size):
        usual = self.sent[-1] if self.sent[1:] else 0  # a keyframe tells nothing of the others
        if not self.flow.has_room(usual, DEADLINE_S, self.stream.under_way, builds=True):
            return
        reservation = self.flow.reserve(size, self.stream)
        reservation.written()
        self.flow.wrote(size)
        self.estimate.sent(number, size)
        self.sent.append(size)
        self.on_link[number], self.open[number] = size, reservation
        if number:
            self.longest_s = max(self.longest_s, self.free + size / RATE - self.now.time)
        self.at(self.bring(size) + CLOUD_S, self.answer, number)
        self.at(self.now.time + DEADLINE_S, self.give_up, number)

    def answer(self, number):
        if number in self.open:
            self.open.pop(number).release()
            self.in_time += 1
            self.leave(number, self.estimate.answered(number, None if number % 8 else CLOUD_S))

    def give_up(self, number):
        if number in self.open:
            self.open.pop(number).release()
            self.late_bytes += self.on_link.get(number, 0)
            self.flow.gave_up()
            self.estimate.gave_up(number)
            self.at(self.bring(PING_BYTES), self.pong, next(reversed(self.on_link), number), self.now.time)

    def pong(self, upto, asked):
        self.leave(upto, self.estimate.passed(upto, asked))

    def leave(self, number, left_at):
        gone = 0
        while number in self.on_link:
            gone += self.on_link.pop(next(iter(self.on_link)))
        if gone:
            self.flow.left(gone, left_at, self.estimate.computing_s)


def stream(size_of, *, keyframe=9000, frames=200):
    """A keyframe that takes the link longer than the deadline, and frames that do not."""
    return [keyframe, *map(size_of, range(1, frames))]


def test_a_first_frame_that_comes_too_late_is_the_only_one_until_it_has_left_the_link():
    found = ThinLink(0, 0.0).play(stream(lambda _: 4000, frames=12))
    assert found.sent[0] == 9000
    assert found.longest_s < DEADLINE_S  # no queue is built before anything is known
    assert found.link.state.bytes_per_s == pytest.approx(RATE, rel=0.1)


@pytest.mark.parametrize("loss", [0.0, 0.05])
@pytest.mark.parametrize(
    ("size_of", "share"),
    [
        pytest.param(lambda number: 300 + number * 37 % 300, 0.9, id="small"),
        pytest.param(lambda number: 1200 + number * 37 % 60, 0.5, id="alike"),
        pytest.param(lambda number: 1000 + number * 379 % 1200, 0.4, id="too many"),
    ],
)
def test_what_the_link_carries_is_answered_in_time_whatever_falters(size_of, share, loss):
    runs = [ThinLink(seed, loss).play(stream(size_of)) for seed in range(20)]
    # What is late is known, and those behind it in the queue are not taken for a link that has become slower, or faster.
    assert all(run.link.state.bytes_per_s == pytest.approx(RATE, rel=0.25) for run in runs)
    assert sum(run.in_time for run in runs) / sum(200 for _ in runs) > share
    assert max(run.longest_s for run in runs) < 2 * DEADLINE_S
    if not loss:
        assert all(run.late_bytes <= 9000 + 2 * 2200 for run in runs)
