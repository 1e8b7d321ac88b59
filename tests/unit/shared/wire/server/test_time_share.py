"""A share of the time, and a little more at once."""

from __future__ import annotations

import pytest

from shared.wire.server.time_share import TimeShare


class Clock:
    now_s = 50.0

    def __call__(self) -> float:
        return self.now_s


def test_so_much_may_be_spent_at_once_and_the_rest_is_waited_for() -> None:
    clock = Clock()
    share = TimeShare(0.1, 0.02, clock)
    assert share.spend(0.02) == 0
    assert share.spend(0.01) == pytest.approx(0.1)
    clock.now_s += 0.1
    assert share.spend(0.0) == pytest.approx(0)


def test_over_a_long_time_it_is_the_share() -> None:
    clock = Clock()
    share = TimeShare(0.1, 0.02, clock)
    spent, start = 0.0, clock.now_s
    while clock.now_s < start + 100:
        clock.now_s += 0.003
        spent += 0.003
        clock.now_s += share.spend(0.003)
    assert spent == pytest.approx(10, rel=0.02)


def test_what_was_not_spent_is_not_saved_up() -> None:
    clock = Clock()
    share = TimeShare(0.1, 0.02, clock)
    clock.now_s += 1000
    assert share.spend(0.05) == pytest.approx(0.3)
