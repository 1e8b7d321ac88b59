"""A lost segment as TCP has it: what follows on its connection and in its direction waits, and nothing else does."""

import math

import pytest

from bench.emulator.flow import SEGMENT_BYTES
from bench.emulator.link import Link
from bench.emulator.pipe import Pipe

RATE = 50e3
STALL_S, DELAY_S = 0.4, 0.1
LATER = 1e6


class Chances:
    """In place of a flow's: the segments with these numbers, from 0, are lost."""

    def __init__(self, *lost):
        self._lost = set(lost)
        self._asked = -1

    def random(self):
        self._asked += 1
        return 1.0 if self._asked in self._lost else 0.0


def pipe_with(lost=(), **link):
    pipe = Pipe("up", Link(up_bits_per_s=RATE, delay_s=DELAY_S, loss=0.05, stall_s=STALL_S, **link))
    flow = pipe.open()
    flow._chance = Chances(*lost)
    return pipe, flow


def arrivals(flow):
    """When each byte arrives."""
    found = []
    while (due_s := flow.due_s) < math.inf:
        found += [due_s] * len(flow.take(due_s, 1)[0])
    return found


def burst(lost, segments=6):
    pipe, flow = pipe_with(lost)
    pipe.offer(0.0, flow, bytes(segments * SEGMENT_BYTES))
    pipe.advance(LATER)
    return arrivals(flow)


def test_a_stall_delays_everything_behind_it_until_it_is_over():
    plain, stalled = burst(()), burst((1,))
    lost_at = plain[SEGMENT_BYTES]
    expected = [max(due_s, lost_at + STALL_S) if due_s >= lost_at else due_s for due_s in plain]
    assert stalled == pytest.approx(expected)
    assert expected[-1] == plain[-1], (
        "the burst ends as if nothing was lost: what came in the meantime is given with it"
    )


@pytest.mark.parametrize("lost", [(0,), (0, 1), (0, 1, 2, 3, 4, 5), (2, 5)])
def test_a_burst_is_late_by_one_stall_at_most_however_many_are_lost(lost):
    late = [stalled - plain for plain, stalled in zip(burst(()), burst(lost), strict=True)]
    assert max(late) == pytest.approx(STALL_S)


def test_another_connection_does_not_wait_and_neither_does_the_other_direction():
    pipe, unlucky = pipe_with((0,))
    lucky = pipe.open()
    lucky._chance = Chances()
    pipe.offer(0.0, unlucky, bytes(200))
    pipe.offer(0.0, lucky, bytes(200))
    down = Pipe("down", Link(down_bits_per_s=RATE, delay_s=DELAY_S, loss=0.05, stall_s=STALL_S))
    back = down.open()
    back._chance = Chances()
    down.offer(0.0, back, bytes(200))
    for each in (pipe, down):
        each.advance(LATER)
    wire_s = 200 * 8 / RATE
    assert unlucky.due_s == pytest.approx(wire_s + DELAY_S + STALL_S)
    assert lucky.due_s == pytest.approx(2 * wire_s + DELAY_S)
    assert back.due_s == pytest.approx(wire_s + DELAY_S)


def test_segments_are_counted_and_a_short_message_is_one():
    pipe, flow = pipe_with()
    for now_s in (0.0, 10.0, 20.0):
        pipe.offer(now_s, flow, bytes(300))
        pipe.advance(now_s + 5)
    assert (pipe.segments, pipe.offered_bytes) == (3, 900)
    pipe.offer(30.0, flow, bytes(3 * SEGMENT_BYTES + 1))
    pipe.advance(LATER)
    assert (pipe.segments, pipe.offered_bytes) == (7, 900 + 3 * SEGMENT_BYTES + 1)
