"""Sums over the last minutes, whether or not anybody looks."""

from __future__ import annotations

import pytest
from kits.edge import record

from edge.output.page.seen.ring import LAST_S, Ring


class Clock:
    now_s = 1000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


def test_sums_are_by_the_second_and_by_whom(clock):
    ring = Ring(2.0, clock)
    for answered_by, size, latency_ms in (
        ("cloud", 1000, 30.0),
        ("cloud", 3000, 50.0),
        ("edge", 0, 100.0),
        ("still", 0, 1.0),
    ):
        ring.add(record(answered_by=answered_by, payload_bytes=size, latency_ms=latency_ms))
    assert ring.said()["bytes"] == [], "these two seconds are not over"
    clock.now_s += 2
    said = ring.said()
    assert (said["bytes"], said["latency_ms"]) == ([2000], [60.0])
    assert (said["cloud"], said["edge"], said["still"], said["nobody"]) == ([1.0], [0.5], [0.5], [0.0])


def test_a_time_without_frames_is_a_gap_for_latency_and_zero_for_what_is_counted(clock):
    ring = Ring(2.0, clock)
    ring.add(record(latency_ms=40.0))
    clock.now_s += 6
    said = ring.said()
    assert said["latency_ms"] == [40.0, None, None]
    assert said["bytes"][1:] == [0, 0]


def test_still_frames_alone_say_nothing_of_latency(clock):
    ring = Ring(2.0, clock)
    ring.add(record(answered_by="still", latency_ms=1.0))
    clock.now_s += 2
    assert ring.said()["latency_ms"] == [None]


def test_it_remembers_five_minutes_and_no_more(clock):
    ring = Ring(5.0, clock)
    for _ in range(500):
        ring.add(record(payload_bytes=5))
        clock.now_s += 5
    said = ring.said(answers=False)
    assert len(said["bytes"]) == said["slots"] == LAST_S / said["step_s"] == 60
    assert set(said["bytes"]) == {1}
    assert len(ring._slots) <= 61
    assert "cloud" not in said
    clock.now_s += 10_000
    assert set(ring.said()["bytes"]) == {0}
