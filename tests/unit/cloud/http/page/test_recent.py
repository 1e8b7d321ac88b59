"""The last minutes, second by second: counted whether anybody looks or not, and bounded."""

from __future__ import annotations

import pytest

from cloud.http.page.recent import SECONDS, Recent, middle_of, step_of


class Clock:
    def __init__(self, now_s: float = 0.0) -> None:
        self.now_s = now_s
        self.cpu_s = 0.0

    def recent(self) -> Recent:
        return Recent(lambda: self.now_s, lambda: self.cpu_s)


def test_each_second_has_what_ended_in_it() -> None:
    clock = Clock(100.2)
    recent = clock.recent()
    recent.ended("gate", 1, 1000, 0.010)
    clock.now_s = 100.9
    recent.ended("yard", 4, 500, 0.010)
    recent.refused("yard", "over_quota")
    clock.now_s = 102.0
    recent.ended("gate", 1, 1000, 0.1)
    ten, hundred = str(step_of(10.0)), str(step_of(100.0))
    assert recent.rows() == [
        [100, 5, 1500, 1, 0, 0.0, {ten: 2}],
        [102, 1, 1000, 0, 0, 0.0, {hundred: 1}],
    ]
    assert recent.rows(101) == recent.rows()[1:]


def test_what_brought_nothing_and_got_nothing_is_of_no_interest() -> None:
    recent = Clock(5.0).recent()
    recent.ended("prometheus", 0, 0, 0.001)
    assert recent.rows() == []
    assert recent.visitors.said(5)["known"] == {}
    recent.ended("gate", 0, 70, 2.0)  # a profile: its time is no frame's
    assert recent.rows() == [[5, 0, 70, 0, 0, 0.0, {}]]


def test_it_goes_back_some_minutes_and_no_further() -> None:
    clock = Clock()
    recent = clock.recent()
    assert recent.rows() == [], "the seconds before the first are none"
    for second in range(2 * SECONDS):
        clock.now_s = second + 0.5
        recent.ended("gate", 1, 10, 0.01)
        assert len(recent.rows()) < SECONDS + 10
    assert [row[0] for row in recent.rows()][-SECONDS:] == list(range(SECONDS, 2 * SECONDS))
    clock.now_s += 10 * SECONDS
    assert recent.rows() == [], "after a quiet time the old seconds are not taken for new ones"


def test_a_look_notes_the_queue_and_how_busy_the_process_is() -> None:
    clock = Clock(10.0)
    recent = clock.recent()
    clock.now_s, clock.cpu_s = 12.0, 3.0
    recent.look(7)
    assert recent.rows() == [[12, 0, 0, 0, 7, 1.5, {}]]
    recent.look(8)  # at the same moment
    assert recent.rows() == [[12, 0, 0, 0, 8, 1.5, {}]]


def test_a_latency_is_known_to_a_tenth() -> None:
    for ms in (0.05, 0.3, 1.0, 7.7, 42.0, 999.0, 60_000.0):
        assert middle_of(step_of(ms)) == pytest.approx(ms, rel=0.05), ms
    assert step_of(0.0) == step_of(0.001), "less than a step can tell"
