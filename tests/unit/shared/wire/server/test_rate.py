"""So much at once, then so much a second."""

import pytest

from shared.wire.server.rate import Rate


def test_a_burst_and_then_a_pace():
    now = [100.0]
    rate = Rate(3, 0.5, lambda: now[0])
    assert [rate.take() for _ in range(5)] == [True, True, True, False, False]
    now[0] += 1.9
    assert not rate.take()
    now[0] += 0.1
    assert [rate.take() for _ in range(2)] == [True, False]
    now[0] += 1e6
    assert [rate.take() for _ in range(4)] == [True, True, True, False], "no more than the burst is saved"


class Clock:
    now_s = 50.0

    def __call__(self) -> float:
        return self.now_s


def test_seconds_may_be_spent_at_once_and_the_rest_is_waited_for() -> None:
    clock = Clock()
    seconds = Rate(0.02, 0.1, clock)
    assert seconds.queue(0.02) == 0
    assert seconds.queue(0.01) == pytest.approx(0.1)
    clock.now_s += 0.1
    assert seconds.queue(0.0) == pytest.approx(0)


def test_over_a_long_time_it_is_the_share() -> None:
    clock = Clock()
    seconds = Rate(0.02, 0.1, clock)
    spent, start = 0.0, clock.now_s
    while clock.now_s < start + 100:
        clock.now_s += 0.003
        spent += 0.003
        clock.now_s += seconds.queue(0.003)
    assert spent == pytest.approx(10, rel=0.02)


def test_what_was_not_spent_is_not_saved_up() -> None:
    clock = Clock()
    seconds = Rate(0.02, 0.1, clock)
    clock.now_s += 1000
    assert seconds.queue(0.05) == pytest.approx(0.3)
