"""A cell's stretch begins and ends between two frames."""

import pytest

from bench.emulator.counts import Counts
from bench.link.stream import run as room


class Link:
    """Gives these counts, one after another, and then the last again and again."""

    def __init__(self, *counts):
        self.left = list(counts)

    def counts(self):
        return Counts(self.left.pop(0) if len(self.left) > 1 else self.left[0])


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]

    class Time:
        monotonic = time = staticmethod(lambda: now[0])

        @staticmethod
        def sleep(seconds):
            now[0] += seconds

    monkeypatch.setattr(room, "time", Time)
    return now


def test_it_waits_for_a_moment_in_which_nothing_moves(clock):
    when, counts = room._look(Link(100, 200, 300, 300))
    assert counts.up_bytes == 300
    assert when == pytest.approx(1000 + 3 * 0.03)
    assert clock[0] == when


def test_but_not_for_long(clock):
    when, counts = room._look(Link(*range(1000)))
    assert when == pytest.approx(1001, abs=0.1)
    assert counts.up_bytes > 20
    assert clock[0] == when
